"""A loop as if its steps were lanes of vectors: whether they can be, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2, prod
from typing import TYPE_CHECKING

from codegen.access import PlanKernel, Read
from codegen.buffers import Buffer
from codegen.functions import BEHIND
from codegen.index import Axis, Data, Index, Quotient, Remainder, along, flat
from codegen.items import (
    Close,
    Compute,
    Fill,
    FoldStep,
    Item,
    Lead,
    Level,
    Loop,
    MemoryStep,
    Node,
    Open,
    ScanStep,
    Update,
)
from codegen.lanes import APART
from codegen.pairwise import cut_at
from codegen.parallel import leaves
from ir.program import Value
from ir.record import value_record
from ir.types import DTYPES

if TYPE_CHECKING:
    from codegen.choosing import Chooser

PRIVATE = 96 * 1024
"""Bytes of all rows and accumulators that the lanes of a loop have of their own."""
FOUND = (Compute, FoldStep, ScanStep, MemoryStep, Update, Open, Close, Fill)
"""The items that can be done in lanes."""


@dataclass(frozen=True)
class Vector:
    """How a loop's steps are put in lanes."""

    width: int
    private: frozenset[Buffer]
    """The rows that each lane has its own of."""
    folds: tuple[FoldStep, ...]
    """The folds over the loop with accumulators in registers,"""
    sums: tuple[MemoryStep, ...]
    """and those with accumulators in memory."""
    packs: Mapping[Value, int]
    """Values of which each step's elements are copied side by side before they are read, by the
    dimension that the lanes follow."""


STEP = 2.0
"""What a loop costs at each step by itself."""
Weight = tuple[float, float, float]
"""What is paid once for all lanes, for each register that they take, and for each lane."""
REGISTER, LANE = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@value_record
class Reach:
    """A read of an element in memory, and how far it moves from lane to lane, if that is known."""

    read: Read
    buffer: Buffer
    step: int | None


class Trial:
    """A loop, as if its steps were lanes."""

    def __init__(self, chooser: Chooser, loop: Loop, depth: int) -> None:
        self.chooser, self.loop, self.depth = chooser, loop, depth
        self.storage, self.plan = chooser.storage, chooser.plan
        self.items = leaves(loop)
        self.made = {v for item in self.items for v in item.values}
        self.private: dict[Buffer, None] = {}
        self.folds: list[FoldStep] = []
        self.sums: list[MemoryStep] = []
        self.packs: dict[Value, int] = {}
        self.bytes = 8
        self.own = 0
        self.found: dict[Item, list[Reach]] = {}
        self.steps: dict[Item, int | None] = {}

    def legal(self) -> bool:
        around = [loop for item in self.items for loop in item.path[self.depth :]]
        if any(isinstance(loop, Lead) for loop in around):
            return False
        if self.loop.axis.extent < 4 or not all(isinstance(item, FOUND) for item in self.items):
            return False
        sizes = [
            DTYPES[v.type.dtype].size
            for item in self.items
            for v in (item.value, *item.eq.operands)
        ]
        self.bytes = max(4, *sizes)
        for item in self.items:
            if not isinstance(item, Open | Close) and not self.writes(item):
                return False
        if not all(self.reads(item) for item in self.items):
            return False
        for item in self.items:
            self.packs.update(self.packed(item))
        self.own = sum(buffer.nbytes for buffer in self.private)
        self.own += sum(v.type.nbytes // v.type.shape[dim] for v, dim in self.packs.items())
        self.own += sum(
            prod(extents(self.inner(item))) * DTYPES[item.value.type.dtype].size
            for item in self.sums
        )
        return self.own * self.narrowest() <= PRIVATE

    def level(self, item: Item) -> Level:
        return item.levels[self.depth]

    def inner(self, item: Item) -> list[Level]:
        """The dimensions of the value that loops inside run over."""
        return [level for level in item.levels[self.depth + 1 :] if level.dim is not None]

    def writes(self, item: Item) -> bool:
        """Whether each lane can keep what the item makes; notes what becomes of it."""
        level = self.level(item)
        if level.axis in item.guards:
            return False
        if isinstance(item, Update):
            return self.write_step(item) is not None
        if isinstance(item, ScanStep) and level.dim == item.eq.op.axis:  # type: ignore[attr-defined]
            return False
        if isinstance(item, FoldStep) and not self.sums_fit(item):
            return False
        if level.dim is None:
            if not hasattr(item.eq.op, "pair") or len(self.plan.definitions[item.value]) != 1:
                return False
            if isinstance(item, FoldStep):
                self.folds.append(item)
            elif isinstance(item, MemoryStep):
                self.sums.append(item)
            return True
        if isinstance(item, MemoryStep) and item in self.storage.partials:
            return True
        buffer = self.storage.buffers.get(item.value)
        if buffer is not None and level.dim not in buffer.dims:
            self.private[buffer] = None
            return buffer.kind == "row"
        return True

    def sums_fit(self, item: FoldStep) -> bool:
        """Whether a long sum that is added up in blocks has them around the lanes."""
        cut = cut_at(item, (self.loop, self.narrowest()))
        return not cut or item.path.index(cut[0]) <= self.depth

    def target(self, item: Update) -> int | None:
        """How far apart the lanes write; None if they may meet."""
        found = self.plan_target(item)
        buffer = self.storage.buffers[item.value]
        return step_of(buffer.position(found), self.level(item).axis) or None

    def plan_target(self, item: Update) -> Sequence[Index]:
        kernel = PlanKernel(self.plan.inlined)
        axes = {level.dim: level.axis for level in item.levels}
        at = tuple(
            [
                along(axes[d]) if d in axes else item.fixed[d]
                for d in range(item.eq.operands[1].type.rank)
            ]
        )
        target, _ = item.eq.op.update(kernel, at, *[kernel.source(v) for v in item.eq.operands])
        return tuple(target)

    def reaches(self, item: Item) -> list[Reach]:
        """What the item reads from memory."""
        if isinstance(item, Open | Close | Fill):
            return []
        if item not in self.found:
            axis, buffers = self.level(item).axis, self.storage.buffers
            self.found[item] = [
                Reach(
                    read,
                    buffers[read.value],
                    step_of(buffers[read.value].position(read.index), axis),
                )
                for read in item.reads
                if read.value in buffers
            ]
        return self.found[item]

    def reads(self, item: Item) -> bool:
        """Whether what the item reads of the lanes' own rows is the same element for all."""
        return all(x.step == 0 for x in self.reaches(item) if x.buffer in self.private)

    def packed(self, item: Item) -> Iterator[tuple[Value, int]]:
        """What the item reads again and again at elements that lie apart for the lanes."""
        for x in self.reaches(item):
            value, index = x.read.value, x.read.index
            if value in self.made or x.step in (0, 1):
                continue
            axis = self.level(item).axis
            times = prod(loop.axis.extent for loop in item.path[self.depth + 1 :])
            follows = [d for d, i in enumerate(index) if i == along(axis)]
            plain = all(
                isinstance(i, int)
                or (len(i.terms) == 1 and isinstance(a := i.terms[0][0], Axis) and a is not axis)
                for i in index
                if i != along(axis)
            )
            size = value.type.size // axis.high if len(follows) == 1 else 0
            fits = size and value.type.shape[follows[0]] * size == value.type.size
            if fits and plain and times >= OFTEN * size and size <= PACKED:
                yield value, follows[0]

    # What it costs.

    def narrowest(self) -> int:
        """The lanes of a register, or of half of one where there are fewer steps."""
        lanes = max(self.chooser.target.vector_bytes // self.bytes, 2)
        return lanes if lanes == 2 or self.chooser.span(self.loop) >= lanes else lanes // 2

    def widths(self) -> list[int]:
        """Numbers of lanes to try: a register's, and several registers' where little is done."""
        narrow = self.narrowest()
        items = [item for item in self.items if not isinstance(item, Open | Close | Fill)]
        busy = sum(max(len(item.reads) - 1, 1) for item in items)  # what is inlined reads more
        calls = any(not BEHIND.keys().isdisjoint(item.calls) for item in items)
        most = 1 if busy > BUSY or self.own else 2 if busy > SLACK or calls else 4
        if self.chooser.narrow or any(map(self.reaches_apart, self.items)):
            most = 1
        found = [narrow * n for n in (4, 2, 1) if n <= most]
        steps = self.chooser.span(self.loop)
        return [w for w in found if w <= steps and w * self.own <= PRIVATE]

    def reaches_apart(self, item: Item) -> bool:
        """Whether lanes have addresses of their own for what the item reads or writes."""
        if isinstance(item, Open | Close):
            return False
        if self.write_step(item) not in (0, 1):
            return True
        steps = [x.step for x in self.reaches(item) if x.read.value not in self.packs]
        return any(step is None or not -1 <= step <= APART for step in steps)

    def cost(self, width: int, scalar: float) -> float:
        once, register, lane = self.weight
        steps = self.chooser.span(self.loop)
        step = once + register * width / self.narrowest() + lane * width
        ends = 3 * log2(width)
        after = sum(ends for _ in self.folds)
        after += sum((ends + 4) * prod(extents(self.inner(item))) for item in self.sums)
        rest = steps % width
        left = rest * scalar
        if not self.own:  # the steps left are written out, in narrower vectors
            left = min(left, rest.bit_count() * (step + len(self.folds)))
        total = steps // width * step + left + after
        return total * self.loop.axis.extent / steps

    @cached_property
    def weight(self) -> Weight:
        """What a step of all lanes costs."""
        packed = sum(v.type.size / v.type.shape[dim] for v, dim in self.packs.items())
        around = STEP * (1 + sum(self.trips(self.loop.body, 1)))
        found = [(around, 0.0, 2.0 * packed), *map(self.lane_cost, self.items)]
        once, register, lane = map(sum, zip(*found, strict=True))
        return once, register, lane

    def trips(self, nodes: Sequence[Node], times: int) -> list[int]:
        found = []
        for node in nodes:
            if isinstance(node, Loop):
                found.append(times * node.trips)
                found += self.trips(node.body, times * node.trips)
        return found

    def lane_cost(self, item: Item) -> Weight:
        """What an item costs at a step of all lanes."""
        if isinstance(item, Open | Close):
            return REGISTER
        costs = [(1.0, self.write_cost(item))] if isinstance(item, Fill) else self.parts(item)
        times = prod([loop.axis.extent for loop in item.path[self.depth + 1 :]])
        once = sum([n * weight[0] for n, weight in costs])
        register = sum([n * weight[1] for n, weight in costs])
        lane = sum([n * weight[2] for n, weight in costs])
        return times * once, times * register, times * lane

    def parts(self, item: Item) -> list[tuple[float, Weight]]:
        """The op, the reads and the writes of an item, each so many times."""
        found = [(float(item.eq.op.cost), LANE if self.unknown(item) else REGISTER)]
        for x in self.reaches(item):
            own = x.buffer in self.private or (x.step != 0 and x.read.value in self.packs)
            found.append((1.0, moves(1 if own else x.step)))
        if isinstance(item, Update):
            found.append((2.0, moves(self.write_step(item))))
        elif isinstance(item, MemoryStep):
            found.append((2.0, self.write_cost(item)))
        elif item.value in self.storage.buffers:
            found.append((1.0, self.write_cost(item)))
        return found

    def write_cost(self, item: Item) -> Weight:
        return REGISTER if self.write_step(item) in (0, 1) else (0.0, 0.0, 2.0)

    def write_step(self, item: Item) -> int | None:
        """How far apart the lanes write in memory; 0 if each keeps what it makes."""
        if item not in self.steps:
            self.steps[item] = self.written(item)
        return self.steps[item]

    def written(self, item: Item) -> int | None:
        if isinstance(item, Update):
            return self.target(item)
        buffer = self.storage.buffers.get(item.value)
        if buffer is None or buffer in self.private or self.level(item).dim is None:
            return 0
        dims, shape = buffer.dims, buffer.shape
        if isinstance(item, MemoryStep) and item in self.storage.partials:
            partial = self.storage.partials[item]
            dims, shape = tuple([d - 1 for d in partial.dims[1:]]), partial.shape[1:]
        at: dict[int, Index] = dict(item.fixed)
        at |= {level.dim: along(level.axis) for level in item.levels if level.dim is not None}
        return step_of(flat([at[d] for d in dims], shape), self.level(item).axis)

    def unknown(self, item: Item) -> bool:
        """Whether it calls a function that the machine has for single numbers only."""
        known, dtype = self.chooser.target.vector_variants, item.value.type.dtype
        return not all(known(BEHIND[name], dtype) for name in item.calls if name in BEHIND)

    def vector(self, width: int) -> Vector:
        return Vector(
            width, frozenset(self.private), tuple(self.folds), tuple(self.sums), self.packs
        )


OFTEN, PACKED = 4, 256
"""How often at least an element is read that is packed, and how many there may be for a lane."""
BUSY, SLACK = 8, 3
"""Items of a loop, or reads of one, from which a vector is one register, and two."""


def extents(levels: Sequence[Level]) -> list[int]:
    return [level.axis.extent for level in levels]


def step_of(position: Index, axis: Axis) -> int | None:
    """How far the position moves with the axis; None where that is not known."""
    found = 0
    for atom, n in () if isinstance(position, int) else position.terms:
        match atom:
            case Axis():
                found = n if atom is axis else found
            case Data(axes=moving) if axis in moving:
                return None
            case Quotient() | Remainder() if step_of(atom.whole, axis) != 0:
                return None
    return found


def moves(step: int | None) -> Weight:
    """What it costs to read what lies ``step`` elements apart for the lanes."""
    if step == 0:
        return 0.5, 0.0, 0.0
    if step in (1, -1):
        return REGISTER
    return (0.0, 2.0, 0.0) if step is not None and 1 < step <= APART else (0.0, 0.0, 1.5)
