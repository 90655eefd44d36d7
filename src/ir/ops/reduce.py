"""Folding axes away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Op, Tangent, primitive
from ir.ops.families import Linear, full, spread, zeros
from ir.program import Value
from ir.scalar import Accumulators, Index, Kernel, Scalar, Source
from ir.types import DTYPES, ArrayType


def extreme(dtype: str, sign: int) -> bool | int | float:
    """The number below (sign < 0) or above all others of the dtype."""
    info = DTYPES[dtype]
    if info.kind == "float":
        return sign * float("inf")
    if info.kind == "bool":
        return sign > 0
    limits = np.iinfo(info.numpy)  # type: ignore[type-var]
    return int(limits.max if sign > 0 else limits.min)


class Reduction(Op):
    """Fold ``axes``, which disappear from the shape."""

    axes: tuple[int, ...]

    def kept(self, rank: int) -> tuple[int, ...]:
        return tuple([d for d in range(rank) if d not in self.axes])

    def infer(self, x: ArrayType) -> ArrayType:
        good = set(self.axes) <= set(range(x.rank)) and len(set(self.axes)) == len(self.axes)
        require(good, self, "axis out of range or named twice", axes=self.axes, operand=x)
        return x.with_shape(tuple([x.shape[d] for d in self.kept(x.rank)]))

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """Each element of the operand is folded in once."""
        return operands[0].size

    def read(self, x: Source, at: Index, over: Index) -> Scalar:
        """The operand's element at result index ``at`` and folded index ``over``."""
        place = dict(zip((*self.kept(x.type.rank), *self.axes), (*at, *over), strict=True))
        return x[tuple([place[d] for d in range(x.type.rank)])]  # type: ignore[no-any-return]

    def extents(self, x: Source) -> list[int]:
        return [x.type.shape[d] for d in self.axes]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(self.having(axes=tuple(a + 1 for a in self.axes)), *xs)  # type: ignore[no-any-return]

    def restore(self, b: Builder, y: Value, x: ArrayType) -> Value:
        """The result repeated along the folded axes."""
        return spread(b, y, x.shape, self.kept(x.rank))


@primitive("reduce_sum")
class ReduceSum(Reduction, Linear):
    """The sum over ``axes``."""

    axes: tuple[int, ...]
    pair = ops.Add

    def infer(self, x: ArrayType) -> ArrayType:
        require(x.info.kind in ("int", "float"), self, "needs numbers", operand=x)
        return super().infer(x)

    def reference(self, x: Array) -> Array:
        return np.asarray(np.sum(x, axis=self.axes, dtype=x.dtype))

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        def step(over: Index, acc: Accumulators) -> Accumulators:
            return (acc[0] + self.read(x, at, over),)

        zero = k.const(0, x.type.dtype)  # so that a sum of -0.0 alone is 0.0, as in NumPy
        (total,) = k.fold(self.extents(x), (zero,), step, reassociate=True)
        return total  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (self.restore(b, ct, xs[0].type),)


@primitive("reduce_prod")
class ReduceProd(Reduction):
    """The product over ``axes``; its derivative is right where elements are zero."""

    axes: tuple[int, ...]
    pair = ops.Mul

    def infer(self, x: ArrayType) -> ArrayType:
        require(x.info.kind in ("int", "float"), self, "needs numbers", operand=x)
        return super().infer(x)

    def reference(self, x: Array) -> Array:
        return np.asarray(np.prod(x, axis=self.axes, dtype=x.dtype))

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        def step(over: Index, acc: Accumulators) -> Accumulators:
            return (acc[0] * self.read(x, at, over),)

        one = k.const(1, x.type.dtype)
        (total,) = k.fold(self.extents(x), (one,), step, reassociate=True)
        return total  # type: ignore[no-any-return]

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        """Multiply halves pairwise until one factor is left, by the product rule each time."""
        (x,), (t,) = xs, ts
        assert t is not None
        x, t = self.flat(b, x), self.flat(b, t)
        while (n := x.type.shape[0]) > 1:
            odd = n % 2
            (x1, x2, x3), (t1, t2, t3) = halves(b, x), halves(b, t)
            t = b(ops.Add(), b(ops.Mul(), t1, x2), b(ops.Mul(), t2, x1))
            x = b(ops.Mul(), x1, x2)
            if odd:
                x, t = b(ops.Concatenate(0), x, x3), b(ops.Concatenate(0), t, t3)
        if not x.type.shape[0]:
            return None
        return b(ops.Reshape(y.type.shape), t)  # type: ignore[no-any-return]

    def flat(self, b: Builder, x: Value) -> Value:
        """The folded axes as one leading axis."""
        kept = self.kept(x.type.rank)
        front = b(ops.Permute((*self.axes, *kept)), x)
        sizes = [x.type.shape[d] for d in kept]
        folded = x.type.size // int(np.prod(sizes)) if x.type.size else 0
        return b(ops.Reshape((folded, *sizes)), front)  # type: ignore[no-any-return]


def halves(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """Two equal halves of the leading axis, and the element left over if it is odd."""
    (n, *rest), zeros_ = x.type.shape, [0] * (x.type.rank - 1)
    ones = (1,) * x.type.rank

    def cut(start: int, size: int) -> Value:
        return b(ops.Slice((start, *zeros_), (size, *rest), ones), x)  # type: ignore[no-any-return]

    return cut(0, n // 2), cut(n // 2, n // 2), cut(n - n % 2, n % 2)


class ReduceExtremum(Reduction):
    """The largest or smallest element; nan if there is one. Ties share the derivative."""

    axes: tuple[int, ...]
    sign: ClassVar[int]

    def infer(self, x: ArrayType) -> ArrayType:
        found = super().infer(x)
        empty = x.size == 0 and found.size > 0
        require(not empty, self, "an empty axis has no extremum", operand=x)
        return found

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        name = self.pair.mnemonic

        def step(over: Index, acc: Accumulators) -> Accumulators:
            return (k.call(name, acc[0], self.read(x, at, over)),)

        first = k.const(extreme(x.type.dtype, self.sign), x.type.dtype)
        (found,) = k.fold(self.extents(x), (first,), step)
        return found  # type: ignore[no-any-return]

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        (x,), (t,) = xs, ts
        assert t is not None
        zero, one = zeros(b, x.type), full(b, 1, x.type)
        chosen = b(ops.Equal(), x, self.restore(b, y, x.type))
        ties = b(ops.ReduceSum(self.axes), b(ops.Select(), chosen, one, zero))
        total = b(ops.ReduceSum(self.axes), b(ops.Select(), chosen, t, zero))
        return b(ops.Div(), total, ties)  # type: ignore[no-any-return]


@primitive("reduce_max")
class ReduceMax(ReduceExtremum):
    """The largest element over ``axes``; any, on bool."""

    axes: tuple[int, ...]
    pair = ops.Maximum
    sign = -1

    def reference(self, x: Array) -> Array:
        return np.asarray(np.max(x, axis=self.axes))


@primitive("reduce_min")
class ReduceMin(ReduceExtremum):
    """The smallest element over ``axes``; all, on bool."""

    axes: tuple[int, ...]
    pair = ops.Minimum
    sign = +1

    def reference(self, x: Array) -> Array:
        return np.asarray(np.min(x, axis=self.axes))


class ArgExtremum(Op):
    """The index along ``axis`` of the first extreme element; of the first nan if there is one."""

    axis: int
    differentiable = False
    better: ClassVar[str]

    def infer(self, x: ArrayType) -> ArrayType:
        require(0 <= self.axis < x.rank, self, "axis out of range", operand=x, axis=self.axis)
        require(x.shape[self.axis] > 0, self, "an empty axis has no extremum", operand=x)
        return ArrayType("i64", (*x.shape[: self.axis], *x.shape[self.axis + 1 :]))

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """Each element of the operand is compared and chosen, with its place."""
        return 4 * operands[0].size

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:
        a, dtype = self.axis, x.type.dtype

        def step(over: Index, acc: Accumulators) -> Accumulators:
            best, place = acc
            new = x[(*at[:a], *over, *at[a:])]
            wins = k.call(self.better, new, best)
            if x.type.info.kind == "float":
                fresh_nan = k.call(
                    "and", k.call("not_equal", new, new), k.call("equal", best, best)
                )
                wins = k.call("or", wins, fresh_nan)
            first = k.call("less", place, k.const(0, "i64"))
            wins = k.call("or", wins, first)
            return k.select(wins, new, best), k.select(wins, k.number(over[0], "i64"), place)

        start = k.const(0, dtype), k.const(-1, "i64")
        return k.fold([x.type.shape[a]], start, step)[1]  # type: ignore[no-any-return]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(self.having(axis=self.axis + 1), *xs)  # type: ignore[no-any-return]


@primitive("argmax")
class ArgMax(ArgExtremum):
    """The index of the first largest element along ``axis``."""

    axis: int
    better = "greater"

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmax(x, axis=self.axis))


@primitive("argmin")
class ArgMin(ArgExtremum):
    """The index of the first smallest element along ``axis``."""

    axis: int
    better = "less"

    def reference(self, x: Array) -> Array:
        return np.asarray(np.argmin(x, axis=self.axis))
