"""Small arrays: in a loop, where that calls functions for several elements at once."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import grad, jit, value_and_grad

RNG = np.random.default_rng(5)
SIZES = [4, 5, 7, 8, 10, 13, 16]


def waves(x):
    return np.sum(np.sin(x) ** 2 * np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x))
    return np.sum(e / np.sum(e) * x)


def neighbours(x):
    return np.sum(np.tanh(x)[1:] * x[:-1])


def joined(x):
    return np.sum(np.cos(np.concatenate([x, x[:2]])))


def rows(x):
    return np.sum(np.log1p(x * x).reshape(2, -1) @ np.ones(x.size // 2))


def asked(x):
    return x * 2 if np.sum(np.exp(x)) > 1 else x


def squares(x):
    return x * x + 1


def again(x):
    """The fold of what a loop computes, in what it computes."""
    y = np.exp(x)
    return np.sin(y / np.sum(y))


def of_rows(x):
    return np.sum(np.cbrt(x.reshape(2, -1)), axis=1)


WRITTEN_OUT = [grad(softmax), neighbours, joined, asked, squares, again]
LOOPS = [grad(waves), waves, np.tanh, of_rows, lambda x: np.hypot(x, 2.0)]


def plan(f, n: int = 10) -> str:
    return jit(f).lower(np.linspace(0.1, 1.0, n)).compiled.plan


@pytest.mark.parametrize("f", LOOPS)
def test_functions_of_few_elements_are_called_in_one_loop(f) -> None:
    assert "unrolled" not in plan(f)
    assert plan(f).count("for i0") == 1


@pytest.mark.parametrize("f", WRITTEN_OUT)
def test_what_one_loop_cannot_do_is_written_out(f) -> None:
    assert "unrolled" in plan(f)
    assert "for " not in plan(f)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_elements_are_written_out(n: int) -> None:
    assert "for " not in plan(grad(waves), n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_numbers_are_the_same(n: int, dtype: str) -> None:
    x = RNG.uniform(0.2, 1.5, n).astype(dtype)
    close = 1e-13 if dtype == "f8" else 1e-5
    for f in (waves, softmax, neighbours, joined, squares, again):
        np.testing.assert_allclose(jit(f)(x), f(x), rtol=close)
    for f in (waves, softmax, neighbours, joined):
        value, slope = jit(value_and_grad(f))(x)
        assert slope.dtype == x.dtype
        np.testing.assert_allclose(value, f(x), rtol=close)
        wide = x.astype("f8")
        steps = np.eye(n) * 1e-6
        want = [(f(wide + e) - f(wide - e)) / 2e-6 for e in steps]
        np.testing.assert_allclose(slope, want, rtol=1e-4, atol=1e-5)


def test_special_values_and_strides() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, 1.0, -1.0, 30.0, -30.0])
    for f in (np.tanh, np.exp, np.arctan, np.cbrt):
        np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-14)
        np.testing.assert_allclose(jit(f)(x[::-2]), f(x[::-2]), rtol=1e-14)
        np.testing.assert_array_equal(np.signbit(jit(f)(x)[3:5]), np.signbit(f(x)[3:5]))


def test_text_is_shorter() -> None:
    written = jit(grad(waves)).lower(np.ones(16)).compiled.module.text
    assert written.count("call double @tracer.sin") <= 1
    assert len(written.splitlines()) < 120
