"""``y[key] = item``, and the ufuncs' ``at``: writes at places that a key names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from tracer import compressed
from tracer.array import Tracer, as_read
from tracer.compressed import Compressed
from tracer.emit import (
    astype,
    broadcast,
    broadcast_shapes,
    lift,
    permute,
    reshape,
    strong,
    tracers_in,
)
from tracer.errors import BoundsError, ShapeError, UntracedFunctionError, message
from tracer.fresh import plain
from tracer.layout import appended
from tracer.memory import Place, target, writable
from tracer.numpy.indexing import bounded, expanded, is_flag, is_mask, within
from tracer.numpy.table import tnp
from tracer.tables import FUNCTIONS, UFUNCS
from tracer.trace import Trace


def appended_on(trace: Trace, op: Op, *xs: Tracer) -> Tracer:
    return Tracer(trace, appended(trace, op, *[x.value for x in xs]))


class Spot:
    """The places of an array that a key names: a region of its memory, and indices into it."""

    def __init__(self, x: Tracer, place: Place, key: Any) -> None:
        given = key if isinstance(key, tuple) else (key,)
        if any(is_flag(p) for p in given):
            raise BoundsError(message("a bool as one of several indices.", "Use np.where."))
        parts, _ = expanded(x, given)
        arrays = any(isinstance(p, np.ndarray | Tracer) for p in parts)
        spots = [
            d for d, p in enumerate(parts) if isinstance(p, np.ndarray | Tracer | int) and arrays
        ]
        basic = [slice(None) if d in spots else p for d, p in enumerate(parts)]
        sizes = iter(range(x.ndim))
        for part in basic:
            axis = 0 if part is None else next(sizes)
            if isinstance(part, int):
                bounded(part, x.shape[axis], axis)
        self.memory = place.memory
        self.region: np.ndarray = place.mould[(*basic, Ellipsis)]
        self.shape: tuple[int, ...] = self.region.shape
        self.axes: tuple[int, ...] = ()
        if arrays:
            self.name([parts[d] for d in spots], tuple(spots))

    def name(self, indices: Sequence[Any], axes: tuple[int, ...]) -> None:
        """Integer arrays choose among the places of these axes of the region."""
        trace, rank = self.memory.home, len(self.shape)
        stand_in = Tracer(trace, trace.number(0, "bool", self.shape))
        safe = [within(stand_in, i, a) for a, i in zip(axes, indices, strict=True)]
        named = broadcast_shapes(*[i.shape for i in safe])
        self.indices = [broadcast(i, named) for i in safe]
        kept = [d for d in range(rank) if d not in axes]
        adjacent = axes[-1] - axes[0] == len(axes) - 1
        first = axes[0] if adjacent else 0
        sizes = [self.shape[d] for d in kept]
        self.shape = (*sizes[:first], *named, *sizes[first:])
        self.first, self.named, self.axes = first, len(named), axes

    def fitted(self, item: Any, dtype: str) -> Tracer:
        """The item in the dtype, and repeated to the places as NumPy assigns."""
        y = astype(strong(lift(self.memory.home, item)), dtype)
        return repeated(y, self.shape)

    def write(self, y: Tracer, op: Callable[..., Op] = ops.ScatterUpdate) -> None:
        """The fitted tracer in the places, or added to them."""
        memory = self.memory
        if self.axes:
            order = [*range(self.first, self.first + self.named)]
            order = [*order, *[d for d in range(y.ndim) if d not in order]]
            rest = memory.read(self.region)
            if not y.size:
                return
            y = appended_on(memory.home, op(self.axes), rest, permute(y, order), *self.indices)
        memory.write(self.region, y.value)


def repeated(y: Tracer, shape: tuple[int, ...]) -> Tracer:
    """Broadcast for an assignment, which drops leading axes of one."""
    extra = max(y.ndim - len(shape), 0)
    if extra and set(y.shape[:extra]) == {1}:
        y = reshape(y, y.shape[extra:])
    try:
        fits = np.broadcast_shapes(y.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            message(
                f"could not broadcast input array from shape {y.shape} into shape {shape}.",
                "Axes are matched from the last; each must be equal, or 1.",
            )
        )
    return broadcast(y, shape)


def setitem(x: Tracer, key: Any, item: Any) -> None:
    """``x[key] = item``: the item in x's dtype, whatever that loses, as in NumPy."""
    if x.scalar or x.weak:
        raise TypeError(
            message("a number does not support item assignment.", "Use np.where, or an array.")
        )
    key = plain(key)
    place = writable(x, key, item)
    if type(item) is Tracer and same_places(item, place, key):
        return
    if is_one_mask(x, key) and masked(x, place, key, item):
        return
    spot = Spot(x, place, key)
    if type(item) is Compressed:
        item = item.materialised()
    spot.write(spot.fitted(item, x.value.type.dtype))


def same_places(item: Tracer, place: Place, key: Any) -> bool:
    """Whether the item is ``x[key]`` itself, as after ``x[key] += 1``: there is nothing to do."""
    if item.store is None or item.store.memory is not place.memory or item.store.still:
        return False
    if any(True for _ in tracers_in(key)):
        return False
    try:
        region = place.mould[key]
    except (IndexError, TypeError):
        return False
    mine = item.store.mould
    return bool(
        isinstance(region, np.ndarray)
        and (region.shape, region.strides) == (mine.shape, mine.strides)
        and region.__array_interface__["data"] == mine.__array_interface__["data"]
    )


def is_one_mask(x: Tracer, key: Any) -> bool:
    """Whether the key is one mask of the array's first axes, or one bool."""
    if isinstance(key, tuple):
        return len(key) == 1 and is_one_mask(x, key[0])
    return is_flag(key) or (is_mask(key) and np.shape(key) == x.shape[: np.ndim(key)])


def masked(x: Tracer, place: Place, key: Any, item: Any) -> bool:
    """``x[mask] = item`` as a choice; False where the item's elements must be counted."""
    mask = lift(place.memory.home, key[0] if isinstance(key, tuple) else key)
    if type(item) is Compressed:
        if not compressed.same(item.mask, mask) or item.whole.shape != x.shape:
            return False
        item = item.whole
        shape = x.shape
    else:
        shape = x.shape[mask.ndim :]
        if np.ndim(item) > len(shape):
            return False
    y = astype(strong(lift(place.memory.home, item)), x.value.type.dtype)
    chosen(x, place, reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim)), repeated(y, shape))
    return True


def chosen(x: Tracer, place: Place, mask: Tracer, y: Tracer) -> None:
    """The tracer where the mask holds, what was there where it does not."""
    memory = place.memory
    old = memory.read(place.mould)
    wide = [broadcast(z, x.shape) for z in (mask, y)]
    made = appended_on(memory.home, ops.Select(), *wide, old)
    memory.write(place.mould, made.value)


FUNCTIONS["setitem"] = setitem
FUNCTIONS["choose into"] = chosen


def at(ufunc: Any, a: Any, indices: Any, *operands: Any) -> None:
    """``ufunc.at``: in place, and once for each time that a place is named."""
    x, indices = target(a, indices, operands), plain(indices)
    place = writable(x, indices, *operands)
    spot = Spot(x, place, indices)
    dtype = x.value.type.dtype
    sign = {np.add: 1, np.subtract: -1}.get(ufunc)
    if sign and spot.axes and x.dtype.kind in "if":
        y = spot.fitted(operands[0], dtype)
        spot.write(y if sign > 0 else UFUNCS[np.negative](y), ops.ScatterAdd)
        return
    if not spot.axes or once(spot):
        old = as_read(x)[indices]
        spot.write(spot.fitted(UFUNCS[ufunc](old, *operands), dtype))
        return
    trace = place.memory.home
    given = [repeated(strong(lift(trace, y)), spot.shape) for y in operands]
    for n in np.ndindex(spot.indices[0].shape):
        where = n if len(n) == len(spot.shape) else (*[slice(None)] * spot.first, *n)
        one = element(x, indices, n)
        x[one] = UFUNCS[ufunc](x[one], *[y[where] for y in given])


def once(spot: Spot) -> bool:
    """Whether the indices are known, and name no place twice."""
    constants = spot.memory.home.constants
    if not all(i.value in constants for i in spot.indices):
        return False
    known = [constants[i.value].reference().ravel() for i in spot.indices]
    named = set(zip(*[k.tolist() for k in known], strict=True))
    return bool(len(named) == known[0].size)


def element(x: Tracer, indices: Any, n: tuple[int, ...]) -> tuple[Any, ...]:
    """The key of the n-th place that integer arrays name."""
    parts, _ = expanded(x, indices if isinstance(indices, tuple) else (indices,))
    arrays = [p for p in parts if isinstance(p, np.ndarray | Tracer)]
    if any(p is None for p in parts) or not arrays:
        raise UntracedFunctionError(
            message("new axes in the indices of ufunc.at.", "Index with arrays and slices.")
        )
    shape = np.broadcast_shapes(*[p.shape for p in arrays])
    return tuple(
        [tnp.broadcast_to(p, shape)[n] if isinstance(p, np.ndarray | Tracer) else p for p in parts]
    )


FUNCTIONS["at"] = at
