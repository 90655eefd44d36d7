"""Cases of containers, nesting, no_grad and what a library shares with its caller."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

from tests.tracer.contract.outcome import Case, case

V, W = [0.5, -1.5, 2.0], [3.0, 0.25, -1.0]
Pair = namedtuple("Pair", "left right")
SORTED = "JAX sorts the keys of a dict"
DEQUES = "JAX has no deques"

CONTAINERS = {
    "tuple": lambda x, y: (x, y),
    "list": lambda x, y: [x, y],
    "dict": lambda x, y: {"left": x, "right": y},
    "dict not sorted": lambda x, y: {"right": x, "left": y},
    "dict of ints": lambda x, y: {7: x, 3: y},
    "namedtuple": Pair,
    "OrderedDict": lambda x, y: OrderedDict(right=x, left=y),
    "defaultdict": lambda x, y: defaultdict(list, right=x, left=y),
    "deque": lambda x, y: deque([x, y]),
    "deque with maxlen": lambda x, y: deque([x, y], maxlen=5),
    "nested": lambda x, y: {"a": [x, (y, {"b": x})]},
    "empty ones": lambda x, y: [x, (), {}, [], y],
}


def reduced(x):
    """Any tree of arrays to one number that tells its leaves apart."""
    if isinstance(x, dict):
        x = [x[key] for key in sorted(x, key=str)]
    if isinstance(x, tuple | list | deque):
        return sum(((n + 2) * reduced(item) for n, item in enumerate(x)), 0.0)
    return (x**2).sum()


def of_container(name: str) -> dict[str, Case]:
    make = CONTAINERS[name]
    given = lambda t: make(t.array(V), t.array(W))
    other = {}
    if name in ("dict not sorted", "dict of ints", "defaultdict"):
        other["jax"] = SORTED
    if "deque" in name:
        other["jax"] = other["autograd"] = DEQUES
    return {
        f"grad of {name}": case(lambda t: t.grad(reduced)(given(t)), **other),
        f"aux of {name}": case(
            lambda t: t.grad(lambda x: (x.sum(), make(x * 2, x[0])), has_aux=True)(t.array(V)),
            **other,
        ),
        f"vjp of {name}": case(
            lambda t: t.vjp(lambda p: p, given(t))[1](make(t.array(W), t.array(V))), **other
        ),
        f"jvp of {name}": case(
            lambda t: t.jvp(lambda p: p, (given(t),), (make(t.array(W), t.array(V)),)), **other
        ),
        f"jacrev of {name}": case(lambda t: t.jacrev(lambda p: reduced(p) * 2)(given(t)), **other),
        f"vmap of {name}": case(lambda t: t.vmap(lambda p: p)(given(t)), **other),
    }


def hidden_square(t):
    def f(x):
        with t.no_grad():
            c = x**2
        return x - c

    return f


def half_hidden(t):
    def f(x):
        with t.no_grad():
            c = x**2
        return x**2 - c

    return f


def inner_gradient(t):
    def f(x):
        with t.no_grad():
            return t.grad(lambda z: z**3)(x)

    return f


def minus_inner_value(t):
    def f(x):
        with t.no_grad():
            _, value = t.grad_and_value(lambda z: z**3)(x)
        return x**3 - value

    return f


def under_no_grad(make):
    def run(t):
        with t.no_grad():
            return make(t)

    return run


def kept_outer(t):
    keep = []

    def outer(a):
        t.grad(lambda b: keep.append(a * a) or b * 2.0)(t.array(1.0))
        return keep[-1] * a

    return t.grad(outer)(t.array(2.0))


def pulled_under_no_grad(t):
    _, pull = t.vjp(lambda x: x**2, t.array(2.0))
    with t.no_grad():
        return pull(t.array(1.0))


NO_GRAD = {
    "no_grad inside": case(lambda t: t.grad(hidden_square(t))(t.array(2.0))),
    "no_grad outside": case(under_no_grad(lambda t: t.grad(hidden_square(t))(t.array(2.0)))),
    "no_grad outside, a square": case(
        under_no_grad(lambda t: t.grad(lambda x: x**2)(t.array(2.0)))
    ),
    "no_grad outside two": case(
        under_no_grad(lambda t: t.grad(t.grad(lambda x: x**3))(t.array(2.0)))
    ),
    "no_grad hides a half": case(lambda t: t.grad(half_hidden(t))(t.array(2.0))),
    "no_grad hides from all levels": case(lambda t: t.grad(t.grad(half_hidden(t)))(t.array(2.0))),
    "no_grad around an inner grad": case(lambda t: inner_gradient(t)(t.array(2.0))),
    "no_grad around an inner grad, in grad": case(
        lambda t: t.grad(inner_gradient(t))(t.array(2.0))
    ),
    "no_grad around an inner value": case(lambda t: t.grad(minus_inner_value(t))(t.array(2.0))),
    "no_grad around vjp_fn": case(pulled_under_no_grad),
    "no_grad under jvp": case(
        lambda t: t.jvp(hidden_square(t), (t.array(2.0),), (t.array(1.0),)),
        torch="forward mode obeys no_grad as reverse mode does",
    ),
    "no_grad under jacfwd": case(
        lambda t: t.jacfwd(hidden_square(t))(t.array(2.0)),
        torch="forward mode obeys no_grad as reverse mode does",
    ),
    "no_grad under jacrev": case(lambda t: t.jacrev(hidden_square(t))(t.array(2.0))),
    "no_grad under vmap of grad": case(lambda t: t.vmap(t.grad(hidden_square(t)))(t.array(V))),
    "stop_gradient": case(lambda t: t.grad(lambda x: x * t.stop_gradient(x))(t.array(3.0))),
    "stop_gradient twice": case(
        lambda t: t.grad(t.grad(lambda x: x**2 * t.stop_gradient(x)))(t.array(3.0))
    ),
    "stop_gradient under jvp": case(
        lambda t: t.jvp(lambda x: x * t.stop_gradient(x), (t.array(3.0),), (t.array(1.0),))
    ),
}

NESTING = {
    "perturbations": case(
        lambda t: t.grad(lambda a: a * t.grad(lambda b: a + b)(t.array(1.0)))(t.array(1.0))
    ),
    "grad at an outer value": case(
        lambda t: t.grad(lambda a: t.grad(lambda b: a * b * b)(a))(t.array(3.0))
    ),
    "perturbations of jvp": case(
        lambda t: t.jvp(
            lambda a: a * t.jvp(lambda b: a + b, (t.array(1.0),), (t.array(1.0),))[1],
            (t.array(1.0),),
            (t.array(1.0),),
        )
    ),
    "jvp in grad": case(
        lambda t: t.grad(lambda a: a * t.jvp(lambda b: a * b, (t.array(2.0),), (t.array(1.0),))[1])(
            t.array(3.0)
        )
    ),
    "grad in jvp": case(
        lambda t: t.jvp(
            lambda a: a * t.grad(lambda b: a * b * b)(t.array(2.0)),
            (t.array(3.0),),
            (t.array(1.0),),
        )
    ),
    "outer arithmetic in an inner function": case(kept_outer),
    "an inner gradient of an outer constant": case(
        lambda t: t.grad(lambda a: t.grad(lambda b: a * a)(t.array(1.0)) + a)(t.array(3.0))
    ),
    "checkpoint": case(
        lambda t: t.grad(lambda x: t.checkpoint(lambda y: t.np.sin(y).sum())(x))(t.array(V)),
        torch="checkpoint works under grad",
    ),
    "three levels": case(
        lambda t: t.grad(lambda a: t.grad(lambda b: t.grad(lambda c: a * b**2 * c**3)(b))(a))(
            t.array(1.5)
        )
    ),
}

MEMORY = {
    "grad leaves its argument alone": case(
        lambda t: [(t.grad(lambda y: (y * y).sum())(x), x) for x in [t.array(V)]]
    ),
    "a gradient is not the argument": case(
        lambda t: t.vjp(lambda x: x, t.array(V))[1](t.array(W))[0] is t.array(W)
    ),
}

ORDER = "the keys of dicts match in any order"
KEYS = {
    "cotangents, keys in another order": case(
        lambda t: t.vjp(lambda x: {"a": x, "b": x * 2}, t.array(V))[1](
            {"b": t.array(V), "a": t.array(W)}
        ),
        torch=ORDER,
        autograd="autograd does not follow arrays through dicts",
    ),
    "tangents, keys in another order": case(
        lambda t: t.jvp(
            lambda d: d["a"] * d["b"],
            ({"a": t.array(V), "b": t.array(W)},),
            ({"b": t.array(V), "a": t.array(W)},),
        ),
        torch=ORDER,
    ),
    "in_dims, keys in another order": case(
        lambda t: t.vmap(lambda d: d["a"] * d["b"].sum(), ({"b": None, "a": 0},))(
            {"a": t.array(V), "b": t.array(W)}
        ),
        torch="keys of in_dims and out_dims are matched by name; torch matches them by place",
    ),
    "out_dims, keys in another order": case(
        lambda t: t.vmap(lambda x: {"a": x, "b": x.sum()}, out_dims={"b": 0, "a": 1})(
            t.array([V, W])
        ),
        torch="keys of in_dims and out_dims are matched by name; torch matches them by place",
    ),
    "in_dims, a dict for an OrderedDict": case(
        lambda t: t.vmap(lambda d: d["a"] * 2, ({"a": 0},))(OrderedDict(a=t.array(V))),
        jax="a dict in in_dims stands for every kind of dict, as in torch",
    ),
}

CASES = {
    **{key: found for name in CONTAINERS for key, found in of_container(name).items()},
    **KEYS,
    **NO_GRAD,
    **NESTING,
    **MEMORY,
}
