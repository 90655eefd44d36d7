"""What the derivative is where mathematics leaves a choice: ties, corners, ends of a domain.

The choices are torch's and autograd's: ties share, the corner of ``abs`` is flat, a power of 0 has
a slope where a limit has one.
"""

from __future__ import annotations

import numpy as np
import pytest

from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.op import Op
from ir.passes.jvp import jvp
from ir.passes.vjp import vjp
from ir.types import type_of
from tracer import grad

INF, NAN = np.inf, np.nan

SLOPES: list[tuple[Op, list[float], list[float]]] = [
    (ops.Abs(), [0.0], [0.0]),
    (ops.Abs(), [-0.0], [0.0]),
    (ops.Sqrt(), [0.0], [INF]),
    (ops.Cbrt(), [0.0], [INF]),
    (ops.Log(), [0.0], [INF]),
    (ops.IntegerPow(0), [0.0], [0.0]),
    (ops.IntegerPow(1), [0.0], [1.0]),
    (ops.IntegerPow(2), [0.0], [0.0]),
    (ops.Maximum(), [1.0, 1.0], [0.5, 0.5]),
    (ops.Maximum(), [2.0, 1.0], [1.0, 0.0]),
    (ops.Minimum(), [1.0, 1.0], [0.5, 0.5]),
    (ops.Minimum(), [2.0, 1.0], [0.0, 1.0]),
    (ops.Pow(), [0.0, 0.0], [0.0, 0.0]),
    (ops.Pow(), [0.0, 1.0], [1.0, 0.0]),
    (ops.Pow(), [0.0, 2.0], [0.0, 0.0]),
    (ops.Pow(), [0.0, 0.5], [INF, 0.0]),
    (ops.Pow(), [-2.0, 3.0], [12.0, NAN]),
    (ops.Pow(), [-2.0, 0.0], [0.0, NAN]),
    (ops.Hypot(), [0.0, 0.0], [0.0, 0.0]),
    (ops.LogAddExp(), [1.0, 1.0], [0.5, 0.5]),
    (ops.LogAddExp(), [INF, INF], [0.5, 0.5]),
    (ops.LogAddExp(), [-INF, 1.0], [0.0, 1.0]),
    (ops.LogAddExp2(), [-INF, -INF], [0.5, 0.5]),
    (ops.Hypot(), [0.0, -3.0], [0.0, -1.0]),
    (ops.Arctan2(), [0.0, 0.0], [0.0, 0.0]),
    (ops.Arctan2(), [0.0, -1.0], [-1.0, 0.0]),
    (ops.CopySign(), [0.0, -1.0], [0.0, 0.0]),
    (ops.CopySign(), [2.0, -0.0], [-1.0, 0.0]),
    (ops.Remainder(), [4.0, 2.0], [1.0, -2.0]),
    (ops.Fmod(), [-4.0, 2.0], [1.0, 2.0]),
    (ops.Sign(), [0.0], [0.0]),
    (ops.Floor(), [1.0], [0.0]),
]

GRADIENTS: list[tuple[Op, object, object]] = [
    (ops.ReduceMax((0,)), [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    (ops.ReduceMin((0,)), [1.0, 1.0, 1.0, 2.0], [1 / 3, 1 / 3, 1 / 3, 0.0]),
    (ops.ReduceMax((0, 1)), [[1.0, 2.0], [2.0, 2.0]], [[0, 1 / 3], [1 / 3, 1 / 3]]),
    (ops.ReduceMax((0,)), [0.0, -0.0], [0.5, 0.5]),
    (ops.ReduceProd((0,)), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    (ops.ReduceProd((0,)), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    (ops.ReduceProd((0,)), [5.0], [1.0]),
]


@pytest.mark.parametrize(("op", "xs", "want"), SLOPES, ids=[f"{o} {x}" for o, x, _ in SLOPES])
def test_slopes(op: Op, xs: list[float], want: list[float]) -> None:
    """Forwards, one operand moved at a time; then backwards."""
    b = Builder()
    arrays = [np.array(x) for x in xs]
    p = b.finish(b(op, *[b.param(type_of(x)) for x in arrays]))
    one = np.array(1.0)
    for n in range(len(xs)):
        _, slope = evaluate(jvp(p, [m == n for m in range(len(xs))]), [*arrays, one])
        np.testing.assert_array_equal(slope, want[n])
        _, bar = evaluate(vjp(p, [m == n for m in range(len(xs))]), [*arrays, one])
        np.testing.assert_array_equal(bar, want[n])


@pytest.mark.parametrize(("op", "x", "want"), GRADIENTS, ids=[f"{o} {x}" for o, x, _ in GRADIENTS])
def test_gradients(op: Op, x: object, want: object) -> None:
    b = Builder()
    array = np.array(x)
    p = b.finish(b(op, b.param(type_of(array))))
    _, bar = evaluate(vjp(p), [array, np.array(1.0)])
    np.testing.assert_allclose(bar, want, rtol=1e-15)
    for n in np.ndindex(array.shape):
        t = np.zeros_like(array)
        t[n] = 1
        _, dy = evaluate(jvp(p), [array, t])
        np.testing.assert_allclose(dy, np.asarray(want)[n], rtol=1e-15)


@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
def test_the_logarithm_of_a_sum_curves_where_its_operands_are_equal(f: np.ufunc) -> None:
    """As everywhere: its halves are no two branches that meet there."""
    at = grad(grad(lambda x: f(x, 3.0)))
    np.testing.assert_allclose(at(3.0), at(3.0 + 1e-9), rtol=1e-8)
    assert at(3.0) > 0.17


def test_the_branch_not_taken_does_not_leak() -> None:
    """``where(x > 0, sqrt(x), 0)`` has slope 0 at x <= 0, where that of sqrt is inf or nan."""
    b = Builder()
    x = b.param(type_of(np.zeros(3)))
    zero = b(ops.Constant(0.0, "f64", (3,)))
    p = b.finish(b(ops.Select(), b(ops.Greater(), x, zero), b(ops.Sqrt(), x), zero))
    at = np.array([4.0, 0.0, -1.0])
    for program in (jvp(p), vjp(p)):
        _, slope = evaluate(program, [at, np.ones(3)])
        np.testing.assert_array_equal(slope, [0.25, 0.0, 0.0])
