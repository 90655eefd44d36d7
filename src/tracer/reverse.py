"""Reverse mode: grad and its variants, vjp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ir import ops
from ir.passes.linearize import linearize
from ir.passes.transpose import transpose
from ir.passes.vjp import backward_only
from ir.program import Program
from tracer import tree
from tracer.argnums import Argnums, Wrt
from tracer.array import Tracer
from tracer.calls import (
    Call,
    Output,
    Traced,
    bits,
    border,
    distinct,
    operand,
    trace_call,
    traceable,
    type_of,
)
from tracer.errors import (
    AuxError,
    CotangentError,
    DifferentiableTypeError,
    NonScalarOutputError,
    OutputError,
    message,
)
from tracer.run import bound, derive, swept
from tracer.trace import Operand

Function = Callable[..., Any]


def pair(transform: str) -> Callable[[Any], tuple[Any, Any]]:
    """Splits what a function with has_aux=True returns."""

    def split(made: Any) -> tuple[Any, Any]:
        if not (isinstance(made, tuple) and len(made) == 2):
            raise AuxError(
                message(
                    f"{transform}: with has_aux=True the output of the function should be a"
                    f" tuple (output, aux), got {type(made).__name__}.",
                    "Return (output, aux), or leave has_aux out.",
                )
            )
        return made

    return split


def float_outputs(output: Output, transform: str) -> None:
    for x in output.tracers:
        if x.dtype.kind != "f":
            raise DifferentiableTypeError(
                message(
                    f"{transform}: the function returned {x.dtype}, which has no derivative.",
                    "Convert with astype(float), or return it as aux.",
                )
            )


def check_scalar(made: Any, transform: str) -> None:
    """Only one number has a gradient."""
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


def gradient(program: Program, wrt: Sequence[bool]) -> tuple[Program, ...]:
    """``x -> (y, aux..., x_bar...)`` for a program whose first result is one number."""
    forward, linear = linearize(program, wrt)
    n, m = len(forward.results), len(program.results)
    one = Program(linear.params, linear.equations, linear.results[:1], linear.name)
    seed = program.results[0].type
    back = transpose(one, n - m)
    back = bound(back, {back.params[-1]: ops.Constant(1.0, seed.dtype)})
    joined = (*forward.equations, *backward_only(forward, back))
    results = (*program.results, *back.results)
    return (swept(Program(program.params, joined, results, f"grad_{program.name}")),)


def gradients(
    func: Function, argnums: Argnums, has_aux: bool, transform: str, args: Any, kwargs: Any
) -> tuple[Any, Any, Any]:
    """The gradient, the value and the aux of one call."""
    call = Call(args, kwargs)
    wrt = Wrt(call, argnums, transform)

    def split(made: Any) -> tuple[Any, Any]:
        made, aux = pair(transform)(made) if has_aux else (made, None)
        check_scalar(made, transform)
        return made, aux

    traced = trace_call(func, call, transform, wrt.flags, has_aux, split)
    float_outputs(traced.output, transform)
    hidden = [False] * (len(traced.operands) - len(wrt.flags))
    flags = (*wrt.flags, *hidden)
    derived = derive(traced.program, ("grad", flags), lambda: gradient(traced.program, flags))
    results = distinct(derived.run(0, traced.operands), traced.operands)
    value = traced.output.wrapped(results[:1])
    count = sum(wrt.flags)
    aux = traced.aux.filled(results[1 : len(results) - count]) if traced.aux else None
    bars = wrt.ordered(results[len(results) - count :])
    return wrt.pack(like_leaves(bars, wrt.leaves)), value, aux


def like_leaves(found: Sequence[Operand], leaves: Sequence[Any]) -> list[Any]:
    """Derivatives with the look of the leaves that they belong to: scalars of scalars."""
    return [border(x, False, bits(leaf)[1]) for x, leaf in zip(found, leaves, strict=True)]


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


def forward_and_backward(program: Program, wrt: Sequence[bool]) -> tuple[Program, ...]:
    """``x -> (y, residuals)`` and ``(residuals, ct) -> x_bar``."""
    m = len(program.results)
    forward, linear = linearize(program, wrt)
    return swept(forward), swept(transpose(linear, len(forward.results) - m))


def kept(residuals: Sequence[Operand]) -> list[Operand]:
    """Residuals outlive the call: none may be the caller's array, or a view of it."""
    return [x.copy() if isinstance(x, np.ndarray) and x.base is not None else x for x in residuals]


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
    traced, wrt, results, derived = split_at(func, primals, has_aux, "vjp", forward_and_backward)
    m = len(traced.output.tracers)
    residuals = kept(distinct(results[len(traced.program.results) :], traced.operands))

    def vjp_fn(cotangents: Any) -> Any:
        cts = fitting(cotangents, traced.output, traced.name)
        rest = zero_cotangents(traced)
        bars = derived.run(1, [*residuals, *cts, *rest])
        bars = distinct(bars, [*residuals, *cts])
        return wrt.pack(like_leaves(wrt.ordered(bars), wrt.leaves))

    out = traced.output.wrapped(distinct(results[:m], traced.operands))
    if traced.aux is None:
        return out, vjp_fn
    return out, vjp_fn, traced.aux.filled(results[m : len(traced.program.results)])


def split_at(
    func: Function, primals: Sequence[Any], has_aux: bool, transform: str, make: Any
) -> tuple[Traced, Wrt, list[Operand], Any]:
    """Trace at the primals, derive two programs and run the first."""
    call = Call(primals, {})
    wrt = Wrt(call, tuple(range(len(primals))), transform)
    traced = trace_call(
        func, call, transform, wrt.flags, has_aux, pair(transform) if has_aux else None
    )
    if not traced.output.tracers:
        raise OutputError(
            message(
                f"{transform} expected {traced.name} to return at least one array.",
                "Return an array.",
            )
        )
    float_outputs(traced.output, transform)
    flags = (*wrt.flags, *[False] * (len(traced.operands) - len(wrt.flags)))
    derived = derive(traced.program, (make, flags), lambda: make(traced.program, flags))
    return traced, wrt, derived.run(0, traced.operands), derived


def zero_cotangents(traced: Traced) -> list[Operand]:
    """What aux results pull back: nothing."""
    aux = traced.aux.values if traced.aux else []
    return [np.zeros(v.type.shape, v.type.numpy) for v in aux if v.type.info.differentiable]


def fitting(cotangents: Any, output: Output, name: str) -> list[Operand]:
    """The cotangents as operands; a CotangentError shows what differs."""
    leaves, treedef = tree.flatten(cotangents)
    if treedef != output.treedef:
        raise CotangentError(
            message(
                f"vjp_fn got cotangents of structure {treedef}, and {name} returned"
                f" {output.treedef}.",
                "Pass one cotangent for each output, in the same containers.",
            )
        )
    made: list[Operand] = []
    for leaf, x in zip(leaves, output.tracers, strict=True):
        got = type_of(operand(leaf)) if traceable(leaf) else None
        weak = isinstance(leaf, float | int) and not isinstance(leaf, bool)
        if weak and not x.shape:
            made.append(np.asarray(leaf, x.dtype))
        elif got != x.value.type:
            raise CotangentError(
                message(
                    f"vjp_fn got a cotangent of type {got or type(leaf).__name__}, and {name}"
                    f" returned {x.value.type}.",
                    "A cotangent has the shape and dtype of its output.",
                )
            )
        else:
            made.append(operand(leaf))
    return made
