"""Compiled gradients of what people differentiate: against differences, and not compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.codegen.workloads import WORKLOADS, Workload, mixture, mixture_by_scipy

from ir.op import Array
from tracer import jit, value_and_grad

DIRECTIONS = 4
ELEMENTS = 4
STEP = 1e-4

each = pytest.mark.parametrize("w", WORKLOADS, ids=lambda w: w.name)


@cache
def compiled(w: Workload) -> Any:
    """The jitted gradient, compiled once for all tests."""
    return jit(w.gradient)


def slope(f: Callable[..., Any], xs: Sequence[Any], ts: Sequence[Array]) -> float:
    """The derivative of ``f`` at ``xs`` along ``ts``, by central differences of fourth order."""

    def at(step: float) -> float:
        return float(f(*[x + step * t for x, t in zip(xs, ts, strict=True)]))

    near, far = at(STEP) - at(-STEP), at(2 * STEP) - at(-2 * STEP)
    return (8 * near - far) / (12 * STEP)


def directions(xs: Sequence[Any], rng: np.random.Generator) -> list[list[Array]]:
    """Random directions, and some along one element of one argument."""
    made = []
    for _ in range(DIRECTIONS):
        ts = [rng.normal(size=np.shape(x)) for x in xs]
        size = np.sqrt(sum(np.vdot(t, t) for t in ts))
        made.append([t / size for t in ts])
    for _ in range(ELEMENTS):
        ts = [np.zeros(np.shape(x)) for x in xs]
        chosen = ts[rng.integers(len(ts))]
        chosen[tuple(rng.integers(n) for n in chosen.shape)] = 1.0
        made.append(ts)
    return made


@each
def test_gradient_is_the_slope(w: Workload, figures: Any) -> None:
    """Along random directions and along elements, to 1e-5."""
    args = w.draw()
    xs, data = args[: w.wrt], args[w.wrt :]
    gradient = compiled(w)(*args)
    assert [np.shape(g) for g in gradient] == [np.shape(x) for x in xs]
    scale = np.sqrt(sum(np.vdot(g, g) for g in gradient))
    for ts in directions(xs, np.random.default_rng(1)):
        want = slope(lambda *moved: w.loss(*moved, *data), xs, ts)
        got = float(sum(np.vdot(g, t) for g, t in zip(gradient, ts, strict=True)))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-9 * scale)
        figures.add("workload gradients compared with differences")


@each
@pytest.mark.parametrize("seed", range(3))
def test_compiled_is_uncompiled(w: Workload, seed: int, figures: Any) -> None:
    """Values and gradients to 1e-12; Python's own result of the function too."""
    args = w.draw(seed)
    compare(jit(w.loss)(*args), w.loss(*args))
    gradient = compiled(w)
    for got, want in zip(gradient(*args), w.gradient(*args), strict=True):
        compare(got, want)
        figures.add("workload gradients compared, compiled with not")
    assert len(gradient.variants) == 1


def compare(got: Any, want: Any) -> None:
    assert (np.shape(got), got.dtype) == (np.shape(want), want.dtype)
    scale = float(np.max(np.abs(want), initial=0.0))
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * scale)


@each
def test_value_and_gradient_in_one_program(w: Workload) -> None:
    if w.one is not None:
        return
    args = w.draw()
    value, gradient = jit(value_and_grad(w.loss, argnums=tuple(range(w.wrt))))(*args)
    compare(value, w.loss(*args))
    for got, want in zip(gradient, w.gradient(*args), strict=True):
        compare(got, want)


@each
def test_arguments_are_left_alone(w: Workload) -> None:
    args = w.draw()
    before = [np.array(x) for x in args]
    compiled(w)(*args)
    for x, kept in zip(args, before, strict=True):
        np.testing.assert_array_equal(x, kept)


def test_the_mixture_is_what_scipy_says() -> None:
    (w,) = (w for w in WORKLOADS if w.loss is mixture)
    np.testing.assert_allclose(jit(mixture)(*w.draw()), mixture_by_scipy(*w.draw()), rtol=1e-13)
