"""Reductions: sums, extrema, moments, counts, running sums."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from tracer.array import Tracer
from tracer.emit import astype, axes_of, axis_of, broadcast, cut, emit, number, reshape, strong
from tracer.errors import ShapeError, message
from tracer.numpy.elementwise import is_nan, truth, where
from tracer.numpy.table import implements, tnp
from tracer.promote import short
from tracer.tables import ACCUMULATE, REDUCE

Axis = int | tuple[int, ...] | None


def reduced(op: Callable[[tuple[int, ...]], Op], x: Tracer, axis: Axis, keepdims: bool) -> Tracer:
    """Fold the axes away, or to length 1; a result of rank 0 is a scalar."""
    axes = axes_of(axis, x.ndim)
    made = emit(op(axes), x) if axes else x
    if keepdims:
        made = reshape(made, tuple([1 if d in axes else n for d, n in enumerate(x.shape)]))
    return Tracer(made.home, made.value, scalar=not made.shape)


def summable(x: Tracer, dtype: Any) -> Tracer:
    """In the dtype that NumPy sums in: bool and small integers in i64."""
    if dtype is not None:
        return astype(x, short(dtype))
    return astype(strong(x), "i64") if x.value.type.info.kind in ("int", "bool") else strong(x)


def masked(x: Tracer, mask: Any, neutral: float) -> Tracer:
    """The array with the neutral element where the mask is False."""
    if mask is None or mask is True:
        return x
    return tnp.where(mask, x, x.dtype.type(neutral))


def empty_extent(x: Tracer, axis: Axis) -> bool:
    return prod([x.shape[d] for d in axes_of(axis, x.ndim)]) == 0


@implements(np.sum, arrays="a")
def sum_(
    a: Tracer,
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Tracer:
    made = reduced(ops.ReduceSum, masked(summable(a, dtype), where, 0), axis, bool(keepdims))
    return made if initial is None else made + initial


@implements(np.prod, arrays="a")
def prod_(
    a: Tracer,
    axis: Axis = None,
    dtype: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Tracer:
    made = reduced(ops.ReduceProd, masked(summable(a, dtype), where, 1), axis, bool(keepdims))
    return made if initial is None else made * initial


def extremum(op: Any, pair: Any, name: str) -> Callable[..., Tracer]:
    def rule(a: Tracer, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Tracer:
        if initial is not None and empty_extent(a, axis):
            return tnp.add(tnp.sum(a, axis, keepdims=keepdims) * 0, initial)
        if empty_extent(a, axis):
            raise ShapeError(
                message(
                    f"zero-size array to reduction operation {name} which has no identity.",
                    "Give initial=, or skip empty arrays.",
                )
            )
        made = reduced(op, strong(a), axis, bool(keepdims))
        return made if initial is None else pair(made, initial)

    return rule


implements(np.max, np.amax, arrays="a")(extremum(ops.ReduceMax, np.maximum, "maximum"))
implements(np.min, np.amin, arrays="a")(extremum(ops.ReduceMin, np.minimum, "minimum"))


def quantifier(op: Any, of_nothing: bool) -> Callable[..., Tracer]:
    def rule(a: Tracer, axis: Axis = None, keepdims: bool = False) -> Tracer:
        x = truth(a)
        if empty_extent(a, axis):
            made = reduced(ops.ReduceSum, astype(x, "i64"), axis, bool(keepdims))
            return Tracer(a.home, number(made, of_nothing, "bool").value, scalar=made.scalar)
        return reduced(op, x, axis, bool(keepdims))

    return rule


implements(np.any, arrays="a")(quantifier(ops.ReduceMax, False))
implements(np.all, arrays="a")(quantifier(ops.ReduceMin, True))


def count(a: Tracer, axis: Axis) -> int:
    return prod([a.shape[d] for d in axes_of(axis, a.ndim)])


def averaged(a: Tracer, dtype: Any) -> Tracer:
    """In the dtype that NumPy averages in: integers in f64."""
    if dtype is not None:
        return astype(a, short(dtype))
    return strong(a) if a.value.type.info.kind == "float" else astype(strong(a), "f64")


@implements(np.mean, arrays="a")
def mean(
    a: Tracer, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Any = None
) -> Tracer:
    x = averaged(a, dtype)
    total = reduced(ops.ReduceSum, masked(x, where, 0), axis, bool(keepdims))
    return tnp.divide(total, counted(a, axis, bool(keepdims), where))


def counted(a: Tracer, axis: Axis, keepdims: bool, mask: Any) -> Any:
    """How many elements go into each result."""
    if mask is None or mask is True:
        return float(count(a, axis))
    return tnp.sum(np.broadcast_to(mask, a.shape), axis, keepdims=keepdims)


@implements(np.var, arrays="a mean")
def var(
    a: Tracer,
    axis: Axis = None,
    dtype: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Tracer | None = None,
    correction: float | None = None,
) -> Tracer:
    x = averaged(a, dtype)
    n = counted(a, axis, True, where)
    centre = mean
    if centre is None:
        centre = reduced(ops.ReduceSum, masked(x, where, 0), axis, True) / n
    off = tnp.square(x - centre)
    total = reduced(ops.ReduceSum, masked(off, where, 0), axis, bool(keepdims))
    n = n if isinstance(n, float) else counted(a, axis, bool(keepdims), where)
    left = np.maximum(n - float(ddof if correction is None else correction), 0.0)
    return total / (float(left) if isinstance(n, float) else left)


def root(x: Tracer) -> Tracer:
    """The square root, with derivative 0 rather than inf at 0."""
    zero = emit(ops.Equal(), x, number(x, 0))
    made = where(zero, number(x, 0.0), emit(ops.Sqrt(), where(zero, number(x, 1.0), x)))
    return Tracer(made.home, made.value, scalar=x.scalar)


@implements(np.std, arrays="a mean")
def std(a: Tracer, *args: Any, **kwargs: Any) -> Tracer:
    return root(var(a, *args, **kwargs))


def position(op: Any) -> Callable[..., Tracer]:
    def rule(a: Tracer, axis: int | None = None, keepdims: bool = False) -> Tracer:
        x = reshape(a, (a.size,)) if axis is None else a
        along = 0 if axis is None else axis_of(axis, a.ndim)
        if not x.ndim:
            x = reshape(x, (1,))
        if not x.shape[along]:
            raise ShapeError(message("attempt to get argmax of an empty sequence.", "Skip it."))
        made = emit(op(along), x)
        if keepdims:
            folded = axes_of(axis, a.ndim)
            shape = tuple([1 if d in folded else n for d, n in enumerate(a.shape)])
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


@implements(np.cumsum, arrays="a")
def cumsum(a: Tracer, axis: int | None = None, dtype: Any = None) -> Tracer:
    x = reshape(a, (a.size,)) if axis is None else a
    return emit(ops.CumSum(0 if axis is None else axis_of(axis, a.ndim)), summable(x, dtype))


@implements(np.diff, arrays="a")
def diff(a: Tracer, n: int = 1, axis: int = -1) -> Tracer:
    along = axis_of(axis, a.ndim)
    for _ in range(n):
        length = a.shape[along]
        later, earlier = cut(a, along, min(1, length), length), cut(a, along, 0, max(length - 1, 0))
        a = tnp.not_equal(later, earlier) if a.dtype == bool else later - earlier
    return a


@implements(np.average, arrays="a weights")
def average(a: Tracer, axis: Axis = None, weights: Tracer | None = None) -> Tracer:
    if weights is None:
        return mean(a, axis)
    if weights.shape != a.shape and axis is not None:
        (along,) = axes_of(axis, a.ndim)
        shape = tuple([n if d == along else 1 for d, n in enumerate(a.shape)])
        weights = broadcast(reshape(weights, shape), a.shape)
    return tnp.sum(a * weights, axis) / tnp.sum(weights, axis)


def ignoring_nan(func: Any, neutral: float) -> Callable[..., Tracer]:
    """The reduction with every nan replaced by the neutral element."""

    def rule(a: Tracer, axis: Axis = None, keepdims: bool = False) -> Tracer:
        x = where(is_nan(a), number(a, neutral), a) if a.dtype.kind == "f" else a
        made: Tracer = func(x, axis=axis, keepdims=keepdims)
        return made

    return rule


implements(np.nansum, arrays="a")(ignoring_nan(np.sum, 0.0))
implements(np.nanprod, arrays="a")(ignoring_nan(np.prod, 1.0))
implements(np.nanmax, arrays="a")(ignoring_nan(np.max, float("-inf")))
implements(np.nanmin, arrays="a")(ignoring_nan(np.min, float("inf")))


@implements(np.nanmean, arrays="a")
def nanmean(a: Tracer, axis: Axis = None, keepdims: bool = False) -> Tracer:
    return mean(a, axis, keepdims=keepdims, where=~tnp.isnan(a))


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
ACCUMULATE[np.add] = np.cumsum
