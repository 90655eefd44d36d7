"""Where a view lies in the memory of an array, as the ops that read it there and write it.

Layouts are those of small stand-ins, NumPy arrays of one byte an element, on which NumPy itself
does what the user does to the traced array: what is a view of what, and where, is its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ir import ops
from ir.loc import user_loc
from ir.op import Op
from ir.program import Value
from tracer.trace import Trace

Shape = tuple[int, ...]


def appended(trace: Trace, op: Op, *values: Value) -> Value:
    """An equation as it stands, also under no_grad: memory keeps what its parts depend on."""
    trace.builder.loc = user_loc()
    made: Value = trace.builder(op, *values)
    return made


def reshaped(trace: Trace, x: Value, shape: Shape) -> Value:
    return x if x.type.shape == shape else appended(trace, ops.Reshape(shape), x)


def permuted(trace: Trace, x: Value, perm: Shape) -> Value:
    same = perm == tuple(range(len(perm)))
    return x if same else appended(trace, ops.Permute(perm), x)


def inverse(perm: Shape) -> Shape:
    return tuple(np.argsort(perm).tolist())


class Nowhere:
    """The route to a view without elements."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def read(self, trace: Trace, x: Value) -> Value:
        return trace.number(0, x.type.dtype, self.shape)

    def write(self, trace: Trace, x: Value, y: Value) -> Value:
        return x


@dataclass(frozen=True)
class Slices:
    """A view whose axes are slices of axes of the memory, seen in some shape.

    The memory's axes in the ``order`` of their strides are seen as ``seen``; of these,
    ``starts sizes strides`` are read; ``axes`` names, for each axis of the view that moves in
    memory, the axis that it is; ``moving`` says which axes of the view those are.
    """

    order: Shape
    seen: Shape
    starts: Shape
    sizes: Shape
    strides: Shape
    axes: Shape
    moving: Shape
    shape: Shape

    @property
    def whole(self) -> bool:
        return self.sizes == self.seen and all(s == 1 for s in self.strides)

    @property
    def turned(self) -> Shape:
        """The order of the view's moving axes among those of the memory."""
        return inverse(inverse(self.axes))

    @property
    def straight(self) -> bool:
        return self.turned == tuple(range(len(self.axes)))

    @property
    def repeated(self) -> bool:
        return any(n > 1 for d, n in enumerate(self.shape) if d not in self.moving)

    def read(self, trace: Trace, x: Value) -> Value:
        x = reshaped(trace, permuted(trace, x, self.order), self.seen)
        if not self.whole:
            x = appended(trace, ops.Slice(self.starts, self.sizes, self.strides), x)
        if self.repeated or not self.straight:
            x = reshaped(trace, x, tuple([self.sizes[a] for a in sorted(self.axes)]))
            x = permuted(trace, x, self.turned)
        if self.repeated:
            return appended(trace, ops.Broadcast(self.shape, self.moving), x)
        return reshaped(trace, x, self.shape)

    def write(self, trace: Trace, x: Value, y: Value) -> Value:
        type = x.type
        if not self.straight:
            y = reshaped(trace, y, tuple([self.shape[d] for d in self.moving]))
            y = permuted(trace, y, inverse(self.turned))
        y = reshaped(trace, y, self.sizes)
        if not self.whole:
            x = reshaped(trace, permuted(trace, x, self.order), self.seen)
            y = appended(trace, ops.SliceUpdate(self.starts, self.strides), x, y)
        y = reshaped(trace, y, tuple([type.shape[d] for d in self.order]))
        return permuted(trace, y, inverse(self.order))


@dataclass(frozen=True, eq=False)
class Places:
    """A view of any layout: the number, in memory, of each element."""

    order: Shape
    places: np.ndarray

    def read(self, trace: Trace, x: Value) -> Value:
        x = reshaped(trace, permuted(trace, x, self.order), (x.type.size,))
        return appended(trace, ops.Gather((0,)), x, trace.capture(self.places))

    def write(self, trace: Trace, x: Value, y: Value) -> Value:
        type = x.type
        x = reshaped(trace, permuted(trace, x, self.order), (type.size,))
        x = appended(trace, ops.ScatterUpdate((0,)), x, y, trace.capture(self.places))
        x = reshaped(trace, x, tuple([type.shape[d] for d in self.order]))
        return permuted(trace, x, inverse(self.order))


Route = Nowhere | Slices | Places


def route(memory: np.ndarray, view: np.ndarray) -> Route:
    """From an array that fills its memory to a view of it."""
    offset = address(view) - address(memory)
    return found(memory.itemsize, memory.shape, memory.strides, offset, view.shape, view.strides)


def address(x: np.ndarray) -> int:
    first: int = x.__array_interface__["data"][0]
    return first


@lru_cache(maxsize=4096)
def found(size: int, shape: Shape, strides: Shape, offset: int, view: Shape, steps: Shape) -> Route:
    if not prod(view):
        return Nowhere(view)
    each = [size * prod(shape[d + 1 :]) for d in range(len(shape))]
    plain = all(n < 2 or s == e for n, s, e in zip(shape, strides, each, strict=True))
    order = tuple(sorted(range(len(shape)), key=lambda d: 0 if plain else -strides[d]))
    memory = tuple([shape[d] for d in order])
    steps = tuple([s // size for s in steps])
    moving = tuple([d for d, n in enumerate(view) if n > 1 and steps[d]])
    for seen in (memory, divided(prod(shape), [steps[d] for d in moving]), (prod(shape),)):
        cut = (
            None
            if seen is None
            else matched(seen, offset // size, [(view[d], steps[d]) for d in moving])
        )
        if seen is not None and cut is not None:
            starts, sizes, strides, axes = cut
            return Slices(order, seen, starts, sizes, strides, axes, moving, view)
    grid = [np.arange(n) * s for n, s in zip(view, steps, strict=True)]
    places = sum(np.meshgrid(*grid, indexing="ij"), np.array(offset // size))
    return Places(order, places)


def divided(size: int, steps: Sequence[int]) -> Shape | None:
    """The shape of a memory of ``size`` places whose axes have these steps."""
    given = sorted({abs(s) for s in steps}, reverse=True)
    bounds = [size, *given, 1]
    if any(m % n for m, n in pairwise(bounds)):
        return None
    return tuple([m // n for m, n in pairwise(bounds)])


def matched(seen: Shape, first: int, axes: Sequence[tuple[int, int]]) -> Any:
    """``starts, sizes, strides`` and the axis that each of the view's is; None if one is none."""
    each = [prod(seen[d + 1 :]) for d in range(len(seen))]
    starts = [first // e % n for e, n in zip(each, seen, strict=True)]
    sizes, strides = [1] * len(seen), [1] * len(seen)
    chosen: list[int] = []
    for n, step in axes:
        for d, e in enumerate(each):
            last = starts[d] + step // e * (n - 1)
            if seen[d] > 1 and d not in chosen and step % e == 0 and 0 <= last < seen[d]:
                sizes[d], strides[d] = n, step // e
                chosen.append(d)
                break
        else:
            return None
    return tuple(starts), tuple(sizes), tuple(strides), tuple(chosen)
