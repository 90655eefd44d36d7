"""What a compiled function is given, and what it gives back: layouts, dtypes, ownership."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.codegen.layouts import LAYOUTS

from ir.op import Array
from tracer import grad, jit, vmap

DTYPES = ("float64", "float32", "int64", "int32", "bool")

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda x: x * 2 + 1,
    "sum": lambda x: np.sum(x, axis=-1) if x.ndim else x + x,
    "all of it": lambda x: np.sum(x * x),
    "product": lambda x: x @ x.T if x.ndim == 2 else x * x,
    "transposed": lambda x: x.T,
    "backwards": lambda x: x[::-1] if x.ndim else x,
    "running": lambda x: np.cumsum(x, axis=0) if x.ndim else x,
    "flat": lambda x: np.reshape(x, -1) + 1,
}


@cache
def compiled(name: str) -> Any:
    return jit(FUNCTIONS[name])


def memory(x: Array) -> bytes:
    """All that lies under the array, its gaps too."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x.tobytes()


def same(got: Any, want: Any) -> None:
    """NumPy's type, dtype, shape and numbers; the sums of floats to rounding."""
    assert type(got) is type(want)
    assert (got.dtype, got.shape) == (want.dtype.newbyteorder("="), want.shape)
    eps = np.finfo(want.dtype).eps if want.dtype.kind == "f" else 0
    np.testing.assert_allclose(got, want, rtol=16 * eps, atol=16 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, dtype: str, figures: Any) -> None:
    """Each function on each layout is NumPy's, and nothing under the argument changes."""
    rng = np.random.default_rng(len(layout))
    x = LAYOUTS[layout]((rng.normal(size=(4, 6)) * 4).astype(dtype))
    before = memory(x)
    for name, f in FUNCTIONS.items():
        same(compiled(name)(x), np.asarray(f(x)) if isinstance(f(x), np.ndarray) else f(x))
        assert memory(x) == before
        figures.add("array layouts compared, compiled with NumPy")


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
@pytest.mark.parametrize("first", ["native", "swapped"])
def test_byte_orders_are_kept_apart(dtype: str, first: str) -> None:
    """One function for both byte orders, whichever comes first."""
    f = jit(lambda x: x + 1)
    native = np.arange(5).astype(dtype)
    swapped = native.astype(native.dtype.newbyteorder("S"))
    given = (native, swapped) if first == "native" else (swapped, native)
    for x in (*given, *given):
        np.testing.assert_array_equal(f(x), np.arange(1, 6))


@pytest.mark.parametrize("first", ["aligned", "misaligned"])
def test_alignments_are_kept_apart(first: str) -> None:
    f = jit(lambda x: x + 1)
    aligned = np.arange(50.0)
    misaligned = LAYOUTS["misaligned"](aligned)
    given = (aligned, misaligned) if first == "aligned" else (misaligned, aligned)
    for x in (*given, LAYOUTS["byte-swapped"](aligned), *given):
        np.testing.assert_array_equal(f(x), aligned + 1)


@pytest.mark.parametrize("layout", ["plain", "strided", "reversed", "fortran", "misaligned",
                                    "byte-swapped", "read-only", "broadcast row"])  # fmt: skip
def test_captured_arrays(layout: str) -> None:
    """Small ones are constants of the program, large ones hidden parameters; both snapshots."""
    for shape in ((3, 4), (20, 30)):
        kept = LAYOUTS[layout](np.random.default_rng(0).normal(size=shape))
        want = kept * 2.0
        f = jit(lambda x, kept=kept: kept * x)
        before = memory(kept)
        for _ in range(2):
            np.testing.assert_array_equal(f(np.float64(2.0)), want)
        assert memory(kept) == before


# Dtypes that were not asked for.


def test_int_for_float() -> None:
    """Another dtype is another variant, with NumPy's result."""
    f = jit(lambda x: x / 2 + 1)
    for x in (np.ones(3), np.arange(3), np.arange(3, dtype=np.int32), np.ones(3, np.float32),
              np.ones(3, bool), 2, 2.5, True, np.float32(2), np.int32(2)):  # fmt: skip
        want = x / 2 + 1
        got = f(x)
        assert got.dtype == np.asarray(want).dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "x",
    [
        np.ones(3, np.int8), np.ones(3, np.uint8), np.ones(3, np.int16), np.ones(3, np.uint64),
        np.ones(3, np.float16), np.ones(3, np.longdouble), np.ones(3, complex),
        np.array([1, 2.5], object), np.array(["a", "b"]), np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"), np.zeros(2, [("a", float)]), np.array(1, np.float16),
    ],
    ids=lambda x: str(x.dtype),
)  # fmt: skip
def test_dtypes_that_are_not_traced(x: Array) -> None:
    """The error begins with the user's line and names the dtype and those there are."""
    with pytest.raises(TypeError, match=r"test_runtime\.py:\d+: ") as refused:
        jit(lambda x: x)(x)
    for word in (str(x.dtype), "float64"):
        assert word in str(refused.value)


def test_scalars_of_other_dtypes_are_part_of_the_signature() -> None:
    """They are NumPy's own business, then: the function runs on them as they are."""
    f = jit(lambda x: x * 2)
    for x in (np.float16(1.5), np.int8(3), np.complex128(1j), 1j):
        got = f(x)
        assert (type(got), got) == (type(x * 2), x * 2)


# Arguments that share memory.


def test_the_same_array_twice() -> None:
    x = np.arange(5.0)
    f = jit(lambda x, y: (x + y, x * y))
    total, product = f(x, x)
    np.testing.assert_array_equal(total, 2 * np.arange(5.0))
    np.testing.assert_array_equal(product, np.arange(5.0) ** 2)
    gx, gy = jit(grad(lambda x, y: np.sum(x * y), argnums=(0, 1)))(x, x)
    assert not np.shares_memory(gx, gy)
    np.testing.assert_array_equal(gx, x)
    np.testing.assert_array_equal(gy, x)


@pytest.mark.parametrize("shift", [0, 1, 2, 7])
def test_views_that_overlap(shift: int) -> None:
    base = np.random.default_rng(0).normal(size=40)
    x, y = base[: 40 - shift], base[shift:]
    kept = base.copy()
    for f in (
        lambda x, y: x * y + np.cumsum(y),
        lambda x, y: np.concatenate([y, x]),
        lambda x, y: grad(lambda x, y: np.sum(x[1:] * y[:-1] ** 2), argnums=1)(x, y),
    ):
        np.testing.assert_allclose(jit(f)(x, y), f(x.copy(), y.copy()), rtol=1e-14)
        np.testing.assert_array_equal(base, kept)


# Results.

RETURNS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "twice": lambda x: (x, x),
    "with its view": lambda x: (x, x.T, x[...], x[:]),
    "transposed": lambda x: x.T,
    "reshaped": lambda x: (x.reshape(-1), x.reshape(3, 2), x.ravel()),
    "part": lambda x: (x[0], x[:, 1], x[::-1]),
    "computed twice": lambda x: (x + 1, x + 1),
    "computed and reshaped": lambda x: (lambda y: (y, y.T, y.reshape(-1), y))(x * 2),
    "gradient and itself": lambda x: (grad(lambda x: np.sum(x**2))(x), x),
    "constant": lambda x: (np.ones(3), np.zeros((2, 2)), np.arange(100.0)),
    "same constant twice": lambda x: [np.full(100, 7.0)] * 2,
    "traced constant": lambda x: (np.zeros_like(x), np.ones_like(x), np.zeros_like(x)),
    "empty": lambda x: (x[:0], np.zeros((3, 0)), x[:, :0] * 2),
    "broadcast": lambda x: (np.broadcast_to(x, (4, 2, 3)), np.broadcast_to(x[0, 0], (5,))),
    "in place of a copy": lambda x: (np.concatenate([x, x]), np.stack([x[0], x[0]])),
    "0-d": lambda x: (x[0, 0, ...], np.sum(x)[...]),
    "in a tree": lambda x: {"a": [x, (x, {"b": x})], "c": x + 0},
}


def leaves(made: Any) -> list[Array]:
    if isinstance(made, dict):
        return [leaf for key in made for leaf in leaves(made[key])]
    if isinstance(made, tuple | list):
        return [leaf for part in made for leaf in leaves(part)]
    return [made]


@pytest.mark.parametrize("name", RETURNS)
def test_results_are_the_callers_own(name: str, figures: Any) -> None:
    """Fresh at each call, writable, owned, and apart from the argument and from each other."""
    f = jit(RETURNS[name])
    x = np.arange(6.0).reshape(2, 3)
    kept = x.copy()
    want = [np.array(y) for y in leaves(RETURNS[name](x))]
    seen: list[Array] = []
    for _ in range(3):
        made = leaves(f(x))
        for y, expected in zip(made, want, strict=True):
            assert type(y) is np.ndarray
            assert y.flags.owndata
            assert y.flags.writeable
            assert y.flags.c_contiguous
            np.testing.assert_array_equal(y, expected)
            assert not np.shares_memory(x, y)
            assert not any(y is other or np.shares_memory(y, other) for other in seen)
            seen.append(y)
            y[...] = -99.0  # scribbling on a result changes no later one
            figures.add("results found to be the caller's own")
        np.testing.assert_array_equal(x, kept)


def test_numpy_scalars_and_arrays_without_axes() -> None:
    """A result is an ndarray where NumPy gives one, and a scalar where it gives that."""
    cases: list[Callable[[Any], Any]] = [
        np.sum, lambda x: x[0], lambda x: x[0, ...], lambda x: x[0] + 1, lambda x: x.reshape(()),
        lambda x: np.sum(x, keepdims=True), lambda x: x.sum()[...], lambda x: np.sin(x[0, ...]),
        lambda x: np.float32(2), lambda x: np.array(3), lambda x: np.array(3) + x[0], np.max,
        lambda x: np.dot(x, x), lambda x: x @ x, lambda x: np.squeeze(x), lambda x: np.argmax(x),
        lambda x: x[0] > 0, lambda x: np.where(x[0] > 0, x[0], 1.0),
    ]  # fmt: skip
    x = np.array([2.5])
    for f in cases:
        got, want = jit(f)(x), f(x)
        assert (type(got), np.shape(got)) == (type(want), np.shape(want))
        assert got == want


def test_python_numbers_are_returned_as_they_are() -> None:
    made = jit(lambda x: (1, 2.5, True, None, "a", x.shape))(np.ones(3))
    assert made == (1, 2.5, True, None, "a", (3,))
    assert [type(y) for y in made] == [int, float, bool, type(None), str, tuple]


def test_empty_arrays_in_every_place() -> None:
    """What has no elements is no special case: sums are 0, products 1, matmuls zeros."""
    x = np.zeros((0, 3))
    for f in (
        lambda x: np.sum(x), lambda x: np.sum(x, axis=0), lambda x: np.prod(x, axis=0),
        lambda x: x.T @ x, lambda x: x @ x.T, lambda x: np.cumsum(x, axis=0),
        lambda x: np.concatenate([x, np.ones((2, 3))]), lambda x: x[:, ::-1],
        grad(lambda x: np.sum(np.sin(x))), vmap(lambda row: row * 2), lambda x: np.sum(x, axis=1),
        lambda x: np.pad(x, 2), lambda x: np.pad(np.reshape(x, (3, 0)), 1),
        lambda x: np.pad(np.reshape(x, (2, 0, 4)), ((1, 0), (2, 2), (0, 1))),
        lambda x: np.concatenate([np.reshape(x, (2, 0)), np.ones((2, 3))], axis=1),
    ):  # fmt: skip
        same(jit(f)(x), f(x))
