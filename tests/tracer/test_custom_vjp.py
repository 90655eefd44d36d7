"""custom_vjp: a derivative of the user's own for reverse mode."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tracer import (
    custom_jvp,
    custom_vjp,
    errors,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    no_grad,
    stop_gradient,
    trace,
    value_and_grad,
    vjp,
    vmap,
)

X = np.array([-1.5, -0.25, 0.5, 2.0])
PLAIN = {"un-jitted": lambda f: f, "jitted": jit}
both = pytest.mark.parametrize("how", PLAIN.values(), ids=PLAIN)


@custom_vjp
def sine(x, k):
    """sin(k x), with three times its derivative by x and five times that by k."""
    return np.sin(k * x)


def forward(x, k):
    return sine(x, k), (np.cos(k * x), x, k)


def backward(residuals, ct):
    c, x, k = residuals
    return 3.0 * ct * c * k, 5.0 * ct * c * x


sine.defvjp(forward, backward)

DERIVATIVES = {
    "grad": (lambda: grad(sine), lambda x, k: 3 * k * np.cos(k * x)),
    "by the other": (lambda: grad(sine, argnums=1), lambda x, k: 5 * x * np.cos(k * x)),
    "by both": (
        lambda: lambda x, k: sum(grad(sine, argnums=(0, 1))(x, k)),
        lambda x, k: (3 * k + 5 * x) * np.cos(k * x),
    ),
    "grad of grad": (lambda: grad(grad(sine)), lambda x, k: -3 * k**2 * np.sin(k * x)),
    "three times": (lambda: grad(grad(grad(sine))), lambda x, k: -3 * k**3 * np.cos(k * x)),
    "vjp": (lambda: lambda x, k: vjp(sine, x, k)[1](2.0)[0], lambda x, k: 6 * k * np.cos(k * x)),
    "jacrev": (lambda: jacrev(sine), lambda x, k: 3 * k * np.cos(k * x)),
    "jacrev of jacrev": (lambda: jacrev(jacrev(sine)), lambda x, k: -3 * k**2 * np.sin(k * x)),
    "the chain rule": (
        lambda: grad(lambda x, k: np.exp(sine(x * x, k))),
        lambda x, k: np.exp(np.sin(k * x * x)) * 3 * k * np.cos(k * x * x) * 2 * x,
    ),
    "jit inside": (
        lambda: grad(jit(lambda x, k: sine(x, k) * x)),
        lambda x, k: np.sin(k * x) + 3 * k * x * np.cos(k * x),
    ),
    "value_and_grad": (
        lambda: lambda x, k: value_and_grad(sine)(x, k)[1],
        lambda x, k: 3 * k * np.cos(k * x),
    ),
}


@both
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_are_those_of_the_rule(name, how):
    make, want = DERIVATIVES[name]
    for x, k in ((0.7, 1.5), (-2.0, 0.3)):
        np.testing.assert_allclose(how(make())(x, k), want(x, k), rtol=1e-13)


@both
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_over_a_batch(name, how):
    make, want = DERIVATIVES[name]
    np.testing.assert_allclose(how(vmap(make(), (0, None)))(X, 1.5), want(X, 1.5), rtol=1e-13)
    np.testing.assert_allclose(how(vmap(make()))(X, X + 0.1), want(X, X + 0.1), rtol=1e-13)


@both
@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0)])
def test_what_a_batch_shares_gets_the_sum(how, dims):
    x = X if dims[0] == 0 else 0.7
    k = X + 0.1 if dims[1] == 0 else 1.5

    def total(x, k):
        return np.sum(np.exp(vmap(sine, dims)(x, k)))

    by_x, by_k = how(grad(total, argnums=(0, 1)))(x, k)
    each = np.exp(np.sin(k * x)) * np.cos(k * x)
    want_x, want_k = 3 * each * k, 5 * each * x
    np.testing.assert_allclose(by_x, want_x if dims[0] == 0 else want_x.sum(), rtol=1e-13)
    np.testing.assert_allclose(by_k, want_k if dims[1] == 0 else want_k.sum(), rtol=1e-13)


@both
def test_nested_batches(how):
    table = vmap(vmap(grad(sine), (0, None)), (None, 0))
    want = 3 * X[:, None] * np.cos(X[:, None] * X)
    np.testing.assert_allclose(how(table)(X, X), want, rtol=1e-13)


FORWARD = {
    "jvp": lambda: jvp(lambda x: sine(x, 2.0), (1.0,), (1.0,)),
    "jacfwd": lambda: jacfwd(sine)(1.0, 2.0),
    "linearize": lambda: linearize(sine, 1.0, 2.0),
    "jvp of a batch": lambda: jvp(lambda x: vmap(sine, (0, None))(x, 2.0), (X,), (X,)),
    "jvp in jit": lambda: jit(lambda x: jvp(lambda x: sine(x, 2.0), (x,), (x,))[1])(1.0),
    "jvp traced": lambda: trace(lambda x: jvp(lambda x: sine(x, 2.0), (x,), (x,))[1], "f64[]"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_forward_mode_is_refused(name):
    with pytest.raises(TypeError) as refused:
        FORWARD[name]()
    found = str(refused.value)
    assert found.startswith(f"{__file__}:")
    assert ": forward mode meets sine, a custom_vjp function, which has a rule for" in found
    assert found.endswith("write its derivative with custom_jvp, which serves both modes.")


@both
def test_forward_over_reverse_is_that_of_the_rule(how):
    @custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, ct: (10.0 * ct * x**3,))
    assert how(hessian(square))(2.0) == 120.0
    assert how(lambda x: jvp(grad(square), (x,), (1.0,)))(2.0) == (80.0, 120.0)


@both
def test_clipped_gradients(how):
    @custom_vjp
    def clip(x, low, high):
        return x

    clip.defvjp(
        lambda x, low, high: (x, (low, high)),
        lambda res, ct: (np.clip(ct, *res), None, None),
    )
    f = lambda x: np.sum(10.0 * x * clip(x, -1.0, 1.0))
    np.testing.assert_array_equal(how(grad(f))(X), 10 * X + np.clip(10 * X, -1, 1))


@both
def test_a_fixed_point(how):
    """The implicit function theorem: the backward half solves for the cotangent itself."""

    @custom_vjp
    def root(a):
        x = a
        for _ in range(60):
            x = 0.5 * (x + a / x)
        return x

    def fwd(a):
        x = root(a)
        return x, x

    root.defvjp(fwd, lambda x, ct: (ct / (2.0 * x),))
    assert how(grad(root))(9.0) == pytest.approx(1 / 6)
    assert how(grad(grad(root)))(4.0) == pytest.approx(-1 / 32)
    np.testing.assert_allclose(how(vmap(grad(root)))(X**2), 0.5 / np.abs(X), rtol=1e-14)


@both
def test_residuals_are_any_tree_with_what_is_static_in_it(how):
    class Tag:
        pass

    tag, seen = Tag(), []

    @custom_vjp
    def f(x):
        return {"y": x * 2.0}

    def bwd(residuals, ct):
        seen.append(residuals["tag"])
        assert residuals["name"] == "f" and residuals["none"] is None
        return (ct["y"] * residuals["x"][0] * residuals["n"] * residuals["array"][1],)

    f.defvjp(
        lambda x: (
            f(x),
            {"x": [x], "n": 3, "tag": tag, "name": "f", "none": None, "array": np.arange(3.0)},
        ),
        bwd,
    )
    assert how(grad(lambda x: f(x)["y"]))(5.0) == 15.0
    assert seen == [tag]


@both
def test_trees_of_arguments(how):
    @custom_vjp
    def f(params, x, n):
        return params["w"] * x + params["b"], n + 1

    f.defvjp(
        lambda params, x, n: (f(params, x, n), params["w"]),
        lambda w, ct: ({"w": ct[0] * 7.0, "b": None}, ct[0] * w, None),
    )
    params = {"w": 2.0, "b": 3.0}
    loss = lambda params, x: f(params, x, np.int64(1))[0]
    assert how(grad(loss, argnums=(0, 1)))(params, 5.0) == ({"w": 7.0, "b": 0.0}, 2.0)


@both
def test_nondiff_argnums_come_first(how):
    @custom_vjp(nondiff_argnums=(0, 2))
    def apply(f, x, n):
        return f(x) * n

    apply.defvjp(
        lambda f, x, n: (apply(f, x, n), x),
        lambda f, n, x, ct: (ct * n * f(x) * 10.0,),
    )
    assert how(grad(lambda x: apply(np.exp, x, 2)))(0.0) == 20.0
    assert how(grad(lambda x, n: apply(np.exp, x, n)))(0.0, 3.0) == 30.0
    np.testing.assert_allclose(
        how(vmap(grad(lambda x, n: apply(np.exp, x, n))))(X, X), 10 * X * np.exp(X)
    )
    with pytest.raises(TypeError, match="nondiff_argnums"):
        how(grad(lambda x, n: apply(np.exp, x, n), argnums=1))(0.0, 3.0)


@both
def test_a_value_of_the_function_around(how):
    def loss(x, k):
        @custom_vjp
        def f(x):
            return x

        f.defvjp(lambda x: (x, None), lambda _, ct: (2.0 * k * ct,))
        return f(x) * x

    assert how(grad(loss))(2.0, 3.0) == 2.0 + 2.0 * 6.0
    assert how(grad(grad(loss), argnums=1))(2.0, 3.0) == 4.0
    np.testing.assert_array_equal(how(vmap(grad(loss)))(X, X), X + 2 * X * X)


@both
def test_large_arrays_of_the_rules_surroundings(how):
    table = np.arange(100.0)

    @custom_vjp
    def f(x):
        return np.sum(table * x)

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (2.0 * ct * table,))
    np.testing.assert_allclose(how(grad(f))(np.ones(100)), 2 * table)
    np.testing.assert_allclose(how(vmap(grad(f)))(np.ones((2, 100)))[1], 2 * table)
    np.testing.assert_allclose(how(jit(grad(jit(f))))(np.ones(100)), 2 * table)


@both
def test_custom_functions_nest(how):
    @custom_jvp
    def inner(x):
        return x * x

    inner.defjvp(lambda p, t: (inner(*p), 10.0 * p[0] * t[0]))

    @custom_vjp
    def outer(x):
        return inner(x) * 2.0

    def fwd(x):
        y, pull = inner(x) * 2.0, inner(x)
        return y, pull

    outer.defvjp(fwd, lambda inside, ct: (ct * inside * 100.0,))
    assert how(grad(outer))(3.0) == 900.0
    assert how(grad(grad(outer)))(3.0) == 3000.0


@both
def test_python_may_look_at_values(how):
    @custom_vjp
    def f(x):
        return np.sin(x) if x > 0 else np.cos(x)

    def fwd(x):
        return f(x), ("positive" if x > 0 else "negative", x)

    def bwd(residuals, ct):
        side, x = residuals
        assert (x > 0) == (side == "positive")
        return (ct * (2.0 if side == "positive" else 3.0) * x,)

    f.defvjp(fwd, bwd)
    first, second, pulled = how(grad(f)), how(grad(grad(f))), how(lambda x: vjp(f, x)[1](1.0))
    for x, slope in ((2.0, 2.0), (-2.0, 3.0), (1.0, 2.0)):
        assert first(x) == slope * x
        assert second(x) == slope
        assert pulled(x) == (slope * x,)


@both
def test_no_grad_is_obeyed(how):
    def f(x):
        with no_grad():
            c = sine(x, 1.0)
        return x * c

    assert how(grad(f))(0.5) == pytest.approx(np.sin(0.5))
    assert how(grad(lambda x: sine(stop_gradient(x), 1.0) * x))(0.5) == pytest.approx(np.sin(0.5))


@both
def test_dtypes_are_kept(how):
    x = X.astype(np.float32)
    found = how(grad(lambda x: np.sum(vmap(sine, (0, None))(x, 2.0))))(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 6 * np.cos(2 * x), rtol=1e-5)


def test_a_method():
    class Layer:
        gain = 2.0

        @custom_vjp
        def apply(self, x):
            return self.gain * x

        apply.defvjp(
            lambda self, x: (self.apply(x), self),
            lambda self, ct: (None, ct * self.gain * 10.0),
        )

    assert grad(Layer().apply)(3.0) == 20.0
    assert jit(grad(Layer().apply))(3.0) == 20.0


# --- errors -----------------------------------------------------------------------------------


def broken(fwd, bwd):
    @custom_vjp
    def f(x, y):
        return np.sum(x) * y

    f.defvjp(fwd, bwd)
    return lambda: grad(f, argnums=(0, 1))(X, 2.0)


GOOD = (lambda x, y: (np.sum(x) * y, (x, y)), lambda res, ct: (ct * np.ones(4), ct))
MISTAKES = {
    "fwd gives no pair": ((lambda x, y: np.sum(x), GOOD[1]), "returned Tracer, not a pair"),
    "fwd gives another shape": (
        (lambda x, y: (x, None), GOOD[1]),
        r"returned an output of type f64\[4\], where f64\[\] is wanted",
    ),
    "fwd gives another structure": (
        (lambda x, y: ((y,), None), GOOD[1]),
        "returned an output of structure",
    ),
    "bwd gives no tuple": (
        (GOOD[0], lambda res, ct: ct),
        "must return a tuple with one cotangent for each of the 2 differentiable arguments of f,"
        " and returned Tracer",
    ),
    "bwd gives too few": ((GOOD[0], lambda res, ct: (ct,)), "and returned 1 of them"),
    "bwd gives another shape": (
        (GOOD[0], lambda res, ct: (ct, ct)),
        r"returned a cotangent of type f64\[\], where f64\[4\] is wanted",
    ),
    "bwd gives another dtype": (
        (GOOD[0], lambda res, ct: (np.ones(4, np.float32), ct)),
        r"returned a cotangent of type f32\[4\], where f64\[4\] is wanted",
    ),
    "bwd gives another structure": (
        (GOOD[0], lambda res, ct: ({"x": ct}, ct)),
        "returned a cotangent of structure",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_a_rule_returns_is_checked(name):
    halves, gist = MISTAKES[name]
    with pytest.raises(errors.RuleOutputError, match=gist) as refused:
        broken(*halves)()
    assert re.match(rf"{re.escape(__file__)}:\d+: the rule <lambda>", str(refused.value))


def test_no_rule():
    @custom_vjp
    def f(x):
        return x

    with pytest.raises(errors.MissingRuleError) as refused:
        grad(f)(1.0)
    assert str(refused.value).startswith(__file__)
    assert str(refused.value).endswith("Define it with f.defvjp(fwd, bwd).")


def test_an_exception_of_a_half_reaches_the_user():
    def fwd(x, y):
        raise KeyError("mine")

    def bwd(residuals, ct):
        raise KeyError("mine")

    for halves, name in (((fwd, GOOD[1]), "fwd"), ((GOOD[0], bwd), "bwd")):
        with pytest.raises(KeyError) as raised:
            broken(*halves)()
        assert raised.traceback[-1].name == name
    assert grad(sine)(0.0, 1.0) == 3.0
