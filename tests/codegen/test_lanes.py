"""Loops taken several steps at a time: every element, whatever the extent leaves over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations, cycle
from typing import Any

import numpy as np
import pytest
from tests.codegen.targets import targets
from tests.ir.same import same_arrays
from tests.ops.samples import special

from codegen import engine
from codegen.pool import get_num_threads, set_num_threads
from codegen.target import Target, host
from ir.op import Array
from tracer import grad, jit, vmap


class Wider(Target):
    """This machine, with loops made for registers of 64 bytes, which it takes in pieces."""

    @property
    def vector_bytes(self) -> int:
        return 64


@contextmanager
def made_for(machine: str) -> Iterator[None]:
    """Code made inside is for the named machine."""
    here = host()
    chosen = MACHINES.get(machine) or Wider(here.triple, here.cpu, here.features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "host", lambda: chosen)
        yield


MACHINES = targets()
each_machine = pytest.mark.parametrize("machine", [*MACHINES, "wider"])
DTYPES = ("bool", "i32", "i64", "f32", "f64")
NUMPY = {"bool": bool, "i32": np.int32, "i64": np.int64, "f32": np.float32, "f64": np.float64}
EXTENTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 17, 31, 33, 63, 64, 65, 127, 130)


def whole(seed: int, dtype: str, *shape: int) -> Array:
    """Small whole numbers, of which no sum or product of a few is rounded."""
    rng = np.random.default_rng([seed, *shape])
    return np.asarray(rng.integers(-4, 5, shape)).astype(NUMPY[dtype])


def agree(machine: str, f: Callable[..., Any], *args: Array, want: Any = None) -> None:
    """The compiled function gives, exactly, what is wanted, or what it gives itself in NumPy."""
    with made_for(machine), np.errstate(all="ignore"):
        got, want = jit(f)(*args), f(*args) if want is None else want
    if not isinstance(want, tuple):
        got, want = (got,), (want,)
    where = f"of {[f'{x.dtype}{list(x.shape)}' for x in args]} on {machine}"
    same_arrays(got, want, where, zeros=False)


def near(machine: str, f: Callable[..., Any], *args: Array, eps: float = 32) -> None:
    """The compiled function is off by a few units of rounding of numbers of about 1."""
    with made_for(machine):
        got = jit(f)(*args)
    off = eps * float(np.finfo(args[0].dtype).eps)
    for g, w in zip(got, f(*args), strict=True):
        assert g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=off, atol=off)


# Element by element.


def mixed(b: Any, i: Any, k: Any, x: Any, y: Any) -> Any:
    return (
        np.where(b, i, x), np.where(x > i, y, k), (b & (y > 0)) | (i == k), i + k, x * i, x + y,
        b + i, np.where(b, x, 0) * y, (k > 1).astype(np.float32), b ^ (x < 0), k.astype(bool),
        y.astype(np.float32) - x, i.astype(np.int64) * k, x.astype(np.int32), ~b, ~i, np.abs(k),
        np.sign(x), np.maximum(i, 3), np.minimum(x, y), k * np.arange(k.size),
        y - np.arange(y.size),
    )  # fmt: skip


@each_machine
def test_dtypes_meet_in_one_loop(machine: str, figures: Any) -> None:
    """Of one, four and eight bytes; also where the last elements are too few for a vector."""
    for n in EXTENTS[[*MACHINES, "wider"].index(machine) :: 5]:
        agree(machine, mixed, *[whole(s, dtype, n) for s, dtype in enumerate(DTYPES)])
        figures.add("extents of loops of several dtypes")


@each_machine
@pytest.mark.parametrize("dtype", ["f64", "f32", "i32"])
def test_numbers_that_arithmetic_treats_specially(machine: str, dtype: str) -> None:
    """In every lane, beside each other; zeros with their signs."""
    numbers = special(dtype)
    n = 5 * len(numbers) + 3
    x, y = np.resize(numbers, n), np.resize(np.repeat(numbers, 5), n)

    def f(x: Any, y: Any) -> Any:
        plain = (x + y, x - y, x * y, -x, np.abs(x), x[::-1] * y, np.where(x < y, x, -y))
        compared = (x < y, x <= y, x == y, x != y, x.astype(bool))
        if x.dtype.kind == "i":
            return (*plain, *compared, x // y, x % y, np.maximum(x, y), x & y, x | y)
        rounded = (np.floor(x), np.ceil(x), np.trunc(x), np.rint(x), np.sqrt(x), x / y)
        return (*plain, *compared, *rounded, np.isfinite(x), np.isnan(y), np.copysign(x, y))

    with made_for(machine), np.errstate(all="ignore"):
        same_arrays(jit(f)(x, y), f(x, y), machine)


# Folds and scans, of the lanes' loop, around it and inside it.

SHAPES = [
    (65,), (95,), (130,), (1030,), (9, 8), (33, 5), (5, 33), (130, 3), (3, 130), (64, 3), (1, 129),
    (129, 1), (33, 2, 3), (3, 5, 7), (2, 9, 16), (3, 2, 9, 4),
]  # fmt: skip


def axes_of(rank: int) -> list[tuple[int, ...]]:
    """Choices of axes; of many, some."""
    found = [axes for n in range(1, rank + 1) for axes in combinations(range(rank), n)]
    return found[:: 1 + rank // 3]


def over_each(f: Callable[..., Any], rank: int) -> Callable[[Any], tuple[Any, ...]]:
    """The function along every choice of axes."""
    return lambda x: tuple(f(x, axis=axes) for axes in axes_of(rank))


SHARES = pytest.mark.parametrize("start", range(4))
"""Of the shapes and dtypes, so that workers share them; each has its own machine."""


def share(start: int, *dtypes: str) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Every shape with one of the dtypes on one of the machines, which change with the shape."""
    machines = [*MACHINES, "wider"]
    for n, shape in list(enumerate(SHAPES))[start::4]:
        yield machines[n % len(machines)], shape, dtypes[(n // 2 + start) % len(dtypes)]


@SHARES
def test_folds_over_each_choice_of_axes(start: int, figures: Any) -> None:
    for machine, shape, dtype in share(start, "f64", "i32", "f32", "i64"):
        x, rank = whole(0, dtype, *shape), len(shape)
        agree(machine, over_each(np.sum, rank), x)
        agree(machine, over_each(lambda x, axis: np.max(x, axis) - np.min(x * 2, axis), rank), x)
        agree(machine, over_each(lambda x, axis: np.sum(x > 1, axis), rank), x)
        agree(machine, over_each(lambda x, axis: x - np.sum(x * x, axis, keepdims=True), rank), x)
        agree(machine, over_each(np.prod, rank), np.where(x == 4, 2, 1).astype(x.dtype))
        figures.add("folds compared, exact", 5 * len(axes_of(rank)))


@SHARES
def test_any_and_all_over_each_choice_of_axes(start: int) -> None:
    """Also where each lane has bools of its own in memory."""
    for machine, shape, _ in share(start, "bool"):
        x = np.random.default_rng(start).random(shape)
        for f in (np.any, np.all):
            for share_of_ones in (0.02, 0.98):
                agree(machine, over_each(f, len(shape)), x < share_of_ones)


@SHARES
def test_places_of_extrema(start: int) -> None:
    """The first of equals, from whichever lane it comes."""
    for machine, shape, dtype in share(start, "i64", "f64", "f32", "bool"):
        agree(
            machine,
            lambda x: tuple(f(x, axis=d) for f in (np.argmax, np.argmin) for d in range(x.ndim)),
            whole(1, dtype, *shape),
        )


@SHARES
def test_a_nan_reaches_what_it_is_folded_into(start: int) -> None:
    """And nothing else, from each place in a vector and behind it."""
    for machine, shape, dtype in share(start, "f64", "f32"):
        x = whole(2, dtype, *shape)
        with made_for(machine):
            f = jit(lambda x: (np.sum(x, -1), np.max(x, -1), np.min(x, 0), np.argmax(x, -1)))
            for place in range(0, x.size, max(x.size // 11, 1)):
                y = x.copy()
                y.flat[place] = np.nan
                want = np.sum(y, -1), np.max(y, -1), np.min(y, 0), np.argmax(y, -1)
                same_arrays(f(y), want, f"{shape} on {machine}", zeros=False)


@SHARES
def test_running_sums_along_each_axis(start: int) -> None:
    for machine, shape, dtype in share(start, "f32", "i64", "f64", "i32"):
        ranks = range(len(shape))
        x = whole(3, dtype, *shape)
        agree(machine, lambda x: tuple(np.cumsum(x, axis=d) for d in ranks), x)  # noqa: B023
        agree(
            machine,
            lambda x: tuple(x - np.cumsum(x[::-1] * 2, axis=d)[..., ::-1] for d in ranks),  # noqa: B023
            x,
        )
        agree(
            machine,
            lambda x: tuple(np.max(np.cumsum(x, axis=d), axis=e) for d in ranks for e in ranks),  # noqa: B023
            x,
        )


def normal(x: Any, axis: tuple[int, ...]) -> Any:
    """Layer normalisation."""
    return (x - np.mean(x, axis, keepdims=True)) / np.sqrt(np.var(x, axis, keepdims=True) + 0.1)


def softmax(x: Any, axis: tuple[int, ...]) -> Any:
    e = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def logsumexp(x: Any, axis: tuple[int, ...]) -> Any:
    largest = np.max(x, axis, keepdims=True)
    return np.log(np.sum(np.exp(x - largest), axis)) + np.max(x, axis)


@SHARES
def test_rows_normalised_along_each_choice_of_axes(start: int) -> None:
    functions = cycle((normal, softmax, logsumexp))
    for (machine, shape, dtype), f in zip(share(start, "f64", "f32"), functions, strict=False):
        x = np.random.default_rng(start).uniform(-1, 1, shape).astype(NUMPY[dtype])
        near(machine, over_each(f, len(shape)), x)


@each_machine
def test_products_of_small_matrices(machine: str) -> None:
    def f(x: Any, y: Any) -> Any:
        return (
            x @ y, x @ y + 1, np.sum(x @ y, 0), np.max(x @ y, 1), y.T @ x.T, x @ y[:, 0],
            x[:, ::-1] @ y[::-1], np.einsum("ij,ij->i", x, x), np.outer(x[0], y[:, 0]),
        )  # fmt: skip

    for m, k, n, dtype in (
        (3, 3, 3, "f32"),
        (5, 7, 9, "f64"),
        (33, 5, 1, "f64"),
        (9, 2, 33, "i32"),
    ):
        agree(machine, f, whole(4, dtype, m, k), whole(5, dtype, k, n))


# What is shared out to threads.


@pytest.fixture
def as_before() -> Iterator[None]:
    """Leave the number of threads as it was."""
    before = get_num_threads()
    yield
    set_num_threads(before)


def large(x: Any) -> Any:
    sine = np.sin(x)
    return (
        np.sum(sine * x, -1), np.sum(sine, 0), np.sum(x * x + sine), np.max(sine, -1), sine[::-1],
        softmax(x, (-1,)), np.argmax(sine, -1), np.cumsum(sine, -1), np.sum(x > sine, 0),
    )  # fmt: skip


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("shape", [(2003, 61), (61, 2003), (100_003,), (33, 7, 401)], ids=str)
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_bits_do_not_depend_on_the_threads(shape: tuple[int, ...], dtype: str) -> None:
    """Blocks of steps leave none of them out, and their vectors begin where one thread's do."""
    x = np.random.default_rng(0).normal(size=shape).astype(NUMPY[dtype])
    f = jit(large)
    assert "share" in f.lower(x).llvm
    found = []
    for n in (1, 2, 4):
        set_num_threads(n)
        found.append(f(x))
    for other in found[1:]:
        same_arrays(other, found[0])
    eps = float(np.finfo(x.dtype).eps)
    for g, w in zip(found[0], large(x), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e3 * eps, atol=1e3 * eps * np.max(np.abs(w)))


@pytest.mark.parametrize("shape", [(1, 200_003), (200_003, 1), (1, 400, 501)], ids=str)
def test_a_long_fold_whose_result_has_one_element_but_axes(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape)
    axis = tuple([d for d, n in enumerate(shape) if n > 1])
    f = jit(lambda x: (np.sum(np.sin(x), axis), np.max(np.sin(x), axis), np.sum(x > 0, axis)))
    want = np.sum(np.sin(x), axis), np.max(np.sin(x), axis), np.sum(x > 0, axis)
    for g, w in zip(f(x), want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-11, strict=True)


# What vectors the loops are made of.


def alternately(x: Any) -> Any:
    y = x * 2
    y[::2] += 1
    return y


def nearest(x: Any, y: Any) -> Any:
    return np.min(np.sum((x[:, None, :] - y[None]) ** 2, -1), 1)


SLOPE = grad(lambda x, i: np.sum(np.sin(x[i]) ** 2))
OWN_ROWS = vmap(lambda x: np.cumsum(np.cumsum(x)[::-1]))
FLOATS, TABLE = np.ones(130), np.ones((33, 5))
PLACES = np.arange(100)
WRITTEN: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "side by side": (lambda x: x * 2, (FLOATS,), r"load <W x T>.*fmul.* <W x T>.*store <W x T>"),
    "backwards": (lambda x: x[::-1] * 2, (FLOATS,), "load <W x T>.*shufflevector <W x T>"),
    "every third": (lambda x: x[::3] * 2, (np.ones(132),), "shufflevector <V x T>.*store <W x T>"),
    "every ninth": (lambda x: x[::9] * 2, (np.ones(900),), "masked.gather.*store <W x T>"),
    "a column": (lambda x: x[:, 1] * 2, (TABLE,), "shufflevector <V x T>.*store <W x T>"),
    "rows turned": (lambda x: x.T * 2, (TABLE,), "masked.gather.*store <W x T>"),
    "gathered": (lambda x, i: x[i] * 2, (FLOATS, PLACES), "masked.gather.*store <W x T>"),
    "gathered backwards": (SLOPE, (FLOATS, PLACES), "masked.gather"),
    "all added": (np.sum, (FLOATS,), "fadd reassoc contract <W x T>"),
    "the largest": (np.max, (FLOATS,), r"call <W x T> @llvm.maximum|fcmp \w+ <W x T>"),
    "few in each row": (lambda x: np.sum(x, 1), (TABLE,), "fadd reassoc contract <W x T>"),
    "few in each column": (lambda x: np.sum(x, 0), (TABLE,), "fadd reassoc contract <W x T>"),
    "columns": (lambda x: np.sum(x, 0), (np.ones((5, 33)),), "fadd reassoc contract <W x T>"),
    "places in rows": (lambda x: np.argmax(x, 1), (TABLE,), r"fcmp \w+ <W x T>.*store <W x i64>"),
    "running along rows": (lambda x: np.cumsum(x, 1), (TABLE,), "fadd <W x T>"),
    "running down": (lambda x: np.cumsum(x, 0), (TABLE.T,), "fadd <W x T>.*store <W x T>"),
    "rows of their own": (OWN_ROWS, (np.ones((33, 7)),), "alloca .*W x T>.*fadd <W x T>"),
    "read again and again": (nearest, (TABLE[:, :3], np.ones((7, 3))), "alloca .*W x T>.*fsub <W"),
    "every second written": (alternately, (FLOATS,), "masked.scatter.*|shufflevector <V x T>"),
}


@pytest.mark.parametrize("machine", ["as it is", "wider", "plain"])
@pytest.mark.parametrize("name", WRITTEN)
def test_loops_are_written_in_vectors(machine: str, name: str, figures: Any) -> None:
    """Before LLVM has seen them, and as wide as the machine's at least."""
    f, args, pattern = WRITTEN[name]
    with made_for(machine):
        text = jit(f).lower(*args).llvm
        least = engine.host().vector_bytes // 8
    widths = {int(n) for n in re.findall(r"<(\d+) x double>", text)}
    wanted = {
        re.search(
            pattern.replace("W", str(w)).replace("V", r"\d+").replace("T", "double"), text, re.S
        )
        for w in widths
        if w >= least and w & (w - 1) == 0
    }
    assert any(wanted), f"{pattern} in\n{text}"
    figures.add("loops written in vectors")


@pytest.mark.parametrize("extent", [1_003, 1_000_003])
def test_steps_left_over_have_no_code_of_their_own(extent: int) -> None:
    """Where a loop only writes: the last vector overlaps the one before, in blocks too."""
    f = jit(lambda x: np.sqrt(x) + 1)
    x = np.arange(float(extent))
    same_arrays([f(x)], [np.sqrt(x) + 1])
    assert len(re.findall(r"@llvm\.sqrt\S*\(<", f.lower(x).llvm)) >= 1
    assert not re.findall(r"= call double @llvm\.sqrt", f.lower(x).llvm)


def test_what_is_read_and_written_is_run_once() -> None:
    """A sum, and an array that is added to: no element counts twice."""
    x = whole(0, "f64", 1_003)
    agree("wider", lambda x: (np.sum(x), np.cumsum(x), x.dot(x)), x)
    base = whole(1, "f64", 1_003)

    def grown(x: Any, y: Any) -> Any:
        y = y + 0.0
        y[...] = y + x
        y[1:] += x[:-1]
        return y

    agree("wider", grown, x, base)
