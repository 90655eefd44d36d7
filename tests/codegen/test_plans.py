"""Whole plans as golden text: which loops are shared, what is kept where, how much is moved.

``TRACER_WRITE_PLANS=1 pytest tests/codegen/test_plans.py`` writes them anew; read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen.memory import store
from codegen.planner import make_plan
from codegen.show import show_plan
from ir.passes.pipeline import COMPILE, run
from ir.program import Program
from tracer import grad, trace, value_and_grad

FOLDER = Path(__file__).parent / "plans"
WRITE = bool(os.environ.get("TRACER_WRITE_PLANS"))


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def softmax(x: Any) -> Any:
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def layernorm(x: Any, gain: Any, bias: Any) -> Any:
    mean = x.mean(axis=1, keepdims=True)
    spread = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    return np.sum(np.sin((x - mean) / np.sqrt(spread + 1e-5) * gain + bias))


def mixture(means: Any, widths: Any, x: Any) -> Any:
    d = (x[:, None, :] - means) / np.exp(widths)
    each = -0.5 * np.sum(d * d, axis=2) - np.sum(widths, axis=1)
    top = each.max(axis=1, keepdims=True)
    return np.sum(top[:, 0] + np.log(np.sum(np.exp(each - top), axis=1)))


def bodies(x: Any) -> Any:
    d = x[:, None, :] - x[None, :, :]
    return -np.sum(1 / np.sqrt(np.sum(d * d, axis=2) + 0.01))


def harmonic(u: Any) -> Any:
    off = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1]
    return np.sum(off**2)


def affine(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


PLANS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "rosenbrock": (value_and_grad(rosenbrock), ("f64[1000]",)),
    "softmax": (softmax, ("f64[64,100]",)),
    "layernorm": (grad(layernorm, argnums=(0, 1, 2)), ("f64[128,256]", "f64[256]", "f64[256]")),
    "mixture": (grad(mixture, argnums=(0, 1)), ("f64[20,10]", "f64[20,10]", "f64[500,10]")),
    "bodies": (grad(bodies), ("f64[50,3]",)),
    "stencil": (grad(harmonic), ("f64[200,300]",)),
    "affine": (affine, ("f64[64,32]", "f64[32,100]", "f64[100]")),
    "small affine": (affine, ("f64[3,5]", "f64[5,20]", "f64[20]")),
    "tiled affine": (affine, ("f64[8,5]", "f64[5,20]", "f64[20]")),
    "large sum": (lambda x: np.sum(np.sin(x) * x), ("f64[1000000]",)),
}


def plan_of(program: Program) -> str:
    plan = make_plan(run(program, COMPILE))
    return show_plan(plan, store(plan)) + "\n"


@pytest.mark.parametrize("name", PLANS)
def test_plan(name: str) -> None:
    f, types = PLANS[name]
    got = plan_of(trace(f, *types))
    path = FOLDER / f"{name.replace(' ', '_')}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(got)
    assert got == path.read_text()


def test_plans_are_the_same_twice() -> None:
    """Nothing in a plan depends on what was planned before."""
    f, types = PLANS["mixture"]
    assert plan_of(trace(f, *types)) == plan_of(trace(f, *types))
