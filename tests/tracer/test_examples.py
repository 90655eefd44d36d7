"""The examples of torch.func.grad's documentation, their bodies as written there."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import grad, no_grad, vmap


def test_grad_of_sin_is_cos():
    x = np.random.default_rng(0).standard_normal()
    cos_x = grad(lambda x: np.sin(x))(x)
    assert np.allclose(cos_x, np.cos(x))


def test_second_order_gradient_of_sin():
    x = np.random.default_rng(0).standard_normal()
    neg_sin_x = grad(grad(lambda x: np.sin(x)))(x)
    assert np.allclose(neg_sin_x, -np.sin(x))


def test_tensor_spellings():
    x = np.float64(0.3)
    assert grad(lambda x: x.sin())(x) == np.cos(x)
    assert grad(grad(lambda x: x.sin()))(x) == -np.sin(x)


def test_per_example_gradients():
    batch_size, feature_size = 3, 5
    random = np.random.default_rng(1)

    def model(weights, feature_vec):
        # Very simple linear model with activation
        assert feature_vec.dim() == 1
        return feature_vec.dot(weights).relu()

    def compute_loss(weights, example, target):
        y = model(weights, example)
        return ((y - target) ** 2).mean()  # MSELoss

    weights = random.standard_normal(feature_size)
    examples = random.standard_normal((batch_size, feature_size))
    targets = random.standard_normal(batch_size)
    inputs = (weights, examples, targets)
    grad_weight_per_example = vmap(grad(compute_loss), in_dims=(None, 0, 0))(*inputs)

    y = np.maximum(examples @ weights, 0)
    expected = (2 * (y - targets) * (y > 0))[:, None] * examples
    assert grad_weight_per_example.shape == (batch_size, feature_size)
    np.testing.assert_allclose(grad_weight_per_example, expected, rtol=1e-12)


def test_grad_with_has_aux_and_argnums():
    random = np.random.default_rng(2)

    def my_loss_func(y, y_pred):
        loss_per_sample = (0.5 * y_pred - y) ** 2
        loss = loss_per_sample.mean()
        return loss, (y_pred, loss_per_sample)

    fn = grad(my_loss_func, argnums=(0, 1), has_aux=True)
    y_true = random.random(4)
    y_preds = random.random(4)
    grads, (y_pred, loss_per_sample) = fn(y_true, y_preds)

    np.testing.assert_allclose(grads[0], -2 * (0.5 * y_preds - y_true) / 4, rtol=1e-12)
    np.testing.assert_allclose(grads[1], (0.5 * y_preds - y_true) / 4, rtol=1e-12)
    np.testing.assert_array_equal(y_pred, y_preds)
    np.testing.assert_allclose(loss_per_sample, (0.5 * y_preds - y_true) ** 2, rtol=1e-12)
    assert type(y_pred) is np.ndarray
    assert y_pred is not y_preds


def test_case_1_no_grad_inside_the_function():
    def f(x):
        with no_grad():
            c = x**2
        return x - c

    assert grad(f)(2.0) == 1.0


@pytest.mark.parametrize("x", [2.0, np.float64(2.0), np.array(2.0)])
def test_case_2_grad_inside_no_grad(x):
    def f(x):
        return x**2

    with no_grad():
        assert grad(f)(x) == 4.0
