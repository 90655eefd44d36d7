"""The methods of a tracer: ndarray's, and the spellings of torch tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.questions import python_value
from tracer.tables import FUNCTIONS, UFUNCS

if TYPE_CHECKING:
    pass


def method(func: Any) -> Callable[..., Any]:
    """``x.sum(...)`` is ``np.sum(x, ...)``."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[func](x, *args, **kwargs)

    call.__doc__ = f"As ``np.{func.__name__}``."
    return call


def elementwise(ufunc: Any) -> Callable[[Any], Any]:
    """``x.sin()`` is ``np.sin(x)``."""

    def call(x: Any) -> Any:
        return UFUNCS[ufunc](x)

    call.__doc__ = f"As ``np.{ufunc.__name__}``, spelled as in torch."
    return call


def packed(args: tuple[Any, ...]) -> Any:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    return args[0] if len(args) == 1 and not isinstance(args[0], int) else args


class Methods:
    """Methods that are NumPy functions of the array, and a few with signatures of their own."""

    __slots__ = ()

    sum, prod, mean, var, std = map(method, (np.sum, np.prod, np.mean, np.var, np.std))
    max, min, argmax, argmin = map(method, (np.max, np.min, np.argmax, np.argmin))
    any, all, cumsum, cumprod = map(method, (np.any, np.all, np.cumsum, np.cumprod))
    ravel, squeeze, swapaxes, repeat = map(method, (np.ravel, np.squeeze, np.swapaxes, np.repeat))
    take, diagonal, trace = map(method, (np.take, np.diagonal, np.trace))
    choose, searchsorted = map(method, (np.choose, np.searchsorted))
    clip, round, dot, nonzero = map(method, (np.clip, np.round, np.dot, np.nonzero))

    exp, log, log1p, expm1, sqrt = map(elementwise, (np.exp, np.log, np.log1p, np.expm1, np.sqrt))
    sin, cos, tan, tanh, sinh = map(elementwise, (np.sin, np.cos, np.tan, np.tanh, np.sinh))
    cosh, abs, square, sign = map(elementwise, (np.cosh, np.absolute, np.square, np.sign))
    floor, ceil, reciprocal = map(elementwise, (np.floor, np.ceil, np.reciprocal))

    @property
    def T(self: Any) -> Any:
        return FUNCTIONS[np.transpose](self)

    @property
    def mT(self: Any) -> Any:
        return FUNCTIONS[np.matrix_transpose](self)

    @property
    def real(self: Any) -> Any:
        return self

    @property
    def imag(self: Any) -> Any:
        return FUNCTIONS[np.zeros_like](self)

    @property
    def flat(self: Any) -> Any:
        """All elements in a row, to iterate over, to index, and to write to."""
        return FUNCTIONS["flat"](self)

    @flat.setter
    def flat(self: Any, items: Any) -> None:
        FUNCTIONS["flat"](self)[:] = items

    def fill(self: Any, value: Any) -> None:
        """As ``x[...] = value``."""
        self[...] = value

    def put(self: Any, indices: Any, values: Any, mode: str = "raise") -> None:
        """As ``np.put``."""
        FUNCTIONS[np.put](self, indices, values, mode)

    def conj(self: Any) -> Any:
        """Itself: the elements are real."""
        return self

    conjugate = conj

    def reshape(self: Any, *shape: Any, order: str = "C") -> Any:
        return FUNCTIONS[np.reshape](self, packed(shape), order=order)

    def flatten(self: Any, order: str = "C") -> Any:
        return FUNCTIONS[np.ravel](self, order=order).copy()

    def transpose(self: Any, *axes: Any) -> Any:
        return FUNCTIONS[np.transpose](self, packed(axes) if axes else None)

    def compress(self: Any, condition: Any, axis: Any = None) -> Any:
        """As ``np.compress``."""
        return FUNCTIONS[np.compress](condition, self, axis)

    def astype(self: Any, dtype: Any, **kwargs: Any) -> Any:
        return FUNCTIONS["astype"](self, dtype, copy=kwargs.get("copy", True))

    def copy(self: Any, order: str = "C") -> Any:
        """An array of its own, which can be written to."""
        return FUNCTIONS["copied"](self)

    def item(self: Any, *index: Any) -> Any:
        """The element as a Python number; its derivative is dropped."""
        at = index[0] if len(index) == 1 and isinstance(index[0], tuple) else index
        if not at:
            return python_value(self, "item").item()
        element = self[at] if len(at) > 1 else self.reshape(-1)[at]
        return python_value(element, "item").item()

    def tolist(self: Any) -> Any:
        """Nested lists of Python numbers; their derivatives are dropped."""
        return python_value(self, "tolist").tolist()

    def dim(self: Any) -> int:
        """``ndim``, spelled as in torch."""
        return self.ndim  # type: ignore[no-any-return]

    def relu(self: Any) -> Any:
        """``max(x, 0)`` with derivative 0 at 0, as in torch."""
        return FUNCTIONS["relu"](self)

    def sigmoid(self: Any) -> Any:
        """``1 / (1 + exp(-x))``, spelled as in torch."""
        return UFUNCS["expit"](self)

    def detach(self: Any) -> Any:
        """A constant of the same value, spelled as in torch."""
        return FUNCTIONS["stop_gradient"](self)

    def pow(self: Any, exponent: Any) -> Any:
        return UFUNCS[np.power](self, exponent)

    def __array_namespace__(self: Any, api_version: str | None = None) -> Any:
        """The functions of the array API on tracers: ``tracer.numpy``."""
        return FUNCTIONS["namespace"]()
