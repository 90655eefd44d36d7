"""A call that stays one equation of the trace around it, the function's program as its body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ir.loc import user_loc
from ir.op import Op
from ir.program import Equation, Program
from tracer.array import Tracer
from tracer.calls import Call, bits, type_of
from tracer.run import placed
from tracer.trace import Ended, Operand, Trace


def traced_body(
    func: Callable[..., Any],
    call: Call,
    kind: str,
    returned: Callable[[Trace, Any], Sequence[Tracer]],
) -> tuple[Program, list[Operand]]:
    """The function's program, and what its parameters stand for: traced leaves, captured values.

    ``returned`` finds the results in what the function returns. Python may ask for values as it
    may outside.
    """
    with Ended(Trace(func, kind)) as inner, inner:
        tracers = [
            Tracer(inner, inner.param(type_of(a.operand), a.operand), *bits(a.leaf))
            for a in call.arguments
        ]
        results = returned(inner, call.run(func, tracers))
    body, captured = inner.finish([x.value for x in results])
    return body, [*(a.operand for a in call.arguments), *captured]


def emitted(op: Op, body: Program, operands: Sequence[Tracer]) -> list[Tracer]:
    """The call as an equation in its operands' trace."""
    eq = Equation(op, (), body.results, (body,), user_loc())
    return placed(operands[0].home, eq, tuple([x.value for x in operands]))
