"""Which calls are served by which trace: layouts, dtypes, keywords, static arguments."""

from __future__ import annotations

import enum
import math
import pickle
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from tests.codegen.calls import assert_same, natively

from tracer import jit
from tracer.errors import StaticArgumentError, SubclassError

X = np.array([1.5, -2.0, 0.25])


# Arrays and numbers.


class Unit(enum.IntEnum):
    ONE = 1


class Celsius(float):
    pass


class Labelled(np.ndarray):
    pass


def misaligned(x: Any) -> Any:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    found = raw[1:].view(x.dtype).reshape(x.shape)
    found[...] = x
    return found


def read_only(x: Any) -> Any:
    found = x.copy()
    found.flags.writeable = False
    return found


def field_of_records(x: Any) -> Any:
    records = np.zeros(x.shape, [("flag", "u1"), ("value", x.dtype)])
    records["value"] = x
    return records["value"]


I4, I8, F4 = (np.array([3, -4, 5]).astype(t) for t in (np.int32, np.int64, np.float32))
GRID = np.arange(1.0, 10.0).reshape(3, 3)

KINDS: dict[str, Any] = {
    "float64": X,
    "float32": F4,
    "int64": I8,
    "int32": I4,
    "longlong": I8.astype(np.longlong),
    "bool": np.array([True, False, True]),
    ">f8": X.astype(">f8"),
    ">f4": F4.astype(">f4"),
    ">i8": I8.astype(">i8"),
    ">i4": I4.astype(">i4"),
    "misaligned float64": misaligned(X),
    "misaligned int32": misaligned(I4),
    "misaligned >f8": misaligned(X.astype(">f8")),
    "strided": np.arange(9.0)[::3],
    "strided float32": np.arange(9, dtype=np.float32)[::3],
    "negative strides": X[::-1],
    "negative strides int64": I8[::-1],
    "field of records": field_of_records(X),
    "read-only": read_only(X),
    "broadcast": np.broadcast_to(2.5, 3),
    "unpickled": pickle.loads(pickle.dumps(X * 2)),
    "(3, 1)": X.reshape(3, 1),
    "(1, 3)": X.reshape(1, 3),
    "()": np.array(2.5),
    "() float32": np.array(2.5, np.float32),
    "() int64": np.array(3),
    "() >i8": np.array(3, ">i8"),
    "() bool": np.array(True),
    "(0,)": np.zeros(0),
    "(0, 3)": np.zeros((0, 3)),
    "(3, 0)": np.zeros((3, 0)),
    "(4,)": np.arange(4.0),
    "(3, 3)": GRID,
    "Fortran": np.asfortranarray(GRID),
    "broadcast rows": np.broadcast_to(X, (3, 3)),
    "float64 scalar": np.float64(0.1),
    "float32 scalar": np.float32(0.1),
    "int64 scalar": np.int64(3),
    "longlong scalar": np.longlong(5),
    "int32 scalar": np.int32(3),
    "NumPy's bool": np.True_,
    "float": 0.1,
    "negative zero": -0.0,
    "nan": math.nan,
    "float's subclass": Celsius(0.3),
    "int": 3,
    "-1": -1,
    "large int": 2**61,
    "int enum": Unit.ONE,
    "True": True,
    "False": False,
}

REFUSED: dict[str, tuple[Any, Any]] = {
    "huge int": (2**70, (OverflowError, TypeError)),
    "subclass": (X.view(Labelled), SubclassError),
    "masked": (np.ma.array(X), SubclassError),
    "record array": (X.view(np.recarray), SubclassError),
    "complex": (X.astype(complex), TypeError),
    "float16": (X.astype(np.float16), TypeError),
    "uint64": (I8.astype(np.uint64), TypeError),
    "objects": (X.astype(object), TypeError),
    "strings": (X.astype(str), TypeError),
    "set": ({1.0}, TypeError),
    "too many": (X, TypeError),
}


def tell(x: Any) -> tuple[Any, Any]:
    """Whose results tell dtypes, shapes, bits and weak numbers apart."""
    return x * 3, x + np.float32(0.5)


def plain(x: Any) -> Any:
    """The same number or array without anything unusual: native, contiguous, of a plain class."""
    if isinstance(x, np.ndarray | np.generic):
        array = np.array(x, np.dtype(x.dtype.newbyteorder("=").str), order="C")
        return array[()] if isinstance(x, np.generic) else array
    return next(cls(x) for cls in (bool, int, float) if isinstance(x, cls))


def expected_of(x: Any) -> tuple[Any, Any]:
    return tell(plain(x))


EXPECTED = {name: expected_of(x) for name, x in KINDS.items()}


@pytest.mark.parametrize("order", [1, -1])
def test_each_ordered_pair_of_near_equal_signatures(order: int, figures: Any) -> None:
    """Every kind compiled before and after every other; then each pair: A, B, A."""
    jitted = jit(tell)
    for name in list(KINDS)[::order]:
        assert_same(jitted(KINDS[name]), EXPECTED[name])
    traced = len(jitted.variants)
    for a, b in permutations(KINDS, 2):
        for name in (a, b, a):
            assert_same(jitted(KINDS[name]), EXPECTED[name])
        figures.add("pairs of near-equal signatures called in turn, all right")
    assert len(jitted.variants) == traced


def test_a_signature_is_as_fine_as_it_must_be_and_no_finer() -> None:
    """One trace for all layouts and byte orders of a dtype and shape, and for all values."""
    jitted = jit(tell)
    alike = ("float64", ">f8", "misaligned float64", "strided", "negative strides", "read-only",
             "broadcast", "unpickled", "field of records")  # fmt: skip
    for group in (
        alike,
        ("int64", "longlong", ">i8", "negative strides int64"),
        ("(3, 3)", "Fortran", "broadcast rows"),
        ("float", "negative zero", "nan", "float's subclass"),
        ("int", "-1", "large int", "int enum"),
        ("True", "False", "NumPy's bool"),
        ("int64 scalar", "longlong scalar"),
        ("float64 scalar",),
        ("()",),
        ("(3, 1)",),
        ("(1, 3)",),
    ):
        before = len(jitted.variants)
        for name in group:
            assert_same(jitted(KINDS[name]), EXPECTED[name])
        assert len(jitted.variants) == before + 1


@pytest.mark.parametrize("first", ["NumPy's bool", "longlong scalar", "int enum", "memory map"])
def test_an_unusual_first_call_leaves_an_entry_for_the_usual_ones(
    first: str, tmp_path: Any
) -> None:
    """The entry is made for the class, whatever object was there when it was compiled."""
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    usual = {"NumPy's bool": "True", "longlong scalar": "int64 scalar", "int enum": "int"}
    unusual = mapped if first == "memory map" else KINDS[first]
    name = usual.get(first, "float64")
    jitted = jit(lambda x, y: (x * 3 - y, *tell(x)))
    assert_same(jitted(unusual, 2)[1:], expected_of(unusual))
    with natively():
        for _ in range(2):
            assert_same(jitted(KINDS[name], 2)[1:], EXPECTED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused_arguments_between_good_calls(name: str) -> None:
    x, error = REFUSED[name]
    args = (x, x) if name == "too many" else (x,)
    jitted = jit(tell)
    for _ in range(2):
        for good in ("float64", "int", "float"):
            assert_same(jitted(KINDS[good]), EXPECTED[good])
            with pytest.raises(error):
                jitted(*args)
    with natively():
        assert_same(jitted(X), EXPECTED["float64"])
        assert_same(jitted(3), EXPECTED["int"])


def test_ints_at_the_ends_of_their_range() -> None:
    jitted = jit(lambda n: n ^ 1)
    ends = (2**63 - 1, -(2**63), -1, -2, 0)
    for _, n in product(range(3), ends):
        assert_same(jitted(n), np.int64(n) ^ 1)
        for huge in (2**63, -(2**63) - 1, 10**30):
            with pytest.raises((OverflowError, TypeError)):
                jitted(huge)


def test_two_arguments_may_be_one_array_or_overlap() -> None:
    jitted = jit(lambda x, y: (x - 2 * y, y))
    base = np.arange(6.0)
    for _ in range(2):
        for x, y in ((X, X), (base[:3], base[1:4]), (base[1:4], base[:3]), (base[:3], base[2::-1])):
            assert_same(jitted(x, y), (x - 2 * y, y.copy()))


# Keywords, defaults, static arguments.


def takes(a: Any, b: Any = 2.0, *rest: Any, c: Any, d: Any = 4.0, **more: Any) -> Any:
    total = a * 1.0 + b * 10.0 + c * 100.0 + d * 1000.0
    for n, x in enumerate(rest):
        total = total + (n + 1) * x
    for key in sorted(more):
        total = total + len(key) * more[key]
    return total, sorted(more)


GOOD: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1.0,), {"c": 3.0}),
    ((X,), {"c": 3.0}),
    ((1.0,), {"c": 3.0, "d": 5.0}),
    ((1.0,), {"d": 3.0, "c": 5.0}),
    ((1.0,), {"c": 3.0, "b": 5.0}),
    ((1.0,), {"b": 3.0, "c": 5.0}),
    ((), {"a": 1.0, "c": 5.0}),
    ((), {"c": 1.0, "a": 5.0}),
    ((), {"c": 1.0, "b": 5.0, "a": 7.0, "d": X}),
    ((), {"d": 1.0, "a": 5.0, "b": 7.0, "c": X}),
    ((1.0, 2.0, 3.0), {"c": 4.0}),
    ((1.0, 2.0, 3.0, 4.0), {"c": 5.0}),
    ((1.0, 2.0), {"c": 4.0, "e": 5.0}),
    ((1.0, 2.0), {"e": 4.0, "c": 5.0}),
    ((1.0, 2.0), {"c": 4.0, "eee": 5.0, "ff": 7.0}),
    ((1.0, 2.0), {"c": 4.0, "ff": 5.0, "eee": 7.0}),
]

BAD: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1.0,), {}),
    ((), {"c": 1.0}),
    ((1.0, 2.0), {"c": 3.0, "a": 1.0}),
    ((1.0, 2.0), {"c": 3.0, "b": 1.0}),
]


def test_calls_are_bound_as_pythons_are(figures: Any) -> None:
    """Each form of call after each other, first traced, then native."""
    jitted = jit(takes)
    for args, kwargs in GOOD:
        assert_same(jitted(*args, **kwargs), takes(*args, **kwargs))
    with natively():
        for one, other in permutations(GOOD, 2):
            for args, kwargs in (one, other):
                assert_same(jitted(*args, **kwargs), takes(*args, **kwargs))
            figures.add("pairs of forms of call, all right")


def error_of(func: Callable[..., Any], args: Any, kwargs: Any) -> str:
    with pytest.raises(TypeError) as caught:
        func(*args, **kwargs)
    return str(caught.value)


def test_calls_that_do_not_bind_fail_as_pythons_do() -> None:
    strict = lambda a, b=1.0: a - b
    jitted, jitted_strict = jit(takes), jit(strict)
    for _ in range(2):
        for args, kwargs in BAD:
            assert error_of(jitted, args, kwargs) == error_of(takes, args, kwargs)
        for args, kwargs in (((), {}), ((1.0, 2.0, 3.0), {}), ((1.0,), {"c": 1.0}),
                             ((1.0,), {"a": 1.0}), ((), {"b": 1.0})):  # fmt: skip
            assert error_of(jitted_strict, args, kwargs) == error_of(strict, args, kwargs)
        assert_same(jitted(1.0, c=2.0), takes(1.0, c=2.0))
        assert_same(jitted_strict(1.0), 0.0)
        assert_same(jitted_strict(a=1.0, b=3.0), -2.0)


class Name(str):
    pass


def test_names_that_are_equal_but_not_the_same_object() -> None:
    """Names built at run time are not interned; the entry does not know them, Python does."""
    jitted = jit(lambda *, first, second: first - second)
    for make in (str, Name, lambda s: "".join(list(s))):
        for _ in range(2):
            assert_same(jitted(**{make("first"): 5.0, make("second"): 3.0}), 2.0)
            assert_same(jitted(**{make("second"): 5.0, make("first"): 3.0}), -2.0)
    named_first = jit(lambda *, first: first * 2)
    assert_same(named_first(**{Name("first"): 2.0}), 4.0)
    assert_same(named_first(first=2.0), 4.0)
    with natively():
        assert_same(named_first(first=2.0), 4.0)


Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Config:
    width: int
    name: str = "plain"


STATIC: dict[str, Any] = {
    "int": 1,
    "bool": True,
    "float": 1.0,
    "complex": 1 + 0j,
    "complex, -0.0": complex(1, -0.0),
    "float64": np.float64(1),
    "float32": np.float32(1),
    "int64": np.int64(1),
    "int32": np.int32(1),
    "int enum": Unit.ONE,
    "0": 0,
    "0.0": 0.0,
    "-0.0": -0.0,
    "float32 -0.0": np.float32(-0.0),
    "float32 0.0": np.float32(0.0),
    "nan": math.nan,
    "-1": -1,
    "huge": 2**70,
    "string": "1",
    "bytes": b"1",
    "None": None,
    "Ellipsis": ...,
    "tuple": (1, 2),
    "tuple of bool": (True, 2),
    "tuple of float": (1.0, 2),
    "nested tuple": ((1, 2),),
    "named tuple": Point(1, 2),
    "empty tuple": (),
    "frozenset": frozenset({1, 2}),
    "function": np.sin,
    "other function": np.cos,
    "class": float,
    "dtype": np.dtype(np.float32),
    "dataclass": Config(3),
    "other dataclass": Config(4),
}


def describe(x: Any, how: Any = "nothing") -> Any:
    return x * 2, f"{type(how).__name__} {how!r}"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("keyword", [False, True])
def test_each_ordered_pair_of_static_values(order: int, keyword: bool, figures: Any) -> None:
    jitted = jit(describe, static_argnums=1, static_argnames="how")

    def check(how: Any) -> None:
        found = jitted(2.5, how=how) if keyword else jitted(2.5, how)
        assert_same(found, describe(2.5, how))

    for name in list(STATIC)[::order]:
        check(STATIC[name])
    assert len(jitted.variants) == len(STATIC)
    with natively():
        for a, b in permutations(STATIC, 2):
            for name in (a, b, a):
                check(STATIC[name])
            figures.add("pairs of static values called in turn, all right")
        if not keyword:
            return
    assert_same(jitted(2.5), describe(2.5))


def test_a_static_number_is_as_weak_as_it_was_given() -> None:
    """Python's 0.5 leaves float32 alone, NumPy's float64 does not, though the two are equal."""
    for numbers in permutations((0.5, np.float64(0.5), np.float32(0.5))):
        jitted = jit(lambda x, s: x * s, static_argnums=1)
        for s in numbers * 2:
            assert_same(jitted(F4, s), F4 * s)


def test_static_values_that_are_equal_but_not_identical() -> None:
    """One trace for all; those that are not the very object go through Python."""
    jitted = jit(describe, static_argnums=1)
    makers: list[Callable[[], Any]] = [
        lambda: "".join(["ab", "cd"]),
        lambda: bytes([1, 2, 3]),
        lambda: int("123456789012345678901234567890"),
        lambda: float("0.1"),
        lambda: float("nan"),
        lambda: (int("1000"), "".join(["x", "y"])),
        lambda: Config(int("1000")),
        lambda: np.float32(0.1),
        lambda: frozenset([1000, 2000]),
    ]
    for n, make in enumerate(makers):
        for _ in range(3):
            value = make()
            assert_same(jitted(X, value), describe(X, value))
        assert len(jitted.variants) == n + 1


def test_static_arguments_that_cannot_be() -> None:
    jitted = jit(describe, static_argnums=1)
    for how in ([1], {"a": 1}, {1}, X, bytearray(b"1"), ([1],)):
        for _ in range(2):
            with pytest.raises(StaticArgumentError):
                jitted(X, how)
        assert_same(jitted(X, "fine"), describe(X, "fine"))


def test_static_positions() -> None:
    """From the front, from the back, several, and some that a call does not have."""
    joined = lambda *parts: " ".join([repr(p) if isinstance(p, int) else "traced" for p in parts])
    for argnums, expected in (
        (0, "1 traced traced"),
        (-1, "traced traced 3"),
        ((0, 2), "1 traced 3"),
        ((0, -1), "1 traced 3"),
        ((0, 7), "1 traced traced"),
        ((2, -1), "traced traced 3"),
        ((), "traced traced traced"),
    ):
        jitted = jit(joined, static_argnums=argnums)
        assert [jitted(1, 2, 3) for _ in range(2)] == [expected] * 2
    last = jit(joined, static_argnums=-1)
    assert last(1) == "1"
    assert last(1, 2) == "traced 2"
    assert last() == ""


@pytest.mark.parametrize("how", [{"static_argnums": 1}, {"static_argnames": "n"}])
def test_static_arguments_are_static_by_place_and_by_name(how: dict[str, Any]) -> None:
    def repeated(x: Any, n: int) -> Any:
        return x * sum(range(n))

    compiled = jit(repeated, **how)
    assert compiled(np.ones(2), 4).tolist() == [6.0, 6.0]
    assert compiled(np.ones(2), n=4).tolist() == [6.0, 6.0]
    assert compiled(n=3, x=np.ones(2)).tolist() == [3.0, 3.0]
