"""Places in sorted arrays, interpolation, integrals, slopes and phases."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import axes_of, axis_of, cut, promoted, reshape, strong
from tracer.errors import PromotionError, ShapeError, UntracedFunctionError, message
from tracer.numpy.movement import joined
from tracer.numpy.scans import cumprod, cumsum, diff
from tracer.numpy.table import implements, tnp


def below(x: Tracer, y: Tracer, equal: bool) -> Tracer:
    """Whether x sorts before y, or with it; nan sorts last."""
    made = tnp.less_equal(x, y) if equal else tnp.less(x, y)
    if x.dtype.kind != "f":
        return made
    last = tnp.isnan(y) if equal else tnp.isnan(y) & tnp.logical_not(tnp.isnan(x))
    return tnp.logical_or(made, last)


@implements(np.searchsorted, arrays="a v")
def searchsorted(a: Tracer, v: Tracer, side: str = "left", sorter: Any = None) -> Tracer:
    """All places at once, by halving: log2(n) steps, each one gather."""
    if a.ndim != 1 or side not in ("left", "right"):
        raise ShapeError(
            message(f"searchsorted in {a!r} with side={side!r}.", "Use a vector, left or right.")
        )
    places, x = promoted([strong(a if sorter is None else tnp.take(a, sorter)), strong(v)])
    n = places.shape[0]
    low, high = tnp.zeros_like(x, np.int64), tnp.full_like(x, n, np.int64)
    for _ in range(n.bit_length()):
        middle = (low + high) // 2
        later = below(tnp.take(places, tnp.minimum(middle, n - 1)), x, side == "right")
        later = later & (low < high)
        high = tnp.where(later | (low >= high), high, middle)
        low = tnp.where(later, middle + 1, low)
    return Tracer(low.home, low.value, scalar=not low.shape)


@implements(np.digitize, arrays="x")
def digitize(x: Tracer, bins: Any, right: bool = False) -> Tracer:
    if isinstance(bins, Tracer):
        raise UntracedFunctionError(
            message("digitize does not take traced bins.", "Use np.searchsorted(bins, x).")
        )
    edges = np.asarray(bins)
    np.digitize(edges[:0], edges)  # refuses bins that neither rise nor fall
    side = "left" if right else "right"
    if len(edges) > 1 and edges[0] > edges[-1]:
        return len(edges) - tnp.searchsorted(edges[::-1], x, side)
    return tnp.searchsorted(edges, x, side)


@implements(np.interp, arrays="x xp fp left right")
def interp(
    x: Tracer,
    xp: Tracer,
    fp: Tracer,
    left: Tracer | None = None,
    right: Tracer | None = None,
) -> Tracer:
    """Piecewise linear between the points, constant outside; in f64, as NumPy's."""
    x, xp, fp = (strong(v).astype(np.float64) for v in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ShapeError(message(f"interp of points {xp!r}, {fp!r}.", "Use vectors of one length."))
    n = xp.shape[0]
    first, last = fp[0] if left is None else left, fp[-1] if right is None else right
    made = tnp.full_like(x, fp[0])
    if n > 1:
        at = tnp.clip(searchsorted(xp, x, "right") - 1, 0, n - 2)
        x1, x2, y1, y2 = xp[at], xp[at + 1], fp[at], fp[at + 1]
        made = (y2 - y1) / tnp.where(x1 == x2, 1.0, x2 - x1) * (x - x1) + y1
        made = tnp.where(x == xp[-1], fp[-1], made)
    made = tnp.where(x < xp[0], first, tnp.where(x > xp[-1], last, made))
    made = tnp.where(tnp.isnan(x), x, made)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.trapezoid, arrays="y x dx")
def trapezoid(y: Tracer, x: Tracer | None = None, dx: Any = 1.0, axis: int = -1) -> Tracer:
    along = axis_of(axis, y.ndim)
    width = dx
    if x is not None:
        width = diff(x, axis=axis) if x.ndim != 1 else on_axis(diff(x), along, y.ndim)
    n = y.shape[along]
    ends = cut(y, along, min(1, n), n) + cut(y, along, 0, max(n - 1, 0))
    return tnp.sum(width * ends / 2.0, along)


def on_axis(x: Tracer, along: int, ndim: int) -> Tracer:
    """A vector laid along one of the axes."""
    return reshape(strong(x), tuple([x.size if d == along else 1 for d in range(ndim)]))


@implements(np.unwrap, arrays="p")
def unwrap(p: Tracer, discont: Any = None, axis: int = -1, period: Any = 2 * np.pi) -> Tracer:
    """Jumps of more than half a period are made less by whole periods."""
    step = diff(p, axis=axis)
    high, on_border = period / 2, True
    if np.result_type(step.dtype, period).kind == "i":
        high, rest = divmod(period, 2)
        on_border = rest == 0
    less = tnp.remainder(step + high, period) - high
    if on_border:
        less = tnp.where((less == -high) & (step > 0), high, less)
    correction = tnp.where(abs(step) < (period / 2 if discont is None else discont), 0, less - step)
    along = axis_of(axis, p.ndim)
    n = p.shape[along]
    later = cut(p, along, min(1, n), n) + cumsum(correction, axis)
    dtype = np.result_type(step.dtype, period)
    made: Tracer = joined([cut(p, along, 0, min(1, n)), later], along).astype(dtype)
    return made


@implements(np.gradient, arrays="f")
def gradient(f: Tracer, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences of second order, and one-sided ones at the edges."""
    axes = axes_of(axis, f.ndim)
    if f.dtype == bool:
        raise PromotionError(message("bools have no slope.", "Convert with astype(float)."))
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(message("gradient got too many spacings.", "Give one for each axis."))
    if edge_order not in (1, 2):
        raise ShapeError(message(f"edge_order={edge_order} is not traced.", "Use 1 or 2."))
    spacings = varargs if len(varargs) > 1 else (varargs or (1.0,)) * len(axes)
    x = strong(f) if f.dtype.kind == "f" else f.astype(np.float64)
    made = tuple([slope(x, d, h, edge_order) for d, h in zip(axes, spacings, strict=True)])
    return made[0] if len(axes) == 1 else made


def slope(f: Tracer, along: int, spacing: Any, order: int) -> Tracer:
    n = f.shape[along]
    if n < order + 1:
        raise ShapeError(
            message(f"axis {along} of {f!r} is too short for a slope.", f"It needs {order + 1}.")
        )
    if np.ndim(spacing) and np.shape(spacing) != (n,):
        raise ShapeError(message(f"{np.shape(spacing)} places for {n} elements.", "Give as many."))

    def value(i: int) -> Tracer:
        return cut(f, along, i % n, i % n + 1)

    back, here, ahead = cut(f, along, 0, n - 2), cut(f, along, 1, n - 1), cut(f, along, 2, n)
    if not np.ndim(spacing):
        inner = (ahead - back) / (2.0 * spacing)
        widths: Any = [spacing] * max(n - 1, 2)
    else:
        widths = tnp.diff(spacing) if isinstance(spacing, Tracer) else np.diff(spacing)
        d1, d2 = widths[:-1], widths[1:]
        weights = [-d2 / (d1 * (d1 + d2)), (d2 - d1) / (d1 * d2), d1 / (d2 * (d1 + d2))]
        shape = [-1 if d == along else 1 for d in range(f.ndim)]
        a, b, c = (w.reshape(shape) for w in weights)
        inner = a * back + b * here + c * ahead
    if order == 1:
        first = (value(1) - value(0)) / widths[0]
        last = (value(-1) - value(-2)) / widths[-1]
    else:
        first = one_sided(value(0), value(1), value(2), widths[0], widths[1])
        last = -one_sided(value(-1), value(-2), value(-3), widths[-1], widths[-2])
    made: Tracer = joined([first, inner, last], along).astype(f.dtype)
    return made


def one_sided(y0: Tracer, y1: Tracer, y2: Tracer, d1: Any, d2: Any) -> Tracer:
    """The slope at y0, of second order, with the next values d1 and then d2 away."""
    a = -(2.0 * d1 + d2) / (d1 * (d1 + d2))
    made: Tracer = a * y0 + (d1 + d2) / (d1 * d2) * y1 - d1 / (d2 * (d1 + d2)) * y2
    return made


def cumulative(fold: Any, neutral: int) -> Any:
    def rule(
        x: Tracer, axis: int | None = None, dtype: Any = None, include_initial: bool = False
    ) -> Tracer:
        if axis is None and x.ndim > 1:
            raise ShapeError(message(f"{x!r} has several axes.", "Name one with axis=."))
        made: Tracer = fold(x if x.ndim else reshape(x, (1,)), axis or 0, dtype)
        if not include_initial:
            return made
        along = axis_of(axis or 0, made.ndim)
        shape = tuple([1 if d == along else n for d, n in enumerate(made.shape)])
        return joined([tnp.full_like(made, neutral, shape=shape), made], along)

    return rule


if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    implements(np.cumulative_sum, arrays="x")(cumulative(cumsum, 0))
    implements(np.cumulative_prod, arrays="x")(cumulative(cumprod, 1))
