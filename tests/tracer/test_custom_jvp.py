"""custom_jvp: a derivative of the user's own, under every transform and combination of them."""

from __future__ import annotations

import gc
import re
import weakref

import numpy as np
import pytest

from tracer import (
    ShapeDtype,
    custom_jvp,
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


def tripled():
    """sin, with three times its derivative: the rule is seen wherever it is used."""

    @custom_jvp
    def sine(x):
        return np.sin(x)

    @sine.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        return sine(x), 3.0 * np.cos(x) * dx

    return sine


sine = tripled()
PLAIN = {"un-jitted": lambda f: f, "jitted": jit}
both = pytest.mark.parametrize("how", PLAIN.values(), ids=PLAIN)


@both
def test_the_function_itself_is_not_changed(how):
    np.testing.assert_array_equal(sine(X), np.sin(X))
    np.testing.assert_allclose(how(sine)(X), np.sin(X), rtol=1e-15)
    np.testing.assert_allclose(how(vmap(sine))(X), np.sin(X), rtol=1e-15)


DERIVATIVES = {
    "grad": (lambda: grad(sine), lambda x: 3 * np.cos(x)),
    "grad of grad": (lambda: grad(grad(sine)), lambda x: -3 * np.sin(x)),
    "three times": (lambda: grad(grad(grad(sine))), lambda x: -3 * np.cos(x)),
    "jvp": (lambda: lambda x: jvp(sine, (x,), (2.0,))[1], lambda x: 6 * np.cos(x)),
    "vjp": (lambda: lambda x: vjp(sine, x)[1](2.0)[0], lambda x: 6 * np.cos(x)),
    "linearize": (lambda: lambda x: linearize(sine, x)[1](2.0), lambda x: 6 * np.cos(x)),
    "jacfwd": (lambda: jacfwd(sine), lambda x: 3 * np.cos(x)),
    "jacrev": (lambda: jacrev(sine), lambda x: 3 * np.cos(x)),
    "hessian": (lambda: hessian(sine), lambda x: -3 * np.sin(x)),
    "jacrev of jacrev": (lambda: jacrev(jacrev(sine)), lambda x: -3 * np.sin(x)),
    "jacfwd of jacfwd": (lambda: jacfwd(jacfwd(sine)), lambda x: -3 * np.sin(x)),
    "jvp of grad": (lambda: lambda x: jvp(grad(sine), (x,), (1.0,))[1], lambda x: -3 * np.sin(x)),
    "grad of jvp": (
        lambda: grad(lambda x: jvp(sine, (x,), (1.0,))[1]),
        lambda x: -3 * np.sin(x),
    ),
    "the chain rule": (
        lambda: grad(lambda x: np.exp(sine(x * x))),
        lambda x: np.exp(np.sin(x * x)) * 3 * np.cos(x * x) * 2 * x,
    ),
    "jit inside": (
        lambda: grad(jit(lambda x: sine(x) * x)),
        lambda x: np.sin(x) + 3 * x * np.cos(x),
    ),
    "value_and_grad": (lambda: lambda x: value_and_grad(sine)(x)[1], lambda x: 3 * np.cos(x)),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_are_those_of_the_rule(name, how):
    make, want = DERIVATIVES[name]
    for x in (0.7, -2.0):
        np.testing.assert_allclose(how(make())(x), want(x), rtol=1e-13)


@both
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_over_a_batch(name, how):
    make, want = DERIVATIVES[name]
    np.testing.assert_allclose(how(vmap(make()))(X), want(X), rtol=1e-13)


@both
@pytest.mark.parametrize("derive", [jacfwd, jacrev])
def test_derivatives_of_a_batch(how, derive):
    for f in (vmap(sine), sine, vmap(vmap(sine, 0), None, 0, axis_size=1)):
        found = np.squeeze(how(derive(f))(X))
        np.testing.assert_allclose(found, np.diag(3 * np.cos(X)), rtol=1e-13)


@both
def test_a_linear_function_may_be_its_own_rule(how):
    @custom_jvp
    def running(x):
        y = np.zeros_like(x)
        for i in range(len(x)):
            y[i] = x[i] + (y[i - 1] if i else 0.0)
        return y

    running.defjvp(lambda primals, tangents: (running(*primals), running(*tangents)))
    want = np.tril(np.ones((4, 4)))
    for derive in (jacfwd, jacrev):
        np.testing.assert_array_equal(how(derive(running))(X), want)
    square = lambda x: np.sum(running(x) ** 2)
    np.testing.assert_allclose(how(hessian(square))(X), 2 * want.T @ want)
    np.testing.assert_allclose(how(grad(lambda x: np.sum(grad(square)(x) ** 2)))(X),
                               8 * np.linalg.matrix_power(want.T @ want, 2) @ X)  # fmt: skip


def test_the_rule_runs_only_when_a_derivative_is_taken():
    calls = []

    @custom_jvp
    def f(x):
        calls.append("f")
        return x * x

    @f.defjvp
    def rule(primals, tangents):
        calls.append("rule")
        return f(*primals), 5.0 * tangents[0]

    f(2.0), jit(f)(2.0), vmap(f)(X), trace(f, "f64[]")
    assert "rule" not in calls
    assert grad(f)(2.0) == 5.0
    assert calls.count("rule") == 1
    calls.clear()
    grad(lambda x, y: f(x) * y, argnums=1)(2.0, 3.0)
    assert "rule" not in calls


def test_the_output_is_the_rules_where_a_derivative_is_taken():
    @custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: (primals[0] + 1.0, tangents[0]))
    assert f(1.0) == 1.0
    assert value_and_grad(f)(1.0) == (2.0, 1.0)
    assert jit(value_and_grad(f))(1.0) == (2.0, 1.0)


@both
def test_nondiff_argnums_come_first(how):
    seen = []

    @custom_jvp(nondiff_argnums=(0, 2))
    def apply(f, x, n):
        return f(x) ** n

    @apply.defjvp
    def rule(f, n, primals, tangents):
        seen.append(n)
        (x,), (dx,) = primals, tangents
        return apply(f, x, n), 10.0 * n * dx

    assert how(grad(lambda x: apply(np.sin, x, 3)))(0.5) == 30.0
    assert set(seen) == {3}
    np.testing.assert_array_equal(how(vmap(grad(lambda x: apply(np.sin, x, 2))))(X), [20.0] * 4)


@both
def test_a_traced_argument_may_be_nondifferentiable(how):
    @custom_jvp(nondiff_argnums=1)
    def scaled(x, k):
        return x * k

    @scaled.defjvp
    def rule(k, primals, tangents):
        return scaled(*primals, k), 7.0 * k * tangents[0]

    assert how(grad(scaled))(2.0, 3.0) == 21.0
    np.testing.assert_array_equal(how(vmap(grad(scaled)))(X, X), 7.0 * X)
    with pytest.raises(TypeError, match="nondiff_argnums") as refused:
        how(grad(scaled, argnums=1))(2.0, 3.0)
    assert str(refused.value).startswith(__file__)
    assert how(grad(lambda k: scaled(2.0, stop_gradient(k)) * k))(3.0) == 6.0


@both
def test_trees_integers_and_keywords(how):
    @custom_jvp
    def f(tree, n, scale=2.0):
        return {"product": tree["a"] * tree["b"][0] * scale, "count": n + 1}

    @f.defjvp
    def rule(primals, tangents):
        tree, n, scale = primals
        dtree, dn, dscale = tangents
        assert dn is None
        out = f(tree, n, scale)
        moved = dtree["a"] * 100.0 + dtree["b"][0] * 10.0 + dscale
        return out, {"product": moved, "count": None}

    tree = {"a": 2.0, "b": (3.0,)}
    out, grads = how(
        lambda t, s: (f(t, n=np.int64(4), scale=s), grad(lambda t, s: f(t, 4, scale=s)["product"],
                                                         argnums=(0, 1))(t, s))
    )(tree, 5.0)  # fmt: skip
    assert out == {"product": 30.0, "count": 5}
    assert grads == ({"a": 100.0, "b": (10.0,)}, 1.0)


@both
def test_defjvps(how):
    @custom_jvp
    def f(x, y, z):
        return x * y, z

    f.defjvps(
        lambda t, out, x, y, z: (2.0 * t * y, 0.0 * t),
        None,
        lambda t, out, x, y, z: (0.0 * t, 3.0 * t),
    )
    grads = how(grad(lambda x, y, z: sum(f(x, y, z)), argnums=(0, 1, 2)))(2.0, 5.0, 7.0)
    assert grads == (10.0, 0.0, 3.0)


@both
def test_a_method(how):
    class Layer:
        def __init__(self, gain):
            self.gain = gain

        @custom_jvp
        def apply(self, x):
            return self.gain * x

        @apply.defjvp
        def rule(primals, tangents):
            (self, x), (_, dx) = primals, tangents
            return self.apply(x), 10.0 * self.gain * dx

    assert Layer(2.0).apply(3.0) == 6.0
    assert how(grad(Layer(2.0).apply))(3.0) == 20.0


@both
def test_custom_functions_nest(how):
    @custom_jvp
    def outer(x):
        return sine(x) * x

    @outer.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        return outer(x), 100.0 * sine(x) * dx

    assert how(grad(outer))(0.5) == pytest.approx(100 * np.sin(0.5))
    assert how(grad(grad(outer)))(0.5) == pytest.approx(300 * np.cos(0.5))


@both
def test_large_arrays_of_the_rules_surroundings_are_part_of_it(how):
    table = np.arange(100.0)

    @custom_jvp
    def f(x):
        return np.sum(table * x)

    f.defjvp(lambda primals, tangents: (f(*primals), np.sum(table * tangents[0]) * 2))
    x = np.linspace(0, 1, 100)
    np.testing.assert_allclose(how(grad(f))(x), 2 * table)
    np.testing.assert_allclose(how(jit(grad(f)))(x), 2 * table)
    np.testing.assert_allclose(how(vmap(grad(f)))(np.stack([x, x]))[1], 2 * table)


@both
def test_a_value_of_the_function_around(how):
    def loss(x, k):
        @custom_jvp
        def f(x):
            return x * k

        f.defjvp(lambda primals, tangents: (f(*primals), 10.0 * k * tangents[0]))
        return f(x)

    assert how(grad(loss))(2.0, 3.0) == 30.0
    np.testing.assert_array_equal(how(vmap(grad(loss)))(X, X), 10 * X)
    with pytest.raises(TypeError, match="comes from the function around"):
        how(grad(loss, argnums=1))(2.0, 3.0)


@both
def test_a_value_of_the_function_around_in_the_rule_alone(how):
    def loss(x, k):
        @custom_jvp
        def f(x):
            return x

        f.defjvp(lambda primals, tangents: (primals[0], k * tangents[0]))
        return f(x) * x

    assert how(grad(loss))(2.0, 3.0) == 2.0 + 2.0 * 3.0
    assert how(grad(grad(loss), argnums=1))(2.0, 3.0) == 2.0


def test_a_computed_value_of_the_function_around_is_refused():
    def loss(x, k):
        @custom_jvp
        def f(x):
            return x

        holder = [lambda: k * 2.0]
        f.defjvp(lambda primals, tangents: (primals[0], holder[0]() * tangents[0]))
        return f(x)

    with pytest.raises(errors.ClosureError, match="Pass it to f as an argument"):
        grad(loss)(2.0, 3.0)


def huber():
    @custom_jvp
    def f(x):
        return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5

    @f.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        return f(x), (x if abs(x) < 1 else 100.0 * np.sign(x)) * dx

    return f


@both
def test_python_may_look_at_values(how):
    f = huber()
    transforms = {
        "grad": how(grad(f)),
        "jvp": how(lambda x: jvp(f, (x,), (1.0,))[1]),
        "linearize": how(lambda x: linearize(f, x)[1](1.0)),
        "inside": how(grad(lambda x: f(x * 1.0))),
    }
    second = how(grad(grad(f)))
    for x in (0.5, -3.0, 4.0, 0.25, -2.0):
        want = x if abs(x) < 1 else 100.0 * np.sign(x)
        assert {name: g(x) for name, g in transforms.items()} == dict.fromkeys(transforms, want)
        assert second(x) == (1.0 if abs(x) < 1 else 0.0)


def test_a_batch_has_no_one_value():
    with pytest.raises(errors.ConcretizationError, match="vmap cannot choose a branch"):
        vmap(huber())(X)
    with pytest.raises(errors.ConcretizationError):
        vmap(grad(huber()))(X)


@both
def test_no_grad_is_obeyed(how):
    def f(x):
        with no_grad():
            c = sine(x)
        return x * c

    assert how(grad(f))(0.5) == pytest.approx(np.sin(0.5))
    assert how(grad(lambda x: sine(stop_gradient(x)) * x))(0.5) == pytest.approx(np.sin(0.5))


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(how, dtype):
    x = np.array([0.5, 1.0], dtype)
    found = how(grad(lambda x: np.sum(sine(x))))(x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, 3 * np.cos(x), rtol=1e-6)
    assert type(how(grad(sine))(dtype(0.5))) is dtype


def test_shapes_alone():
    p = trace(grad(lambda x: np.sum(sine(x))), ShapeDtype((3,), np.float32))
    assert str(p.results[0].type) == "f32[3]"
    assert "custom_call[rule=sine]" in str(p)


def test_the_compiled_program_has_no_calls_left():
    ir = jit(grad(lambda x: np.sum(sine(x)))).lower(X).ir
    assert "custom_call" not in ir
    assert "reshape" not in ir


def test_un_jitted_derivatives_keep_nothing():
    kept = []

    def once():
        a = np.ones(1000)
        kept.append(weakref.ref(a))

        @custom_jvp
        def f(x):
            return np.sum(a * x)

        f.defjvp(lambda p, t: (f(*p), np.sum(a * t[0])))
        grad(f)(np.ones(1000)), vmap(f)(np.ones((2, 1000)))

    once()
    gc.collect()
    assert kept[0]() is None


# --- errors -----------------------------------------------------------------------------------


def broken(rule, x=2.0):
    @custom_jvp
    def f(x):
        return np.sin(x)

    f.defjvp(rule)
    return lambda: grad(lambda x: np.sum(f(x)))(x)


MISTAKES = {
    "no pair": (lambda p, t: np.sin(p[0]), "returned Tracer, not a pair"),
    "a triple": (lambda p, t: (1.0, 2.0, 3.0), "returned tuple, not a pair"),
    "structure of the output": (
        lambda p, t: ((p[0],), (t[0],)),
        "returned an output of structure",
    ),
    "structure of the tangent": (
        lambda p, t: (p[0], (t[0],)),
        r"returned a tangent of structure \(\*,\), where \* is wanted",
    ),
    "shape of the output": (
        lambda p, t: (np.stack([p[0], p[0]]), t[0]),
        r"returned an output of type f64\[2\], where f64\[\] is wanted",
    ),
    "shape of the tangent": (
        lambda p, t: (p[0], np.stack([t[0], t[0]])),
        r"returned a tangent of type f64\[2\], where f64\[\] is wanted",
    ),
    "dtype of the tangent": (
        lambda p, t: (p[0], np.floor(t[0]).astype(np.int64)),
        r"returned a tangent of type i64\[\], where f64\[\] is wanted",
    ),
    "no array": (lambda p, t: (p[0], "1"), "returned a tangent of type str"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_a_rule_returns_is_checked(name):
    rule, gist = MISTAKES[name]
    for expected in (RuntimeError, TypeError, ValueError):
        with pytest.raises(expected, match=gist) as refused:
            broken(rule)()
    head = re.match(rf"{re.escape(__file__)}:\d+: the rule <lambda> returned", str(refused.value))
    assert head
    assert type(refused.value) is errors.RuleOutputError


def test_no_rule():
    @custom_jvp
    def f(x):
        return x

    for call in (lambda: f(1.0), lambda: grad(f)(1.0)):
        with pytest.raises(AttributeError) as refused:
            call()
        assert str(refused.value).startswith(__file__)
        assert "no derivative is defined for f, a custom_jvp function" in str(refused.value)
        assert str(refused.value).endswith("Define it with f.defjvp(rule).")


def test_a_rule_that_is_not_linear_in_its_tangents():
    with pytest.raises(TypeError, match="not linear"):
        broken(lambda p, t: (p[0], np.exp(t[0])))()


def test_an_exception_of_the_rule_reaches_the_user():
    def rule(primals, tangents):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        broken(rule)()
    assert raised.traceback[-1].name == "rule"
    assert grad(sine)(0.0) == 3.0


def test_keyword_only_arguments_are_refused():
    @custom_jvp
    def f(x, *, k=1.0):
        return x * k

    f.defjvp(lambda p, t: (f(*p), t[0]))
    with pytest.raises(TypeError, match="the argument k of f has no position"):
        grad(f)(1.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        f(1.0, q=2)


def test_an_output_that_is_no_array():
    @custom_jvp
    def f(x):
        return "no"

    f.defjvp(lambda p, t: ("no", None))
    with pytest.raises(errors.OutputError, match="custom_jvp expected f to return arrays"):
        grad(lambda x: f(x) and x)(1.0)
