"""Arguments and results that are trees: dicts, lists, tuples, and what they may hold."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from tests.codegen.calls import assert_same, natively, reaching_python

from tracer import jit

X = np.array([1.5, -2.0, 0.25])
Y = np.array([3.0, 5.0, -7.0])
Pair = namedtuple("Pair", "x y")


class Text(str):
    pass


# Arguments.


def combine(tree: Any, weight: float = 1.0) -> Any:
    """A sum over the leaves in which the place and the name of each count."""
    if isinstance(tree, dict):
        return sum((combine(v, weight * (2 + len(str(k)) + str(k).count("b"))) for k, v in
                    tree.items()), np.float64(0.0))  # fmt: skip
    if isinstance(tree, list | tuple | deque):
        kind = 3.0 if isinstance(tree, tuple) else 2.0
        return sum((combine(v, weight * (kind + n)) for n, v in enumerate(tree)), np.float64(0.0))
    return np.float64(weight) if tree is None else tree * np.float64(weight)


TREES: dict[str, Any] = {
    "leaf": X,
    "tuple": (X, Y),
    "tuple, swapped": (Y, X),
    "tuple of one": (X,),
    "tuple of three": (X, Y, X),
    "list": [X, Y],
    "list of one": [X],
    "list of two dtypes": [X, Y.astype(np.float32)],
    "named tuple": Pair(X, Y),
    "dict": {"a": X, "b": Y},
    "dict, another order": {"b": Y, "a": X},
    "dict, values swapped": {"a": Y, "b": X},
    "dict with another key": {"a": X, "c": Y},
    "dict with an extra key": {"a": X, "b": Y, "c": X},
    "dict with a key missing": {"a": X},
    "ordered dict": OrderedDict([("a", X), ("b", Y)]),
    "ordered dict, another order": OrderedDict([("b", Y), ("a", X)]),
    "default dict": defaultdict(list, {"a": X, "b": Y}),
    "deque": deque([X, Y]),
    "keys of several types": {"a": X, 1: Y, None: X, (1, 2): Y, Text("t"): 1.0},
    "empty tuple": (),
    "empty list": [],
    "empty dict": {},
    "empty in a dict": {"a": (), "b": [], "c": {}, "d": X},
    "None": None,
    "None in a tuple": (X, None),
    "None first": (None, X),
    "None in a dict": {"a": None, "b": X},
    "nested": {"a": [X, (Y, {"b": X})], "c": ([[Y]],)},
    "nested otherwise": {"a": [X, (Y, {"c": X})], "b": ([[Y]],)},
    "nested, a list for a tuple": {"a": [X, [Y, {"b": X}]], "c": ([[Y]],)},
    "numbers": {"a": 1, "b": 2.5, "c": True, "d": np.float32(0.5), "e": np.int64(3)},
    "numbers of other types": {"a": 1.5, "b": 2, "c": True, "d": np.float64(0.5), "e": 3},
    "strided inside": [X[::-1], Y],
    "big-endian inside": {"a": X.astype(">f8"), "b": Y},
}


def plain(tree: Any) -> Any:
    """The tree with Python's numbers as what they are traced as."""
    if isinstance(tree, dict):
        return {k: plain(v) for k, v in tree.items()}
    if isinstance(tree, list | deque):
        return [plain(v) for v in tree]
    if isinstance(tree, tuple):
        return tuple([plain(v) for v in tree])
    return np.array(tree, np.float64) if isinstance(tree, np.ndarray) else tree


@pytest.mark.parametrize("order", [1, -1])
def test_each_ordered_pair_of_trees(order: int, figures: Any) -> None:
    """Traced before and after every other, then called in turn: A, B, A."""
    jitted = jit(combine)
    expected = {name: combine(plain(tree)) for name, tree in TREES.items()}

    def check(name: str) -> None:
        np.testing.assert_allclose(jitted(TREES[name]), expected[name], rtol=1e-14)

    for name in list(TREES)[::order]:
        check(name)
    traced = len(jitted.variants)
    for a, b in permutations(TREES, 2):
        for name in (a, b, a):
            check(name)
        figures.add("pairs of trees called in turn, all right")
    assert len(jitted.variants) == traced


def test_the_trees_that_entries_read() -> None:
    """Most containers are read in place; defaultdicts, deques and odd layouts go to Python."""
    through_python = ("default dict", "deque", "inside")
    for name, tree in TREES.items():
        jitted = jit(combine)
        first = jitted(tree)
        with reaching_python() as seen:
            assert_same(jitted(tree), first)
        if jitted.lower(tree).program.params:
            assert len(seen) == any(word in name for word in through_python), name


def test_keys_that_are_equal_but_not_the_same_object() -> None:
    """Keys made at run time are found equal by Python, and the entry is none the worse."""
    jitted = jit(lambda d: d["first key"] - d["second key"])
    make: list[Callable[[str], str]] = [str, lambda s: "".join(list(s)), Text]
    for _, one, other in product(range(2), make, make):
        a, b = one("first key"), other("second key")
        assert_same(jitted({a: X, b: Y}), X - Y)
        assert_same(jitted({b: X, a: Y}), Y - X)
    assert len(jitted.variants) == 2


def test_dicts_that_have_seen_changes() -> None:
    """Keys deleted and added again, tables grown and shared: it is the order that counts."""
    jitted = jit(lambda d: list(d.values()))
    changed = {"x": 0.0, "a": X, "b": 0.0, "y": 1.0}
    del changed["x"], changed["y"]
    changed["b"] = Y
    grown = dict.fromkeys(map(str, range(500)), 0.0)
    for key in list(grown):
        del grown[key]
    grown.update(a=X, b=Y)
    holder = type("Holder", (), {})()
    holder.a, holder.b = X, Y
    moved = {"b": Y, "a": X}
    moved["b"] = moved.pop("b")
    for _ in range(2):
        for d in ({"a": X, "b": Y}, changed, grown, vars(holder), moved):
            assert list(d) == ["a", "b"]
            assert_same(jitted(d), [X, Y])
    with natively():
        for d in (changed, grown, vars(holder), moved):
            assert_same(jitted(d), [X, Y])


def test_containers_that_change_between_calls() -> None:
    jitted = jit(lambda tree: (tree["x"][0] * 2, tree["n"] + 1))
    tree: dict[str, Any] = {"x": [X], "n": 3}
    for x, n in ((X, 3), (Y, 4), (X[:2], 2.5), (1.0, True), (X, 3)):
        tree["x"][0], tree["n"] = x, n
        assert_same(jitted(tree), (x * 2, n + 1))
    tree["x"].append(Y)
    assert_same(jitted(tree), (X * 2, 4))
    tree["x"].clear()
    with pytest.raises(IndexError):
        jitted(tree)
    tree["x"].extend([Y])
    with natively():
        assert_same(jitted(tree), (Y * 2, 4))


def test_static_leaves_inside_trees() -> None:
    """Strings, None and functions in containers are part of the signature."""
    jitted = jit(lambda tree: tree["f"](tree["x"]) if tree["name"] == "go" else tree["name"])
    for _ in range(2):
        assert_same(jitted({"f": np.negative, "x": X, "name": "go"}), -X)
        assert_same(jitted({"f": np.abs, "x": X, "name": "go"}), np.abs(X))
        assert_same(jitted({"f": np.abs, "x": X, "name": "stay"}), "stay")
        assert_same(jitted({"f": np.abs, "x": X, "name": None}), None)
    with natively():
        assert_same(jitted({"f": np.abs, "x": X, "name": "go"}), np.abs(X))
    with pytest.raises(TypeError):
        jitted({"f": np.abs, "x": X, "name": {1, 2}})


def test_many_arrays_and_a_deep_tree() -> None:
    wide = {f"weight {n}": np.full(n % 4 + 1, float(n)) for n in range(60)}
    doubled = jit(lambda d: {k: v * 2 for k, v in d.items()})
    deep: Any = X
    for n in range(50):
        deep = [deep] if n % 2 else {"k": deep}
    unwrapped = jit(lambda tree: tree)
    for _ in range(2):
        assert_same(doubled(wide), {k: v * 2 for k, v in wide.items()})
        assert_same(unwrapped(deep), deep)
    with natively():
        assert_same(doubled(wide), {k: v * 2 for k, v in wide.items()})
        assert_same(unwrapped(deep), deep)


# Results.


class Thing:
    """An object that is neither number nor container."""


THING = Thing()
SHARED = np.array([7.0, 8.0])

RESULTS: dict[str, Callable[[Any], Any]] = {
    "array": lambda x: x * 2,
    "scalar": lambda x: x.sum(),
    "bool scalar": lambda x: x.sum() > 0,
    "int32": lambda x: (x * 3).astype(np.int32),
    "float32 scalar": lambda x: x.astype(np.float32).sum(),
    "reshaped": lambda x: (x.reshape(3, 1), x.reshape(1, 3, 1)),
    "empty": lambda x: (x[:0], x[:0].sum(), x[:0].reshape(0, 5)),
    "tuple": lambda x: (x * 2, x.sum()),
    "tuple of one": lambda x: (x * 2,),
    "list": lambda x: [x * 2, x.sum()],
    "dict": lambda x: {"twice": x * 2, "sum": x.sum()},
    "dict, another order": lambda x: {"sum": x.sum(), "twice": x * 2},
    "keys of several types": lambda x: {1: x, None: x * 2, (1, "a"): x * 3, "s": x.sum()},
    "named tuple": lambda x: Pair(x * 2, x.sum()),
    "ordered dict": lambda x: OrderedDict(b=x, a=x * 2),
    "default dict": lambda x: defaultdict(list, {"b": x, "a": x * 2}),
    "deque": lambda x: deque([x, x * 2], 5),
    "nested": lambda x: {"a": [x, (x * 2, {"b": (x.sum(),)})], "c": [[], {}, ()]},
    "empty tuple": lambda x: (),
    "empty list": lambda x: [],
    "empty dict": lambda x: {},
    "None": lambda x: None,
    "None in a dict": lambda x: {"a": None, "b": x},
    "the argument": lambda x: x,
    "the argument twice": lambda x: (x, x),
    "one value twice": lambda x: [x * 2] * 2,
    "a view": lambda x: (x.reshape(3, 1), x[::-1], x[1:], x.T),
    "int": lambda x: 3,
    "large int": lambda x: (2**100, x),
    "bool": lambda x: (True, x),
    "float": lambda x: (2.5, x),
    "string": lambda x: ("text", x),
    "bytes": lambda x: (b"text", x),
    "complex": lambda x: (1j, x),
    "object": lambda x: (THING, x),
    "function": lambda x: (np.sin, x),
    "set": lambda x: ({1, 2}, x),
    "NumPy's number": lambda x: (np.float64(2.5), np.int16(3), np.True_, x),
    "untraced array": lambda x: (SHARED, x),
    "untraced arrays of other dtypes": lambda x: (np.array(["a", "b"]), np.array([1j]), x),
}


def same_result(found: Any, expected: Any) -> None:
    if isinstance(expected, deque | set):
        assert type(found) is type(expected)
        assert getattr(found, "maxlen", None) == getattr(expected, "maxlen", None)
        found, expected = list(found), list(expected)
    if isinstance(expected, defaultdict):
        assert found.default_factory is expected.default_factory
    if isinstance(expected, Pair):
        assert type(found) is Pair
    assert_same(found, expected)


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_as_the_function_returns_them(name: str) -> None:
    """Traced and called again, with the same argument and another of its type."""
    func = RESULTS[name]
    jitted = jit(func)
    for x in (X, X, Y, X[::-1], X):
        same_result(jitted(x), func(x))


def arrays_in(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return arrays_in(list(tree.values()))
    if isinstance(tree, list | tuple | deque):
        return [array for item in tree for array in arrays_in(item)]
    return [tree] if isinstance(tree, np.ndarray) else []


@pytest.mark.parametrize("name", RESULTS)
def test_results_own_their_memory(name: str) -> None:
    """No array of a result shares memory with the argument, another result, or another call's."""
    jitted = jit(RESULTS[name])
    x = X.copy()
    made = [arrays_in(jitted(x)) for _ in range(3)]
    flat = [array for arrays in made for array in arrays]
    for one, other in permutations(flat, 2):
        assert not np.shares_memory(one, other)
    for array in flat:
        assert array.flags.owndata
        assert array.flags.writeable
        assert not np.shares_memory(array, x)
        assert not np.shares_memory(array, SHARED)
        array[...] = array[::-1].copy() if array.dtype.kind == "U" else 0
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(SHARED, [7.0, 8.0])
    same_result(jitted(x), RESULTS[name](x))


def test_containers_of_results_are_new_each_time() -> None:
    jitted = jit(lambda x: {"list": [x], "dict": {}, "empty": [], "n": 3})
    kept = [jitted(X) for _ in range(4)]
    for n, result in enumerate(kept):
        result["list"].append(n)
        result["dict"][n] = n
        result["empty"].append(n)
        result["n"] = n
        del result
    assert_same(jitted(X), {"list": [X], "dict": {}, "empty": [], "n": 3})
    for n, result in enumerate(kept):
        assert_same(result, {"list": [X, n], "dict": {n: n}, "empty": [n], "n": n})


def test_objects_come_back_as_themselves() -> None:
    """What is neither traced nor a container is the very object, as static arguments are."""
    jitted = jit(lambda x, how: (x, how, THING, None))
    for how in ("text", None, THING, np.sin, Thing):
        for _ in range(2):
            found = jitted(X, how)
            assert found[1] is how
            assert found[2] is THING


def test_the_order_of_keys_is_that_of_each_call() -> None:
    """One function, whose result follows the order of its argument's keys."""
    jitted = jit(lambda d, **more: ({k: v * 2 for k, v in d.items()}, list(more)))
    values = {"a": X, "b": Y, "c": 1.5}
    for _ in range(2):
        for keys in permutations(values):
            d = {k: values[k] for k in keys}
            expected = ({k: values[k] * 2 for k in keys}, list(keys))
            assert_same(jitted(d, **d), expected)
