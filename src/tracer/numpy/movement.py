"""Functions that move elements: shapes, axes, joining, splitting, repeating."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import (
    axes_of,
    axis_of,
    broadcast,
    broadcast_shapes,
    concatenated,
    cut,
    emit,
    permute,
    reshape,
    stacked,
    strong,
)
from tracer.errors import PromotionError, ShapeError, UntracedFunctionError, message
from tracer.numpy.table import implements, tnp


def ints(shape: Any) -> tuple[int, ...]:
    """A shape given as an int, a sequence, or an array of ints."""
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    return tuple([int(n) for n in shape])


def row_major(order: str) -> None:
    if order not in ("C", "K", "A"):
        raise UntracedFunctionError(
            message(f"order={order!r} is not traced.", "Transpose first: np.ravel(x.T).")
        )


@implements(np.shape, arrays="a")
def shape_(a: Tracer) -> tuple[int, ...]:
    return a.shape


@implements(np.ndim, arrays="a")
def ndim_(a: Tracer) -> int:
    return a.ndim


@implements(np.size, arrays="a")
def size_(a: Tracer, axis: Any = None) -> int:
    return prod([a.shape[d] for d in axes_of(axis, a.ndim)])


@implements(np.iscomplexobj, arrays="x")
def iscomplexobj(x: Tracer) -> bool:
    return False


@implements(np.isrealobj, arrays="x")
def isrealobj(x: Tracer) -> bool:
    return True


def line(a: Tracer, axis: int | None) -> tuple[Tracer, int]:
    """An array and its axis to walk along; all elements in one line without an axis.

    A 0-d array has, where NumPy walks along axes, an axis 0 to name.
    """
    if axis is None or (not a.ndim and axis in (0, -1)):
        return reshape(strong(a), (a.size,)), 0
    return strong(a), axis_of(axis, a.ndim)


@implements(np.reshape, arrays="a", kind="views")
def reshape_(a: Tracer, shape: Any, order: str = "C") -> Tracer:
    row_major("F" if order == "K" else order)
    wanted = list(ints(shape))
    known = prod([n for n in wanted if n != -1])
    if wanted.count(-1) == 1 and known and a.size % known == 0:
        wanted[wanted.index(-1)] = a.size // known
    if prod(wanted) != a.size or -1 in wanted:
        raise ShapeError(
            message(
                f"cannot reshape an array of shape {a.shape} into shape {tuple(ints(shape))}.",
                f"The sizes must agree: {a.size} elements.",
            )
        )
    made = reshape(strong(a), tuple(wanted))
    return Tracer(made.home, made.value, scalar=a.scalar and not made.shape)


@implements(np.ravel, arrays="a", kind="views")
def ravel(a: Tracer, order: str = "C") -> Tracer:
    row_major(order)
    return reshape(strong(a), (a.size,))


@implements(np.transpose, arrays="a", kind="views")
def transpose(a: Tracer, axes: Any = None) -> Tracer:
    if axes is None:
        return permute(a, range(a.ndim)[::-1])
    listed = axes_of(tuple(axes), a.ndim)
    if len(listed) != a.ndim:
        raise ShapeError(message(f"axes {axes} do not match {a!r}.", "Name each axis once."))
    return permute(a, listed)


@implements(np.matrix_transpose, arrays="x", kind="views")
def matrix_transpose(x: Tracer) -> Tracer:
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, arrays="a", kind="views")
def swapaxes(a: Tracer, axis1: int, axis2: int) -> Tracer:
    order = list(range(a.ndim))
    i, j = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return permute(a, order)


@implements(np.expand_dims, arrays="a", kind="views")
def expand_dims(a: Tracer, axis: Any) -> Tracer:
    added = axis if isinstance(axis, tuple | list) else (axis,)
    rank = a.ndim + len(added)
    spots, sizes = axes_of(tuple(added), rank), iter(a.shape)
    made = reshape(strong(a), tuple([1 if d in spots else next(sizes) for d in range(rank)]))
    return Tracer(made.home, made.value)


@implements(np.squeeze, arrays="a", kind="views")
def squeeze(a: Tracer, axis: Any = None) -> Tracer:
    ones = [d for d, n in enumerate(a.shape) if n == 1]
    nothing = not a.ndim and axis in (0, -1)  # NumPy lets a 0-d array have such an axis here
    dropped = ones if axis is None or nothing else axes_of(axis, a.ndim)
    if not set(dropped) <= set(ones):
        raise ShapeError(
            message(
                f"cannot squeeze axis {axis} of {a!r}: its size is not 1.", "Squeeze axes of 1."
            )
        )
    made = reshape(strong(a), tuple([n for d, n in enumerate(a.shape) if d not in dropped]))
    return Tracer(made.home, made.value, scalar=a.scalar)


@implements(np.broadcast_to, arrays="array", kind="views")
def broadcast_to(array: Tracer, shape: Any) -> Tracer:
    wanted = ints(shape)
    if broadcast_shapes(array.shape, wanted) != wanted:
        raise ShapeError(
            message(
                f"shape {array.shape} does not broadcast to {wanted}.",
                "Axes are matched from the last; each must be equal, or 1.",
            )
        )
    made = broadcast(strong(array), wanted)
    return Tracer(made.home, made.value)


@implements(np.broadcast_arrays, arrays="args", kind="views")
def broadcast_arrays(*args: Tracer) -> tuple[Tracer, ...]:
    shape = broadcast_shapes(*[x.shape for x in args])
    return tuple([broadcast_to(x, shape) for x in args])


def at_least(rank: int, x: Tracer) -> Tracer:
    """As ``np.atleast_1d`` and its siblings place the new axes."""
    shape = x.shape
    if rank == 3 and len(shape) == 2:
        return reshape(strong(x), (*shape, 1))
    if rank == 3 and len(shape) == 1:
        return reshape(strong(x), (1, *shape, 1))
    return reshape(strong(x), (1,) * (rank - len(shape)) + shape)


def at_least_all(rank: int, arys: Sequence[Tracer]) -> Any:
    made = tuple([at_least(rank, x) for x in arys])
    return made[0] if len(made) == 1 else made


@implements(np.atleast_1d, arrays="arys", kind="views")
def atleast_1d(*arys: Tracer) -> Any:
    return at_least_all(1, arys)


@implements(np.atleast_2d, arrays="arys", kind="views")
def atleast_2d(*arys: Tracer) -> Any:
    return at_least_all(2, arys)


@implements(np.atleast_3d, arrays="arys", kind="views")
def atleast_3d(*arys: Tracer) -> Any:
    return at_least_all(3, arys)


def joined(xs: Sequence[Tracer], axis: int) -> Tracer:
    """End to end, with an error that shows the shapes."""
    along = axis_of(axis, xs[0].ndim)
    rest = {x.shape[:along] + x.shape[along + 1 :] for x in xs}
    if len(rest) > 1 or len({x.ndim for x in xs}) > 1:
        raise ShapeError(
            message(
                f"arrays of shapes {', '.join(str(x.shape) for x in xs)} cannot be joined along"
                f" axis {axis}.",
                "All other axes must agree.",
            )
        )
    return concatenated([strong(x) for x in xs], along)


def converted(xs: Sequence[Tracer], dtype: Any, casting: str) -> list[Tracer]:
    """Each array in the dtype asked for, if the kind of casting allows that."""
    for x in xs:
        if dtype is not None and not np.can_cast(x.dtype, dtype, casting):  # type: ignore[arg-type]
            raise PromotionError(
                message(
                    f"cannot cast {x.dtype} to {np.dtype(dtype)} by the rule {casting!r}.",
                    "Use casting='unsafe', or x.astype(...).",
                )
            )
    return list(xs) if dtype is None else [x.astype(dtype) for x in xs]


@implements(np.concatenate, lists="arrays")
def concatenate(
    arrays: list[Tracer], axis: int | None = 0, dtype: Any = None, casting: str = "same_kind"
) -> Tracer:
    xs = converted(arrays, dtype, casting)
    return joined([ravel(x) for x in xs] if axis is None else xs, axis or 0)


@implements(np.stack, lists="arrays")
def stack(
    arrays: list[Tracer], axis: int = 0, dtype: Any = None, casting: str = "same_kind"
) -> Tracer:
    made = stacked(arrays[0].home, converted(arrays, dtype, casting))
    spot = axis_of(axis, made.ndim)
    order = list(range(1, made.ndim))
    order.insert(spot, 0)
    return permute(made, order)


@implements(np.vstack, lists="tup")
def vstack(tup: list[Tracer], dtype: Any = None, casting: str = "same_kind") -> Tracer:
    return joined([at_least(2, x) for x in converted(tup, dtype, casting)], 0)


@implements(np.hstack, lists="tup")
def hstack(tup: list[Tracer], dtype: Any = None, casting: str = "same_kind") -> Tracer:
    xs = [at_least(1, x) for x in converted(tup, dtype, casting)]
    return joined(xs, 0 if xs[0].ndim == 1 else 1)


@implements(np.dstack, lists="tup")
def dstack(tup: list[Tracer]) -> Tracer:
    return joined([at_least(3, x) for x in tup], 2)


@implements(np.column_stack, lists="tup")
def column_stack(tup: list[Tracer]) -> Tracer:
    return joined([transpose(at_least(2, x)) if x.ndim < 2 else x for x in tup], 1)


@implements(np.append, arrays="arr values")
def append(arr: Tracer, values: Tracer, axis: int | None = None) -> Tracer:
    if axis is None:
        return joined([ravel(arr), ravel(values)], 0)
    return joined([arr, values], axis)


@implements(np.flip, arrays="m", kind="views")
def flip(m: Tracer, axis: Any = None) -> Tracer:
    for d in axes_of(axis, m.ndim):
        if m.shape[d]:
            m = cut(m, d, m.shape[d] - 1, -1, -1)
    return Tracer(m.home, m.value, scalar=not m.shape)


@implements(np.fliplr, arrays="m", kind="views")
def fliplr(m: Tracer) -> Tracer:
    return flip(m, 1)


@implements(np.flipud, arrays="m", kind="views")
def flipud(m: Tracer) -> Tracer:
    return flip(m, 0)


@implements(np.rot90, arrays="m", kind="views")
def rot90(m: Tracer, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tracer:
    first, second = axes_of(tuple(axes), m.ndim)
    if k % 4 == 0:
        return m
    if k % 4 == 2:
        return flip(m, (first, second))
    return flip(swapaxes(m, first, second), first if k % 4 == 1 else second)


@implements(np.roll, arrays="a")
def roll(a: Tracer, shift: Any, axis: Any = None) -> Tracer:
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, d in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        along = axis_of(d, a.ndim)
        n = a.shape[along]
        if n and by % n:
            a = joined([cut(a, along, n - by % n, n), cut(a, along, 0, n - by % n)], along)
    return a


@implements(np.tile, arrays="A")
def tile(A: Tracer, reps: Any) -> Tracer:
    counts = ints(reps)
    rank = max(A.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - A.ndim) + A.shape
    wide = tuple([n for pair in zip(counts, shape, strict=True) for n in pair])
    spread = emit(ops.Broadcast(wide, tuple(range(1, 2 * rank, 2))), reshape(strong(A), shape))
    return reshape(spread, tuple([c * n for c, n in zip(counts, shape, strict=True)]))


@implements(np.repeat, arrays="a")
def repeat(a: Tracer, repeats: Any, axis: int | None = None) -> Tracer:
    x, along = line(a, axis)
    where = np.repeat(np.arange(x.shape[along]), repeats)
    return tnp.take(x, where, along)


def pad_widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """How much goes before and after each axis; a dict names some of the axes."""
    if isinstance(pad_width, dict):
        given = {axis_of(d, ndim): w for d, w in pad_width.items()}
        pairs = [np.broadcast_to(given.get(d, 0), 2) for d in range(ndim)]
        pad_width = np.reshape(pairs, (ndim, 2))
    widths = np.asarray(pad_width)
    if widths.dtype.kind != "i":
        raise TypeError(message(f"pad_width is of {widths.dtype}.", "Use ints."))
    if (widths < 0).any():
        raise ShapeError(message("pad_width holds negative numbers.", "Use a slice to cut."))
    return [(int(low), int(high)) for low, high in np.broadcast_to(widths, (ndim, 2)).tolist()]


@implements(np.pad, arrays="array")
def pad(array: Tracer, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Tracer:
    widths = pad_widths(pad_width, array.ndim)
    before, after = tuple([w[0] for w in widths]), tuple([w[1] for w in widths])
    if mode == "constant":
        padded = emit(ops.Pad(before, after), strong(array))
        if (type(constant_values) is int and not constant_values) or not padded.shape:
            return padded
        inside = np.pad(np.ones(array.shape, bool), widths)
        if isinstance(constant_values, Tracer) and not constant_values.shape:
            return tnp.where(inside, padded, constant_values.astype(array.dtype))
        blank = np.zeros(array.shape, array.dtype)
        values = np.pad(blank, widths, "constant", constant_values=constant_values)
        return tnp.where(inside, padded, values)
    if mode in ("edge", "wrap", "reflect", "symmetric"):
        for d, (low, high) in enumerate(widths):
            places = np.pad(np.arange(array.shape[d]), (low, high), mode)  # type: ignore[call-overload]
            array = tnp.take(array, places, d)
        return Tracer(array.home, array.value)
    raise UntracedFunctionError(
        message(
            f"np.pad with mode={mode!r} is not traced.",
            "Modes: constant, edge, wrap, reflect, symmetric.",
        )
    )


def in_numpy(func: Any) -> None:
    """NumPy's own Python code for the function traces as it is."""
    plain = func.__wrapped__
    implements(func, arrays=("ary" if "split" in func.__name__ else "a"), kind="traces")(plain)


for func in (np.moveaxis, np.rollaxis, np.array_split, np.split, np.hsplit, np.vsplit, np.dsplit):
    in_numpy(func)
