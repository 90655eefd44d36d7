"""Whole matrices of derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.workloads import Target, normal, scaled, workload
from tools.workloads.derive import hessian, jacobian_by_columns, jacobian_by_rows
from tools.workloads.elementwise import rosenbrock

Rng = np.random.Generator


def layer(rng: Rng, scale: float) -> tuple[Any, ...]:
    n = scaled(200, scale)
    return rng.normal(size=n), *(rng.normal(size=(n, n)) / n**0.5 for _ in range(2))


MATRIX: dict[str, Any] = {"targets": (Target(1 / 3, "jax"),), "value": False}
"""One value is next to no work beside the matrix of its derivatives."""


@workload("Jacobian by rows, 200 x 200", layer, derive=jacobian_by_rows, **MATRIX)
@workload("Jacobian by columns, 200 x 200", layer, derive=jacobian_by_columns, **MATRIX)
def two_layers(xp: Any, x: Any, a: Any, b: Any) -> Any:
    return xp.tanh(xp.matmul(b, xp.tanh(xp.matmul(a, x))))


workload("Hessian of Rosenbrock, 100", normal(100), derive=hessian, **MATRIX)(rosenbrock)
