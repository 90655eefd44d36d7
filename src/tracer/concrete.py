"""Answers to Python's questions about values: ``if x > 0``, ``float(x)``, ``range(int(n))``.

Each equation is evaluated at most once in a trace, so n questions cost no more than one run.
"""

from __future__ import annotations

import dis
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ir.evaluate import runner
from ir.loc import user_frame, user_loc
from ir.op import Array
from ir.program import Value
from tracer.errors import (
    ConcretizationError,
    EscapeError,
    TracerWarning,
    message,
)
from tracer.trace import Trace, check_alive

if TYPE_CHECKING:
    from tracer.array import Tracer

STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]
WARNED: dict[object, object] = {}
"""Lines that have been warned about, in the form the warnings module keeps."""

QUESTION = {
    "bool": "choose a branch by the value of",
    "index": "use as a Python index",
    "nonzero": "find the true elements of",
    "format": "format the value of",
}
REASON = {
    "vmap": "vmap has one value for each element of the batch",
    "jit": "jit traces the function once for all values",
    "trace": "the function is traced with shapes only",
}
WAY_OUT = {
    "bool": "Use np.where(condition, a, b).",
    "nonzero": "Use np.where(mask, x, other), or multiply by the mask.",
    "index": "Use np.take, or an integer array as index",
}


class UnknownValueError(Exception):
    """A value depends on a parameter that stands for no concrete array."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.name)
        self.home = trace


def python_value(x: Tracer, question: str) -> Array:
    """The tracer's value; a ConcretizationError where none is known."""
    check_alive(x)
    try:
        found = concrete(x.home, x.value)
    except UnknownValueError as unknown:
        raise refused(x, question, unknown.home) from None
    if question in ("float", "int", "item", "tolist", "complex") and differentiated(x):
        warn_dropped(x, question)
    return found


def refused(x: Tracer, question: str, trace: Trace) -> ConcretizationError:
    asked = QUESTION.get(question, f"take {question}() of")
    way_out = WAY_OUT.get(question, "Keep the value an array: np.floor, astype and the like")
    if trace.kind == "jit":
        way_out = way_out.rstrip(".") + ", or make the argument static: static_argnums."
    elif trace.kind == "trace":
        way_out = way_out.rstrip(".") + ", or call trace with arrays."
    else:
        way_out = way_out.rstrip(".") + ", or loop over the batch in Python."
    reason = REASON.get(trace.kind, "the value is not known")
    return ConcretizationError(message(f"{trace.kind} cannot {asked} {x!r}: {reason}.", way_out))


def warn_dropped(x: Tracer, question: str) -> None:
    loc = user_loc()
    text = message(
        f"{question}() of {x!r} drops its derivative.",
        "Use NumPy's functions (np.sin for math.sin), or stop_gradient if that is meant.",
        loc,
    )
    warnings.warn_explicit(text, TracerWarning, loc.file, loc.line, registry=WARNED)  # type: ignore[arg-type]


def refuse_item_assignment(x: Tracer) -> None:
    """``ndarray[i] = x`` asks for a float without a word; the instruction tells."""
    frame = user_frame()
    if frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == STORE_SUBSCR:
        raise EscapeError(
            message(
                f"{x!r} would be stored in an ndarray as a constant, its derivative lost.",
                "Collect the values in a list and np.stack them.",
            )
        )


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
    """Note who makes each new value, and whether it depends on a differentiated argument."""
    moved, (params, equations) = trace.differentiated, trace.indexed
    trace.indexed = len(trace.builder.params), len(trace.builder.equations)
    for v in trace.builder.params[params:]:
        source = trace.sources.get(v)
        if source is not None and not isinstance(source, np.ndarray) and differentiated(source):
            moved.add(v)
    for eq in trace.builder.equations[equations:]:
        trace.producers.update(dict.fromkeys(eq.results, eq))
        if eq.op.differentiable and not moved.isdisjoint(eq.operands):
            moved.update(v for v in eq.results if v.type.info.differentiable)


def differentiated(x: Tracer) -> bool:
    """Whether the value depends on an argument that a derivative is taken of."""
    index(x.home)
    return x.value in x.home.differentiated
