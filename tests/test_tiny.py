"""The library in a page: each thing that it does, once."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import errors, grad, hessian, jit, jvp, no_grad, trace, value_and_grad, vjp, vmap

X = np.array([1.0, 2.0, 3.0])


def f(x):
    return np.sum(np.sin(x) * x)


SLOPE = np.cos(X) * X + np.sin(X)


def test_gradients():
    assert grad(np.sin)(0.0) == 1.0
    np.testing.assert_allclose(grad(f)(X), SLOPE, rtol=1e-14)
    value, slope = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_array_equal(slope, grad(f)(X))
    assert grad(grad(lambda x: x**3))(2.0) == 12.0


def test_gradients_of_trees_with_aux():
    def energy(p):
        return np.sum(p["a"] * p["b"]), "aux"

    grads, aux = grad(energy, has_aux=True)({"a": X, "b": 2 * X})
    np.testing.assert_array_equal(grads["a"], 2 * X)
    np.testing.assert_array_equal(grads["b"], X)
    assert aux == "aux"


def test_forward_mode_and_pull_backs():
    value, tangent = jvp(f, (X,), (np.ones(3),))
    np.testing.assert_allclose(tangent, SLOPE.sum(), rtol=1e-14)
    assert value == f(X)
    y, pull = vjp(np.sin, X)
    np.testing.assert_array_equal(y, np.sin(X))
    np.testing.assert_array_equal(pull(np.ones(3))[0], np.cos(X))
    np.testing.assert_allclose(
        hessian(lambda x: x[0] * x[1] ** 2)(X), [[0, 4, 0], [4, 2, 0], [0, 0, 0]]
    )


def test_batches():
    batch = np.stack([X, 2 * X])
    np.testing.assert_array_equal(vmap(grad(f))(batch), [grad(f)(X), grad(f)(2 * X)])


def test_native_code_in_every_order():
    want = grad(f)(X)
    for made in (jit(grad(f)), grad(jit(f)), jit(grad(jit(f)))):
        np.testing.assert_allclose(made(X), want, rtol=1e-14)
    batch = np.stack([X, X])
    np.testing.assert_allclose(jit(vmap(grad(f)))(batch), [want, want], rtol=1e-14)


def test_no_grad():
    def half(x):
        with no_grad():
            c = x**2
        return x - c

    assert grad(half)(2.0) == 1.0


def test_the_program_is_there_to_see():
    assert str(trace(f, "f64[3]")) == (
        "program f(%0: f64[3]) {\n"
        "  %1: f64[3] = sin %0\n"
        "  %2: f64[3] = mul %1, %0\n"
        "  %3: f64[] = reduce_sum[axes=(0,)] %2\n"
        "  return %3\n"
        "}"
    )
    stages = jit(f).lower(X)
    assert stages.plan.startswith("plan f")
    assert "define" in stages.llvm


def test_misuse_is_refused_with_the_way_out():
    with pytest.raises(errors.NonScalarOutputError, match=r"test_tiny\.py:\d+: grad needs a "):
        grad(np.sin)(X)
    with pytest.raises(TypeError, match=r"Use np\.where"):
        vmap(lambda x: x if x > 0 else -x)(X)
