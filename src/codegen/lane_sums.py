"""Accumulators in memory that each lane has its own of, while its loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from codegen.combining import across, add_lanes
from codegen.fills import zeroed
from codegen.index import Axis, Index, flat, replaced
from codegen.items import Loop, MemoryStep
from codegen.lanes import Lanes, spot_of
from codegen.registers import Register
from codegen.shared import loaded, stored
from codegen.text import kind_of

if TYPE_CHECKING:
    from codegen.emit import Emitter


FEW = 4
"""Accumulators, a vector each, that are in registers."""


@dataclass
class LaneSums:
    """Accumulators in memory of a fold over the lanes' loop: vectors, one for each element that the
    loops inside reach."""

    emitter: Emitter
    lanes: Lanes
    item: MemoryStep
    loop: Loop

    def __post_init__(self) -> None:
        self.k = self.emitter.k
        self.kind = kind_of(self.item.value.type.dtype, self.lanes.width)
        inner = self.item.path[self.item.path.index(self.loop) + 1 :]
        levels = zip(self.item.levels[-len(inner) :] if inner else (), inner, strict=True)
        found = {lv.dim: loop.axis for lv, loop in levels if lv.dim is not None}
        self.single = self.k.position(*self.emitter.accumulator(self.item))
        """Where the one accumulator lies that the lanes' are combined with."""
        self.axes = dict(sorted(found.items(), key=lambda a: -stride(self.single, a[1])))
        self.extents = [axis.extent for axis in self.axes.values()]
        self.rows = self.k.f.alloca(self.kind.memory, prod(self.extents))

    def spot(self, at: tuple[Index, ...]) -> str:
        """The address of the lanes' accumulators."""
        places = [at[dim] - axis.low for dim, axis in self.axes.items()]
        position = self.k.settled(flat(places, self.extents))
        return spot_of(self.k, self.lanes, self.kind.dtype, self.rows, position)

    def load(self, at: tuple[Index, ...]) -> Register:
        return Register(self.k, loaded(self.k.f, self.kind, self.spot(at)), self.kind)

    def store(self, at: tuple[Index, ...], x: Register) -> None:
        stored(self.k.f, self.kind, self.spot(at), x.over(self.lanes.width).name)

    @property
    def few(self) -> bool:
        """Whether they are in registers, if loops that reach them are written out."""
        return prod(self.extents) <= FEW

    def each(self) -> Iterator[None]:
        """Every element, in loops: of a few, one after the other."""
        if self.few:
            for steps in product(*[range(axis.low, axis.high) for axis in self.axes.values()]):
                self.k.unrolled.update(zip(self.axes.values(), steps, strict=True))
                yield
            for axis in self.axes.values():
                del self.k.unrolled[axis]
            return
        with ExitStack() as stack:
            for axis in self.axes.values():
                stack.enter_context(self.k.steps(axis, axis.low, axis.high))
            yield

    def fill(self) -> None:
        (first,) = self.emitter.first(self.item)
        size = prod(self.extents) * self.lanes.width
        if not self.few and zeroed(self.k, self.rows, size, first):
            return
        for _ in self.each():
            self.store(self.item.place(), first)

    def join(self) -> None:
        """Combine the lanes, and what they come to with the one accumulator."""
        name, f = self.item.eq.op.pair.mnemonic, self.k.f
        buffer, place = self.emitter.accumulator(self.item)
        sizes = [prod(self.extents[n + 1 :]) for n in range(len(self.extents))]
        strides = [stride(self.single, axis) for axis in self.axes.values()]
        if not self.few and strides == sizes:
            lows = {axis: axis.low for axis in self.axes.values()}
            total = self.k.spot(buffer, replaced(self.single, lows))
            add_lanes(f, name, self.kind, total, self.rows, prod(self.extents))
            return
        for _ in self.each():
            single = across(f, name, self.load(self.item.place()).name, self.kind)
            found = Register(self.k, single, kind_of(self.kind.dtype))
            self.k.store(buffer, place, self.k.call(name, self.k.load(buffer, place), found))


def stride(position: Index, axis: Axis) -> int:
    """How far the position moves with the axis; -1 where it may move in other ways."""
    if isinstance(position, int):
        return 0
    plain = all(isinstance(atom, Axis) for atom, _ in position.terms)
    return dict(position.terms).get(axis, 0) if plain else -1
