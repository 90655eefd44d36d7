"""Ops that move elements without computing: each is a map from result index to operand index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require, require_sizes
from ir.op import EVERY, Array, Tangent, primitive
from ir.ops.families import Movement, batched, zeros
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


@primitive("broadcast")
class Broadcast(Movement):
    """Repeat an operand along new axes; operand axis ``i`` becomes result axis ``dims[i]``."""

    shape: tuple[int, ...]
    dims: tuple[int, ...]

    def infer(self, x: ArrayType) -> ArrayType:
        fits = len(self.dims) == x.rank and all(0 <= d < len(self.shape) for d in self.dims)
        require(fits, self, "dims do not name the operand's axes", operand=x, dims=self.dims)
        rising = all(c < d for c, d in zip(self.dims, self.dims[1:], strict=False))
        require(rising, self, "dims are not in rising order", dims=self.dims)
        kept = tuple([self.shape[d] for d in self.dims])
        require_sizes(self.shape, self)
        require(kept == x.shape, self, "dims differ in size", operand=x, shape=self.shape)
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        kept = set(self.dims)
        placed = x.reshape([n if d in kept else 1 for d, n in enumerate(self.shape)])
        return np.broadcast_to(placed, self.shape)

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        return x[tuple([at[d] for d in self.dims])]  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        added = tuple(d for d in range(len(self.shape)) if d not in self.dims)
        return (b(ops.ReduceSum(added), ct),)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        wide = ops.Broadcast((size, *self.shape), (0, *(d + 1 for d in self.dims)))
        return b(wide, *xs)  # type: ignore[no-any-return]


@primitive("permute")
class Permute(Movement):
    """Reorder axes: result axis ``i`` is operand axis ``perm[i]``."""

    perm: tuple[int, ...]

    @property
    def inverse(self) -> tuple[int, ...]:
        return tuple(self.perm.index(i) for i in range(len(self.perm)))

    def infer(self, x: ArrayType) -> ArrayType:
        fits = sorted(self.perm) == list(range(x.rank))
        require(fits, self, "not a permutation of the operand's axes", operand=x, perm=self.perm)
        return x.with_shape(tuple([x.shape[p] for p in self.perm]))

    def reference(self, x: Array) -> Array:
        return np.transpose(x, self.perm)

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        return x[tuple([at[i] for i in self.inverse])]  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(ops.Permute(self.inverse), ct),)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(ops.Permute((0, *(p + 1 for p in self.perm))), *xs)  # type: ignore[no-any-return]


@primitive("reshape")
class Reshape(Movement):
    """The same elements in row-major order under another shape."""

    shape: tuple[int, ...]

    def infer(self, x: ArrayType) -> ArrayType:
        require_sizes(self.shape, self)
        require(x.size == prod(self.shape), self, "sizes differ", operand=x, shape=self.shape)
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        return x.reshape(self.shape)

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        flat = 0
        for i, n in zip(at, self.shape, strict=True):
            flat = flat * n + i
        index = []
        for n in reversed(x.type.shape):
            n = n or 1  # of no elements none is read, but what would be is asked for
            index.append(flat % n)
            flat = flat // n
        return x[tuple(reversed(index))]  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(ops.Reshape(xs[0].type.shape), ct),)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(ops.Reshape((size, *self.shape)), *xs)  # type: ignore[no-any-return]


@primitive("pad")
class Pad(Movement):
    """The operand with zeros put before and after it along each axis."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    def infer(self, x: ArrayType) -> ArrayType:
        fits = len(self.before) == len(self.after) == x.rank
        require(fits, self, "one count for each axis is needed", operand=x)
        counts = (*self.before, *self.after)
        require(all(n >= 0 for n in counts), self, "a count is negative", counts=counts)
        sizes = zip(self.before, x.shape, self.after, strict=True)
        return x.with_shape(tuple([sum(size) for size in sizes]))

    def reference(self, x: Array) -> Array:
        sizes = zip(self.before, x.shape, self.after, strict=True)
        padded = np.zeros([sum(size) for size in sizes], x.dtype)
        spots = zip(self.before, x.shape, strict=True)
        padded[tuple(slice(start, start + size) for start, size in spots)] = x
        return padded

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        shifted = tuple([i - n if n else i for i, n in zip(at, self.before, strict=True)])
        inside = True
        for i, n, before, after in zip(shifted, x.type.shape, self.before, self.after, strict=True):
            if before or after:
                inside = inside & k.within(i, 0, n)
        zero = k.const(0, x.type.dtype)
        return k.when(inside, lambda: x[shifted], lambda: zero)  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        shape = xs[0].type.shape
        return (b(ops.Slice(self.before, shape, (1,) * len(shape)), ct),)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(ops.Pad((0, *self.before), (0, *self.after)), *xs)  # type: ignore[no-any-return]


@primitive("concatenate")
class Concatenate(Movement):
    """The operands end to end along ``axis``."""

    axis: int = 0
    linear_in = EVERY

    def infer(self, *xs: ArrayType) -> ArrayType:
        require(len(xs) > 0, self, "nothing to concatenate")
        first = xs[0]
        require(0 <= self.axis < first.rank, self, "axis out of range", operand=first)
        a = self.axis
        for x in xs:
            same = x.dtype == first.dtype and x.rank == first.rank
            same = same and x.shape[:a] + x.shape[a + 1 :] == first.shape[:a] + first.shape[a + 1 :]
            require(same, self, "operands differ outside the axis", first=first, other=x)
        length = sum(x.shape[a] for x in xs)
        return first.with_shape((*first.shape[:a], length, *first.shape[a + 1 :]))

    def starts(self, xs: Sequence[ArrayType]) -> list[int]:
        """Where each operand begins along the axis, and where the last one ends."""
        return [0, *accumulate(x.shape[self.axis] for x in xs)]

    def reference(self, *xs: Array) -> Array:
        return np.concatenate(xs, self.axis)

    def element(self, k: Kernel, at: Index, *xs: Source) -> Scalar:
        starts, a = self.starts([x.type for x in xs]), self.axis

        def part(low: int, high: int) -> Scalar:
            """The element when it lies in operands ``low`` to ``high``: halve until one is left."""
            if high - low == 1:
                return xs[low][(*at[:a], at[a] - starts[low], *at[a + 1 :])]  # type: ignore[no-any-return]
            middle = (low + high) // 2
            left = k.within(at[a], starts[low], starts[middle])
            return k.when(left, lambda: part(low, middle), lambda: part(middle, high))  # type: ignore[no-any-return]

        return part(0, len(xs))

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        filled = [zeros(b, x.type) if t is None else t for x, t in zip(xs, ts, strict=True)]
        return b(self, *filled)  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        pieces: list[Tangent] = []
        for start, x, wanted in zip(self.starts([x.type for x in xs]), xs, linear, strict=False):
            first = [0] * x.type.rank
            first[self.axis] = start
            cut = ops.Slice(tuple(first), x.type.shape, (1,) * x.type.rank)
            pieces.append(b(cut, ct) if wanted else None)
        return tuple(pieces)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        lifted = [batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)]
        return b(ops.Concatenate(self.axis + 1), *lifted)  # type: ignore[no-any-return]
