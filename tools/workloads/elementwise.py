"""Passes over one array: calls of next to no work, sums of neighbours, options, a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.workloads import Native, Target, normal, scaled, workload
from tools.workloads.derive import (
    four_slopes,
    hessian_times_vector,
    itself,
    slope,
    value_and_gradient,
)

Rng = np.random.Generator


def length(x: Any, *more: Any) -> tuple[int, ...]:
    return (len(x),)


@workload(
    "call, 10 numbers in and out",
    lambda rng, scale: (rng.normal(size=10),),
    derive=itself,
    targets=(Target(250e-9),),
    net=True,
)
def plus_one(xp: Any, x: Any) -> Any:
    return x + 1.0


@workload(
    "gradient of 10 numbers",
    lambda rng, scale: (rng.normal(size=10),),
    targets=(Target(1e-6),),
)
def sines(xp: Any, x: Any) -> Any:
    return xp.sum(xp.sin(x) ** 2 * x)


@workload("sum of squares, 1e6", normal(1_000_000), c=Native("sum_of_squares", length))
def sum_of_squares(xp: Any, x: Any) -> Any:
    return xp.sum(x * x)


def point_and_direction(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(100_000, scale)
    return rng.normal(size=n), rng.normal(size=n)


ROSENBROCK = {"c": Native("rosenbrock", length), "targets": (Target(1.3, "c"),)}


@workload("Rosenbrock, 1e3", normal(1_000), derive=value_and_gradient, **ROSENBROCK)
@workload("Rosenbrock, 1e6", normal(1_000_000), derive=value_and_gradient, **ROSENBROCK)
@workload(
    "Rosenbrock Hessian times vector, 1e5",
    point_and_direction,
    derive=hessian_times_vector,
    c=Native("rosenbrock_hvp", length),
    targets=(Target(1.3, "c"),),
    value=False,
)
def rosenbrock(xp: Any, x: Any) -> Any:
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def shape(x: Any, *more: Any) -> tuple[int, ...]:
    return tuple(x.shape)


@workload("5-point stencil, 1000 x 1000", normal(1_000, 1_000), c=Native("stencil", shape))
def stencil(xp: Any, u: Any) -> Any:
    """How far a field is from harmonic."""
    inner = u[1:-1, 1:-1]
    off = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * inner
    return xp.sum(off * off)


def words(rng: Rng, scale: float) -> tuple[Any, ...]:
    rows, picked, d = scaled(10_000, scale), scaled(8_192, scale), 64
    at = rng.integers(0, rows, picked)
    return rng.normal(size=(rows, d)), at, rng.normal(size=(picked, d))


def picked_sizes(table: Any, at: Any, targets: Any) -> tuple[int, ...]:
    return (*table.shape, len(at))


@workload("embedding, 8,192 of 10,000 x 64", words, c=Native("embedding", picked_sizes))
def embedding(xp: Any, table: Any, at: Any, targets: Any) -> Any:
    """Rows of a table are looked up; the gradient adds to them."""
    return xp.sum((table[at] - targets) ** 2)


def options(count: int) -> Any:
    def make(rng: Rng, scale: float) -> tuple[Any, ...]:
        n = scaled(count, scale)
        spot, volatility = rng.uniform(80, 120, n), rng.uniform(0.1, 0.4, n)
        years, rate, strike = (
            rng.uniform(0.1, 2, n),
            rng.uniform(0, 0.1, n),
            rng.uniform(80, 120, n),
        )
        return spot, volatility, years, rate, strike

    return make


@workload("Black-Scholes delta, 1e5 options", options(100_000), derive=slope)
@workload(
    "Black-Scholes four greeks, 1e6 options",
    options(1_000_000),
    derive=four_slopes,
    c=Native("black_scholes", length),
    targets=(Target(1.3, "c"),),
)
def black_scholes(xp: Any, spot: Any, volatility: Any, years: Any, rate: Any, strike: Any) -> Any:
    """The price of a European call."""
    spread = volatility * xp.sqrt(years)
    d1 = (xp.log(spot / strike) + rate * years) / spread + 0.5 * spread
    low, high = (0.5 * (1.0 + xp.erf(d * 0.5**0.5)) for d in (d1 - spread, d1))
    return spot * high - strike * xp.exp(-rate * years) * low
