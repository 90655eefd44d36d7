"""Forward mode: jvp and linearize."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ir.graph import downstream
from ir.passes.inline import inline_plain
from ir.program import Program
from ir.types import ArrayType
from tracer import tree
from tracer.argnums import every
from tracer.calls import border, distinct, operand, type_of
from tracer.errors import TangentError, message
from tracer.point import Point, fitted, point_and_map
from tracer.trace import Operand


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
    return pushed(func, primals, tangents, strict, has_aux, "jvp")


def pushed(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    strict: bool,
    has_aux: bool,
    transform: str,
) -> Any:
    """What jvp returns; errors name the transform."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise TangentError(
            message(
                f"{transform} expected tuples of primals and tangents, got"
                f" {type(primals).__name__} and {type(tangents).__name__}.",
                f"Write {transform}(f, (x,), (dx,)).",
            )
        )
    at = Point(func, primals, {}, every(primals, transform), has_aux, transform, forward_map)
    given = fitting(primals, tangents, transform)
    if strict:
        check_dependence(at)
    moved = along(at, at.rest, given)
    return (at.output(), moved, at.aux()) if has_aux else (at.output(), moved)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The output at the primals, and the linear map from tangents to the output's tangent.

    func is run once; the map takes one tangent for each primal, and can be called many times.

    >>> from tracer import linearize
    >>> y, push = linearize(lambda x: x**2, 3.0)
    >>> push(1.0), push(10.0)
    (np.float64(6.0), np.float64(60.0))
    """
    chosen = every(primals, "linearize")
    at = Point(func, primals, {}, chosen, False, "linearize", forward_map)
    residuals = at.residuals()

    def jvp_fn(*tangents: Any) -> Any:
        return along(at, residuals, fitting(primals, tangents, "linearize"))

    return at.output(), jvp_fn


def forward_map(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, Program]:
    """``point_and_map``, the second program to be run: rules for reverse mode alone refuse."""
    forward, linear = point_and_map(program, wrt, outs)
    return forward, inline_plain(linear)


def along(at: Point, residuals: Sequence[Operand], tangents: Sequence[Operand]) -> Any:
    """The output's tangent."""
    given = [*residuals, *tangents]
    moved = distinct(at.derived.run(1, given), given)
    output = at.traced.output
    made = [border(t, False, x.scalar) for t, x in zip(moved, output.tracers, strict=True)]
    return tree.unflatten(output.treedef, made)


def check_dependence(at: Point) -> None:
    """Every output must depend on the primals."""
    linear = at.derived.programs[1]
    moved = downstream(linear, linear.params[len(at.rest) :])
    if not moved.issuperset(linear.results):
        raise TangentError(
            message(
                f"jvp with strict=True: an output of {at.traced.name} does not depend on"
                " the primals.",
                "Leave strict out to get a zero tangent.",
            )
        )


def fitting(primals: Any, tangents: Any, transform: str) -> list[Operand]:
    """The tangents of the primals; a TangentError shows what differs."""
    xs, structure = tree.flatten(tuple(primals))
    ts = tree.matched(tuple(tangents), structure)
    if ts is None:
        given = tree.shown(tree.structure(tuple(tangents)))
        raise TangentError(
            message(
                f"{transform}: primals have structure {tree.shown(structure)}, tangents {given}.",
                "Pass one tangent for each primal, in the same containers.",
            )
        )

    def refusal(type: ArrayType, given: str) -> TangentError:
        return TangentError(
            message(
                f"{transform}: a primal has type {type}, its tangent {given}.",
                "A tangent has the shape and dtype of its primal.",
            )
        )

    types = [type_of(operand(x)) for x in xs]
    return [fitted(t, type, partial(refusal, type)) for t, type in zip(ts, types, strict=True)]
