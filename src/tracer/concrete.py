"""Values of a running trace, where its parameters stand for arrays.

Each equation is evaluated at most once in a trace, so n questions cost no more than one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ir.evaluate import runner
from ir.op import Array
from ir.program import Value
from tracer.trace import Trace, check_alive

if TYPE_CHECKING:
    from tracer.array import Tracer


class UnknownValueError(Exception):
    """A value depends on a parameter that stands for no concrete array."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.name)
        self.home = trace


def concrete(trace: Trace, target: Value) -> Array:
    """Evaluate what the target needs and is not yet known."""
    index(trace)
    known, waiting = trace.known, [target]
    with np.errstate(all="ignore"):
        while waiting:
            v = waiting[-1]
            if v in known:
                waiting.pop()
                continue
            eq = trace.producers.get(v)
            if eq is None:
                known[v] = of_parameter(trace, v)
                continue
            missing = [x for x in eq.operands if x not in known]
            if missing:
                waiting += missing
                continue
            made = runner(eq)(*[known[x] for x in eq.operands])
            made = made if isinstance(made, tuple) else (made,)
            known.update(zip(eq.results, map(np.asarray, made), strict=True))
    return known[target]


def of_parameter(trace: Trace, v: Value) -> Array:
    source = trace.sources.get(v)
    if source is None:
        raise UnknownValueError(trace)
    if isinstance(source, np.ndarray):
        return source
    return concrete(source.home, source.value)


def index(trace: Trace) -> None:
    """Note of each new value who makes it, and what it depends on: an argument, a differentiated
    one, one that varies from call to call of a kept trace (of the oldest, if several)."""
    moved, varying, given = trace.differentiated, trace.varying, trace.given
    params, equations = trace.indexed
    trace.indexed = len(trace.builder.params), len(trace.builder.equations)
    for v in trace.builder.params[params:]:
        source = trace.sources.get(v)
        captured = v in trace.hidden and isinstance(source, np.ndarray)
        if not captured and (source is None or isinstance(source, np.ndarray) or depends(source)):
            given.add(v)
        if source is None or isinstance(source, np.ndarray):
            if trace.questions is not None and v not in trace.hidden:
                varying[v] = trace
            continue
        if differentiated(source):
            moved.add(v)
        if source.value in source.home.varying:
            varying[v] = source.home.varying[source.value]
    for eq in trace.builder.equations[equations:]:
        trace.producers.update(dict.fromkeys(eq.results, eq))
        if eq.op.differentiable and not moved.isdisjoint(eq.operands):
            moved.update(v for v in eq.results if v.type.info.differentiable)
        if not given.isdisjoint(eq.operands):
            given.update(eq.results)
        owners = [varying[v] for v in eq.operands if v in varying]
        if owners:
            varying.update(dict.fromkeys(eq.results, min(owners, key=age)))


def varies(x: Tracer) -> Trace | None:
    """The kept trace on whose arguments the value depends; of several, the oldest."""
    index(x.home)
    return x.home.varying.get(x.value)


def age(trace: Trace) -> int:
    return trace.level


def fixed(x: Tracer) -> bool:
    """Whether the value depends on no argument: nothing is lost where it becomes a constant."""
    check_alive(x)
    return not depends(x)


def depends(x: Tracer) -> bool:
    """Whether the value depends on an argument; its trace may have ended, and be asked later."""
    index(x.home)
    return x.value in x.home.given


def differentiated(x: Tracer) -> bool:
    """Whether the value depends on an argument that a derivative is taken of."""
    index(x.home)
    return x.value in x.home.differentiated
