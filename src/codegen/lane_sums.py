"""Accumulators in memory that each lane has its own of, while its loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from codegen.index import Index, flat
from codegen.items import Loop, MemoryStep
from codegen.lanes import Lanes, across, plain, put, spot_of
from codegen.registers import Register
from codegen.scalar import EmitKernel
from codegen.text import SHORT, kind_of

if TYPE_CHECKING:
    from codegen.emit import Emitter


@dataclass
class LaneSums:
    """Accumulators in memory of a fold over the lanes' loop: vectors, one for each element that the
    loops inside reach."""

    k: EmitKernel
    lanes: Lanes
    item: MemoryStep
    loop: Loop

    def __post_init__(self) -> None:
        inner = self.item.path[self.item.path.index(self.loop) + 1 :]
        levels = zip(self.item.levels[-len(inner) :] if inner else (), inner, strict=True)
        self.axes = {lv.dim: loop.axis for lv, loop in levels if lv.dim is not None}
        kind = kind_of(self.item.value.type.dtype, self.lanes.width)
        self.rows = self.k.f.alloca(kind.memory, prod(axis.extent for axis in self.axes.values()))

    def spot(self, at: tuple[Index, ...]) -> str:
        """The address of the lanes' accumulators."""
        places = [at[dim] - axis.low for dim, axis in self.axes.items()]
        position = self.k.settled(flat(places, [axis.extent for axis in self.axes.values()]))
        return spot_of(self.k, self.lanes, self.item.value.type.dtype, self.rows, position)

    def load(self, at: tuple[Index, ...]) -> Register:
        kind = kind_of(self.item.value.type.dtype, self.lanes.width)
        self.k.f.reach()
        return Register(self.k, plain(self.k.f, kind, self.spot(at)), kind)

    def store(self, at: tuple[Index, ...], x: Register) -> None:
        self.k.f.reach()
        x = x.over(self.lanes.width)
        put(self.k.f, x.kind, x.name, self.spot(at))

    def each(self) -> Iterator[None]:
        """Every element, in loops: of a few, one after the other."""
        if prod(axis.extent for axis in self.axes.values()) <= SHORT:
            for steps in product(*[range(axis.low, axis.high) for axis in self.axes.values()]):
                with self.k.scope():
                    self.k.unrolled.update(zip(self.axes.values(), steps, strict=True))
                    yield
            for axis in self.axes.values():
                del self.k.unrolled[axis]
            return
        with ExitStack() as stack:
            for axis in self.axes.values():
                stack.enter_context(self.k.steps(axis, axis.low, axis.high))
            yield

    def fill(self, emitter: Emitter) -> None:
        (first,) = emitter.first(self.item)
        for _ in self.each():
            self.store(self.item.place(), first)

    def join(self, emitter: Emitter) -> None:
        """Combine the lanes and add them to what one accumulator holds."""
        name = self.item.eq.op.pair.mnemonic
        for _ in self.each():
            found = self.load(self.item.place())
            single = across(self.k, name, found.name, found.kind)
            buffer, place = emitter.accumulator(self.item)
            total = Register(self.k, single, kind_of(found.dtype))
            self.k.store(buffer, place, self.k.call(name, self.k.load(buffer, place), total))
