"""Cases that are refused: what a torch user's except clause catches is raised here too."""

from __future__ import annotations

from tests.tracer.contract.outcome import case

V, W = [0.5, -1.5, 2.0], [3.0, 0.25, -1.0]
NONE_NODE = "to JAX None is an empty container"
LATER = "complex numbers are refused with RuntimeError and TypeError until they are traced"
DTYPES = "dtypes must match"
SILENT = "a derivative of an integer is an error, where others give zeros"
ANY = "torch takes no primals"
LISTS = "a list of primals is refused, as in torch"

multiply = lambda x, y: x * y
branch = lambda x: x if x > 0 else -x


def random_number(t):
    draw = t.draw
    return t.vmap(lambda x: x + draw())(t.array(V))


DERIVATIVES = {
    "grad of a vector": case(lambda t: t.grad(t.np.sin)(t.array(V))),
    "grad of shape (1,)": case(
        lambda t: t.grad(lambda x: x[:1])(t.array(V)),
    ),
    "grad of None": case(lambda t: t.grad(lambda x: None)(t.array(V))),
    "grad of a tuple": case(lambda t: t.grad(lambda x: (x, x))(t.array(1.0))),
    "grad of a list of one": case(lambda t: t.grad(lambda x: [x.sum()])(t.array(V))),
    "grad of text": case(lambda t: t.grad(lambda x: "s")(t.array(V))),
    "grad of an integer": case(
        lambda t: t.grad(lambda x: (x > 0).sum())(t.array(V)),
        torch=SILENT,
    ),
    "grad of a bool": case(
        lambda t: t.grad(lambda x: (x > 0).any())(t.array(V)),
        torch=SILENT,
    ),
    "grad by integers": case(
        lambda t: t.grad(lambda x: (x * 2.0).sum())(t.array([1, 2], "int64")),
    ),
    "grad by bools": case(lambda t: t.grad(lambda x: (x * 2.0).sum())(t.array([True], "bool"))),
    "grad by an int": case(lambda t: t.grad(lambda x: x * 2.0)(3)),
    "grad by text": case(lambda t: t.grad(lambda x: x)("s")),
    "grad by None": case(lambda t: t.grad(lambda x: t.array(1.0))(None), jax=NONE_NODE),
    "grad by a tree with None": case(
        lambda t: t.grad(lambda d: d["a"].sum())({"a": t.array(V), "b": None}),
        jax=NONE_NODE,
    ),
    "grad by a tree with text": case(
        lambda t: t.grad(lambda d: d["a"].sum())({"a": t.array(V), "b": "s"}),
    ),
    "grad by an object": case(lambda t: t.grad(lambda x: t.array(1.0))(object())),
    "aux without a tuple": case(lambda t: t.grad(lambda x: x.sum(), 0, True)(t.array(V))),
    "aux of three": case(lambda t: t.grad(lambda x: (x.sum(), x, x), has_aux=True)(t.array(V))),
    "aux with a list": case(
        lambda t: t.grad(lambda x: [x.sum(), x], has_aux=True)(t.array(V)),
        jax="aux comes in a tuple, as in torch",
    ),
    "vjp aux without a tuple": case(lambda t: t.vjp(lambda x: x, t.array(V), has_aux=True)),
    "jacrev aux without a tuple": case(lambda t: t.jacrev(lambda x: x, has_aux=True)(t.array(V))),
    "argnums out of range": case(lambda t: t.grad(multiply, 2)(t.array(1.0), t.array(2.0))),
    "argnums below range": case(lambda t: t.grad(multiply, -3)(t.array(1.0), t.array(2.0))),
    "argnums with one out of range": case(
        lambda t: t.grad(multiply, (0, 2))(t.array(1.0), t.array(2.0))
    ),
    "argnums empty": case(lambda t: t.grad(multiply, ())(t.array(1.0), t.array(2.0))),
    "argnums twice": case(lambda t: t.grad(multiply, (0, 0))(t.array(1.0), t.array(2.0))),
    "argnums twice, once from the end": case(
        lambda t: t.grad(multiply, (1, -1))(t.array(1.0), t.array(2.0))
    ),
    "argnums a float": case(lambda t: t.grad(multiply, 0.5)(t.array(1.0), t.array(2.0))),
    "argnums text": case(lambda t: t.grad(multiply, "x")(t.array(1.0), t.array(2.0))),
    "argnums holds a float": case(lambda t: t.grad(multiply, (0, 1.0))(t.array(1.0), t.array(2.0))),
    "argnums None": case(lambda t: t.grad(multiply, None)(t.array(1.0), t.array(2.0))),
    "argnums names a keyword": case(lambda t: t.grad(multiply, 1)(t.array(1.0), y=t.array(2.0))),
    "grad without arguments": case(lambda t: t.grad(lambda: t.array(1.0))()),
    "jacrev argnums out of range": case(
        lambda t: t.jacrev(multiply, 2)(t.array(1.0), t.array(2.0))
    ),
    "jacfwd argnums out of range": case(
        lambda t: t.jacfwd(multiply, 2)(t.array(1.0), t.array(2.0))
    ),
    "hessian argnums out of range": case(
        lambda t: t.hessian(multiply, 2)(t.array(1.0), t.array(2.0))
    ),
    "jacrev of None": case(lambda t: t.jacrev(lambda x: None)(t.array(V)), jax=NONE_NODE),
    "jacrev of text": case(lambda t: t.jacrev(lambda x: "s")(t.array(V))),
    "jacrev of bools": case(lambda t: t.jacrev(lambda x: x > 0)(t.array(V))),
    "jacrev by integers": case(lambda t: t.jacrev(lambda x: x * 2.0)(t.array([1], "int64"))),
    "jacfwd of None": case(lambda t: t.jacfwd(lambda x: None)(t.array(V)), jax=NONE_NODE),
    "jacfwd of text": case(lambda t: t.jacfwd(lambda x: "s")(t.array(V))),
    "jacfwd of bools": case(lambda t: t.jacfwd(lambda x: x > 0)(t.array(V)), torch=SILENT),
    "jacfwd by integers": case(lambda t: t.jacfwd(lambda x: x * 2.0)(t.array([1], "int64"))),
    "jacfwd randomness": case(lambda t: t.jacfwd(lambda x: x, randomness="x")(t.array(V))),
    "jacrev chunk_size 0": case(lambda t: t.jacrev(lambda x: x, chunk_size=0)(t.array(V))),
    "jacrev chunk_size -1": case(lambda t: t.jacrev(lambda x: x, chunk_size=-1)(t.array(V))),
    "hessian of integers": case(lambda t: t.hessian(lambda x: x.sum())(t.array([1], "int64"))),
    "vjp of None": case(lambda t: t.vjp(lambda x: None, t.array(V)), jax=NONE_NODE),
    "vjp of an empty tuple": case(
        lambda t: t.vjp(lambda x: (), t.array(V)), jax="no output is an error, as in torch"
    ),
    "vjp of text": case(lambda t: t.vjp(lambda x: "s", t.array(V))),
    "vjp of a tuple with None": case(
        lambda t: t.vjp(lambda x: (x, None), t.array(V)), jax=NONE_NODE
    ),
    "vjp of bools": case(lambda t: t.vjp(lambda x: x > 0, t.array(V)), jax=SILENT),
    "vjp by integers": case(lambda t: t.vjp(lambda x: x * 2.0, t.array([1], "int64")), jax=SILENT),
    "vjp by text": case(lambda t: t.vjp(lambda x: t.array(1.0), "s")),
    "vjp of nothing": case(lambda t: t.vjp(lambda: t.array(1.0))[0], torch=ANY, jax=ANY),
    "cotangents, structure": case(lambda t: t.vjp(lambda x: (x, x), t.array(V))[1](t.array(V))),
    "cotangents, a list for a tuple": case(
        lambda t: t.vjp(lambda x: (x, x), t.array(V))[1]([t.array(V), t.array(V)])
    ),
    "cotangents, keys": case(lambda t: t.vjp(lambda x: {"a": x}, t.array(V))[1]({"b": t.array(V)})),
    "cotangents, shape": case(lambda t: t.vjp(t.np.sin, t.array(V))[1](t.array([1.0, 2.0]))),
    "cotangents, shape that broadcasts": case(
        lambda t: t.vjp(t.np.sin, t.array(V))[1](t.array([1.0]))
    ),
    "cotangents, dtype": case(
        lambda t: t.vjp(t.np.sin, t.array(V))[1](t.array(V, "float32")),
        torch=DTYPES,
    ),
    "cotangents, None": case(lambda t: t.vjp(t.np.sin, t.array(V))[1](None)),
    "jvp with lists": case(lambda t: t.jvp(t.np.sin, [t.array(V)], [t.array(V)]), jax=LISTS),
    "jvp without tuples": case(lambda t: t.jvp(t.np.sin, t.array(V), t.array(V))),
    "jvp of nothing": case(lambda t: t.jvp(lambda: t.array(1.0), (), ()), jax=ANY),
    "tangents, count": case(lambda t: t.jvp(multiply, (t.array(V), t.array(V)), (t.array(V),))),
    "tangents, structure": case(
        lambda t: t.jvp(lambda d: d["a"], ({"a": t.array(V)},), ((t.array(V),),))
    ),
    "tangents, shape": case(lambda t: t.jvp(t.np.sin, (t.array(V),), (t.array([1.0]),))),
    "tangents, dtype": case(
        lambda t: t.jvp(t.np.sin, (t.array(V),), (t.array(V, "float32"),)),
        torch="jvp refuses tangents of another dtype; torch mixes them",
    ),
    "jvp of None": case(
        lambda t: t.jvp(lambda x: None, (t.array(V),), (t.array(V),)), jax=NONE_NODE
    ),
    "jvp of text": case(lambda t: t.jvp(lambda x: "s", (t.array(V),), (t.array(V),))),
    "jvp aux without a tuple": case(
        lambda t: t.jvp(lambda x: x, (t.array(V),), (t.array(V),), has_aux=True)
    ),
    "linearize tangents, shape": case(
        lambda t: t.linearize(t.np.sin, t.array(V))[1](t.array([1.0]))
    ),
    "linearize tangents, dtype": case(
        lambda t: t.linearize(t.np.sin, t.array(V))[1](t.array(V, "float32"))
    ),
    "linearize tangents, count": case(
        lambda t: t.linearize(t.np.sin, t.array(V))[1](t.array(V), t.array(V))
    ),
    "writing to an argument": case(
        lambda t: t.grad(lambda x: x.__setitem__(0, 1.0) or x.sum())(t.array(V)),
    ),
    "complex argument": case(
        lambda t: t.grad(lambda z: abs(z))(t.array(1 + 2j, "complex128")),
        torch=LATER,
        jax=LATER,
    ),
    "complex output": case(
        lambda t: t.grad(lambda x: x * 1j)(t.array(1.0)),
    ),
    "an exception of the function": case(lambda t: t.grad(lambda x: {}["missing"])(t.array(1.0))),
}

BATCHES = {
    "vmap in_dims text": case(lambda t: t.vmap(multiply, "a")(t.array(V), t.array(W))),
    "vmap in_dims a float": case(lambda t: t.vmap(multiply, 0.5)(t.array(V), t.array(W))),
    "vmap in_dims None": case(lambda t: t.vmap(t.np.sin, None)(t.array(V))),
    "vmap in_dims, count": case(lambda t: t.vmap(multiply, (0,))(t.array(V), t.array(W))),
    "vmap in_dims, structure": case(
        lambda t: t.vmap(multiply, ({"a": 0}, 0))(t.array(V), t.array(W))
    ),
    "vmap in_dims, a list for a tuple": case(
        lambda t: t.vmap(lambda p: p[0], ([0, 0],))((t.array(V), t.array(W)))
    ),
    "vmap in_dims, keys": case(lambda t: t.vmap(lambda d: d["a"], ({"b": 0},))({"a": t.array(V)})),
    "vmap in_dims holds text": case(lambda t: t.vmap(multiply, (0, "a"))(t.array(V), t.array(W))),
    "vmap in_dims out of range": case(lambda t: t.vmap(multiply, (0, 3))(t.array(V), t.array(W))),
    "vmap in_dims below range": case(lambda t: t.vmap(multiply, (0, -2))(t.array(V), t.array(W))),
    "vmap of a 0-d array": case(lambda t: t.vmap(t.np.sin)(t.array(1.0))),
    "vmap of text": case(lambda t: t.vmap(lambda x, y: x)(t.array(V), "text")),
    "vmap of a Python number": case(lambda t: t.vmap(lambda x, y: x)(t.array(V), 2.0)),
    "vmap of None": case(
        lambda t: t.vmap(lambda x, y: x)(t.array(V), None),
        jax=NONE_NODE,
    ),
    "vmap sizes": case(lambda t: t.vmap(multiply)(t.array(V), t.array([1.0]))),
    "vmap of no inputs": case(lambda t: t.vmap(lambda: t.array(1.0))()),
    "vmap of an empty tuple": case(lambda t: t.vmap(lambda x: t.array(1.0))(())),
    "vmap, all None": case(lambda t: t.vmap(multiply, (None, None))(t.array(V), t.array(W))),
    "vmap out_dims None, batched": case(lambda t: t.vmap(t.np.sin, out_dims=None)(t.array(V))),
    "vmap out_dims text": case(lambda t: t.vmap(t.np.sin, out_dims="a")(t.array(V))),
    "vmap out_dims a float": case(lambda t: t.vmap(t.np.sin, out_dims=0.5)(t.array(V))),
    "vmap out_dims, structure": case(lambda t: t.vmap(t.np.sin, out_dims=(0, 0))(t.array(V))),
    "vmap out_dims, count": case(
        lambda t: t.vmap(lambda x: (x, x), out_dims=(0, 0, 0))(t.array(V))
    ),
    "vmap out_dims, keys": case(
        lambda t: t.vmap(lambda x: {"a": x}, out_dims={"b": 0})(t.array(V))
    ),
    "vmap out_dims out of range": case(lambda t: t.vmap(t.np.sin, out_dims=2)(t.array(V))),
    "vmap out_dims below range": case(lambda t: t.vmap(t.np.sin, out_dims=-2)(t.array(V))),
    "vmap to None": case(lambda t: t.vmap(lambda x: None)(t.array(V)), jax=NONE_NODE),
    "vmap to text": case(lambda t: t.vmap(lambda x: "s")(t.array(V))),
    "vmap randomness": case(lambda t: t.vmap(t.np.sin, randomness="x")(t.array(V))),
    "vmap of a random number": case(random_number),
    "vmap chunk_size 0": case(lambda t: t.vmap(t.np.sin, chunk_size=0)(t.array(V))),
    "vmap chunk_size -2": case(lambda t: t.vmap(t.np.sin, chunk_size=-2)(t.array(V))),
    "vmap of a branch": case(lambda t: t.vmap(branch)(t.array(V))),
    "vmap of float()": case(lambda t: t.vmap(lambda x: x * float(x))(t.array(V))),
    "vmap of item()": case(lambda t: t.vmap(lambda x: x * x.item())(t.array(V))),
    "vmap of grad of a branch": case(lambda t: t.vmap(t.grad(branch))(t.array(V))),
    "vmap of an exception": case(lambda t: t.vmap(lambda x: {}["missing"])(t.array(V))),
}

CASES = DERIVATIVES | BATCHES
