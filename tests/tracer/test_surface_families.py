"""Families of functions over the same operations: values as NumPy's, derivatives, batches."""

from __future__ import annotations

import numpy as np
import pytest

import tracer
from tracer import grad, jacfwd, jacrev, jit, vmap

V = np.array([0.3, -0.7, 1.9, 0.8])
M = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
EDGES = np.array([-1.0, 0.0, 0.5, 2.0])

SMOOTH = {
    "searchsorted": (lambda x: np.searchsorted(EDGES, x) * x, M + 0.1),
    "interp": (lambda x: np.interp(x, EDGES, [1.0, 3.0, 2.0, 2.5]), M + 0.1),
    "interp of values": (lambda y: np.interp([-2.0, 0.2, 9.0], EDGES, y, left=7.0), V),
    "trapezoid": (lambda x: np.trapezoid(x * x, dx=0.5, axis=0), M),
    "trapezoid x": (lambda x: np.trapezoid(x * x, [0.0, 1.0, 3.0]), M),
    "gradient": (lambda x: np.gradient(x * x, 0.5, axis=1), M),
    "gradient x": (lambda x: np.gradient(x, [0.0, 1.0, 3.0], axis=1, edge_order=2), M),
    "gradient of places": (lambda t: np.gradient(V, t, edge_order=2), np.cumsum(V**2)),
    "unwrap": (lambda x: np.unwrap(x * 3), V),
    "cumulative_sum": (lambda x: np.cumulative_sum(x, axis=1, include_initial=True), M),
    "cumulative_prod": (lambda x: np.cumulative_prod(x), V),
    "convolve": (lambda x: np.convolve(x, [1.0, 2.0]), V),
    "convolve same": (lambda x: np.convolve(V, x * x, "same"), V[:3]),
    "correlate": (lambda x: np.correlate(x[:2], x), V),
    "polyval": (lambda p: np.polyval(p, 1.5), V),
    "polyval x": (lambda x: np.polyval([1.0, 2.0, 3.0], x), M),
    "polyder": (lambda p: np.polyder(p * p, 2), V),
    "polyadd": (lambda p: np.polyadd(p, p[:2]), V),
    "polysub": (lambda p: np.polysub([1.0], p), V),
    "vander": (lambda x: np.vander(x, 3), V),
    "cov": (lambda x: np.cov(x), M),
    "cov columns": (lambda x: np.cov(x, x * x, rowvar=False, ddof=0), M),
    "corrcoef": (lambda x: np.corrcoef(x), M),
    "fftshift": (lambda x: np.fft.fftshift(x), M),
    "ifftshift": (lambda x: np.fft.ifftshift(x, axes=1), M),
    "block": (lambda x: np.block([[x, x * 2], [np.ones((1, 3)), x[:1]]]), M),
    "unstack": (lambda x: np.unstack(x, axis=1)[2], M),
    "resize": (lambda x: np.resize(x, (3, 3)), M),
    "delete": (lambda x: np.delete(x, [0, -1], axis=1), M),
    "compress": (lambda x: np.compress([False, True], x, axis=1), M),
    "x.compress": (lambda x: x.compress([False, True, True]), M),
    "extract": (lambda x: np.extract(M > 0, x), M),
    "choose": (lambda x: np.choose([0, 2, 1], [x, x * x, 1.0]), M),
    "piecewise": (lambda x: np.piecewise(x, [x < 0, x > 1], [np.exp, 2.0, lambda x: x * x]), M),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda v: v * v[0], 1, x), M),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x, axis=1), M),
    "hypot.reduce": (lambda x: np.hypot.reduce(x, axis=None, keepdims=True), M),
    "fmax.reduce": (lambda x: np.fmax.reduce(x), M),
}
STEPS = {
    "digitize": (lambda x: np.digitize(x, EDGES, right=True), M),
    "digitize falling": (lambda x: np.digitize(x, EDGES[::-1]), M),
    "searchsorted nan": (lambda x: np.searchsorted(x, [np.nan, 0.1], "right"), np.sort(V)),
    "isin": (lambda x: np.isin(x, [0.5, 3.0], invert=True), M),
    "isreal": (lambda x: np.isreal(x), M),
    "imag": (lambda x: np.imag(x), M),
    "bitwise_or.reduce": (lambda x: np.bitwise_or.reduce(x.astype(int), axis=1), M),
    "bitwise_and.reduce": (lambda x: np.bitwise_and.reduce(x[:0].astype(int)), M),
    "logical_xor.reduce": (lambda x: np.logical_xor.reduce(x, axis=1), M),
    "hypot.reduce of ints": (lambda x: np.hypot.reduce(x.astype(np.int32)[:1]), M),
    "int ** int": (lambda x: x.astype(int) ** np.array([0, 3, 63]), M),
    "int ** traced": (lambda x: 3 ** np.abs(x).astype(np.int32), M),
    "int ** 100": (lambda x: x.astype(int) ** 100, M),
    "result_type": (lambda x: x.astype(np.result_type(x, np.float32)), M),
    "ix_": (lambda x: np.ix_(x.astype(int), [0, 1])[0], V),
    "polyval of ints": (lambda x: np.polyval([1, 2], x.astype(np.int32)), M),
    "cov f4": (lambda x: np.cov(x.astype(np.float32)), M),
    "choose of f4": (lambda x: np.choose([1, 0, 1], [x.astype("f4"), 2.5]), M),
}


def un_jitted(f, x):
    return grad(lambda d, x: (d * 1.0, f(x)), has_aux=True)(1.0, x)[1]


@pytest.mark.parametrize("name", [*SMOOTH, *STEPS])
@pytest.mark.filterwarnings("ignore::tracer.errors.TracerWarning")
def test_values(name):
    f, x = (SMOOTH | STEPS)[name]
    expected = f(x)
    for found in (un_jitted(f, x), jit(f)(x)):
        assert type(found) is type(expected)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives(name):
    f, x = SMOOTH[name]
    steps = 1e-6 * np.eye(x.size).reshape(x.size, *x.shape)
    expected = np.stack([(f(x + s) - f(x - s)) / 2e-6 for s in steps], -1)
    expected = expected.reshape(*expected.shape[:-1], *x.shape)
    for jacobian in (jacfwd, jacrev):
        np.testing.assert_allclose(jacobian(f)(x), expected, rtol=1e-5, atol=1e-7)
    batch = np.stack([x, x * 1.1])
    np.testing.assert_allclose(vmap(f)(batch), np.stack([f(y) for y in batch]), rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.choose(x.astype(int), [1.0, 2.0]), ValueError),
        (lambda x: x.astype(int) ** x.astype(int), ValueError),
        (lambda x: x.astype(int) ** np.array([-1, 0, 1]), ValueError),
        (lambda x: np.convolve(x, V), ValueError),
        (lambda x: np.fmax.reduce(x[:0]), ValueError),
        (lambda x: np.bitwise_or.reduce(x), TypeError),
        (lambda x: np.gradient(x[:1]), ValueError),
        (lambda x: np.gradient(x > 0), TypeError),
        (lambda x: np.block([[x], x]), ValueError),
        (lambda x: np.delete(x, 5, axis=0), IndexError),
    ],
)
def test_refusals(f, error):
    for run in (un_jitted, lambda f, x: jit(f)(x)):
        with pytest.raises(error):
            run(f, M)
    with pytest.raises(error):
        f(M)


def test_the_namespace_has_them():
    assert tracer.numpy.fft.fftshift([1, 2, 3]).tolist() == [3, 1, 2]
