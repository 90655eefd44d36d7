"""Forward mode: jvp and linearize."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ir.passes.linearize import linearize as split_program
from ir.program import Program
from tracer import tree
from tracer.argnums import Wrt
from tracer.calls import Traced, border, distinct, operand, traceable, type_of
from tracer.errors import TangentError, message
from tracer.reverse import kept, split_at
from tracer.run import Derived, swept
from tracer.trace import Operand


def point_and_map(program: Program, wrt: Sequence[bool]) -> tuple[Program, ...]:
    """``x -> (y, residuals)`` and ``(residuals, dx) -> dy``."""
    forward, linear = split_program(program, wrt)
    return swept(forward), swept(linear)


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The output at the primals, and its derivative along the tangents.

    ``(output, output_tangent)``, with aux ``(output, output_tangent, aux)``. Tangents have the
    structure, shapes and dtypes of the primals. With ``strict``, an output that does not depend on
    the primals is an error rather than a zero tangent.

    Raises TangentError (a RuntimeError and TypeError) where the tangents do not fit.

    >>> from tracer import jvp
    >>> jvp(lambda x: x**2, (3.0,), (1.0,))
    (np.float64(9.0), np.float64(6.0))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise TangentError(
            message(
                f"jvp expected tuples of primals and tangents, got {type(primals).__name__} and"
                f" {type(tangents).__name__}.",
                "Write jvp(f, (x,), (dx,)).",
            )
        )
    given = fitting(primals, tangents, "jvp")
    point = At(func, primals, has_aux, "jvp", point_and_map)
    if strict:
        point.check_dependence()
    moved = point.along(given)
    if point.traced.aux is None:
        return point.output(), moved
    return point.output(), moved, point.aux()


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The output at the primals, and the linear map from tangents to the output's tangent.

    func is run once; the map takes one tangent for each primal, and can be called many times.

    >>> from tracer import linearize
    >>> y, push = linearize(lambda x: x**2, 3.0)
    >>> push(1.0), push(10.0)
    (np.float64(6.0), np.float64(60.0))
    """
    point = At(func, primals, False, "linearize", point_and_map)

    def jvp_fn(*tangents: Any) -> Any:
        return point.along(fitting(primals, tangents, "linearize"))

    return point.output(), jvp_fn


class At:
    """A function traced and evaluated at a point, with its linear map there."""

    traced: Traced
    wrt: Wrt
    derived: Derived

    def __init__(
        self, func: Any, primals: Sequence[Any], has_aux: bool, transform: str, make: Any
    ) -> None:
        self.traced, self.wrt, results, self.derived = split_at(
            func, primals, has_aux, transform, make
        )
        n, m = len(self.traced.program.results), len(self.traced.output.tracers)
        self.primal, self.extra = results[:m], results[m:n]
        self.residuals = kept(distinct(results[n:], self.traced.operands))

    def output(self) -> Any:
        return self.traced.output.wrapped(distinct(self.primal, self.traced.operands))

    def aux(self) -> Any:
        assert self.traced.aux is not None, "asked for with has_aux only"
        return self.traced.aux.filled(self.extra)

    def along(self, tangents: list[Operand]) -> Any:
        """The output's tangent."""
        by_program = [tangents[n] for n in inverse(self.wrt.order)]
        moved = self.derived.run(1, [*self.residuals, *by_program])
        tracers = self.traced.output.tracers
        moved = distinct(moved[: len(tracers)], [*self.residuals, *tangents])
        made = [border(t, False, x.scalar) for t, x in zip(moved, tracers, strict=True)]
        return tree.unflatten(self.traced.output.treedef, made)

    def check_dependence(self) -> None:
        linear = self.derived.programs[1]
        read = {v for eq in linear.equations for v in eq.results} | set(linear.params)
        constants = {v for eq in linear.equations if not eq.operands for v in eq.results} & set(
            linear.results
        )
        if constants or not read.issuperset(linear.results):
            raise TangentError(
                message(
                    f"jvp with strict=True: an output of {self.traced.name} does not depend on"
                    " the primals.",
                    "Leave strict out to get a zero tangent.",
                )
            )


def inverse(order: Sequence[int]) -> list[int]:
    return [order.index(n) for n in range(len(order))]


def fitting(primals: Any, tangents: Any, transform: str) -> list[Operand]:
    """The tangents as operands; a TangentError shows what differs."""
    xs, structure = tree.flatten(tuple(primals))
    ts, given = tree.flatten(tuple(tangents))
    if structure != given:
        raise TangentError(
            message(
                f"{transform}: primals have structure {structure}, tangents {given}.",
                "Pass one tangent for each primal, in the same containers.",
            )
        )
    made: list[Operand] = []
    for x, t in zip(xs, ts, strict=True):
        if isinstance(x, float) and isinstance(t, float | int) and not isinstance(t, bool):
            made.append(operand(float(t)))
            continue
        found = type_of(operand(t)) if traceable(t) else type(t).__name__
        if traceable(x) and found != type_of(operand(x)):
            raise TangentError(
                message(
                    f"{transform}: a primal has type {type_of(operand(x))}, its tangent {found}.",
                    "A tangent has the shape and dtype of its primal.",
                )
            )
        made.append(operand(t) if traceable(t) else t)
    return made
