"""The first workloads: from one pass over memory to matrices, all pairs and vmap."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.workloads import normal, scaled, workload

Rng = np.random.Generator


@workload("sum of squares, 1e6", normal(1_000_000))
def sum_of_squares(xp: Any, x: Any) -> Any:
    return xp.sum(x * x)


@workload("Rosenbrock, 1e3", normal(1_000))
@workload("Rosenbrock, 1e6", normal(1_000_000))
def rosenbrock(xp: Any, x: Any) -> Any:
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def regression(rng: Rng, scale: float) -> tuple[Any, ...]:
    x = rng.normal(size=(scaled(10_000, scale), 100))
    y = (x @ rng.normal(size=100) > 0).astype(float)
    return 0.1 * rng.normal(size=100), x, y


@workload("logistic regression, 10k x 100", regression)
def logistic_regression(xp: Any, w: Any, x: Any, y: Any) -> Any:
    z = xp.matmul(x, w)
    return xp.mean(xp.logaddexp(z, 0.0 * z) - y * z) + 0.01 * xp.sum(w * w)


def perceptron(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(256, scale)
    sizes = (784, 128), (128,), (128, 10), (10,)
    params = tuple(0.05 * rng.normal(size=size) for size in sizes)
    return params, rng.normal(size=(n, 784)), np.eye(10)[rng.integers(0, 10, n)]


@workload("two-layer MLP, 256 x 784-128-10", perceptron)
def mlp(xp: Any, params: Any, x: Any, targets: Any) -> Any:
    w1, b1, w2, b2 = params
    z = xp.matmul(xp.tanh(xp.matmul(x, w1) + b1), w2) + b2
    z = z - xp.max(z, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(z), axis=1)) - xp.sum(z * targets, axis=1))


def mixture(rng: Rng, scale: float) -> tuple[Any, ...]:
    k, d = 16, 8
    params = rng.normal(size=k), rng.normal(size=(k, d)), 0.1 * rng.normal(size=(k, d))
    return params, rng.normal(size=(scaled(2_000, scale), d))


@workload("Gaussian mixture, 2k x 8, 16 components", mixture)
def gaussian_mixture(xp: Any, params: Any, x: Any) -> Any:
    weights, means, log_scales = params
    z = (x[:, None, :] - means) * xp.exp(-log_scales)
    terms = weights - 0.5 * xp.sum(z * z, axis=2) - xp.sum(log_scales, axis=1)
    top = xp.max(terms, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(terms - top), axis=1)) + top[:, 0])


def bodies(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(100, scale)
    return rng.normal(size=(n, 3)), rng.uniform(0.5, 1.5, n)


@workload("N-body energy, n = 100", bodies)
def n_body(xp: Any, x: Any, masses: Any) -> Any:
    apart = x[:, None, :] - x[None, :, :]
    distance = xp.sqrt(xp.sum(apart * apart, axis=2) + 0.01)
    return -0.5 * xp.sum(masses[:, None] * masses[None, :] / distance)


def options(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(100_000, scale)
    spot, strike, years = rng.uniform(80, 120, n), rng.uniform(80, 120, n), rng.uniform(0.1, 2, n)
    return spot, strike, years


@workload("Black-Scholes delta, vmap(grad), 1e5", options, mapped=True)
def black_scholes(xp: Any, spot: Any, strike: Any, years: Any) -> Any:
    """The price of a European call at a rate of 5 % and a volatility of 20 %."""
    spread = 0.2 * xp.sqrt(years)
    d1 = (xp.log(spot / strike) + 0.07 * years) / spread
    d2 = d1 - spread
    low, high = (0.5 * (1.0 + xp.erf(d * 0.5**0.5)) for d in (d2, d1))
    return spot * high - strike * xp.exp(-0.05 * years) * low


def features(rng: Rng, scale: float) -> tuple[Any, ...]:
    n, d = scaled(2_048, scale), 512
    params = rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=d)
    return params, rng.normal(size=(n, d))


@workload("layernorm, 2048 x 512", features)
def layernorm(xp: Any, params: Any, direction: Any) -> Any:
    x, gain, shift = params
    centred = x - xp.mean(x, axis=1, keepdims=True)
    spread = xp.sqrt(xp.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    return xp.sum((centred / spread * gain + shift) * direction)
