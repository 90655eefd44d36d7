"""Values from nothing, and values in another dtype."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ir.build import Builder
from ir.errors import require, require_sizes
from ir.op import Array, Op, Tangent, primitive
from ir.ops.families import Elementwise
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import DTYPES, ArrayType

Number = bool | int | float


def canonical(x: Any, dtype: str) -> Number:
    """The Python number that an element of the dtype holds after ``x`` is stored in it."""
    found: Number = DTYPES[dtype].numpy.type(x).item()
    return found


class Source0(Op):
    """An op without operands: nothing to differentiate, nothing to batch."""

    differentiable = False
    cost = 0


@primitive("constant")
class Constant(Source0):
    """One number in every place of ``shape``."""

    value: Number
    dtype: str = "f64"
    shape: tuple[int, ...] = ()

    def canonicalise(self) -> None:
        object.__setattr__(self, "value", canonical(self.value, self.dtype))

    def infer(self) -> ArrayType:
        require_sizes(self.shape, self)
        return ArrayType(self.dtype, self.shape)

    def reference(self) -> Array:
        return np.full(self.shape, self.value, DTYPES[self.dtype].numpy)

    def element(self, k: Kernel, at: Index) -> Scalar:
        return k.const(self.value, self.dtype)  # type: ignore[no-any-return]


@primitive("literal")
class Literal(Source0):
    """A small array written out, row-major."""

    values: tuple[Number, ...]
    dtype: str
    shape: tuple[int, ...]

    def canonicalise(self) -> None:
        object.__setattr__(self, "values", tuple(canonical(v, self.dtype) for v in self.values))

    def infer(self) -> ArrayType:
        require_sizes(self.shape, self)
        require(len(self.values) == prod(self.shape), self, "values do not fill the shape")
        return ArrayType(self.dtype, self.shape)

    def reference(self) -> Array:
        return np.array(self.values, DTYPES[self.dtype].numpy).reshape(self.shape)


@primitive("iota")
class Iota(Source0):
    """0, 1, 2, ... along ``axis``, repeated along the others."""

    dtype: str
    shape: tuple[int, ...]
    axis: int = 0

    def infer(self) -> ArrayType:
        require_sizes(self.shape, self)
        require(0 <= self.axis < len(self.shape), self, "axis out of range", shape=self.shape)
        require(self.dtype != "bool", self, "bool does not count")
        return ArrayType(self.dtype, self.shape)

    def reference(self) -> Array:
        line = np.arange(self.shape[self.axis], dtype=DTYPES[self.dtype].numpy)
        others = [1] * len(self.shape)
        others[self.axis] = -1
        return np.broadcast_to(line.reshape(others), self.shape)

    def element(self, k: Kernel, at: Index) -> Scalar:
        return k.number(at[self.axis], self.dtype)  # type: ignore[no-any-return]


@primitive("unit_arrays")
class UnitArrays(Source0):
    """All arrays of a shape that are 1 in one place and 0 elsewhere, row by row from ``start`` on,
    along a leading axis.

    What a linear program makes of them are its matrix's columns. The zeros stand for what nothing
    depends on: laws may take it that they do not meet infinities.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int = 0

    def infer(self) -> ArrayType:
        require_sizes(self.shape, self)
        require(bool(self.shape), self, "needs a leading axis", shape=self.shape)
        inside = 0 <= self.start <= max(prod(self.shape[1:]) - self.shape[0], 0)
        require(inside, self, "starts where there is no place", shape=self.shape)
        return ArrayType(self.dtype, self.shape)

    def reference(self) -> Array:
        count, places = self.shape[0], prod(self.shape[1:])
        ones = np.eye(count, places, self.start, DTYPES[self.dtype].numpy)
        return ones.reshape(self.shape)

    def element(self, k: Kernel, at: Index) -> Scalar:
        place = 0
        for i, n in zip(at[1:], self.shape[1:], strict=True):
            place = place * n + i
        met = k.call("equal", k.number(at[0] + self.start, "i64"), k.number(place, "i64"))
        return k.convert(met, self.dtype)  # type: ignore[no-any-return]


@primitive("convert")
class Convert(Elementwise):
    """The elements in another dtype, as ``astype`` converts them."""

    arity = 1
    dtype: str
    linear_in = (0,)

    def infer(self, *xs: ArrayType) -> ArrayType:
        require(len(xs) == 1, self, "wrong number of operands", given=len(xs), needed=1)
        return xs[0].with_dtype(self.dtype)

    def reference(self, *xs: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.asarray(xs[0]).astype(DTYPES[self.dtype].numpy)

    def element(self, k: Kernel, at: Index, *xs: Source) -> Scalar:
        return k.convert(xs[0][at], self.dtype)  # type: ignore[no-any-return]

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        (t,) = ts
        if t is None or not y.type.info.differentiable:
            return None
        return b(self, t)  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(Convert(xs[0].type.dtype), ct),)


@primitive("stop_gradient")
class StopGradient(Elementwise):
    """The operand itself, constant to every derivative."""

    arity = 1
    kinds = ("bool", "int", "float")
    differentiable = False
    movement = True
    cost = 0

    def reference(self, *xs: Array) -> Array:
        return xs[0]

    def element(self, k: Kernel, at: Index, *xs: Source) -> Scalar:
        return xs[0][at]  # type: ignore[no-any-return]
