"""What an operand of a library call is in memory: a stored value, seen through inlined movement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from codegen.access import SYMBOL, FoldingKernel, PlanKernel, Symbol
from codegen.index import Axis, Index, affine, flat
from codegen.inlining import Inlining
from ir.program import Equation, Value
from ir.types import ArrayType

At = tuple[Index, ...]


@dataclass
class Seen:
    """An operand that notes where it is read."""

    type: ArrayType
    at: list[At] = field(default_factory=list)

    def __getitem__(self, at: At) -> Symbol:
        self.at.append(at)
        return SYMBOL


def read_at(eq: Equation, at: At, over: At, inlined: Inlining) -> list[At]:
    """Where a fold reads its operands at index ``at`` of the result and ``over`` of the fold."""
    operands = [Seen(v.type) for v in eq.operands]
    eq.op.element(FoldingKernel(inlined, over=over), at, *operands)
    return [operand.at[0] for operand in operands]


def stored(v: Value, at: At, inlined: Inlining) -> tuple[Value, At] | None:
    """The stored value that reading ``v`` reads, and where; None where it is no plain element."""
    while (eq := inlined.get(v)) is not None:
        if not eq.op.movement or len(eq.operands[: eq.op.data]) != 1:
            return None
        kernel, operands = PlanKernel(inlined), [Seen(v.type) for v in eq.operands]
        eq.op.element(kernel, at, *operands)
        if kernel.access.branches or len(operands[0].at) != 1:
            return None
        (at,), v = operands[0].at, eq.operands[0]
    return v, at


def position(at: At, dims: Sequence[int], shape: Sequence[int]) -> Index:
    """Where an element lies in a buffer that spans the dimensions ``dims``, in that order."""
    return flat([at[d] for d in dims], [shape[d] for d in dims])


def strides(place: Index, axes: Sequence[Axis]) -> list[int] | None:
    """The strides at which a place follows the axes; None where it does in another way."""
    if isinstance(place, int):
        return [0] * len(axes)
    found = dict(place.terms)
    if not all(isinstance(atom, Axis) and n > 0 for atom, n in place.terms):
        return None
    return [found.get(axis, 0) for axis in axes]


def without(place: Index, axes: Sequence[Axis]) -> Index:
    """The place at the first step of the axes, which begin at 0."""
    if isinstance(place, int):
        return place
    return affine({atom: n for atom, n in place.terms if atom not in axes}, place.constant)
