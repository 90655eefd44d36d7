"""Arguments, dtypes and special values of NumPy functions: un-jitted and native, as NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import tracer
from tracer import grad, jacfwd, jacrev, jit, vmap

M = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
G = M.astype(np.float32)
I = np.array([[2, -1, 3], [0, 5, -4]], np.int32)  # noqa: E741
B = np.array([[True, False, True], [False, False, True]])
H = np.array([[np.nan, 1.0, np.nan], [2.0, np.nan, np.nan], [np.nan] * 3])
Z = np.array(1.5)
MASK = np.array([True, False, True])
ALL = (M, G, I, B)


def un_jitted(f, x):
    return grad(lambda d, x: (d * 1.0, f(x)), has_aux=True)(1.0, x)[1]


def leaves(x):
    return [y for part in x for y in leaves(part)] if isinstance(x, tuple | list) else [x]


def check(f, x, rtol=1e-6):
    with np.errstate(all="ignore"):
        expected = leaves(f(x))
    for found in (leaves(un_jitted(f, x)), leaves(jit(f)(x))):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert type(a) is type(b) or isinstance(b, bool)
            if isinstance(b, np.ndarray | np.generic):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol)
            if np.asarray(b).dtype.kind == "f":
                np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


REDUCTIONS = {
    "keywords by position": lambda x: np.sum(x, 0, None, None, True),
    "max by position": lambda x: np.max(x, 0, None, True),
    "mean by position": lambda x: x.mean(0, None, None, True),
    "take by position": lambda x: np.take(x, [7], 0, None, "clip"),
    "cumsum by position": lambda x: np.cumsum(x, 0, None, None),
    "std axis=": lambda x: np.std(x, axis=0, keepdims=True),
    "std ddof=": lambda x: x.std(axis=1, ddof=1),
    "std where=": lambda x: np.std(x, axis=1, where=MASK),
    "std mean=": lambda x: np.std(x, mean=np.mean(x, keepdims=True)),
    "var where=": lambda x: np.var(x, 0, where=[[True], [True]]),
    "mean where=": lambda x: np.mean(x, 1, where=MASK),
    "mean dtype=f4": lambda x: np.mean(x, 1, dtype=np.float32),
    "mean dtype=int": lambda x: np.mean(x, 1, dtype=int),
    "sum dtype=bool": lambda x: np.sum(x, 1, dtype=bool),
    "prod dtype=bool": lambda x: np.prod(x, 1, dtype=bool),
    "sum initial=": lambda x: np.sum(x, 1, initial=2.5),
    "prod initial=": lambda x: np.prod(x, 1, initial=np.float64(2.5)),
    "max initial=": lambda x: np.max(x, 1, initial=1),
    "min initial= where=": lambda x: np.min(x, 1, initial=2.5, where=MASK),
    "max initial= of nothing": lambda x: np.max(x[:, :0], 1, initial=1),
    "any where=": lambda x: np.any(x, 1, where=~MASK),
    "all where=": lambda x: np.all(x, where=MASK),
    "average": lambda x: np.average(x, 1, weights=[1, 2, 3]),
    "average bool weights": lambda x: np.average(x, weights=B, axis=1),
    "average returned": lambda x: np.average(x, 0, [1.0, 2.0], returned=True, keepdims=True),
    "nansum initial= where=": lambda x: np.nansum(x, 1, initial=1, where=MASK),
    "cumprod": lambda x: np.cumprod(x, 1),
    "x.cumprod": lambda x: x.cumprod(),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, 1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x),
    "fmin.accumulate": lambda x: np.fmin.accumulate(x),
    "logical_or.accumulate": lambda x: np.logical_or.accumulate(x, 1),
    "trace dtype=": lambda x: np.trace(x, dtype=np.float32),
    "diff prepend= append=": lambda x: np.diff(x, axis=0, prepend=0, append=x[:1]),
    "ediff1d": lambda x: np.ediff1d(x * 1, to_begin=0, to_end=[1, 2]),
    "tril of a vector": lambda x: np.tril(x[0]),
    "diag of a vector": lambda x: np.diag(x[0], 1),
    "einsum": lambda x: np.einsum("ij->j", x),
    "vecdot": lambda x: np.vecdot(x, x),
    "dot with a number": lambda x: x.dot(2),
    "add.outer with a number": lambda x: np.add.outer(x, 2),
    "isclose": lambda x: np.isclose(x, x),
    "array_equal": lambda x: np.array_equal(x, x * 1.0, equal_nan=True),
    "x == None": lambda x: x == None,  # noqa: E711
    "x != str": lambda x: x != "a",
    "meshgrid ij sparse": lambda x: np.meshgrid(x[0], x[1], indexing="ij", sparse=True),
    "meshgrid of three": lambda x: np.meshgrid(x[0], x[1], x[0], indexing="ij"),
    "concatenate dtype=": lambda x: np.concatenate([x, x], dtype=np.float32),
    "hstack casting=": lambda x: np.hstack([x, x], dtype=np.int32, casting="unsafe"),
    "vstack dtype=": lambda x: np.vstack([x, x], dtype=np.float64),
    "stack mixed": lambda x: np.stack([x, G], dtype=np.int32, casting="unsafe"),
    "pad dict": lambda x: np.pad(x, {-1: (1, 2)}),
    "pad -0.0": lambda x: np.pad(x * -1, 1, constant_values=-0.0),
    "select": lambda x: np.select([x > 1, x > 0], [x, 2.5], 0),
    "x.flat[1]": lambda x: x.flat[1],
    "fmax": lambda x: np.fmax(x, x),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("x", ALL, ids=lambda x: str(x.dtype))
def test_arguments_and_dtypes(name, x):
    check(REDUCTIONS[name], x, 1e-5)


SCALARS = {
    "flip": np.flip,
    "x.conj": lambda x: x.conj(),
    "round": lambda x: x.astype(int).round(2),
    "pad": lambda x: np.pad(x, 1, constant_values=2),
    "pad edge": lambda x: np.pad(x, 1, "edge"),
    "sum of axis 0": lambda x: np.sum(x, axis=0),
    "argmax of axis -1": lambda x: np.argmax(x, axis=-1),
    "cumsum of axis 0": lambda x: np.cumsum(x, axis=0),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "squeeze of axis 0": lambda x: np.squeeze(x, axis=0),
    "imag": np.imag,
    "nan_to_num of ints": lambda x: np.nan_to_num(x.astype(int)),
    "clip of a Python number": lambda x: np.clip(2.5, x.astype("f4"), 9),
}


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("x", [Z, Z[()]], ids=["0-d", "scalar"])
def test_rank_0(name, x):
    check(SCALARS[name], x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.nansum(x, 1),
        lambda x: np.nanprod(x, 1),
        lambda x: np.nanmax(x, 1),
        lambda x: np.nanmin(x, 0, keepdims=True),
        lambda x: np.nanmax(x, 1, initial=3, where=MASK),
        lambda x: np.nanmean(x, 1, dtype=np.float32),
        lambda x: np.nanvar(x, 1, ddof=1),
        lambda x: np.nanstd(x, 0),
        lambda x: np.nancumsum(x, 1),
        lambda x: np.nancumprod(x, 1),
        lambda x: np.nanargmax(x[:2], 1),
        lambda x: np.nanargmin(x),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_is_left_out(f):
    check(f, H)
    check(f, H.astype(np.float32))


def test_nan_alone_has_no_place():
    for f in (un_jitted, lambda f, x: jit(f)(x)):
        with pytest.raises(ValueError, match="All-NaN slice"):
            f(lambda x: np.nanargmax(x, 1), H)


def test_special_values():
    check(np.reciprocal, np.array([0, 1, -1, 2, -3], np.int32))
    check(np.reciprocal, np.array([0, 1, -1, 2, -3]))
    check(lambda x: np.clip(x, np.nan, 1.0), M)
    check(lambda x: np.clip(x, -1.0, np.array([np.nan, 0.0, 1.0])), M)
    check(lambda x: np.round(x, -1), np.array([14, 15, 25, -15]))
    check(lambda x: (x < 2**40, x == 2**70, x >= -(2**70)), I)


def test_dtype_is_that_of_the_loop():
    check(lambda x: np.add(x, x, dtype=np.float64), G)
    check(lambda x: np.less_equal(x, x, dtype=bool), H)
    with pytest.raises(TypeError, match="same_kind"):
        un_jitted(lambda x: np.multiply(x, 2, dtype=int), M)
    with pytest.raises(TypeError, match="No loop"):
        un_jitted(lambda x: np.hypot(x, 2, dtype=int), M)
    with pytest.raises(TypeError, match="cannot cast float64 to int32"):
        un_jitted(lambda x: np.concatenate([x, x], dtype=np.int32), M)
    with pytest.raises(TypeError, match="int8"):
        un_jitted(lambda x: x**2, B)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.pad(x, -1), ValueError),
        (lambda x: np.pad(x, 1.5), TypeError),
        (lambda x: np.reshape(x, -1, order="K"), TypeError),
        (lambda x: np.max(x, where=MASK), ValueError),
        (lambda x: np.sum(x, where=np.ones((4, 2, 3), bool)), ValueError),
        (lambda x: np.average(x, 1, weights=[1.0, 2.0]), ValueError),
        (lambda x: np.diff(x, -1), ValueError),
        (lambda x: np.tril(x[0, 0]), ValueError),
        (lambda x: np.einsum("ii", x[:, :1]), ValueError),
        (lambda x: np.einsum("ii->i", x), ValueError),
        (lambda x: np.average(x[0, 0], axis=0), ValueError),
        (lambda x: np.correlate(x, x), ValueError),
        (lambda x: np.polyadd(x, [1.0]), ValueError),
        (lambda x: np.average(x, weights=x * 0.0), ArithmeticError),
        (lambda x: np.clip(x > 0, None, None), TypeError),
        (lambda x: np.mean(x[0, 0], axis=0), ValueError),
        (lambda x: np.nanmean(x, dtype=int), TypeError),
    ],
)
def test_refusals_name_the_line(f, error):
    with pytest.raises(error, match=r"test_surface_numpy\.py:\d+"):
        un_jitted(f, M)


SMOOTH = {
    "std axis": lambda x: np.std(x, axis=0),
    "var where": lambda x: np.var(x, 1, where=MASK),
    "average": lambda x: np.average(x, 1, weights=abs(x)),
    "max initial": lambda x: np.max(x, 1, initial=1.0, where=MASK),
    "cumprod": lambda x: np.cumprod(x, 1),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, 1),
    "ediff1d": lambda x: np.ediff1d(x * x, to_end=x[0, :1]),
    "diff": lambda x: np.diff(x * x, prepend=1.0),
    "pad traced": lambda x: np.pad(x, 1, constant_values=x[0, 0]),
    "nanvar": lambda x: np.nanvar(x, 1),
    "nanmax": lambda x: np.nanmax(x, 0),
    "select": lambda x: np.select([x > 1, x > 0], [x * x, 2.5], 0),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives(name):
    f, h = SMOOTH[name], 1e-6
    steps = h * np.eye(M.size).reshape(M.size, *M.shape)
    expected = np.stack([(f(M + s) - f(M - s)) / (2 * h) for s in steps], -1)
    expected = expected.reshape(*expected.shape[:-1], *M.shape)
    for jacobian in (jacfwd, jacrev):
        np.testing.assert_allclose(jacobian(f)(M), expected, rtol=1e-5, atol=1e-7)
    batch = np.stack([M, M[::-1] * 1.1])
    np.testing.assert_allclose(vmap(f)(batch), np.stack([f(x) for x in batch]))


def test_a_fold_with_zeros_has_a_derivative():
    found = jacrev(np.cumprod)(np.array([2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 2, 0], [0, 6, 0]])
    assert tracer.grad(lambda x: np.nanstd(x))(np.ones(3)).tolist() == [0, 0, 0]
