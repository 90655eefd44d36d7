"""Arrays of constants that a traced function makes: as ndarrays, until they take traced values."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special

import tracer
from tracer import errors, grad, jit, jvp, vmap

X = np.array([1.0, 2.0, 3.0])


def substitution(x: Any) -> Any:
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = (x[i] + np.sum(y[:i] * x[:i])) / (i + 1)
    return y


def cholesky(x: Any) -> Any:
    a = 4 * np.eye(3)
    a[0, 1] = a[1, 0] = x[0]
    a[2, :] += 0.1 * x
    a[:, 2] = a[2]
    low = np.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1):
            s = a[i, j] - np.dot(low[i, :j], low[j, :j])
            low[i, j] = np.sqrt(s) if i == j else s / low[j, j]
    return low


def histogram(x: Any) -> Any:
    counts = np.zeros(4)
    np.add.at(counts, np.array([0, 3, 0]), x**2)
    return counts


def stacked(x: Any) -> Any:
    rotation = np.array([[np.cos(x[0]), -np.sin(x[0])], [np.sin(x[0]), np.cos(x[0])]])
    both = np.array([x[1], 2.0])
    return rotation @ both + np.array([both, both], dtype=float)[0]


def filled(x: Any) -> Any:
    y = np.full((2, 3), x[0])
    y[1] = x
    z = np.ones((3, 2))
    z.T[0] = y[1]
    z.flat[1] = x[2]
    v = np.empty(4)
    v[1:] = x
    v[0] = -1.0
    w = np.identity(3)
    w[np.diag_indices(3)] *= x
    return (y @ z).sum() * v[1:] @ w


def table(x: Any) -> Any:
    """Tables of constants that are computed in place, and used as indices and bounds."""
    order = np.zeros(3, int)
    for i in range(3):
        order[i] = 2 - i
    order[order == 2] -= 1
    if order[0] == 1 and float(order[1]) == 1.0:
        order[0] += 1
    steps = np.array([1, 2])
    y = np.ones(int(steps.sum()))
    for n in steps:
        y[order[:n]] *= x[:n]
    return y[order] + np.take(x, order) * scipy.special.gamma(np.array([3.0, 4.0, 5.0]))


FUNCTIONS = (substitution, cholesky, histogram, stacked, filled, table)
every = pytest.mark.parametrize("f", FUNCTIONS, ids=[f.__name__ for f in FUNCTIONS])


def weighted(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def total(x: Any) -> Any:
        y = f(x)
        return np.sum(y * y * np.arange(1.0, 1 + y.size).reshape(y.shape))

    return total


@every
def test_values_and_gradients(f: Any) -> None:
    np.testing.assert_allclose(jit(f)(X), f(X), rtol=1e-12)
    total = weighted(f)
    steps = 1e-5 * np.eye(3)
    expected = [(total(X + h) - total(X - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(grad(total)(X), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(jit(grad(total))(X), expected, rtol=1e-6, atol=1e-6)


@every
def test_batches(f: Any) -> None:
    xs = np.stack([X, X + 0.5])
    for g in (f, grad(weighted(f))):
        expected = np.stack([g(x) for x in xs])
        np.testing.assert_allclose(vmap(g)(xs), expected, rtol=1e-12)
        np.testing.assert_allclose(jit(vmap(g))(xs), expected, rtol=1e-12)


def test_constants_are_computed_at_once() -> None:
    """10,000 writes of constants leave nothing in the program."""

    def f(x: Any) -> Any:
        y = np.zeros(100)
        for i in range(10_000):
            y[i % 100] += 1.0
        return x * y

    assert len(tracer.trace(f, "f64[100]").equations) < 5


def test_everything_that_an_ndarray_serves_for() -> None:
    def f(x: Any) -> Any:
        y = np.array([2, 0, 1])
        z = np.zeros((2, 2))
        assert y.shape == (3,) and y.dtype == int and len(y) == 3 and y.T.ndim == 1
        assert y.tolist() == [2, 0, 1] and y.sum() == 3 and (y + 1).max() == 3
        assert repr(y) == "array([2, 0, 1])" and str(y) == "[2 0 1]" and f"{y[0]:02d}" == "02"
        assert [*range(y[0])] == [0, 1] and [5, 6, 7][y[1]] == 5 and 2 in y and 9 not in y
        assert bool(z[0, 0]) is False and float(np.array(1.5)) == 1.5 and int(np.array(3)) == 3
        assert complex(np.array(1.0)) == 1 and not np.zeros(1) and [*y] == [2, 0, 1]
        assert np.sort(y).tolist() == [0, 1, 2] and np.linalg.inv(np.eye(2)).shape == (2, 2)
        assert np.random.default_rng(0).normal(size=y).shape == (2, 0, 1)
        assert np.random.default_rng(0).normal(np.zeros(3)).shape == (3,)
        assert x.reshape(np.array([1, 3])).shape == (1, 3) and x[y][0] == x[2]
        assert np.zeros(np.array([2, 3])).shape == (2, 3)
        assert scipy.linalg.solve(2 * np.eye(2), np.ones(2)).tolist() == [0.5, 0.5]
        assert scipy.linalg.cho_factor(np.eye(2))[0].shape == (2, 2)
        assert scipy.integrate.quad(lambda t: t * z[0, 0], 0, 1)[0] == 0.0
        assert np.frombuffer(np.asarray(memoryview(b"ab")), "u1").tolist() == [97, 98]
        assert np.array("text").dtype.kind == "U" and np.array([None]).dtype == object
        assert isinstance(copy.deepcopy(y), type(y)) and copy.copy(y) is not y
        assert type(pickle.loads(pickle.dumps(y))) is np.ndarray
        assert np.asarray(y) is y and np.asarray(x) is x and np.asarray(X) is X
        assert np.array(X) is not X and np.array(x) is not x
        assert np.asarray(y, float).dtype == float and np.array(y, ndmin=2).shape == (1, 3)
        assert np.array(x, np.float32).dtype == np.float32 and np.array(x, ndmin=2).shape == (1, 3)
        q, r = np.linalg.qr(np.eye(2))
        assert (q @ r).tolist() == np.eye(2).tolist()
        out = np.zeros(3)
        assert np.add(y, 1, out=out) is out and out.tolist() == [3, 1, 2]
        assert np.cumsum(out, out=out) is out and out[-1] == 6
        return np.sum(x)

    for g in (grad(f), jit(grad(f))):
        assert g(X).tolist() == [1, 1, 1]


def test_views_of_constants_and_traced_values() -> None:
    def f(x: Any) -> Any:
        y = np.zeros((2, 3))
        v, w, c = y[0], y.T.reshape(-1), y.ravel()
        v[0] = 1.0
        w[1] = 9.0  # a copy
        row = y[1]
        row[:] = x
        c[1] = x[0]
        np.copyto(v[2:], 4.0)
        y += 1
        assert v.shape == (3,)
        return y * np.array([[1.0], [10.0]]), v, w, row

    for got, want in zip(jit(lambda x: f(x))(X), f(X), strict=True):
        assert got.tolist() == want.tolist()


def test_numpy_errors_are_numpy_errors() -> None:
    def update(x: Any) -> Any:
        y = np.zeros(3, int)
        y += 0.5
        return x

    def traced(x: Any) -> Any:
        y = np.zeros(3, int)
        y += x
        return x

    def index(x: Any) -> Any:
        np.zeros(3)[3] = x[0]
        return x

    for f in (update, traced):
        with pytest.raises(TypeError, match="same_kind"):
            jit(f)(X)
    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        jit(index)(X)


def test_what_an_outer_function_made_takes_no_inner_value() -> None:
    def outer(x: Any) -> Any:
        kept = np.zeros(3)

        def inner(a: Any) -> Any:
            kept[0] = a
            return a

        return grad(inner)(x[0])

    with pytest.raises(errors.MutationError) as caught:
        grad(outer)(X)
    assert "kept = np.zeros(3)" in str(caught.value) and "kept[0] = a" in str(caught.value)


def test_what_an_inner_function_makes_takes_values_of_both() -> None:
    def outer(x: Any) -> Any:
        def inner(a: Any) -> Any:
            y = np.zeros(2)
            z = np.zeros_like(x)
            y[0] = x[1]
            y[1] = a * a
            z[0] = a
            return np.sum(y) * x[1] + np.sum(z)

        return grad(inner)(x[0])

    assert grad(outer)(X).tolist() == [2 * 2.0, 2 * 1.0, 0.0]


def test_a_table_made_in_one_trace_serves_in_the_next() -> None:
    @lru_cache
    def weights(n: int) -> Any:
        w = np.zeros(n)
        for i in range(n):
            w[i] = i + 1
        return w

    for _ in range(2):
        assert grad(lambda x: np.sum(weights(3) * x))(X).tolist() == [1, 2, 3]
    assert np.sum(weights(3)) == 6 and (weights(3) * X).sum() == 14
    assert jit(lambda x: x @ weights(3))(X) == 14

    def writes(x: Any) -> Any:
        weights(3)[0] = x[0]
        return x

    with pytest.raises(errors.MutationError, match="made outside of writes"):
        jit(writes)(X)


def test_arguments_and_results_of_inner_transforms() -> None:
    def f(x: Any) -> Any:
        y = np.ones(3)
        g = grad(lambda y: np.sum(y * y * x))(y)
        value, moved = jvp(lambda y: y * 2, (y,), (np.ones(3),))
        h = jit(lambda y: y + 1)(y)
        y[0] = 100.0
        return g + value + moved + h

    assert jit(f)(X).tolist() == (2 * X + 2 + 2 + 2).tolist()
    assert type(jit(lambda x: np.zeros(3))(X)) is np.ndarray
    again = jit(lambda x: (x, np.zeros(3)))
    again(X)[1][0] = 7.0
    assert again(X)[1].tolist() == [0, 0, 0]
    _, aux = grad(lambda x: (np.sum(x), {"y": np.ones(2)}), has_aux=True)(X)
    assert type(aux["y"]) is np.ndarray


def test_names_imported_before_are_out_of_reach() -> None:
    zeros = np.zeros

    def f(x: Any) -> Any:
        y = zeros(3)
        y[0] = x[0]
        return np.sum(y)

    with pytest.raises(errors.EscapeError) as caught:
        grad(f)(X)
    assert "np.zeros_like(x)" in str(caught.value)

    def g(x: Any) -> Any:
        y = tracer.numpy.zeros(3)
        y[0] = x[0]
        return np.sum(y)

    assert grad(g)(X).tolist() == [1, 0, 0]


def test_packages_with_compiled_parts_keep_numpys_arrays(tmp_path: Path) -> None:
    """They hand them to code that writes into their memory; so do modules being imported."""
    (tmp_path / "native").mkdir()
    (tmp_path / "native/part.abi3.so").touch()
    (tmp_path / "native/__init__.py").write_text(
        "import numpy as np\ndef make(): return np.ones(2)"
    )
    (tmp_path / "late.py").write_text("import numpy as np\nTABLE = np.ones(2)")
    (tmp_path / "script.py").write_text(
        "import numpy as np\n"
        "from tracer import grad\n"
        "def f(x):\n"
        "    import native, late\n"
        "    assert type(native.make()) is type(late.TABLE) is np.ndarray\n"
        "    assert type(np.ones(2)) is not np.ndarray\n"
        "    return x\n"
        "print(grad(f)(1.0))\n"
    )
    run = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stdout == "1.0\n", run.stderr
