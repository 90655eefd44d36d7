"""Whole models: compiled gradients against central differences and the un-jitted result."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import grad, jit, value_and_grad, vmap

RANDOM = np.random.default_rng(11)


def sum_of_squares(x):
    return np.sum(x**2)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


FEATURES = RANDOM.standard_normal((50, 8))
LABELS = (RANDOM.random(50) > 0.5).astype(float)


def logistic_regression(w):
    z = FEATURES @ w
    return np.mean(np.logaddexp(0.0, z) - LABELS * z) + 0.1 * np.dot(w, w)


DIGITS = RANDOM.integers(0, 3, 50)


def mlp(p):
    w1, b1 = p[:40].reshape(8, 5), p[40:45]
    w2, b2 = p[45:60].reshape(5, 3), p[60:63]
    logits = np.tanh(FEATURES @ w1 + b1) @ w2 + b2
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(50), DIGITS])


POINTS = RANDOM.standard_normal((40, 2))


def mixture(p):
    """The negative log-likelihood of three Gaussians, by logsumexp over the components."""
    means, scales, weights = p[:6].reshape(3, 2), p[6:9], p[9:12]
    distance = np.sum((POINTS[:, None, :] - means) ** 2, axis=-1)
    terms = weights - np.log(np.sum(np.exp(weights))) - 0.5 * distance * np.exp(-2 * scales)
    terms = terms - 2 * scales
    top = np.max(terms, axis=1, keepdims=True)
    return -np.sum(np.log(np.sum(np.exp(terms - top), axis=1)) + top[:, 0])


def n_body(p):
    """The potential energy of all pairs."""
    x = p.reshape(-1, 3)
    i, j = np.triu_indices(len(x), 1)
    distance = np.sqrt(np.sum((x[i] - x[j]) ** 2, axis=1) + 0.01)
    return -np.sum(1.0 / distance)


MODELS = {
    "sum of squares": (sum_of_squares, RANDOM.standard_normal(20)),
    "rosenbrock": (rosenbrock, RANDOM.standard_normal(1000)),
    "logistic regression": (logistic_regression, RANDOM.standard_normal(8)),
    "mlp": (mlp, RANDOM.standard_normal(63)),
    "mixture": (mixture, RANDOM.standard_normal(12)),
    "n-body": (n_body, RANDOM.standard_normal(24)),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name):
    f, x = MODELS[name]
    plain = grad(f)(x)
    value, compiled = jit(value_and_grad(f))(x)
    np.testing.assert_allclose(value, f(x), rtol=1e-12)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12, atol=1e-13)
    places = RANDOM.choice(x.size, min(x.size, 30), replace=False)
    for n in places:
        step = np.zeros(x.size)
        step[n] = 1e-5
        difference = (f(x + step) - f(x - step)) / 2e-5
        np.testing.assert_allclose(plain[n], difference, rtol=1e-5, atol=1e-6)


def test_per_example_gradients_of_a_model():
    w = RANDOM.standard_normal(8)

    def loss(w, x, y):
        z = np.dot(x, w)
        return np.logaddexp(0.0, z) - y * z

    every = vmap(grad(loss), (None, 0, 0))
    expected = np.stack([grad(loss)(w, x, y) for x, y in zip(FEATURES, LABELS, strict=True)])
    np.testing.assert_allclose(every(w, FEATURES, LABELS), expected, rtol=1e-12)
    np.testing.assert_allclose(jit(every)(w, FEATURES, LABELS), expected, rtol=1e-12)


def differences_squared(n):
    def f(x):
        total = 0.0
        for i in range(1, n):
            total += (x[i] - x[i - 1] ** 2) ** 2
        return total

    return f


def test_element_reads_in_a_loop():
    x = RANDOM.standard_normal(300)
    inner = x[1:] - x[:-1] ** 2
    expected = np.zeros(300)
    expected[1:] += 2 * inner
    expected[:-1] -= 4 * inner * x[:-1]
    np.testing.assert_allclose(grad(differences_squared(300))(x), expected, rtol=1e-10)
    np.testing.assert_allclose(jit(grad(differences_squared(300)))(x), expected, rtol=1e-10)


def test_a_long_chain_of_scalars():
    def f(x):
        for _ in range(2500):
            x = np.sin(x) * 0.5 + x
        return x

    step = 1e-6
    difference = (f(0.3 + step) - f(0.3 - step)) / (2 * step)
    np.testing.assert_allclose(grad(f)(0.3), difference, rtol=1e-5, atol=1e-9)
