"""Iteration spaces and where they are cut: where a map changes piece, and where what is read at the
same steps is cut, so that loops that belong together stay together."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import prod

from codegen.access import FoldingKernel, PlanKernel, ShapeKernel
from codegen.disjoint import DisjointSets
from codegen.index import Affine, Axis, along, axes_of
from codegen.inlining import SMALL, Inlining
from ir import ops
from ir.ops.families import Elementwise
from ir.program import Equation, Program, Value

UNROLLED = 64
"""Steps of a fold, over all elements of a small value, that are unrolled with it."""
PIECES, GRID = 4096, 256
"""Pieces that a space is cut into along one axis, and along several; beyond that each element
chooses at run time."""
SHARED = 6
"""Cuts that loops over the same steps share; with more, each has only its own."""


@dataclass(eq=False, repr=False)
class Space:
    """The loops of a pulled equation: over the dimensions of its result, and over its fold."""

    eq: Equation
    axes: list[Axis]
    folds: list[Axis]
    accumulators: int
    looped: bool = False
    """Whether it is computed in loops however few its elements are."""
    found: PlanKernel | None = None
    """What an element reads, once someone has asked."""

    @property
    def extents(self) -> list[int]:
        return [axis.extent for axis in self.folds]

    @property
    def steps(self) -> int:
        """Steps of the fold, for each element."""
        return max(prod(self.extents), 1)

    @property
    def small(self) -> bool:
        """Whether all elements are computed in straight-line code."""
        size = self.eq.result.type.size
        return not self.looped and size <= SMALL and size * self.steps <= UNROLLED

    def access(self, inlined: Inlining) -> PlanKernel:
        """What an element reads at each step."""
        if self.found is None:
            self.found = self.accessed(inlined)
        return self.found

    def accessed(self, inlined: Inlining) -> PlanKernel:
        over = tuple([along(axis) for axis in self.folds])
        kernel = FoldingKernel(inlined, over=over)
        if 0 not in self.extents:
            at = tuple([along(axis) for axis in self.axes])
            self.eq.op.element(kernel, at, *[kernel.source(v) for v in self.eq.operands])
        return kernel


@dataclass
class Cuts:
    """The spaces of a program and their cuts."""

    program: Program
    inlined: Inlining
    looped: Set[Value]
    """Small values that are computed in loops."""
    spaces: dict[Value, Space] = field(default_factory=dict)
    points: dict[Axis, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.inlined.piecewise:
            self.find()

    def space(self, eq: Equation) -> Space:
        """The whole space of an equation."""
        found = self.spaces.get(eq.result)
        if found is not None and found.eq is eq:
            return found
        axes = [Axis(0, n) for n in eq.result.type.shape]
        if (window := self.inlined.windows.get(eq.result)) is not None:
            axes[window.dim] = window.made(eq)
        made = Space(eq, axes, [], 0, eq.result in self.looped)
        if not isinstance(eq.op, Elementwise):  # whose elements have no folds
            probe = ShapeKernel(self.inlined)
            at = tuple([along(axis) for axis in axes])
            eq.op.element(probe, at, *[probe.source(v) for v in eq.operands])
            made.folds = [Axis(0, n) for n in probe.extents]
            made.accumulators = probe.accumulators
        self.spaces[eq.result] = made
        return made

    def find(self) -> None:
        """Cut every space where its own maps change piece, and where its neighbours are cut.

        What reads a window stands in the loop that moves it, over all rows.
        """
        classes = DisjointSets[Axis]()
        whole: set[Axis] = set()
        for eq in self.program.equations:
            if not self.is_pulled(eq):
                continue
            space = self.space(eq)
            if space.small or 0 in space.extents:
                continue
            access = space.access(self.inlined).access
            for axis, points in access.splits.items():
                self.points.setdefault(axis, set()).update(points)
            for read in access.reads:
                maker = self.spaces.get(read.value)
                if (window := self.inlined.windows.get(read.value)) is not None:
                    whole |= axes_of((read.index[window.dim],))
                    continue
                if maker is None or maker.small:
                    continue
                for index, its in zip(read.index, maker.axes, strict=True):
                    match index:
                        case Affine(terms=((Axis() as mine, 1),), constant=0):
                            classes.join(mine, its)
        for axis in whole:
            self.points[axis] = set()
        for members in classes.all():
            if not whole.isdisjoint(members):
                self.points.update((axis, set()) for axis in members)
                continue
            together = set().union(*[self.points.get(axis, set()) for axis in members])
            if len(together) <= SHARED:
                for axis in members:
                    inside = {p for p in together if axis.low < p < axis.high}
                    self.points[axis] = inside
        for v, window in self.inlined.windows.items():  # whose rows are made one by one
            if v in self.spaces:
                self.points[self.spaces[v].axes[window.dim]] = set()

    def is_pulled(self, eq: Equation) -> bool:
        """Whether loops over the equation's elements may be cut."""
        op = eq.op
        if not op.pure or len(eq.results) != 1:
            return False
        if eq.result in self.inlined or not eq.result.type.size:
            return False
        return hasattr(op, "element") and not isinstance(op, ops.Literal)

    def pieces(self, space: Space) -> list[Space]:
        """The space cut along the dimensions of its result."""
        own = space.access(self.inlined).access.splits
        cut = [self.ranges(axis, own) for axis in space.axes]
        several = sum(len(ranges) > 1 for ranges in cut) > 1
        if not 1 < prod(map(len, cut)) <= (GRID if several else PIECES):
            return [space]
        return [
            Space(space.eq, [Axis(*ends) for ends in piece], space.folds, space.accumulators)
            for piece in product(*cut)
        ]

    def segments(self, space: Space) -> list[Space]:
        """The space cut along its fold, where the parts can be joined."""
        cut = [self.ranges(axis, {}) for axis in space.folds]
        if prod(map(len, cut)) == 1 or not hasattr(space.eq.op, "pair") or space.accumulators != 1:
            return [space]
        return [
            Space(space.eq, space.axes, [Axis(*ends) for ends in piece], space.accumulators)
            for piece in product(*cut)
        ]

    def ranges(self, axis: Axis, own: dict[Axis, set[int]]) -> list[tuple[int, int]]:
        points = self.points.get(axis, own.get(axis, set()))
        return list(pairwise([axis.low, *sorted(points), axis.high]))
