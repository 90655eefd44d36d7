"""pure_callback: functions that cannot be traced, called when the program runs."""

from __future__ import annotations

import gc
import math
import threading
import weakref

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from tracer import (
    ShapeDtype,
    custom_jvp,
    custom_vjp,
    errors,
    grad,
    hessian,
    jacrev,
    jit,
    pure_callback,
    stop_gradient,
    trace,
    vjp,
    vmap,
)

X = np.linspace(0.5, 3.0, 6)
PLAIN = {"un-jitted": lambda f: f, "jitted": jit}
both = pytest.mark.parametrize("how", PLAIN.values(), ids=PLAIN)


def like(x):
    return ShapeDtype(np.shape(x), x.dtype)


@custom_jvp
def gammaln(x):
    return pure_callback(scipy.special.gammaln, ShapeDtype(np.shape(x)), x)


@gammaln.defjvp
def gammaln_rule(primals, tangents):
    (x,), (dx,) = primals, tangents
    return gammaln(x), dx * digamma(x)


@custom_jvp
def digamma(x):
    return pure_callback(scipy.special.digamma, ShapeDtype(np.shape(x)), x)


@digamma.defjvp
def digamma_rule(primals, tangents):
    (x,), (dx,) = primals, tangents
    shape = ShapeDtype(np.shape(x))
    return digamma(x), dx * pure_callback(lambda x: scipy.special.polygamma(1, x), shape, x)


@both
def test_a_function_of_scipy(how):
    g = scipy.special
    np.testing.assert_array_equal(how(gammaln)(X), g.gammaln(X))
    np.testing.assert_array_equal(how(vmap(gammaln))(X), g.gammaln(X))
    np.testing.assert_array_equal(how(vmap(grad(gammaln)))(X), g.digamma(X))
    np.testing.assert_array_equal(how(grad(lambda x: np.sum(gammaln(x))))(X), g.digamma(X))
    np.testing.assert_allclose(how(vmap(grad(grad(gammaln))))(X), g.polygamma(1, X), rtol=1e-14)
    np.testing.assert_allclose(
        how(hessian(lambda x: np.sum(gammaln(x) * x)))(X),
        np.diag(X * g.polygamma(1, X) + 2 * g.digamma(X)),
        rtol=1e-13,
    )


@custom_vjp
def root(a, b):
    """The x at which x exp(x) = a + b x, found by SciPy; its derivative by the implicit function
    theorem."""
    solve = lambda a, b: scipy.optimize.brentq(lambda x: x * np.exp(x) - a - b * x, 0, 10)
    return pure_callback(solve, ShapeDtype(()), a, b)


def root_forward(a, b):
    x = root(a, b)
    return x, (x, b)


def root_backward(residuals, ct):
    x, b = residuals
    scale = ct / (np.exp(x) * (1 + x) - b)
    return scale, scale * x


root.defvjp(root_forward, root_backward)


@both
def test_an_optimiser_inside(how):
    h = 1e-5
    for a, b in ((1.0, 0.5), (3.0, -0.5)):
        by_a, by_b = how(grad(root, argnums=(0, 1)))(a, b)
        assert by_a == pytest.approx((root(a + h, b) - root(a - h, b)) / (2 * h), rel=1e-6)
        assert by_b == pytest.approx((root(a, b + h) - root(a, b - h)) / (2 * h), rel=1e-6)
        second = (grad(root)(a + h, b) - grad(root)(a - h, b)) / (2 * h)
        assert how(jacrev(grad(root)))(a, b) == pytest.approx(second, rel=1e-6)
    batch = np.array([1.0, 2.0, 3.0])
    want = [grad(root)(a, 0.5) for a in batch]
    np.testing.assert_allclose(how(vmap(grad(root), (0, None)))(batch, 0.5), want, rtol=1e-14)


@both
def test_trees_dtypes_and_what_is_not_traced(how):
    seen = []

    def several(tree, scale, *, name):
        seen.append((type(tree["x"]), type(scale), name))
        x = tree["x"]
        return {"sum": float(x.sum() * scale), "parts": (x.astype(np.float32), x > 1), "n": x.size}

    promise = {
        "sum": ShapeDtype(()),
        "parts": (ShapeDtype((6,), np.float32), np.empty(6, bool)),
        "n": "i64[]",
    }

    def f(x, scale):
        made = pure_callback(several, promise, {"x": x}, scale, name="mine")
        return made["sum"] * 2.0, made["parts"][0], np.sum(made["parts"][1] * made["n"])

    total, single, count = how(f)(X, np.float64(3.0))
    assert total == 6 * X.sum()
    assert single.dtype == np.float32
    assert count == 6 * np.sum(X > 1)
    assert set(seen) == {(np.ndarray, np.float64, "mine")}


@both
def test_results_feed_large_products_and_updates(how):
    a = np.random.default_rng(0).normal(size=(40, 40))

    def f(a):
        q, r = pure_callback(np.linalg.qr, (like(a), like(a)), a.T)
        return q @ r - a.T, np.cumsum(r, axis=0)[-1], (q * 2)[::2]

    difference, last, half = how(f)(a)
    q, r = np.linalg.qr(a.T)
    np.testing.assert_allclose(difference, 0, atol=1e-13)
    np.testing.assert_allclose(last, r.sum(0), atol=1e-12)
    np.testing.assert_array_equal(half, (q * 2)[::2])


@both
def test_empty_arrays_and_several_calls_in_order(how):
    def f(x, empty):
        a, b = pure_callback(lambda x, e: (e, x + 1), (like(empty), like(x)), x, empty)
        c = pure_callback(lambda e: np.float64(e.size), ShapeDtype(()), a)
        return a, b * 2 + c, pure_callback(lambda: np.arange(3), ShapeDtype((3,), np.int64))

    a, b, c = how(f)(X, np.empty((0, 2)))
    assert a.shape == (0, 2)
    np.testing.assert_array_equal(b, (X + 1) * 2)
    np.testing.assert_array_equal(c, [0, 1, 2])


@both
def test_what_it_is_given_is_its_own(how):
    kept = []

    def keep(x):
        kept.append(x)
        x += 1.0
        return x

    before = X.copy()
    f = how(lambda x: pure_callback(keep, like(x), x * 1.0) + x)
    np.testing.assert_array_equal(f(X), 2 * X + 1)
    f(X + 5)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(kept[0], X + 1)


@both
@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0), (1, 0)])
def test_a_batch_is_a_loop(how, dims):
    calls = []

    def one(x, y):
        calls.append(np.shape(x))
        return np.outer(x, y), x.sum()

    promise = ShapeDtype((3, 2)), ShapeDtype(())
    x = np.arange(12.0).reshape((4, 3) if dims[0] == 0 else (3, 4))[..., : 4 if dims[0] else 3]
    x = np.arange(3.0) if dims[0] is None else x
    y = np.arange(2.0) + 1 if dims[1] is None else np.arange(8.0).reshape(4, 2)
    f = vmap(lambda x, y: pure_callback(one, promise, x, y), dims)
    outer, total = how(f)(x, y)
    for n in range(4):
        xn = x if dims[0] is None else np.take(x, n, axis=dims[0])
        yn = y if dims[1] is None else y[n]
        np.testing.assert_array_equal(outer[n], np.outer(xn, yn))
        assert total[n] == xn.sum()
    assert calls == [(3,)] * 4


@both
def test_batches_of_batches_and_none(how):
    f = lambda x, y: pure_callback(lambda x, y: math.atan2(x, y), ShapeDtype(()), x, y)
    table = vmap(vmap(f, (None, 0)), (0, None))
    np.testing.assert_allclose(how(table)(X, X), np.arctan2(X[:, None], X), rtol=1e-15)
    assert how(vmap(f))(np.empty(0), np.empty(0)).shape == (0,)


def test_it_is_called_when_the_program_runs():
    calls = []

    def f(x):
        return pure_callback(lambda x: calls.append(1) or x, like(x), x) * 2.0

    assert "callback" in str(trace(f, "f64[6]"))
    assert calls == []
    g = jit(f)
    g(X), g(X), g(X)
    assert len(calls) == 3
    jit(lambda x: f(x)[:0].size + x)(X)
    assert len(calls) == 3


def test_a_constant_argument_is_no_reason_to_call_it_early():
    calls = []
    func = lambda n: calls.append(n) or n
    f = jit(lambda x: x + pure_callback(func, ShapeDtype(()), np.floor(x * 0.0) + 2.0))
    assert [f(1.0), f(2.0)] == [3.0, 4.0]
    assert calls == [2.0, 2.0]


class Mine(Exception):
    pass


@both
@pytest.mark.parametrize("kind", [Mine, KeyboardInterrupt, SystemExit])
def test_what_it_raises_reaches_the_caller(how, kind):
    raised = kind("from inside")

    def failing(x):
        if x[1] > 1:
            raise raised
        return x

    f = how(lambda x: np.sin(pure_callback(failing, like(x), x * 2.0)) + 1.0)
    for _ in range(3):
        with pytest.raises(kind) as found:
            f(X)
        assert found.value is raised
        assert found.traceback[-1].name == "failing"
        np.testing.assert_array_equal(f(np.zeros(6)), np.ones(6))


def test_the_first_failure_ends_the_call():
    calls = []

    def failing(x):
        raise Mine

    def f(x, i):
        y = x[i]
        z = pure_callback(failing, like(x), x * y)
        return pure_callback(lambda z: calls.append(1) or z, like(x), z)

    g = jit(f)
    with pytest.raises(Mine):
        g(X, np.array(1))
    with pytest.raises(IndexError):
        g(X, np.array(9))
    assert calls == []


def test_failing_calls_leak_nothing():
    def failing(x):
        raise Mine(x)

    f = jit(lambda x: pure_callback(failing, like(x), x) + 1.0)
    seen = []
    for _ in range(3):
        try:
            f(X)
        except Mine as error:
            seen.append(weakref.ref(error.args[0]))
    gc.collect()
    assert [r() for r in seen] == [None] * 3


def test_a_dropped_function_is_let_go():
    class Callable:
        def __call__(self, x):
            return x

    func = Callable()
    seen = weakref.ref(func)
    held = [func]
    f = jit(lambda x: pure_callback(held[0], like(x), x))
    f(X)
    held.clear()
    del func
    assert seen() is not None
    del f
    gc.collect()
    assert seen() is None


WRONG = {
    "shape": (lambda x: x[:2], r"returned float64 of shape \(2,\), and f64\[6\] was promised"),
    "dtype": (lambda x: x.astype(np.float32), r"returned float32 of shape \(6,\), and f64\[6\]"),
    "structure": (lambda x: (x, x), "returned a result of structure"),
    "kind": (lambda x: "no", r"returned str, and f64\[6\] was promised"),
    "a number": (lambda x: 1.0, r"returned float, and f64\[6\] was promised"),
    "None": (lambda x: None, r"returned NoneType, and f64\[6\] was promised"),
}


@both
@pytest.mark.parametrize("name", WRONG)
def test_another_result_than_promised(name, how):
    func, gist = WRONG[name]
    with pytest.raises(errors.CallbackError, match=gist) as refused:
        how(lambda x: pure_callback(func, like(x), x) * 2.0)(X)
    assert str(refused.value).startswith(f"{__file__}:")
    assert str(refused.value).endswith("the shapes and dtypes that result_shape_dtypes says.")


@both
def test_it_has_no_derivative_by_itself(how):
    f = lambda x: pure_callback(math.sin, ShapeDtype(()), x)
    for transform in (grad(f), lambda x: vjp(f, x)):
        with pytest.raises(TypeError) as refused:
            how(transform)(1.0)
        found = str(refused.value)
        assert found.startswith(f"{__file__}:")
        assert "callback has no jvp rule: the function it calls is not traced." in found
        assert "tracer.custom_jvp or custom_vjp" in found
    assert how(grad(lambda x: f(stop_gradient(x)) * x))(1.0) == math.sin(1.0)


@both
def test_python_may_look_at_its_result_and_numpy_is_numpy_inside(how):
    def func(x):
        made = np.zeros(3)
        made[:] = np.array([x, x + 1, x + 2])
        assert type(made) is np.ndarray
        return made

    def f(x):
        a = pure_callback(func, ShapeDtype((3,)), x)
        b = pure_callback(func, ShapeDtype((3,)), 1.0)
        return x * 2.0 if a[1] > b[0] else x * 3.0

    g = how(grad(lambda x: f(stop_gradient(x)) * x))
    assert [g(x) for x in (5.0, -5.0, 1.0)] == [10.0, -15.0, 2.0]


def test_promises_and_methods_are_checked():
    with pytest.raises(errors.CallbackError, match="has no shape and dtype"):
        pure_callback(np.sin, 3, X)
    with pytest.raises(errors.CallbackError, match="vmap_method='parallel' is unknown"):
        pure_callback(np.sin, ShapeDtype(()), X, vmap_method="parallel")


def test_compiled_code_inside_a_callback():
    inner = jit(lambda x: np.sum(np.exp(x)))
    failing = jit(lambda x: pure_callback(lambda x: 1 / 0, ShapeDtype(()), x))

    def nested(x):
        with pytest.raises(ZeroDivisionError):
            failing(x)
        return inner(x)

    f = jit(lambda x: pure_callback(nested, ShapeDtype(()), x * 2) + 1)
    np.testing.assert_allclose(f(X), np.sum(np.exp(2 * X)) + 1, rtol=1e-14)


def test_large_loops_around_a_callback_and_threads():
    """Loops that are shared out to threads stand beside the callback, never around it."""
    big = np.linspace(0, 1, 300_000)

    def func(x):
        return np.float64(threading.get_ident() % 1000 + x.sum() * 0)

    f = jit(lambda x: np.sum(np.sin(x) * pure_callback(func, ShapeDtype(()), np.exp(x))))
    results: dict[int, float] = {}

    def run():
        results[threading.get_ident()] = [f(big) for _ in range(5)]

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for ident, found in results.items():
        np.testing.assert_allclose(found, np.sum(np.sin(big)) * (ident % 1000), rtol=1e-10)


def test_many_threads_that_fail_get_their_own_error():
    def failing(x):
        raise Mine(float(x))

    f = jit(lambda x: pure_callback(failing, ShapeDtype(()), x) * 2)
    wrong = []

    def run(n):
        for _ in range(50):
            try:
                f(float(n))
            except Mine as error:
                if error.args != (float(n),):
                    wrong.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_the_plan_and_the_text_name_it():
    stages = jit(lambda x: pure_callback(np.sin, like(x), x * 2) + 1).lower(X)
    assert "callback[function=sin]" in stages.ir
    assert "hostcall" in stages.plan
