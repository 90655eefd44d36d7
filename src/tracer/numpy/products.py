"""Products of arrays: all are one contraction, with axes put in place around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import (
    astype,
    axes_of,
    axis_of,
    broadcast,
    broadcast_shapes,
    emit,
    promoted,
    reshape,
    strong,
)
from tracer.errors import ShapeError, message
from tracer.numpy.reductions import root
from tracer.numpy.table import implements, tnp

Axes = tuple[int, ...]


def contract(
    x: Tracer, y: Tracer, over: tuple[Axes, Axes], batch: tuple[Axes, Axes] = ((), ())
) -> Tracer:
    """One dot_general; the result's axes are batch, x's free ones, y's free ones."""
    x, y = promoted([x, y])
    if x.dtype == bool:
        made = contract(astype(x, "i64"), astype(y, "i64"), over, batch)
        return astype(made, "bool")
    sizes = [x.shape[d] for d in over[0]], [y.shape[d] for d in over[1]]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            message(
                f"shapes {x.shape} and {y.shape} do not fit: axes {over[0]} and {over[1]} are"
                " summed together and differ in size.",
                "Transpose or reshape one of the operands.",
            )
        )
    return emit(ops.DotGeneral(over, batch), x, y)


def scalar_at_rank_0(x: Tracer) -> Tracer:
    return Tracer(x.home, x.value, scalar=not x.shape)


@implements(np.dot, arrays="a b")
def dot(a: Tracer, b: Tracer) -> Tracer:
    if not a.shape or not b.shape:
        return strong(a) * strong(b)
    return scalar_at_rank_0(contract(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),))))


@implements(np.matmul, arrays="x1 x2")
def matmul(x1: Tracer, x2: Tracer) -> Tracer:
    if not x1.shape or not x2.shape:
        raise ShapeError(message("matmul does not take 0-d arrays.", "Use * with numbers."))
    if x1.ndim <= 2 and x2.ndim <= 2:
        return dot(x1, x2)
    if x2.ndim <= 2:
        return contract(x1, x2, ((x1.ndim - 1,), (0,)))
    if x1.ndim == 1:
        return contract(x2, x1, ((x2.ndim - 2,), (0,)))
    lead = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    x = broadcast(x1, (*lead, *x1.shape[-2:]))
    y = broadcast(x2, (*lead, *x2.shape[-2:]))
    n = len(lead)
    shared = tuple(range(n))
    return contract(x, y, ((n + 1,), (n,)), (shared, shared))


@implements(np.vdot, arrays="a b")
def vdot(a: Tracer, b: Tracer) -> Tracer:
    return dot(reshape(strong(a), (a.size,)), reshape(strong(b), (b.size,)))


@implements(np.inner, arrays="a b")
def inner(a: Tracer, b: Tracer) -> Tracer:
    if not a.shape or not b.shape:
        return strong(a) * strong(b)
    return scalar_at_rank_0(contract(a, b, ((a.ndim - 1,), (b.ndim - 1,))))


@implements(np.outer, arrays="a b")
def outer(a: Tracer, b: Tracer) -> Tracer:
    return reshape(strong(a), (a.size, 1)) * reshape(strong(b), (1, b.size))


@implements(np.tensordot, arrays="a b")
def tensordot(a: Tracer, b: Tracer, axes: Any = 2) -> Tracer:
    if isinstance(axes, int | np.integer):
        n = int(axes)
        over = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
    else:
        over = axes_of(axes[0], a.ndim), axes_of(axes[1], b.ndim)
    return contract(strong(a), strong(b), over)


@implements(np.kron, arrays="a b")
def kron(a: Tracer, b: Tracer) -> Tracer:
    rank = max(a.ndim, b.ndim)
    left, right = (1,) * (rank - a.ndim) + a.shape, (1,) * (rank - b.ndim) + b.shape
    x = reshape(strong(a), tuple([n for m in left for n in (m, 1)]))
    y = reshape(strong(b), tuple([n for m in right for n in (1, m)]))
    return scalar_at_rank_0(
        reshape(x * y, tuple([m * n for m, n in zip(left, right, strict=True)]))
    )


@implements(np.cross, arrays="a b")
def cross(
    a: Tracer,
    b: Tracer,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Tracer:
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = tnp.moveaxis(a, axisa, 0), tnp.moveaxis(b, axisb, 0)
    if x.shape[0] != 3 or y.shape[0] != 3:
        raise ShapeError(
            message(f"cross needs axes of size 3, got {a!r} and {b!r}.", "Pad 2-d vectors with 0.")
        )
    parts = [x[i] * y[j] - x[j] * y[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return tnp.stack(parts, axis_of(axisc, parts[0].ndim + 1))


@implements(np.vecdot, arrays="x1 x2")
def vecdot(x1: Tracer, x2: Tracer, axis: int = -1) -> Tracer:
    products = tnp.moveaxis(x1, axis, -1) * tnp.moveaxis(x2, axis, -1)
    return tnp.sum(products, -1, dtype=products.dtype)


@implements(np.linalg.norm, arrays="x")
def norm(x: Tracer, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tracer:
    """Vector norms, and the Frobenius norm of matrices; the 2-norm has derivative 0 at 0."""
    x = strong(x) if x.dtype.kind == "f" else astype(x, "f64")
    axes = axes_of(axis, x.ndim)
    matrix = len(axes) == 2 and ord is not None
    if ord in (None, "fro") or (ord == 2 and not matrix):
        return root(tnp.sum(tnp.square(x), axes, keepdims=keepdims))
    if matrix or not isinstance(ord, int | float):
        return matrix_norm(x, ord, axes, keepdims)
    size = tnp.absolute(x)
    if ord == np.inf:
        return tnp.max(size, axes, keepdims=keepdims)
    if ord == -np.inf:
        return tnp.min(size, axes, keepdims=keepdims)
    if ord == 0:
        return tnp.sum(tnp.not_equal(x, 0).astype(x.dtype), axes, keepdims=keepdims)
    if ord == 1:
        return tnp.sum(size, axes, keepdims=keepdims)
    return tnp.sum(size**ord, axes, keepdims=keepdims) ** (1 / ord)


def matrix_norm(x: Tracer, ord: Any, axes: Axes, keepdims: bool) -> Tracer:
    rows, columns = axes[0], axes[-1]
    folds = {1: (np.max, rows), -1: (np.min, rows), np.inf: (np.max, columns)}
    folds[-np.inf] = (np.min, columns)
    if len(axes) != 2 or ord not in folds:
        raise ShapeError(
            message(f"norm of order {ord!r} is not traced.", "Orders: None, fro, 1, 2, inf.")
        )
    fold, summed = folds[ord]
    sums = tnp.sum(tnp.absolute(x), summed, keepdims=True)
    made: Tracer = fold(sums, axes, keepdims=keepdims)
    return made
