"""How exactly a program's results are determined: the tolerance that a comparison deserves.

Two correct ways to compute a sum or a sine differ in the last bits, and what follows may blow that
up (``floor``, ``1 / (x - y)``). So the program is run again with noise of that size on every
inexact result. What moves with the noise may differ as far; what does not move must be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tests.ops.test_rules import EXACT, SUMS, UNSIGNED_ZEROS

from ir import ops
from ir.evaluate import evaluate, runner
from ir.op import Array, Op
from ir.passes.inline import inline
from ir.program import Equation, Program, Value

RUNS = 4


@dataclass
class Expected:
    """A result, how far it may be off, and which of its elements can be compared at all."""

    value: Array
    tolerance: Array
    steady: Array
    signed: Array

    def check(self, got: Array, context: object) -> int:
        """Raise AssertionError unless the array is as expected; the number compared."""
        want = self.value
        assert (got.dtype, got.shape) == (want.dtype, want.shape), context
        with np.errstate(all="ignore"):
            equal = (got == want) | ((got != got) & (want != want))
            near = np.abs(np.subtract(got, want, dtype=np.float64)) <= self.tolerance
            good = equal | near | ~self.steady
            if want.dtype.kind == "f":
                good &= ~self.signed | (np.signbit(got) == np.signbit(want))
        assert good.all(), f"{got}\nfor\n{want}\nwithin {self.tolerance} in\n{context}"
        return int(self.steady.sum())


def expected(program: Program, xs: Sequence[Array]) -> list[Expected]:
    """The results by the reference, each with its tolerance."""
    program = inline(program)
    exact = [np.asarray(y) for y in evaluate(program, xs)]
    noisy = [noisy_results(program, xs, np.random.default_rng(n), 0.5 + n % 2) for n in range(RUNS)]
    return [judged(y, [run[i] for run in noisy]) for i, y in enumerate(exact)]


def judged(y: Array, runs: Sequence[Array]) -> Expected:
    if y.dtype.kind != "f":
        steady = np.logical_and.reduce([r == y for r in runs])
        return Expected(y, np.zeros(y.shape), np.asarray(steady), np.zeros(y.shape, bool))
    with np.errstate(all="ignore"):
        apart = [np.abs(np.subtract(r, y, dtype=np.float64)) for r in runs]
        spread = np.max(
            [np.where((r == y) | (r != r), 0, a) for r, a in zip(runs, apart, strict=True)], axis=0
        )
        finite = [np.isfinite(r) == np.isfinite(y) for r in runs]
        kind = [np.isnan(r) == np.isnan(y) for r in runs]
        near = np.isfinite(spread) & (spread <= 1e-3 * np.abs(y))
        steady = np.logical_and.reduce([*finite, *kind]) & near
        signs = np.logical_and.reduce([np.signbit(r) == np.signbit(y) for r in runs])
        small = 4.0 * np.spacing(np.abs(y)).astype(np.float64)
        tolerance = np.where(spread > 0, 32 * spread + small, 0)
    return Expected(y, tolerance, np.asarray(steady), np.asarray(signs & (y == 0) & (spread == 0)))


def noisy_results(
    program: Program, xs: Sequence[Array], rng: np.random.Generator, flips: float
) -> list[Array]:
    """The results of one noisy run; of zeros that may have either sign, so many are flipped."""
    env: dict[Value, Array] = dict(zip(program.params, map(np.asarray, xs), strict=True))
    with np.errstate(all="ignore"):
        for eq in program.equations:
            made = run_noisily(eq, [env[v] for v in eq.operands], rng, flips)
            env.update(zip(eq.results, made, strict=True))
    return [env[v] for v in program.results]


def run_noisily(
    eq: Equation, xs: list[Array], rng: np.random.Generator, flips: float
) -> list[Array]:
    if type(eq.op) in SUMS or isinstance(eq.op, ops.ScatterAdd):
        xs = [noise(x, rng) for x in xs]
    made = runner(eq)(*xs)
    results = [np.asarray(y) for y in (made if isinstance(made, tuple) else (made,))]
    return [disturbed(eq.op, y, rng, flips) for y in results]


def disturbed(op: Op, y: Array, rng: np.random.Generator, flips: float) -> Array:
    if type(op) in UNSIGNED_ZEROS and y.dtype.kind == "f":
        return np.where((y == 0) & (rng.random(y.shape) < flips), -y, y)
    return y if type(op) in EXACT else noise(y, rng)


def noise(y: Array, rng: np.random.Generator) -> Array:
    """The array with each float off by up to 8 units in the last place."""
    if y.dtype.kind != "f":
        return y
    off = 1 + 8 * np.finfo(y.dtype).eps * rng.uniform(-1, 1, y.shape)
    return np.asarray(y * off).astype(y.dtype)
