"""Arithmetic, powers, rounding, and the order of two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Tangent, primitive
from ir.ops.families import Bilinear, Elementwise, Unary, add_up, full, reciprocal, zeros
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType

NUMBERS = ("int", "float")


@primitive("neg")
class Neg(Elementwise):
    """Each element with its sign changed."""

    arity = 1
    kinds = NUMBERS
    linear_in = (0,)
    numpy = np.negative

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        (t,) = ts
        return None if t is None else b(self, t)

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(self, ct),)


@primitive("add")
class Add(Elementwise):
    """The sum of corresponding elements."""

    kinds = NUMBERS
    commutative = True
    linear_in = (0, 1)
    numpy = np.add

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        return add_up(b, ts)

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (ct if linear[0] else None, ct if linear[1] else None)


@primitive("sub")
class Sub(Elementwise):
    """The difference of corresponding elements."""

    kinds = NUMBERS
    linear_in = (0, 1)
    numpy = np.subtract

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        dx, dy = ts
        if dx is None or dy is None:
            return dx if dy is None else b(ops.Neg(), dy)
        return b(self, dx, dy)  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (ct if linear[0] else None, b(ops.Neg(), ct) if linear[1] else None)


@primitive("mul")
class Mul(Bilinear, Elementwise):
    """The product of corresponding elements."""

    kinds = NUMBERS
    commutative = True
    numpy = np.multiply

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        x, t = xs[0], ts[0]
        if xs[1] is not x or ts[1] is not t or t is None:
            return super().jvp(b, y, xs, ts)
        return b(self, full(b, 2, t.type), b(self, x, t))  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        x, y = xs
        return (b(self, ct, y), None) if linear[0] else (None, b(self, x, ct))


@primitive("div")
class Div(Elementwise):
    """The quotient of corresponding elements; linear in the numerator."""

    linear_in = (0,)
    cost = 8
    numpy = np.divide

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        den, (dn, dd) = xs[1], ts
        if dd is None:
            return None if dn is None else b(self, dn, den)
        inverse = reciprocal(b, den)  # a division that serves every derivative in ``den``
        slope = b(ops.Mul(), b(ops.Mul(), xs[0], inverse), inverse)
        drag = b(ops.Mul(), dd, slope)
        if dn is None:
            return b(ops.Neg(), drag)  # type: ignore[no-any-return]
        return b(ops.Sub(), b(ops.Mul(), dn, inverse), drag)  # type: ignore[no-any-return]

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (b(self, ct, xs[1]), None)


@primitive("floor_divide")
class FloorDivide(Elementwise):
    """The quotient rounded towards minus infinity; an integer divided by zero is 0."""

    kinds = NUMBERS
    differentiable = False
    cost = 8
    numpy = np.floor_divide


@primitive("remainder")
class Remainder(Elementwise):
    """``x - floor_divide(x, y) * y``, with the sign of y; the derivative in y is that quotient."""

    kinds = NUMBERS
    cost = 8
    numpy = np.remainder

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (
            full(b, 1, x.type),
            b(ops.Neg(), b(ops.FloorDivide(), x, y)) if wanted[1] else None,
        )


@primitive("fmod")
class Fmod(Elementwise):
    """The remainder of the quotient rounded towards zero, with the sign of x."""

    kinds = NUMBERS
    cost = 20
    numpy = np.fmod

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        quotient = b(ops.Trunc(), b(ops.Div(), x, y)) if wanted[1] else None
        return full(b, 1, x.type), quotient and b(ops.Neg(), quotient)


@primitive("abs")
class Abs(Unary):
    """The magnitude; its derivative at 0 is 0."""

    kinds = NUMBERS
    numpy = np.abs

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        return b(ops.Sign(), x)  # type: ignore[no-any-return]


@primitive("sign")
class Sign(Elementwise):
    """-1, 0 or 1; nan stays nan."""

    arity = 1
    kinds = NUMBERS
    differentiable = False
    numpy = np.sign


@primitive("floor")
class Floor(Elementwise):
    """The largest whole number that is not larger."""

    arity = 1
    differentiable = False
    numpy = np.floor


@primitive("ceil")
class Ceil(Elementwise):
    """The smallest whole number that is not smaller."""

    arity = 1
    differentiable = False
    numpy = np.ceil


@primitive("trunc")
class Trunc(Elementwise):
    """The whole number next towards zero."""

    arity = 1
    differentiable = False
    numpy = np.trunc


@primitive("rint")
class Rint(Elementwise):
    """The nearest whole number, halves to even."""

    arity = 1
    differentiable = False
    numpy = np.rint


@primitive("copysign")
class CopySign(Elementwise):
    """The magnitude of x with the sign of y."""

    numpy = np.copysign

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        signs = b(ops.Mul(), b(ops.Sign(), x), b(self, full(b, 1, y.type), y))
        return signs, None


@primitive("pow")
class Pow(Elementwise):
    """x raised to the power y, as C's ``pow``.

    The derivative in x is 0 where y is 0; the derivative in y is 0 where x is 0 and y is not
    negative.
    """

    cost = 20

    def reference(self, x: Array, y: Array) -> Array:  # type: ignore[override]
        """By ``float_power``: (-inf) ** 0.5 of ``power`` is inf or nan, as the strides may be."""
        return np.asarray(np.float_power(x, y)).astype(x.dtype)

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        zero = zeros(b, x.type)
        in_x = in_y = None
        if wanted[0]:
            lower = b(self, x, b(ops.Sub(), y, full(b, 1, y.type)))
            in_x = b(ops.Select(), b(ops.Equal(), y, zero), zero, b(ops.Mul(), y, lower))
        if wanted[1]:
            at_zero = b(ops.And(), b(ops.Equal(), x, zero), b(ops.GreaterEqual(), y, zero))
            safe = b(ops.Select(), at_zero, full(b, 1, x.type), x)
            in_y = b(ops.Mul(), r, b(ops.Log(), safe))
        return in_x, in_y


def raised(base: Any, exponent: int, one: Any) -> Any:
    """A power by repeated squaring."""
    power = None
    while exponent:
        if exponent & 1:
            power = base if power is None else power * base
        exponent >>= 1
        base = base * base if exponent else base
    return one if power is None else power


@primitive("integer_pow")
class IntegerPow(Unary):
    """x raised to a fixed whole power, by repeated squaring."""

    exponent: int
    kinds = NUMBERS

    def infer(self, *xs: ArrayType) -> ArrayType:
        whole = xs[0].info.kind == "int" and self.exponent < 0
        require(not whole, self, "an integer has no negative power", operand=xs[0])
        return super().infer(*xs)

    def reference(self, x: Array) -> Array:  # type: ignore[override]
        one = x.dtype.type(1)
        power = raised(x, abs(self.exponent), one)
        return np.divide(one, power) if self.exponent < 0 else np.broadcast_to(power, x.shape)

    def element(self, k: Kernel, at: Index, x: Source) -> Scalar:  # type: ignore[override]
        one = k.const(1, x.type.dtype)
        power = raised(x[at], abs(self.exponent), one)
        return k.call("div", one, power) if self.exponent < 0 else power  # type: ignore[no-any-return]

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """The multiplications of repeated squaring, and a division for a negative exponent."""
        n = abs(self.exponent)
        products = max(n.bit_length() + n.bit_count() - 2, 0)
        return results[0].size * (products + (8 if self.exponent < 0 else 0))

    def slope(self, b: Builder, y: Value, x: Value) -> Value:
        n = self.exponent
        if n == 0:
            return zeros(b, x.type)  # and not 0 * x ** -1, which is nan at 0
        lower = x if n == 2 else b(IntegerPow(n - 1), x)
        return b(ops.Mul(), full(b, n, x.type), lower)  # type: ignore[no-any-return]


class Extremum(Elementwise):
    """The larger or the smaller operand; nan if either is, and ties share the derivative."""

    kinds = ("bool", "int", "float")
    commutative = True

    def partials(
        self, b: Builder, r: Value, x: Value, y: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        zero, half, one = (full(b, n, x.type) for n in (0.0, 0.5, 1.0))
        tie = b(ops.Equal(), x, y)

        def share(v: Value) -> Value:
            chosen = b(ops.Select(), b(ops.Equal(), r, v), one, zero)
            return b(ops.Select(), tie, half, chosen)  # type: ignore[no-any-return]

        return share(x) if wanted[0] else None, share(y) if wanted[1] else None


@primitive("maximum")
class Maximum(Extremum):
    """The larger of corresponding elements."""

    numpy = np.maximum


@primitive("minimum")
class Minimum(Extremum):
    """The smaller of corresponding elements."""

    numpy = np.minimum
