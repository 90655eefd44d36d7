"""Jacobians of layers: what is elementwise scales matrices, and is not multiplied as one."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import hessian, jacfwd, jacrev, jit, vjp, vmap

RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(5, 4)), RNG.normal(size=(6, 5))
X = RNG.normal(size=4)


def layers(x):
    return np.tanh(B @ np.tanh(A @ x))


def rectified(x):
    return np.where(B @ np.maximum(A @ x, 0.0) > 0, 1.0, 0.5) * (B @ np.abs(A @ x)) / 3.0


def centred(x):
    y = np.exp(A @ x)
    return y / np.sum(y) - np.mean(y)


def pairs(x):
    return np.tanh(A @ x), -np.sin(x) * np.sum(x)


def by_rows(f, x):
    """Cotangents one by one: no matrix of them is ever there."""
    y, back = vjp(f, x)
    return np.array([back(e)[0] for e in np.eye(y.size)])


FUNCTIONS = [layers, rectified, centred, lambda x: x, np.sin, lambda x: A @ x]
DOTS = [(layers, 1), (rectified, 1), (np.sin, 0), (lambda x: A @ x, 0)]


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("jac", [jacrev, jacfwd])
def test_jacobian(f, jac) -> None:
    want = by_rows(f, X)
    np.testing.assert_allclose(jac(f)(X), want, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jit(jac(f))(X), want, rtol=1e-12, atol=1e-14)
    many = RNG.normal(size=(3, 4))
    wide = [by_rows(f, x) for x in many]
    np.testing.assert_allclose(jit(vmap(jac(f)))(many), wide, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("f", "count"), DOTS)
@pytest.mark.parametrize("jac", [jacrev, jacfwd])
def test_products_of_matrices(f, count: int, jac) -> None:
    """Between layers there is one product; the first and the last matrix are scaled."""
    program = jit(jac(f)).lower(X).compiled.ir
    products = [e for e in program.equations if e.op.mnemonic == "dot_general"]
    assert sum(e.result.type.rank > 1 for e in products) == count
    assert not any(e.op.mnemonic == "unit_arrays" for e in program.equations) or f is np.sin


def test_several_results_and_chunks() -> None:
    for jac in (jacrev, jacfwd):
        for got, f in zip(
            jac(pairs)(X), (lambda x: pairs(x)[0], lambda x: pairs(x)[1]), strict=True
        ):
            np.testing.assert_allclose(got, by_rows(f, X), rtol=1e-12, atol=1e-14)
        for size in (1, 2, 3, 100):
            got = jac(layers, chunk_size=size)(X)
            np.testing.assert_allclose(got, by_rows(layers, X), rtol=1e-12)


def test_hessian_of_layers() -> None:
    def loss(x):
        return np.sum(layers(x) ** 2)

    steps = np.eye(4) * 1e-5
    slope = jacrev(loss)
    want = [(slope(X + e) - slope(X - e)) / 2e-5 for e in steps]
    np.testing.assert_allclose(jit(hessian(loss))(X), want, rtol=1e-7, atol=1e-8)


def test_zeros_off_the_diagonal_meet_no_infinities() -> None:
    weights = np.array([[1.0, np.inf], [2.0, 3.0]])
    x = np.array([1.0, 0.5])

    def scaled(x, w):
        return w @ (2.0 * x)

    np.testing.assert_array_equal(jacrev(scaled)(x, weights), 2 * weights)
    np.testing.assert_array_equal(jacfwd(scaled)(x, weights), 2 * weights)


def test_zeros_of_the_user_do() -> None:
    """A product that the user writes is NumPy's, with an identity too."""
    x = np.array([[1.0, np.inf], [2.0, 3.0]])
    one = np.arange(2)

    def product(x):
        return np.where(one[:, None] == one, 1.0, 0.0) @ x

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(jit(product)(x), product(x))
