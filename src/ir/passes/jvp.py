"""Forward mode: ``(x, dx) -> (y, dy)``."""

from __future__ import annotations

from collections.abc import Sequence

from ir.build import Builder
from ir.errors import missing_rule
from ir.op import Tangent
from ir.ops.families import zeros
from ir.passes.inline import inline_plain
from ir.program import Equation, Program, Value


def jvp(program: Program, wrt: Sequence[bool] | None = None) -> Program:
    """Push tangents of the parameters ``wrt`` through every equation, beside its primal.

    Parameters: the program's, then one tangent for each of ``wrt``. Results: the program's, then
    one tangent for each result whose dtype has tangents.
    """
    program = inline_plain(program)
    chosen = with_tangent(program.params) if wrt is None else wrt
    b = Builder()
    b.params = list(program.params)
    tangent: dict[Value, Value] = {
        v: b.param(v.type) for v, has in zip(program.params, chosen, strict=True) if has
    }
    for eq in program.equations:
        ts = [tangent.get(v) for v in eq.operands]
        own = getattr(eq.op, "pushforward", None)
        if own is None or not any(ts):
            b.append(eq)
        if any(ts) and eq.op.differentiable:
            with b.at(eq.loc.through("jvp")):
                made = pushed(b, eq, ts) if own is None else own(b, eq, ts)
            dys = zip(eq.results, made, strict=True)
            tangent.update({y: t for y, t in dys if t is not None and y.type.info.differentiable})
    moved = [
        tangent.get(y) or zeros(b, y.type)
        for y, has in zip(program.results, with_tangent(program.results), strict=True)
        if has
    ]
    return b.finish(*program.results, *moved, name=f"{program.name}_jvp")


def with_tangent(values: Sequence[Value]) -> tuple[bool, ...]:
    """Which of the values have tangents: those whose dtype is differentiable."""
    return tuple([v.type.info.differentiable for v in values])


def pushed(b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
    """The tangents of the equation's results."""
    rule = getattr(eq.op, "jvp", None)
    if rule is None:
        raise missing_rule(eq.op, "jvp", eq.loc)
    single = len(eq.results) == 1
    made = rule(b, eq.results[0] if single else eq.results, eq.operands, ts)
    return (made,) if single else made
