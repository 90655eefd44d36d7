"""Reverse mode: grad and its variants, vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from ir import ops
from ir.passes.transpose import transpose
from ir.passes.vjp import backward_only
from ir.program import Program
from tracer import tree
from tracer.argnums import Argnums, every
from tracer.array import Tracer
from tracer.calls import Output, distinct
from tracer.compressed import settled
from tracer.errors import CotangentError, NonScalarOutputError, message
from tracer.point import Point, fitted, point_and_map
from tracer.run import bound, swept
from tracer.trace import Operand

Function = Callable[..., Any]


def check_scalar(made: Any, transform: str) -> None:
    """Only one number has a gradient."""
    made = settled(made)
    array = isinstance(made, Tracer | np.ndarray | np.generic | float | int)
    if not array or np.shape(made) != ():
        shown = f"shape {np.shape(made)}" if array else type(made).__name__
        raise NonScalarOutputError(
            message(
                f"{transform} needs a function that returns a scalar array, and this one returned"
                f" {shown}.",
                "Reduce the output with np.sum or np.mean, or use vjp or jacrev.",
            )
        )


def gradient(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program]:
    """``x -> (y, aux..., x_bar...)`` for a program whose first result is one number."""
    forward, linear = point_and_map(program, wrt, outs)
    back = transpose(linear, len(forward.results) - len(program.results))
    seed = program.results[0].type
    back = bound(back, {back.params[-1]: ops.Constant(1.0, seed.dtype)})
    joined = (*forward.equations, *backward_only(forward, back))
    results = (*program.results, *back.results)
    return (swept(Program(program.params, joined, results, f"grad_{program.name}")),)


def gradients(
    func: Function, argnums: Argnums, has_aux: bool, transform: str, args: Any, kwargs: Any
) -> tuple[Any, Any, Any]:
    """The gradient, the value and the aux of one call."""
    at = Point(func, args, kwargs, argnums, has_aux, transform, gradient, check_scalar)
    return at.packed(at.rest), at.output(), at.aux()


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The gradient of a function that returns one number.

    The function returned takes func's arguments and returns the gradient with respect to
    ``args[argnums]``, with its structure, shapes and dtypes; a tuple of them for a tuple
    ``argnums``. With ``has_aux``, func returns ``(output, aux)`` and the result is
    ``(gradient, aux)``.

    Raises NonScalarOutputError (a RuntimeError and TypeError) unless func returns a float array of
    shape (), DifferentiableTypeError for integers, ArgnumsError for bad ``argnums``.

    >>> import numpy as np
    >>> from tracer import grad
    >>> grad(np.sin)(0.0)
    np.float64(1.0)
    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    @wraps(func)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        grads, _, aux = gradients(func, argnums, has_aux, "grad", args, kwargs)
        return (grads, aux) if has_aux else grads

    return gradient_of


def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As ``grad``, returning ``(gradient, value)``; with aux ``(gradient, (value, aux))``.

    >>> from tracer import grad_and_value
    >>> grad_and_value(lambda x: x**2)(3.0)
    (np.float64(6.0), np.float64(9.0))
    """

    @wraps(func)
    def gradient_and_value_of(*args: Any, **kwargs: Any) -> Any:
        grads, value, aux = gradients(func, argnums, has_aux, "grad_and_value", args, kwargs)
        return grads, (value, aux) if has_aux else value

    return gradient_and_value_of


def value_and_grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As ``grad``, returning ``(value, gradient)``; with aux ``((value, aux), gradient)``.

    >>> from tracer import value_and_grad
    >>> value_and_grad(lambda x: x**2)(3.0)
    (np.float64(9.0), np.float64(6.0))
    """

    @wraps(func)
    def value_and_gradient_of(*args: Any, **kwargs: Any) -> Any:
        grads, value, aux = gradients(func, argnums, has_aux, "value_and_grad", args, kwargs)
        return (value, aux) if has_aux else value, grads

    return value_and_gradient_of


def forward_and_backward(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, ...]:
    """``x -> (y, aux, residuals)`` and ``(residuals, ct) -> x_bar``."""
    forward, linear = point_and_map(program, wrt, outs)
    return forward, swept(transpose(linear, len(forward.results) - len(program.results)))


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The output at the primals, and the function that pulls cotangents back.

    ``(output, vjp_fn)``, with aux ``(output, vjp_fn, aux)``. ``vjp_fn(cotangents)`` takes what has
    the structure, shapes and dtypes of the output, and returns a tuple with one entry for each
    primal; it can be called many times, and func is run once.

    Raises CotangentError (a RuntimeError and ValueError) where the cotangents do not fit.

    >>> import numpy as np
    >>> from tracer import vjp
    >>> y, pull = vjp(np.sin, np.array([0.0, np.pi]))
    >>> pull(np.array([1.0, 1.0]))
    (array([ 1., -1.]),)
    """
    at = Point(func, primals, {}, every(primals, "vjp"), has_aux, "vjp", forward_and_backward)
    residuals = at.residuals()

    def vjp_fn(cotangents: Any) -> Any:
        given = [*residuals, *fitting(cotangents, at.traced.output, at.traced.name)]
        return at.packed(distinct(at.derived.run(1, given), given))

    return (at.output(), vjp_fn, at.aux()) if has_aux else (at.output(), vjp_fn)


def fitting(cotangents: Any, output: Output, name: str) -> list[Operand]:
    """The cotangents of the outputs; a CotangentError shows what differs."""
    leaves = tree.matched(cotangents, output.treedef)
    if leaves is None:
        given = tree.shown(tree.structure(cotangents))
        raise CotangentError(
            message(
                f"vjp_fn got cotangents of structure {given}, and {name} returned"
                f" {tree.shown(output.treedef)}.",
                "Pass one cotangent for each output, in the same containers.",
            )
        )

    def refusal(x: Tracer, given: str) -> CotangentError:
        return CotangentError(
            message(
                f"vjp_fn got a cotangent of type {given}, and {name} returned {x.value.type}.",
                "A cotangent has the shape and dtype of its output.",
            )
        )

    return [
        fitted(leaf, x.value.type, partial(refusal, x))
        for leaf, x in zip(leaves, output.tracers, strict=True)
    ]
