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


def everywhere(x: Tracer, answer: bool) -> Any:
    """One answer for each element."""
    return FUNCTIONS[np.full_like](x, answer, bool)[()]


def in_range(x: Tracer, y: int) -> bool:
    """Whether an int is one of those that the array's dtype holds, or need not be."""
    if x.dtype.kind != "i":
        return True
    limits = np.iinfo(x.dtype)
    return bool(limits.min <= y <= limits.max)


def comparison(ufunc: Any) -> Callable[[Any, Any], Any]:
    def operate(x: Tracer, y: Any) -> Any:
        if y is None or isinstance(y, str | dict):
            if ufunc in (np.equal, np.not_equal):
                return everywhere(x, ufunc is np.not_equal)
            return NotImplemented
        if type(y) is int and not in_range(x, y):
            return everywhere(x, bool(ufunc(0, 1 if y > 0 else -1)))
        return UFUNCS[ufunc](x, y)

    return operate


def unary(ufunc: Any) -> Unary:
    def operate(x: Tracer) -> Tracer:
        return UFUNCS[ufunc](x)  # type: ignore[no-any-return]

    return operate


def power(x: Tracer, n: Any) -> Tracer:
    """As NumPy's operator, the square is a ufunc of its own, which of bools is another one."""
    squared = type(n) is int and n == 2 and x.dtype == bool
    return UFUNCS[np.square](x) if squared else UFUNCS[np.power](x, n)  # type: ignore[no-any-return]


def contraction(swap: bool) -> Binary:
    def operate(x: Tracer, y: Any) -> Tracer:
        return FUNCTIONS[np.matmul](*((y, x) if swap else (x, y)))  # type: ignore[no-any-return]

    return operate


def in_place(ufunc: Any) -> Binary:
    """``x += y``: an array changes, for everyone who has it; the name of a number is bound anew."""

    def operate(x: Tracer, y: Any) -> Tracer:
        return FUNCTIONS["augment"](ufunc, x, y)  # type: ignore[no-any-return]

    return operate


class InPlace:
    """``x += y`` and the others."""

    __slots__ = ()

    __iadd__, __isub__, __imul__ = map(in_place, (np.add, np.subtract, np.multiply))
    __itruediv__, __ifloordiv__ = in_place(np.divide), in_place(np.floor_divide)
    __imod__, __ipow__, __imatmul__ = map(in_place, (np.remainder, np.power, np.matmul))
    __iand__, __ior__, __ixor__ = map(in_place, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
    __ilshift__, __irshift__ = in_place(np.left_shift), in_place(np.right_shift)


class Operators:
    """``x + y`` and the others, reflected too."""

    __slots__ = ()

    __add__, __radd__ = binary(np.add), reflected(np.add)
    __sub__, __rsub__ = binary(np.subtract), reflected(np.subtract)
    __mul__, __rmul__ = binary(np.multiply), reflected(np.multiply)
    __truediv__, __rtruediv__ = binary(np.divide), reflected(np.divide)
    __floordiv__, __rfloordiv__ = binary(np.floor_divide), reflected(np.floor_divide)
    __mod__, __rmod__ = binary(np.remainder), reflected(np.remainder)
    __divmod__, __rdivmod__ = binary(np.divmod), reflected(np.divmod)
    __pow__, __rpow__ = power, reflected(np.power)
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
