"""Plain Python that branches on values: compiled path by path here, traced anew by the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.workloads import Target, workload

Rng = np.random.Generator
JAX = {"jax": "it does not trace branches on values"}
MANY: dict[str, Any] = {
    "targets": (Target(1 / 20, "autograd"),),
    "without": JAX,
    "counted": False,
}
"""Not in means: what tracing anew costs beside a compiled call is a factor of thousands."""


@workload(
    "piecewise by early returns", lambda rng, scale: (np.array(rng.uniform(0.1, 0.9)),), **MANY
)
def piecewise(xp: Any, x: Any) -> Any:
    if x < -1.0:
        return -2.0 * x - 1.0
    if x < 0.0:
        return x * x
    if x < 1.0:
        return xp.sin(x)
    return xp.log(x) + xp.sin(xp.ones(()))


@workload("Huber loss by if, 10 residuals", lambda rng, scale: (rng.normal(size=10),), **MANY)
def huber(xp: Any, r: Any) -> Any:
    total = 0.0
    for i in range(10):
        size = abs(r[i])
        if size <= 1.0:
            total = total + 0.5 * size**2
            continue
        total = total + size - 0.5
    return total


@workload(
    "knock-out option by if, 50 prices",
    lambda rng, scale: (np.exp(np.cumsum(rng.normal(size=50) * 0.02)), np.array(0.5)),
    **MANY,
)
def barrier(xp: Any, prices: Any, strike: Any) -> Any:
    for n in range(50):
        if prices[n] > 2.0:
            return 0.0 * prices[n]
    if prices[49] <= strike:
        return 0.0 * prices[49]
    return (prices[49] - strike) ** 2


@workload("Newton's iteration to a tolerance", lambda rng, scale: (np.array(3.0),), **MANY)
def root(xp: Any, x: Any) -> Any:
    y = x
    while abs(y * y - x) > 1e-9 * x:
        y = 0.5 * (y + x / y)
    return y
