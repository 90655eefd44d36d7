"""What the benchmark times is right, natively and not."""

from __future__ import annotations

import numpy as np
import pytest
from tools.workloads.derive import (
    four_slopes,
    gradient,
    hessian,
    hessian_times_vector,
    itself,
    jacobian_by_columns,
    jacobian_by_rows,
    per_example,
    per_model,
    slope,
    value_and_gradient,
)
from tools.workloads.peers import bound, composed, leaves, with_numpy
from tools.workloads.registry import WORKLOADS

import tracer

XP = with_numpy()
SCALES = {"Rosenbrock, 1e6": 1e-3, "sum of squares, 1e6": 1e-3}


def close(found, wanted, rtol):
    for got, want in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.max(np.abs(want)))


def doubled(tree):
    """Single precision as double: differences of its rounding errors say nothing."""
    if isinstance(tree, tuple):
        return tuple(map(doubled, tree))
    return tree.astype(float) if tree.dtype == np.float32 else tree


def moved(tree, directions, by):
    """The tree's arrays, ``by`` times the directions away."""
    if isinstance(tree, tuple):
        return tuple([x + by * d for x, d in zip(tree, directions, strict=True)])
    return tree + by * directions[0]


def apart(f, x, directions, h):
    """The central difference of ``f`` along the directions."""
    return (np.asarray(f(moved(x, directions, h))) - f(moved(x, directions, -h))) / (2 * h)


def along(slopes, directions):
    return sum(float(np.sum(g * d)) for g, d in zip(slopes, directions, strict=True))


def of_gradient(f, args, found, directions, h):
    x, *data = args
    return apart(lambda x: f(x, *data), x, directions, h), along(leaves(found), directions)


def of_elements(f, args, found, directions, h):
    x, *data = args
    return apart(lambda x: f(x, *data), x, directions, h), found * directions[0]


def of_four(f, args, found, directions, h):
    """Along one direction in all four arguments."""
    d = directions[0]
    gone = apart(lambda xs: f(*xs, args[4]), args[:4], [d] * 4, h)
    return gone, sum(g * d for g in found)


def of_hessian_times(f, args, found, directions, h):
    x, v = args
    g = tracer.grad(f)
    return (g(x + h * v) - g(x - h * v)) / (2 * h), found


def of_matrix(f, args, found, directions, h):
    x, *data = args
    return apart(lambda x: f(x, *data), x, directions, h), found @ directions[0]


def of_hessian(f, args, found, directions, h):
    return of_matrix(tracer.grad(f), args, found, directions, h)


def of_examples(f, args, found, directions, h):
    """A difference for each example, at the same parameters."""
    params, x, y = args
    gone = [apart(lambda p, k=k: f(p, x[k], y[k]), params, directions, h) for k in range(len(x))]
    slopes = [[g[k] for g in leaves(found)] for k in range(len(x))]
    return gone, [along(one, directions) for one in slopes]


def of_models(f, args, found, directions, h):
    """A difference for each model, at its own parameters."""
    params, x, y = args
    gone, slopes = [], []
    for k in range(len(x)):
        own, way = tuple(p[k] for p in params), [d[k] for d in directions]
        gone.append(apart(lambda p, k=k: f(p, x[k], y[k]), own, way, h))
        slopes.append(along([g[k] for g in found], way))
    return gone, slopes


DIFFERENCES = {
    gradient: of_gradient,
    slope: of_elements,
    four_slopes: of_four,
    hessian_times_vector: of_hessian_times,
    jacobian_by_rows: of_matrix,
    jacobian_by_columns: of_matrix,
    hessian: of_hessian,
    per_example: of_examples,
    per_model: of_models,
    value_and_gradient: lambda f, args, found, *more: of_gradient(f, args, found[1], *more),
}
"""Each pairs a central difference of the function with what the derivative says of it."""


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=lambda w: w.name)
def test_derivatives_agree_with_differences(w, figures):
    f = bound(w, XP)
    derived = w.derive(composed(tracer), f)
    rng = np.random.default_rng(1)
    args = w.make(rng, SCALES.get(w.name, 0.05))
    found = tracer.jit(derived)(*args)
    single = any(x.dtype == np.float32 for x in leaves(args))
    close(found, derived(*args), 1e-4 if single else 1e-11)
    args = doubled(args)
    if w.derive is itself:
        close(found, f(*args), 1e-15)
        return
    for _ in range(3):
        directions = [rng.normal(size=x.shape) for x in leaves(args[0])]
        gone, said = DIFFERENCES[w.derive](f, args, found, directions, 1e-5)
        limit = 1e-3 if single else 1e-5
        np.testing.assert_allclose(
            gone, said, rtol=limit, atol=limit * (0.1 + np.max(np.abs(said)))
        )
        figures.add("workload derivatives compared with differences")
