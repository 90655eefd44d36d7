"""checkpoint: the same values and derivatives, with less memory."""

from __future__ import annotations

import numpy as np
import pytest

from ir.parser import parse_program
from ir.passes.cse import cse
from tracer import (
    checkpoint,
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
    trace,
    value_and_grad,
    vjp,
    vmap,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=5)
PLAIN = {"un-jitted": lambda f: f, "jitted": jit}
both = pytest.mark.parametrize("how", PLAIN.values(), ids=PLAIN)


def block(x):
    y = np.sin(np.exp(x) * x)
    return np.cumsum(y * y) / (1.0 + np.sum(y) ** 2)


def chain(layer, count=3):
    def f(x):
        for _ in range(count):
            x = layer(x)
        return np.sum(x * x)

    return f


TRANSFORMS = {
    "value": lambda f: f,
    "grad": grad,
    "value_and_grad": value_and_grad,
    "jvp": lambda f: lambda x: jvp(f, (x,), (np.cos(x),)),
    "vjp": lambda f: lambda x: vjp(f, x)[1](2.0),
    "linearize": lambda f: lambda x: linearize(f, x)[1](np.cos(x)),
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "hessian": hessian,
    "grad of grad": lambda f: grad(lambda x: np.sum(grad(f)(x) ** 2)),
    "grad of jvp": lambda f: grad(lambda x: jvp(f, (x,), (np.cos(x),))[1]),
    "jvp of grad": lambda f: lambda x: jvp(grad(f), (x,), (np.cos(x),))[1],
    "grad of linearize": lambda f: grad(lambda x: linearize(f, x)[1](np.cos(x))),
}


def same(found, want):
    found, want = (x if isinstance(x, tuple) else (x,) for x in (found, want))
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@both
@pytest.mark.parametrize("name", TRANSFORMS)
def test_nothing_changes(name, how):
    transform = TRANSFORMS[name]
    want = transform(chain(block))(X)
    same(how(transform(chain(checkpoint(block))))(X), want)
    same(how(transform(checkpoint(chain(block))))(X), want)
    same(how(transform(checkpoint(chain(checkpoint(block)))))(X), want)


@both
@pytest.mark.parametrize("name", TRANSFORMS)
def test_nothing_changes_over_a_batch(name, how):
    batch = RNG.normal(size=(3, 5))
    transform = TRANSFORMS[name]
    want = vmap(transform(chain(block)))(batch)
    same(how(vmap(transform(chain(checkpoint(block)))))(batch), want)


@both
@pytest.mark.parametrize("derive", [jacfwd, jacrev])
def test_derivatives_of_a_batch(how, derive):
    batch = RNG.normal(size=(3, 5))
    f, g = vmap(chain(block)), vmap(chain(checkpoint(block)))
    same(how(derive(g))(batch), derive(f)(batch))


def layers(layer):
    def loss(weights, x):
        for w in weights:
            x = layer(x, w)
        return np.mean(x * x)

    return loss


def dense(x, w):
    """A layer whose inside is several times as large as its argument."""
    h = np.tanh(x @ w)
    h = np.exp(-h * h) + h
    h = np.tanh(h @ w)
    return np.sin(h) * h


def elementwise(x, w):
    for _ in range(2):
        x = np.sin(np.exp(-x) + x * np.sum(w))
    return np.cumsum(x, axis=0) / len(x)


@pytest.mark.parametrize("layer", [dense, elementwise])
def test_32_layers_need_less_memory(layer, figures):
    weights = [RNG.normal(size=(24, 24)) / 5 for _ in range(32)]
    x = RNG.normal(size=(200, 24))
    plain, less = jit(grad(layers(layer))), jit(grad(layers(checkpoint(layer))))
    for a, b in zip(plain(weights, x), less(weights, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    large, small = (f.lower(weights, x).compiled.workspace for f in (plain, less))
    one = x.nbytes
    assert large > 32 * 2 * one
    assert small < 32 * one + 12 * one  # the arguments, and the inside of one layer
    figures.add(f"bytes of workspace, 32 {layer.__name__} layers", large)
    figures.add(f"bytes of workspace, 32 {layer.__name__} layers, checkpointed", small)


def test_a_whole_function_computes_again_after_its_cotangent_is_known():
    """The barrier orders: what is computed again is not kept from the first time."""
    stages = jit(grad(layers(checkpoint(dense)))).lower([np.ones((24, 24))] * 4, np.ones((200, 24)))
    ir = stages.ir
    assert "barrier" in ir
    assert ir.count("tanh") == 16


def test_cse_keeps_what_is_behind_a_barrier():
    p = parse_program("""
program p(%0: f64[3], %1: f64[]) {
  %2: f64[3] = exp %0
  %3: f64[3] = barrier %0, %1
  %4: f64[3] = exp %3
  return %2, %4
}""")
    assert str(cse(p)) == str(p)


@both
def test_trees_keywords_and_what_is_no_array(how):
    @checkpoint
    def f(tree, n, *, scale, name):
        return {"y": tree["x"][0] * scale ** n, "name": name, "n": n}  # fmt: skip

    def loss(x):
        made = f({"x": (x,)}, 2, scale=np.float64(3.0), name="mine")
        assert made["name"] == "mine" and made["n"] == 2
        return made["y"]

    assert how(loss)(2.0) == 18.0
    assert how(grad(loss))(2.0) == 9.0
    assert f({"x": (2.0,)}, 1, scale=2.0, name=None) == {"y": 4.0, "name": None, "n": 1}


@both
def test_values_of_the_function_around_are_differentiated(how):
    def loss(x, k):
        return checkpoint(lambda y: np.sin(y * k))(x)

    same(how(grad(loss, argnums=(0, 1)))(0.5, 3.0), (3 * np.cos(1.5), 0.5 * np.cos(1.5)))


@both
def test_python_may_look_at_values(how):
    @checkpoint
    def f(x):
        return np.sin(x) if x > 0 else x * x

    first, second = how(grad(lambda x: f(x * 2.0))), how(grad(grad(f)))
    for x in (0.7, -0.7, 2.0):
        same(first(x), 2 * np.cos(2 * x) if x > 0 else 8 * x)
        same(second(x), -np.sin(x) if x > 0 else 2.0)
    with pytest.raises(errors.ConcretizationError, match="vmap cannot"):
        vmap(f)(X)


@both
def test_with_rules_of_the_users_own(how):
    @custom_jvp
    def sine(x):
        return np.sin(x)

    sine.defjvp(lambda p, t: (sine(*p), 3.0 * np.cos(p[0]) * t[0]))

    @custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, x), lambda x, ct: (np.clip(ct, -1.0, 1.0) * x,))
    f = checkpoint(lambda x: clipped(sine(x)) * 10.0)
    for g in (f, checkpoint(f)):
        same(how(grad(g))(0.5), 3 * np.cos(0.5) * np.sin(0.5))
        same(how(vmap(grad(g)))(X), 3 * np.cos(X) * np.sin(X))

    @custom_vjp
    def outer(x):
        return checkpoint(np.exp)(x)

    outer.defvjp(lambda x: (outer(x), x), lambda x, ct: (ct * checkpoint(np.exp)(x) * 2.0,))
    same(how(grad(outer))(0.5), 2 * np.exp(0.5))
    same(how(grad(grad(outer)))(0.5), 2 * np.exp(0.5))


@both
def test_no_grad_inside(how):
    @checkpoint
    def f(x):
        with no_grad():
            c = x**2
        return x * c

    assert how(grad(f))(3.0) == 9.0


def test_integers_beside_floats():
    @checkpoint
    def f(x, n):
        return x * n, n + 1

    x, n = X, np.arange(5)
    same(grad(lambda x: np.sum(f(x, n)[0]))(x), n.astype(float))
    same(jit(f)(x, n), f(x, n))


def test_it_is_a_decorator_that_keeps_the_name():
    @checkpoint
    def layer(x):
        "A layer."
        return x

    assert (layer.__name__, layer.__doc__) == ("layer", "A layer.")
    assert "custom_call[rule=checkpoint]" in str(trace(layer, "f64[]"))


def test_an_exception_reaches_the_user():
    @checkpoint
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError) as raised:
        grad(f)(1.0)
    assert raised.traceback[-1].name == "f"
    assert grad(checkpoint(np.sin))(0.0) == 1.0
