"""Reading parts of an array: at fixed places, and at places that data names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Op, primitive
from ir.ops.families import Linear, Movement, batched, spread
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


def region(
    starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]
) -> tuple[slice, ...]:
    """Python slices for the places ``start + stride * i``, i from 0 to size."""
    cuts = []
    for start, size, stride in zip(starts, sizes, strides, strict=True):
        stop = start + stride * size
        cuts.append(slice(start, None if stop < 0 else stop, stride))
    return tuple(cuts)


def inside(
    op: Op, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int], x: ArrayType
) -> None:
    """Refuse places that are not all within the operand."""
    ranks = len(starts), len(sizes), len(strides)
    require(ranks == (x.rank,) * 3, op, "one entry for each axis is needed", operand=x)
    for start, size, stride, n in zip(starts, sizes, strides, x.shape, strict=True):
        last = start + stride * (size - 1)
        within = size == 0 or (0 <= start < n and 0 <= last < n)
        if not within or size < 0 or stride == 0:
            require(False, op, "reaches out of the operand", operand=x, at=str(op))


@primitive("slice")
class Slice(Movement):
    """The places ``starts + strides * i`` along each axis; a stride may be negative."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def infer(self, x: ArrayType) -> ArrayType:
        inside(self, self.starts, self.sizes, self.strides, x)
        return x.with_shape(self.sizes)

    def reference(self, x: Array) -> Array:
        return x[region(self.starts, self.sizes, self.strides)]

    def place(self, at: Index) -> Index:
        """Where the element at ``at`` lies in the operand."""
        return tuple([i * m + n for i, n, m in zip(at, self.starts, self.strides, strict=True)])

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        return x[self.place(at)]  # type: ignore[no-any-return]

    def accumulate(self, b: Builder, acc: Value, ct: Value, xs: Sequence[Value]) -> Value:
        return b(ops.SliceAdd(self.starts, self.strides), acc, ct)  # type: ignore[no-any-return]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        wide = ops.Slice((0, *self.starts), (size, *self.sizes), (1, *self.strides))
        return b(wide, *xs)  # type: ignore[no-any-return]


class Indexed(Linear):
    """Shared by gather and scatters: how index operands name places in an array.

    The array's axes are ``batch`` leading ones, shared with the index operands, and the rest, of
    which ``axes`` are indexed: one integer operand for each, all of one shape. The picked
    elements have shape (batch, shape of an index operand, the axes that are not indexed).
    """

    axes: tuple[int, ...]
    batch: int = 0

    def kept(self, rank: int) -> tuple[int, ...]:
        return tuple(d for d in range(self.batch, rank) if d not in self.axes)

    def picked(self, x: ArrayType, indices: Sequence[ArrayType]) -> tuple[int, ...]:
        """The shape of the elements that the indices name."""
        ordered = all(c < d for c, d in zip(self.axes, self.axes[1:], strict=False))
        require(bool(self.axes) and ordered, self, "axes are not in rising order", axes=self.axes)
        fits = 0 <= self.batch <= self.axes[0] and self.axes[-1] < x.rank
        require(fits, self, "axis out of range", operand=x, axes=self.axes)
        require(len(indices) == len(self.axes), self, "one index operand for each axis is needed")
        first = indices[0]
        for i in indices:
            require(i.info.kind == "int", self, "an index is not an integer", index=i)
            require(i.shape == first.shape, self, "indices differ in shape", first=first, other=i)
        shared = x.shape[: self.batch] == first.shape[: self.batch]
        require(shared, self, "batch axes differ in size", operand=x, index=first)
        return (*first.shape, *[x.shape[d] for d in self.kept(x.rank)])

    def numpy_index(self, x: Array, indices: Sequence[Array]) -> tuple[Array, ...]:
        """Integer arrays, one for each axis of x, that broadcast to the picked shape."""
        n, kept = indices[0].ndim, self.kept(x.ndim)
        rank = n + len(kept)
        full: list[Array] = [np.zeros(())] * x.ndim
        for axis, i in zip(self.axes, indices, strict=True):
            safe = np.clip(i, 0, max(x.shape[axis] - 1, 0))
            full[axis] = safe.reshape((*i.shape, *(1,) * len(kept)))
        spots = [(d, d) for d in range(self.batch)] + [(d, n + j) for j, d in enumerate(kept)]
        for axis, spot in spots:
            shape = [1] * rank
            shape[spot] = -1
            full[axis] = np.arange(x.shape[axis]).reshape(shape)
        return tuple(full)

    def place(self, k: Kernel, at: Index, x: ArrayType, indices: Sequence[Source]) -> Index:
        """Where the picked element at ``at`` lies in the array."""
        n = indices[0].type.rank
        index: list[object] = [None] * x.rank
        index[: self.batch] = at[: self.batch]
        for axis, i in zip(self.axes, indices, strict=True):
            index[axis] = k.index(i[at[:n]], x.shape[axis])
        for d, i in zip(self.kept(x.rank), at[n:], strict=True):
            index[d] = i
        return tuple(index)

    def wider(self) -> Indexed:
        """The same with one more batch axis."""
        return self.having(axes=tuple(a + 1 for a in self.axes), batch=self.batch + 1)


@primitive("gather")
class Gather(Indexed):
    """The elements of operand 0 at the places that the index operands name, clamped to it."""

    axes: tuple[int, ...]
    batch: int = 0

    def infer(self, x: ArrayType, *indices: ArrayType) -> ArrayType:
        shape = self.picked(x, indices)
        empty = any(x.shape[a] == 0 for a in self.axes) and 0 not in shape
        require(not empty, self, "reads from an empty axis", operand=x)
        return x.with_shape(shape)

    def reference(self, x: Array, *indices: Array) -> Array:
        picked: Array = x[self.numpy_index(x, indices)]
        return picked

    def element(self, k: Kernel, at: Index, x: Source, *indices: Source) -> Scalar:
        return x[self.place(k, at, x.type, indices)]  # type: ignore[no-any-return]

    def accumulate(self, b: Builder, acc: Value, ct: Value, xs: Sequence[Value]) -> Value:
        return b(ops.ScatterAdd(self.axes, self.batch), acc, ct, *xs[1:])  # type: ignore[no-any-return]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        if not mapped[0] and not self.batch:
            shape = next(i.type.shape for i, m in zip(xs[1:], mapped[1:], strict=True) if m)
            dims = range(1, len(shape))
            lifted = [
                i if m else spread(b, i, shape, dims)
                for i, m in zip(xs[1:], mapped[1:], strict=True)
            ]
            return b(self, xs[0], *lifted)  # type: ignore[no-any-return]
        lifted = [batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)]
        return b(self.wider(), *lifted)  # type: ignore[no-any-return]
