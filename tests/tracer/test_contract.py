"""What the transforms promise: nesting, no_grad, ownership, arguments and results."""

from __future__ import annotations

import threading
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import tracer
from tracer import (
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    no_grad,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)

X = np.array([0.5, -1.5, 2.0])


def hidden_square(x):
    with no_grad():
        c = x**2
    return x - c


def half_hidden(x):
    y = x**2
    with no_grad():
        c = x**2
    return y - c


def inner_gradient(x):
    with no_grad():
        return grad(lambda z: z**3)(x)


def minus_inner_value(x):
    with no_grad():
        _, value = grad_and_value(lambda z: z**3)(x)
    return x**3 - value


def test_the_table_of_no_grad():
    assert grad(hidden_square)(2.0) == 1
    with no_grad():
        assert grad(hidden_square)(2.0) == 1
        assert grad(lambda x: x**2)(2.0) == 4
        assert grad(grad(lambda x: x**3))(2.0) == 12
    assert grad(half_hidden)(2.0) == 4
    assert grad(grad(half_hidden))(2.0) == 2
    assert inner_gradient(2.0) == 12
    assert grad(inner_gradient)(2.0) == 0
    assert grad(minus_inner_value)(2.0) == 12
    assert jvp(hidden_square, (2.0,), (1.0,))[1] == 1
    assert jacfwd(hidden_square)(2.0) == 1
    assert jacrev(hidden_square)(2.0) == 1


def test_no_grad_is_in_force_after_a_transform_inside_it():
    def f(x):
        with no_grad():
            grad(lambda z: z**2)(1.0)
            c = x**2
        return x - c

    assert grad(f)(2.0) == 1


def test_vjp_made_outside_no_grad_and_called_inside():
    _, pull = vjp(lambda x: x**2, 2.0)
    with no_grad():
        assert pull(1.0) == (4.0,)


def test_no_grad_as_decorator():
    @no_grad
    def bare(x):
        return x**2

    @no_grad()
    def called(x):
        return x**2

    assert bare.__name__ == "bare"
    assert grad(lambda x: x - bare(x))(2.0) == 1
    assert grad(lambda x: x - called(x))(2.0) == 1


def test_no_grad_ends_when_an_error_leaves_it():
    def f(x):
        with pytest.raises(KeyError), no_grad():
            raise KeyError
        return x**2

    assert grad(f)(2.0) == 4


def test_stop_gradient():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3
    assert grad(lambda x: x * stop_gradient({"a": x})["a"])(3.0) == 3
    assert stop_gradient(3.0) == 3.0


def test_perturbations_are_not_confused():
    assert grad(lambda a: a * grad(lambda b: a + b)(1.0))(1.0) == 1
    assert grad(lambda a: grad(lambda b: a * b * b)(a))(3.0) == 12
    assert jvp(lambda a: a * jvp(lambda b: a + b, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1


def test_outer_arithmetic_survives_the_inner_trace():
    keep = []

    def inner(b, a):
        keep.append(a * a)
        return b * 2.0

    def outer(a):
        grad(lambda b: inner(b, a))(1.0)
        return keep[-1] * a

    assert grad(outer)(2.0) == 12


def test_an_inner_vmap_captures_an_outer_batched_value():
    a, b = np.arange(3.0), np.arange(4.0)
    table = vmap(lambda x: vmap(lambda y: x * y + x)(b))(a)
    np.testing.assert_array_equal(table, a[:, None] * b + a[:, None])


def test_grad_through_vmap_and_vmap_through_grad():
    w = np.array([1.0, 2.0, 3.0])

    def loss(w):
        return np.sum(vmap(lambda x: np.sin(x) * w[0])(w))

    expected = jacfwd(loss)(w)
    np.testing.assert_allclose(grad(loss)(w), expected)
    np.testing.assert_allclose(vmap(grad(lambda x: x**3))(w), 3 * w**2)
    np.testing.assert_allclose(vmap(grad(grad(lambda x: x**3)))(w), 6 * w)


def test_results_of_mixed_levels():
    """An inner gradient at an outer value, used together with an inner one."""

    def f(a):
        def g(b):
            return b * grad(lambda c: c * c * a)(a) + b * grad(lambda c: c * c * b)(a)

        return grad(g)(a)

    # g(b) = b 2a^2 + b 2ab, g'(a) = 2a^2 + 4a^2 = 6a^2
    assert f(2.0) == 24
    assert grad(f)(2.0) == 24


def test_nested_gradients_in_two_threads_at_once():
    barrier = threading.Barrier(2)
    found = {}

    def work(name, scale):
        def inner(a, b):
            barrier.wait(timeout=10)
            return scale * a * b * b

        for _ in range(20):
            found[name] = grad(lambda a: grad(lambda b: inner(a, b))(a))(3.0)

    threads = [threading.Thread(target=work, args=(n, n)) for n in (1.0, 2.0)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {1.0: 12.0, 2.0: 24.0}


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0), [0, 1], (-1, 0)])
def test_argnums(argnums):
    x, y = 2.0, 3.0
    both = (y**2, 2 * x * y)
    found = grad(lambda a, b: a * b**2, argnums)(x, y)
    if isinstance(argnums, int):
        assert found == both[argnums]
    else:
        assert found == tuple(both[n] for n in argnums)


def test_gradients_have_the_structure_of_the_argument():
    Point = namedtuple("Point", "x y")
    args = {"b": [X, Point(1.0, X[0])], "a": OrderedDict(z=np.array(2.0))}
    found = grad(lambda p: np.sum(p["b"][0] ** 2) * p["b"][1].x * p["a"]["z"])(args)
    assert list(found) == ["b", "a"]
    assert isinstance(found["b"][1], Point)
    assert type(found["a"]) is OrderedDict
    np.testing.assert_allclose(found["b"][0], 4 * X)
    assert found["b"][1].y == 0
    assert isinstance(found["b"][1].y, np.float64)
    assert isinstance(found["a"]["z"], np.ndarray)


def test_float32_stays_float32():
    x = X.astype(np.float32)
    assert grad(lambda x: np.sum(np.sin(x) * 2.0))(x).dtype == np.float32
    assert value_and_grad(lambda x: np.mean(x) ** 2)(x)[0].dtype == np.float32


def test_the_shapes_of_what_is_returned():
    aux = {"s": "text", "n": None, "a": X}
    f = lambda x: (x**2, {**aux, "y": x * 2})
    grads, out = grad(f, has_aux=True)(3.0)
    assert grads == 6
    assert out["y"] == 6
    assert out["s"] == "text"
    assert out["a"] is not X
    grads, (value, out) = grad_and_value(f, has_aux=True)(3.0)
    assert (grads, value, out["y"]) == (6, 9, 6)
    (value, out), grads = value_and_grad(f, has_aux=True)(3.0)
    assert (grads, value, out["y"]) == (6, 9, 6)
    assert grad(lambda x: x**2).__name__ == "<lambda>"


def test_vjp_of_trees():
    (out, pull, aux) = vjp(lambda x, y: ((x * y, np.sin(x)), y * 3), 2.0, X, has_aux=True)
    np.testing.assert_array_equal(out[0], 2 * X)
    np.testing.assert_array_equal(aux, 3 * X)
    for scale in (1.0, 2.0):
        x_bar, y_bar = pull((np.full(3, scale), 0.0))
        assert x_bar == scale * X.sum()
        np.testing.assert_array_equal(y_bar, np.full(3, 2 * scale))


def test_a_vjp_does_not_see_later_writes():
    x = X.copy()
    _, pull = vjp(lambda x: x * x, x)
    x[:] = 0
    np.testing.assert_array_equal(pull(np.ones(3))[0], 2 * X)


def test_jvp_and_linearize():
    out, moved = jvp(lambda x, y: x * y, (2.0, X), (1.0, X))
    np.testing.assert_array_equal(out, 2 * X)
    np.testing.assert_array_equal(moved, 3 * X)
    out, push = linearize(np.sin, X)
    np.testing.assert_array_equal(push(X), np.cos(X) * X)
    np.testing.assert_array_equal(push(2 * X), np.cos(X) * 2 * X)
    assert jvp(lambda x: (x**2, {"k": x}), (3.0,), (1.0,), has_aux=True)[2] == {"k": 3.0}


def test_linearize_is_differentiated_right():
    found = grad(lambda x: linearize(lambda y: y**3, x)[1](1.0))(2.0)
    assert found == 12


def test_jacobians():
    f = lambda x, y: {"a": x * y, "b": np.sum(x)}
    a, b = jacrev(f, (0, 1))(X, X), jacfwd(f, (0, 1))(X, X)
    for rows in (a, b, jacobian(f, (0, 1))(X, X)):
        np.testing.assert_allclose(rows["a"][0], np.diag(X))
        np.testing.assert_allclose(rows["b"][0], np.ones(3))
        np.testing.assert_allclose(rows["b"][1], np.zeros(3))
    matrix = np.arange(6.0).reshape(2, 3)
    assert jacrev(lambda m: m.T @ m)(matrix).shape == (3, 3, 2, 3)
    np.testing.assert_allclose(jacrev(lambda m: m.T @ m)(matrix), jacfwd(lambda m: m.T @ m)(matrix))
    second = hessian(lambda x, y: np.sum(x * y**2), (0, 1))(X, X)
    np.testing.assert_allclose(second[0][1], np.diag(2 * X))
    np.testing.assert_allclose(second[1][1], np.diag(2 * X))
    np.testing.assert_allclose(hvp(lambda x: np.sum(x**4), (X,), (X,))[1], 12 * X**3)
    assert type(jacrev(np.sin)(0.0)) is np.float64


def test_vmap_dims():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    np.testing.assert_array_equal(vmap(lambda x, y: x * y, (1, 0))(a, b), (a * b).T)
    np.testing.assert_array_equal(vmap(lambda x, y: x * y, (1, 0), 1)(a, b), a * b)
    np.testing.assert_array_equal(vmap(lambda x, y: x * y, (0, None), -1)(a, b), (a * b).T)
    found = vmap(lambda p: p["x"] + p["y"], ({"x": -1, "y": None},))({"x": a, "y": 1.0})
    np.testing.assert_array_equal(found, a.T + 1)
    one, two = vmap(lambda x: (x, np.float64(2.0)), out_dims=(0, None))(b)
    np.testing.assert_array_equal(one, b)
    assert two == 2.0
    np.testing.assert_array_equal(vmap(lambda x: 2.0, axis_size=2, in_dims=None)(b), [2, 2])
    np.testing.assert_array_equal(vmap(np.sin, chunk_size=2)(b), np.sin(b))


def test_values_can_be_asked_for_without_jit():
    def f(x):
        total = 0.0 * x[0]
        for i in range(int(stop_gradient(np.sum(x > 0)))):
            total = total + x[i] ** 2
        return total if total > 0 else -total

    np.testing.assert_allclose(grad(f)(X), [1.0, -3.0, 0.0])
    assert grad(lambda x: x if x > grad(lambda y: y * 0.5)(x) else -x)(2.0) == 1.0
    assert grad(lambda x: x[x > 0].sum())(X).tolist() == [1, 0, 1]


def test_many_questions_cost_no_more_than_one_run():
    asked = []

    def f(x):
        for _ in range(300):
            x = np.sin(x)
            asked.append(bool(x > 2.0))
        return x

    assert np.isfinite(grad(f)(1.0))
    assert len(asked) == 300


def test_captured_arrays_are_snapshots():
    buffer = np.ones(100)

    def f(x):
        first = np.sum(x * buffer)
        buffer[:] = 2.0
        second = np.sum(x * buffer)
        buffer[:] = 1.0
        return first + second

    np.testing.assert_array_equal(grad(f)(np.ones(100)), np.full(100, 3.0))
    assert buffer[0] == 1.0


def test_results_own_their_memory():
    x = X.copy()
    (same,) = vjp(lambda x: x, x)[1](x)
    assert same is not x
    for out in (
        vmap(lambda v: v)(x),
        grad_and_value(lambda v: np.sum(v))(x)[0],
        jacrev(lambda v: v[::-1])(x),
        linearize(lambda v: np.broadcast_to(v, (2, 3)), x)[0],
        *vmap(lambda v: (v, v))(x),
    ):
        assert out.flags.owndata
        assert out.flags.writeable
        assert not np.shares_memory(out, x)
    one, two = vmap(lambda v: (v * 2, v * 2))(x)
    one[:] = 0
    assert two[0] == 1.0


def test_programs():
    text = str(tracer.trace(lambda x, y: np.sum(x * y), "f64[3]", "f64[3]"))
    assert "mul %0, %1" in text
    program = tracer.trace(lambda p: p["a"] + 1, {"a": tracer.ShapeDtype((2,), np.float32)})
    assert str(program.results[0].type) == "f32[2]"


def test_the_public_names():
    for name in tracer.__all__:
        assert getattr(tracer, name) is not None
    assert callable(tracer.trace)
    assert callable(tracer.jit)
