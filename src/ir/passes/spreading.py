"""Laws of what is the same along some dimensions: it is computed once."""

from __future__ import annotations

from collections.abc import Sequence

from ir.build import Builder
from ir.op import REGISTRY, Op
from ir.ops import Broadcast, Constant
from ir.ops.families import Elementwise
from ir.passes.laws import Term, law
from ir.program import Value

COSTLY = 8
"""Weight of an op, that of a division, from which all of its operands may be spread."""
ELEMENTWISE = [op for op in REGISTRY.values() if issubclass(op, Elementwise)]


@law(*(op for op in ELEMENTWISE if op.cost < COSTLY), of=Broadcast)
def constant_and_spread(b: Builder, op: Op, *xs: Term) -> Value | None:
    """f(c, spread x) = spread f(c, x)"""
    alone = sum(isinstance(x.op, Broadcast) for x in xs) == 1
    return spread_result(b, op, xs) if alone else None


@law(*(op for op in ELEMENTWISE if op.cost >= COSTLY), of=Broadcast)
def pointwise_of_spread(b: Builder, op: Op, *xs: Term) -> Value | None:
    """f(spread x, spread y) = spread f(x, y), for the same spread; constants are spread too"""
    return spread_result(b, op, xs)


def spread_result(b: Builder, op: Op, xs: Sequence[Term]) -> Value | None:
    around = next((x for x in xs if isinstance(x.op, Broadcast)), None)
    if around is None or around.op is None:
        return None
    (inner,) = around.args
    operands = []
    for x in xs:
        if x.op is around.op:
            operands.append(x.args[0].value)
        elif isinstance(x.op, Constant):
            operands.append(b(Constant(x.op.value, x.type.dtype, inner.type.shape)))
        else:
            return None
    return b(around.op, b(op, *operands))  # type: ignore[no-any-return]
