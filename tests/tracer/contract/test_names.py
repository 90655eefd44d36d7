"""The table of names: for each function its signature, what it returns, and when it refuses."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest

import tracer
from tracer import (
    errors,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    value_and_grad,
    vjp,
    vmap,
)

X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])
M = np.arange(6.0).reshape(2, 3)

SIGNATURES = {
    "grad": "(func, argnums=0, has_aux=False)",
    "grad_and_value": "(func, argnums=0, has_aux=False)",
    "value_and_grad": "(func, argnums=0, has_aux=False)",
    "vjp": "(func, *primals, has_aux=False)",
    "jvp": "(func, primals, tangents, *, strict=False, has_aux=False)",
    "linearize": "(func, *primals)",
    "jacrev": "(func, argnums=0, *, has_aux=False, chunk_size=None)",
    "jacfwd": "(func, argnums=0, has_aux=False, *, randomness='error', chunk_size=None)",
    "jacobian": "(func, argnums=0, *, has_aux=False, mode='auto', chunk_size=None)",
    "hessian": "(func, argnums=0, *, has_aux=False, chunk_size=None)",
    "vmap": (
        "(func, in_dims=0, out_dims=0, randomness='error', *, chunk_size=None, axis_size=None)"
    ),
    # without func it is a decorator that takes its options
    "jit": ("(func=None, *, static_argnums=(), static_argnames=(), fastmath=False, debug=None)"),
    "hvp": "(func, primals, tangents)",
}


def power(x, y=2.0):
    """The sum of powers."""
    return np.sum(x**y)


def cubes(x):
    return np.sum(x**3)


def pair(x):
    return np.sum(x**3), {"twice": x * 2}


def same(found, expected):
    """The same types, dtypes and elements, in the same containers."""
    assert type(found) is type(expected)
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    else:
        assert found == expected


def of_grad():
    same(grad(cubes)(X), 3 * X**2)
    same(grad(lambda p: cubes(p["a"]))({"a": X, "b": 1.0}), {"a": 3 * X**2, "b": np.float64(0)})
    same(grad(pair, has_aux=True)(X), (3 * X**2, {"twice": 2 * X}))
    same(grad(lambda x, y: x * y**2, (1, 0))(2.0, 3.0), (np.float64(12.0), np.float64(9.0)))


def of_grad_and_value():
    same(grad_and_value(cubes)(X), (3 * X**2, np.float64(36.0)))
    same(grad_and_value(pair, has_aux=True)(X), (3 * X**2, (np.float64(36.0), {"twice": 2 * X})))


def of_value_and_grad():
    same(value_and_grad(cubes)(X), (np.float64(36.0), 3 * X**2))
    same(value_and_grad(pair, has_aux=True)(X), ((np.float64(36.0), {"twice": 2 * X}), 3 * X**2))


def of_vjp():
    out, pull = vjp(lambda x, y: x * y, X, Y)
    same(out, X * Y)
    for scale in (1.0, 2.0):
        same(pull(np.full(3, scale)), (scale * Y, scale * X))
    out, pull, aux = vjp(pair, X, has_aux=True)
    same((out, pull(1.0), aux), (np.float64(36.0), (3 * X**2,), {"twice": 2 * X}))


def of_jvp():
    same(jvp(lambda x, y: x * y, (X, Y), (Y, X)), (X * Y, Y * Y + X * X))
    same(jvp(pair, (X,), (Y,), has_aux=True), (
        np.float64(36.0), np.sum(3 * X**2 * Y), {"twice": 2 * X}
    ))  # fmt: skip


def of_linearize():
    calls = []
    out, push = linearize(lambda x, y: calls.append(1) or x * y, X, Y)
    same(out, X * Y)
    same(push(Y, X), Y * Y + X * X)
    same(push(X, Y), 2 * X * Y)
    assert len(calls) == 1
    same(grad(lambda x: linearize(lambda y: y**3, x)[1](1.0))(2.0), np.float64(12.0))


def of_matrix(matrix):
    same(matrix(lambda x: x**2)(X), np.diag(2 * X))
    same(matrix(np.sin)(0.0), np.float64(1.0))
    assert matrix(lambda m: m.T @ m)(M).shape == (3, 3, 2, 3)
    same(matrix(lambda x, y: x * y, (1, 0))(X, Y), (np.diag(X), np.diag(Y)))
    found = matrix(lambda p: {"s": np.sum(p["x"]), "v": p["x"] * p["y"]})({"x": X, "y": 2.0})
    same(found, {"s": {"x": np.ones(3), "y": np.float64(0)}, "v": {"x": 2 * np.eye(3), "y": X}})
    same(matrix(pair, has_aux=True)(X), (3 * X**2, {"twice": 2 * X}))
    for chunk_size in (1, 2, 3, 100):
        same(matrix(lambda m: m.T @ m, chunk_size=chunk_size)(M), matrix(lambda m: m.T @ m)(M))


def of_jacobian():
    of_matrix(jacobian)
    for mode in ("forward", "reverse", "auto"):
        same(jacobian(lambda x: x**2, mode=mode)(X), np.diag(2 * X))


def of_hessian():
    same(hessian(cubes)(X), np.diag(6 * X))
    assert hessian(lambda m: np.stack([np.sum(m**3)] * 2))(M).shape == (2, 2, 3, 2, 3)
    found = hessian(lambda x, y: np.sum(x * y**2), (0, 1))(X, Y)
    same(found, ((np.zeros((3, 3)), np.diag(2 * Y)), (np.diag(2 * Y), np.diag(2 * X))))
    same(hessian(pair, has_aux=True)(X), (np.diag(6 * X), {"twice": 2 * X}))
    same(hessian(cubes, chunk_size=2)(X), np.diag(6 * X))


def of_vmap():
    same(vmap(np.sum)(M), np.array([3.0, 12.0]))
    found = vmap(lambda x: {"b": x, "a": (np.sum(x), [x > 2])})(M)
    same(found, {"b": M, "a": (np.sum(M, 1), [M > 2])})
    same(vmap(lambda x: x, 1, 1)(M), M)


def of_jit():
    same(jit(cubes)(X), cubes(X))
    same(jit(pair)(X), pair(X))
    same(jit(lambda x, n: x * n, static_argnums=1)(X, 3), X * 3)
    same(jit(static_argnames="n")(lambda x, n: x * n)(X, n=3), X * 3)


def of_hvp():
    same(hvp(cubes, (X,), (Y,)), (3 * X**2, 6 * X * Y))


RETURNS = {
    "grad": of_grad,
    "grad_and_value": of_grad_and_value,
    "value_and_grad": of_value_and_grad,
    "vjp": of_vjp,
    "jvp": of_jvp,
    "linearize": of_linearize,
    "jacrev": partial(of_matrix, jacrev),
    "jacfwd": partial(of_matrix, jacfwd),
    "jacobian": of_jacobian,
    "hessian": of_hessian,
    "vmap": of_vmap,
    "jit": of_jit,
    "hvp": of_hvp,
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name, figures):
    found = inspect.signature(getattr(tracer, name))
    bare = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    plain = found.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    assert str(plain) == SIGNATURES[name]
    figures.cover("contract: rows of the table of names", {name})


@pytest.mark.parametrize("name", RETURNS)
def test_returns(name):
    RETURNS[name]()
    assert RETURNS.keys() == SIGNATURES.keys()


NAMES = (
    "grad grad_and_value value_and_grad vjp jvp linearize jacrev jacfwd jacobian hessian hvp vmap"
    " jit no_grad stop_gradient custom_jvp custom_vjp checkpoint functional_call tree_stack trace"
    " numpy errors"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_name(name, figures):
    assert name in tracer.__all__
    assert getattr(tracer, name) is not None
    figures.cover("contract: public names", {name})


DECORATING = (
    grad, grad_and_value, value_and_grad, jacrev, jacfwd, jacobian, hessian, vmap, jit,
)  # fmt: skip


@pytest.mark.parametrize("transform", DECORATING, ids=lambda f: f.__name__)
def test_returned_callables_wrap_the_function(transform):
    made = transform(power)
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        assert getattr(made, name) == getattr(power, name)
    assert made.__wrapped__ is power
    assert inspect.signature(made) == inspect.signature(power)
    bare = partial(power, y=3.0)
    assert transform(bare).__wrapped__ is bare


@pytest.mark.parametrize("transform", DECORATING[:-2], ids=lambda f: f.__name__)
def test_argnums_are_checked_when_called(transform):
    made = transform(power, 7)
    with pytest.raises(errors.ArgnumsError):
        made(X)


def test_dims_are_checked_when_called():
    made = vmap(power, "a", "b")
    with pytest.raises(errors.VmapError):
        made(X)


@pytest.mark.parametrize(
    "transform", [jacrev, jacfwd, jacobian, hessian, vmap], ids=lambda f: f.__name__
)
def test_chunk_size_is_checked_when_decorating(transform):
    with pytest.raises(ValueError, match="chunk_size=0 should be a positive int"):
        transform(power, chunk_size=0)


@pytest.mark.parametrize("transform", [jacfwd, vmap], ids=lambda f: f.__name__)
def test_randomness_is_checked_when_decorating(transform):
    with pytest.raises(RuntimeError, match="randomness='none' is unknown"):
        transform(power, randomness="none")


def test_auto_picks_the_mode_with_fewer_sweeps():
    """A jacobian costs a sweep for each input in forward mode, for each output in reverse."""
    wide, tall = np.ones((2, 50)), np.ones((50, 2))
    f = lambda x, m: m @ np.cumsum(x)

    def equations(matrix, m):
        x = np.ones(m.shape[1])
        return str(tracer.trace(lambda x: matrix(f)(x, m), x))

    for m, cheaper in ((wide, jacrev), (tall, jacfwd)):
        assert equations(jacobian, m) == equations(cheaper, m).replace("jacrev", "jacobian")
        other = jacfwd if cheaper is jacrev else jacrev
        assert equations(jacobian, m) != equations(other, m)


@pytest.mark.parametrize("matrix", [jacrev, jacfwd, jacobian], ids=lambda f: f.__name__)
def test_chunk_size_bounds_what_is_in_memory(matrix):
    """The largest value of the program has one row of the matrix for each of the chunk's."""

    def largest(chunk_size):
        f = matrix(lambda x: np.sum(np.sin(np.outer(x, X)), 1), chunk_size=chunk_size)
        program = tracer.trace(f, np.ones(40))
        inner = {v for eq in program.equations for v in eq.results} - {*program.results}
        return max(v.type.size for v in inner)

    whole = largest(None)
    assert whole >= 40 * 40 * 3
    assert largest(4) <= 40 * 40
    assert largest(40) == whole
