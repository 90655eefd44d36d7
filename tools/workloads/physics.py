"""All pairs of bodies, and a system of differential equations stepped in a Python loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.workloads import Native, Target, scaled, workload

Rng = np.random.Generator
H = 0.01


def bodies(count: int) -> Any:
    def make(rng: Rng, scale: float) -> tuple[Any, ...]:
        n = scaled(count, scale)
        return rng.normal(size=(n, 3)), rng.uniform(0.5, 1.5, n)

    return make


N_BODY = {"c": Native("n_body", lambda x, masses: (len(x),)), "targets": (Target(2.0, "c"),)}


@workload("N-body energy, 8", bodies(8), **N_BODY)
@workload("N-body energy, 100", bodies(100), c=N_BODY["c"])
@workload("N-body energy, 1,000", bodies(1_000), **N_BODY)
def n_body(xp: Any, x: Any, masses: Any) -> Any:
    apart = x[:, None, :] - x[None, :, :]
    distance = xp.sqrt(xp.sum(apart * apart, axis=2) + 0.01)
    return -0.5 * xp.sum(masses[:, None] * masses[None, :] / distance)


def lorenz(steps: int) -> Any:
    """Runge-Kutta steps of the Lorenz system; ``p`` is where it starts, and its constants."""

    def f(xp: Any, p: Any) -> Any:
        x, sigma, rho, beta = (p[0], p[1], p[2]), p[3], p[4], p[5]

        def flow(x: Any) -> Any:
            return (
                sigma * (x[1] - x[0]),
                x[0] * (rho - x[2]) - x[1],
                x[0] * x[1] - beta * x[2],
            )

        def moved(x: Any, k: Any, h: float) -> Any:
            return tuple([a + h * b for a, b in zip(x, k, strict=True)])

        for _ in range(steps):
            k1 = flow(x)
            k2 = flow(moved(x, k1, H / 2))
            k3 = flow(moved(x, k2, H / 2))
            k4 = flow(moved(x, k3, H))
            sums = [a + 2.0 * b + 2.0 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
            x = moved(x, sums, H / 6)
        return x[0] * x[0] + x[1] * x[1] + x[2] * x[2]

    return f


def start(rng: Rng, scale: float) -> tuple[Any, ...]:
    return (np.array([1.0, 1.1, 0.9, 10.0, 28.0, 8.0 / 3.0]) * rng.uniform(0.9, 1.1, 6),)


workload(  # which takes JAX thousands of times as long, and would make up half of any mean
    "Lorenz, 2 Runge-Kutta steps", start, c=Native("lorenz", lambda p: (2,)), counted=False
)(lorenz(2))
workload(
    "Lorenz, 50 Runge-Kutta steps",
    start,
    c=Native("lorenz", lambda p: (50,)),
    targets=(Target(2.0, "c"), Target(2.0, first=True)),
    without={"jax": "its compiler does not finish"},
)(lorenz(50))
