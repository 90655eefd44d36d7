"""Values of inner traces as values of the trace around them on whose arguments they depend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ir.program import Equation, Value
from tracer.concrete import UnknownValueError
from tracer.trace import Trace

if TYPE_CHECKING:
    from tracer.array import Tracer


def placed(x: Tracer, root: Trace) -> Value:
    """The value of the tracer, computed in ``root`` too: equal equations are merged later."""
    waiting = [(x.home, x.value)]
    while waiting:
        trace, v = waiting[-1]
        if trace is root or (v, root) in trace.placed:
            waiting.pop()
            continue
        eq = trace.producers.get(v)
        source = trace.sources.get(v)
        if eq is not None:
            missing = [(trace, o) for o in eq.operands if (o, root) not in trace.placed]
            if not missing:
                copy(trace, eq, root)
        elif source is None:
            raise UnknownValueError(trace)
        elif isinstance(source, np.ndarray):
            missing = []
            trace.placed[v, root] = root.capture(source)
        else:
            missing = [(source.home, source.value)]
            if found := known(*missing[0], root):
                trace.placed[v, root] = found
                missing = []
        waiting += missing
    found = known(x.home, x.value, root)
    assert found is not None
    return found


def known(trace: Trace, v: Value, root: Trace) -> Value | None:
    return v if trace is root else trace.placed.get((v, root))


def copy(trace: Trace, eq: Equation, root: Trace) -> None:
    """The equation on the operands as they are placed."""
    if not eq.operands:
        trace.placed[eq.result, root] = root.constant(eq.op)
        return
    operands = tuple([trace.placed[v, root] for v in eq.operands])
    results = tuple([Value(v.type) for v in eq.results])
    root.builder.append(Equation(eq.op, operands, results, eq.bodies, eq.loc))
    trace.placed.update(zip([(v, root) for v in eq.results], results, strict=True))
