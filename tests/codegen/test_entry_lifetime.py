"""Who holds what during and after calls: references, memory, threads, garbage, the end."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
import pytest
from tests.codegen.calls import assert_same, heavy, natively, reaching_python, run_script
from tests.codegen.test_engine import KIB, resident

from tracer import jit

X = np.array([1.5, -2.0, 0.25])


class Token:
    """An object that is passed and returned untraced."""


# References.

TOKEN = Token()
TABLE = np.arange(1000.0)
KEY, TEXT, NUMBER = "a key of " + "its own", "text " + "to return", 123456.75


def several(x: Any, *, tree_: Any, int_: Any, float_: Any, how_: Any, flag_: Any = True) -> Any:
    y = x * tree_[KEY][0] + int_ * float_
    return {KEY: [y, y.sum(), (TEXT, None)], "again": x, "n": NUMBER, "table": y.sum() + TABLE}


COMMON = [None, True, 0, np.ndarray, np.float64, float, X.dtype]
"""What all else refers to as well, so that its counts come and go a little."""


def references(things: list[Any]) -> list[int]:
    return [sys.getrefcount(thing) for thing in things]


def unchanged(things: list[Any], call: Callable[[], Any], times: int) -> None:
    """The call is made so often and no reference to the things is gained or lost."""
    gc.collect()
    before, common = references(things), references(COMMON)
    for _ in range(times):
        call()
    gc.collect()
    assert references(things) == before
    assert np.abs(np.subtract(references(COMMON), common)).max() < 200


def held() -> dict[str, Any]:
    """Fresh arguments of ``several``, none of which is shared with anything."""
    return {
        "tree_": {KEY: [np.ones(3), 2.5], "rest_": (np.float64(3.5), [np.ones(2)])},
        "int_": int("1234567"),
        "float_": float("1.25"),
        "how_": TOKEN,
    }


def all_of(x: Any, kwargs: dict[str, Any]) -> list[Any]:
    tree = kwargs["tree_"]
    inner = [tree, tree[KEY], *tree[KEY], tree["rest_"], *tree["rest_"], tree["rest_"][1][0]]
    return [x, *inner, *kwargs.values(), *kwargs, *tree, KEY, TEXT, NUMBER, TOKEN, TABLE, Token]


def test_native_calls_keep_all_counts(figures: Any) -> None:
    jitted, x, kwargs = jit(several), X.copy(), held()
    jitted(x, **kwargs)
    with natively():
        unchanged([*all_of(x, kwargs), jitted], lambda: jitted(x, **kwargs), 100_000)
    figures.add("native calls after which all references were as before", 100_000)


def test_calls_that_pass_through_all_entries_keep_all_counts() -> None:
    """The signature that was compiled first comes last; each entry before it looks and leaves."""
    jitted, x, kwargs = jit(several), X.copy(), held()
    jitted(x, **kwargs)
    for other in (X[:2], X.astype(np.float32), 2.5):
        jitted(other, **{**kwargs, "tree_": {KEY: [other, 2.5], "rest_": (1.5, [X])}})
    jitted(x, **{**kwargs, "tree_": {**kwargs["tree_"], "rest_": (np.float64(3.5), [X])}})
    jitted(x, **{**kwargs, "flag_": False})
    jitted(x, **{**kwargs, "int_": 2.5})
    assert len(jitted.variants) == 7
    with natively():
        unchanged([*all_of(x, kwargs), jitted], lambda: jitted(x, **kwargs), 100_000)


def test_calls_through_python_keep_all_counts() -> None:
    """Layouts that are copied."""
    jitted, kwargs = jit(several), held()
    x = np.ones(6)[::2]
    jitted(x, **kwargs)
    with reaching_python() as seen:
        unchanged([*all_of(x, kwargs), jitted], lambda: jitted(x, **kwargs), 5000)
    assert len(seen) == 5000


def test_minus_one_and_equal_keys_keep_all_counts() -> None:
    """-1, which looks like an error, and a key that is another object than the traced one."""
    jitted, kwargs = jit(several), held()
    jitted(X, **kwargs)
    minus, key = {**kwargs, "int_": -1}, "".join(list(KEY))
    equal = {**kwargs, "tree_": {key: kwargs["tree_"][KEY], "rest_": kwargs["tree_"]["rest_"]}}
    with natively():
        unchanged([*all_of(X, minus), jitted], lambda: jitted(X, **minus), 5000)
        unchanged([*all_of(X, kwargs), key, jitted], lambda: jitted(X, **equal), 5000)


Named = namedtuple("Named", "x y")


def test_every_container_keeps_all_counts() -> None:
    jitted = jit(lambda t: Named([t["n"].x], OrderedDict(a=t["o"]["b"] * 2, b=t["n"])))
    tree = {"n": Named(np.ones(2), np.zeros(3)), "o": OrderedDict(b=np.ones(4), a=(None,))}
    jitted(tree)
    things = [tree, *tree.values(), *tree["n"], *tree["o"].values(), Named, OrderedDict, jitted]
    with natively():
        unchanged(things, lambda: jitted(tree), 10_000)
    moved = {"n": tree["n"], "o": OrderedDict(tree["o"])}
    moved["o"].move_to_end("b")
    with reaching_python() as seen:
        jitted(moved)
    assert len(seen) == 1


def test_failing_calls_keep_all_counts() -> None:
    """A check in native code, an argument that is refused, arguments that do not bind."""

    def pick(x: Any, at: Any, tree: Any) -> Any:
        return heavy(x)[at], [x[at] * tree[KEY][0], x.sum()], tree[KEY][0] + TABLE

    jitted, x, at = jit(pick), np.ones(4000), np.array([1, 4000])
    tree = {KEY: [float("2.5"), np.ones(3)]}
    jitted(x, np.array([1, 3999]), tree)
    things = [x, at, tree, tree[KEY], *tree[KEY], KEY, TABLE, jitted, IndexError, TypeError]

    def fails(error: type[Exception], *args: Any) -> Callable[[], None]:
        def call() -> None:
            try:
                jitted(*args)
            except error:
                return
            raise AssertionError

        return call

    for call in (fails(IndexError, x, at, tree), fails(TypeError, x, at, {KEY: [1, X]}, X)):
        call()
        unchanged(things, call, 3000)
    with natively():
        jitted(x, np.array([1, 3999]), tree)


def test_results_are_the_callers_alone() -> None:
    """Each part of a result is held by the result and nothing else."""
    jitted = jit(lambda x: (x * 2, [x.sum(), {"k": x + 1}], x > 0))
    for _ in range(3):
        first, inner, last = result = jitted(X)
        counted = [first, inner, inner[0], inner[1], inner[1]["k"], last]
        # By its container, a name if it has one, the list and the loop's own.
        assert [sys.getrefcount(thing) for thing in counted] == [5, 5, 4, 4, 4, 5]
        gone = [weakref.ref(thing) for thing in (first, inner[1]["k"], last)]
        del result, first, inner, last, counted
        gc.collect()
        assert not any(ref() is not None for ref in gone)


def test_trees_of_results_are_seen_by_the_collector() -> None:
    """A cycle through the result is found, so its containers are tracked as Python's are."""
    jitted = jit(lambda x: {"list": [x], "pair": ([], x)})
    for _ in range(3):
        result = jitted(X)
        array = weakref.ref(result["list"][0])
        result["list"].append(result)
        result["pair"][0].append(result["pair"])
        del result
        gc.collect()
        assert array() is None


def test_calls_while_the_collector_runs() -> None:
    """At almost each allocation, with finalizers that call the function themselves."""
    jitted = jit(lambda x: {"a": [x * 2, (x.sum(), {"k": [x]})], "b": ([], {}, x)})
    expected = jitted(X)
    found: list[Any] = []

    class Litter:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            found.append(jitted(X))

    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            Litter()
            assert_same(jitted(X), expected)
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert len(found) == 300
    assert_same(found, [expected] * 300)


# Memory.

TREE = {"w": [np.ones((4, 4)), 0.5], "b": (X, {"n": 3})}
GROWING: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "large results": (lambda x: (x * 2, x + 1), (np.ones(2000),)),
    "scalars": (lambda x: (x.sum(), x.max(), x.min() > 0), (X,)),
    "workspace on the stack": (heavy, (np.ones(100),)),
    "trees": (lambda t: {"r": [t["w"][0] * t["w"][1], (t["b"][0].sum(), TEXT)], "e": []}, (TREE,)),
}


@pytest.mark.parametrize("name", GROWING)
def test_calls_do_not_grow_the_process(name: str, figures: Any) -> None:
    func, args = GROWING[name]
    jitted = jit(func)
    for _ in repeat(None, 1000):
        jitted(*args)
    before = resident()
    with natively():
        for _ in repeat(None, 300_000):
            jitted(*args)
    assert resident() - before < 512 * KIB
    figures.add("native calls after which no memory was missing", 300_000)


def test_a_kept_workspace_does_not_grow_the_process() -> None:
    """One is kept for each function, goes with it, and a thread that finds none makes its own."""
    x, large = np.linspace(0.0, 1.0, 3000), np.linspace(0.0, 1.0, 50_000)

    def used() -> None:
        jitted = jit(heavy)
        expected = jitted(large)
        with natively():
            for _ in repeat(None, 3):
                assert_same(jitted(large), expected)
        (variant,) = jitted.variants
        assert variant.compiled.workspace >= large.nbytes

    for _ in range(15):
        used()
    before = resident()
    for _ in range(15):
        used()
    assert resident() - before < 10 * large.nbytes
    jitted = jit(heavy)
    jitted(x)
    before = resident()
    for _ in repeat(None, 5000):
        jitted(x)
    assert resident() - before < 512 * KIB


# Garbage.


def test_jitted_functions_in_cycles_are_collected() -> None:
    """With their code, whatever way the cycle goes."""

    def through_attribute() -> Any:
        jitted = jit(lambda x: x * 2)
        jitted.me = jitted
        return jitted

    def through_closure() -> Any:
        jitted = jit(lambda x: x * 2 if callable(jitted) else x)
        return jitted

    def through_static_argument() -> Any:
        jitted = jit(lambda x, how: x * 2)
        jitted(X, jitted)
        return jitted

    def through_result() -> Any:
        box: list[Any] = []
        token = Token()
        token.box = box  # type: ignore[attr-defined]
        jitted = jit(lambda x: (x, token))
        jitted(X)
        box.append(jitted)
        return jitted

    def through_instance() -> Any:
        class Model:
            @jit
            def apply(self, x: Any) -> Any:
                return x * 2

        model = Model()
        model.apply(X)
        return Model.apply

    for make in (
        through_attribute,
        through_closure,
        through_static_argument,
        through_result,
        through_instance,
    ):
        gone = []
        for _ in range(3):
            jitted = make()
            if make is not through_instance and make is not through_static_argument:
                jitted(X)
            variants = list(jitted.variants)
            assert variants
            gone += [weakref.ref(jitted), *[weakref.ref(v.compiled.code) for v in variants]]
            del jitted, variants
        gc.collect()
        assert not any(ref() is not None for ref in gone), make.__name__


def test_what_a_dropped_function_held_is_let_go() -> None:
    """Captured arrays, static arguments, keys, what it returned, the function itself."""
    captured, token, unused = np.arange(1000.0), Token(), np.ones(1000)

    def closed_over(array: Any, returned: Any) -> Any:
        return lambda x, how: (x["key"] + array, returned)

    func = closed_over(captured, token)
    jitted = jit(func)
    jitted({"key": unused}, token)
    jitted({"key": 1.0}, token)
    refs = [weakref.ref(thing) for thing in (captured, token, func, unused)]
    del unused
    gc.collect()
    assert refs[3]() is None
    del captured, token, func, jitted
    gc.collect()
    assert not any(ref() is not None for ref in refs)


# The end of the process.

ENDINGS = {
    "a finalizer calls it": (
        "class Last:\n    def __del__(self): assert f(x)[0] == 2\nlast = Last()\n"
    ),
    "a finalizer in a cycle calls it": (
        "class Last:\n"
        "    def __init__(self): self.me = self\n"
        "    def __del__(self): assert f(x)[0] == 2\n"
        "last = Last()\n"
    ),
    "in a long call of another thread": (
        "import threading, time\n"
        "g = jit(lambda x: np.cumsum(np.sin(x))[::-1] * np.cumsum(x))\n"
        "long = np.ones(400_000)\n"
        "g(long)\n"
        "def run():\n"
        "    while True: g(long)\n"
        "for _ in range(3): threading.Thread(target=run, daemon=True).start()\n"
        "time.sleep(0.05)\n"
    ),
    "while another thread compiles": (
        "import threading, time\n"
        "def run():\n"
        "    n = 0\n"
        "    while True:\n"
        "        n += 1\n"
        "        jit(lambda x: x * float(n))(x)\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "time.sleep(0.2)\n"
    ),
    "everything is left": (
        "import contextvars, sys, threading\n"
        "g = jit(lambda x: np.cumsum(np.sin(x))[::-1] * np.cumsum(x))\n"
        "g(np.ones(5000)); g(np.ones(5000)); g(np.ones(5000))\n"
        "class Model:\n"
        "    @jit\n"
        "    def apply(self, x): return x * 2\n"
        "bound = Model().apply\n"
        "bound(x); bound(x)\n"
        "contextvars.ContextVar('f').set(g)\n"
        "local = threading.local(); local.f = jit(lambda x: x); local.f(x)\n"
        "kept = [f(x) for _ in range(10)], {'f': f, 'x': x}\n"
        "at = jit(lambda x, i: x[i])\n"
        "at(x, np.array([1]))\n"
        "try:\n"
        "    at(x, np.array([9]))\n"
        "except IndexError as e:\n"
        "    sys.last = e\n"
    ),
}

BEGIN = """
import numpy as np
from tracer import jit
x = np.ones(4)
f = jit(lambda x: x * 2)
f(x), f(x)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_process_ends_without_a_word(ending: str) -> None:
    run_script(BEGIN + ENDINGS[ending])


DYING = """
import gc
import numpy as np
from tracer import jit

class Holder:
    def __init__(self):
        self.f = jit(lambda x: x * 2)
        self.cycle = self
        self.f(X)

    def __del__(self):
        RESULTS.append(self.f(X))

X, RESULTS = np.ones(3), []
for _ in range(40):
    Holder()
gc.collect()
assert len(RESULTS) == 40
"""


def test_code_outlives_the_last_words_of_a_cycle() -> None:
    """A ``__del__`` in a cycle of garbage may call the jitted function that the cycle holds."""
    done = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
