"""Bodies of calls put in the place of the calls."""

from __future__ import annotations

from ir.build import Builder, substitute
from ir.ops import Call
from ir.program import Equation, Program, Value


def inline(program: Program) -> Program:
    """Replace every call by its body's equations."""
    return replaced(program, kept="")


def inline_plain(program: Program) -> Program:
    """Replace the calls whose derivative is that of their body; others stay for ``passes.jvp``."""
    return replaced(program, kept="pushforward")


def inline_bodies(program: Program) -> Program:
    """Replace every call that has a body; maps that are only transposed stay."""
    return replaced(program, kept="stands_for")


def replaced(program: Program, kept: str) -> Program:
    """Replace the calls whose op lacks the slot ``kept``."""
    if not any(eq.bodies or eq.op.opaque for eq in program.equations):
        return program
    b = Builder()
    b.params = list(program.params)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        operands = substitute(eq.operands, renamed)
        body = body_of(eq) if not (kept and hasattr(eq.op, kept)) else None
        if body is not None:
            made = b.inline(replaced(body, kept), operands)
        else:
            made = b.again(eq, operands)
        renamed.update(zip(eq.results, made, strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)


def body_of(eq: Equation) -> Program | None:
    """The program that the equation stands for, if it stands for one."""
    if isinstance(eq.op, Call):
        return eq.bodies[0]
    return eq.op.stands_for() if hasattr(eq.op, "stands_for") else None
