"""Bodies of calls put in the place of the calls."""

from __future__ import annotations

from ir.build import Builder, substitute
from ir.ops import Call
from ir.program import Program, Value


def inline(program: Program) -> Program:
    """Replace every call by its body's equations."""
    if not any(eq.bodies for eq in program.equations):
        return program
    b = Builder()
    b.params = list(program.params)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        operands = substitute(eq.operands, renamed)
        if isinstance(eq.op, Call):
            made = b.inline(inline(eq.bodies[0]), operands)
        else:
            made = b.again(eq, operands)
        renamed.update(zip(eq.results, made, strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)
