"""Arguments and results, and which trace owns what: bullet by bullet."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests.tracer.contract.golden import check_says
from tests.tracer.contract.test_names import same

from tracer import (
    errors,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    stop_gradient,
    trace,
    value_and_grad,
    vjp,
    vmap,
)
from tracer.array import Tracer

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def counted(request, figures):
    figures.cover("contract: tests of arguments, results and owners", {request.node.name})


CALLS = {
    "grad": lambda f, x, *rest, **more: grad(f)(x, *rest, **more),
    "grad_and_value": lambda f, x, *rest, **more: grad_and_value(f)(x, *rest, **more),
    "value_and_grad": lambda f, x, *rest, **more: value_and_grad(f)(x, *rest, **more),
    "jacrev": lambda f, x, *rest, **more: jacrev(f)(x, *rest, **more),
    "jacfwd": lambda f, x, *rest, **more: jacfwd(f)(x, *rest, **more),
    "jacobian": lambda f, x, *rest, **more: jacobian(f)(x, *rest, **more),
    "hessian": lambda f, x, *rest, **more: hessian(f)(x, *rest, **more),
    "vmap": lambda f, x, *rest, **more: vmap(f, (0, *[None] * len(rest)))(
        np.stack([x, x]), *rest, **more
    ),
    "jit": lambda f, x, *rest, **more: jit(f)(x, *rest, **more),
}


@pytest.mark.parametrize("name", CALLS)
def test_arrays_scalars_and_floats_become_tracers(name):
    """Also those that are neither differentiated nor mapped, in trees and in keywords."""
    seen = []

    def f(x, array, scalar, tree, *, keyword, number):
        leaves = [x, array, scalar, tree["a"][0], keyword, number]
        seen.extend(type(leaf) for leaf in leaves)
        assert [leaf.dim() for leaf in leaves] == [1, 2, 0, 0, 1, 0]
        return np.sum(x) * number + x.dot(array)[0]

    m = np.ones((3, 2))
    CALLS[name](f, X, m, np.float32(1.0), {"a": [2.0]}, keyword=np.arange(2), number=0.5)
    assert set(seen) == {Tracer}


@pytest.mark.parametrize("name", [n for n in CALLS if n != "jit"])
def test_ints_and_bools_are_left_alone(name):
    seen = []

    def f(x, n, flag, *, k):
        seen.append((n, flag, k))
        assert type(n) is int
        assert flag is True
        return np.sum(x**n) if flag and k == [3] else None

    CALLS[name](f, X, 2, True, k=[3])
    assert seen[0] == (2, True, [3])


def test_ints_and_bools_are_traced_under_jit():
    types = []

    def f(x, n, flag):
        types.append((n.dtype, n.weak, flag.dtype))
        return np.where(flag, x * n, x)

    single = X.astype(np.float32)
    compiled = jit(f)
    same(compiled(single, 2, True), single * 2)
    same(compiled(single, 3, False), single)
    assert types == [(np.int64, True, np.bool_)]


def test_python_gets_the_int_that_it_needs_under_jit():
    traced = []

    def f(x, n):
        traced.append(1)
        return sum(x for _ in range(n))

    compiled = jit(f)
    for n in (2, 3, 2, 3, 2):
        assert compiled(1.5, n) == 1.5 * n
    assert len(traced) == 2


def test_other_leaves_are_static_under_jit():
    traced = []

    def f(x, how):
        traced.append(how)
        return x * 2 if how == "double" else x

    compiled = jit(f)
    assert [compiled(1.0, how) for how in ("double", "half", "double")] == [2.0, 1.0, 2.0]
    assert traced == ["double", "half"]
    with pytest.raises(errors.StaticArgumentError):
        compiled(1.0, {1, 2})


def test_static_values_are_told_apart_by_type_and_bits():
    traced = []
    compiled = jit(lambda x, k: traced.append(k) or x, static_argnums=1)
    keys = (1, 1.0, True, np.int64(1), np.float32(1.0), 0.0, -0.0, "1", (1,), (1.0,))
    for _ in range(2):
        for key in keys:
            compiled(2.0, key)
    assert list(map(repr, traced)) == list(map(repr, keys))
    for nan in (float("nan"), float("nan")):
        compiled(2.0, nan)
    assert len(traced) == len(keys) + 1


SCALARS = {
    "sum": np.sum, "sin": np.sin, "product": lambda x: x[0] * x[1], "item": lambda x: x[0],
    "mean": np.mean, "norm": np.linalg.norm, "max": np.max, "dot": lambda x: np.dot(x, x),
    "matmul": lambda x: x @ x, "argmax": np.argmax, "any": np.any,
}  # fmt: skip
ARRAYS = {
    "reshape": lambda x: np.reshape(x[:1], ()), "ellipsis": lambda x: x[0, ...],
    "where": lambda x: np.where(x[0] > 0, x[0], x[1]), "squeeze": lambda x: np.squeeze(x[:1]),
    "copy": lambda x: np.copy(x[0]), "stack": lambda x: np.stack([x[0]])[:1].reshape(()),
    "broadcast": lambda x: np.broadcast_to(x[0], ()), "T": lambda x: x[:1].reshape(()).T,
}  # fmt: skip


@pytest.mark.parametrize("name", [*SCALARS, *ARRAYS])
def test_scalars_where_numpy_gives_them(name):
    f = (SCALARS | ARRAYS)[name]
    expected = f(X)
    if name != "sin":
        assert isinstance(expected, np.generic) == (name in SCALARS)
    for found in (jit(f)(X), vmap(lambda x: f(X * 1.0), out_dims=None)(X)):
        same(found, expected)
    if expected.dtype.kind == "f":
        for found in (vjp(f, X)[0], jvp(f, (X,), (X,))[0], linearize(f, X)[0]):
            same(found, expected)


def test_untraced_outputs_come_back_as_they_were():
    table, marker = np.arange(3), ("a", 1, None, 2.5)
    found = jit(lambda x: (x, table, marker))(1.0)
    assert found[2] == marker
    same(found[1], table)
    assert found[1] is not table
    assert not np.shares_memory(found[1], table)
    aux = grad(lambda x: (x, (table, marker)), has_aux=True)(1.0)[1]
    assert aux[1] == marker
    assert not np.shares_memory(aux[0], table)


def test_dicts_keep_their_order():
    given = {"z": X, "a": 2.0, "m": [1.0]}
    total = lambda p: np.sum(p["z"]) * p["a"] + p["m"][0]
    for found in (grad(total)(given), jit(lambda p: p)(given), jacfwd(total)(given),
                  vjp(lambda p: p, given)[0], jit(grad(total))(given)):  # fmt: skip
        assert list(found) == ["z", "a", "m"]


@pytest.mark.parametrize("size", [3, 300])
def test_captured_arrays_are_as_they_were_when_traced(size):
    table = np.ones(size)
    f = lambda x: np.sum(table * x)
    compiled = jit(f)
    assert compiled(2.0) == 2 * size
    assert grad(f)(2.0) == size
    table[:] = 3.0
    assert compiled(2.0) == 2 * size
    assert grad(f)(2.0) == 3 * size
    assert vmap(f)(np.array([1.0])) == 3 * size


def test_a_closure_and_a_global_are_read_at_each_call():
    scale = [1.0]
    slope = grad(lambda x: x * scale[0])
    assert slope(2.0) == 1.0
    scale[0] = 5.0
    assert slope(2.0) == 5.0


def test_outer_arithmetic_stays_outside():
    keep = []

    def inner(b, a):
        keep.append(a * a)
        return b * 2.0

    def outer(a):
        grad(inner)(1.0, a)
        grad(lambda b: inner(b, a))(1.0)
        return keep[-1] * a

    assert grad(outer)(2.0) == 12
    assert jit(grad(outer))(2.0) == 12


def test_what_is_passed_in_belongs_to_the_inner_trace():
    keep = []

    def outer(a):
        grad(lambda b, c: keep.append(c * c) or b)(1.0, a)
        return keep[-1] * a

    with pytest.raises(errors.LeakedTracerError):
        grad(outer)(2.0)


def test_an_outer_value_enters_once_and_without_a_tangent():
    found = []

    def outer(a):
        def inner(b):
            c = a * b + a * b * a
            found.append((len(c.home.hidden), {c.home.sources[v].value for v in c.home.hidden}))
            return c

        return grad(inner)(3.0)

    # d/da (a + a * a)
    assert grad(outer)(2.0) == 5
    assert found[0][0] == len(found[0][1]) == 1
    same(vmap(lambda a: vmap(lambda b: a * b)(X))(X), np.outer(X, X))


def test_a_jitted_function_on_tracers_is_a_part_of_the_trace():
    inner = jit(lambda x: x**3 if x > 0 else -x)
    outer = jit(grad(inner))
    assert [outer(2.0), outer(-2.0), outer(2.0), grad(inner)(2.0)] == [12.0, -1.0, 12.0, 12.0]
    assert inner.variants == []
    assert len(outer.variants) == 2
    assert inner(2.0) == 8.0
    assert len(inner.variants) == 1
    assert [grad(inner)(-1.0), jit(lambda x: inner(x) * 2)(-1.0)] == [-1.0, 2.0]
    assert len(inner.variants) == 1


@pytest.mark.parametrize("argument", [False, True])
def test_a_tracer_of_another_thread_is_refused_with_both_lines(argument):
    def other(x):
        y = x if argument else x * 2
        raised = []

        def work():
            try:
                y + 1
            except errors.LeakedTracerError as error:
                raised.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise raised[0]

    with pytest.raises(errors.LeakedTracerError) as caught:
        grad(other)(1.0)
    line = other.__code__.co_firstlineno + 1
    made = f"made at {__file__}:{line}: y = x if argument else x * 2"
    check_says(
        caught.value,
        __file__,
        "Tracer<f64[]> escaped from other, whose trace runs in another thread (the tracer was"
        f" {'an argument of other' if argument else made}).",
        "Return the value from the function, with has_aux=True if it is not to be differentiated,"
        " instead of storing it.",
    )


def test_a_tracer_of_a_finished_trace_is_refused_with_both_lines():
    keep = []

    def leaky(x):
        keep.append(np.sin(x) * 2)
        return x

    grad(leaky)(1.0)
    with pytest.raises(errors.LeakedTracerError) as caught:
        np.cos(keep[0])
    line = leaky.__code__.co_firstlineno + 1
    check_says(
        caught.value,
        __file__,
        "Tracer<f64[]> escaped from leaky, whose trace has ended (the tracer was made at"
        f" {__file__}:{line}: keep.append(np.sin(x) * 2)).",
        "Return the value from the function, with has_aux=True if it is not to be differentiated,"
        " instead of storing it.",
    )


def test_stop_gradient_is_one_op():
    text = str(trace(lambda x: stop_gradient(x) * x, "f64[2]"))
    assert "stop_gradient %0" in text
