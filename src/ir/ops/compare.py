"""Comparisons, logic and the choice between two values. No result here has a derivative,
except the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ir.build import Builder
from ir.errors import require
from ir.op import Array, Tangent, primitive
from ir.ops.families import Elementwise, Linear, batched, zeros
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


class Comparison(Elementwise):
    """True where the relation holds."""

    kinds: ClassVar[tuple[str, ...]] = ("bool", "int", "float")
    returns = "bool"
    differentiable = False


@primitive("equal")
class Equal(Comparison):
    """x == y; nan equals nothing."""

    numpy = np.equal
    commutative = True


@primitive("not_equal")
class NotEqual(Comparison):
    """x != y"""

    numpy = np.not_equal
    commutative = True


@primitive("less")
class Less(Comparison):
    """x < y"""

    numpy = np.less


@primitive("less_equal")
class LessEqual(Comparison):
    """x <= y"""

    numpy = np.less_equal


@primitive("greater")
class Greater(Comparison):
    """x > y"""

    numpy = np.greater


@primitive("greater_equal")
class GreaterEqual(Comparison):
    """x >= y"""

    numpy = np.greater_equal


@primitive("is_finite")
class IsFinite(Comparison):
    """Neither nan nor infinite."""

    arity = 1
    kinds = ("float",)
    numpy = np.isfinite


class Logic(Elementwise):
    """A bitwise operation; on bool the logical one."""

    kinds = ("bool", "int")
    differentiable = False


@primitive("and")
class And(Logic):
    """Both."""

    numpy = np.bitwise_and
    commutative = True


@primitive("or")
class Or(Logic):
    """Either or both."""

    numpy = np.bitwise_or
    commutative = True


@primitive("xor")
class Xor(Logic):
    """Just one of the two."""

    numpy = np.bitwise_xor
    commutative = True


@primitive("not")
class Not(Logic):
    """The complement."""

    arity = 1
    numpy = np.invert


class Shift(Elementwise):
    """The bits of an integer moved; by its width or more they are all gone, as in NumPy."""

    kinds = ("int",)
    differentiable = False


@primitive("shift_left")
class ShiftLeft(Shift):
    """``x << y``"""

    numpy = np.left_shift


@primitive("shift_right")
class ShiftRight(Shift):
    """``x >> y``, keeping the sign."""

    numpy = np.right_shift


@primitive("select")
class Select(Linear):
    """``then`` where the condition holds, else ``otherwise``."""

    linear_in = (1, 2)

    def infer(self, c: ArrayType, then: ArrayType, otherwise: ArrayType) -> ArrayType:
        require(c.dtype == "bool", self, "the condition is not bool", operand=c)
        require(then == otherwise, self, "sides differ in type", then=then, otherwise=otherwise)
        require(
            c.shape == then.shape, self, "the condition has another shape", operand=c, sides=then
        )
        return then

    def reference(self, condition: Array, then: Array, otherwise: Array) -> Array:
        return np.where(condition, then, otherwise)

    def element(self, k: Kernel, at: Index, c: Source, x: Source, y: Source) -> Scalar:
        chosen: Scalar = k.select(c[at], x[at], y[at])
        return chosen

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        zero = zeros(b, ct.type)
        return (
            None,
            b(self, xs[0], ct, zero) if linear[1] else None,
            b(self, xs[0], zero, ct) if linear[2] else None,
        )

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Any:
        return b(self, *[batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)])
