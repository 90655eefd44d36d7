"""``out=``: results written to the caller's arrays, natively and by way of copies."""

from __future__ import annotations

import tracemalloc
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from tests.codegen.calls import assert_same, natively, reaching_python
from tests.codegen.layouts import LAYOUTS, Layout

from tracer import grad, jit, vmap

Pair = namedtuple("Pair", "x y")
X = np.array([1.5, -2.0, 0.25])


def several(x: Any) -> Any:
    return {"a": x * 2, "p": Pair(x.sum(), [x > 0]), "o": OrderedDict(z=x[:2], y=x[:0])}


def slope(x: Any) -> Any:
    return grad(lambda x: np.sum(x**3))(x)


def empty(made: Any) -> Any:
    """The same structure of arrays, which hold other numbers."""
    if isinstance(made, dict):
        return type(made)((k, empty(x)) for k, x in made.items())
    if isinstance(made, tuple):
        return Pair(*map(empty, made))
    return [empty(x) for x in made] if isinstance(made, list) else np.full_like(made, 7)


def arrays(made: Any) -> Any:
    """The same structure, its scalars as arrays."""
    if isinstance(made, dict):
        return type(made)((k, arrays(x)) for k, x in made.items())
    if isinstance(made, tuple):
        return Pair(*map(arrays, made))
    return [arrays(x) for x in made] if isinstance(made, list) else np.asarray(made)


def test_results_are_written_and_returned() -> None:
    """First through Python, then natively; a call without out= is as before."""
    jitted, out = jit(several), empty(several(X))
    kept = list(out.values())
    for n in range(4):
        x = X + n
        assert jitted(x, out=out) is out
        assert_same(out, arrays(several(x)))
        assert_same(jitted(x), several(x))
    assert all(one is other for one, other in zip(out.values(), kept, strict=True))
    with natively():
        assert jitted(X, out=out) is out
        assert_same(jitted(X), several(X))
    assert_same(out, arrays(several(X)))


@pytest.mark.parametrize("f", [lambda x: x * 2, lambda x: x.sum(), lambda x: x[::-1], slope])
def test_one_array(f: Any) -> None:
    jitted, out = jit(f), np.full_like(np.asarray(f(X)), 7)
    for _ in range(3):
        assert jitted(X, out=out) is out
        assert_same(out, np.asarray(f(X)))
    with natively():
        jitted(X + 1, out=out)
    assert_same(out, np.asarray(f(X + 1)))


def test_nothing_is_allocated() -> None:
    """Where out is contiguous, a call makes no array: nothing of its size passes by."""
    jitted, x, out = jit(lambda x: x * 2), np.ones(100_000), np.empty(100_000)
    for _ in range(2):
        jitted(x, out=out)
    tracemalloc.start()
    try:
        jitted(x, out=out)
        peak = tracemalloc.get_traced_memory()[1]
        jitted(x)
        assert tracemalloc.get_traced_memory()[1] > x.nbytes
    finally:
        tracemalloc.stop()
    assert peak < 10_000


@pytest.mark.parametrize("layout", ["strided", "reversed", "fortran", "misaligned", "byte-swapped",
                                    "swapped axes", "rows", "record field"])  # fmt: skip
def test_odd_layouts_are_copied_to(layout: str) -> None:
    jitted, x = jit(lambda x: x * 2), np.arange(24.0).reshape(4, 6)
    make: Layout = LAYOUTS[layout]
    for _ in range(3):
        whole = np.zeros((5, 6)) if layout == "rows" else np.zeros((4, 6))
        out = make(whole)
        assert jitted(x, out=out) is out
        np.testing.assert_array_equal(out, x * 2)


@pytest.mark.parametrize("shift", [0, 1, 3, -1, -3])
def test_out_may_overlap_an_argument(shift: int) -> None:
    """What is read is what was there before the call."""
    jitted = jit(lambda x: x[::-1] + np.cumsum(x))
    jitted(np.ones(10), out=np.ones(10))
    base = np.arange(20.0)
    x, out = base[5:15], base[5 + shift : 15 + shift]
    expected = x[::-1] + np.cumsum(x)
    assert jitted(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    outside = np.ones(20, bool)
    outside[5 + shift : 15 + shift] = False
    np.testing.assert_array_equal(base[outside], np.arange(20.0)[outside])
    with natively():
        jitted(base[:10], out=base[10:])


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "structure": (np.zeros(3), TypeError, r"out is \*, and the function returns"),
    "order": ([np.zeros(3), np.zeros(())], TypeError, "structure"),
    "shape": ((np.zeros(4), np.zeros(())), ValueError, r"out has shape \(4,\), the result \(3,\)"),
    "rank": ((np.zeros((1, 3)), np.zeros(())), ValueError, "out has shape"),
    "dtype": ((np.zeros(3, np.float32), np.zeros(())), TypeError, "out holds float32"),
    "read-only": ((np.broadcast_to(1.0, 3), np.zeros(())), ValueError, "out is read-only"),
    "list": (([0.0] * 3, np.zeros(())), TypeError, "out is"),
    "scalar": ((np.zeros(3), np.float64(1)), TypeError, "float64 is no array"),
    "string": (("abc", np.zeros(())), TypeError, "str is no array"),
    "subclass": ((np.ma.zeros(3), np.zeros(())), TypeError, "MaskedArray is no array"),
    "each other": ((X, X[1:2].reshape(())), ValueError, "two arrays of out share memory"),
    "itself": ((np.lib.stride_tricks.as_strided(X, (3,), (0,)), np.zeros(())), ValueError,
               "elements of out share memory"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("calls", [0, 2])
def test_what_does_not_fit_is_refused(name: str, calls: int) -> None:
    """With the user's line and the way out; nothing is written; good calls go on natively."""
    out, error, match = REFUSED[name]
    jitted = jit(lambda x: (x * 2, x.sum()))
    good = np.zeros(3), np.zeros(())
    for _ in range(calls):
        jitted(X, out=good)
    before = X.copy()
    with pytest.raises(error, match=match) as refused:
        jitted(np.ones(3), out=out)
    assert str(refused.value).startswith(f"{__file__}:")
    assert str(refused.value).rstrip().endswith(".")
    np.testing.assert_array_equal(X, before)
    if calls:
        with natively():
            assert jitted(X, out=good) is good


def test_a_parameter_of_that_name_wins() -> None:
    jitted = jit(lambda x, out: x * out)
    for _ in range(2):
        assert_same(jitted(X, out=2.0), X * 2)
    assert_same(jit(lambda x, *, out=3.0: x * out)(X), X * 3)


def test_none_is_no_out() -> None:
    jitted = jit(lambda x: x * 2)
    for _ in range(2):
        assert_same(jitted(X, out=None), X * 2)


def test_keywords_beside_out_in_any_order() -> None:
    jitted, out = jit(lambda x, a, b: x * a - b), np.empty(3)
    jitted(X, a=2.0, b=1.0, out=out)
    jitted(X, a=2.0, b=1.0, out=out)
    with natively():
        for kwargs in ({"out": out, "b": 1.0, "a": 2.0}, {"b": 1.0, "out": out, "a": 2.0}):
            out[:] = 0.0
            assert jitted(X, **kwargs) is out
            assert_same(out, X * 2.0 - 1.0)


def test_a_failing_check_writes_nothing() -> None:
    """Guards and checks come first: these calls compute elsewhere and copy."""
    jitted, out = jit(lambda x, i: x[i] * 2), np.zeros(2)
    jitted(X, np.array([0, 1]), out=out)
    for _ in range(2):
        out[:] = 7.0
        with pytest.raises(IndexError):
            jitted(X, np.array([0, 9]), out=out)
        assert_same(out, np.full(2, 7.0))
        jitted(X, np.array([2, 1]), out=out)
        assert_same(out, X[[2, 1]] * 2)


def test_a_branch_on_values() -> None:
    jitted, out = jit(lambda x: x * 2 if x.sum() > 0 else -x), np.zeros(3)
    for x in (X, -X, X, -X):
        assert_same(jitted(x, out=out), x * 2 if x.sum() > 0 else -x)


def test_traced_calls_refuse_out() -> None:
    inner = jit(lambda x: x * 2)
    for transform in (jit, grad, vmap):
        with pytest.raises(TypeError, match="cannot write to out= while it is traced"):
            transform(lambda x: inner(x, out=np.zeros(3)).sum())(
                X[None] if transform is vmap else X
            )


def test_captured_arrays_and_long_calls() -> None:
    """A workspace, hidden parameters, and a kernel that lets other threads run."""
    kept = np.linspace(0.0, 1.0, 200_000)
    jitted = jit(lambda d: {"r": np.cumsum(np.sin(d["x"]))[::-1] * kept})
    d, out = {"x": kept + 1.0}, {"r": np.empty(200_000)}
    expected = jitted(d)
    jitted(d, out=out)
    out["r"][:] = 0.0
    with natively():
        assert jitted(d, out=out) is out
    assert_same(out, expected)


def test_other_signatures_keep_their_own() -> None:
    jitted = jit(lambda x: x * 2)
    outs = {d: np.empty(3, d) for d in (np.float64, np.float32, np.int64, np.int32)}
    for _ in range(3):
        for dtype, out in outs.items():
            assert_same(jitted(np.arange(3, dtype=dtype), out=out), np.arange(0, 6, 2, dtype))
    with natively():
        for dtype, out in outs.items():
            assert jitted(np.ones(3, dtype), out=out) is out
    with reaching_python() as seen, pytest.raises(TypeError):
        jitted(np.ones(3, np.float32), out=outs[np.float64])
    assert len(seen) == 1
