"""Parts of an array added to or written over: at fixed places, and at places that data names.

An update gives a new version of the array. The code generator makes it in the old one's memory
where nothing reads that any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Tangent, primitive
from ir.ops.families import Linear, batched, full, spread, zeros
from ir.ops.indexing import Indexed, inside, region
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


class AtSlice(Linear):
    """Operand 1 goes to the places ``starts + strides * i`` of operand 0."""

    starts: tuple[int, ...]
    strides: tuple[int, ...]
    linear_in = (0, 1)

    def infer(self, x: ArrayType, y: ArrayType) -> ArrayType:
        require(x.dtype == y.dtype, self, "operands differ in dtype", x=x, y=y)
        numbers = self.overwrites or x.info.kind in ("int", "float")
        require(numbers, self, "needs numbers", x=x)
        inside(self, self.starts, y.shape, self.strides, x)
        return x

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """What each element of operand 1 takes."""
        return self.cost * operands[1].size

    def cut(self, y: ArrayType) -> ops.Slice:
        """What reads the places of operand 1."""
        return ops.Slice(self.starts, y.shape, self.strides)

    def update(self, k: Kernel, at: Index, x: Source, y: Source) -> tuple[Index, Scalar]:
        return self.cut(y.type).place(at), y[at]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        lifted = [batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)]
        wider = self.having(starts=(0, *self.starts), strides=(1, *self.strides))
        return b(wider, *lifted)  # type: ignore[no-any-return]


@primitive("slice_add")
class SliceAdd(AtSlice):
    """Operand 0 with operand 1 added at the places ``starts + strides * i``."""

    starts: tuple[int, ...]
    strides: tuple[int, ...]

    def reference(self, x: Array, y: Array) -> Array:
        total = np.array(x)
        total[region(self.starts, y.shape, self.strides)] += y
        return total

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return ct if linear[0] else None, b(self.cut(xs[1].type), ct) if linear[1] else None


@primitive("slice_update")
class SliceUpdate(AtSlice):
    """Operand 0 with operand 1 in the places ``starts + strides * i``."""

    starts: tuple[int, ...]
    strides: tuple[int, ...]
    overwrites = True
    cost = 0

    def reference(self, x: Array, y: Array) -> Array:
        written = np.array(x)
        written[region(self.starts, y.shape, self.strides)] = y
        return written

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        y = xs[1].type
        read = b(self.cut(y), ct) if linear[1] else None
        return b(self, ct, zeros(b, y)) if linear[0] else None, read


class AtIndices(Indexed):
    """Operand 1 goes to the places of operand 0 that the index operands name."""

    linear_in = (0, 1)

    def infer(self, x: ArrayType, y: ArrayType, *indices: ArrayType) -> ArrayType:
        require(x.dtype == y.dtype, self, "operands differ in dtype", x=x, y=y)
        numbers = self.overwrites or x.info.kind in ("int", "float")
        require(numbers, self, "needs numbers", x=x)
        shape = self.picked(x, indices)
        require(y.shape == shape, self, "updates do not fit the indices", updates=y, shape=shape)
        empty = y.size and not all(x.shape[a] for a in self.axes)
        does = "writes to" if self.overwrites else "adds to"
        require(not empty, self, f"{does} an empty axis", operand=x)
        return x

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """What each element of operand 1 takes."""
        return self.cost * operands[1].size

    def update(
        self, k: Kernel, at: Index, x: Source, y: Source, *indices: Source
    ) -> tuple[Index, Scalar]:
        return self.place(k, at, x.type, indices), y[at]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        lifted = [batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)]
        return b(self.wider(), *lifted)  # type: ignore[no-any-return]


@primitive("scatter_add")
class ScatterAdd(AtIndices):
    """Operand 0 with operand 1 added at the places that the index operands name.

    A place that is named more than once receives each element.
    """

    axes: tuple[int, ...]
    batch: int = 0

    def reference(self, x: Array, y: Array, *indices: Array) -> Array:
        total = np.array(x)
        np.add.at(total, self.numpy_index(x, indices), y)
        return total

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        read = b(ops.Gather(self.axes, self.batch), ct, *xs[2:]) if linear[1] else None
        return (ct if linear[0] else None, read, *(None for _ in xs[2:]))


@primitive("scatter_update")
class ScatterUpdate(AtIndices):
    """Operand 0 with operand 1 at the places that the index operands name.

    A place that is named more than once holds the last element, in row-major order of operand 1.
    """

    axes: tuple[int, ...]
    batch: int = 0
    overwrites = True
    cost = 0

    def reference(self, x: Array, y: Array, *indices: Array) -> Array:
        written = np.array(x, order="C")
        if y.size:
            places = np.broadcast_arrays(*self.numpy_index(x, indices))
            written.reshape(-1)[np.ravel_multi_index(places, x.shape).ravel()] = y.ravel()
        return written

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        x, y, *indices = xs
        y_bar = b(ops.Gather(self.axes, self.batch), ct, *indices) if linear[1] else None
        if y_bar is not None and (lasting := self.lasting(b, x.type, indices)) is not None:
            named = range(indices[0].type.rank)
            kept = spread(b, lasting, y.type.shape, named)
            y_bar = b(ops.Select(), kept, y_bar, zeros(b, y.type))
        x_bar = b(self, ct, zeros(b, y.type), *indices) if linear[0] else None
        return (x_bar, y_bar, *(None for _ in indices))

    def lasting(self, b: Builder, x: ArrayType, indices: Sequence[Value]) -> Value | None:
        """Which index names a place that no later one names; None where that is each.

        The numbers of the indices are written where the indices say, and read again.
        """
        named = indices[0].type
        if named.size == prod(named.shape[: self.batch]):
            return None
        shape = (*x.shape[: self.batch], *[x.shape[a] for a in self.axes])
        places = tuple(range(self.batch, len(shape)))
        number = b(ops.Reshape(named.shape), b(ops.Iota("i64", (named.size,))))
        owners = full(b, 0, ArrayType("i64", shape))
        owners = b(ops.ScatterUpdate(places, self.batch), owners, number, *indices)
        found = b(ops.Gather(places, self.batch), owners, *indices)
        return b(ops.Equal(), found, number)  # type: ignore[no-any-return]
