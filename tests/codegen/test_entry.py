"""Calls of jitted functions: which reach Python, how signatures are told apart, how calls fail."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import threading
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from tests.codegen.calls import assert_same, natively, reaching_python, run_script

import codegen.engine
from codegen.native import capi
from codegen.native.base import native_base
from tracer import jit
from tracer.jit import Jitted

X = np.array([1.5, -2.0, 0.25])
Pair = namedtuple("Pair", "x y")


# The native entry is what is called.

SERVED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "array": (lambda x: x * 2, (X,), {}),
    "int32 array": (lambda x: x * 2, (np.arange(3, dtype=np.int32),), {}),
    "0-d array": (lambda x: x * 2, (np.array(2.5),), {}),
    "empty array": (lambda x: x * 2, (np.zeros((0, 3)),), {}),
    "captured array": (lambda x: x + np.arange(999.0), (1.0,), {}),
    "float": (lambda x: x * 2, (2.5,), {}),
    "int": (lambda x: x * 2, (7,), {}),
    "-1": (lambda x: x * 2, (-1,), {}),
    "smallest int": (lambda x: x + 1, (-(2**63),), {}),
    "bool": (lambda x: x ^ True, (False,), {}),
    "float64": (lambda x: x * 2, (np.float64(2.5),), {}),
    "float32": (lambda x: x * 2, (np.float32(2.5),), {}),
    "int64": (lambda x: x * 2, (np.int64(-7),), {}),
    "int32": (lambda x: x * 2, (np.int32(-7),), {}),
    "NumPy's bool": (lambda x: x ^ True, (np.True_,), {}),
    "string": (lambda x, s: x * len(s), (X, "abc"), {}),
    "None": (lambda x, s: x, (X, None), {}),
    "function": (lambda x, f: f(x), (X, np.negative), {}),
    "keyword": (lambda x, y: x - y, (X,), {"y": 2.0}),
    "keywords": (lambda **k: k["y"] - k["z"], (), {"y": 2.0, "z": X}),
    "default": (lambda x, y=2.0: x - y, (X,), {}),
    "rest": (lambda *xs: sum(xs), (X, 1.0, 2), {}),
    "nothing": (lambda: 3, (), {}),
    "tuple": (lambda x: x[0] - x[1], ((X, 2.0),), {}),
    "list": (lambda x: x[0] - x[1], ([X, 2.0],), {}),
    "dict": (lambda x: x["a"] - x["b"], ({"a": X, "b": 2.0},), {}),
    "nested": (lambda x: x["a"][0][1]["b"], ({"a": ([X, {"b": 3}], ())},), {}),
    "named tuple": (lambda p: p.x - p.y, (Pair(X, 2.0),), {}),
    "ordered dict": (lambda d: d["a"] - d["b"], (OrderedDict(b=X, a=2.0),), {}),
    "None in a tree": (lambda d: d["x"], ({"x": X, "none": None},), {}),
    "named results": (lambda x: Pair(x * 2, (x.sum(), Pair(x, 3))), (X,), {}),
    "ordered results": (lambda x: OrderedDict(b=x * 2, a=OrderedDict(c=x.sum())), (X,), {}),
    "no results": (lambda x: None, (X,), {}),
    "many results": (lambda x: (x, [x.sum(), {"k": x > 0, "n": 3}], "s", None, ()), (X,), {}),
    "large workspace": (lambda x: np.cumsum(np.sin(x))[::-1] * x, (np.zeros(5000),), {}),
}


@pytest.mark.parametrize("name", SERVED)
def test_only_the_first_call_reaches_python(name: str) -> None:
    func, args, kwargs = SERVED[name]
    jitted, expected = jit(func), func(*args, **kwargs)
    with reaching_python() as seen:
        assert_same(jitted(*args, **kwargs), expected)
    assert len(seen) == 1
    with natively():
        for _ in range(3):
            assert_same(jitted(*args, **kwargs), expected)


def test_what_goes_through_python_each_time() -> None:
    """Layouts that must be copied: the right values, and the entry stays."""
    jitted = jit(lambda x: x * 2)
    for x in (X, 7):
        jitted(x)
    misaligned = np.zeros(25, np.uint8)[1:].view(np.float64)
    misaligned[:] = X
    awkward = (X[::-1], X.astype(">f8"), misaligned)
    with reaching_python() as seen:
        for x in awkward:
            assert_same(jitted(x), np.asarray(x, np.asarray(x).dtype.newbyteorder("="))[()] * 2)
    assert len(seen) == len(awkward)
    with natively():
        assert_same(jitted(X), X * 2)
        assert_same(jitted(7), 14)


def test_the_fallback_is_what_the_last_entry_calls() -> None:
    jitted = jit(lambda x: x * 2)
    jitted(X)
    jitted.fallback = lambda *args, **kwargs: (args, kwargs)
    assert jitted("a", b=1) == (("a",), {"b": 1})
    del jitted.fallback
    with patch.object(Jitted, "fallback", property()), pytest.raises(AttributeError):
        jitted("a")
    assert_same(jitted(1.0), 2.0)


# Methods, and what else is callable.


class Model:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    @jit
    def apply(self, x: Any, plus: Any = 0.0) -> Any:
        """Scale and shift."""
        return x * self.scale + plus

    @staticmethod
    @jit
    def double(x: Any) -> Any:
        return x * 2

    @classmethod
    @jit
    def named(cls, x: Any) -> Any:
        return x * 3, cls.__name__


class Child(Model):
    pass


def test_methods() -> None:
    one, two = Model(2.0), Child(3.0)
    for _ in range(2):
        assert_same(one.apply(X), X * 2.0 + 0.0)
        assert_same(two.apply(X, plus=1.0), X * 3.0 + 1.0)
        assert_same(one.apply(plus=1.0, x=X), X * 2.0 + 1.0)
        assert_same(Model.apply(one, X), X * 2.0 + 0.0)
        assert_same(Model.double(X), X * 2)
        assert_same(one.double(X), X * 2)
        assert_same(Model.named(X), (X * 3, "Model"))
        assert_same(two.named(X), (X * 3, "Child"))
    bound = one.apply
    with natively():
        assert_same(one.apply(X), X * 2.0 + 0.0)
        assert_same(bound(X), X * 2.0 + 0.0)
        assert_same(two.named(X), (X * 3, "Child"))
    assert bound == one.apply
    assert bound != two.apply
    assert bound.__self__ is one
    assert bound.__name__ == "apply"
    assert bound.__doc__ == "Scale and shift."
    assert list(inspect.signature(bound).parameters) == ["x", "plus"]
    assert isinstance(Model.apply, Jitted)
    for bad in (lambda: one.apply(), lambda: Model.apply(), lambda: one.apply(X, y=1.0)):
        with pytest.raises(TypeError, match="apply"):
            bad()


def subtract(x: Any, y: Any) -> Any:
    return x - y


class Fivefold:
    def __call__(self, x: Any) -> Any:
        return x * 5

    def method(self, x: Any) -> Any:
        return x * 7


def test_anything_callable_is_jitted() -> None:
    cases: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = [
        (functools.partial(subtract, 5.0), (X,), {}, 5.0 - X),
        (functools.partial(subtract, y=X), (1.0,), {}, 1.0 - X),
        (functools.partial(subtract, y=X), (1.0,), {"y": 2.0}, -1.0),
        (Fivefold(), (X,), {}, X * 5),
        (Fivefold().method, (X,), {}, X * 7),
        (np.negative, (X,), {}, -X),
        (jit(subtract), (X, 1.0), {}, X - 1.0),
        (tuple, ([X],), {}, (X,)),
        (max, (3, 3), {"key": lambda x: 1}, 3),
    ]
    for func, args, kwargs, expected in cases:
        jitted = jit(func)
        for _ in range(2):
            assert_same(jitted(*args, **kwargs), expected)
        with natively():
            assert_same(jitted(*args, **kwargs), expected)
    bound = functools.partial(jit(subtract), 5.0)
    for _ in range(2):
        assert_same(bound(X), 5.0 - X)
        assert_same(bound(y=X), 5.0 - X)


def test_every_way_to_call() -> None:
    """From Python's several call instructions, and from C."""
    jitted = jit(lambda x, y=1.0: x - y)
    args, kwargs = (X,), {"y": 2.0}
    ways: list[Callable[[], Any]] = [
        lambda: jitted(X, y=2.0),
        lambda: jitted(*args, **kwargs),
        lambda: jitted.__call__(X, y=2.0),
        lambda: Jitted.__call__(jitted, X, y=2.0),
        lambda: jitted.fallback(X, y=2.0),
        lambda: functools.partial(jitted, X)(y=2.0),
        lambda: next(map(jitted, [X], [2.0])),
        lambda: functools.reduce(jitted, [X, 2.0]),
        lambda: next(map(functools.partial(jitted, y=2.0), [X])),
        lambda: np.stack([jitted(X, 2.0)])[0],
    ]
    for _, way in product(range(3), ways):
        assert_same(way(), X - 2.0)
    assert_same(sorted([3.0, 1.0, 2.0], key=jit(lambda x: -x)), [3.0, 2.0, 1.0])


# The object itself.


@jit
def of_the_module(x: Any, y: Any = 2.0, *, z: Any = 3.0) -> Any:
    """What it does."""
    return x * y + z


def test_attributes_are_those_of_the_function() -> None:
    assert of_the_module.__name__ == of_the_module.__qualname__ == "of_the_module"
    assert of_the_module.__doc__ == "What it does."
    assert of_the_module.__module__ == __name__
    assert of_the_module.__wrapped__(X) is not None
    assert inspect.signature(of_the_module) == inspect.signature(of_the_module.__wrapped__)
    assert callable(of_the_module)
    assert weakref.ref(of_the_module)() is of_the_module
    assert {of_the_module: 1}[of_the_module] == 1
    jitted = jit(lambda x: x * 2)
    jitted.note = "mine"
    assert_same(jitted(X), X * 2)
    assert jitted.note == "mine"
    with natively():
        assert_same(jitted(X), X * 2)
    del jitted.note
    assert not hasattr(jitted, "note")


def test_attributes_of_the_function_hide_nothing() -> None:
    """A function may carry any attributes; the jitted one has them, and its own methods."""

    def inner(x: Any) -> Any:
        return x * 2

    @functools.wraps(inner)
    def func(x: Any) -> Any:
        return inner(x)

    for name in ("variant", "trace", "compile", "flat", "fallback", "lower", "lock", "func"):
        setattr(func, name, "the user's")
    func.tag = "kept"  # type: ignore[attr-defined]
    jitted = jit(func)
    assert jitted.tag == "kept"
    assert jitted.__wrapped__ is func
    for x in (X, 1.0, X[::-1], X):
        assert_same(jitted(x), x * 2)
    assert_same(jit(jitted)(X), X * 2)
    assert "mul" in jitted.lower(X).ir


def test_copies_and_pickles_are_by_name() -> None:
    """As of a function: the copy is the object, the pickle its name; with no name, an error."""
    of_the_module(X)
    assert copy.copy(of_the_module) is of_the_module
    assert copy.deepcopy({"f": of_the_module})["f"] is of_the_module
    nameless = jit(functools.partial(subtract, y=1.0))
    for jitted in (jit(lambda x: x), jit(subtract), nameless):
        assert copy.copy(jitted) is copy.deepcopy(jitted) is jitted
        with pytest.raises((pickle.PicklingError, AttributeError), match=r"[Cc]an't"):
            pickle.dumps(jitted)


def test_pickles_lead_back_to_the_function(tmp_path: Any) -> None:
    (tmp_path / "library.py").write_text(
        "from tracer import jit\n@jit\ndef double(x):\n    return x * 2\n"
    )
    script = (
        "import pickle, library\n"
        "assert library.double(2.0) == 4\n"
        "for protocol in range(6):\n"
        "    text = pickle.dumps(library.double, protocol)\n"
        "    assert pickle.loads(text) is library.double\n"
    )
    run_script(script, tmp_path)


# Failing calls.


def test_a_failing_check_between_good_calls() -> None:
    """Each kind of argument is given back, and the next call is right and native."""
    jitted = jit(lambda x, at, scale=1.0: {"k": [x[at] * scale, x.sum()], "all": x})
    good, bad = np.array([0, 2]), np.array([0, 3])
    expected = {"k": [X[good] * 2.0, X.sum()], "all": X}
    for _ in range(3):
        assert_same(jitted(X, good, scale=2.0), expected)
        with pytest.raises(IndexError, match="out of bounds"):
            jitted(X, bad, scale=2.0)
        with natively():
            assert_same(jitted(X, good, scale=2.0), expected)
    large = jit(lambda x, at: np.cumsum(np.sin(x))[::-1][at] * np.cumsum(x)[at])
    x = np.ones(5000)
    first = large(x, good)
    for _ in range(3):
        with pytest.raises(IndexError):
            large(x, np.array([5000]))
        with natively():
            assert_same(large(x, good), first)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError, StopIteration])
def test_exceptions_while_tracing(error: type[BaseException]) -> None:
    """They reach the caller as they are; the same call is traced again the next time."""
    broken = [True]

    def func(x: Any) -> Any:
        y = x * 2
        if broken[0] and x.ndim:
            raise error("on purpose")
        return y

    jitted = jit(func)
    assert_same(jitted(1.5), 3.0)
    for _ in range(2):
        with pytest.raises(error, match="on purpose"):
            jitted(X)
        with natively():
            assert_same(jitted(1.5), 3.0)
    broken[0] = False
    assert_same(jitted(X), X * 2)
    with natively():
        assert_same(jitted(X), X * 2)


def test_exceptions_while_compiling() -> None:
    jitted = jit(lambda x: x * 2)
    jitted(1.5)

    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError("on purpose")

    with patch.object(codegen.engine, "compile_program", fail):
        with pytest.raises(MemoryError, match="on purpose"):
            jitted(X)
        assert_same(jitted(1.5), 3.0)
    assert_same(jitted(X), X * 2)


def test_results_that_are_too_large() -> None:
    """MemoryError each time; no exception is pending while the fallback runs."""
    jitted = jit(lambda x: (x * 2, np.broadcast_to(x, (2**46,)) * 2.0))
    for _ in range(3):
        with pytest.raises(MemoryError):
            jitted(1.5)
    jitted.fallback = lambda x: f"fallback of {x}"
    assert jitted(1.5) == "fallback of 1.5"


def test_a_call_from_within_its_own_compilation() -> None:
    """As a signal handler makes it: neither waits for the other, both are right."""
    jitted = jit(lambda x: x * 2)
    compile_program, within = codegen.engine.compile_program, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if not within:
            within.append(None)
            within.append(jitted(X))
            within.append(jitted(1.5))
        return compile_program(*args, **kwargs)

    def work() -> None:
        with patch.object(codegen.engine, "compile_program", interrupted):
            within.append(jitted(X))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert_same(within[1:], [X * 2, 3.0, X * 2])
    with natively():
        assert_same(jitted(X), X * 2)
        assert_same(jitted(1.5), 3.0)


def test_jit_inside_jit() -> None:
    """Inlined where it is called on tracers; recursion over a static number ends."""
    inner = jit(lambda x: x * 2)
    outer = jit(lambda x: inner(x) + inner(x + 1) + inner(3.0))
    power = jit(lambda x, n: x if n == 1 else x * power(x, n - 1), static_argnums=1)
    for _ in range(2):
        assert_same(outer(X), X * 2 + (X + 1) * 2 + 6.0)
        assert_same(inner(X), X * 2)
        assert_same(power(X, 5), X * (X * (X * (X * X))))
    endless = jit(lambda x: endless(x))
    with pytest.raises(RecursionError):
        endless(X)
    assert_same(outer(X), X * 2 + (X + 1) * 2 + 6.0)


def test_many_signatures_need_no_stack() -> None:
    """A call that fits none goes through all entries by jumps, whatever workspace each has."""
    heavy = lambda x, n: np.cumsum(np.sin(x))[::-1] * np.cumsum(np.cos(x))
    jitted = jit(heavy, static_argnums=1)
    x = np.linspace(0.0, 1.0, 600)
    first = jitted(x, "first")
    for n in range(40):
        jitted(x, n)
    found: list[Any] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(jitted(x, "first")))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    (variant, *_) = jitted.variants
    assert 8 * 1024 < variant.compiled.workspace < 16 * 1024
    assert_same(found, [first])


# Where objects do not lie as expected.


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("TYPE", 0), ("VALUE", 8), ("SIZE", 8), ("TUPLE_ITEMS", 16), ("ARRAY_DATA", 24),
     ("ARRAY_RANK", 28), ("ARRAY_SHAPE", 40), ("ARRAY_DTYPE", 40), ("ARRAY_FLAGS", 68),
     ("DTYPE_NUMBER", 32), ("DTYPE_ORDER", 27), ("TYPE_FLAGS", 176),
     ("PYTHON", ("PyNo_SuchFunction",))],
)  # fmt: skip
def test_the_self_test_sees_each_wrong_fact(name: str, wrong: Any) -> None:
    assert capi.usable.__wrapped__()
    with patch.object(capi, name, wrong):
        assert not capi.usable.__wrapped__()
    assert native_base() is not object


WITHOUT = """
import sys
from codegen.native import capi
capi.usable = lambda: False
import copy, gc, threading, weakref
import numpy as np
from tracer import grad, jit
from tracer.jit import Jitted
assert Jitted.__mro__[1:] == (object,)

x = np.array([1.0, 2.0, 3.0])
f = jit(lambda x, y=1.0, *, s="a": {"k": [x * y, (x.sum(), s)], "x": x}, static_argnames="s")
for _ in range(3):
    for a in (x, x[::-1], x.astype(">f8"), 2.0, True, np.float32(2), -1, x.reshape(3, 1)):
        found = f(a, y=2.0, s="b")
        np.testing.assert_array_equal(found["k"][0], a * 2.0)
        np.testing.assert_array_equal(found["x"], a)
        assert found["k"][1] == (np.sum(a), "b") and found["x"] is not x
    for bad in (lambda: f(), lambda: f(x, z=1), lambda: f(x, 1.0, 2.0), lambda: f(x, s=[])):
        try:
            bad()
        except TypeError:
            pass
        else:
            raise AssertionError
at = jit(lambda x, i: x[i])
for n in (0, 3, -1, 7, 2):
    try:
        assert at(x, np.array([n])) == x[n]
    except IndexError:
        assert n in (3, 7)

class Model:
    @jit
    def apply(self, x):
        return x * 2

assert Model().apply(3.0) == 6
assert copy.copy(f) is f
assert all(v.compiled.signature is None for v in f.variants)
big = jit(lambda d: np.cumsum(np.sin(d["x"]))[::-1] * d["x"])
large = np.linspace(0, 1, 50_000)
expected = np.cumsum(np.sin(large))[::-1] * large
def work():
    for _ in range(5):
        np.testing.assert_allclose(big({"x": large}), expected)
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
np.testing.assert_allclose(jit(grad(lambda x: np.sum(x**3)))(x), 3 * x**2)
g = jit(lambda x: x + 1)
g(x)
g.me = g
gone = weakref.ref(g)
del g
gc.collect()
assert gone() is None
"""


def test_everything_works_without_native_entries() -> None:
    run_script(WITHOUT)
