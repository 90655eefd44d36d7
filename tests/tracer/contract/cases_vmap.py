"""Cases of vmap: dims in all forms, sizes, chunks, nesting."""

from __future__ import annotations

from tests.tracer.contract.outcome import case

V, W = [0.5, -1.5, 2.0], [3.0, 0.25, -1.0]
M = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]
LISTS = "in_dims may be a list"
NUMBERS = "a function may return a Python number"
CHUNKS = "chunks go with out_dims=None"
EMPTY = "a batch may be empty"

multiply = lambda x, y: x * y

IN = {
    "vmap": case(lambda t: t.vmap(t.np.sin)(t.array(V))),
    "vmap of two": case(lambda t: t.vmap(multiply)(t.array(V), t.array(W))),
    "vmap in_dims 1": case(lambda t: t.vmap(lambda x: x.sum(), 1)(t.array(M))),
    "vmap in_dims -1": case(lambda t: t.vmap(lambda x: x * 2, -1)(t.array(M))),
    "vmap in_dims (0, None)": case(lambda t: t.vmap(multiply, (0, None))(t.array(M), t.array(V))),
    "vmap in_dims (None, 1)": case(
        lambda t: t.vmap(multiply, (None, 1))(t.array([2.0, 3.0]), t.array(M))
    ),
    "vmap in_dims (1, -1)": case(lambda t: t.vmap(multiply, (1, -1))(t.array(M), t.array(M))),
    "vmap in_dims list": case(
        lambda t: t.vmap(multiply, [0, None])(t.array(M), t.array(V)), torch=LISTS
    ),
    "vmap in_dims of a dict": case(
        lambda t: t.vmap(lambda d: d["a"] * d["b"], ({"a": 0, "b": None},))(
            {"a": t.array(M), "b": t.array(V)}
        )
    ),
    "vmap in_dims prefix": case(
        lambda t: t.vmap(lambda d, y: d["a"] * d["b"][0] + y, (1, None))(
            {"a": t.array(M), "b": [t.array(M)]}, t.array(2.0)
        )
    ),
    "vmap in_dims nested": case(
        lambda t: t.vmap(lambda p: p[0] * p[1][0] + p[1][1], ((0, (None, 1)),))(
            (t.array(V), (t.array(2.0), t.array([W, V])[:, :]))
        )
    ),
    "vmap in_dims (0,) of a tuple": case(
        lambda t: t.vmap(lambda p: p[0] + p[1], (0,))((t.array(V), t.array(W)))
    ),
    "vmap of a number": case(
        lambda t: t.vmap(lambda x, s: x * s, (0, None))(t.array(V), 2.0),
    ),
    "vmap of text": case(
        lambda t: t.vmap(lambda x, how: x * len(how), (0, None))(t.array(V), "ab")
    ),
    "vmap keyword": case(
        lambda t: t.vmap(lambda x, k=None: x + k.sum())(t.array(V), k=t.array(W)),
        jax="keywords are not mapped; JAX maps them",
    ),
    "vmap of integers": case(lambda t: t.vmap(lambda n: n * 2)(t.array([1, 2], "int64"))),
    "vmap of float32": case(lambda t: t.vmap(lambda x: x * 2.5)(t.array(V, "float32"))),
    "vmap of bools": case(lambda t: t.vmap(lambda x: x > 0)(t.array(V))),
    "vmap of where": case(lambda t: t.vmap(lambda x: t.np.where(x > 0, x, -2 * x))(t.array(V))),
    "vmap of an empty batch": case(lambda t: t.vmap(lambda x: x * 2)(t.array([])), torch=EMPTY),
    "vmap of one": case(lambda t: t.vmap(lambda x: x * 2)(t.array([3.0]))),
    "vmap of a product": case(
        lambda t: t.vmap(lambda x, m: m @ x, (0, None))(t.array([V, W]), t.array(M))
    ),
    "vmap of products": case(
        lambda t: t.vmap(lambda a, b: a @ b)(t.array([M, M]), t.array([[V, W, V], [W, V, W]]))
    ),
}

OUT = {
    "vmap out_dims 1": case(lambda t: t.vmap(lambda x: x * 2, 0, 1)(t.array(M))),
    "vmap out_dims -1": case(lambda t: t.vmap(lambda x: x * 2, 0, -1)(t.array(M))),
    "vmap out_dims tuple": case(lambda t: t.vmap(lambda x: (x, x.sum()), 0, (1, 0))(t.array(M))),
    "vmap out_dims (0,)": case(
        lambda t: t.vmap(lambda x: x * 2, out_dims=(0,))(t.array(V)),
        jax="a tuple of one entry stands for it, as in torch",
    ),
    "vmap out_dims list": case(lambda t: t.vmap(lambda x: [x, x], out_dims=[0, 1])(t.array(M))),
    "vmap out_dims list for a tuple": case(
        lambda t: t.vmap(lambda x: (x, x), out_dims=[0, 1])(t.array(M)),
        torch="out_dims may be a list where the output is a tuple",
    ),
    "vmap out_dims dict": case(
        lambda t: t.vmap(lambda x: {"a": x, "b": x.sum()}, out_dims={"a": 1, "b": 0})(t.array(M))
    ),
    "vmap out_dims prefix": case(
        lambda t: t.vmap(lambda x: ({"a": x, "b": [x]}, x), out_dims=(1, 0))(t.array(M))
    ),
    "vmap out_dims None": case(
        lambda t: t.vmap(lambda x: (x, t.array(W).sum()), out_dims=(0, None))(t.array(V))
    ),
    "vmap out_dims None of anything": case(
        lambda t: t.vmap(lambda x: (x, "text", None, 3), out_dims=(0, None, None, None))(
            t.array(V)
        ),
        jax="what is not batched may be anything, as in torch",
    ),
    "vmap out_dims None of anything, in chunks": case(
        lambda t: t.vmap(lambda x: (x, "s"), out_dims=(0, None), chunk_size=2)(t.array(V)),
        torch=CHUNKS,
        jax="what is not batched may be anything, as in torch",
    ),
    "vmap out_dims None alone": case(lambda t: t.vmap(lambda x: "s", out_dims=None)(t.array(V))),
    "vmap unmapped output": case(lambda t: t.vmap(lambda x: t.array(W))(t.array(V))),
    "vmap unmapped argument given back": case(
        lambda t: t.vmap(lambda x, y: y, (0, None))(t.array(V), t.array(M))
    ),
    "vmap unmapped argument, out_dims 1": case(
        lambda t: t.vmap(lambda x, y: y, (0, None), 1)(t.array(V), t.array(M)),
        torch="out_dims holds for unmapped outputs; torch's own expand fails there",
    ),
    "vmap to a number": case(lambda t: t.vmap(lambda x: 2.0)(t.array(V)), torch=NUMBERS),
    "vmap to an empty tuple": case(lambda t: t.vmap(lambda x: ())(t.array(V))),
    "vmap to a tree": case(
        lambda t: t.vmap(lambda x: {"b": (x, [x * 2]), "a": x.sum()})(t.array(M)),
        jax="JAX sorts the keys of a dict",
    ),
}

CHUNKED = {
    "chunk_size 1": case(lambda t: t.vmap(lambda x: x.sum(), chunk_size=1)(t.array(M))),
    "chunk_size 2 of 3": case(lambda t: t.vmap(t.np.sin, chunk_size=2)(t.array(V))),
    "chunk_size 3 of 3": case(lambda t: t.vmap(t.np.sin, chunk_size=3)(t.array(V))),
    "chunk_size 100": case(lambda t: t.vmap(t.np.sin, chunk_size=100)(t.array(V))),
    "chunk_size with dims": case(
        lambda t: t.vmap(multiply, (1, None), 1, chunk_size=2)(t.array(M), t.array([2.0, 3.0]))
    ),
    "chunk_size with a tree": case(
        lambda t: t.vmap(lambda x: {"a": x, "b": (x.sum(),)}, chunk_size=1)(t.array(M))
    ),
    "chunk_size, out_dims None": case(
        lambda t: t.vmap(lambda x: (x, t.array(W).sum()), out_dims=(0, None), chunk_size=2)(
            t.array(V)
        ),
        torch=CHUNKS,
    ),
    "chunk_size of an empty batch": case(
        lambda t: t.vmap(lambda x: x * 2, chunk_size=2)(t.array([])), torch=EMPTY
    ),
    "chunk_size in grad": case(
        lambda t: t.grad(lambda x: (t.vmap(t.np.sin, chunk_size=2)(x) ** 2).sum())(t.array(V))
    ),
    "chunk_size, an unmapped output": case(
        lambda t: t.vmap(lambda x: t.array(W), chunk_size=2)(t.array(V))
    ),
}

SIZES = {
    "axis_size": case(lambda t: t.vmap(lambda: t.array(2.0), axis_size=3)()),
    "axis_size beside a mapped argument": case(
        lambda t: t.vmap(lambda x: x * 2, axis_size=3)(t.array(V))
    ),
    "axis_size, all None": case(
        lambda t: t.vmap(lambda x: x * 2, (None,), axis_size=2)(t.array(V))
    ),
    "axis_size, in_dims None": case(
        lambda t: t.vmap(lambda x: x * 2, None, axis_size=2)(t.array(V))
    ),
    "randomness same": case(lambda t: t.vmap(lambda x: x * 2, randomness="same")(t.array(V))),
    "randomness different": case(lambda t: t.vmap(lambda x: x * 2, 0, 0, "different")(t.array(V))),
}

NESTED = {
    "vmap of vmap": case(lambda t: t.vmap(t.vmap(t.np.sin))(t.array(M))),
    "vmap of vmap, dims": case(
        lambda t: t.vmap(t.vmap(multiply, (None, 0)), (0, None))(t.array(V), t.array(W))
    ),
    "vmap of vmap, out_dims": case(
        lambda t: t.vmap(t.vmap(multiply, (None, 0), 0), (0, None), 1)(
            t.array(V), t.array([1.0, 2])
        )
    ),
    "vmap of a closure over a vmap": case(
        lambda t: t.vmap(lambda x: t.vmap(lambda y: x * y + x)(t.array(W)))(t.array(V))
    ),
    "vmap with a middle axis": case(
        lambda t: t.vmap(lambda x: t.vmap(lambda y: y.sum(), 1, 0)(x), 1, 1)(
            t.array([[V, W], [W, V]])
        )
    ),
    "vmap of grad": case(lambda t: t.vmap(t.grad(lambda x: x**3))(t.array(V))),
    "vmap of grad, per example": case(
        lambda t: t.vmap(t.grad(lambda w, x, y: ((w @ x) - y) ** 2), (None, 0, 0))(
            t.array(V), t.array(M), t.array([1.0, 2.0])
        )
    ),
    "grad of vmap": case(lambda t: t.grad(lambda x: t.vmap(t.np.exp)(x).sum())(t.array(V))),
    "vmap of vjp": case(
        lambda t: t.vmap(lambda c: t.vjp(t.np.sin, t.array(V))[1](c)[0])(t.array([V, W]))
    ),
    "vmap of vjp_fn": case(
        lambda t: [t.vmap(pull)(t.array([V, W])) for pull in [t.vjp(t.np.sin, t.array(V))[1]]]
    ),
    "vmap of jvp": case(
        lambda t: t.vmap(lambda x, d: t.jvp(t.np.sin, (x,), (d,))[1])(t.array(V), t.array(W))
    ),
    "jvp of vmap": case(lambda t: t.jvp(t.vmap(t.np.sin), (t.array(V),), (t.array(W),))),
    "vmap of jacrev": case(lambda t: t.vmap(t.jacrev(lambda x: x**2))(t.array([V, W]))),
    "vmap of jacfwd": case(lambda t: t.vmap(t.jacfwd(lambda x: x**2))(t.array([V, W]))),
    "vmap of hessian": case(lambda t: t.vmap(t.hessian(lambda x: (x**3).sum()))(t.array([V, W]))),
    "jacrev of vmap": case(lambda t: t.jacrev(t.vmap(t.np.sin))(t.array(V))),
    "hessian of vmap": case(
        lambda t: t.hessian(lambda x: t.vmap(lambda y: y**3)(x).sum())(t.array(V))
    ),
    "vmap of linearize": case(
        lambda t: t.vmap(lambda x: t.linearize(t.np.sin, x)[1](t.array(1.0)))(t.array(V)),
        torch="linearize works under vmap",
    ),
    "vmap of grad with an outer value": case(
        lambda t: t.grad(
            lambda a: t.vmap(lambda x: t.grad(lambda y: y * y * a)(x))(t.array(V)).sum()
        )(t.array(2.0))
    ),
    "ensemble": case(
        lambda t: t.vmap(
            lambda p, x: t.np.tanh(x @ p["w"] + p["b"]).sum(), ({"w": 0, "b": 0}, None)
        )({"w": t.array([V, W]), "b": t.array([0.1, 0.2])}, t.array(M))
    ),
}

CASES = IN | OUT | CHUNKED | SIZES | NESTED
