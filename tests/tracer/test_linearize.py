"""linearize: func is run once, and its linear map is one under every transform."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import (
    checkpoint,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    no_grad,
    vjp,
    vmap,
)

X = np.array([0.5, -1.5, 2.0])
T = np.array([1.0, 10.0, -3.0])
PLAIN = {"un-jitted": lambda f: f, "jitted": jit}
both = pytest.mark.parametrize("how", PLAIN.values(), ids=PLAIN)


def f(x):
    return np.sin(x) * np.sum(x * x)


def along(x, t):
    return jvp(f, (x,), (t,))[1]


def test_func_is_run_once():
    runs = []

    def counted(x):
        runs.append(x)
        return f(x)

    out, push = linearize(counted, X)
    np.testing.assert_array_equal(out, f(X))
    for scale in (1.0, 2.0, -3.0):
        np.testing.assert_allclose(push(scale * T), scale * along(X, T), rtol=1e-14)
    vmap(push)(np.eye(3)), jit(push)(T), grad(lambda t: np.sum(push(t)))(T), vjp(push, T)[1](T)
    assert len(runs) == 1


def test_the_map_outlives_the_caller_and_its_arrays():
    x = X.copy()
    out, push = linearize(f, x)
    want = along(X, T)
    x[:] = 0.0
    out[:] = 0.0
    np.testing.assert_allclose(push(T), want, rtol=1e-14)
    push(T)[:] = 0.0
    np.testing.assert_allclose(push(T), want, rtol=1e-14)


@both
def test_the_map_in_other_transforms(how):
    _, push = linearize(f, X)
    matrix = jacfwd(f)(X)
    np.testing.assert_allclose(how(push)(T), matrix @ T, rtol=1e-13)
    np.testing.assert_allclose(how(vmap(push))(np.eye(3)), matrix.T, rtol=1e-13)
    np.testing.assert_allclose(how(jacfwd(push))(T), matrix, rtol=1e-13)
    np.testing.assert_allclose(how(jacrev(push))(T), matrix, rtol=1e-13)
    np.testing.assert_allclose(how(lambda t: vjp(push, t)[1](X)[0])(T), matrix.T @ X, rtol=1e-13)
    np.testing.assert_allclose(how(lambda t: jvp(push, (t,), (X,))[1])(T), matrix @ X, rtol=1e-13)
    np.testing.assert_allclose(how(lambda t: linearize(push, t)[1](X))(T), matrix @ X, rtol=1e-13)
    square = lambda t: np.sum(push(t) ** 2)
    np.testing.assert_allclose(how(hessian(square))(T), 2 * matrix.T @ matrix, rtol=1e-12)


THROUGH = {
    "by the point": (lambda x: linearize(f, x)[1](T), lambda x: along(x, T)),
    "by the tangent": (lambda t: linearize(f, X)[1](t), lambda t: along(X, t)),
    "by both": (lambda x: linearize(f, x)[1](np.cos(x)), lambda x: along(x, np.cos(x))),
    "the output": (lambda x: linearize(f, x)[0], f),
    "output and map": (
        lambda x: (lambda y, push: y * push(y))(*linearize(f, x)),
        lambda x: f(x) * along(x, f(x)),
    ),
    "twice the map": (
        lambda x: (lambda push: push(push(T)))(linearize(f, x)[1]),
        lambda x: along(x, along(x, T)),
    ),
    "of a gradient": (
        lambda x: linearize(grad(lambda x: np.sum(f(x))), x)[1](T),
        lambda x: jvp(grad(lambda x: np.sum(f(x))), (x,), (T,))[1],
    ),
    "of a linearized function": (
        lambda x: linearize(lambda x: linearize(f, x)[1](T), x)[1](T),
        lambda x: jvp(lambda x: along(x, T), (x,), (T,))[1],
    ),
    "checkpointed": (lambda x: linearize(checkpoint(f), x)[1](T), lambda x: along(x, T)),
    "jitted inside": (lambda x: linearize(jit(f), x)[1](T), lambda x: along(x, T)),
    "mapped": (
        lambda x: np.sum(vmap(linearize(f, x)[1])(np.eye(3)), axis=1),
        lambda x: np.sum(jacfwd(f)(x).T, axis=1),
    ),
}


@both
@pytest.mark.parametrize("name", THROUGH)
def test_differentiating_through_it(name, how):
    through, plain = THROUGH[name]
    np.testing.assert_allclose(how(through)(X), plain(X), rtol=1e-12)
    for derive in (jacfwd, jacrev):
        np.testing.assert_allclose(how(derive(through))(X), derive(plain)(X), rtol=1e-11)
    total = lambda g: lambda x: np.sum(np.sin(g(x)))
    np.testing.assert_allclose(
        how(hessian(total(through)))(X), hessian(total(plain))(X), rtol=1e-9, atol=1e-9
    )
    batch = np.stack([X, T, X + T])
    np.testing.assert_allclose(how(vmap(through))(batch), vmap(plain)(batch), rtol=1e-12)


@both
def test_a_hessian_by_it(how):
    g = lambda x: np.sum(f(x) ** 2)
    by_rows = lambda x: vmap(linearize(grad(g), x)[1])(np.eye(3))
    np.testing.assert_allclose(how(by_rows)(X), hessian(g)(X), rtol=1e-12)
    third = jacrev(by_rows)
    np.testing.assert_allclose(how(third)(X), jacrev(hessian(g))(X), rtol=1e-11)


@both
def test_several_primals_in_trees(how):
    def g(tree, k):
        return {"y": tree["a"] * k, "z": (np.sum(tree["a"]),)}

    def run(a, k):
        out, push = linearize(g, {"a": a}, k)
        return out, push({"a": T}, 2.0)

    out, moved = how(run)(X, 3.0)
    np.testing.assert_allclose(out["y"], 3 * X)
    np.testing.assert_allclose(moved["y"], 3 * T + 2 * X)
    assert moved["z"][0] == pytest.approx(T.sum())


@both
def test_python_may_look_at_values(how):
    branch = lambda x: x * x if x > 0 else 5.0 * x
    g = how(lambda x: linearize(branch, x)[1](1.0))
    slope = how(grad(lambda x: linearize(branch, x)[1](x)))
    for x, want, second in ((3.0, 6.0, 12.0), (-3.0, 5.0, 5.0)):
        assert g(x) == want
        assert slope(x) == second


def test_no_grad_around_the_map_is_not_in_it():
    _, push = linearize(lambda x: x**2, 3.0)
    with no_grad():
        assert push(1.0) == 6.0

    def through(x):
        with no_grad():
            slope = linearize(lambda z: z**3, x)[1](1.0)
        return x * slope

    assert grad(through)(2.0) == 12.0
