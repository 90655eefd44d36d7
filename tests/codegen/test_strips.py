"""Loops over rows taken apart from what is done to one number a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.codegen.simulate import Simulation, planned

from codegen.items import Loop
from tracer import grad, jit, trace, vmap


def regression(w: Any, x: Any, y: Any) -> Any:
    return np.mean(np.log1p(np.exp(x @ w)) - y * (x @ w))


def example(w: Any, x: Any, y: Any) -> Any:
    return (np.tanh(np.dot(w, x)) - y) ** 2


def row_norms(x: Any) -> Any:
    return np.sum(np.exp(-np.sqrt(np.sum(x * x, axis=1))))


def drawn(rows: int, columns: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    shapes = (columns,), (rows, columns), (rows,)
    return tuple(0.1 * rng.normal(size=shape) for shape in shapes)


CASES = {
    "regression": (grad(regression), drawn(20_000, 30)),
    "examples": (vmap(grad(example), in_dims=(None, 0, 0)), drawn(9_001, 24)),
    "norms": (grad(row_norms), drawn(11_111, 30)[1:2]),
}
each = pytest.mark.parametrize("name", CASES)


@each
def test_numbers_are_taken_apart_from_rows(name: str) -> None:
    """What is done to one number a row is a loop of its own, with nothing inside."""
    f, args = CASES[name]
    compiled = jit(f)
    assert "128 steps at a time" in compiled.lower(*args).plan
    for got, want in zip(np.atleast_1d(compiled(*args)), np.atleast_1d(f(*args)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-15)


@each
def test_strips_step_by_step(name: str) -> None:
    """Every read finds its element, strip after strip."""
    f, args = CASES[name]
    plan, storage = planned(trace(f, *args))
    strips = [found for found in storage.regions if found is not None and len(found.loops) > 1]
    assert strips
    for found in strips:
        flat = [not any(isinstance(node, Loop) for node in loop.body) for loop in found.loops]
        assert flat in ([False, True, False], [False, True])
    Simulation(plan, storage).run()


def test_long_rows_stay_whole() -> None:
    """Where the numbers are few beside the rows, a row is better kept in registers and cache."""
    f = grad(row_norms)
    plan = jit(f).lower(np.ones((500, 2_000))).plan
    assert "steps at a time" not in plan
