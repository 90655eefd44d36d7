"""Laws of diagonal matrices: products with them scale, and their sums are their diagonals.

A Jacobian's program is run on all unit arrays at once. These are an identity matrix, which stays
diagonal while it is multiplied element by element. Its zeros stand for what nothing depends on, as
where no tangent is: they do not meet infinities, whose products with zeros would be nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ir.build import Builder
from ir.op import Op
from ir.ops import (
    Broadcast,
    Constant,
    Div,
    DotGeneral,
    Mul,
    Neg,
    Permute,
    ReduceSum,
    Select,
    UnitArrays,
)
from ir.ops.families import spread
from ir.passes.laws import Term, is_number, law
from ir.program import Value
from ir.types import ArrayType

DEEPEST = 8
"""Elementwise equations, at most, from the identity to a diagonal matrix that is found."""


@dataclass(frozen=True)
class Step:
    """An elementwise op by which a diagonal matrix is made of another, its operand ``at``."""

    op: Op
    others: tuple[Term, ...]
    at: int


@dataclass(frozen=True)
class Diagonal:
    """The identity along two axes, zero where they differ, and the steps taken from there."""

    type: ArrayType
    axes: tuple[int, int]
    steps: tuple[Step, ...] = ()

    def line(self, b: Builder, dropped: int) -> Value:
        """The numbers on the diagonal, along all axes but one of the two."""
        (kept,) = {*self.axes} - {dropped}
        line: Value = b(Constant(1, self.type.dtype, without(self.type.shape, dropped)))
        for step in self.steps:
            operands = [along(b, x, kept, dropped) for x in step.others]
            operands.insert(step.at, line)
            line = b(step.op, *operands)
        return line


def diagonal(x: Term, depth: int = 0) -> Diagonal | None:
    """The value as a diagonal matrix, if it is seen to be one."""
    shape = x.type.shape
    if depth > DEEPEST or len(shape) < 2 or len({*shape}) == len(shape):
        return None
    match x:
        case Term(UnitArrays(start=0)):
            return Diagonal(x.type, (0, 1)) if len(shape) == 2 else None
        case Term(Neg() as op, (y,)):
            return after(op, (y,), 0, depth)
        case Term(Mul() as op, (y, z)):
            return after(op, (y, z), 0, depth) or after(op, (y, z), 1, depth)
        case Term(Div() as op, (y, z)):
            return after(op, (y, z), 0, depth)
        case Term(Select() as op, (c, y, z)) if is_number(z, 0):
            return after(op, (c, y, z), 1, depth)
        case Term(Select() as op, (c, y, z)) if is_number(y, 0):
            return after(op, (c, y, z), 2, depth)
    return None


def after(op: Op, operands: tuple[Term, ...], at: int, depth: int) -> Diagonal | None:
    """The diagonal matrix that an op makes of one, if its numbers can be told without the rest."""
    found = diagonal(operands[at], depth + 1)
    others = (*operands[:at], *operands[at + 1 :])
    if found is None or not all(has_line(x, found.axes) for x in others):
        return None
    return replace(found, steps=(*found.steps, Step(op, others, at)))


def has_line(x: Term, axes: tuple[int, int]) -> bool:
    """Whether the value is the same all along one of the axes, and so known where they agree."""
    return isinstance(x.op, Constant) or (
        isinstance(x.op, Broadcast) and not {*axes} <= {*x.op.dims}
    )


def along(b: Builder, x: Term, kept: int, dropped: int) -> Value:
    """The value where its indices along two axes agree: without the second."""
    shape = without(x.type.shape, dropped)
    if isinstance(x.op, Constant):
        return b(Constant(x.op.value, x.type.dtype, shape))  # type: ignore[no-any-return]
    assert isinstance(x.op, Broadcast)
    dims = [kept if d == dropped else d for d in x.op.dims]
    return placed(b, x.args[0].value, [d - (d > dropped) for d in dims], shape)


def without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple([n for d, n in enumerate(shape) if d != axis])


def placed(b: Builder, x: Value, dims: Sequence[int], shape: tuple[int, ...]) -> Value:
    """The value with its axis ``i`` as axis ``dims[i]`` of the shape, repeated along the others."""
    order = tuple(sorted(range(len(dims)), key=dims.__getitem__))
    if order != tuple(range(len(dims))):
        x = b(Permute(order), x)
    return spread(b, x, shape, sorted(dims))


@law(UnitArrays)
def only_unit_array(b: Builder, op: UnitArrays) -> Value | None:
    """the only unit array of one place is 1"""
    return b(Constant(1, op.dtype, op.shape)) if {*op.shape} == {1} else None


@law(DotGeneral)
def scale(b: Builder, op: DotGeneral, x: Term, y: Term) -> Value | None:
    """a product with a diagonal matrix is the other matrix, its rows or columns scaled"""
    for side, (scaling, other) in enumerate(((x, y), (y, x))):
        found = diagonal(scaling) if len(op.contract[side]) == 1 else None
        if found is None:
            continue
        (summed,) = op.contract[side]
        if summed not in found.axes:
            continue
        (kept,) = {*found.axes} - {summed}
        if kept in op.batch[side]:
            continue
        shape = op.infer(x.type, y.type).shape
        free = [op.free(n, t.type.rank) for n, t in enumerate((x, y))]
        of_result = {(0, d): n for n, d in enumerate((*op.batch[0], *free[0]))}
        of_result |= {(1, d): n for n, d in enumerate(op.batch[1])}
        of_result |= {(1, d): len(shape) - len(free[1]) + n for n, d in enumerate(free[1])}
        of_result[1 - side, op.contract[1 - side][0]] = of_result[side, kept]
        dims = [of_result[1 - side, d] for d in range(other.type.rank)]
        made = placed(b, other.value, dims, shape)
        dims = [of_result[side, d] for d in range(scaling.type.rank) if d != summed]
        return b(Mul(), made, placed(b, found.line(b, summed), dims, shape))  # type: ignore[no-any-return]
    return None


@law(ReduceSum)
def sum_of_diagonal(b: Builder, op: ReduceSum, x: Term) -> Value | None:
    """the sum along an axis of a diagonal matrix is its diagonal"""
    found = diagonal(x) if len(op.axes) == 1 else None
    if found is None or op.axes[0] not in found.axes:
        return None
    return found.line(b, op.axes[0])
