"""Transforms in one another, two deep, compared with loops and central differences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import tracer

V, S = np.array([0.3, -1.1, 0.7]), np.array([1.0, -0.5])


def slopes(f, x):
    """The Jacobian, to the fourth order in the step."""
    step, weights = 1e-3, {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
    columns = [
        sum(w * f(x + k * step * unit) for k, w in weights.items()) / step for unit in np.eye(3)
    ]
    return np.stack(columns, -1)


def looped(f, in_dims=0, out_dims=0):
    return lambda x: np.stack([f(row) for row in np.moveaxis(x, in_dims, 0)], out_dims)


def differenced(name):
    """A transform's meaning, without tracing."""
    jvp = lambda f, xs, ts: (f(*xs), slopes(f, *xs) @ ts[0])
    vjp = lambda f, x: (f(x), lambda ct: (np.tensordot(ct, slopes(f, x), ct.ndim),))
    return {
        "grad": lambda f: lambda x: slopes(f, x),
        "jacrev": lambda f: lambda x: slopes(f, x),
        "jacfwd": lambda f: lambda x: slopes(f, x),
        "jvp": jvp,
        "vjp": vjp,
        "linearize": lambda f, x: (f(x), lambda t: jvp(f, (x,), (t,))[1]),
        "vmap": looped,
        "jit": lambda f: f,
    }[name]


NAMES = ("grad", "jacrev", "jacfwd", "jvp", "vjp", "linearize", "vmap", "jit")
TRACED = SimpleNamespace(**{name: getattr(tracer, name) for name in NAMES})
NUMERIC = SimpleNamespace(**{name: differenced(name) for name in NAMES})

FUNCTIONS = {
    "smooth": lambda x: np.sin(x) * np.sum(x * x),
    "indexed": lambda x: np.stack([x[0] * x[1], np.exp(x[2]), x[0] + x[-1] ** 3]),
    "kinked": lambda x: np.maximum(x, x[::-1]) * np.abs(x),
    "constant": lambda x: np.ones(3),
}


def pulled(t, f, x):
    out, pull = t.vjp(f, x)
    return pull(np.cos(out))[0] + pull(2.0 * out)[0]


def pushed(t, f, x):
    _, push = t.linearize(f, x)
    return push(np.sin(x)) + push(V)


WRAPPED = {
    "grad": lambda t, f: t.grad(lambda x: np.sum(np.sin(f(x)))),
    "grad of a closure": lambda t, f: lambda x: t.grad(lambda y: np.sum(f(x * y)) * np.sum(y))(x),
    "jacrev": lambda t, f: lambda x: t.jacrev(f)(x),
    "jacfwd": lambda t, f: lambda x: t.jacfwd(f)(x),
    "jvp": lambda t, f: lambda x: t.jvp(f, (x,), (np.sin(x),))[1],
    "vjp": lambda t, f: lambda x: pulled(t, f, x),
    "linearize": lambda t, f: lambda x: pushed(t, f, x),
    "vmap": lambda t, f: lambda x: t.vmap(f, 1, -1)(np.outer(x, S)),
    "vmap of a closure": lambda t, f: lambda x: t.vmap(lambda s: f(x * s))(x),
    "vmaps": lambda t, f: lambda x: t.vmap(lambda s: t.vmap(lambda r: f(x * s + r))(x))(V),
    "jit": lambda t, f: t.jit(f),
    "jit of a closure": lambda t, f: lambda x: t.jit(lambda y: f(y * x))(x),
}


@pytest.mark.parametrize("outer", WRAPPED)
@pytest.mark.parametrize("inner", WRAPPED)
def test_two_deep(inner, outer):
    x = np.array([0.4, -0.6, 0.9])
    for f in FUNCTIONS.values():
        expected = WRAPPED[outer](NUMERIC, WRAPPED[inner](NUMERIC, f))(x)
        found = WRAPPED[outer](TRACED, WRAPPED[inner](TRACED, f))
        for call in (found, tracer.jit(found)):
            got = call(x)
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)
