"""The element language spoken in plain Python over NumPy scalars: an oracle that needs no LLVM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import scipy.special

from ir.op import Array, Op
from ir.scalar import Accumulators, Index
from ir.types import DTYPES, ArrayType, type_of

NAMED: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": lambda x, y: np.float_power(x, y).astype(x.dtype),
    "is_finite": np.isfinite,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
    "logistic": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x))),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "erfinv": scipy.special.erfinv,
}
"""Scalar functions that NumPy calls otherwise, or does not have."""


class PythonKernel:
    """Indices are ints and numbers are NumPy scalars, whose arithmetic keeps their dtype."""

    def const(self, value: Any, dtype: str) -> Any:
        return DTYPES[dtype].numpy.type(value)

    def call(self, name: str, *xs: Any) -> Any:
        return NAMED[name](*xs) if name in NAMED else getattr(np, name)(*xs)

    def convert(self, x: Any, dtype: str) -> Any:
        return np.asarray(x).astype(DTYPES[dtype].numpy)[()]

    def select(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return then if condition else otherwise

    def number(self, index: int, dtype: str) -> Any:
        return DTYPES[dtype].numpy.type(index)

    def index(self, x: Any, extent: int) -> int:
        return min(max(int(x), 0), extent - 1)

    def within(self, index: int, low: int, high: int) -> bool:
        return low <= index < high

    def when(self, condition: bool, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        return then() if condition else otherwise()

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[[Index, Accumulators], Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        for at in product(*map(range, extents)):
            inits = step(at, inits)
        return inits


@dataclass
class ArraySource:
    """An operand that refuses every read outside of it."""

    array: Array

    @property
    def type(self) -> ArrayType:
        return type_of(self.array)

    def __getitem__(self, at: Index) -> Any:
        inside = all(0 <= i < n for i, n in zip(at, self.array.shape, strict=True))
        assert inside, f"read at {at} of {self.type}"
        return self.array[at]


def compute(op: Op, result: ArrayType, arrays: Sequence[Array]) -> Array:
    """The op's result by whichever slot says how it is computed."""
    k, xs = PythonKernel(), [ArraySource(x) for x in arrays]
    with np.errstate(all="ignore"):
        if hasattr(op, "update"):
            return updated(op, k, xs)
        if hasattr(op, "scan"):
            return scanned(op, k, xs)
        made = np.empty(result.shape, result.numpy)
        for at in np.ndindex(result.shape):
            element = op.element(k, at, *xs)
            assert np.asarray(element).dtype == result.numpy, f"an element is {type(element)}"
            made[at] = element
        return made


def scanned(op: Any, k: PythonKernel, xs: Sequence[ArraySource]) -> Array:
    """Carry a number along the axis, each line on its own."""
    (x,) = xs
    made = np.empty_like(x.array)
    shape, axis = x.type.shape, op.axis
    along = range(shape[axis])
    for line in np.ndindex(*shape[:axis], *shape[axis + 1 :]):
        carry = op.initial(k, x.type)
        for i in reversed(along) if op.reverse else along:
            at = (*line[:axis], i, *line[axis:])
            made[at] = carry = op.scan(k, at, carry, x)
    return made


def updated(op: Any, k: PythonKernel, xs: Sequence[ArraySource]) -> Array:
    """Put each element of operand 1 in a copy of operand 0, where the op says."""
    made = xs[0].array.copy()
    for at in np.ndindex(xs[1].type.shape):
        place, number = op.update(k, at, *xs)
        assert ArraySource(made)[place] is not None
        made[place] = number if op.overwrites else made[place] + number
    return made
