"""functional_call and its kin: objects as functions of the arrays that they hold."""

from __future__ import annotations

import threading
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

from tracer import (
    errors,
    functional_call,
    grad,
    hessian,
    jit,
    module_state,
    stack_module_state,
    tree_stack,
    vmap,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=3)


class Linear:
    def __init__(self, inner, outer, rng=RNG):
        self.weight = rng.normal(size=(outer, inner))
        self.bias = rng.normal(size=outer)

    def __call__(self, x):
        return self.weight @ x + self.bias


class Perceptron:
    """Modules in a list, a tuple and a dict; a buffer, and what is neither."""

    def __init__(self, rng=RNG):
        self.name, self.width = "mlp", 4
        self.layers = [Linear(3, 4, rng), Linear(4, 4, rng)]
        self.heads = (Linear(4, 2, rng),)
        self.scales = {"out": np.array(2.0)}
        self.steps = np.array(0)
        self.parent = self

    def __call__(self, x, gain=1.0):
        for layer in self.layers:
            x = np.tanh(layer(x))
        return gain * self.scales["out"] * self.heads[0](x)

    def loss(self, x):
        return np.sum(self(x) ** 2)


NAMES = [
    "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "heads.0.weight",
    "heads.0.bias", "scales.out",
]  # fmt: skip


def test_names_are_dotted_paths():
    params, buffers = module_state(Perceptron())
    assert list(params) == NAMES
    assert list(buffers) == ["steps"]


def test_its_own_parameters_change_nothing():
    model = Perceptron()
    params, buffers = module_state(model)
    np.testing.assert_array_equal(functional_call(model, params, (X,)), model(X))
    np.testing.assert_array_equal(functional_call(model, [params, buffers], X), model(X))
    np.testing.assert_array_equal(functional_call(model, {}, X, {"gain": 2.0}), model(X, gain=2.0))


def written(params, x):
    for n in (0, 1):
        x = np.tanh(params[f"layers.{n}.weight"] @ x + params[f"layers.{n}.bias"])
    out = params["scales.out"] * (params["heads.0.weight"] @ x + params["heads.0.bias"])
    return np.sum(out**2)


@pytest.mark.parametrize("how", [lambda f: f, jit], ids=["un-jitted", "jitted"])
def test_gradients_are_those_of_the_function_written_out(how):
    model = Perceptron()
    params, _ = module_state(model)
    loss = lambda p, x: functional_call(model.loss, p, (x,))
    for p in (params, {k: v + 0.1 for k, v in params.items()}):
        found, want = how(grad(loss))(p, X), grad(written)(p, X)
        assert list(found) == NAMES
        for name in NAMES:
            np.testing.assert_allclose(found[name], want[name], rtol=1e-12, atol=1e-14)
    batch = RNG.normal(size=(5, 3))
    each = how(vmap(grad(loss), (None, 0)))(params, batch)
    assert each["layers.0.weight"].shape == (5, 4, 3)
    curve = how(hessian(lambda b: loss({**params, "heads.0.bias": b}, X)))(params["heads.0.bias"])
    np.testing.assert_allclose(curve, 8 * np.eye(2), atol=1e-12)


def arrays(model):
    return [id(x) for x in (*module_state(model)[0].values(), *module_state(model)[1].values())]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_the_module_has_its_own_arrays_back(error):
    model = Perceptron()
    before, heads = arrays(model), model.heads
    params, _ = module_state(model)
    other = {k: v * 2 for k, v in params.items()}
    grad(lambda p: functional_call(model.loss, p, X))(other)
    assert arrays(model) == before and model.heads is heads

    class Failing(Perceptron):
        def __call__(self, x):
            raise error

    model = Failing()
    before = arrays(model)
    with pytest.raises(error):
        functional_call(model, other, X)
    assert arrays(model) == before


def test_one_array_in_several_places():
    class Tied:
        def __init__(self):
            self.encoder = Linear(3, 3)
            self.decoder = Linear(3, 3)
            self.decoder.weight = self.encoder.weight

        def __call__(self, x):
            return np.sum(self.decoder(self.encoder(x)))

    model = Tied()
    params, _ = module_state(model)
    assert list(params) == ["encoder.weight", "encoder.bias", "decoder.bias"]
    w, b, c = params.values()
    found = grad(lambda p: functional_call(model, p, X))(params)
    want = grad(lambda w: np.sum(w @ (w @ X + b) + c))(w)
    np.testing.assert_allclose(found["encoder.weight"], want, rtol=1e-13)
    assert model.decoder.weight is model.encoder.weight is w


Pair = namedtuple("Pair", "a b")


@dataclass(frozen=True)
class Frozen:
    w: np.ndarray
    pair: Pair

    def __call__(self, x):
        return self.w * x + self.pair.a - self.pair.b


class Slotted:
    __slots__ = ("missing", "w")

    def __init__(self):
        self.w = np.array(3.0)

    def __call__(self, x):
        return self.w * x


def test_frozen_dataclasses_named_tuples_and_slots():
    model = Frozen(np.array(2.0), Pair(np.array(5.0), np.array(1.0)))
    new = {"w": np.array(3.0), "pair.0": np.array(10.0), "pair.1": np.array(20.0)}
    assert functional_call(model, new, 2.0) == 6 + 10 - 20
    assert model(2.0) == 8
    assert grad(lambda p: functional_call(model, p, 2.0))(new) == {
        "w": 2,
        "pair.0": 1,
        "pair.1": -1,
    }
    assert grad(lambda p: functional_call(Slotted(), p, 2.0))({"w": np.array(1.0)}) == {"w": 2.0}


def test_nested_calls():
    model = Linear(3, 3)
    one, two = ({"weight": np.eye(3) * n} for n in (1.0, 10.0))

    class Outer:
        inner = None

        def __init__(self):
            self.scale = np.array(2.0)

        def __call__(self, x):
            first = functional_call(model, two, x)
            return self.scale * first + model(x)

    outer = Outer()
    outer.inner = model
    found = functional_call(outer, {"inner.weight": one["weight"]}, X)
    np.testing.assert_allclose(found, 2 * (10 * X + model.bias) + X + model.bias)


def test_ensembles():
    models = [Perceptron(np.random.default_rng(n)) for n in range(4)]
    params, buffers = stack_module_state(models)
    assert params["layers.0.weight"].shape == (4, 4, 3)
    assert buffers["steps"].shape == (4,)
    run = vmap(lambda p, x: functional_call(models[0], p, x), (0, None))
    want = np.stack([model(X) for model in models])
    for f in (run, jit(run)):
        np.testing.assert_allclose(f(params, X), want, rtol=1e-13)
    slopes = jit(vmap(grad(lambda p, x: functional_call(models[0].loss, p, x)), (0, None)))
    for n, model in enumerate(models):
        one = grad(lambda p, model=model: functional_call(model.loss, p, X))(module_state(model)[0])
        for name, slope in slopes(params, X).items():
            np.testing.assert_allclose(slope[n], one[name], rtol=1e-12, atol=1e-14)


def test_tree_stack():
    trees = [{"a": (np.full(2, n), float(n)), "b": [np.int64(n)]} for n in range(3)]
    made = tree_stack(trees)
    np.testing.assert_array_equal(made["a"][0], [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(made["a"][1], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(made["b"][0], [0, 1, 2])
    f = lambda x, y: np.sum(tree_stack([{"x": x}, {"x": y}])["x"][1])
    assert grad(f, argnums=1)(X, X).tolist() == [1.0, 1.0, 1.0]


def test_threads_take_turns():
    model = Linear(3, 3)
    wrong, before = [], arrays(model)

    def run(n):
        params = {"weight": np.eye(3) * n, "bias": np.zeros(3)}
        found = [functional_call(model, params, X) for _ in range(100)]
        wrong.extend(y for y in found if not np.array_equal(y, n * X))
        slope = grad(lambda p: np.sum(functional_call(model, p, X)))(params)
        if not np.allclose(slope["weight"], X):
            wrong.append(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert arrays(model) == before


MISTAKES = {
    "unexpected": (
        lambda: functional_call(Linear(3, 3), {"wieght": X}, X),
        "functional_call: error(s) in reparametrizing for Linear. Unexpected key(s): 'wieght'.",
        "Its arrays are 'weight', 'bias'.",
    ),
    "missing": (
        lambda: functional_call(Linear(3, 3), {"weight": np.eye(3)}, X, strict=True),
        "functional_call: error(s) in reparametrizing for Linear. Missing key(s): 'bias'.",
        "Its arrays are 'weight', 'bias'.",
    ),
    "both": (
        lambda: functional_call(Linear(3, 3), {"w": X, "bias": X}, X, strict=True),
        "functional_call: error(s) in reparametrizing for Linear. Unexpected key(s): 'w'."
        " Missing key(s): 'weight'.",
        "Its arrays are 'weight', 'bias'.",
    ),
    "twice": (
        lambda: functional_call(Linear(3, 3), [{"bias": X}, {"bias": X}], X),
        "functional_call: 'bias' appeared in multiple dictionaries.",
        "Name each once.",
    ),
    "no dict": (
        lambda: functional_call(Linear(3, 3), 3, X),
        "functional_call: params should be a dict or a list of dicts, got int.",
        "See module_state.",
    ),
    "a tuple": (
        lambda: functional_call((X, X), {"0": X}),
        "functional_call: the module is a tuple, whose items cannot be replaced.",
        "Pass a list.",
    ),
    "nothing to stack": (
        lambda: tree_stack([]),
        "tree_stack: there is nothing to stack.",
        "Pass one tree at least.",
    ),
    "no models": (
        lambda: stack_module_state([]),
        "stack_module_state: there is nothing to stack.",
        "Pass one tree at least.",
    ),
    "other classes": (
        lambda: stack_module_state([Linear(3, 3), Perceptron()]),
        "stack_module_state: all models should be of one class.",
        "Stack those.",
    ),
    "other shapes": (
        lambda: stack_module_state([Linear(3, 3), Linear(2, 3)]),
        "stack_module_state: leaves of shapes [(3, 2), (3, 3)] cannot be stacked.",
        "All must have the same shape.",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    call, gist, way_out = MISTAKES[name]
    for expected in (RuntimeError, AttributeError, ValueError):
        with pytest.raises(expected) as refused:
            call()
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"{__file__}:") and lines[0].endswith(f": {gist}")
    assert lines[-1] == way_out
    assert type(refused.value) is errors.ModuleError


def test_trees_of_other_structures():
    with pytest.raises(errors.ModuleError, match=r"{'a': \*} and {'b': \*} cannot be stacked"):
        tree_stack([{"a": X}, {"b": X}])
    made = tree_stack([{"a": X, "b": 1.0}, {"b": 2.0, "a": X}])
    np.testing.assert_array_equal(made["b"], [1.0, 2.0])
