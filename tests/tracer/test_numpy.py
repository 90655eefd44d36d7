"""Each entry of the NumPy table against NumPy: value, dtype, shape, type; and its derivative."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import tracer
from tracer import jacfwd, jacrev, jvp, vmap

RANDOM = np.random.default_rng(7)
V = np.array([0.3, -0.7, 1.9])
P = np.array([0.25, 0.5, 0.75])
M = RANDOM.standard_normal((3, 4))
N = RANDOM.standard_normal((4, 2))
T = RANDOM.standard_normal((2, 3, 4))
S = RANDOM.standard_normal((3, 3))
K = np.array([3, -2, 5])
B = np.array([True, False, True])
Z = np.array(1.5)
F = np.float64(0.4)

UNARY = {
    "V": "negative positive absolute fabs square cbrt exp exp2 expm1 sin cos tan arctan sinh cosh"
    " tanh arcsinh deg2rad rad2deg degrees radians sinc conjugate nan_to_num reciprocal real",
    "P": "sqrt log log2 log10 log1p arcsin arccos arctanh",
}
DIFFERENTIABLE = [(name, data) for data, names in UNARY.items() for name in names.split()]
OTHERS = [
    "sign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "round",
    "fix",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "logical_not",
    "isposinf",
    "isneginf",
]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "hypot",
    "arctan2",
    "logaddexp",
    "logaddexp2",
    "copysign",
    "remainder",
    "fmod",
    "float_power",
    "power",
]
COMPARE = [
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "floor_divide",
    "heaviside",
]

CALLS = {
    "sum": lambda x: np.sum(x),
    "sum axis": lambda x: np.sum(x, axis=1),
    "sum axes keepdims": lambda x: np.sum(x, (0, -1), keepdims=True),
    "sum where": lambda x: np.sum(x, where=M > 0),
    "sum initial": lambda x: np.sum(x, initial=3.0),
    "prod": lambda x: np.prod(x, 1),
    "max": lambda x: np.max(x, 0),
    "min": lambda x: np.min(x),
    "amax": lambda x: np.amax(x, axis=-1, keepdims=True),
    "mean": lambda x: np.mean(x, 0),
    "mean all": lambda x: x.mean(),
    "mean where": lambda x: np.mean(x, 1, where=M > -0.5),
    "var": lambda x: np.var(x, 1, ddof=1),
    "std": lambda x: np.std(x),
    "std axis": lambda x: x.std(0),
    "ptp": lambda x: np.ptp(x, 0),
    "cumsum": lambda x: np.cumsum(x, 1),
    "cumsum flat": lambda x: x.cumsum(),
    "diff": lambda x: np.diff(x, 2),
    "average": lambda x: np.average(x, 1, weights=[1.0, 2.0, 3.0, 4.0]),
    "nansum": lambda x: np.nansum(x, 0),
    "nanmean": lambda x: np.nanmean(x),
    "nanmax": lambda x: np.nanmax(x),
    "add.reduce": lambda x: np.add.reduce(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.outer": lambda x: np.multiply.outer(x, V),
    "subtract.outer": lambda x: np.subtract.outer(V, x),
    "reshape": lambda x: np.reshape(x, (2, -1)),
    "x.reshape": lambda x: x.reshape(2, 6),
    "ravel": lambda x: np.ravel(x),
    "flatten": lambda x: x.flatten(),
    "transpose": lambda x: np.transpose(x),
    "x.T": lambda x: x.T,
    "x.mT": lambda x: x.mT,
    "transpose axes": lambda x: x.transpose(1, 0),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(x[None, :, :, None]),
    "squeeze axis": lambda x: np.squeeze(x[None, :, :, None], 0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "atleast": lambda x: np.atleast_3d(x),
    "split": lambda x: np.split(x, 2, 1)[1],
    "array_split": lambda x: np.array_split(x, 3, axis=1)[0],
    "vsplit": lambda x: np.vsplit(x, [1])[1],
    "hsplit": lambda x: np.hsplit(x, 2)[0],
    "stack": lambda x: np.stack([x, 2 * x], 1),
    "vstack": lambda x: np.vstack([x, x[0]]),
    "hstack": lambda x: np.hstack([x, x]),
    "dstack": lambda x: np.dstack([x, x]),
    "column_stack": lambda x: np.column_stack([x[:, 0], x]),
    "concatenate": lambda x: np.concatenate([x, np.ones((1, 4)), x]),
    "concatenate flat": lambda x: np.concatenate([x, x], axis=None),
    "append": lambda x: np.append(x, x, 0),
    "tile": lambda x: np.tile(x, (2, 1, 2)),
    "repeat": lambda x: np.repeat(x, 2, 0),
    "repeat each": lambda x: x.repeat([1, 0, 2], axis=0),
    "flip": lambda x: np.flip(x),
    "fliplr": lambda x: np.fliplr(x),
    "flipud": lambda x: np.flipud(x),
    "rot90": lambda x: np.rot90(x, 3),
    "roll": lambda x: np.roll(x, 5),
    "roll axis": lambda x: np.roll(x, (1, -1), (0, 1)),
    "pad": lambda x: np.pad(x, ((1, 0), (2, 1))),
    "pad value": lambda x: np.pad(x, 1, constant_values=3.0),
    "pad edge": lambda x: np.pad(x, 2, mode="edge"),
    "pad reflect": lambda x: np.pad(x, 1, "reflect"),
    "where": lambda x: np.where(x > 0, x, 2.0),
    "select": lambda x: np.select([x > 1, x > 0], [x, x * x], -1.0),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "clip above": lambda x: np.clip(x, None, 0.5),
    "x.clip": lambda x: x.clip(min=0.1),
    "take": lambda x: np.take(x, [1, -1]),
    "take axis": lambda x: np.take(x, np.array([[0, 2], [1, 1]]), axis=1),
    "take clip": lambda x: np.take(x, [7, 1], axis=0, mode="clip"),
    "take_along_axis": lambda x: np.take_along_axis(x, np.argsort(M, 1), 1),
    "diagonal": lambda x: np.diagonal(x, 1),
    "diag": lambda x: np.diag(x[0], 1),
    "diag of matrix": lambda x: np.diag(x, -1),
    "tril": lambda x: np.tril(x, 1),
    "triu": lambda x: np.triu(x),
    "trace": lambda x: np.trace(x),
    "x.trace": lambda x: x.trace(1),
    "zeros_like": lambda x: x + np.zeros_like(x),
    "ones_like": lambda x: np.ones_like(x) * x,
    "full_like": lambda x: np.full_like(x, 3) * x,
    "dot": lambda x: np.dot(x, N),
    "x.dot": lambda x: x.dot(N[:, 0]),
    "ndarray.dot": lambda x: np.dot(V, x),
    "vdot": lambda x: np.vdot(x, M),
    "matmul": lambda x: np.matmul(x, N),
    "@ vector": lambda x: x @ N[:, 0],
    "vector @": lambda x: V @ x,
    "batched @": lambda x: T @ x.T,
    "@ batched": lambda x: x.T @ np.swapaxes(T, 1, 2).swapaxes(1, 2),
    "vector @ batched": lambda x: x[0] @ np.swapaxes(T, 1, 2),
    "batched both": lambda x: T @ (T.swapaxes(1, 2) * x[0, 0]),
    "inner": lambda x: np.inner(x, M),
    "outer": lambda x: np.outer(x, V),
    "tensordot": lambda x: np.tensordot(x, T, ((0, 1), (1, 2))),
    "tensordot n": lambda x: np.tensordot(x, N, 1),
    "einsum": lambda x: np.einsum("ij,jk->ki", x, N),
    "einsum implicit": lambda x: np.einsum("ij,jk", x, N),
    "einsum batch": lambda x: np.einsum("bij,ij->bi", T, x),
    "einsum one": lambda x: np.einsum("ij->j", x),
    "einsum three": lambda x: np.einsum("ij,jk,i->k", x, N, V),
    "einsum diagonal": lambda x: np.einsum("ii->i", x[:, :3]),
    "einsum ellipsis": lambda x: np.einsum("...ij,...j->...i", T, x[0]),
    "einsum all": lambda x: np.einsum("ij,ij->", x, M),
    "kron": lambda x: np.kron(x, N),
    "cross": lambda x: np.cross(x[:, :3], V),
    "norm": lambda x: np.linalg.norm(x),
    "norm axis": lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    "norm 1": lambda x: np.linalg.norm(x[0], 1),
    "norm 3": lambda x: np.linalg.norm(x, 3, axis=0),
    "norm inf": lambda x: np.linalg.norm(x[0], np.inf),
    "norm fro": lambda x: np.linalg.norm(x, "fro"),
    "norm matrix 1": lambda x: np.linalg.norm(x, 1),
    "meshgrid": lambda x: np.meshgrid(x[0], V)[0],
    "x[i]": lambda x: x[1],
    "x[-1, 2]": lambda x: x[-1, 2],
    "x[1:, ::-2]": lambda x: x[1:, ::-2],
    "x[..., None]": lambda x: x[..., None, 0],
    "x[[..]]": lambda x: x[[2, 0, -1]],
    "x[:, [..]]": lambda x: x[:, [1, 1, 0]],
    "x[[..], [..]]": lambda x: x[[0, 1], [2, -1]],
    "x[1, [..]]": lambda x: x[1, [0, 2]],
    "x[None, :, [..]]": lambda x: x[None, :, [0, 2]],
    "x[[..], None, 0]": lambda x: x[[0, 1], None, 0],
    "x[mask]": lambda x: x[M > 0],
    "x[:, mask]": lambda x: x[:, [True, False, True, True]],
    "x[empty]": lambda x: x[1:1],
    "iteration": lambda x: sum(row for row in x),
    "x ** 2": lambda x: x**2,
    "x ** 3.0": lambda x: x**3.0,
    "x ** -2": lambda x: x**-2,
    "2 ** x": lambda x: 2.0**x,
    "|x| ** 0.5": lambda x: abs(x) ** 0.5,
    "|x| ** x": lambda x: abs(x) ** x,
    "x % 0.4": lambda x: x % 0.4,
    "divmod": lambda x: divmod(x, 0.3)[1],
    "modf": lambda x: np.modf(x)[0],
    "1 / x": lambda x: 1 / x,
    "ndarray * x": lambda x: M * x,
    "np.float64 - x": lambda x: F - x,
    "x += 1": lambda x: x.__add__(1),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "block of rows": lambda x: tracer.numpy.array([x[0], x[1] * 2]),
}
VALUES = {
    "argmax": lambda x: np.argmax(x),
    "argmax axis": lambda x: np.argmax(x, 1),
    "argmin keepdims": lambda x: x.argmin(axis=0, keepdims=True),
    "any": lambda x: np.any(x > 1),
    "all": lambda x: (x > -9).all(axis=0),
    "all of nothing": lambda x: np.all(x[:0]),
    "any of nothing": lambda x: np.any(x[:0], 0),
    "count_nonzero": lambda x: np.count_nonzero(x > 0, axis=1),
    "logical_and.reduce": lambda x: np.logical_and.reduce(x > 0),
    "isclose": lambda x: np.isclose(x, M),
    "allclose": lambda x: np.allclose(x, M),
    "astype int": lambda x: x.astype(int),
    "astype bool": lambda x: x.astype(bool),
    "astype f4": lambda x: x.astype(np.float32) * 2.0,
    "x > 0": lambda x: x > 0,
    "~": lambda x: ~(x > 0) & (x < 1) | (x > 2),
    "int sum": lambda x: np.sum(x.astype(np.int32), 0),
    "bool sum": lambda x: np.sum(x > 0),
    "bool + bool": lambda x: (x > 0) + (x > 1),
    "int mean": lambda x: x.astype(int).mean(),
    "int / int": lambda x: x.astype(int) / 2,
    "int // int": lambda x: x.astype(int) // 2,
    "int % int": lambda x: x.astype(int) % 3,
    "int ** 2": lambda x: x.astype(int) ** 2,
    "int << 2": lambda x: x.astype(int) << 2,
    "int32 + 2": lambda x: x.astype(np.int32) + 2,
    "int32 + 2.5": lambda x: x.astype(np.int32) + 2.5,
    "int32 + float32": lambda x: x.astype(np.int32) + np.float32(1),
    "exp int": lambda x: np.exp(x.astype(int)),
    "where scalars": lambda x: np.where(x > 0, 1, 2.5),
    "round 1": lambda x: np.round(x, 1),
    "array_equal": lambda x: np.array_equal(x, M) * np.ones(1),
}


def run(f, *xs):
    """The function on tracers of the arguments, un-jitted: jvp's output."""
    return jvp(f, xs, xs)[0]


def out_of(f, x):
    """The output of f on a tracer, whatever its dtype."""
    kept = tracer.vjp(lambda x: (np.sum(x) * 0.0, f(x)), x, has_aux=True)
    return kept[2]


def same(found, expected, rtol=1e-12):
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-14)


def differences(f, x, h=1e-6):
    """The matrix of derivatives by central differences."""
    x = np.asarray(x)
    columns = []
    for n in range(x.size):
        step = np.zeros(x.size)
        step[n] = h
        step = step.reshape(x.shape)
        columns.append((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * h))
    shape = (*np.shape(f(x)), *x.shape)
    return np.stack(columns, -1).reshape(shape)


def check_derivatives(f, x):
    expected = differences(f, x)
    np.testing.assert_allclose(jacrev(f)(x), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(jacfwd(f)(x), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "data"), DIFFERENTIABLE)
def test_elementary(name, data):
    f, x = getattr(np, name), globals()[data]
    same(out_of(f, x), f(x))
    same(out_of(f, x[0]), f(x[0]))
    if name != "real":
        same(out_of(f, x.astype(np.float32)), f(x.astype(np.float32)), 2e-6)
    check_derivatives(f, x)


@pytest.mark.parametrize("name", OTHERS)
def test_steps_and_questions(name):
    f = getattr(np, name)
    special = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan])
    same(out_of(f, special), f(special))
    same(out_of(f, F), f(F))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    f = getattr(np, name)
    x, y = np.array([[0.3], [1.7]]), np.array([0.8, 2.6, 0.2])
    same(out_of(lambda x: f(x, y), x), f(x, y))
    same(out_of(lambda x: f(y, x), x), f(y, x))
    same(out_of(lambda x: f(x, 2), x), f(x, 2))
    same(out_of(lambda x: f(x, F), F), f(F, F))
    same(out_of(lambda x: f(x, Z), Z), f(Z, Z))
    check_derivatives(lambda x: f(x, y), x)
    check_derivatives(lambda x: f(y, x), x)


@pytest.mark.parametrize("name", COMPARE)
def test_comparison(name):
    f = getattr(np, name)
    same(out_of(lambda x: f(x, V[::-1]), V), f(V, V[::-1]))
    same(out_of(lambda x: f(0.3, x), V), f(0.3, V))
    same(out_of(lambda x: f(x, x), F), f(F, F))


@pytest.mark.parametrize("name", CALLS)
def test_function(name):
    f = CALLS[name]
    same(out_of(f, M), np.asarray(f(M)) if np.ndim(f(M)) else f(M))
    check_derivatives(f, M)


@pytest.mark.parametrize("name", CALLS)
def test_batched(name):
    f = CALLS[name]
    batch = np.stack([M, 2 * M + 0.1])
    np.testing.assert_allclose(vmap(f)(batch), np.stack([f(x) for x in batch]), rtol=1e-12)


@pytest.mark.parametrize("name", VALUES)
def test_value(name):
    f = VALUES[name]
    found, expected = out_of(f, M), f(M)
    if isinstance(expected, bool):
        expected = np.bool_(expected)
    same(found, expected)


SPECIAL = {"expit": V, "erf": V, "erfc": V, "erfinv": V[:2], "logit": P, "entr": P, "ndtr": V}


@pytest.mark.parametrize("name", SPECIAL)
def test_scipy_special(name):
    f, x = getattr(scipy.special, name), SPECIAL[name]
    same(out_of(f, x), f(x))
    check_derivatives(f, x)


def test_xlogy():
    f = scipy.special.xlogy
    same(out_of(lambda x: f(x, P), P), f(P, P))
    check_derivatives(lambda x: f(x, P), P)
    assert tracer.grad(lambda y: f(0.0, y))(0.0) == 0
    same(out_of(lambda x: scipy.special.xlog1py(x, P), P), scipy.special.xlog1py(P, P))
    same(out_of(scipy.special.log_expit, V), scipy.special.log_expit(V))


SCALARS = {
    "reshape": lambda x: np.reshape(x, ()),
    "x[...]": lambda x: x[...],
    "x[()]": lambda x: x[()],
    "where": lambda x: np.where(True, x, x),
    "squeeze": np.squeeze,
    "np.copy": np.copy,
    "T": lambda x: x.T,
    "astype": lambda x: x.astype(np.float32),
    "sum": np.sum,
    "exp": np.exp,
    "clip": lambda x: np.clip(x, 0, 1),
    "dot": lambda x: np.dot(x, x),
    "tensordot": lambda x: np.tensordot(x, x, 0),
    "einsum": lambda x: np.einsum(",->", x, x),
    "inner": lambda x: np.inner(x, x),
    "kron": lambda x: np.kron(x, x),
    "zeros_like": np.zeros_like,
    "nan_to_num": np.nan_to_num,
    "std": np.std,
    "norm": lambda x: np.linalg.norm(x * np.ones(3)),
    "broadcast_to": lambda x: np.broadcast_to(x, ()),
    "expand_dims": lambda x: np.expand_dims(x, ()),
    "select": lambda x: np.select([True], [x]),
    "argmax": np.argmax,
    "round": np.round,
    "max keepdims": lambda x: np.max(x, keepdims=True),
    "sinc": np.sinc,
    "ravel": np.ravel,
    "atleast_1d": np.atleast_1d,
    "conj": np.conj,
    "trace": lambda x: np.trace(np.eye(2) * x),
}


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("x", [F, Z], ids=["scalar", "0-d"])
def test_scalars_and_0d_arrays(name, x):
    same(out_of(SCALARS[name], x), SCALARS[name](x))


def test_extremes():
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e308, 5e-324])
    with np.errstate(all="ignore"):
        for f in (np.logaddexp, np.logaddexp2, np.fmax, np.fmin, np.heaviside, np.hypot):
            same(out_of(lambda a, f=f: f(a[:, None], x), x), f(x[:, None], x))
        for f in (np.modf, np.nan_to_num, np.sinc):
            for a, b in zip(np.atleast_2d(out_of(f, x)), np.atleast_2d(f(x)), strict=True):
                same(a, b)


def test_derivatives_at_kinks():
    grad = tracer.grad
    zero = np.zeros(3)
    assert grad(np.abs)(0.0) == 0
    np.testing.assert_array_equal(grad(lambda x: np.max(x))(np.ones(4)), np.full(4, 0.25))
    assert grad(lambda x: np.maximum(x, 0.0))(0.0) == 0.5
    assert grad(lambda x: x.relu())(0.0) == 0
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(0.0) == 1
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(1.0) == 1
    np.testing.assert_array_equal(grad(np.linalg.norm)(zero), zero)
    np.testing.assert_array_equal(grad(np.std)(np.ones(3)), zero)
    assert grad(np.sinc)(0.0) == 0
    assert grad(np.sqrt)(0.0) == np.inf
    np.testing.assert_array_equal(grad(np.prod)(np.array([0.0, 2.0, 3.0])), [6, 0, 0])
    assert grad(lambda x: x**0)(0.0) == 0
    assert grad(lambda x: np.logaddexp(x, x))(1.0) == 1


def test_traced_indices():
    i = np.array([2, -1, 0])
    f = lambda x, i: x[i]
    np.testing.assert_array_equal(vmap(f, (None, 0))(V, i), V[i])
    np.testing.assert_array_equal(vmap(f, (0, 0))(S, i), S[np.arange(3), i])
    rows = jacrev(lambda x: x[tracer.numpy.array(i)])(V)
    np.testing.assert_array_equal(rows, np.eye(3)[i])
    found = vmap(lambda i: tracer.numpy.take(V, i))(i)
    np.testing.assert_array_equal(found, V[i])
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 3"):
        vmap(f, (None, 0))(V, np.array([3]))


def test_python_numbers_do_not_decide_dtypes():
    x = V.astype(np.float32)
    assert out_of(lambda x: x * 2.0 + 1, x).dtype == np.float32
    assert out_of(lambda x: np.where(x > 0, x, 0.0), x).dtype == np.float32
    assert out_of(lambda x: x * np.float64(2), x).dtype == np.float64
    assert jvp(lambda a: a * x, (2.0,), (1.0,))[0].dtype == np.float32


def test_the_namespace():
    assert tracer.numpy.sum([1, 2]) == 3
    assert tracer.numpy.pi == np.pi
    assert tracer.numpy.linalg.norm([3.0, 4.0]) == 5
    assert tracer.grad(lambda x: tracer.numpy.full((2, 2), x).sum())(1.0) == 4


KEYS = [
    np.s_[:, [0, 1], [1, 2]],
    np.s_[[0, 1], :, [1, 2]],
    np.s_[None, [0, 1], :, [1, 2]],
    np.s_[0, :, [1, 2]],
    np.s_[..., [1, 2]],
    np.s_[[0, 1], ..., 1],
    np.s_[1, None, [1, 0]],
    np.s_[:, None, [0, 1]],
    np.s_[np.array(1), 1:],
    np.s_[T > 0],
    np.s_[0, T[0] > 0],
    np.s_[:, np.array([[0, 1], [1, 2]])],
    np.s_[-1, ..., ::-1],
    np.s_[[True, False]],
    np.s_[:0],
    np.s_[5:1:-1],
    np.s_[1, 2, 3],
    np.s_[np.int64(1), np.int32(-1)],
    np.s_[()],
    np.s_[...],
    np.s_[[], 0],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing(key):
    same(out_of(lambda x: x[key], T), T[key])
