"""Defects of torch.func that are not copied."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import checkpoint, errors, grad, hessian, jacfwd, jacrev, jit, jvp, linearize, vmap

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def counted(request, figures):
    figures.cover("contract: defects of torch.func that are not copied", {request.node.name})


@pytest.mark.parametrize("outer", [grad, jacrev, jacfwd, lambda f: jit(grad(f))])
def test_the_derivative_of_a_linearization(outer):
    """torch gives uninitialised memory."""
    assert outer(lambda x: linearize(lambda y: y**3, x)[1](1.0))(2.0) == 12.0
    assert outer(lambda x: linearize(lambda y: y**3, x)[0])(2.0) == 12.0
    assert outer(lambda t: linearize(np.exp, 0.0)[1](t) ** 2)(3.0) == 6.0
    assert hessian(lambda x: linearize(lambda y: y**4, x)[1](1.0))(2.0) == 48.0


def test_integers_have_no_silent_zeros():
    for f in (np.argmax, lambda x: np.sum(x > 0), lambda x: np.any(x > 1)):
        for transform in (grad, jacrev, jacfwd, hessian):
            with pytest.raises(errors.DifferentiableTypeError):
                transform(f)(X)
    with pytest.raises(errors.DifferentiableTypeError):
        grad(lambda n: n * 1.5)(np.array(2))


def test_checkpoint_under_every_derivative():
    """torch's raises under torch.func."""
    layer = checkpoint(lambda x: np.sin(x) * x if x[0] > 0 else -x)
    plain = lambda x: np.sin(x) * x
    for transform in (grad, hessian, jacrev, jacfwd, lambda f: jit(grad(f))):
        total = lambda f: lambda x: np.sum(f(x) ** 2)
        found, expected = transform(total(layer))(X), transform(total(plain))(X)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_writes_that_overwrite_what_a_derivative_needs():
    """torch refuses the derivative."""

    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, 3):
            y[i] = y[i - 1] * x[i] + x[0]
        return y[2]

    np.testing.assert_array_equal(grad(f)(X), [1.0 * 2 * 3 + 3 + 1, 3.0, 3.0])


def test_chunks_with_unmapped_outputs():
    f = lambda x: (x * 2, np.sum(X))
    for chunk_size in (1, 2, 3, 4):
        one, two = vmap(f, out_dims=(0, None), chunk_size=chunk_size)(X)
        np.testing.assert_array_equal(one, 2 * X)
        assert two == 6.0


def test_tangents_of_another_dtype():
    with pytest.raises(errors.TangentError):
        jvp(np.sin, (X,), (X.astype(np.float32),))
    with pytest.raises(errors.TangentError):
        jvp(np.sin, (X.astype(np.float32),), (X,))


def test_hessian_of_a_negative_argnum():
    """torch differentiates by two different arguments, and gives zeros."""
    np.testing.assert_array_equal(hessian(lambda x, y: np.sum(x * y * y), -1)(X, X), np.diag(2 * X))


def test_unmapped_outputs_with_an_inner_axis():
    """torch cannot put the batch axis anywhere but first."""
    m = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(vmap(lambda x, y: y, (0, None), 1)(X, m), np.stack([m, m, m], 1))


def test_dims_in_dicts_go_by_key():
    """torch goes by the place in the dict, and maps the wrong array."""
    found = vmap(lambda d: d["a"] * np.sum(d["b"]), ({"b": None, "a": 0},))({"a": X, "b": 2 * X})
    np.testing.assert_array_equal(found, 12 * X)
