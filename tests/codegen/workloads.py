"""What people differentiate, as plain NumPy: one scalar function each, with arguments to run it on.

``WORKLOADS`` names them all. A workload's ``loss`` knows nothing of tracing; its ``gradient`` is
how one would differentiate it, ``grad`` if nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf, logsumexp

from ir.op import Array
from tracer import grad, value_and_grad, vmap

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Workload:
    """A function of its first ``wrt`` arguments, and of data after them."""

    loss: Callable[..., Any]
    arguments: Callable[[np.random.Generator], Arguments]
    wrt: int = 1
    transform: Callable[..., Any] = grad
    one: Callable[..., Any] | None = None
    """The loss of one element of a batch, where the gradient is ``vmap(grad(one))``."""

    @property
    def name(self) -> str:
        return self.loss.__name__

    @property
    def gradient(self) -> Callable[..., Any]:
        """The un-jitted function that gives a tuple of gradients."""
        return gradient_of(self)

    def draw(self, seed: int = 0) -> Arguments:
        return self.arguments(np.random.default_rng(seed))


def gradient_of(w: Workload) -> Callable[..., tuple[Array, ...]]:
    argnums = tuple(range(w.wrt))
    if w.one is not None:
        return vmap(grad(w.one, argnums=argnums))  # type: ignore[no-any-return]
    if w.transform is value_and_grad:
        both = value_and_grad(w.loss, argnums=argnums)
        return lambda *args: both(*args)[1]
    return w.transform(w.loss, argnums=argnums)  # type: ignore[no-any-return]


def normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Arguments]:
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


# Elementwise functions and sums of them.


def sum_of_squares(x):
    return np.sum(x**2)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def mean_wave(x):
    return np.mean(np.sin(x) * np.exp(-x) + x**2)


def running_sum(x):
    """A scan by cumsum: each prefix weighs in."""
    prefix = np.cumsum(x)
    return np.sum(np.tanh(prefix) * np.cos(prefix)) / len(x)


def stencil(u):
    """One implicit step's residual on a grid: five points by slices."""
    middle = u[1:-1, 1:-1]
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return np.sum((around - 4 * middle + 0.1 * middle**3) ** 2)


# Models.


def logistic_regression(w, bias, x, y):
    score = x @ w + bias
    return np.mean(np.logaddexp(0, score) - y * score) + 0.01 * np.sum(w**2)


def regression_data(rng: np.random.Generator) -> Arguments:
    x = rng.normal(size=(64, 10))
    y = (x @ rng.normal(size=10) > 0).astype(float)
    return rng.normal(size=10), np.float64(0.1), x, y


def perceptron(w1, b1, w2, b2, x, y):
    hidden = np.tanh(x @ w1 + b1)
    return np.mean((hidden @ w2 + b2 - y) ** 2)


def classifier(w1, b1, w2, b2, x, y):
    """Cross-entropy of a network with one hidden layer, labels as integers."""
    logits = np.maximum(x @ w1 + b1, 0) @ w2 + b2
    peak = np.max(logits, axis=1, keepdims=True)
    logp = logits - peak - np.log(np.sum(np.exp(logits - peak), axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(y)), y])


def classes(rng: np.random.Generator) -> Arguments:
    weights = normal((8, 16), (16,), (16, 5), (5,), (32, 8))(rng)
    return *weights, rng.integers(0, 5, 32)


def embedding(table, tokens, target):
    """The mean of looked-up rows, some of them looked up twice, against a target."""
    return np.sum((np.mean(table[tokens], axis=1) - target) ** 2)


def sentences(rng: np.random.Generator) -> Arguments:
    return rng.normal(size=(20, 6)), rng.integers(0, 20, (7, 5)), rng.normal(size=(7, 6))


def layernorm(x, gamma, beta, target):
    centered = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(centered**2, axis=1, keepdims=True)
    return np.sum((centered / np.sqrt(variance + 1e-5) * gamma + beta) * target)


def attention(q, k, v, target):
    """Softmax attention of one head."""
    scores = q @ k.T / np.sqrt(q.shape[1])
    weights = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = weights / np.sum(weights, axis=1, keepdims=True)
    return np.sum((weights @ v) * target)


def mixture(mean, log_scale, logit, x):
    """Minus the log-likelihood of a diagonal Gaussian mixture."""
    z = (x[:, None, :] - mean) * np.exp(-log_scale)
    each = -0.5 * np.sum(z**2, axis=2) - np.sum(log_scale, axis=1) + logit
    peak = np.max(each, axis=1, keepdims=True)
    likely = np.log(np.sum(np.exp(each - peak), axis=1)) + peak[:, 0]
    largest = np.max(logit)
    return -np.mean(likely) + largest + np.log(np.sum(np.exp(logit - largest)))


def mixture_by_scipy(mean, log_scale, logit, x):
    """What ``mixture`` must be, in SciPy's words."""
    z = (x[:, None, :] - mean) * np.exp(-log_scale)
    each = -0.5 * np.sum(z**2, axis=2) - np.sum(log_scale, axis=1) + logit
    return -np.mean(logsumexp(each, axis=1)) + logsumexp(logit)


# Physics and finance.


def bodies(position, mass):
    """The potential energy of every pair, softened."""
    apart = position[:, None, :] - position[None, :, :]
    distance = np.sqrt(np.sum(apart**2, axis=2) + 0.01)
    return -0.5 * np.sum(mass[:, None] * mass[None, :] / distance)


def masses(rng: np.random.Generator) -> Arguments:
    return rng.normal(size=(12, 3)), rng.uniform(0.5, 2, 12)


def call_option(spot, strike, volatility, rate):
    """The Black-Scholes price of a call that has one year to run."""
    d1 = (np.log(spot / strike) + rate + volatility**2 / 2) / volatility
    d2 = d1 - volatility
    return spot * normal_cdf(d1) - strike * np.exp(-rate) * normal_cdf(d2)


def normal_cdf(x):
    return 0.5 * (1 + erf(x / np.sqrt(2)))


def black_scholes(spot, strike, volatility, rate):
    return np.sum(call_option(spot, strike, volatility, rate))


def options(rng: np.random.Generator) -> Arguments:
    n = 50
    return tuple(rng.uniform(a, b, n) for a, b in ((80, 120), (90, 110), (0.1, 0.5), (0.0, 0.05)))


WORKLOADS = (
    Workload(sum_of_squares, normal((100,))),
    Workload(rosenbrock, normal((1000,)), transform=value_and_grad),
    Workload(mean_wave, normal((300,))),
    Workload(running_sum, normal((200,))),
    Workload(stencil, normal((20, 30))),
    Workload(logistic_regression, regression_data, 2),
    Workload(perceptron, normal((6, 12), (12,), (12, 3), (3,), (20, 6), (20, 3)), 4),
    Workload(classifier, classes, 4, transform=value_and_grad),
    Workload(embedding, sentences),
    Workload(layernorm, normal((16, 24), (24,), (24,), (16, 24)), 3),
    Workload(attention, normal((10, 8), (14, 8), (14, 4), (10, 4)), 3),
    Workload(mixture, normal((4, 3), (4, 3), (4,), (40, 3)), 3),
    Workload(bodies, masses, 2),
    Workload(black_scholes, options, 4, one=call_option),
)
