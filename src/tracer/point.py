"""A function traced and evaluated at a point, and the programs derived from it there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ir.passes.linearize import linearize
from ir.program import Program
from ir.types import ArrayType
from tracer.argnums import Argnums, Wrt
from tracer.array import Tracer
from tracer.calls import (
    Call,
    Output,
    bits,
    border,
    distinct,
    operand,
    trace_call,
    traceable,
    type_of,
)
from tracer.errors import AuxError, DifferentiableTypeError, OutputError, message
from tracer.run import derive, swept
from tracer.trace import Operand, youngest

Make = Callable[[Program, Sequence[bool], int], tuple[Program, ...]]
"""From a program, the flags of its differentiated parameters, and the number of its results that
are differentiated (aux comes after them). The first program made has the results of the given one,
then what the others, or the caller, want to know."""


class Point:
    """One call of a differentiated function: traced, derived, and its first program run."""

    def __init__(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool,
        transform: str,
        make: Make,
        check: Callable[[Any, str], None] | None = None,
    ) -> None:
        def split(made: Any) -> tuple[Any, Any]:
            made, aux = pair(made, transform) if has_aux else (made, None)
            if check is not None:
                check(made, transform)
            return made, aux

        call = Call(args, kwargs)
        self.wrt = Wrt(call, argnums, transform)
        self.traced = trace_call(func, call, transform, self.wrt.flags, has_aux, split)
        float_outputs(self.traced.output, self.traced.name, transform)
        program, operands = self.traced.program, self.traced.operands
        flags = (*self.wrt.flags, *[False] * (len(operands) - len(self.wrt.flags)))
        self.outs = len(self.traced.output.tracers)
        self.derived = derive(
            program, (make, flags, self.outs), lambda: make(program, flags, self.outs)
        )
        if youngest() is None:
            self.traced.output.tracers[0].home.forget()
        results = distinct(self.derived.run(0, operands), operands)
        self.results = results[: len(program.results)]
        self.rest = results[len(program.results) :]
        """Gradients, blocks or residuals: what the first program gives beside the results."""

    def output(self) -> Any:
        return self.traced.output.wrapped(self.results[: self.outs])

    def aux(self) -> Any:
        return self.traced.aux.filled(self.results[self.outs :]) if self.traced.aux else None

    def residuals(self) -> list[Operand]:
        """What outlives the call: none is the caller's array, or a view of it or of a result."""
        return [x if isinstance(x, Tracer) or x.base is None else x.copy() for x in self.rest]

    def packed(self, found: Sequence[Operand], scalar: bool = True) -> Any:
        """Derivatives, by differentiated leaf, as the arguments look: scalars of scalars."""
        leaves = zip(self.wrt.ordered(found), self.wrt.leaves, strict=True)
        return self.wrt.pack([border(x, False, scalar and bits(leaf)[1]) for x, leaf in leaves])


def fitted(leaf: Any, type: ArrayType, refusal: Callable[[str], Exception]) -> Operand:
    """A tangent or cotangent of the type. A Python number fits every type of rank 0."""
    if not type.shape and isinstance(leaf, int | float) and not isinstance(leaf, bool | np.generic):
        return np.asarray(leaf, type.numpy)
    if not traceable(leaf):
        raise refusal(leaf.__class__.__name__)
    given = operand(leaf)
    if type_of(given) != type:
        raise refusal(str(type_of(given)))
    return given


def pair(made: Any, transform: str) -> tuple[Any, Any]:
    """What a function with has_aux=True must return."""
    if not (isinstance(made, tuple) and len(made) == 2):
        plain = type(made) is tuple
        got = f"a tuple of {len(made)}" if plain else type(made).__name__
        raise AuxError(
            message(
                f"{transform}: with has_aux=True the output of the function should be a"
                f" tuple (output, aux), got {got}.",
                "Return (output, aux), or leave has_aux out.",
            )
        )
    return made


def float_outputs(output: Output, name: str, transform: str) -> None:
    """There is an output, and all are floats."""
    if not output.tracers:
        raise OutputError(
            message(
                f"{transform} expected {name} to return at least one array.", "Return an array."
            )
        )
    for x in output.tracers:
        if x.dtype.kind != "f":
            raise DifferentiableTypeError(
                message(
                    f"{transform}: the function returned {x.dtype}, which has no derivative.",
                    "Convert with astype(float), or return it as aux.",
                )
            )


def point_and_map(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, Program]:
    """``x -> (y, aux, residuals)`` and ``(residuals, dx) -> dy``.

    Aux has no part in the map, which so meets no slope of it that is infinite, and residuals are
    only those that the map reads.
    """
    forward, linear = linearize(program, wrt)
    m = len(program.results)
    tangents = linear.params[len(forward.results) - m :]
    linear = swept(replace(linear, results=linear.results[:outs]))
    read = {v for eq in linear.equations for v in eq.operands} | set(linear.results)
    residuals = tuple([v for v in forward.results[m:] if v in read])
    return (
        swept(replace(forward, results=(*forward.results[:m], *residuals))),
        replace(linear, params=(*residuals, *tangents)),
    )
