"""Running totals along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ir.build import Builder
from ir.errors import require
from ir.op import Array, Tangent, primitive
from ir.ops.families import Linear
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


@primitive("cumsum")
class CumSum(Linear):
    """The running sum along ``axis``, from its end when ``reverse``."""

    axis: int
    reverse: bool = False

    def infer(self, x: ArrayType) -> ArrayType:
        require(0 <= self.axis < x.rank, self, "axis out of range", operand=x, axis=self.axis)
        require(x.info.kind in ("int", "float"), self, "needs numbers", operand=x)
        return x

    def reference(self, x: Array) -> Array:
        if self.reverse:
            return np.flip(np.cumsum(np.flip(x, self.axis), self.axis, dtype=x.dtype), self.axis)
        return np.cumsum(x, self.axis, dtype=x.dtype)

    def initial(self, k: Kernel, x: ArrayType) -> Scalar:
        """The carry before the first element; -0.0 keeps the sign of a zero that comes first."""
        return k.const(-0.0, x.dtype)  # type: ignore[no-any-return]

    def scan(self, k: Kernel, at: Index, carry: Scalar, x: Source) -> Scalar:
        return carry + x[at]  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(CumSum(self.axis, not self.reverse), ct),)

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        return b(self.having(axis=self.axis + 1), *xs)  # type: ignore[no-any-return]
