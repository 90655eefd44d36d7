"""What an element reads: ``Op.element`` run once on symbolic indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any

from codegen.index import Affine, Axis, Data, Index, axes_of, bounds
from codegen.inlining import Inlining
from ir.program import Value
from ir.record import record, value_record
from ir.scalar import Accumulators
from ir.types import ArrayType


@value_record
class Read:
    """One element read of a value that is stored somewhere."""

    value: Value
    index: tuple[Index, ...]


@dataclass
class Access:
    """All that an element touches."""

    reads: dict[Read, None] = field(default_factory=dict)
    splits: dict[Axis, set[int]] = field(default_factory=dict)
    """Where a piecewise map changes piece, by axis."""
    branches: bool = False
    """Whether a piece is still chosen at run time."""
    guards: set[Axis] = field(default_factory=set)
    """The loops in which that changes from step to step."""
    calls: set[str] = field(default_factory=set)
    """The named functions that it calls."""


class Symbol:
    """A number that the planner knows nothing about."""

    def __add__(self, other: object) -> Symbol:
        return self

    __radd__ = __sub__ = __mul__ = __rmul__ = __add__

    def __neg__(self) -> Symbol:
        return self


SYMBOL = Symbol()


@dataclass(frozen=True)
class Within:
    """``low <= index < high``, decided when the program runs; several joined by ``&``."""

    tests: tuple[tuple[Index, int, int], ...]

    def __and__(self, other: Within | bool) -> Within | bool:
        if isinstance(other, bool):
            return self if other else False
        return Within((*self.tests, *other.tests))

    __rand__ = __and__


def within(index: Index, low: int, high: int) -> Within | bool:
    """The test, or its outcome where the index's bounds decide it."""
    first, last = bounds(index)
    if low <= first and last < high:
        return True
    if last < low or high <= first:
        return False
    return Within(((index, low, high),))


@dataclass
class PlanKernel:
    """The element language spoken to the planner."""

    inlined: Inlining
    """Equations whose elements are computed where they are read."""
    access: Access = field(default_factory=Access)
    numbers: Iterator[int] = field(default_factory=count)
    followed: list[frozenset[Axis]] = field(default_factory=lambda: [frozenset()] * 2)
    """The loops that the elements being read depend on, outermost first, and behind them those of
    the last that was read; only where the program has indices that are data."""

    def source(self, value: Value) -> PlanSource:
        return PlanSource(self, value)

    def const(self, value: Any, dtype: str) -> Symbol:
        return SYMBOL

    def call(self, name: str, *xs: Any) -> Symbol:
        self.access.calls.add(name)
        return SYMBOL

    def convert(self, x: Any, dtype: str) -> Symbol:
        return SYMBOL

    def select(self, condition: Any, then: Any, otherwise: Any) -> Symbol:
        return SYMBOL

    def number(self, index: Any, dtype: str) -> Symbol:
        if self.inlined.indexed:
            self.followed[-2] |= axes_of((index,))
        return SYMBOL

    def index(self, x: Any, extent: int) -> Index:
        return Affine(((Data(next(self.numbers), extent, axes=self.followed[-1]), 1),))

    def within(self, index: Index, low: int, high: int) -> Within | bool:
        return within(index, low, high)

    def when(
        self,
        condition: Within | bool,
        then: Callable[[], Any],
        otherwise: Callable[[], Any],
    ) -> Any:
        if isinstance(condition, bool):
            return then() if condition else otherwise()
        self.access.branches = True
        for index, low, high in condition.tests:
            self.split(index, low, high)
            self.access.guards |= axes_of((index,))
        then()
        otherwise()
        return SYMBOL

    def split(self, index: Index, low: int, high: int) -> None:
        """Note at which steps of its axis the index enters and leaves the range."""
        match index:
            case Affine(terms=((Axis() as axis, 1),), constant=shift):
                points = self.access.splits.setdefault(axis, set())
                points.update(p for p in (low - shift, high - shift) if axis.low < p < axis.high)

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[..., Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        raise AssertionError("the planner opens folds itself")


@dataclass
class FoldingKernel(PlanKernel):
    """A PlanKernel that stands inside the fold loops of the op being planned."""

    over: tuple[Index, ...] = ()

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[..., Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        return step(self.over, (SYMBOL,) * len(inits))


@dataclass
class ShapeKernel(PlanKernel):
    """A PlanKernel that only wants to know an element's fold."""

    extents: tuple[int, ...] = ()
    accumulators: int = 0
    reassociate: bool = False

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[..., Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        self.extents, self.accumulators = tuple(extents), len(inits)
        self.reassociate = reassociate
        return (SYMBOL,) * len(inits)


class UnrolledKernel(PlanKernel):
    """A PlanKernel that runs folds step by step."""

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[..., Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        carried = inits
        for over in product(*map(range, extents)):
            carried = step(over, carried)
        return carried


@record
class PlanSource:
    """An operand as the planner sees it."""

    kernel: PlanKernel
    value: Value

    @property
    def type(self) -> ArrayType:
        return self.value.type

    def __getitem__(self, at: tuple[Index, ...]) -> Symbol:
        k = self.kernel
        eq = k.inlined.where(self.value, at)
        if eq is None:
            k.access.reads[Read(self.value, at)] = None
            if k.inlined.indexed:
                k.followed[-1] = axes_of(at)
                k.followed[-2] |= k.followed[-1]
            return SYMBOL
        sources = [k.source(v) for v in eq.operands]
        if not k.inlined.indexed:
            return eq.op.element(k, at, *sources)  # type: ignore[no-any-return]
        k.followed.insert(-1, frozenset())
        found: Symbol = eq.op.element(k, at, *sources)
        k.followed[-1] = k.followed.pop(-2)
        k.followed[-2] |= k.followed[-1]
        return found
