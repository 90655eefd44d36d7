"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ir import ops
from ir.build import Builder
from ir.op import Tangent, primitive
from ir.ops.families import Elementwise, Unary, full, reciprocal, zeros
from ir.program import Value


def one_and_square(b: Builder, x: Value, sign: int) -> Value:
    """``1 + x**2`` or ``1 - x**2``; the latter as ``(1 - x) * (1 + x)``, exact near 1."""
    one = full(b, 1, x.type)
    if sign > 0:
        return b(ops.Add(), one, b(ops.Mul(), x, x))  # type: ignore[no-any-return]
    return b(ops.Mul(), b(ops.Sub(), one, x), b(ops.Add(), one, x))  # type: ignore[no-any-return]


@primitive("sin")
class Sin(Unary):
    """The sine of an angle in radians."""

    cost = 20
    numpy = np.sin

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Cos(), x)  # type: ignore[no-any-return]


@primitive("cos")
class Cos(Unary):
    """The cosine of an angle in radians."""

    cost = 20
    numpy = np.cos

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Neg(), b(ops.Sin(), x))  # type: ignore[no-any-return]


@primitive("tan")
class Tan(Unary):
    """The tangent of an angle in radians."""

    cost = 20
    numpy = np.tan

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return one_and_square(b, y, +1)


@primitive("arcsin")
class Arcsin(Unary):
    """The angle in [-pi/2, pi/2] whose sine is x."""

    cost = 20
    numpy = np.arcsin

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, b(ops.Sqrt(), one_and_square(b, x, -1)))


@primitive("arccos")
class Arccos(Unary):
    """The angle in [0, pi] whose cosine is x."""

    cost = 20
    numpy = np.arccos

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, b(ops.Sqrt(), one_and_square(b, x, -1)), -1.0)


@primitive("arctan")
class Arctan(Unary):
    """The angle in [-pi/2, pi/2] whose tangent is x."""

    cost = 20
    numpy = np.arctan

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, one_and_square(b, x, +1))


@primitive("sinh")
class Sinh(Unary):
    """The hyperbolic sine."""

    cost = 20
    numpy = np.sinh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Cosh(), x)  # type: ignore[no-any-return]


@primitive("cosh")
class Cosh(Unary):
    """The hyperbolic cosine."""

    cost = 20
    numpy = np.cosh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Sinh(), x)  # type: ignore[no-any-return]


@primitive("tanh")
class Tanh(Unary):
    """The hyperbolic tangent."""

    cost = 20
    numpy = np.tanh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return one_and_square(b, y, -1)


@primitive("arcsinh")
class Arcsinh(Unary):
    """The inverse hyperbolic sine."""

    cost = 20
    numpy = np.arcsinh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, b(ops.Sqrt(), one_and_square(b, x, +1)))


@primitive("arccosh")
class Arccosh(Unary):
    """The inverse hyperbolic cosine, for x >= 1."""

    cost = 20
    numpy = np.arccosh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        one = full(b, 1, x.type)
        below = b(ops.Sqrt(), b(ops.Sub(), x, one))
        return reciprocal(b, b(ops.Mul(), below, b(ops.Sqrt(), b(ops.Add(), x, one))))


@primitive("arctanh")
class Arctanh(Unary):
    """The inverse hyperbolic tangent on (-1, 1)."""

    cost = 20
    numpy = np.arctanh

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return reciprocal(b, one_and_square(b, x, -1))


@primitive("arctan2")
class Arctan2(Elementwise):
    """The angle of the point (x, y), y the first operand; its derivative at the origin is 0."""

    cost = 20
    numpy = np.arctan2

    def partials(
        self, b: Builder, angle: Value, y: Value, x: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        square = b(ops.Add(), b(ops.Mul(), x, x), b(ops.Mul(), y, y))
        origin = b(ops.Equal(), square, zeros(b, x.type))
        safe = b(ops.Select(), origin, full(b, 1, x.type), square)
        return (
            b(ops.Div(), x, safe) if wanted[0] else None,
            b(ops.Neg(), b(ops.Div(), y, safe)) if wanted[1] else None,
        )
