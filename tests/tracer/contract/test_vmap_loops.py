"""vmap with random trees, dims, sizes and chunks against a loop over the examples."""

from __future__ import annotations

import numpy as np
import pytest

from tracer import grad, jacfwd, jacrev, jit, tree, vmap

SHAPES = ((), (2,), (2, 3), (1, 2), (0,))


class Draw:
    """Random arguments of a batch, and where their axes are."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.size = int(self.rng.integers(0, 5))

    def choice(self, options):
        return options[self.rng.integers(len(options))]

    def leaf(self):
        """An array with its mapped axis, or without one."""
        shape = self.choice(SHAPES)
        dtype = self.choice((np.float64, np.float32, np.int64, bool))
        dim = self.choice((None, *range(-len(shape) - 1, len(shape) + 1)))
        if dim is not None:
            shape = (*shape[: dim % (len(shape) + 1)], self.size, *shape[dim % (len(shape) + 1) :])
        return np.asarray(self.rng.normal(size=shape) * 3).astype(dtype), dim

    def tree(self, depth):
        """A tree of leaves, and the same tree of dims."""
        kind = self.choice(("leaf", "tuple", "list", "dict") if depth else ("leaf",))
        if kind == "leaf":
            return self.leaf()
        parts = [self.tree(depth - 1) for _ in range(self.rng.integers(1, 4))]
        xs, dims = zip(*parts, strict=True)
        if kind == "dict":
            keys = [f"k{n}" for n in self.rng.permutation(len(xs))]
            order = self.rng.permutation(len(xs))
            return dict(zip(keys, xs, strict=True)), {keys[n]: dims[n] for n in order}
        return (xs, dims) if kind == "tuple" else (list(xs), list(dims))


def combined(*args):
    """Outputs of several shapes, dtypes and dependences, in a tree."""
    leaves = tree.leaves(args)
    total = sum(np.sum(x * 1.5) for x in leaves)
    return {
        "total": total,
        "each": [x + total for x in leaves],
        "alone": tuple([x * 2 for x in leaves]),
        "larger": [x > 1 for x in leaves],
        "constant": np.arange(3),
    }


def example(args, dims, n):
    """The nth example of a batch."""
    leaves, treedef = tree.flatten(args)
    where = tree.broadcast_prefix(dims, args)
    cut = [x if d is None else np.take(x, n, d) for x, d in zip(leaves, where, strict=True)]
    return tree.unflatten(treedef, cut)


@pytest.mark.parametrize("seed", range(40))
def test_as_a_loop(seed):
    draw = Draw(seed)
    parts = [draw.tree(2) for _ in range(draw.rng.integers(1, 4))]
    args, dims = tuple([x for x, _ in parts]), tuple([d for _, d in parts])
    reference = [combined(*example(args, dims, n)) for n in range(draw.size)]
    shaped = combined(*example(args, dims, 0)) if draw.size else None
    leaves = tree.leaves(args)
    mapped = [d is not None for d in tree.broadcast_prefix(dims, args)]
    depends = {"total": any(mapped), "each": [any(mapped)] * len(leaves), "alone": tuple(mapped),
               "larger": mapped, "constant": False}  # fmt: skip
    ranks = tree.leaves(shaped) if shaped else None

    def out_dim(n, moves):
        rank = np.ndim(ranks[n]) if ranks else 0
        options = list(range(-rank - 1, rank + 1)) if ranks else [0]
        return draw.choice(options if moves else [None, *options])

    flags, treedef = tree.flatten(depends)
    outs = tree.unflatten(treedef, [out_dim(n, moves) for n, moves in enumerate(flags)])
    chunk = draw.choice((None, 1, 2, 3, 10))
    made = vmap(combined, dims, outs, chunk_size=chunk, axis_size=draw.size)
    found = made(*args)
    where = tree.leaves(outs)
    for n, (x, d) in enumerate(zip(tree.leaves(found), where, strict=True)):
        rows = [np.asarray(tree.leaves(r)[n]) for r in reference]
        if d is None:
            if rows:
                np.testing.assert_allclose(x, rows[0], rtol=1e-5)
        elif rows:
            np.testing.assert_allclose(x, np.stack(rows, d), rtol=1e-5)
            assert x.dtype == rows[0].dtype
        else:
            assert x.shape[d] == 0
    if seed % 4 == 0:
        for x, y in zip(tree.leaves(jit(made)(*args)), tree.leaves(found), strict=True):
            assert (type(x), x.dtype, x.shape) == (type(y), y.dtype, y.shape)
            np.testing.assert_allclose(x, y, rtol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_derivatives_of_a_batch_as_a_loop(seed):
    draw = Draw(seed)
    size = draw.size + 1
    x, y = draw.rng.normal(size=(3, size)), draw.rng.normal(size=(size, 2, 3))
    f = lambda x, y: np.sum(np.tanh(y @ x) ** 2)
    for transform in (grad, jacrev, jacfwd):
        made = vmap(transform(f, (0, 1)), (1, 0), chunk_size=draw.choice((None, 1, 2)))
        rows = [transform(f, (0, 1))(x[:, n], y[n]) for n in range(size)]
        for found, parts in zip(made(x, y), zip(*rows, strict=True), strict=True):
            np.testing.assert_allclose(found, np.stack(parts), rtol=1e-12)
        loss = lambda x, made=made: sum(np.sum(part**2) for part in made(x, y))
        looped = lambda x, transform=transform: sum(
            np.sum(part**2) for n in range(size) for part in transform(f, (0, 1))(x[:, n], y[n])
        )
        np.testing.assert_allclose(grad(loss)(x), grad(looped)(x), rtol=1e-10, atol=1e-12)
