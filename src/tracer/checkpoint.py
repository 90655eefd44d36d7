"""checkpoint: recompute in the backward pass what would have to be kept for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ir.ops import CustomCall
from ir.passes.remat import REMAT
from tracer import tree
from tracer.array import Tracer
from tracer.bodies import emitted, traced_body
from tracer.calls import Call, border
from tracer.emit import lift, owner
from tracer.trace import Trace


def checkpoint(func: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose backward pass computes again what it needs of the forward pass.

    Of a checkpointed call only the arguments are kept from the forward to the backward pass, so a
    chain of n layers, each checkpointed, needs memory for n arguments and the inside of one layer;
    the price is that each layer is computed twice. Values and derivatives of every order are those
    of ``func``. Arguments and results are any pytrees; it is also a decorator.

    >>> import numpy as np
    >>> from tracer import checkpoint, grad
    >>> layer = checkpoint(lambda x: np.sin(np.exp(x)))
    >>> grad(lambda x: layer(layer(x)) * x)(0.0)
    np.float64(0.7323834206334401)
    """

    @wraps(func)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        call = Call(args, kwargs)
        if owner([a.operand for a in call.arguments]) is None:
            return func(*args, **kwargs)
        leaves: list[Any] = []
        treedefs: list[tree.TreeDef] = []

        def returned(inner: Trace, made: Any) -> list[Tracer]:
            found, treedef = tree.flatten(made)
            treedefs.append(treedef)
            leaves.extend(lift(inner, x) if isinstance(x, Tracer) else x for x in found)
            return [x for x in leaves if isinstance(x, Tracer)]

        body, operands = traced_body(func, call, "checkpoint", returned)
        trace = owner(operands)
        assert trace is not None
        made = iter(emitted(CustomCall(REMAT), body, [lift(trace, x) for x in operands]))
        results = [
            border(next(made), x.weak, x.scalar) if isinstance(x, Tracer) else x for x in leaves
        ]
        return tree.unflatten(treedefs[0], results)

    return checkpointed
