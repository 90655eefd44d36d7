"""np.zeros, np.array and kin inside a trace, and NumPy's own everywhere else."""

from __future__ import annotations

import inspect
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.special
import scipy.stats

import tracer
from tracer import grad, jacrev, jit, trace, vmap
from tracer.errors import EscapeError
from tracer.fresh import Fresh
from tracer.interpose import WRAPPERS

OWN = {name: getattr(np, name) for name in WRAPPERS}
MAKERS: dict[str, Callable[[], Any]] = {
    "array": lambda: np.array([1.0, 2.0]),
    "asarray": lambda: np.asarray([1, 2]),
    "asanyarray": lambda: np.asanyarray([1.0, 2.0], np.float32),
    "ascontiguousarray": lambda: np.ascontiguousarray([True, False]),
    "zeros": lambda: np.zeros((2, 3)),
    "ones": lambda: np.ones(4, np.int32),
    "empty": lambda: np.empty(3, bool),
    "full": lambda: np.full((2, 2), 7.0),
    "eye": lambda: np.eye(20, 30, k=2),
    "identity": lambda: np.identity(3),
}


def restored() -> bool:
    return all(getattr(np, name) is func for name, func in OWN.items())


@pytest.mark.parametrize("name", MAKERS)
def test_an_array_of_constants_in_a_trace(name: str) -> None:
    made: list[Any] = []

    def f(x: Any) -> Any:
        made.append(MAKERS[name]())
        return np.sum(made[-1] * 1.0) * x, MAKERS[name]()

    for run in (lambda: grad(f, has_aux=True)(2.0), lambda: jit(grad(f, has_aux=True))(2.0)):
        slope, aux = run()
        known = MAKERS[name]()
        assert type(made[-1]) is Fresh
        assert (made[-1].shape, made[-1].dtype) == (known.shape, known.dtype)
        if name != "empty":
            assert slope == np.sum(known)
            np.testing.assert_array_equal(aux, known)
        assert aux.dtype == known.dtype
    assert type(MAKERS[name]()) is np.ndarray
    assert restored()


def test_arrays_of_traced_numbers() -> None:
    def f(x: Any, y: Any) -> Any:
        pair = np.array([x, y * y])
        table = np.asarray([[x, 1.0], [2, y]])
        return pair @ table @ np.array([1.0, 2.0]) + np.full(3, x).sum() + np.array(y)

    for g in (grad(f, (0, 1)), jit(grad(f, (0, 1)))):
        dx, dy = g(2.0, 3.0)
        assert dx == quadratic(lambda x: f(x, 3.0), 2.0)
        np.testing.assert_allclose(dy, 2 * 2 * 3 + 6 * 3 * 3 + 1, rtol=1e-14)
    batch = np.arange(3.0)
    found = vmap(lambda x: np.array([x, 1.0]) * np.ones(2))(batch)
    np.testing.assert_array_equal(found, np.stack([batch, np.ones(3)], 1))


def quadratic(f: Callable[[float], Any], x: float) -> float:
    """The slope of a quadratic, by one exact central difference."""
    return float(f(x + 0.5) - f(x - 0.5))


def test_dtypes_and_dimensions() -> None:
    def f(x: Any) -> Any:
        assert np.array([x, 1], np.float32).dtype == np.float32
        assert np.array(x, ndmin=2).shape == (1, 1)
        assert np.array([[x], [2.0]]).shape == (2, 1)
        assert np.asarray(rows) is rows
        fresh = np.zeros(2)
        assert np.asarray(fresh) is fresh
        assert np.array(fresh) is not fresh
        assert type(np.zeros(2, complex)) is np.ndarray
        assert type(np.array(["a"])) is np.ndarray
        assert type(np.zeros(2, np.int8)) is np.ndarray
        return x

    rows = np.ones((2, 2))
    assert grad(f)(1.0) == 1.0


def test_constants_serve_as_arrays_do() -> None:
    """Where a constant is needed: nothing is lost, for it depends on no argument."""

    def f(x: Any) -> Any:
        places, mask = np.array([2, 0]), np.array([True, False, True])
        picked = x[places] + x[mask] + x[np.array(1)]
        total = sum(x[i] for i in np.array([0, 1]))
        for n in range(int(np.array(2))):
            total = total + n
        if np.zeros(3).any():
            raise AssertionError
        inverse = np.linalg.inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
        assert inverse.shape == (2, 2)
        quantile = np.quantile(np.array([1.0, 2.0, 3.0]), 0.5)
        noise = np.random.default_rng(0).normal(np.zeros(2), np.ones(2))
        shaped = x[:2].reshape(np.array([2, 1]).tolist()) + np.zeros(tuple(np.array([1, 1])))
        assert f"{np.array(2.0):.1f}" == "2.0"
        return np.sum(picked) + total + np.sum(inverse) + quantile + np.sum(shaped) + noise.sum()

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(jacrev(f)(x), [4.0, 4.0, 2.0])
    np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-14)
    np.testing.assert_allclose(vmap(f)(np.stack([x, x])), [f(x), f(x)], rtol=1e-14)


def test_library_code_gets_numpys_own() -> None:
    def f(x: Any) -> Any:
        grid = np.array([0.0, 1.0, 2.0, 4.0])
        spline = scipy.interpolate.CubicSpline(grid, grid**2.0)
        lower = scipy.linalg.cholesky(np.array([[4.0, 2.0], [2.0, 3.0]]), lower=True)
        return x * (
            spline(1.5)
            + np.sum(lower)
            + np.sum(scipy.special.gammaln(np.array([3.0, 4.0])))
            + scipy.stats.norm.ppf(0.9)
            + np.sum(scipy.linalg.toeplitz(np.array([1.0, 2.0])))
            + np.polynomial.polynomial.polyval(2.0, np.array([1.0, 1.0]))
        )

    np.testing.assert_allclose(grad(f)(1.0), f(1.0), rtol=1e-13)


def test_what_depends_on_an_argument_never_becomes_a_constant() -> None:
    blank = OWN["zeros"](2)
    with pytest.raises(TypeError, match="is not traced"):
        grad(lambda x: np.linalg.inv(np.array([[x, 0.0], [0.0, 1.0]])).sum())(1.0)
    with pytest.raises(EscapeError, match="as constants"):
        grad(lambda x: np.random.default_rng(0).normal(np.array([x, x])).sum())(1.0)
    assert not blank.any()


def test_compiled_code_gets_numpys_own() -> None:
    """It has no frame, and would take a tracer's memory for an array's: once a crash."""

    def f(x: Any) -> Any:
        rng = np.random.default_rng(0)
        drawn = [rng.normal(np.zeros(2), np.ones(2)), rng.random(3), rng.permutation(4)]
        drawn += [rng.choice(np.array([1.0, 2.0]), 2), np.random.normal(size=2)]
        assert {type(d) for d in drawn} == {np.ndarray}
        blank = [*map(np.zeros, [2]), np.zeros(*[2])]
        assert {type(b) for b in blank} == {np.ndarray}
        zeros = np.zeros
        assert type(zeros(2)) is Fresh
        named = np.full(fill_value=np.sum(np.array([1.0, 2.0])), shape=tuple(sorted((2, 1))))
        assert type(named) is Fresh
        return x

    assert grad(f)(1.0) == 1.0


def test_switched_off() -> None:
    tracer.interpose(False)
    try:
        assert grad(lambda x: x * (type(np.zeros(2)) is np.ndarray))(1.0) == 1.0
        assert grad(lambda x: x * (type(tracer.numpy.zeros(2)) is Fresh))(1.0) == 1.0
    finally:
        tracer.interpose(True)
    assert grad(lambda x: x * (type(np.zeros(2)) is Fresh))(1.0) == 1.0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_restored_after_an_exception(error: type[BaseException]) -> None:
    def f(x: Any) -> Any:
        assert np.zeros is not OWN["zeros"]
        raise error

    for run in (grad(f), vmap(f), jit(f), lambda x: trace(f, x), grad(lambda x: grad(f)(x))):
        with pytest.raises(error):
            run(np.ones(2))
        assert restored()


def test_restored_when_the_outermost_of_several_ends() -> None:
    def inner(x: Any) -> Any:
        assert np.zeros is not OWN["zeros"]
        return x * x

    def outer(x: Any) -> Any:
        y = grad(inner)(x)
        assert np.zeros is not OWN["zeros"]
        return y * x

    assert grad(outer)(1.0) == 4.0
    assert restored()


def test_a_generator_that_is_never_finished() -> None:
    def steps(x: Any) -> Iterator[Any]:
        while True:
            yield x * np.ones(2)

    assert grad(lambda x: next(steps(x)).sum())(1.0) == 2.0
    assert restored()


def test_only_the_thread_that_traces() -> None:
    """Two threads, 10,000 calls each."""
    started, done = threading.Event(), threading.Event()
    kinds: list[set[type]] = [set(), set()]

    def tracing(x: Any) -> Any:
        started.set()
        kinds[0] = {type(np.zeros(2)) for _ in range(10_000)}
        done.wait(60)
        return x

    def plain() -> None:
        started.wait(60)
        assert np.zeros is not OWN["zeros"]
        kinds[1] = {type(np.zeros(2)) for _ in range(10_000)}
        done.set()

    other = threading.Thread(target=plain)
    other.start()
    grad(tracing)(1.0)
    other.join()
    assert kinds == [{Fresh}, {np.ndarray}]
    assert restored()


def test_a_trace_that_ends_while_another_thread_traces() -> None:
    inside, ended = threading.Event(), threading.Event()
    seen: list[Any] = []

    def long(x: Any) -> Any:
        inside.set()
        ended.wait(60)
        seen.append(type(np.zeros(2)))
        return x

    other = threading.Thread(target=lambda: grad(long)(1.0))
    other.start()
    inside.wait(60)
    grad(lambda x: x)(1.0)
    assert not restored()
    ended.set()
    other.join()
    assert seen == [Fresh]
    assert restored()


def test_wrappers_look_like_what_they_wrap() -> None:
    def f(x: Any) -> Any:
        for name, func in OWN.items():
            wrapper = getattr(np, name)
            assert wrapper.__name__ == name
            assert wrapper.__doc__ == func.__doc__
            assert pickle.loads(pickle.dumps(wrapper)) is wrapper
            assert inspect.unwrap(wrapper) is func
        assert np.zeros is np.zeros
        return x

    grad(f)(1.0)
    with pytest.raises(TypeError):
        grad(lambda x: x * np.zeros())(1.0)  # type: ignore[call-overload]
