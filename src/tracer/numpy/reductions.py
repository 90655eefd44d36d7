"""Reductions: sums, extrema, moments, counts, averages."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from ir.ops.reduce import extreme
from tracer.array import Tracer
from tracer.emit import (
    astype,
    axes_of,
    broadcast,
    broadcast_shapes,
    emit,
    lift,
    number,
    permute,
    promoted,
    reshape,
    strong,
)
from tracer.errors import PromotionError, ShapeError, message
from tracer.numpy.elementwise import truth, where
from tracer.numpy.movement import line
from tracer.numpy.table import implements, tnp
from tracer.promote import short
from tracer.tables import REDUCE

Axis = int | tuple[int, ...] | None


def folded(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes to fold; a 0-d array has, for NumPy's reductions, an axis 0 to name."""
    return () if not ndim and axis in (0, -1) else axes_of(axis, ndim)


def reduced(op: Callable[[tuple[int, ...]], Op], x: Tracer, axis: Axis, keepdims: bool) -> Tracer:
    """Fold the axes away, or to length 1; a result of rank 0 is a scalar."""
    axes = folded(axis, x.ndim)
    made = emit(op(axes), x) if axes else x
    if keepdims:
        made = reshape(made, tuple([1 if d in axes else n for d, n in enumerate(x.shape)]))
    return Tracer(made.home, made.value, scalar=not made.shape)


def summable(x: Tracer, dtype: Any) -> Tracer:
    """In the dtype that NumPy sums in: bool and small integers in i64."""
    if dtype is not None:
        return truth(x) if short(dtype) == "bool" else astype(strong(x), short(dtype))
    return astype(strong(x), "i64") if x.value.type.info.kind in ("int", "bool") else strong(x)


def masked(x: Tracer, mask: Any, neutral: float) -> Tracer:
    """The array with the neutral element where the mask is False."""
    if mask is None or mask is True:
        return x
    return tnp.where(fitted(mask, x.shape), x, x.dtype.type(neutral))


def fitted(mask: Any, shape: tuple[int, ...]) -> Any:
    """The mask of a reduction; it may be repeated, the array may not."""
    if broadcast_shapes(np.shape(mask), shape) != shape:
        raise ShapeError(
            message(
                f"where= has shape {np.shape(mask)}, and the array {shape}.",
                "The mask must broadcast to the array's shape.",
            )
        )
    return np.broadcast_to(mask, shape)


def empty_extent(x: Tracer, axis: Axis) -> bool:
    return count(x, axis) == 0


def from_initial(x: Tracer, initial: Any) -> Tracer:
    """Where the fold begins, in the dtype that it is made in."""
    return astype(strong(lift(x.home, initial)), x.value.type.dtype)


@implements(np.sum, arrays="a")
def sum_(
    a: Tracer,
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Tracer:
    x = masked(summable(a, dtype), where, 0)
    if x.dtype == bool:  # the sum of two bools is whether either holds
        made = tnp.any(x, axis, keepdims=keepdims)
    else:
        made = reduced(ops.ReduceSum, x, axis, bool(keepdims))
    return made if initial is None else made + from_initial(made, initial)


@implements(np.prod, arrays="a")
def prod_(
    a: Tracer,
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Tracer:
    x = masked(summable(a, dtype), where, 1)
    if x.dtype == bool:
        made = tnp.all(x, axis, keepdims=keepdims)
    else:
        made = reduced(ops.ReduceProd, x, axis, bool(keepdims))
    return made if initial is None else made * from_initial(made, initial)


def extremum(op: Any, pair: Any, sign: int) -> Callable[..., Tracer]:
    """``max`` (sign -1: what it starts below) and ``min``."""

    def rule(
        a: Tracer,
        axis: Axis = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Tracer:
        name = pair.__name__
        if initial is None and where is not None and where is not True:
            raise ShapeError(
                message(
                    f"reduction operation {name} has no identity, so where= needs a start.",
                    "Give initial=.",
                )
            )
        if initial is None and empty_extent(a, axis):
            raise ShapeError(
                message(
                    f"zero-size array to reduction operation {name} which has no identity.",
                    "Give initial=, or skip empty arrays.",
                )
            )
        x = masked(strong(a), where, extreme(a.value.type.dtype, sign))
        if empty_extent(a, axis):
            made = reduced(ops.ReduceSum, tnp.zeros_like(x, int), axis, bool(keepdims))
            made = Tracer(made.home, number(made, 0, a.value.type.dtype).value)
            return tnp.add(made, from_initial(made, initial))
        made = reduced(op, x, axis, bool(keepdims))
        return made if initial is None else pair(made, from_initial(made, initial))

    return rule


implements(np.max, np.amax, arrays="a")(extremum(ops.ReduceMax, np.maximum, -1))
implements(np.min, np.amin, arrays="a")(extremum(ops.ReduceMin, np.minimum, +1))


def quantifier(op: Any, of_nothing: bool) -> Callable[..., Tracer]:
    def rule(a: Tracer, axis: Axis = None, keepdims: bool = False, where: Any = None) -> Tracer:
        x = masked(truth(a), where, of_nothing)
        if empty_extent(a, axis):
            made = reduced(ops.ReduceSum, astype(x, "i64"), axis, bool(keepdims))
            return Tracer(a.home, number(made, of_nothing, "bool").value, scalar=made.scalar)
        return reduced(op, x, axis, bool(keepdims))

    return rule


implements(np.any, arrays="a")(quantifier(ops.ReduceMax, False))
implements(np.all, arrays="a")(quantifier(ops.ReduceMin, True))


def count(a: Tracer, axis: Axis) -> int:
    return prod([a.shape[d] for d in folded(axis, a.ndim)])


def averaged(a: Tracer, dtype: Any) -> Any:
    """The dtype that NumPy averages in: integers in f64."""
    if dtype is not None:
        return dtype
    return a.dtype if a.dtype.kind == "f" else np.float64


def over(total: Tracer, n: Any) -> Tracer:
    """A sum divided by a count, in the dtype of the sum."""
    made = astype(tnp.divide(total, n), total.value.type.dtype)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.mean, arrays="a")
def mean(
    a: Tracer, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Any = None
) -> Tracer:
    total = sum_(a, axis, averaged(a, dtype), keepdims, where=where)
    return over(total, counted(a, axis, keepdims, where))


def counted(a: Tracer, axis: Axis, keepdims: bool, mask: Any) -> Any:
    """How many elements go into each result."""
    axes_of(axis, a.ndim)  # a 0-d array has no axis 0 to average over
    if mask is None or mask is True:
        return float(count(a, axis))
    kept = lift(a.home, fitted(mask, a.shape))
    return sum_(truth(kept), axis, keepdims=keepdims)


def squares(variance: Callable[..., Tracer]) -> Callable[..., Tracer]:
    """``np.var`` and kin, whose ``ddof`` has the name ``correction`` as well."""

    def rule(
        a: Tracer,
        axis: Axis = None,
        dtype: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        where: Any = None,
        mean: Tracer | None = None,
        correction: float | None = None,
    ) -> Tracer:
        less = float(ddof if correction is None else correction)
        return variance(a, axis, dtype, less, keepdims, where, mean)

    return rule


def variance(
    a: Tracer, axis: Axis, dtype: Any, less: float, keepdims: bool, mask: Any, mean: Tracer | None
) -> Tracer:
    """The mean of squares, of ``less`` degrees of freedom fewer than there are elements."""
    work = averaged(a, dtype)
    centre = mean
    if centre is None:
        centre = over(sum_(a, axis, work, True, where=mask), counted(a, axis, True, mask))
    total = sum_(tnp.square(strong(a) - centre), axis, dtype, keepdims, where=mask)
    left = counted(a, axis, keepdims, mask) - less
    if isinstance(left, float):
        return over(total, max(left, 0.0))
    return over(total, tnp.maximum(left, 0.0))


def root(x: Tracer) -> Tracer:
    """The square root, with derivative 0 rather than inf at 0."""
    zero = emit(ops.Equal(), x, number(x, 0))
    made = where(zero, number(x, 0.0), emit(ops.Sqrt(), where(zero, number(x, 1.0), x)))
    return Tracer(made.home, made.value, scalar=x.scalar)


def deviation(*args: Any) -> Tracer:
    found = variance(*args)
    if found.dtype.kind != "f":
        raise PromotionError(
            message(f"std in {found.dtype} is not traced.", "Use a float dtype=, then astype.")
        )
    return root(found)


implements(np.var, arrays="a mean")(squares(variance))
implements(np.std, arrays="a mean")(squares(deviation))


def position(op: Any) -> Callable[..., Tracer]:
    def rule(a: Tracer, axis: int | None = None, keepdims: bool = False) -> Tracer:
        x, along = line(a, axis)
        if not x.shape[along]:
            raise ShapeError(
                message(f"attempt to get {op.mnemonic} of an empty sequence.", "Skip it.")
            )
        made = emit(op(along), x)
        if keepdims:
            gone = folded(axis, a.ndim)
            shape = tuple([1 if d in gone else n for d, n in enumerate(a.shape)])
            made = reshape(made, shape)
        return Tracer(made.home, made.value, scalar=not made.shape)

    return rule


implements(np.argmax, arrays="a")(position(ops.ArgMax))
implements(np.argmin, arrays="a")(position(ops.ArgMin))


@implements(np.count_nonzero, arrays="a")
def count_nonzero(a: Tracer, axis: Axis = None, keepdims: bool = False) -> Tracer:
    return reduced(ops.ReduceSum, astype(truth(a), "i64"), axis, bool(keepdims))


@implements(np.ptp, arrays="a")
def ptp(a: Tracer, axis: Axis = None, keepdims: bool = False) -> Tracer:
    return tnp.max(a, axis, keepdims=keepdims) - tnp.min(a, axis, keepdims=keepdims)


@implements(np.average, arrays="a weights")
def average(
    a: Tracer,
    axis: Axis = None,
    weights: Tracer | None = None,
    returned: bool = False,
    keepdims: bool = False,
) -> Any:
    axes_of(axis, a.ndim)
    if weights is None:
        made = mean(a, axis, keepdims=keepdims)
        total = tnp.full_like(made, count(a, axis) / max(made.size, 1))
    else:
        x, w = promoted([strong(a), strong(weights)])
        if a.dtype.kind != "f":
            x, w = astype(x, "f64"), astype(w, "f64")
        if w.shape != x.shape:
            w = along_axes(w, folded(axis, a.ndim), x.shape)
        total = sum_(w, axis, keepdims=keepdims)
        gist, way_out = "Weights sum to zero, can't be normalized.", "Give other weights."
        good = tnp.all(tnp.not_equal(total, 0))
        a.home.emit(ops.Check(gist, way_out, "FloatingPointError"), good.value)
        made = sum_(x * w, axis, keepdims=keepdims) / total
    return (made, total) if returned else made


def along_axes(weights: Tracer, axes: tuple[int, ...], shape: tuple[int, ...]) -> Tracer:
    """Weights of the averaged axes, in the order that they were named, for the whole array."""
    if weights.shape != tuple([shape[d] for d in axes]):
        raise ShapeError(
            message(
                f"weights of shape {weights.shape} do not fit axes {axes} of shape {shape}.",
                "Weights have the array's shape, or that of the averaged axes.",
            )
        )
    w = permute(weights, np.argsort(axes).tolist())
    return broadcast(reshape(w, tuple([n if d in axes else 1 for d, n in enumerate(shape)])), shape)


REDUCE.update(
    {
        np.add: np.sum,
        np.multiply: np.prod,
        np.maximum: np.max,
        np.minimum: np.min,
        np.logical_and: np.all,
        np.logical_or: np.any,
    }
)
