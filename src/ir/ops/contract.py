"""Contraction: products summed over shared axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Tangent, primitive
from ir.ops.families import Bilinear
from ir.program import Value
from ir.scalar import Accumulators, Index, Kernel, Scalar, Source
from ir.types import ArrayType

Axes = tuple[int, ...]


@primitive("dot_general")
class DotGeneral(Bilinear):
    """Multiply matching ``batch`` axes and sum over ``contract`` axes.

    Every axis of an operand plays one of three roles:

      batch     in x, y and the result
      contract  in x and y, summed away
      free      in one operand and the result

    The result's axes are batch, then x's free axes, then y's.
    """

    contract: tuple[Axes, Axes]
    batch: tuple[Axes, Axes] = ((), ())
    pair = ops.Add

    def infer(self, x: ArrayType, y: ArrayType) -> ArrayType:
        for role, (left, right) in [("contract", self.contract), ("batch", self.batch)]:
            inside = all(0 <= d < x.rank for d in left) and all(0 <= d < y.rank for d in right)
            require(inside, self, f"{role} axis out of range", x=x, y=y)
            sizes = [x.shape[d] for d in left], [y.shape[d] for d in right]
            require(sizes[0] == sizes[1], self, f"{role} axes differ in size", x=x, y=y)
        for side in (0, 1):
            used = (*self.contract[side], *self.batch[side])
            require(len(set(used)) == len(used), self, "an axis has two roles", axes=used)
        require(x.dtype == y.dtype, self, "operands differ in dtype", x=x, y=y)
        require(x.info.kind in ("int", "float"), self, "needs numbers", x=x)
        return x.with_shape((
            *[x.shape[d] for d in self.batch[0]],
            *[x.shape[d] for d in self.free(0, x.rank)],
            *[y.shape[d] for d in self.free(1, y.rank)],
        ))  # fmt: skip

    def reference(self, x: Array, y: Array) -> Array:
        """Both operands as stacks of matrices, then ``matmul``."""
        free = self.free(0, x.ndim), self.free(1, y.ndim)
        shared = [x.shape[d] for d in self.batch[0]]
        rows, columns = [x.shape[d] for d in free[0]], [y.shape[d] for d in free[1]]
        inner = prod(x.shape[d] for d in self.contract[0])
        left = x.transpose(*self.batch[0], *free[0], *self.contract[0])
        right = y.transpose(*self.batch[1], *self.contract[1], *free[1])
        left = left.reshape(*shared, prod(rows), inner)
        right = right.reshape(*shared, inner, prod(columns))
        product = left @ right if self.contract[0] else left * right
        return np.asarray(product.reshape((*shared, *rows, *columns)))

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """A multiplication and, where there is a sum, an addition for each term."""
        terms = results[0].size * prod(operands[0].shape[d] for d in self.contract[0])
        return terms * (2 if self.contract[0] else 1)

    def element(self, k: Kernel, at: Index, x: Source, y: Source) -> Scalar:
        frees = self.free(0, x.type.rank), self.free(1, y.type.rank)
        b = len(self.batch[0])
        m = b + len(frees[0])
        outer = at[:b] + at[b:m], at[:b] + at[m:]

        def read(operand: Source, side: int, over: Index) -> Scalar:
            axes = (*self.batch[side], *frees[side], *self.contract[side])
            place = dict(zip(axes, (*outer[side], *over), strict=True))
            return operand[tuple([place[d] for d in range(operand.type.rank)])]  # type: ignore[no-any-return]

        def step(over: Index, acc: Accumulators) -> Accumulators:
            return (acc[0] + read(x, 0, over) * read(y, 1, over),)

        if not self.contract[0]:
            return read(x, 0, ()) * read(y, 1, ())  # type: ignore[no-any-return]
        sizes = [x.type.shape[d] for d in self.contract[0]]
        zero = k.const(0, x.type.dtype)
        (total,) = k.fold(sizes, (zero,), step, reassociate=True)
        return total  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        side = 0 if linear[0] else 1
        found = self.cotangent(b, ct, xs[side], xs[1 - side], side)
        return (found, None) if side == 0 else (None, found)

    def cotangent(self, b: Builder, ct: Value, wrt: Value, other: Value, side: int) -> Value:
        """Contract the cotangent and the other operand, and put the axes back in order.

        Of the two orders of the operands, the one that leaves the axes in place is taken, if any.
        """
        free = self.free(side, wrt.type.rank), self.free(1 - side, other.type.rank)
        nb = len(self.batch[0])
        first = nb + (len(free[0]) if side == 0 else 0)
        ct_axes = tuple(range(first, first + len(free[1])))
        kept = sorted(self.contract[1 - side])
        paired = [self.contract[side][self.contract[1 - side].index(d)] for d in kept]
        shared = tuple(range(nb)), self.batch[1 - side]
        order = (*self.batch[side], *free[0], *paired)
        swapped = (*self.batch[side], *paired, *free[0])
        if list(swapped) == sorted(swapped) and list(order) != sorted(order):
            back = DotGeneral((free[1], ct_axes), (shared[1], shared[0]))
            return b(back, other, ct)  # type: ignore[no-any-return]
        found = b(DotGeneral((ct_axes, free[1]), shared), ct, other)
        perm = tuple(int(i) for i in np.argsort(order))
        if perm == tuple(range(len(perm))):
            return found  # type: ignore[no-any-return]
        return b(ops.Permute(perm), found)  # type: ignore[no-any-return]

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        def bump(axes: Axes, by: int) -> Axes:
            return tuple(d + by for d in axes)

        (cx, cy), (bx, by), (mx, my) = self.contract, self.batch, mapped
        if mx and my:
            wide = DotGeneral((bump(cx, 1), bump(cy, 1)), ((0, *bump(bx, 1)), (0, *bump(by, 1))))
            return b(wide, *xs)  # type: ignore[no-any-return]
        wide = DotGeneral((bump(cx, mx), bump(cy, my)), (bump(bx, mx), bump(by, my)))
        made = b(wide, *xs)
        nb = len(bx)
        spot = nb if mx else nb + len(self.free(0, xs[0].type.rank))
        perm = (spot, *(d for d in range(made.type.rank) if d != spot))
        return made if spot == 0 else b(ops.Permute(perm), made)  # type: ignore[no-any-return]

    def free(self, side: int, rank: int) -> Axes:
        return tuple([d for d in range(rank) if d not in (*self.contract[side], *self.batch[side])])
