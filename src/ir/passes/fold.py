"""Constants computed now rather than at every call."""

from __future__ import annotations

import numpy as np

from ir import ops
from ir.build import Builder, substitute
from ir.op import Array, Op
from ir.ops.families import Elementwise
from ir.program import Equation, Program, Value
from ir.types import ArrayType

LIMIT = 64
"""Elements of the largest literal that is made."""


def fold(program: Program) -> Program:
    """Replace equations whose operands are all known by what they give; the same program if there
    are none."""
    folded = False
    known: dict[Value, Op] = {}
    b = Builder()
    b.params = list(program.params)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        operands = substitute(eq.operands, renamed)
        constant = computed(eq, [known.get(v) for v in operands])
        if constant is None:
            made = b.again(eq, operands)
        else:
            folded = True
            with b.at(eq.loc):
                made = (b(constant),)
        if isinstance(b.equations[-1].op, ops.Constant | ops.Literal):
            known[made[0]] = b.equations[-1].op
        if made is not eq.results:
            renamed.update(zip(eq.results, made, strict=True))
    if not folded:
        return program
    return b.finish(*substitute(program.results, renamed), name=program.name)


def computed(eq: Equation, operands: list[Op | None]) -> Op | None:
    """The constant that the equation gives, if its operands are known and it is small enough."""
    if not operands or None in operands or not eq.op.pure or eq.bodies or len(eq.results) != 1:
        return None
    if eq.op.opaque:
        return None
    type = eq.result.type
    with np.errstate(all="ignore"):
        if isinstance(eq.op, Elementwise) and all(isinstance(x, ops.Constant) for x in operands):
            scalars = [ops.Constant(x.value, x.dtype).reference() for x in operands]  # type: ignore[union-attr]
            return constant_of(np.asarray(eq.op.reference(*scalars)), type)
        sizes = [v.type.size for v in eq.operands]
        if max(type.size, *sizes) > LIMIT:
            return None
        return constant_of(np.asarray(eq.op.reference(*[x.reference() for x in operands])), type)  # type: ignore[union-attr]


def constant_of(array: Array, type: ArrayType) -> Op:
    """The op that gives the array: one number repeated where it can be."""
    values = tuple(array.ravel().tolist())
    first = values[0] if values else 0
    same = all(ops.Constant(v, type.dtype) is ops.Constant(first, type.dtype) for v in values)
    if same:
        return ops.Constant(first, type.dtype, type.shape)
    return ops.Literal(values, type.dtype, type.shape)
