"""no_grad at its border: what is given back unchanged, generators, threads, contexts."""

from __future__ import annotations

import contextvars
import threading

import numpy as np
import pytest

import tracer
from tracer import grad, jacfwd, jvp, no_grad, vmap
from tracer.stack import STACK

X = np.array([1.0, 2.0, 3.0])

UNCHANGED = {
    "np.copy": np.copy,
    "reshape": lambda x: x.reshape(3),
    "T": lambda x: x.T,
    "+x": lambda x: +x,
    "astype": lambda x: x.astype(float),
    "broadcast_to": lambda x: np.broadcast_to(x, (3,)),
    "ravel": np.ravel,
    "squeeze": np.squeeze,
    "[:]": lambda x: x[:],
    "[...]": lambda x: x[...],
    "conj": np.conj,
    "atleast_1d": np.atleast_1d,
    "concatenate": lambda x: np.concatenate([x]),
    "sum of no axes": lambda x: np.sum(x, axis=()),
    "swapaxes": lambda x: np.swapaxes(x, 0, 0),
    "**1": lambda x: x**1,
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_gives_its_argument_back_is_constant_too(name):
    def f(x):
        with no_grad():
            c = UNCHANGED[name](x)
        return np.sum(x * c)

    np.testing.assert_array_equal(grad(f)(X), X)
    np.testing.assert_array_equal(jacfwd(f)(X), X)
    np.testing.assert_array_equal(vmap(grad(f))(np.stack([X, 2 * X])), [X, 2 * X])
    assert jvp(f, (X,), (X,))[1] == np.sum(X * X)


def test_the_value_itself_keeps_its_derivative():
    def f(x):
        with no_grad():
            c = x
            x.reshape(3)
        return np.sum(x * c)

    def same(x):
        with no_grad():
            c = np.asarray(x)
            assert c is x
            assert tracer.numpy.asarray(x) is x
        return np.sum(x * c)

    np.testing.assert_array_equal(grad(f)(X), 2 * X)
    np.testing.assert_array_equal(grad(same)(X), 2 * X)


def test_an_inner_function_given_back_unchanged():
    def f(a):
        def g(b):
            with no_grad():
                c = np.ravel(a)
            return np.sum(b * c) + np.sum(b * a)

        return np.sum(grad(g)(a))

    np.testing.assert_array_equal(grad(f)(X), np.ones(3))


def scoped():
    with no_grad():
        yield


def test_a_generator_may_end_after_the_trace():
    kept = []

    def f(x):
        kept.append(scoped())
        next(kept[-1])
        return x**2

    assert grad(f)(3.0) == 0
    kept[0].close()
    assert grad(lambda x: x**2)(3.0) == 6
    assert STACK.get() == ()


def test_generators_may_end_in_any_order():
    def f(x):
        first, second = scoped(), scoped()
        next(first)
        next(second)
        first.close()
        hidden = x**2
        second.close()
        return x**2 - hidden

    assert grad(f)(3.0) == 6
    assert STACK.get() == ()


def test_one_instance_in_two_threads():
    shared, barrier, found = no_grad(), threading.Barrier(2), []

    def f(x):
        with shared:
            barrier.wait(timeout=10)
            c = x**2
            with shared:
                c = c + x
            c = c + x
            barrier.wait(timeout=10)
        return x**3 - c

    threads = [threading.Thread(target=lambda: found.append(grad(f)(2.0))) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [12, 12]


def test_an_inner_trace_in_an_empty_context():
    def f(a):
        inner = grad(lambda b: b * a * b)
        return contextvars.Context().run(inner, a)

    assert grad(f)(3.0) == 12


def test_a_decorated_generator_hides_its_steps_only():
    ended = []

    @no_grad()
    def squares(x):
        try:
            got = yield x**2
            try:
                yield got * x
            except KeyError:
                yield 3.0 * x
            return x**3
        finally:
            ended.append(True)

    def f(x):
        steps = squares(x)
        total = x**2 - next(steps) + steps.send(x) + steps.throw(KeyError())
        with pytest.raises(StopIteration) as end:
            next(steps)
        return total + x * end.value.value

    assert grad(f)(2.0) == 4.0 + 8.0
    steps = squares(2.0)
    next(steps)
    steps.close()
    assert len(ended) == 2
    assert STACK.get() == ()
