"""Answers to Python's questions about values: ``if x > 0``, ``float(x)``, ``range(int(n))``.

A trace that is kept for other arguments holds a guard for each answer that they could change.
"""

from __future__ import annotations

import dis
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ir import ops
from ir.loc import Loc, user_frame, user_loc
from ir.op import Array
from ir.program import Value
from tracer.concrete import UnknownValueError, concrete, differentiated, varies
from tracer.errors import ConcretizationError, EscapeError, TracerWarning, message
from tracer.placing import placed
from tracer.trace import Trace, check_alive

if TYPE_CHECKING:
    from tracer.array import Tracer

STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]
WARNED: dict[object, object] = {}
"""Lines that have been warned about, in the form the warnings module keeps."""

KINDS = {"bool": "bool", "int": "int", "index": "int", "nonzero": "nonzero"}
"""What of the value Python asks for: its truth, its integer part, where it is not zero."""

QUESTION = {
    "bool": "choose a branch by the value of",
    "index": "use as a Python index",
    "nonzero": "find the true elements of",
    "format": "format the value of",
}
REASON = {
    "vmap": "vmap has one value for each element of the batch",
    "trace": "the function is traced with shapes only",
}
WAY_OUT = {
    "bool": "Use np.where(condition, a, b).",
    "nonzero": "Use np.where(mask, x, other), or multiply by the mask.",
    "index": "Use np.take, or an integer array as index",
}


def python_value(x: Tracer, question: str) -> Array:
    """The tracer's value; a ConcretizationError where none is known.

    Where it varies from call to call of a kept trace, a guard keeps the answer true.
    """
    check_alive(x)
    try:
        found = answered(x, KINDS.get(question, "value"))
    except UnknownValueError as unknown:
        raise refused(x, question, unknown.home) from None
    if question in ("float", "int", "item", "tolist", "complex") and differentiated(x):
        warn_dropped(x, question)
    return found


def refused(x: Tracer, question: str, trace: Trace) -> ConcretizationError:
    asked = QUESTION.get(question, f"take {question}() of")
    way_out = WAY_OUT.get(question, "Keep the value an array: np.floor, astype and the like")
    if trace.kind == "trace":
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
                "Make the array in the function: np.zeros_like(x), or tracer.numpy.zeros.",
            )
        )


@dataclass(frozen=True)
class Answer:
    """What Python was told, where it asked."""

    kind: str
    value: Array
    loc: Loc

    def other(self) -> Answer:
        """The other answer to a question of yes or no."""
        return replace(self, value=np.logical_not(self.value))

    def __str__(self) -> str:
        """``file:line: source line was 7``."""
        value = self.value
        told = str(value.item()) if value.size == 1 else f"an array of shape {value.shape}"
        return f"{self.loc.head}: {self.loc.source} was {told}"


class Disputed(BaseException):
    """An answer that compiled code has just found not to hold: both are right, to rounding."""


@dataclass
class Questions:
    """What Python asks while one trace is made.

    The first questions get the answers in ``given``: those that compiled code has found. At the
    next one the answers in ``tried`` are known not to hold.
    """

    given: Sequence[Answer] = ()
    tried: Sequence[Array] = ()
    asked: list[Answer] = field(default_factory=list)
    known: dict[tuple[Value, str], Array] = field(default_factory=dict)

    def driven(self, kind: str, loc: Loc) -> Array | None:
        """The given answer, as long as Python asks what it asked before."""
        place = len(self.asked)
        if place >= len(self.given):
            return None
        answer = self.given[place]
        if (answer.kind, answer.loc) == (kind, loc):
            return answer.value
        self.given, self.tried = self.given[:place], ()
        return None

    def found(self, value: Array) -> Array:
        """An answer that NumPy has found."""
        if len(self.asked) == len(self.given) and any(same_bits(value, x) for x in self.tried):
            raise Disputed
        return value


def answered(x: Tracer, kind: str) -> Array:
    """What Python is told of the value; guarded where another call could have another answer."""
    root = varies(x)
    if root is None or root.questions is None:
        return np.asarray(part(concrete(x.home, x.value), kind))
    questions, own = root.questions, placed(x, root)
    if (own, kind) not in questions.known:
        loc = user_loc()
        value = questions.driven(kind, loc)
        if value is None:
            value = questions.found(np.asarray(part(concrete(x.home, x.value), kind)))
        guard(type(x)(root, own), kind, value, len(questions.asked))
        questions.asked.append(Answer(kind, value, loc))
        questions.known[own, kind] = value
    return questions.known[own, kind]


def part(x: Any, kind: str) -> Any:
    """What the kind of question asks of an array or a tracer."""
    if kind in ("bool", "nonzero"):
        return np.not_equal(x, 0) if x.dtype != bool else x
    return np.trunc(x) if kind == "int" and x.dtype.kind == "f" else x


def guard(x: Tracer, kind: str, value: Array, place: int) -> None:
    """The program holds only where the tracer, of a kept trace, gives this answer."""
    found = part(x, kind)
    if kind == "bool":
        holds, expected = found.reshape(()), bool(value.item())
    else:
        holds, expected = np.all(equal_bits(found, value)), True
    x.home.builder.loc = user_loc()
    x.home.builder(ops.Guard(expected, place), holds.value)


def equal_bits(x: Tracer, value: Array) -> Any:
    """Where the tracer has the value's bits: nan is nan, and 0.0 is not -0.0."""
    same = np.equal(x, value)
    if value.dtype.kind != "f":
        return same
    if np.any(value == 0):
        same &= np.equal(np.copysign(1.0, x), np.copysign(1.0, value)) | (value != 0)
    if np.any(np.isnan(value)):
        same |= np.isnan(x) & np.isnan(value)
    return same


def same_bits(x: Array, y: Array) -> bool:
    """Whether two answers are the same."""
    return (x.shape, x.dtype, x.tobytes()) == (y.shape, y.dtype, y.tobytes())
