"""``x[key]`` and the functions that read at places: take, take_along_axis, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import ops
from tracer import compressed, memory
from tracer.array import Tracer, as_read, constant
from tracer.concrete import fixed
from tracer.emit import (
    astype,
    axis_of,
    broadcast,
    broadcast_shapes,
    emit,
    lift,
    permute,
    reshape,
    strong,
)
from tracer.errors import BoundsError, ShapeError, message
from tracer.fresh import plain
from tracer.numpy.movement import line
from tracer.numpy.table import implements, tnp
from tracer.questions import python_value
from tracer.tables import GETITEM
from tracer.trace import check_alive

Part = Any
Index = Tracer | np.ndarray


def getitem(x: Tracer, key: Any) -> Any:
    """NumPy's basic and integer-array indexing, and boolean masks."""
    check_alive(x)
    key = plain(key)
    masked = compressed.chosen(as_read(x), key)
    if masked is not None:
        return masked
    given = key if isinstance(key, tuple) else (key,)
    if any(is_flag(p) for p in given):
        return flagged(x, given)
    parts, gave_view = expanded(x, given)
    chosen = any(isinstance(p, np.ndarray | Tracer) for p in parts)
    made = advanced(as_read(x), parts) if chosen else basic(as_read(x), parts)
    made = Tracer(made.home, made.value, scalar=not made.shape and not gave_view)
    if chosen or made.scalar:
        return made
    return memory.view(x, made, lambda mould: mould[(*parts, Ellipsis)])


def flagged(x: Tracer, key: tuple[Any, ...]) -> Any:
    """A single bool is the mask of a new axis of one."""
    wide: list[Any] = []
    for p in key:
        if is_flag(p):
            wide.append(None)
        elif p is not None:
            wide += [Ellipsis] if p is Ellipsis else [slice(None)] * len(normal(x, p, -1))
    flags = [np.zeros(int(bool(p)), int) if is_flag(p) else p for p in key]
    return getitem(getitem(x, tuple(wide)), tuple(flags))


def expanded(x: Tracer, key: tuple[Any, ...]) -> tuple[list[Part], bool]:
    """One part for each axis, and None for each new one; whether there was an Ellipsis."""
    parts: list[Part] = []
    widths = [
        0 if p is None or p is Ellipsis else max(np.ndim(p), 1) if is_mask(p) else 1 for p in key
    ]
    for n, part in enumerate(key):
        before = any(p is Ellipsis for p in key[:n])
        axis = x.ndim - sum(widths[n:]) if before else sum(widths[:n])
        parts += normal(x, part, axis)
    dots = [n for n, p in enumerate(parts) if p is Ellipsis]
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if len(dots) > 1 or used > x.ndim:
        raise BoundsError(
            message(f"too many indices for {x!r}: {key!r}.", f"It has {x.ndim} axes.")
        )
    missing = [slice(None)] * (x.ndim - used)
    if dots:
        parts[dots[0] : dots[0] + 1] = missing
    else:
        parts += missing
    return parts, bool(dots)


def is_flag(part: Any) -> bool:
    return isinstance(part, bool | np.bool_) or (is_bools(part) and not part.shape)


def is_mask(part: Any) -> bool:
    return np.asarray(part).dtype == bool if isinstance(part, list) else is_bools(part)


def is_bools(part: Any) -> bool:
    return isinstance(part, Tracer | np.ndarray) and part.dtype == bool


def fits(x: Tracer, mask: np.ndarray, axis: int) -> np.ndarray:
    """The mask, which has the shape of the axes that it is for; axis -1 leaves that open."""
    found = x.shape[axis : axis + mask.ndim]
    if axis >= 0 and len(found) == mask.ndim and found != mask.shape:
        raise BoundsError(
            message(
                f"boolean index of shape {mask.shape} did not match {x!r} from axis {axis} on.",
                "A mask has the shape of the axes that it chooses from.",
            )
        )
    return mask


def normal(x: Tracer, part: Any, axis: int) -> list[Part]:
    """A part as int, slice, None, Ellipsis, or integer array or tracer."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return [part]
    if isinstance(part, int | np.integer):
        return [int(part)]
    if isinstance(part, list):
        part = np.asarray(part)
        part = part.astype(np.int64) if not part.size else part
    if isinstance(part, Tracer) and fixed(part):
        part = constant(part)
        return normal(x, part, axis)
    if isinstance(part, Tracer):
        if part.value.type.dtype != "bool":
            whole(part)
            return [part]
        part = python_value(part, "nonzero")
    if isinstance(part, np.ndarray) and part.dtype == bool:
        return list(fits(x, part, axis).nonzero())
    if isinstance(part, np.ndarray):
        whole(part)
        return [part if part.ndim else int(part)]
    if hasattr(part, "__index__"):
        return [part.__index__()]
    raise BoundsError(
        message(
            f"{type(part).__name__} is no index.",
            "Index with ints, slices, None, Ellipsis, and arrays of ints or bools.",
        )
    )


def whole(part: Any) -> None:
    if part.dtype.kind not in "iu":
        raise BoundsError(
            message(f"an array of {part.dtype} is no index.", "Convert with astype(int).")
        )


def bounded(i: int, n: int, axis: int) -> int:
    """An index counted from the front."""
    if not -n <= i < n:
        raise BoundsError(
            message(
                f"index {i} is out of bounds for axis {axis} with size {n}.",
                f"Indices run from {-n} to {n - 1}." if n else "The axis is empty.",
            )
        )
    return i % n


def basic(x: Tracer, parts: Sequence[Part]) -> Tracer:
    """Ints, slices and new axes: one slice, one reshape."""
    starts, sizes, strides, shape = [], [], [], []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        places = range(n)[part] if isinstance(part, slice) else None
        start = bounded(part, n, axis) if places is None else places.start
        count = 1 if places is None else len(places)
        starts.append(start if count else 0)
        sizes.append(count)
        strides.append(1 if places is None or count < 2 else places.step)
        if places is not None:
            shape.append(count)
        axis += 1
    if tuple(sizes) != x.shape or any(s != 1 for s in strides):
        x = emit(ops.Slice(tuple(starts), tuple(sizes), tuple(strides)), x)
    return reshape(Tracer(x.home, x.value), tuple(shape))


def advanced(x: Tracer, parts: Sequence[Part]) -> Tracer:
    """Integer arrays: the rest by a slice, then one gather, then its axes put in place."""
    spots = [d for d, p in enumerate(parts) if isinstance(p, np.ndarray | Tracer | int)]
    rest = basic(x, [slice(None) if d in spots else p for d, p in enumerate(parts)])
    made = gathered(rest, spots, [parts[d] for d in spots])
    n = made.ndim - (rest.ndim - len(spots))
    adjacent = spots[-1] - spots[0] == len(spots) - 1
    if adjacent and spots[0]:
        before = range(n, n + spots[0])
        made = permute(made, (*before, *range(n), *range(n + spots[0], made.ndim)))
    return Tracer(made.home, made.value, scalar=not made.shape)


def gathered(x: Tracer, axes: Sequence[int], indices: Sequence[Any]) -> Tracer:
    """The elements at the places that the indices name, one for each of the axes."""
    safe = [within(x, i, axis) for axis, i in zip(axes, indices, strict=True)]
    shape = broadcast_shapes(*[i.shape for i in safe])
    return emit(ops.Gather(tuple(axes)), x, *[broadcast(i, shape) for i in safe])


def within(x: Tracer, i: Any, axis: int) -> Tracer:
    """An index operand counted from the front: checked now if it is known, else when run."""
    n = x.shape[axis]
    if not isinstance(i, Tracer):
        found = np.asarray(i, np.int64)
        for wrong in found[(found < -n) | (found >= n)].ravel()[:1]:
            bounded(int(wrong), n, axis)
        return lift(x.home, tnp.where(found < 0, found + n, found))
    place = astype(strong(lift(x.home, i)), "i64")
    inside = (place >= -n) & (place < n)
    gist = f"an index is out of bounds for axis {axis} with size {n}."
    way_out = f"Use indices from {-n} to {n - 1}, or np.clip them." if n else "The axis is empty."
    x.home.emit(ops.Check(gist, way_out), inside.all().value)
    return emit(ops.Select(), place < 0, place + n, place)


GETITEM.append(getitem)


@implements(np.take, arrays="a")
def take(a: Tracer, indices: Any, axis: int | None = None, mode: str = "raise") -> Tracer:
    x, along = line(a, axis)
    places = indices if isinstance(indices, Tracer) else np.asarray(indices)
    n = x.shape[along]
    if mode == "clip":
        places = np.clip(places, 0, n - 1)
    elif mode == "wrap":
        places = np.remainder(places, n)
    places = places if isinstance(places, Tracer) else np.asarray(places)
    return advanced(x, [*[slice(None)] * along, places, *[slice(None)] * (x.ndim - along - 1)])


@implements(np.take_along_axis, arrays="arr")
def take_along_axis(arr: Tracer, indices: Any, axis: int | None = -1) -> Tracer:
    if axis is None:
        arr, axis = reshape(strong(arr), (arr.size,)), 0
    along = axis_of(axis, arr.ndim)
    if np.ndim(indices) != arr.ndim:
        raise ShapeError(
            message(
                f"take_along_axis needs indices of {arr.ndim} axes, got {np.ndim(indices)}.",
                "Add axes with np.expand_dims.",
            )
        )
    grid: list[Any] = []
    for d, n in enumerate(arr.shape):
        shape = tuple([n if d == e else 1 for e in range(arr.ndim)])
        grid.append(indices if d == along else np.arange(n).reshape(shape))
    return gathered(arr, tuple(range(arr.ndim)), grid)


def diagonal_places(rows: int, columns: int, offset: int) -> tuple[np.ndarray, np.ndarray]:
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    first = np.arange(count)
    return first - min(offset, 0), first + max(offset, 0)


@implements(np.diagonal, arrays="a", kind="views")
def diagonal(a: Tracer, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tracer:
    i, j = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    rest = [d for d in range(a.ndim) if d not in (i, j)]
    x = permute(a, (i, j, *rest))
    rows, columns = diagonal_places(x.shape[0], x.shape[1], offset)
    made = gathered(x, (0, 1), (rows, columns))
    return permute(made, (*range(1, made.ndim), 0))


@implements(np.trace, arrays="a")
def trace(a: Tracer, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tracer:
    return tnp.sum(diagonal(a, offset, axis1, axis2), -1, dtype=dtype)


@implements(np.diag, arrays="v", kind="views")
def diag(v: Tracer, k: int = 0) -> Tracer:
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ShapeError(message(f"diag of {v!r}.", "Give a vector or a matrix."))
    if v.dtype == bool:
        return astype(diag(astype(v, "i32"), k), "bool")
    n = v.shape[0] + abs(k)
    rows, columns = diagonal_places(n, n, k)
    blank = Tracer(v.home, v.home.number(0, v.value.type.dtype, (n, n)))
    places = [lift(v.home, rows), lift(v.home, columns)]
    return emit(ops.ScatterAdd((0, 1)), blank, strong(v), *places)


@implements(np.diagflat, arrays="v")
def diagflat(v: Tracer, k: int = 0) -> Tracer:
    return diag(reshape(strong(v), (v.size,)), k)


def triangle(m: Tracer, keep: np.ndarray) -> Tracer:
    return tnp.where(keep, m, m.dtype.type(0))


def triangle_places(m: Tracer, k: int) -> np.ndarray:
    if not m.shape:
        raise ShapeError(message("a 0-d array has no triangle.", "Give a matrix."))
    rows, columns = m.shape[-2:] if m.ndim > 1 else m.shape * 2
    return np.tri(rows, columns, k, bool)


@implements(np.tril, arrays="m")
def tril(m: Tracer, k: int = 0) -> Tracer:
    return triangle(m, triangle_places(m, k))


@implements(np.triu, arrays="m")
def triu(m: Tracer, k: int = 0) -> Tracer:
    return triangle(m, ~triangle_places(m, k - 1))


@implements(np.nonzero, arrays="a")
def nonzero(a: Tracer) -> tuple[np.ndarray, ...]:
    return python_value(a, "nonzero").nonzero()


@implements(np.argwhere, arrays="a")
def argwhere(a: Tracer) -> np.ndarray:
    return np.argwhere(python_value(a, "nonzero"))


@implements(np.flatnonzero, arrays="a")
def flatnonzero(a: Tracer) -> np.ndarray:
    return np.flatnonzero(python_value(a, "nonzero"))
