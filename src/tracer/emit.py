"""From operands of any kind to equations: the words that ``tracer.numpy`` is written in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from ir.types import UnsupportedDTypeError
from tracer.array import Tracer, as_read
from tracer.errors import (
    AxisError,
    PromotionError,
    ShapeError,
    SubclassError,
    message,
    untraced_dtype,
)
from tracer.promote import Tag, common
from tracer.trace import Trace, check_alive


def tracers_in(x: Any) -> Iterable[Tracer]:
    """The tracers in an argument, those in lists and tuples too."""
    if type(x) is Tracer:
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from tracers_in(item)
    elif isinstance(x, dict):
        yield from tracers_in(list(x.values()))


def owner(*operands: Any) -> Trace | None:
    """The youngest trace among the operands': equations on them go there."""
    youngest: Trace | None = None
    for x in tracers_in(operands):
        check_alive(x)
        if youngest is None or x.home.level > youngest.level:
            youngest = x.home
    return youngest


def lift(trace: Trace, x: Any) -> Tracer:
    """Anything array-like as a tracer of the trace."""
    if type(x) is Tracer:
        return as_read(x if x.home is trace else Tracer(trace, trace.enter(x), x.weak, x.scalar))
    if isinstance(x, bool):
        return Tracer(trace, trace.number(x, "bool", ()), scalar=True)
    if isinstance(x, float) and not isinstance(x, np.generic):
        return Tracer(trace, trace.number(x, "f64", ()), weak=True, scalar=True)
    if isinstance(x, int):
        return Tracer(trace, trace.number(x, "i64", ()), weak=True, scalar=True)
    if isinstance(x, list | tuple) and any(True for _ in tracers_in(x)):
        return stacked(trace, [lift(trace, item) for item in x])
    if hasattr(type(x), "constant"):
        return Tracer(trace, x.constant(trace))
    settle = getattr(type(x), "materialised", None)
    if settle is not None:
        return lift(trace, settle(x))
    refuse_subclass(x)
    array = np.asarray(x)
    try:
        return Tracer(trace, trace.capture(array), scalar=isinstance(x, np.generic))
    except UnsupportedDTypeError as error:
        raise untraced_dtype(array.dtype, f"{error}.") from None


def refuse_subclass(x: Any) -> None:
    """Of ndarray's subclasses only memmap computes as ndarray does."""
    if isinstance(x, np.ndarray) and type(x) not in (np.ndarray, np.memmap):
        raise SubclassError(
            message(
                f"{type(x).__name__} is not traced: its arithmetic is not that of ndarray.",
                "Pass x.filled(...) of a masked array, or np.asarray(x).",
            )
        )


def emit(op: Op, *xs: Tracer, scalar: bool = False) -> Tracer:
    """The op on tracers of one trace, as a tracer."""
    trace = xs[0].home
    return Tracer(trace, trace.emit(op, *[x.value for x in xs]), scalar=scalar)


def tag(x: Tracer) -> Tag:
    """What promotion asks about an operand."""
    if x.weak:
        return {"float": float, "int": int}.get(x.value.type.info.kind, bool)
    return x.value.type.dtype


def astype(x: Tracer, dtype: str) -> Tracer:
    if x.value.type.dtype == dtype:
        return as_read(x)
    op = x.home.constants.get(x.value)
    if isinstance(op, ops.Constant):
        return Tracer(x.home, x.home.number(op.value, dtype, op.shape), scalar=x.scalar)
    made = emit(ops.Convert(dtype), x)
    made.scalar = x.scalar
    return made


def number(x: Tracer, value: float, dtype: str | None = None) -> Tracer:
    """A constant of the tracer's shape and dtype, or of another dtype."""
    type = x.value.type
    return Tracer(x.home, x.home.number(value, dtype or type.dtype, type.shape))


def strong(x: Tracer) -> Tracer:
    return Tracer(x.home, x.value, False, x.scalar) if x.weak else x


def promoted(xs: Sequence[Tracer]) -> list[Tracer]:
    """The tracers in the one dtype that NumPy gives arrays of theirs."""
    try:
        dtype = common(*[tag(x) for x in xs])
    except TypeError as error:
        raise PromotionError(message(f"{error}.", "Convert with .astype first.")) from None
    return [astype(x, dtype) for x in xs]


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(
            message(
                f"shapes {listed} do not broadcast together.",
                "Axes are matched from the last; each pair must be equal, or one of them 1.",
            )
        ) from None


def broadcast(x: Tracer, shape: tuple[int, ...]) -> Tracer:
    """The tracer repeated to the shape, as NumPy broadcasts."""
    own = x.shape
    if own == shape:
        return x
    op = x.home.constants.get(x.value)
    if isinstance(op, ops.Constant):
        return Tracer(x.home, x.home.number(op.value, op.dtype, shape))
    lead = len(shape) - len(own)
    dims = tuple([d + lead for d, n in enumerate(own) if n == shape[d + lead]])
    if len(dims) < len(own):
        x = reshape(x, tuple([shape[d] for d in dims]))
    return emit(ops.Broadcast(shape, dims), x) if dims != tuple(range(len(shape))) else x


def broadcast_together(xs: Sequence[Tracer]) -> list[Tracer]:
    shape = broadcast_shapes(*[x.shape for x in xs])
    return [broadcast(x, shape) for x in xs]


def reshape(x: Tracer, shape: tuple[int, ...]) -> Tracer:
    return x if x.shape == shape else moved(ops.Reshape(shape), x)


def permute(x: Tracer, perm: Sequence[int]) -> Tracer:
    axes = tuple(perm)
    return x if axes == tuple(range(x.ndim)) else moved(ops.Permute(axes), x)


def moved(op: Op, x: Tracer) -> Tracer:
    """A scalar stays one where NumPy's method of a scalar gives a scalar."""
    made = emit(op, x)
    made.scalar = x.scalar and not made.shape
    return made


def cut(x: Tracer, axis: int, start: int, stop: int, step: int = 1) -> Tracer:
    """``x[..., start:stop:step, ...]`` along one axis; the bounds are within the axis."""
    starts, sizes, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], sizes[axis], strides[axis] = start, len(range(start, stop, step)), step
    if tuple(sizes) == x.shape and step == 1:
        return x
    return emit(ops.Slice(tuple(starts), tuple(sizes), tuple(strides)), x)


def concatenated(xs: Sequence[Tracer], axis: int) -> Tracer:
    return xs[0] if len(xs) == 1 else emit(ops.Concatenate(axis), *promoted(xs))


def stacked(trace: Trace, xs: Sequence[Tracer]) -> Tracer:
    """The tracers along a new leading axis; all of one shape."""
    shapes = {x.shape for x in xs}
    if len(shapes) != 1:
        raise ShapeError(
            message(
                f"arrays of shapes {sorted(shapes)} cannot be stacked.",
                "All must have the same shape.",
            )
        )
    return concatenated([reshape(strong(x), (1, *x.shape)) for x in xs], 0)


def axis_of(axis: Any, ndim: int) -> int:
    """An axis counted from the front."""
    found = int(axis)
    if not -ndim <= found < ndim:
        raise AxisError(
            message(
                f"axis {found} is out of bounds for an array of {ndim} dimensions.",
                f"Axes run from {-ndim} to {ndim - 1}." if ndim else "A 0-d array has no axes.",
            )
        )
    return found % ndim


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that ``axis=None``, an int or a tuple names."""
    if axis is None:
        return tuple(range(ndim))
    listed = axis if isinstance(axis, tuple | list) else (axis,)
    found = tuple([axis_of(a, ndim) for a in listed])
    if len(set(found)) < len(found):
        raise ShapeError(message(f"axis {axis} names an axis twice.", "Name each axis once."))
    return found
