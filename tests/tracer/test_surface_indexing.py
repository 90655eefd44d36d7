"""Indexing as NumPy's: masks, single bools, places that are traced, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import grad, jacrev, jit

T = np.random.default_rng(5).standard_normal((2, 3, 4))
KEYS = [
    np.s_[True],
    np.s_[False, 0],
    np.s_[np.True_, ..., [0, 1]],
    np.s_[:, True, [0, 2]],
    np.s_[None, np.array(True), 1, np.array([True, False, True])],
    np.s_[0, True, :, [True, False, True, True]],
    np.s_[..., [True, False, True], :],
    np.s_[..., np.ones((3, 4), bool)],
    np.s_[:, :, T[0, 0] > 0],
]


def un_jitted(f, *xs):
    return grad(lambda d, *xs: (d * 1.0, f(*xs)), has_aux=True)(1.0, *xs)[1]


def same(found, expected):
    assert type(found) is type(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_bools(key):
    same(un_jitted(lambda x: x[key], T), T[key])
    same(jit(lambda x: x[key])(T), T[key])


@pytest.mark.parametrize(
    "key",
    [
        np.s_[np.zeros(3, bool)],
        np.s_[[True, False, False]],
        np.s_[:, [False, False]],
        np.s_[..., np.zeros(5, bool)],
        np.s_[np.zeros((2, 2), bool)],
        np.s_[0, np.zeros((3, 1), bool)],
        np.s_[True, np.zeros(3, bool)],
    ],
    ids=str,
)
def test_a_mask_has_the_shape_of_its_axes(key):
    with pytest.raises(IndexError):
        T[key]
    for f in (un_jitted, lambda f, x: jit(f)(x)):
        with pytest.raises(IndexError, match=r"test_surface_indexing\.py:\d+.*boolean index"):
            f(lambda x: x[key], T)


def test_a_traced_place_of_rank_0_is_an_int():
    for i in (np.array(1), np.int64(1)):
        for f in (lambda x, i: x[..., i], lambda x, i: x[i]):
            same(un_jitted(f, T[0, 0], i), f(T[0, 0], i))
            same(jit(f)(T[0, 0], i), f(T[0, 0], i))


@pytest.mark.parametrize("mode", ["clip", "wrap", "raise"])
@pytest.mark.parametrize("at", [1, np.int32(2), [0, 2], np.array(0), np.array([[1, -1]])])
def test_take(mode, at):
    f = lambda x: np.take(x, at, 1, mode=mode)
    same(un_jitted(f, T), f(T))
    same(jit(f)(T), f(T))
    same(un_jitted(lambda x, i: np.take(x, i, mode=mode), T, np.asarray(at)), T.take(at, mode=mode))


def test_derivatives_through_bools():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(jacrev(lambda x: x[True, [2, 0]])(x), np.eye(3)[[2, 0]])
    assert grad(lambda x: x[False].sum())(x).tolist() == [0, 0, 0]
