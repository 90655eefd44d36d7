"""Writing in place: NumPy code that fills, updates and shares arrays, under every transform."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracer
from tracer import errors, grad, jit, jvp, no_grad, trace, vmap

RNG = np.random.default_rng(7)
X = RNG.uniform(1.0, 2.0, 6)
M = RNG.uniform(-0.3, 0.3, (4, 4)) + 2 * np.eye(4)


def forward_substitution(m: Any) -> Any:
    y = np.zeros_like(m[0])
    for i in range(4):
        y[i] = (i + 1 - m[i, :i] @ y[:i]) / m[i, i]
    return y


def stencil(m: Any) -> Any:
    """Gauss-Seidel sweeps: each point sees the new values of those before it."""
    u = m.copy()
    for _ in range(2):
        for i in range(1, 3):
            for j in range(1, 3):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]) * u[i, j]
    return u


def running_sum(x: Any) -> Any:
    y = np.empty_like(x)
    total = 0.0
    for i in range(len(x)):
        total += x[i]
        y[i] = total
    return y


def running_sum_in_place(x: Any) -> Any:
    y = x * 1.0
    for i in range(1, len(y)):
        y[i] += y[i - 1]
    return y


def cholesky(m: Any) -> Any:
    a = m @ m.T
    low = np.zeros_like(a)
    for i in range(4):
        for j in range(i + 1):
            s = a[i, j] - low[i, :j] @ low[j, :j]
            low[i, j] = np.sqrt(s) if i == j else s / low[j, j]
    return low


def cholesky_by_columns(m: Any) -> Any:
    a = m @ m.T
    for k in range(4):
        a[k, k] = np.sqrt(a[k, k])
        a[k + 1 :, k] /= a[k, k]
        for j in range(k + 1, 4):
            a[j:, j] -= a[j:, k] * a[j, k]
    return np.tril(a)


def histogram(x: Any) -> Any:
    counts = np.zeros_like(x)
    places = np.array([0, 2, 2, 5, 0, 2])
    np.add.at(counts, places, x**2)
    return counts


def by_halves(x: Any) -> Any:
    y = x**2
    even, odd = y[::2], y[1::2]
    even += odd
    odd -= 0.5 * even
    y[1:] = y[:-1]
    y.reshape(2, 3).T[1] *= x[:2]
    return y


def masked(x: Any) -> Any:
    y = x * 2
    y[x > 1.5] = 0.0
    y[x < 1.2] *= x[0]
    np.clip(y, 0.5, 3.0, out=y)
    np.putmask(y, x > 1.8, x[::-1])
    np.place(y, x < 1.4, x[:2])
    return y


def by_functions(x: Any) -> Any:
    y = np.zeros_like(x)
    np.multiply(x, x, out=y)
    np.add(y, 1.0, out=y, where=x > 1.5)
    np.put(y, [0, -1], x[2:4])
    np.copyto(y[1:3], x[4])
    z = y.reshape(2, 3)
    np.fill_diagonal(z, x[5])
    np.put_along_axis(z, np.array([[2], [0]]), x[0], axis=1)
    np.cumsum(y, out=y)
    np.multiply.at(y, [1, 1, 3], x[1])
    np.subtract.at(y, [0, 0], x[2])
    np.negative.at(y, [4, 4, 5])
    y.flat[2:4] = x[:2]
    z.T[0] = x[3:5]
    return y


def by_indices(x: Any) -> Any:
    y = x * 1.0
    y[[0, 1, 2]] = y[[2, 0, 1]]
    y[np.array([5, 5, 4])] = x[:3]
    z = np.zeros_like(x, shape=(3, 4))
    z[1:, [0, 2]] = x[:4].reshape(2, 2)
    z[[0, 1], [1, 3]] += x[4:]
    z[:, np.array([[3], [1]])] *= 2.0
    z[np.array([True, False, True]), 0] = x[0] * x[1]
    return y.sum() * z


ON_VECTORS = (
    running_sum,
    running_sum_in_place,
    histogram,
    by_halves,
    masked,
    by_functions,
    by_indices,
)
ON_MATRICES = (forward_substitution, stencil, cholesky, cholesky_by_columns)
CASES = [(f, X) for f in ON_VECTORS] + [(f, M) for f in ON_MATRICES]
every_case = pytest.mark.parametrize(("f", "x"), CASES, ids=[f.__name__ for f, _ in CASES])


def weighted(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def total(x: Any) -> Any:
        y = f(x)
        return np.sum(y**2 * (1 + np.arange(y.size).reshape(y.shape)))

    return total


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    """Central differences of fourth order."""
    slope = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[at] = 1e-3
        slope[at] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / 12e-3
    return slope


@every_case
def test_values(f: Any, x: Any) -> None:
    np.testing.assert_allclose(jvp(f, (x,), (x,))[0], f(x), rtol=1e-12)
    np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-12)


@every_case
def test_gradient(f: Any, x: Any) -> None:
    total = weighted(f)
    expected = differences(total, x)
    np.testing.assert_allclose(grad(total)(x), expected, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(jit(grad(total))(x), expected, rtol=1e-7, atol=1e-8)


@every_case
def test_batch(f: Any, x: Any) -> None:
    xs = np.stack([x, x * 1.1, x + 0.1])
    for g in (f, grad(weighted(f))):
        expected = np.stack([g(x) for x in xs])
        np.testing.assert_allclose(vmap(g)(xs), expected, rtol=1e-12)
        np.testing.assert_allclose(jit(vmap(g))(xs), expected, rtol=1e-12)


@every_case
def test_forward_over_reverse(f: Any, x: Any) -> None:
    g = grad(weighted(f))
    moved = jvp(g, (x,), (x,))[1]
    expected = (g(x * (1 + 1e-5)) - g(x * (1 - 1e-5))) / 2e-5
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)


def test_n_assignments_are_n_updates() -> None:
    def fill(n: int, views: int) -> int:
        def f(x: Any) -> Any:
            y = x * 2
            kept = [y[k:] for k in range(views)]
            for i in range(n):
                y[i] = x[i] * 3
            return sum([v[0] for v in kept], y)

        return len(trace(f, f"f64[{n}]").equations)

    for views in (0, 5):
        assert fill(400, views) - fill(200, views) == fill(200, views) - fill(100, views) + 500
        assert fill(200, views) < 6 * 200 + 50


def test_through_a_view_only_its_places_are_read() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        v = y[1:]
        v[0] = x[0]
        return y

    ops = [eq.op.mnemonic for eq in trace(f, "f64[5]").equations]
    assert ops.count("slice_update") == 1
    assert ops.count("slice") == 2  # v itself, and x[0]


def test_an_update_of_two_names_and_of_a_number() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        z = y
        z += 1
        total = np.sum(y)
        before = total
        total += 1
        return y, z, before, total

    y, z, before, total = jit(f)(np.ones(3))
    assert y.tolist() == z.tolist() == [2, 2, 2]
    assert (before, total) == (6, 7)


def test_casting() -> None:
    def items(x: Any) -> Any:
        y = np.zeros_like(x, dtype=int)
        y[0] = x[0] * 3.7
        y[1:] = x[1:]
        return y

    x = np.array([1.0, 2.5, -2.5])
    assert jit(items)(x).tolist() == items(x).tolist()

    def update(x: Any) -> Any:
        y = np.zeros_like(x, dtype=int) + np.arange(3)
        y += x
        return y

    for f in (update, jit(update)):
        with pytest.raises(TypeError, match="with casting rule 'same_kind'") as caught:
            f(x)
        assert "UFuncTypeError" in [c.__name__ for c in type(caught.value).__mro__]


WRITES: dict[str, Callable[[Any], Any]] = {
    "item": lambda x: x.__setitem__(0, 1.0),
    "slice": lambda x: x[1:].__setitem__(0, 1.0),
    "view": lambda x: x.reshape(2, 3).T.__setitem__(0, 1.0),
    "augmented": lambda x: x.__iadd__(1.0),
    "out": lambda x: np.add(x, 1, out=x),
    "copyto": lambda x: np.copyto(x, 0.0),
    "at": lambda x: np.add.at(x, [0], 1.0),
    "fill": lambda x: x.fill(0.0),
    "flat": lambda x: x.flat.__setitem__(0, 1.0),
    "function": lambda x: np.cumsum(x, out=x),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("transform", [grad, jit, vmap, lambda f: vmap(f, None, axis_size=2)])
def test_arguments_are_not_written_to(write: Any, transform: Any) -> None:
    def f(x: Any) -> Any:
        write(x)
        return np.sum(x)

    given = np.arange(12.0).reshape(2, 6) if transform is vmap else np.arange(6.0)
    with pytest.raises(errors.MutationError, match=r"an argument of f") as caught:
        transform(f)(given)
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, TypeError)
    assert str(caught.value).startswith(__file__)
    assert str(caught.value).endswith("Write to a copy: y = x.copy().")
    assert given.ravel().tolist() == list(range(given.size))


@pytest.mark.parametrize("copy", [np.copy, np.positive, lambda x: x.astype(float), lambda x: x**1])
def test_copies_of_arguments_are_written_to(copy: Any) -> None:
    def f(x: Any) -> Any:
        y = copy(x)
        y[0] = 5.0
        return np.sum(x * y)

    assert grad(f)(np.array([1.0, 2.0])).tolist() == [5.0, 4.0]


@pytest.mark.parametrize(
    "view",
    [
        lambda y: np.broadcast_to(y, (2, 3)),
        lambda y: np.diagonal(np.stack([y, y, y])),
        lambda y: np.diag(np.stack([y, y, y])),
    ],
)
def test_views_that_numpy_makes_read_only(view: Any) -> None:
    def f(x: Any) -> Any:
        view(x * 2)[0] = 1.0
        return np.sum(x)

    with pytest.raises(ValueError):
        f(np.ones(3))
    with pytest.raises(errors.ReadOnlyError, match="read-only") as caught:
        grad(f)(np.ones(3))
    assert isinstance(caught.value, ValueError)


def test_shapes_that_do_not_fit() -> None:
    def item(x: Any) -> Any:
        y = x * 2
        y[1:] = x
        return y

    def out(x: Any) -> Any:
        return np.add(x, np.ones((2, 3)), out=x * 1)

    def update(x: Any) -> Any:
        y = x * 1
        y += np.ones((2, 3))
        return y

    for f, gist in (
        (item, r"could not broadcast input array from shape \(3,\) into shape \(2,\)"),
        (out, r"non-broadcastable output operand with shape \(3,\)"),
        (update, r"non-broadcastable output operand with shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=gist):
            f(np.ones(3))
        with pytest.raises(ValueError, match=gist):
            jit(f)(np.ones(3))


def test_places_out_of_bounds() -> None:
    def fixed(x: Any) -> Any:
        y = x * 2
        y[3] = 0.0
        return y

    def named(x: Any, i: Any) -> Any:
        y = x * 2
        y[i] = 0.0
        return y

    with pytest.raises(IndexError, match="index 3 is out of bounds"):
        jit(fixed)(np.ones(3))
    with pytest.raises(IndexError, match="out of bounds"):
        jit(named)(np.ones(3), np.array([0, 4]))
    with pytest.raises(IndexError, match="out of bounds"):
        grad(lambda x, i: named(x, i).sum())(np.ones(3), np.array([0, -4]))


def test_an_inner_value_does_not_reach_an_outer_array() -> None:
    def outer(x: Any) -> Any:
        kept = x * 2

        def inner(a: Any) -> Any:
            kept[0] = a
            return a

        return grad(inner)(x[0]) + np.sum(kept)

    with pytest.raises(errors.MutationError) as caught:
        grad(outer)(np.ones(3))
    text = str(caught.value)
    assert "kept = x * 2" in text and "kept[0] = a" in text
    assert "Make the array inside of inner" in text


def test_an_array_of_outer_values_made_inside() -> None:
    def outer(x: Any) -> Any:
        def inner(a: Any) -> Any:
            y = x * 2
            y[0] = a * a
            z = x.copy()
            z[1] = a
            return np.sum(y * z)

        return grad(inner)(x[0])

    x = np.array([2.0, 3.0])
    # inner(a) = a^2 x0 + 2 x1 a, by a at x0: 2 x0^2 + 2 x1
    assert grad(outer)(x).tolist() == [8.0, 2.0]
    assert jit(grad(outer))(x).tolist() == [8.0, 2.0]


def test_a_write_of_outer_values_from_inside_is_seen_outside() -> None:
    def outer(x: Any) -> Any:
        kept = x * 2

        def inner(a: Any) -> Any:
            before = np.sum(kept) * a
            kept[0] = x[1]
            return before + np.sum(kept) * a * a

        return grad(inner)(x[0]) * kept[0]

    x = np.array([2.0, 3.0])
    s, t = 10.0, 9.0  # the sums before and after
    assert outer(x) == (s + 2 * t * 2.0) * 3.0
    d0 = (2 + 2 * t) * 3.0
    d1 = (2 + 2 * 2.0 * 3) * 3.0 + (s + 4 * t)
    assert grad(outer)(x).tolist() == [d0, d1]


def test_no_grad_writes_constants_where_it_writes() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        with no_grad():
            y[0] = x[0] * 5
        return np.sum(y * y)

    x = np.array([1.0, 2.0])
    assert grad(f)(x).tolist() == [0.0, 16.0]

    def update(x: Any) -> Any:
        y = x * 2
        with no_grad():
            y += x
        return np.sum(y * x)

    assert grad(update)(x).tolist() == [3.0, 6.0]


def test_no_grad_hides_what_is_read_under_it() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        with no_grad():
            v, c = y[:], y.copy()
        y[0] = x[1]
        c[1] = x[0]
        v[1] = x[0] * 7
        return np.sum(v), np.sum(c), np.sum(y)

    x = np.array([1.0, 2.0])
    assert [grad(lambda x, n=n: f(x)[n])(x).tolist() for n in range(3)] == [[0, 0], [1, 0], [7, 1]]


def test_results_that_share_memory_come_back_apart() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        v = y[1:]
        y[1] = 0.0
        return y, v

    y, v = jit(f)(np.ones(3))
    v[0] = 9.0
    assert y.tolist() == [2.0, 0.0, 2.0]


def test_a_transform_keeps_the_values_it_was_called_with() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        value, pull = tracer.vjp(lambda z: z * z, y)
        y[0] = 100.0
        return pull(np.ones(2))[0] + value

    assert jit(f)(np.array([1.0, 2.0])).tolist() == [3.0, 8.0]


def test_a_jitted_function_writes_to_the_array_that_it_is_given_in_a_trace() -> None:
    @jit
    def fill(y: Any) -> Any:
        y[0] = 3.0
        return y

    def f(x: Any) -> Any:
        y = x * 2
        fill(y)
        return np.sum(y)

    assert grad(f)(np.ones(2)).tolist() == [0.0, 2.0]


def test_copies_and_iteration() -> None:
    def f(x: Any) -> Any:
        y = x * 2
        z, w = copy.copy(y), copy.deepcopy(y)
        z[0], w[1] = 0.0, 0.0
        for row in y.reshape(1, 2):
            row *= 3
        return y + z + w

    assert jit(f)(np.ones(2)).tolist() == [8.0, 8.0]


def test_numbers_are_not_written_to() -> None:
    def f(x: Any) -> Any:
        np.sum(x)[...] = 1.0
        return x

    for g in (f, jit(f)):
        with pytest.raises(TypeError, match="does not support item assignment"):
            g(np.ones(2))


def test_nan_to_num_in_place() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        assert np.nan_to_num(y, copy=False, nan=5.0) is y
        z = np.nan_to_num(y)
        z[0] = 9.0
        return y

    assert jit(f)(np.array([1.0, np.nan])).tolist() == [1.0, 5.0]


def test_a_view_assigned_to_traced_places_of_its_array() -> None:
    def f(x: Any, i: Any) -> Any:
        y = x * 1
        y[i] = y[::-1][:2]
        y[i] = y[:2]
        return y

    x, i = np.arange(4.0), np.array([3, 1])
    assert jit(f)(x, i).tolist() == f(x, i).tolist()
    found = vmap(f, (0, None))(np.stack([x, x + 1]), i)
    assert found.tolist() == [f(x, i).tolist(), f(x + 1, i).tolist()]
