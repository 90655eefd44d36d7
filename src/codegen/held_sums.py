"""Accumulators in memory that stay in registers while a loop runs that does not move among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from codegen.fills import filled
from codegen.index import Axis, Index
from codegen.items import Loop, MemoryStep, Node, is_short
from codegen.pairwise import long_sums
from codegen.parallel import leaves
from codegen.registers import Register
from codegen.text import Kind

if TYPE_CHECKING:
    from codegen.emit import Emitter

MOST = 8
"""Accumulators of one fold that are kept in registers."""
NEAR = 8
"""Nodes behind one that fills, among which is the loop that adds up."""


class HeldSums:
    """The accumulators that a fold reaches at each step of a loop, the same at all of them."""

    def __init__(self, emitter: Emitter, item: MemoryStep, inner: list[Axis]) -> None:
        self.emitter, self.k, self.item, self.inner = emitter, emitter.k, item, inner
        self.places: dict[tuple[Index, ...], tuple[str, Kind]] = {}

    def each(self) -> Iterator[tuple[Index, ...]]:
        """The places of the accumulators; the loops inside are at the step of each."""
        for steps in product(*[range(axis.low, axis.high) for axis in self.inner]):
            self.k.unrolled.update(zip(self.inner, steps, strict=True))
            yield self.k.settled_all(self.item.place())
        for axis in self.inner:
            del self.k.unrolled[axis]

    def open(self) -> None:
        for at in self.each():
            self.places[at] = self.emitter.carry(self.first())
        self.emitter.unfilled.discard(self.item)

    def first(self) -> Register:
        """What an accumulator begins with: what is in memory, if that was filled."""
        if self.item not in self.emitter.unfilled:
            return self.k.load(*self.emitter.accumulator(self.item))
        found: Register = self.emitter.first(self.item)[0]
        return found

    def load(self, at: tuple[Index, ...]) -> Register:
        pointer, kind = self.places[self.k.settled_all(at)]
        return Register(self.k, self.k.f(f"load {kind.t}, ptr {pointer}"), kind)

    def store(self, at: tuple[Index, ...], x: Register) -> None:
        pointer, kind = self.places[self.k.settled_all(at)]
        self.k.f.do(f"store {kind.t} {x.over(kind.lanes).name}, ptr {pointer}")

    def close(self) -> None:
        for at in self.each():
            self.k.store(*self.emitter.accumulator(self.item), self.load(at))


def skips_fill(emitter: Emitter, nodes: Sequence[Node], n: int) -> bool:
    """Whether the loop does nothing but fill accumulators that one behind it holds in registers, as
    long as it runs, and it runs once: then they begin there, and memory is not filled."""
    found = filled(nodes[n])
    step = found.step if found is not None else None
    if step is None or step in emitter.partials:
        return False
    its = step.path[step.opens]
    if its not in nodes[n + 1 : n + 1 + NEAR] or its.leads or is_short(its):
        return False
    in_lanes = emitter.k.lanes is None and its in emitter.vectors
    if in_lanes or long_sums(its, emitter.vectors) or not stays(emitter, step, its):
        return False
    emitter.unfilled.add(step)
    return True


@contextmanager
def held(emitter: Emitter, loop: Loop) -> Iterator[None]:
    """While the loop runs, what it always adds to is in registers."""
    sums = [
        HeldSums(emitter, item, [around.axis for around in item.path[item.path.index(loop) + 1 :]])
        for item in leaves(loop)
        if isinstance(item, MemoryStep) and stays(emitter, item, loop)
    ]
    for each in sums:
        each.open()
        emitter.sums[each.item] = each
    yield
    for each in sums:
        del emitter.sums[each.item]
        each.close()


def stays(emitter: Emitter, item: MemoryStep, loop: Loop) -> bool:
    """Whether the item adds to the same few elements at every step of the loop, in loops inside
    that are written out."""
    if item in emitter.sums or emitter.k.f.count_cost:
        return False
    depth = item.path.index(loop)
    inner = item.path[depth + 1 :]
    written_out = all(is_short(x) and x not in emitter.vectors for x in inner)
    few = prod(x.axis.extent for x in inner) <= MOST
    return written_out and few and item.levels[depth].dim is None
