"""What is timed of a function, said once for every library's transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]
Transform = Callable[..., Function]


@dataclass(frozen=True)
class Transforms:
    """What a library offers, called as in torch.func.

    ``pointwise(f, argnums)`` gives the derivatives of a function of numbers at each element of
    arrays.
    """

    grad: Transform
    value_and_grad: Transform
    pointwise: Transform
    vmap: Transform
    jvp: Callable[..., Any]
    jacrev: Transform
    jacfwd: Transform
    hessian: Transform


Derive = Callable[[Transforms, Function], Function]


def itself(of: Transforms, f: Function) -> Function:
    return f


def gradient(of: Transforms, f: Function) -> Function:
    return of.grad(f)


def value_and_gradient(of: Transforms, f: Function) -> Function:
    return of.value_and_grad(f)


def slope(of: Transforms, f: Function) -> Function:
    return of.pointwise(f)


def four_slopes(of: Transforms, f: Function) -> Function:
    return of.pointwise(f, (0, 1, 2, 3))


def hessian_times_vector(of: Transforms, f: Function) -> Function:
    """Forward over reverse."""
    return lambda x, v: of.jvp(of.grad(f), (x,), (v,))[1]


def per_example(of: Transforms, f: Function) -> Function:
    """Gradients for the same parameters at each of the examples."""
    return of.vmap(of.grad(f), (None, 0, 0))


def per_model(of: Transforms, f: Function) -> Function:
    """Gradients of many models, each on examples of its own."""
    return of.vmap(of.grad(f), (0, 0, 0))


def jacobian_by_rows(of: Transforms, f: Function) -> Function:
    return of.jacrev(f)


def jacobian_by_columns(of: Transforms, f: Function) -> Function:
    return of.jacfwd(f)


def hessian(of: Transforms, f: Function) -> Function:
    return of.hessian(f)
