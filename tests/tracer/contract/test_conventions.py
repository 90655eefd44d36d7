"""The conventions that hold everywhere, bullet by bullet."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import partial
from typing import Any

import numpy as np
import optree
import pytest
from tests.tracer.contract.test_names import same

from tracer import (
    errors,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    tree,
    value_and_grad,
    vjp,
    vmap,
)

X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])
Pair = namedtuple("Pair", "left right")


@optree.dataclasses.dataclass(namespace="tracer")
class Weights:
    left: Any
    right: Any
    name: str = optree.dataclasses.field(default="weights", pytree_node=False)


class Registered:
    def __init__(self, left, right):
        self.left, self.right = left, right


optree.register_pytree_node(
    Registered,
    lambda x: ((x.left, x.right), None),
    lambda metadata, children: Registered(*children),
    namespace="tracer",
)

CONTAINERS = {
    "tuple": (lambda x, y: (x, y), lambda p: (p[0], p[1])),
    "list": (lambda x, y: [x, y], lambda p: (p[0], p[1])),
    "dict": (lambda x, y: {"b": x, "a": y}, lambda p: (p["b"], p["a"])),
    "dict of ints": (lambda x, y: {1: x, 0: y}, lambda p: (p[1], p[0])),
    "namedtuple": (Pair, lambda p: (p.left, p.right)),
    "OrderedDict": (lambda x, y: OrderedDict(b=x, a=y), lambda p: (p["b"], p["a"])),
    "defaultdict": (lambda x, y: defaultdict(list, b=x, a=y), lambda p: (p["b"], p["a"])),
    "deque": (lambda x, y: deque([x, y], maxlen=7), lambda p: (p[0], p[1])),
    "dataclass": (Weights, lambda p: (p.left, p.right)),
    "registered class": (Registered, lambda p: (p.left, p.right)),
    "nested": (
        lambda x, y: {"b": [(x,)], "a": Weights(y, ())},
        lambda p: (p["b"][0][0], p["a"].left),
    ),
}


@pytest.fixture(autouse=True)
def counted(request, figures):
    figures.cover("contract: tests of the conventions", {request.node.name})


@pytest.mark.parametrize("name", CONTAINERS)
def test_trees(name):
    make, parts = CONTAINERS[name]
    given = make(X, Y)

    def check(found, *expected):
        assert type(found) is type(given)
        if isinstance(found, dict):
            assert list(found) == list(given)
        if isinstance(found, deque):
            assert found.maxlen == 7
        if isinstance(found, defaultdict):
            assert found.default_factory is list
        same(parts(found), expected)

    total = lambda p: np.sum(parts(p)[0] ** 2 * parts(p)[1])
    slopes = (2 * X * Y, X**2)
    check(grad(total)(given), *slopes)
    check(jit(grad(total))(given), *slopes)
    check(value_and_grad(total)(given)[1], *slopes)
    check(grad(lambda x: (np.sum(x), make(x, 2 * x)), has_aux=True)(X)[1], X, 2 * X)
    check(jit(lambda p: make(*parts(p)))(given), X, Y)
    check(vmap(lambda p: make(*parts(p)))(given), X, Y)
    out, pull = vjp(lambda p: make(*parts(p)), given)
    check(out, X, Y)
    check(pull(make(Y, X))[0], Y, X)
    out, moved = jvp(lambda p: make(*parts(p)), (given,), (make(Y, X),))
    check(moved, Y, X)
    check(linearize(lambda p: p, given)[1](make(Y, X)), Y, X)
    for matrix in (jacrev, jacfwd, jacobian):
        check(matrix(total)(given), *slopes)
        check(matrix(lambda x: make(x, 2 * x))(X), np.eye(3), 2 * np.eye(3))
    second = hessian(total)(given)
    check(parts(second)[0], np.diag(2 * Y), np.diag(2 * X))
    check(parts(second)[1], np.diag(2 * X), np.zeros((3, 3)))
    dims = make(0, None)
    found = vmap(lambda p: parts(p)[0] + np.sum(parts(p)[1]), (dims,))(given)
    same(found, X + np.sum(Y))
    check(vmap(lambda x: make(x, np.stack([x, x])), out_dims=make(0, 1))(X), X, np.stack([X, X]))


def test_none_is_a_leaf():
    f = lambda p, x: np.sum(x) if p["b"] is None else x
    same(grad(f, 1)({"a": None, "b": None}, X), np.ones(3))
    same(grad(lambda x: (np.sum(x), (None, {"n": None})), has_aux=True)(X)[1], (None, {"n": None}))
    same(vmap(lambda x, p: x if p[0] is None else -x, (0, None))(X, (None, 2.0)), X)
    same(jit(lambda p, x: (p, x))((None, [None]), X), ((None, [None]), X))
    with pytest.raises(errors.DifferentiableLeafError):
        grad(lambda p: p[0])((1.0, None))


PREFIXES = {
    "int": 0,
    "tuple": (0, 0),
    "list": [0, 0],
    "in the first": ({"a": 0, "b": (0, 0)}, 0),
    "half way": ({"a": 0, "b": 0}, 0),
    "negative": (-1, -1),
    "NumPy's int": np.int64(0),
}


@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes_of_in_dims(name):
    p = {"a": X, "b": (Y, X)}
    found = vmap(lambda p, y: p["a"] * p["b"][0] + p["b"][1] * y, PREFIXES[name])(p, Y)
    same(found, X * Y + X * Y)


OUTS = {
    "int": 1,
    "tuple": (1, 1),
    "list": [1, 1],
    "whole": ({"a": 1, "b": [1]}, 1),
    "half way": ({"a": 1, "b": 1}, -1),
}


@pytest.mark.parametrize("name", OUTS)
def test_prefixes_of_out_dims(name):
    f = lambda x: ({"a": x, "b": [2 * x]}, 3 * x)
    m = np.arange(6.0).reshape(2, 3)
    same(vmap(f, out_dims=OUTS[name])(m), ({"a": m.T, "b": [2 * m.T]}, 3 * m.T))


def test_containers_match_exactly():
    for given in ((X, Y), [X, Y], Pair(X, Y), Weights(X, Y), deque([X, Y]), {"a": X, "b": Y},
                  OrderedDict(a=X, b=Y)):  # fmt: skip
        for other in ((X, Y), [X, Y], Pair(X, Y), Weights(X, Y), deque([X, Y]), {"a": X, "b": Y},
                      OrderedDict(a=X, b=Y), {"a": X, "c": Y}, (X, Y, Y)):  # fmt: skip
            _, pull = vjp(lambda p: p, given)
            if tree.structure(given) == tree.structure(other):
                same(tree.leaves(pull(other)[0]), tree.leaves(other))
                same(tree.leaves(jvp(lambda p: p, (given,), (other,))[1]), tree.leaves(other))
            else:
                with pytest.raises(errors.CotangentError):
                    pull(other)
                with pytest.raises(errors.TangentError):
                    jvp(lambda p: p, (given,), (other,))
    with pytest.raises(errors.VmapError):
        vmap(lambda p: p, ([0, 0],))((X, Y))
    with pytest.raises(errors.VmapError):
        vmap(lambda p: p, ((0, 0),))(Pair(X, Y))
    with pytest.raises(errors.VmapError):
        vmap(lambda p: p, (Weights(0, 0, "other"),))(Weights(X, Y))


def test_keys_of_dicts_match_in_any_order():
    out, pull = vjp(
        lambda p: {"a": p["a"] * 2, "b": [{"d": p["c"], "c": p["a"]}]}, {"c": X, "a": Y}
    )
    assert list(out) == ["a", "b"]
    (bar,) = pull({"b": [{"c": X, "d": Y}], "a": X})
    assert list(bar) == ["c", "a"]
    same(bar, {"c": Y, "a": 3 * X})
    found = jvp(lambda p: p["a"] * p["c"], ({"c": X, "a": Y},), ({"a": X, "c": Y},))[1]
    same(found, X * X + Y * Y)
    found = vmap(lambda p: p["a"] * np.sum(p["b"]), ({"b": None, "a": 0},))({"a": X, "b": Y})
    same(found, X * np.sum(Y))
    m = np.stack([X, Y])
    found = vmap(lambda x: {"a": x, "b": x, "c": x}, out_dims={"c": 1, "a": 1, "b": 0})(m)
    assert list(found) == ["a", "b", "c"]
    same(found, {"a": m.T, "b": m, "c": m.T})


def test_an_unregistered_dataclass_leads_to_registration():
    import dataclasses

    @dataclasses.dataclass
    class Plain:
        x: Any

    with pytest.raises(
        errors.DifferentiableLeafError, match="Register the class as a tree, with optr"
    ):
        grad(lambda p: p.x)(Plain(1.0))


DERIVATIVES = {
    "grad": lambda f, x: grad(f)(x),
    "vjp": lambda f, x: vjp(f, x)[1](np.ones_like(f(x)))[0],
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
    "hessian": lambda f, x: hessian(f)(x),
    "jit of grad": lambda f, x: jit(grad(f))(x),
}


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_have_the_dtype_of_the_argument(name, dtype):
    x = X.astype(dtype)
    f = lambda x: np.sum(x * x * 2.5 + np.float32(1.0)) / 3
    found = DERIVATIVES[name](f, x)
    assert found.dtype == dtype
    mixed = DERIVATIVES[name](lambda x: np.sum(x * x * Y), x)
    assert mixed.dtype == dtype


@pytest.mark.parametrize("transform", [grad, jacrev, jacfwd, jacobian])
def test_unused_arguments_have_zeros(transform):
    m = np.ones((2, 2), np.float32)
    found = transform(lambda x, p: np.sum(x), (0, 1))(X, {"m": m, "s": 2.0, "z": np.float32(1.0)})
    same(
        found,
        (np.ones(3), {"m": np.zeros((2, 2), np.float32), "s": np.float64(0), "z": np.float32(0)}),
    )
    _, pull = vjp(lambda x, p: np.sum(x), X, {"m": m})
    same(pull(1.0), (np.ones(3), {"m": np.zeros((2, 2), np.float32)}))
    same(jvp(lambda x: (x, Y), (X,), (X,))[1], (X, np.zeros(3)))
    second = hessian(lambda x, y: np.sum(x**2), (0, 1))(X, Y)
    same(second[1], (np.zeros((3, 3)), np.zeros((3, 3))))


def test_keywords_are_not_differentiated_and_not_mapped():
    f = lambda x, *, scale, how="sum": np.sum(x * scale) if how == "sum" else np.prod(x)
    same(grad(f)(X, scale=Y), Y)
    same(grad(f)(X, scale=2, how="sum"), np.full(3, 2.0))
    same(grad(f)(X, scale=None, how="product"), np.array([6.0, 3.0, 2.0]))
    same(vmap(lambda x, k: x + np.sum(k))(X, k=Y), X + np.sum(Y))
    same(jacrev(lambda x, k: x * k)(X, k=Y), np.diag(Y))
    same(hessian(lambda x, k: np.sum(x**2 * k))(X, k=Y), np.diag(2 * Y))
    same(jit(grad(f))(X, scale=Y), Y)


def test_other_arguments_may_be_anything():
    f = lambda x, how, table, n: np.sum(x**n) * table["k"][0] if how.upper() == "A" else None
    same(grad(f)(X, "a", {"k": [2], "z": object()}, 2), 4 * X)
    same(jacfwd(f)(X, "a", {"k": [2], "z": {1, 2}}, 2), 4 * X)
    seen = []
    vmap(lambda x, *rest: seen.append(rest) or x, (0, None, None, None))(X, "text", None, {1})
    assert seen == [("text", None, {1})]


@pytest.mark.parametrize("x", [2.0, np.float64(2.0), np.array(2.0), np.array([2.0])], ids=repr)
@pytest.mark.parametrize(
    "transform", [jit, lambda f: jit(jit(f)), lambda f: lambda x: vjp(f, x)[0]],
    ids=["jit", "jit of jit", "vjp"],
)  # fmt: skip
def test_results_have_the_types_that_the_function_has(x, transform):
    """``jit(f)(x)`` is ``f(x)`` in type; Python floats come back as NumPy's."""
    functions = {
        "sum": np.sum, "sin": np.sin, "copy": np.copy, "[...]": lambda x: np.multiply(x, 1.0)[...],
        "power": lambda x: x**2, "where": lambda x: np.where(x > 1, x, 0.0), "neg": lambda x: -x,
        "reshape": lambda x: np.reshape(x, (-1,)), "mean": np.mean, "max": np.max,
        "mixed": lambda x: x * np.float32(1.0), "abs": abs,
    }  # fmt: skip
    for name, f in functions.items():
        expected, found = f(x), transform(f)(x)
        expected = np.float64(expected) if type(expected) is float else expected
        assert type(found) is type(expected), name
        same(found, expected)


def test_promotion_is_numpys():
    singles, ints = X.astype("f4"), np.arange(3, dtype="i4")
    pairs = [
        (np.float32(2), 3.0),
        (np.float32(2), np.float64(3)),
        (singles, 2),
        (X, np.int64(3)),
        (ints, 2.5),
        (singles, Y),
        (singles, np.arange(3)),
    ]
    for x, y in pairs:
        same(jit(np.add)(x, y), np.add(x, y))
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            same(vmap(np.add)(x, y), np.add(x, y))
            same(vmap(lambda a, y=y: a * y[0])(x), x * y[0])


OWNED = {
    "grad": lambda x: grad(lambda v: np.sum(v * 2))(x),
    "grad of all": lambda x: grad(lambda v: np.sum(v))(x),
    "grad_and_value": lambda x: grad_and_value(lambda v: (np.sum(v), v), has_aux=True)(x)[1][1],
    "vjp": lambda x: vjp(lambda v: v, x)[0],
    "vjp_fn": lambda x: vjp(lambda v: v, x)[1](x)[0],
    "vjp_fn of a view": lambda x: vjp(lambda v: v[::-1], x)[1](x)[0],
    "jvp": lambda x: jvp(lambda v: v, (x,), (x,))[1],
    "jvp value": lambda x: jvp(lambda v: v.reshape(3, 1), (x,), (x,))[0],
    "linearize": lambda x: linearize(lambda v: v, x)[1](x),
    "jacrev": lambda x: jacrev(lambda v: v)(x),
    "jacfwd": lambda x: jacfwd(lambda v: v)(x),
    "jacfwd aux": lambda x: jacfwd(lambda v: (v, x), has_aux=True)(x)[1],
    "hessian": lambda x: hessian(lambda v: np.sum(v**2))(x),
    "vmap": lambda x: vmap(lambda v: v)(x),
    "vmap unmapped": lambda x: vmap(lambda v, w: w, (0, None), None)(x, x),
    "vmap captured": lambda x: vmap(lambda v: x, out_dims=None)(x),
    "vmap transposed": lambda x: vmap(lambda v: v, 0, 1)(np.stack([x, x])),
    "chunks": lambda x: vmap(lambda v: v, chunk_size=2)(x),
    "jit": lambda x: jit(lambda v: v)(x),
    "jit of a capture": lambda x: jit(lambda v: x)(x),
}


@pytest.mark.parametrize("name", OWNED)
def test_results_own_their_memory(name):
    x = X.copy()
    out = OWNED[name](x)
    assert isinstance(out, np.ndarray)
    assert out.flags.owndata
    assert out.flags.writeable
    assert not np.shares_memory(out, x)
    out[...] = 7.0
    np.testing.assert_array_equal(x, X)


def test_aux_may_be_anything():
    marker, numbers = object(), np.arange(3)
    aux = {"n": 1, "s": "text", "none": None, "object": marker, "set": {1}, "ints": numbers,
           "f": len, "c": 2j}  # fmt: skip
    f = lambda x: (np.sum(x), {**aux, "x": x * 2})
    for found in (
        grad(f, has_aux=True)(X)[1],
        grad_and_value(f, has_aux=True)(X)[1][1],
        value_and_grad(f, has_aux=True)(X)[0][1],
        vjp(f, X, has_aux=True)[2],
        jvp(f, (X,), (X,), has_aux=True)[2],
        jacrev(f, has_aux=True)(X)[1],
        jacfwd(f, has_aux=True)(X)[1],
        jacobian(f, has_aux=True)(X)[1],
        hessian(f, has_aux=True)(X)[1],
    ):
        assert list(found) == [*aux, "x"]
        assert found["object"] is marker
        assert found["ints"] is not numbers
        same(found["x"], 2 * X)
        assert (found["n"], found["s"], found["none"], found["c"]) == (1, "text", None, 2j)


ARGNUMS = {
    "int": (1, lambda x, y: 2 * x * y),
    "negative": (-1, lambda x, y: 2 * x * y),
    "NumPy's": (np.int32(1), lambda x, y: 2 * x * y),
    "tuple of one": ((0,), lambda x, y: (y**2,)),
    "tuple": ((0, 1), lambda x, y: (y**2, 2 * x * y)),
    "reversed": ((1, 0), lambda x, y: (2 * x * y, y**2)),
    "list": ([-1, 0], lambda x, y: (2 * x * y, y**2)),
}


@pytest.mark.parametrize("name", ARGNUMS)
@pytest.mark.parametrize(
    "transform",
    [grad, jacrev, jacfwd, jacobian, lambda f, n: lambda *a: grad_and_value(f, n)(*a)[0]],
)
def test_argnums(name, transform):
    argnums, slope = ARGNUMS[name]
    same(transform(lambda x, y: x * y**2, argnums)(2.0, 3.0), tree_of_floats(slope(2.0, 3.0)))


def tree_of_floats(x):
    return tuple(map(np.float64, x)) if isinstance(x, tuple) else np.float64(x)


def test_argnums_of_hessian():
    f = lambda x, y, z: x * y**2 * z**3
    first, second = hessian(f, (2, 0))(2.0, 3.0, 5.0)
    same(first, (np.float64(2 * 9 * 6 * 5), np.float64(9 * 3 * 25)))
    same(second, (np.float64(9 * 3 * 25), np.float64(0)))
    same(hessian(f, -1)(2.0, 3.0, 5.0), np.float64(2 * 9 * 6 * 5))
    same(hessian(f, (1,))(2.0, 3.0, 5.0), ((np.float64(2 * 2 * 125),),))


def test_axis_size_and_chunk_size_of_numpys_ints():
    same(vmap(lambda: 2.0, axis_size=np.int64(2))(), np.array([2.0, 2.0]))
    same(vmap(np.sin, chunk_size=np.int64(2))(X), np.sin(X))
    same(partial(jacrev, chunk_size=np.int64(2))(np.sin)(X), np.diag(np.cos(X)))
