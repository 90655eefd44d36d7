"""The operators of a tracer: each is a ufunc."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.tables import FUNCTIONS, UFUNCS

if TYPE_CHECKING:
    from tracer.array import Tracer

Binary = Callable[[Any, Any], "Tracer"]
Unary = Callable[[Any], "Tracer"]


def binary(ufunc: Any) -> Binary:
    def operate(x: Tracer, y: Any) -> Tracer:
        return UFUNCS[ufunc](x, y)  # type: ignore[no-any-return]

    return operate


def reflected(ufunc: Any) -> Binary:
    def operate(x: Tracer, y: Any) -> Tracer:
        return UFUNCS[ufunc](y, x)  # type: ignore[no-any-return]

    return operate


def comparison(ufunc: Any) -> Callable[[Any, Any], Any]:
    def operate(x: Tracer, y: Any) -> Any:
        if y is None or isinstance(y, str | dict):
            return NotImplemented
        return UFUNCS[ufunc](x, y)

    return operate


def unary(ufunc: Any) -> Unary:
    def operate(x: Tracer) -> Tracer:
        return UFUNCS[ufunc](x)  # type: ignore[no-any-return]

    return operate


def contraction(swap: bool) -> Binary:
    def operate(x: Tracer, y: Any) -> Tracer:
        return FUNCTIONS[np.matmul](*((y, x) if swap else (x, y)))  # type: ignore[no-any-return]

    return operate


class Operators:
    """``x + y`` and the others, reflected too; ``x += y`` rebinds the name."""

    __slots__ = ()

    __add__, __radd__ = binary(np.add), reflected(np.add)
    __sub__, __rsub__ = binary(np.subtract), reflected(np.subtract)
    __mul__, __rmul__ = binary(np.multiply), reflected(np.multiply)
    __truediv__, __rtruediv__ = binary(np.divide), reflected(np.divide)
    __floordiv__, __rfloordiv__ = binary(np.floor_divide), reflected(np.floor_divide)
    __mod__, __rmod__ = binary(np.remainder), reflected(np.remainder)
    __divmod__, __rdivmod__ = binary(np.divmod), reflected(np.divmod)
    __pow__, __rpow__ = binary(np.power), reflected(np.power)
    __matmul__, __rmatmul__ = contraction(swap=False), contraction(swap=True)
    __and__, __rand__ = binary(np.bitwise_and), reflected(np.bitwise_and)
    __or__, __ror__ = binary(np.bitwise_or), reflected(np.bitwise_or)
    __xor__, __rxor__ = binary(np.bitwise_xor), reflected(np.bitwise_xor)
    __lshift__, __rlshift__ = binary(np.left_shift), reflected(np.left_shift)
    __rshift__, __rrshift__ = binary(np.right_shift), reflected(np.right_shift)
    __eq__ = comparison(np.equal)
    __ne__ = comparison(np.not_equal)
    __lt__, __le__ = comparison(np.less), comparison(np.less_equal)
    __gt__, __ge__ = comparison(np.greater), comparison(np.greater_equal)
    __neg__, __pos__ = unary(np.negative), unary(np.positive)
    __abs__, __invert__ = unary(np.absolute), unary(np.invert)
    __hash__ = object.__hash__
