"""Nesting, and the table of no_grad at x = 2: interpreted, compiled, batched."""

from __future__ import annotations

import numpy as np
import pytest

from ir.passes.cse import cse
from ir.passes.pipeline import CLEANUP, COMPILE, run
from tracer import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacobian,
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
from tracer.stack import STACK, Scope


def f(x):
    with no_grad():
        c = x**2
    return x - c


def g(x):
    y = x**2
    with no_grad():
        c = x**2
    return y - c


def h(x):
    with no_grad():
        return grad(lambda z: z**3)(x)


def minus_value(x):
    with no_grad():
        _, value = grad_and_value(lambda z: z**3)(x)
    return x**3 - value


def under(transformed):
    def call(x):
        with no_grad():
            return transformed(x)

    return call


def pulled_inside(x):
    _, pull = vjp(lambda y: y**2, x)
    with no_grad():
        return pull(1.0)[0]


def pushed_inside(x):
    _, push = linearize(lambda y: y**2, x)
    with no_grad():
        return push(1.0)


ROWS = {
    "grad(f)": (grad(f), 1),
    "no_grad: grad(f)": (under(grad(f)), 1),
    "no_grad: grad(square)": (under(grad(lambda x: x**2)), 4),
    "no_grad: grad(grad(cube))": (under(grad(grad(lambda x: x**3))), 12),
    "grad(g)": (grad(g), 4),
    "grad(grad(g))": (grad(grad(g)), 2),
    "h": (h, 12),
    "grad(h)": (grad(h), 0),
    "grad of x**3 less its value under no_grad": (grad(minus_value), 12),
    "vjp_fn called inside no_grad": (pulled_inside, 4),
    "jvp_fn called inside no_grad": (pushed_inside, 4),
    "jvp of f": (lambda x: jvp(f, (x,), (1.0,))[1], 1),
    "jacfwd of f": (jacfwd(f), 1),
    "jacrev of f": (jacrev(f), 1),
    "jacobian of f": (jacobian(f), 1),
    "hessian of g": (hessian(g), 2),
    "value_and_grad of f": (lambda x: value_and_grad(f)(x)[1], 1),
    "linearize of f": (lambda x: linearize(f, x)[1](1.0), 1),
    "vjp of f": (lambda x: vjp(f, x)[1](1.0)[0], 1),
    "confusion of two levels": (
        lambda x: grad(lambda a: a * grad(lambda b: a + b)(1.0))(x - 1.0), 1,
    ),
    "a gradient at an outer value": (
        lambda x: grad(lambda a: grad(lambda b: a * b * b)(a))(x + 1.0), 12,
    ),
    "stop_gradient": (grad(lambda x: x * stop_gradient(x)), 2),
    "stop_gradient in forward mode": (jacfwd(lambda x: x * stop_gradient(x)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(name, figures):
    call, expected = ROWS[name]
    assert call(2.0) == expected
    assert jit(call)(2.0) == expected
    assert jit(call)(np.float32(2.0)) == expected
    np.testing.assert_array_equal(vmap(call)(np.array([2.0, 2.0])), [expected] * 2)
    np.testing.assert_array_equal(jit(vmap(call))(np.array([2.0, 2.0])), [expected] * 2)
    assert STACK.get() == ()
    figures.cover("contract: rows of the table of no_grad", {name})


def test_no_grad_is_still_in_force_after_a_transform():
    with no_grad():
        scopes = [entry for entry in STACK.get() if isinstance(entry, Scope)]
        assert len(scopes) == 1
        for transform in (grad(f), jacfwd(f), hessian(g), jit(f)):
            transform(2.0)
        vmap(f)(np.ones(2))
        assert [entry for entry in STACK.get() if isinstance(entry, Scope)] == scopes
    assert STACK.get() == ()


def test_stop_gradient_is_in_the_text():
    assert str(trace(g, "f64[]")).count("stop_gradient") == 1
    assert "stop_gradient" in str(trace(lambda x: stop_gradient(x) * x, "f64[]"))


def test_one_stop_for_each_value_and_scope():
    def twice(x):
        with no_grad():
            a = np.sin(x) + np.cos(x)
        with no_grad():
            b = np.sin(x)
        return a + b

    assert str(trace(twice, "f64[]")).count("stop_gradient") == 2


def test_cse_keeps_what_no_grad_hides_apart():
    program = trace(g, "f64[]")
    powers = [eq for eq in cse(program).equations if eq.op.mnemonic == "integer_pow"]
    assert len(powers) == 2


def test_only_the_compiler_drops_the_stops():
    program = trace(g, "f64[]")
    assert "stop_gradient" in str(run(program, CLEANUP))
    assert "stop_gradient" not in str(run(program, COMPILE))
