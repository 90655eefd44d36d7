"""Losses of statistical models and of networks, in float64 and float32."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tools.workloads import Native, Target, scaled, workload
from tools.workloads.derive import per_example, per_model, value_and_gradient

Rng = np.random.Generator
NO_VMAP = {"autograd": "it has no vmap"}


def regression(rng: Rng, scale: float) -> tuple[Any, ...]:
    x = rng.normal(size=(scaled(10_000, scale), 100))
    y = (x @ rng.normal(size=100) > 0).astype(float)
    return 0.1 * rng.normal(size=100), x, y


@workload(
    "logistic regression, 10,000 x 100",
    regression,
    c=Native("logistic", lambda w, x, y: x.shape),
    targets=(Target(1.3, "c"),),
)
def logistic_regression(xp: Any, w: Any, x: Any, y: Any) -> Any:
    z = xp.matmul(x, w)
    return xp.mean(xp.logaddexp(z, 0.0 * z) - y * z) + 0.01 * xp.sum(w * w)


def mixture(count: int, k: int, d: int) -> Any:
    def make(rng: Rng, scale: float) -> tuple[Any, ...]:
        params = rng.normal(size=k), rng.normal(size=(k, d)), 0.1 * rng.normal(size=(k, d))
        return params, rng.normal(size=(scaled(count, scale), d))

    return make


MIXTURE = Native("mixture", lambda params, x: (len(x), *params[1].shape))


@workload("Gaussian mixture, 2,000 x 8, 16 components", mixture(2_000, 16, 8), c=MIXTURE)
@workload(
    "Gaussian mixture, 10,000 x 10, 25 components",
    mixture(10_000, 25, 10),
    c=MIXTURE,
    targets=(Target(1.3, "c"),),
)
def gaussian_mixture(xp: Any, params: Any, x: Any) -> Any:
    weights, means, log_scales = params
    z = (x[:, None, :] - means) * xp.exp(-log_scales)
    terms = weights - 0.5 * xp.sum(z * z, axis=2) - xp.sum(log_scales, axis=1)
    top = xp.max(terms, axis=1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(terms - top), axis=1)) + top[:, 0])


def features(rows: int) -> Any:
    def make(rng: Rng, scale: float) -> tuple[Any, ...]:
        n, d = scaled(rows, scale), 512
        params = rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=d)
        return params, rng.normal(size=(n, d))

    return make


LAYERNORM = Native("layernorm", lambda params, direction: direction.shape)


@workload("layernorm, 2,048 x 512", features(2_048), c=LAYERNORM)
@workload("layernorm, 4,096 x 512", features(4_096), c=LAYERNORM, targets=(Target(1.3, "c"),))
def layernorm(xp: Any, params: Any, direction: Any) -> Any:
    x, gain, shift = params
    centred = x - xp.mean(x, axis=1, keepdims=True)
    spread = xp.sqrt(xp.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    return xp.sum((centred / spread * gain + shift) * direction)


# --- networks ---------------------------------------------------------------------------------


def perceptron(*sizes: int, dtype: Any = float) -> Any:
    """Weights and shifts of the layers, 256 examples, and the classes that they belong to."""

    def make(rng: Rng, scale: float) -> tuple[Any, ...]:
        n = scaled(256, scale)
        params = layers(rng, sizes)
        data = params, rng.normal(size=(n, sizes[0])), one_of(rng, sizes[-1], n)
        return tuple([cast(part, dtype) for part in data])

    return make


def layers(rng: Rng, sizes: tuple[int, ...], *many: int) -> tuple[Any, ...]:
    pairs = pairwise(sizes)
    found = [part for m, n in pairs for part in ((*many, m, n), (*many, n))]
    return tuple([0.05 * rng.normal(size=size) for size in found])


def one_of(rng: Rng, classes: int, *shape: int) -> Any:
    return np.eye(classes)[rng.integers(0, classes, shape)]


def cast(tree: Any, dtype: Any) -> Any:
    return tuple([x.astype(dtype) for x in tree]) if isinstance(tree, tuple) else tree.astype(dtype)


def logits(xp: Any, params: Any, x: Any) -> Any:
    for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
        x = xp.tanh(xp.matmul(x, w) + b)
    return xp.matmul(x, params[-2]) + params[-1]


def cross_entropy(xp: Any, z: Any, targets: Any) -> Any:
    z = z - xp.max(z, axis=-1, keepdims=True)
    return xp.mean(xp.log(xp.sum(xp.exp(z), axis=-1)) - xp.sum(z * targets, axis=-1))


@workload("two-layer MLP, 256 x 784-128-10", perceptron(784, 128, 10))
@workload(
    "MLP float32, 256 x 784-256-10",
    perceptron(784, 256, 10, dtype=np.float32),
    derive=value_and_gradient,
    targets=(Target(1 / 1.2, "jax"),),
    rtol=1e-4,
)
def mlp(xp: Any, params: Any, x: Any, targets: Any) -> Any:
    return cross_entropy(xp, logits(xp, params, x), targets)


def sequences(rng: Rng, scale: float) -> tuple[Any, ...]:
    size = 8, scaled(256, scale), 64
    made = [rng.normal(size=size).astype(np.float32) for _ in range(4)]
    return tuple(made[:3]), made[3]


@workload(
    "attention float32, 8 x 256 x 64",
    sequences,
    derive=value_and_gradient,
    targets=(Target(1 / 1.2, "jax"),),
    rtol=1e-3,
)
def attention(xp: Any, params: Any, direction: Any) -> Any:
    queries, keys, values = params
    z = xp.matmul(queries, xp.swapaxes(keys, 1, 2)) * 0.125
    z = xp.exp(z - xp.max(z, axis=2, keepdims=True))
    return xp.mean(xp.matmul(z / xp.sum(z, axis=2, keepdims=True), values) * direction)


# --- a gradient for each example, or each model -----------------------------------------------


def labelled(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(4_096, scale)
    return rng.normal(size=64), rng.normal(size=(n, 64)), rng.integers(0, 2, n).astype(float)


@workload(
    "per-sample gradients, 4,096 vectors of 64",
    labelled,
    derive=per_example,
    c=Native("per_sample", lambda w, x, y: x.shape),
    targets=(Target(1 / 3, "jax"),),
    value=False,
    without=NO_VMAP,
)
def one_logistic(xp: Any, w: Any, x: Any, y: Any) -> Any:
    z = xp.sum(w * x)
    return xp.logaddexp(z, 0.0 * z) - y * z


SMALL = 32, 32, 8


def examples(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(512, scale)
    return layers(rng, SMALL), rng.normal(size=(n, SMALL[0])), one_of(rng, SMALL[-1], n)


def ensemble(rng: Rng, scale: float) -> tuple[Any, ...]:
    n, each = scaled(512, scale), 16
    x, targets = rng.normal(size=(n, each, SMALL[0])), one_of(rng, SMALL[-1], n, each)
    return layers(rng, SMALL, n), x, targets


@workload(
    "per-sample gradients of an MLP, 512 x 32-32-8",
    examples,
    derive=per_example,
    targets=(Target(1 / 3, "jax"),),
    value=False,
    without=NO_VMAP,
)
@workload(
    "512 MLPs of 32-32-8, 16 examples each",
    ensemble,
    derive=per_model,
    targets=(Target(1 / 3, "jax"),),
    value=False,
    without=NO_VMAP,
)
def small_mlp(xp: Any, params: Any, x: Any, targets: Any) -> Any:
    return cross_entropy(xp, logits(xp, params, x), targets)
