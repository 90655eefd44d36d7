"""Iteration spaces: their loops, the pieces they are cut into, and the order they are run in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from codegen.access import PlanKernel
from codegen.index import Affine, Axis, Data, Index
from codegen.items import Level


def places(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every index within the shape, row-major."""
    return product(*map(range, shape))


def levels_of(axes: Sequence[Axis]) -> tuple[list[Level], dict[int, int]]:
    """Loops for the dimensions with several steps, and where the others stand."""
    levels = [Level(axis, dim) for dim, axis in enumerate(axes) if axis.extent != 1]
    return levels, {dim: axis.low for dim, axis in enumerate(axes) if axis.extent == 1}


def first_fold(order: Sequence[Level]) -> int:
    return next((n for n, level in enumerate(order) if level.dim is None), len(order))


def has_data(index: Index) -> bool:
    """Whether the index depends on a number that the program computes."""
    return not isinstance(index, int) and any(isinstance(atom, Data) for atom, _ in index.terms)


def memory_order(levels: list[Level], kernel: PlanKernel) -> list[Level]:
    """The levels in the order in which the operands' axes lie in memory, as far as they agree."""
    after: dict[Axis, set[Axis]] = {level.axis: set() for level in levels}
    for read in kernel.access.reads:
        lying = [
            atom
            for i in read.index
            if isinstance(i, Affine)
            for atom, _ in i.terms
            if atom in after
        ]
        for outer, inner in pairwise(lying):
            after[inner].add(outer)
    left, order = list(levels), []
    while left:
        waiting = {level.axis for level in left}
        free = (level for level in left if not (after[level.axis] - {level.axis}) & waiting)
        chosen = next(free, None)
        if chosen is None:
            return levels
        left.remove(chosen)
        order.append(chosen)
    return order
