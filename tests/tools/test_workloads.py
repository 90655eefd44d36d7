"""The gradients that the benchmark times are right, natively and not."""

from __future__ import annotations

import numpy as np
import pytest
import tools.workloads.first  # noqa: F401  (fills the table)
from tools.workloads import WORKLOADS
from tools.workloads.peers import with_numpy

from tracer import grad, jit, vmap

XP = with_numpy()


def leaves(tree):
    return list(tree) if isinstance(tree, tuple) else [tree]


def moved(tree, directions, by):
    made = [x + by * d for x, d in zip(leaves(tree), directions, strict=True)]
    return tuple(made) if isinstance(tree, tuple) else made[0]


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=lambda w: w.name)
def test_gradients_agree_with_finite_differences(w, figures):
    def f(*args):
        return w.function(XP, *args)

    rng = np.random.default_rng(1)
    first, *data = w.make(rng, 0.05 if w.name != "Rosenbrock, 1e6" else 1e-3)
    slope = vmap(grad(f)) if w.mapped else grad(f)
    native, plain = leaves(jit(slope)(first, *data)), leaves(slope(first, *data))
    for got, want in zip(native, plain, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * np.max(np.abs(want)))
    for _ in range(3):
        directions = [rng.normal(size=x.shape) for x in leaves(first)]
        h = 1e-5
        apart = f(moved(first, directions, h), *data) - f(moved(first, directions, -h), *data)
        along = [d * g for d, g in zip(directions, native, strict=True)]
        want = along[0] if w.mapped else sum(map(np.sum, along))
        np.testing.assert_allclose(apart / (2 * h), want, rtol=1e-5, atol=1e-7)
        figures.add("workload gradients compared with finite differences")
