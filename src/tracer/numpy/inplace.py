"""NumPy functions that write to their argument: copyto, put, place, fill_diagonal; ``y.flat``."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import astype, lift, strong
from tracer.errors import CastingError, ShapeError, message
from tracer.memory import target, writable
from tracer.numpy.assignment import chosen, repeated
from tracer.numpy.elementwise import truth
from tracer.numpy.table import implements, tnp
from tracer.tables import FUNCTIONS


@implements(np.copyto, kind="writes")
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    x = target(dst, src, where)
    place = writable(x, src, where)
    y = lift(place.memory.home, src)
    if not y.weak and not np.can_cast(y.dtype, x.dtype, casting):
        raise CastingError(
            message(
                f"Cannot cast array data from {y.dtype} to {x.dtype} according to the rule"
                f" {casting!r}.",
                "Use casting='unsafe', or src.astype(dst.dtype).",
            )
        )
    if where is True:
        x[...] = y
        return
    mask = truth(lift(place.memory.home, where))
    dtype = x.value.type.dtype
    chosen(x, place, repeated(mask, x.shape), repeated(astype(strong(y), dtype), x.shape))


def cycled(values: Any, places: Any, x: Tracer) -> Any:
    """The values over and over, each for the place of its number."""
    y = values if isinstance(values, Tracer) else np.asarray(values)
    y = y.reshape(-1)
    if not y.size:
        raise ShapeError(message("there are no values to write.", "Give at least one."))
    return y[places % y.size] if y.size > 1 else y.reshape(())


@implements(np.put, kind="writes")
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """``a.flat[ind] = v``, the values over and over."""
    x = target(a, ind, v)
    places = ind if isinstance(ind, Tracer) else np.asarray(ind, np.int64)
    places = places.reshape(-1)
    if not places.size:
        return
    if mode == "clip":
        places = np.clip(places, 0, x.size - 1)
    elif mode == "wrap":
        places = places % x.size
    x.flat[places] = cycled(v, np.arange(places.size), x)


@implements(np.putmask, kind="writes")
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Each value goes, where the mask holds, to the place of its own number."""
    x = target(a, mask, values)
    y = cycled(values, np.arange(x.size), x)
    y = y.reshape(x.shape) if np.ndim(y) else y
    place = writable(x, mask, values)
    home = place.memory.home
    y = astype(strong(lift(home, y)), x.value.type.dtype)
    chosen(x, place, truth(lift(home, mask)).reshape(x.shape), repeated(y, x.shape))


@implements(np.place, kind="writes")
def place_(arr: Any, mask: Any, vals: Any) -> None:
    """The n-th place where the mask holds gets the n-th value, counted round and round."""
    x = target(arr, mask, vals)
    flags = tnp.ravel(truth(lift(writable(x, mask, vals).memory.home, mask)))
    number = tnp.maximum(tnp.cumsum(flags) - 1, 0)
    y = vals if isinstance(vals, Tracer) else np.asarray(vals)
    y = y.reshape(-1)
    putmask(x, flags, y[number % y.size])


@implements(np.put_along_axis, kind="writes")
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    x = target(arr, indices, values)
    if axis is None:
        x.flat[indices] = values
        return
    along = axis % x.ndim
    shape = np.shape(indices)
    if len(shape) != x.ndim:
        raise ShapeError(
            message(
                f"put_along_axis needs indices of {x.ndim} axes, got {len(shape)}.",
                "Add axes with np.expand_dims.",
            )
        )
    key: list[Any] = []
    for d, n in enumerate(x.shape):
        spread = [n if d == e else 1 for e in range(x.ndim)]
        key.append(indices if d == along else np.arange(n).reshape(spread))
    x[tuple(key)] = values


@implements(np.fill_diagonal, kind="writes")
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    x = target(a, val)
    if x.ndim < 2:
        raise ShapeError(message("array must be at least 2-d.", "Write x[...] = value."))
    if x.ndim > 2 and len(set(x.shape)) > 1:
        raise ShapeError(message("all axes must be of equal length.", "Index with arrays."))
    places = np.zeros(x.shape, bool)
    np.fill_diagonal(places, True, wrap=wrap)
    found = np.flatnonzero(places)
    x.flat[found] = cycled(val, np.arange(found.size), x)


class Flat:
    """``x.flat``: the elements of a traced array in a row, each written to where it is."""

    __slots__ = ("array",)

    def __init__(self, x: Tracer) -> None:
        self.array = x

    def materialised(self) -> Tracer:
        return self.array.flatten()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return self.array.size

    def __iter__(self) -> Iterator[Tracer]:
        return iter(self.materialised())

    def __getitem__(self, key: Any) -> Tracer:
        return self.materialised()[key]

    def __setitem__(self, key: Any, item: Any) -> None:
        x = self.array
        line = x.reshape(-1)
        places = np.arange(x.size)[key] if not isinstance(key, Tracer) else key
        if np.ndim(item) and np.shape(item) != np.shape(places):
            item = cycled(item, np.arange(prod(np.shape(places))), x).reshape(np.shape(places))
        line[key] = item
        if line.store is None or x.store is None or line.store.memory is not x.store.memory:
            x[...] = line.reshape(x.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.materialised(), name)


FUNCTIONS["flat"] = Flat
