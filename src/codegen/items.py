"""The leaves of a plan: what is computed where, before loops and storage are settled.

Each equation that is not inlined becomes one or a few items. An item runs once for every step of
its levels; the schedule gives it a path of loops, one a level, that it may share with others.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from codegen.access import Read
from codegen.index import Affine, Axis, Index, along, bounds
from codegen.kernels.products import Product
from codegen.text import SHORT
from ir.program import Equation, Value
from ir.record import record, value_record


@value_record
class Level:
    """One loop of an item: along dimension ``dim`` of its value, or along a fold (then None)."""

    axis: Axis
    dim: int | None
    fold: int | None = None
    reverse: bool = False
    ahead: int = 0
    """How many steps it is ahead of the loop that reads what is made, in a window,"""
    rows: int = 0
    """and how many rows there are, those of zeros before and behind included."""

    @property
    def steps(self) -> tuple[int, int]:
        """What the loop runs over that it stands in."""
        return (0, self.rows - self.ahead) if self.ahead else (self.axis.low, self.axis.high)

    def index(self, axis: Axis) -> Index:
        """Where the loop stands, as an index along the dimension or fold."""
        return axis.low + axis.high - 1 - along(axis) if self.reverse else along(axis)


@record
class Dependency:
    """An item that comes first; ``index`` is where its value is read, None where all of it is."""

    item: Item
    index: tuple[Index, ...] | None


@dataclass(eq=False, repr=False)
class Loop:
    """``for axis: body``"""

    axis: Axis
    body: list[Loop | Item] = field(default_factory=list)
    strip: list[Loop] = field(default_factory=list)
    """The loops, itself one, that are run a number of steps at a time, one after the other."""

    @property
    def trips(self) -> int:
        """How often the body is run."""
        return self.axis.extent

    @property
    def leads(self) -> list[Lead]:
        """What makes the next row of each window that moves with the loop."""
        return [node for node in self.body if isinstance(node, Lead)]


@dataclass(eq=False, repr=False)
class Lead(Loop):
    """The row of a window that is some steps ahead of the loop around; no loop by itself.

    The axis has the rows that are computed; there are more, of zeros, before and behind.
    """

    ahead: int = 0
    rows: int = 0
    """How many rows there are with those of zeros."""
    value: Value = field(kw_only=True)

    @property
    def trips(self) -> int:
        return 1


@dataclass(eq=False, repr=False)
class Item:
    """Something to do at each step of ``levels``; subclasses say what."""

    eq: Equation
    value: Value
    levels: list[Level] = field(default_factory=list)
    fixed: dict[int, int] = field(default_factory=dict)
    """Dimensions that have one step, and where."""
    reads: list[Read] = field(default_factory=list)
    dependencies: list[Dependency] = field(default_factory=list)
    serial: bool = False
    """Whether its loops are better not shared with loops that could be vectors."""
    branches: bool = False
    """Whether it chooses between pieces at run time."""
    guards: Set[Axis] = frozenset()
    """The loops in which that choice changes from step to step."""
    calls: Set[str] = frozenset()
    """The named functions that its elements call, those of inlined equations too."""
    path: list[Loop] = field(default_factory=list)
    cost: int = 1
    """Roughly how many instructions it becomes."""

    @property
    def values(self) -> tuple[Value, ...]:
        """All that the item makes."""
        return (self.value,)

    def place(self) -> tuple[Index, ...]:
        """The index of the value's element at a step of the scheduled loops."""
        index: dict[int, Index] = dict(self.fixed)
        for level, loop in zip(self.levels, self.path, strict=True):
            if level.dim is not None:
                index[level.dim] = level.index(loop.axis)
        return tuple([index[d] for d in range(len(index))])

    def over(self) -> tuple[Index, ...]:
        """The index of the fold at a step."""
        index: dict[int, Index] = dict(self.fixed_folds)
        for level, loop in zip(self.levels, self.path, strict=True):
            if level.fold is not None:
                index[level.fold] = level.index(loop.axis)
        return tuple([index[d] for d in range(self.folds)])

    folds: int = 0
    """How many axes the item folds."""
    fixed_folds: dict[int, int] = field(default_factory=dict)
    """Folds that have one step, and where."""

    def meets(self, index: tuple[Index, ...]) -> bool:
        """Whether a read at the index may find an element that the item makes."""
        for dim, place in self.fixed.items():
            low, high = bounds(index[dim])
            if not low <= place <= high:
                return False
        for level in self.levels:
            if level.dim is not None:
                low, high = bounds(index[level.dim])
                if high < level.axis.low or low >= level.axis.high:
                    return False
        return True


@dataclass(eq=False, repr=False)
class Carried(Item):
    """An item that carries registers from step to step of its loops from depth ``opens`` on."""

    opens: int = 0


class Compute(Item):
    """An element of the value, from elements of its operands."""


class Static(Item):
    """All elements of a small value, in straight-line code."""


class StaticUpdate(Static):
    """All elements of a small array with a few of them replaced, in straight-line code."""


class FoldStep(Carried):
    """One step of a fold whose accumulators are registers."""


class ScanStep(Carried):
    """The next element of a scan, from a carry in a register."""


@dataclass(eq=False, repr=False)
class Open(Item):
    """The carried registers of ``step`` set to their first values, before its loops."""

    step: Carried | None = None


@dataclass(eq=False, repr=False)
class Close(Item):
    """The element that the carried registers of ``step`` give, after its loops."""

    step: Carried | None = None


@dataclass(eq=False, repr=False)
class Fill(Item):
    """The accumulator of an element set to its first value, in memory, before the loops of ``step``
    if there are any."""

    step: MemoryStep | None = None


class MemoryStep(Carried):
    """One step of a fold whose accumulators lie in memory."""


class Update(Item):
    """An element of the updates added or written in the value's buffer."""


@dataclass(eq=False, repr=False)
class Effect(Item):
    """A guard or check: the status is its number if it fails before all others."""

    number: int = 0
    """Its place among the program's effects, from 1."""


@dataclass(eq=False, repr=False)
class HostCall(Item):
    """A call of a Python function on whole arrays, which gives several."""

    number: int = 0
    """Its place among the program's effects, from 1: it may fail as they do."""
    native: Any = None
    """The native function that does it; it must outlive the code."""

    @property
    def values(self) -> tuple[Value, ...]:
        return self.eq.results


@dataclass(eq=False, repr=False)
class Contraction(Item):
    """Calls of the BLAS on stored arrays: one for each step of the levels, or all of them."""

    product: Product | None = None
    size: int = 0
    """The multiplications of one call."""


Node = Loop | Item


def aligned(item: Item, depth: int, dependency: Dependency) -> bool:
    """Whether the item, at the same step of a shared loop at ``depth``, reads what the other made
    at that step."""
    other = dependency.item.levels
    if dependency.index is None or depth >= len(other):
        return False
    mine, its = item.levels[depth], other[depth]
    if its.dim is None or its.reverse or mine.ahead or mine.steps != its.steps:
        return False
    if not its.ahead:
        return dependency.index[its.dim] == Affine(((mine.axis, 1),))
    reached = dependency.index[its.dim] - along(mine.axis)
    return isinstance(reached, int) and 0 <= reached <= its.ahead


def moves_with(maker: Item, reader: Item) -> bool:
    """Whether the reader stands in the loop that moves the window in which the maker makes rows."""
    lead = next((around for around in maker.path if isinstance(around, Lead)), None)
    return any(lead in loop.leads for loop in reader.path)


def is_short(loop: Loop) -> bool:
    """Whether the loop is written out step by step."""
    if loop.leads:
        return False
    inner = [node for node in loop.body if isinstance(node, Loop)]
    return loop.axis.extent <= SHORT and all(map(is_short, inner))
