"""Cases of grad and its kin, vjp, jvp, linearize, the matrices of derivatives."""

from __future__ import annotations

from tests.tracer.contract.outcome import Case, case

V, W = [0.5, -1.5, 2.0], [3.0, 0.25, -1.0]
M = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]

LISTS = "argnums may be a list"
BOOLS = "a bool is no argnum"
SORTED = "JAX sorts the keys of a dict"
AUX = "aux may be anything"


def product(x, y):
    return (x * y * y).sum()


def powers(t, n):
    """The nth derivative of x**5 at 2."""
    f = lambda x: x**5
    for _ in range(n):
        f = t.grad(f)
    return f(t.array(2.0))


def layers(t):
    def loss(x, w, b):
        return (t.np.tanh(x @ w + b) ** 2).sum()

    return loss, t.array(M), t.array([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]]), t.array([0.5, -0.5])


def pulled_in_grad(t):
    _, pull = t.vjp(t.np.sin, t.array(V))
    return t.grad(lambda c: (pull(c)[0] ** 2).sum())(t.array(W))


GRADIENTS = {
    "sin": case(lambda t: t.grad(t.np.sin)(t.array(0.5))),
    "sum of squares": case(lambda t: t.grad(lambda x: (x**2).sum())(t.array(V))),
    "float32": case(lambda t: t.grad(lambda x: (x**2).sum())(t.array(V, "float32"))),
    "float32 with Python numbers": case(
        lambda t: t.grad(lambda x: (2.5 * x + 1).sum() / 3)(t.array(V, "float32"))
    ),
    "float32 beside float64": case(
        lambda t: t.grad(lambda x: (x * t.array(W)).sum())(t.array(V, "float32")),
        autograd="a gradient has the dtype of its argument",
    ),
    "matrix": case(lambda t: t.grad(lambda x: (t.np.exp(x) @ t.array(V)).sum())(t.array(M))),
    "layers": case(lambda t: t.grad(layers(t)[0], (1, 2))(*layers(t)[1:])),
    "of nothing": case(lambda t: t.grad(lambda x: x.sum())(t.array([]))),
    "unused argument": case(lambda t: t.grad(lambda x, y: x.sum(), 1)(t.array(V), t.array(M))),
    "unused among used": case(
        lambda t: t.grad(lambda x, y: x.sum(), (0, 1))(t.array(V), t.array(M, "float32"))
    ),
    "constant function": case(lambda t: t.grad(lambda x: t.array(3.0))(t.array(V))),
    "given back": case(lambda t: t.grad(lambda x: x)(t.array(3.0))),
    "second derivative": case(lambda t: powers(t, 2)),
    "third derivative": case(lambda t: powers(t, 3)),
    "sixth derivative": case(lambda t: powers(t, 6)),
    "keyword": case(lambda t: t.grad(lambda x, k: (x * k).sum())(t.array(V), k=t.array(W))),
    "keyword with another dtype": case(
        lambda t: t.grad(lambda x, k: (x * k).sum())(t.array(V), k=t.array([1, 2, 3], "int64"))
    ),
    "keyword of text": case(
        lambda t: t.grad(lambda x, mode: x.sum() if mode == "a" else x.prod())(t.array(V), mode="b")
    ),
    "integer argument left out": case(lambda t: t.grad(lambda x, n: (x**n).sum())(t.array(V), 3)),
    "argument of objects left out": case(
        lambda t: t.grad(lambda x, how: (x * len(how)).sum())(t.array(V), ("a", None))
    ),
    "branch": case(lambda t: t.grad(lambda x: x * 2 if x > 0 else x * 3)(t.array(-1.0))),
    "loop until": case(
        lambda t: t.grad(lambda x: [x := x * x for _ in range(5) if x < 50][-1])(t.array(1.5)),
    ),
    "item of a constant": case(
        lambda t: t.grad(lambda x, n: x ** n.item())(t.array(2.0), t.array(3))
    ),
    "grad_and_value": case(lambda t: t.grad_and_value(lambda x: (x**2).sum())(t.array(V))),
    "grad_and_value argnums": case(
        lambda t: t.grad_and_value(product, (1, 0))(t.array(V), t.array(W))
    ),
    "grad_and_value aux": case(
        lambda t: t.grad_and_value(lambda x: ((x**2).sum(), x * 2), has_aux=True)(t.array(V))
    ),
    "value_and_grad": case(lambda t: t.value_and_grad(lambda x: (x**2).sum())(t.array(V))),
    "value_and_grad argnums": case(
        lambda t: t.value_and_grad(product, (1, 0))(t.array(V), t.array(W))
    ),
    "value_and_grad aux": case(
        lambda t: t.value_and_grad(lambda x: ((x**2).sum(), x * 2), has_aux=True)(t.array(V))
    ),
    "aux": case(lambda t: t.grad(lambda x: (x.sum(), x * 2), has_aux=True)(t.array(V))),
    "aux tree": case(
        lambda t: t.grad(lambda x: (x.sum(), {"b": [x], "a": (x, x)}), has_aux=True)(t.array(V)),
        jax=SORTED,
    ),
    "aux of integers": case(lambda t: t.grad(lambda x: (x.sum(), x > 0), has_aux=True)(t.array(V))),
    "aux of anything": case(
        lambda t: t.grad(lambda x: (x.sum(), (1, "text", None)), has_aux=True)(t.array(V)),
        torch=AUX,
    ),
    "aux with argnums": case(
        lambda t: t.grad(lambda x, y: (product(x, y), y), (0, 1), has_aux=True)(
            t.array(V), t.array(W)
        )
    ),
    "aux of grad of grad": case(
        lambda t: t.grad(lambda x: t.grad(lambda y: (y**3, y * 2), has_aux=True)(x), has_aux=True)(
            t.array(2.0)
        )
    ),
}

ARGNUMS = {
    "argnums 1": case(lambda t: t.grad(product, 1)(t.array(V), t.array(W))),
    "argnums -1": case(
        lambda t: t.grad(product, -1)(t.array(V), t.array(W)),
    ),
    "argnums (0,)": case(lambda t: t.grad(product, (0,))(t.array(V), t.array(W))),
    "argnums (1, 0)": case(lambda t: t.grad(product, (1, 0))(t.array(V), t.array(W))),
    "argnums (-1, 0)": case(
        lambda t: t.grad(product, (-1, 0))(t.array(V), t.array(W)),
    ),
    "argnums list": case(lambda t: t.grad(product, [0, 1])(t.array(V), t.array(W)), torch=LISTS),
    "argnums True": case(
        lambda t: t.grad(product, True)(t.array(V), t.array(W)),
        torch=BOOLS,
        jax=BOOLS,
        autograd=BOOLS,
    ),
}

VECTOR = {
    "vjp": case(lambda t: t.vjp(t.np.sin, t.array(V))[1](t.array(W))),
    "vjp output": case(lambda t: t.vjp(t.np.sin, t.array(V))[0]),
    "vjp of two": case(
        lambda t: t.vjp(lambda x, y: x * y, t.array(V), t.array(W))[1](t.array([1.0, 0.0, 2.0]))
    ),
    "vjp called twice": case(
        lambda t: [pull(t.array(c)) for pull in [t.vjp(t.np.exp, t.array(V))[1]] for c in (V, W)]
    ),
    "vjp aux": case(
        lambda t: [
            (out, pull(t.array(W)), aux)
            for out, pull, aux in [
                t.vjp(lambda x: (t.np.sin(x), {"n": x * 2}), t.array(V), has_aux=True)
            ]
        ]
    ),
    "vjp of a tree": case(
        lambda t: t.vjp(
            lambda d: {"c": d["a"] * d["b"][0], "a": d["a"]}, {"a": t.array(V), "b": (t.array(W),)}
        )[1]({"c": t.array(V), "a": t.array(W)})
    ),
    "vjp unused": case(lambda t: t.vjp(lambda x, y: x * 2, t.array(V), t.array(M))[1](t.array(V))),
    "vjp constant": case(
        lambda t: t.vjp(lambda x: t.array(W), t.array(V))[1](t.array(V)),
    ),
    "vjp scalar": case(lambda t: t.vjp(lambda x: x**2, t.array(3.0))[1](t.array(1.0))),
    "vjp float32": case(lambda t: t.vjp(t.np.sin, t.array(V, "float32"))[1](t.array(W, "float32"))),
    "grad of vjp": case(
        lambda t: t.grad(lambda x: t.vjp(lambda y: y**3, x)[1](t.array(1.0))[0])(t.array(2.0))
    ),
    "vjp_fn in grad": case(pulled_in_grad),
    "jvp": case(lambda t: t.jvp(t.np.sin, (t.array(V),), (t.array(W),))),
    "jvp of two": case(
        lambda t: t.jvp(lambda x, y: x * y, (t.array(V), t.array(W)), (t.array(W), t.array(V)))
    ),
    "jvp of a tree": case(
        lambda t: t.jvp(
            lambda d: (d["a"] ** 2, [d["b"] * 3]),
            ({"a": t.array(V), "b": t.array(2.0)},),
            ({"a": t.array(W), "b": t.array(1.0)},),
        )
    ),
    "jvp aux": case(
        lambda t: t.jvp(
            lambda x: (t.np.sin(x), {"n": x * 2}), (t.array(V),), (t.array(W),), has_aux=True
        )
    ),
    "jvp constant": case(
        lambda t: t.jvp(lambda x: t.array(W), (t.array(V),), (t.array(V),)),
    ),
    "jvp strict": case(lambda t: t.jvp(t.np.sin, (t.array(V),), (t.array(W),), strict=True)),
    "jvp strict constant": case(
        lambda t: t.jvp(lambda x: t.array(W), (t.array(V),), (t.array(V),), strict=True)
    ),
    "jvp float32": case(
        lambda t: t.jvp(t.np.sin, (t.array(V, "float32"),), (t.array(W, "float32"),))
    ),
    "jvp of jvp": case(
        lambda t: t.jvp(
            lambda x: t.jvp(lambda y: y**3, (x,), (t.array(1.0),))[1],
            (t.array(2.0),),
            (t.array(1.0),),
        )
    ),
    "grad of jvp": case(
        lambda t: t.grad(lambda x: t.jvp(t.np.sin, (x,), (t.array(2.0),))[1])(t.array(0.5))
    ),
    "jvp of grad": case(
        lambda t: t.jvp(t.grad(lambda x: (x**3).sum()), (t.array(V),), (t.array(W),))
    ),
    "jvp along what the tangent depends on": case(
        lambda t: t.grad(lambda d: t.jvp(t.np.sin, (t.array(0.5),), (d,))[1] * d)(t.array(2.0))
    ),
    "linearize": case(lambda t: t.linearize(t.np.sin, t.array(V))[1](t.array(W))),
    "linearize output": case(lambda t: t.linearize(t.np.sin, t.array(V))[0]),
    "linearize of two": case(
        lambda t: t.linearize(lambda x, y: (x * y, x), t.array(V), t.array(W))[1](
            t.array(W), t.array(V)
        )
    ),
    "linearize called twice": case(
        lambda t: [
            push(t.array(d))
            for push in [t.linearize(lambda x: x**2, t.array(V))[1]]
            for d in (V, W)
        ]
    ),
    "grad through linearize": case(
        lambda t: t.grad(lambda x: t.linearize(lambda y: y**3, x)[1](t.array(1.0)))(t.array(2.0)),
        torch="the derivative of a linearization; torch returns uninitialised memory",
    ),
    "hvp": case(lambda t: t.hvp(lambda x: (x**3).sum(), (t.array(V),), (t.array(W),))),
}


def matrices(name: str) -> dict[str, Case]:
    """The same cases of jacrev, jacfwd and jacobian."""
    of = lambda t: getattr(t, name)
    return {
        f"{name} of a vector": case(lambda t: of(t)(lambda x: x**2)(t.array(V))),
        f"{name} of a number": case(lambda t: of(t)(t.np.sin)(t.array(0.5))),
        f"{name} of a sum": case(lambda t: of(t)(lambda x: x.sum())(t.array(V))),
        f"{name} of a matrix": case(lambda t: of(t)(lambda x: x.T @ x)(t.array(M))),
        f"{name} of float32": case(lambda t: of(t)(t.np.sin)(t.array(V, "float32"))),
        f"{name} argnums 1": case(lambda t: of(t)(lambda x, y: x * y, 1)(t.array(V), t.array(W))),
        f"{name} argnums (1, 0)": case(
            lambda t: of(t)(lambda x, y: x * y, (1, 0))(t.array(V), t.array(W))
        ),
        f"{name} argnums (0,)": case(lambda t: of(t)(lambda x: x * 2, (0,))(t.array(V))),
        f"{name} of a dict": case(
            lambda t: of(t)(lambda d: d["a"] * d["b"])({"a": t.array(V), "b": t.array(2.0)})
        ),
        f"{name} to a tree": case(
            lambda t: of(t)(lambda x: {"a": x.sum(), "b": (x, [x[0]])})(t.array(V)),
            autograd="autograd has matrices of arrays alone",
        ),
        f"{name} from trees to trees": case(
            lambda t: of(t)(lambda d, y: {"c": d["a"] * y, "d": y}, (0, 1))(
                {"a": t.array(V)}, t.array(W)
            )
        ),
        f"{name} aux": case(
            lambda t: of(t)(lambda x: (x**2, {"n": x[0]}), has_aux=True)(t.array(V))
        ),
        f"{name} keyword": case(lambda t: of(t)(lambda x, k: x * k)(t.array(V), k=t.array(W))),
        f"{name} unused": case(lambda t: of(t)(lambda x, y: x * 2, (0, 1))(t.array(V), t.array(W))),
        f"{name} of a constant": case(
            lambda t: of(t)(lambda x: t.array(W))(t.array(V)),
        ),
        f"{name} of nothing": case(lambda t: of(t)(lambda x: x * 2)(t.array([]))),
        f"{name} chunk_size 1": case(lambda t: of(t)(lambda x: x.T @ x, chunk_size=1)(t.array(M))),
        f"{name} chunk_size 2": case(
            lambda t: of(t)(lambda x, y: (x * y, x.sum()), (0, 1), chunk_size=2)(
                t.array(V), t.array(W)
            )
        ),
        f"{name} chunk_size 100": case(
            lambda t: of(t)(lambda x: x.T @ x, chunk_size=100)(t.array(M))
        ),
        f"{name} in grad": case(
            lambda t: t.grad(lambda x: (of(t)(t.np.sin)(x) ** 2).sum())(t.array(V))
        ),
        f"{name} of {name}": case(lambda t: of(t)(of(t)(lambda x: x**3))(t.array(V))),
    }


MATRICES = {
    **matrices("jacrev"),
    **matrices("jacfwd"),
    **matrices("jacobian"),
    "jacrev, float32 beside float64": case(
        lambda t: t.jacrev(lambda x: x * t.array(W))(t.array(V, "float32")),
        autograd="a block has the dtype of the argument",
    ),
    "jacfwd, float32 beside float64": case(
        lambda t: t.jacfwd(lambda x: x * t.array(W))(t.array(V, "float32")),
        torch="a block has the dtype of the argument in forward mode too",
        jax="a block has the dtype of the argument in forward mode too",
    ),
    "jacfwd of jacrev": case(lambda t: t.jacfwd(t.jacrev(lambda x: (x**3).sum()))(t.array(V))),
    "jacrev of jacfwd": case(lambda t: t.jacrev(t.jacfwd(lambda x: (x**3).sum()))(t.array(V))),
    "jacfwd randomness": case(
        lambda t: t.jacfwd(lambda x: x**2, 0, False, randomness="same")(t.array(V))
    ),
    "hessian": case(lambda t: t.hessian(lambda x: (x**3).sum() * x[0])(t.array(V))),
    "hessian of a number": case(lambda t: t.hessian(lambda x: x**3)(t.array(2.0))),
    "hessian of a vector": case(lambda t: t.hessian(lambda x: x**3)(t.array(V))),
    "hessian argnums": case(lambda t: t.hessian(product, (0, 1))(t.array(V), t.array(W))),
    "hessian argnums (1,)": case(lambda t: t.hessian(product, (1,))(t.array(V), t.array(W))),
    "hessian argnums -1": case(
        lambda t: t.hessian(product, -1)(t.array(V), t.array(W)),
        torch="a negative argnum wraps; torch's hessian takes it for another argument twice",
    ),
    "hessian of a dict": case(
        lambda t: t.hessian(lambda d: (d["a"] * d["b"] ** 2).sum())(
            {"a": t.array(V), "b": t.array(2.0)}
        )
    ),
    "hessian of a matrix": case(lambda t: t.hessian(lambda x: (x @ x.T).sum())(t.array(M))),
    "hessian aux": case(
        lambda t: t.hessian(lambda x: ((x**3).sum(), x * 2), has_aux=True)(t.array(V))
    ),
    "hessian chunk_size": case(
        lambda t: t.hessian(lambda x: (x**3).sum(), chunk_size=2)(t.array(V))
    ),
    "hessian float32": case(lambda t: t.hessian(lambda x: (x**3).sum())(t.array(V, "float32"))),
}

CASES = GRADIENTS | ARGNUMS | VECTOR | MATRICES
