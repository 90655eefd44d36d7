"""Long sums: every term once, and rounding that grows with the logarithm of their number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.codegen.targets import compiled_for, each_target

from codegen.engine import compile_program
from codegen.pairwise import CHAIN
from codegen.pool import get_num_threads, set_num_threads
from tracer import grad, jit, trace

BLOCK = CHAIN * 16
"""Terms of a block, on some machine."""
SHAPES = [
    (BLOCK - 1,), (BLOCK,), (BLOCK + 1,), (2 * BLOCK,), (2 * BLOCK + 1,), (7 * BLOCK - 3,),
    (100_003,), (1_000_000,), (2, BLOCK), (3, BLOCK // 2 + 1), (1000, 33), (5, 7, 900), (20_000, 3),
    (300, 1000), (2, 2, 2, 2, 700),
]  # fmt: skip
EQUAL = (0.1, 1 / 3, 0.7, 1.1, 3.3)
FEW = 16
"""Units of rounding by which a sum of a million equal numbers may be off."""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_term_is_added_once(shape: tuple[int, ...], dtype: Any, figures: Any) -> None:
    """Small whole numbers, of which no sum is rounded."""
    x = np.random.default_rng(0).integers(-3, 4, shape).astype(dtype)
    for axis in (None, *range(len(shape))):
        got = jit(lambda x, axis=axis: np.sum(x, axis=axis))(x)
        np.testing.assert_array_equal(got, np.sum(x, axis=axis))
        figures.add("sums of whole numbers, exact")
    assert jit(lambda x: np.sum(x * x))(x) == np.sum(x * x)


@each_target
@pytest.mark.parametrize("value", EQUAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_terms_are_off_by_a_few_units(machine: str, value: float, dtype: Any) -> None:
    x = np.full(1_000_000, value, dtype)
    for shape in [(1_000_000,), (1000, 1000), (100_000, 10), (10, 100_000)]:
        want = Fraction(float(x[0])) * x.size
        with compiled_for(machine):
            found = jit(np.sum)(x.reshape(shape))
        off = Fraction(float(found)) / want - 1
        assert abs(off) <= FEW * np.finfo(dtype).eps, f"{float(off)} of {shape}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_made_of_sums_is_as_close(dtype: Any) -> None:
    """Against float64, or NumPy's extended numbers."""
    x = np.random.default_rng(1).uniform(0.5, 1.5, 300_007).astype(dtype)
    wide = x.astype(np.longdouble)
    eps = float(np.finfo(dtype).eps)
    for f in (np.mean, np.var, np.std, lambda x: np.sum(x * x), lambda x: np.sum(np.sqrt(x))):
        want = f(wide)
        assert abs(jit(f)(x) / want - 1) <= FEW * eps
    want = np.log(np.sum(np.exp(wide)))
    found = jit(lambda x: np.log(np.sum(np.exp(x))))(x)
    assert abs(found / want - 1) <= FEW * eps


def test_a_gradient_of_long_sums() -> None:
    x = np.full(200_000, 0.1, np.float32)
    slope = jit(grad(lambda x: np.sum(x) ** 2))(x)
    want = 2 * float(x[0]) * x.size
    assert np.max(np.abs(slope.astype(float) / want - 1)) <= FEW * np.finfo(np.float32).eps


def test_one_term_that_is_not_finite() -> None:
    x = np.ones(10_000)
    for place, odd in ((0, np.inf), (5000, -np.inf), (9999, np.nan)):
        y = x.copy()
        y[place] = odd
        np.testing.assert_equal(jit(np.sum)(y), np.sum(y))
    assert np.isnan(jit(np.sum)(np.where(np.arange(10_000) == 1, np.inf, y)))
    assert not np.signbit(jit(np.sum)(np.full(10_000, -0.0)))


def test_the_bits_do_not_depend_on_the_threads() -> None:
    x = np.random.default_rng(2).normal(size=500_009).astype(np.float32)
    functions = [jit(np.sum), jit(lambda x: np.sum(np.sin(x))), jit(lambda x: np.sum(x * x))]
    seen = set()
    for n in (1, 2, 4):
        set_num_threads(n)
        seen.add(tuple(f(x).tobytes() for f in functions))
    assert len(seen) == 1


def test_short_sums_are_one_loop() -> None:
    f = jit(np.sum)
    assert "pairwise" not in f.lower(np.ones(2 * CHAIN)).llvm
    assert "pairwise" in f.lower(np.ones(10_000)).llvm
    assert "pairwise" not in f.lower(np.ones(10_000, int)).llvm


def longest_chain(text: str) -> int:
    """Steps between two calls that take the sum of a block."""
    blocks = re.findall(r"mul nsw i64 %r\d+, (\d+)", text)
    lanes = re.findall(r"fadd reassoc contract <(\d+) x \w+>", text)
    return max(map(int, blocks)) // int(lanes[0])


@each_target
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_chains_are_as_short_on_every_machine(machine: str, dtype: str) -> None:
    with compiled_for(machine):
        text = compile_program(trace(np.sum, f"{dtype}[100000]")).llvm
    assert longest_chain(text) <= CHAIN


@pytest.mark.parametrize("n", [4, 5, 6, 7])
@each_target
def test_long_sums_of_a_few_results(machine: str, n: int) -> None:
    """Of fewer results than a register has lanes, each sum is cut into blocks by itself."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(16, 16, 9)), rng.normal(size=(9, 16, 16, n))

    def f(x: Any, y: Any) -> Any:
        return np.einsum("abc,cabd->bd", np.hypot(x, 1.0), y)

    with compiled_for(machine):
        found = compile_program(trace(f, x, y))(x, y)[0]
    np.testing.assert_allclose(found, f(x, y), rtol=1e-11, atol=1e-12)
