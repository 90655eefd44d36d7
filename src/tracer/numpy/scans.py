"""Along an axis: running totals and extrema, differences, integrals, slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import axis_of, broadcast, cut, emit, reshape, strong
from tracer.errors import ShapeError, message
from tracer.numpy.elementwise import truth
from tracer.numpy.movement import converted, joined, line
from tracer.numpy.reductions import summable
from tracer.numpy.table import implements, tnp
from tracer.tables import ACCUMULATE, FUNCTIONS


@implements(np.cumsum, arrays="a")
def cumsum(a: Tracer, axis: int | None = None, dtype: Any = None) -> Tracer:
    x, along = line(summable(a, dtype), axis)
    if x.dtype == bool:
        return doubled(np.logical_or, x, along)
    return emit(ops.CumSum(along), x)


@implements(np.cumprod, arrays="a")
def cumprod(a: Tracer, axis: int | None = None, dtype: Any = None) -> Tracer:
    x, along = line(summable(a, dtype), axis)
    return doubled(np.logical_and if x.dtype == bool else np.multiply, x, along)


def doubled(ufunc: Any, x: Tracer, axis: int) -> Tracer:
    """The running fold in log2(n) steps: each takes in as much before as it has (Hillis, Steele).

    W. D. Hillis, G. L. Steele: Data parallel algorithms. Communications of the ACM 29 (1986).
    """
    n, step = x.shape[axis], 1
    while step < n:
        further = ufunc(cut(x, axis, 0, n - step), cut(x, axis, step, n))
        x = joined([cut(x, axis, 0, step), further], axis)
        step *= 2
    return x


def running(ufunc: Any) -> Callable[..., Tracer]:
    """``ufunc.accumulate`` of an associative ufunc."""

    def rule(a: Tracer, axis: int = 0, dtype: Any = None) -> Tracer:
        x = strong(a) if dtype is None else a.astype(dtype)
        x = truth(x) if ufunc in (np.logical_and, np.logical_or) else x
        made: Tracer = doubled(ufunc, x, axis_of(axis, a.ndim))
        return made

    return rule


ACCUMULATE[np.add] = np.cumsum
ACCUMULATE[np.multiply] = np.cumprod
for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin, np.logical_and, np.logical_or):
    name = ACCUMULATE[ufunc] = f"{ufunc.__name__}.accumulate"
    FUNCTIONS[name] = running(ufunc)


@implements(np.diff, arrays="a prepend append")
def diff(
    a: Tracer,
    n: int = 1,
    axis: int = -1,
    prepend: Tracer | None = None,
    append: Tracer | None = None,
) -> Tracer:
    if n < 0:
        raise ShapeError(message(f"order {n} of a difference is negative.", "Use n >= 0."))
    if not n:
        return a
    along = axis_of(axis, a.ndim)
    parts = [edge(prepend, a, along), a, edge(append, a, along)]
    x = joined([p for p in parts if p is not None], along)
    for _ in range(n):
        length = x.shape[along]
        later, earlier = cut(x, along, min(1, length), length), cut(x, along, 0, max(length - 1, 0))
        x = tnp.not_equal(later, earlier) if x.dtype == bool else later - earlier
    return x


def edge(part: Tracer | None, x: Tracer, along: int) -> Tracer | None:
    """What goes before or after: a number stands for one slice of it."""
    if part is None or part.shape:
        return part
    shape = tuple([1 if d == along else n for d, n in enumerate(x.shape)])
    return broadcast(strong(part), shape)


@implements(np.ediff1d, arrays="ary to_end to_begin")
def ediff1d(ary: Tracer, to_end: Tracer | None = None, to_begin: Tracer | None = None) -> Tracer:
    flat = reshape(strong(ary), (ary.size,))
    parts = [to_begin, flat[1:] - flat[:-1], to_end]
    given = [tnp.ravel(p) for p in parts if p is not None]
    return joined(converted(given, ary.dtype, "same_kind"), 0)
