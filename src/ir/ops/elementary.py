"""Exponentials, logarithms, roots and the error function."""

from __future__ import annotations

from collections.abc import Sequence
from math import e, inf, log, pi, sqrt
from typing import ClassVar

import numpy as np

from ir import ops
from ir.build import Builder
from ir.op import Array, Tangent, primitive
from ir.ops.families import Elementwise, Unary, full, reciprocal, zeros
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source


def special(name: str, x: Array) -> Array:
    """A function of scipy.special, which is slow to import."""
    import scipy.special  # noqa: PLC0415

    found: Array = getattr(scipy.special, name)(x)
    return found


def gaussian(b: Builder, x: Value, scale: float) -> Value:
    """``scale * exp(-x**2)``"""
    bell = b(ops.Exp(), b(ops.Neg(), b(ops.Mul(), x, x)))
    made: Value = b(ops.Mul(), full(b, scale, x.type), bell)
    return made


@primitive("exp")
class Exp(Unary):
    """e raised to each element."""

    cost = 20
    numpy = np.exp

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return y


@primitive("exp2")
class Exp2(Unary):
    """2 raised to each element."""

    cost = 20
    numpy = np.exp2

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Mul(), y, full(b, log(2.0), y.type))  # type: ignore[no-any-return]


@primitive("expm1")
class Expm1(Unary):
    """``exp(x) - 1``, exact near 0."""

    cost = 20
    numpy = np.expm1

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Add(), y, full(b, 1, y.type))  # type: ignore[no-any-return]


@primitive("log")
class Log(Unary):
    """The natural logarithm."""

    cost = 20
    numpy = np.log

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, x)


@primitive("log2")
class Log2(Unary):
    """The logarithm to base 2."""

    cost = 20
    numpy = np.log2

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, x, 1 / log(2.0))


@primitive("log10")
class Log10(Unary):
    """The logarithm to base 10."""

    cost = 20
    numpy = np.log10

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, x, 1 / log(10.0))


@primitive("log1p")
class Log1p(Unary):
    """``log(1 + x)``, exact near 0."""

    cost = 20
    numpy = np.log1p

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, b(ops.Add(), x, full(b, 1, x.type)))


@primitive("sqrt")
class Sqrt(Unary):
    """The square root; its derivative at 0 is inf."""

    cost = 8
    numpy = np.sqrt

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        half: Value = b(ops.Mul(), full(b, 0.5, x.type), reciprocal(b, y))
        return half


@primitive("cbrt")
class Cbrt(Unary):
    """The cube root, negative for negative x."""

    cost = 20
    numpy = np.cbrt

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, b(ops.Mul(), y, y), 1 / 3)


@primitive("logistic")
class Logistic(Unary):
    """``1 / (1 + exp(-x))``; denormal below -708, where SciPy's ``expit`` is 0."""

    cost = 29

    def reference(self, x: Array) -> Array:  # type: ignore[override]
        return np.asarray(np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))))

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Mul(), y, b(ops.Sub(), full(b, 1, y.type), y))  # type: ignore[no-any-return]


@primitive("erf")
class Erf(Unary):
    """The error function."""

    cost = 20

    def reference(self, x: Array) -> Array:  # type: ignore[override]
        return special("erf", x)

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return gaussian(b, x, 2 / sqrt(pi))


@primitive("erfc")
class Erfc(Unary):
    """``1 - erf(x)``, exact for large x."""

    cost = 20

    def reference(self, x: Array) -> Array:  # type: ignore[override]
        return special("erfc", x)

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return gaussian(b, x, -2 / sqrt(pi))


@primitive("erfinv")
class Erfinv(Unary):
    """The inverse of the error function on (-1, 1)."""

    cost = 20

    def reference(self, x: Array) -> Array:  # type: ignore[override]
        return special("erfinv", x)

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        rise = b(ops.Exp(), b(ops.Mul(), y, y))
        return b(ops.Mul(), full(b, sqrt(pi) / 2, x.type), rise)  # type: ignore[no-any-return]


@primitive("hypot")
class Hypot(Elementwise):
    """``sqrt(x**2 + y**2)`` without overflow; its derivative at the origin is 0."""

    commutative = True
    cost = 20
    numpy = np.hypot

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        origin = b(ops.Equal(), r, zeros(b, r.type))
        safe = b(ops.Select(), origin, full(b, 1, r.type), r)
        return (
            b(ops.Div(), x, safe) if wanted[0] else None,
            b(ops.Div(), y, safe) if wanted[1] else None,
        )


class LogOfSum(Elementwise):
    """``log(base**x + base**y)`` without overflow: the larger of the two, and a rest that depends
    on how far they are apart. The derivatives are logistic functions of that."""

    commutative = True
    cost = 47
    power: ClassVar[str]
    base: ClassVar[float]

    def element(self, k: Kernel, at: Index, *xs: Source) -> Scalar:
        x, y, dtype = xs[0][at], xs[1][at], xs[0].type.dtype
        gap = k.select(k.call("equal", x, y), k.const(0.0, dtype), x - y)  # of infinities, too
        rest = k.call("log1p", k.call(self.power, -k.call("abs", gap)))
        rest = rest if self.base == e else rest * k.const(1 / log(self.base), dtype)
        return k.call("maximum", x, y) + rest  # type: ignore[no-any-return]

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        infinite = b(ops.Equal(), b(ops.Abs(), x), full(b, inf, x.type))
        alike = b(ops.And(), infinite, b(ops.Equal(), x, y))
        gap = b(ops.Select(), alike, zeros(b, r.type), b(ops.Sub(), x, y))
        gap = gap if self.base == e else b(ops.Mul(), gap, full(b, log(self.base), r.type))
        return (
            b(ops.Logistic(), gap) if wanted[0] else None,
            b(ops.Logistic(), b(ops.Neg(), gap)) if wanted[1] else None,
        )


@primitive("logaddexp")
class LogAddExp(LogOfSum):
    """``log(exp(x) + exp(y))`` without overflow."""

    numpy = np.logaddexp
    power = "exp"
    base = e


@primitive("logaddexp2")
class LogAddExp2(LogOfSum):
    """``log2(2**x + 2**y)`` without overflow."""

    numpy = np.logaddexp2
    power = "exp2"
    base = 2.0
    cost = 48
