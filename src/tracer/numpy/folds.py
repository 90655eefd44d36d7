"""``ufunc.reduce`` by halves, whole powers of integers, and questions about kinds of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import astype, cut, emit, number, reshape, strong
from tracer.errors import ShapeError, message
from tracer.numpy.elementwise import truth
from tracer.numpy.movement import joined
from tracer.numpy.reductions import folded
from tracer.numpy.table import implements, tnp
from tracer.numpy.ufuncs import Power
from tracer.promote import resolve
from tracer.tables import FUNCTIONS, REDUCE, UFUNCS


def halved(ufunc: Any, x: Tracer, axis: int) -> Tracer:
    """The elements along the axis combined pairwise until one is left."""
    while (n := x.shape[axis]) > 1:
        half = n // 2
        both = ufunc(cut(x, axis, 0, half), cut(x, axis, half, 2 * half))
        x = joined([both, cut(x, axis, 2 * half, n)], axis)
    return x


def begun(ufunc: Any, x: Tracer, axis: int) -> Tracer:
    """The identity before the elements, if the ufunc has one: hypot of one is its size."""
    if ufunc.identity is None:
        return x
    shape = tuple([1 if d == axis else n for d, n in enumerate(x.shape)])
    return joined([tnp.full_like(x, ufunc.identity, shape=shape), x], axis)


def reduction(ufunc: Any) -> Callable[..., Tracer]:
    """``ufunc.reduce`` of an associative and commutative ufunc."""

    def rule(a: Tracer, axis: Any = 0, dtype: Any = None, keepdims: bool = False) -> Tracer:
        x = strong(a) if dtype is None else a.astype(dtype)
        x = truth(x) if ufunc is np.logical_xor else x
        x = astype(x, resolve(ufunc, x.value.type.dtype, x.value.type.dtype)[1][0])
        axes = folded(axis, x.ndim)
        empty = any(not x.shape[d] for d in axes)
        if ufunc.identity is None and empty:
            raise ShapeError(
                message(f"{ufunc.__name__}.reduce of nothing: it has no identity.", "Skip it.")
            )
        for d in axes:
            x = halved(ufunc, begun(ufunc, x, d), d)
        left = tuple([1 if d in axes else n for d, n in enumerate(x.shape)])
        shape = left if keepdims else tuple([n for d, n in enumerate(x.shape) if d not in axes])
        made = reshape(x, shape)
        return Tracer(made.home, made.value, scalar=not shape)

    return rule


FOLDED = (
    *(np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_xor),
)
for ufunc in FOLDED:
    name = REDUCE[ufunc] = f"{ufunc.__name__}.reduce"
    FUNCTIONS[name] = reduction(ufunc)


def int_power(x: Tracer, n: Tracer) -> Tracer:
    """By squaring, for as many bits as the exponents have; it wraps as NumPy's does."""
    known = x.home.constants.get(n.value)
    if known is None:
        bits = np.iinfo(n.dtype).bits - 1
        way_out = "Use x.astype(float) ** n."
        gist = "integers to negative integer powers are not allowed."
        good = tnp.all(n >= 0)
        x.home.emit(ops.Check(gist, way_out, "ValueError"), good.value)
    else:
        exponents = np.asarray(known.reference())
        if exponents.size and exponents.min() < 0:
            raise ValueError(
                message(
                    "integers to negative integer powers are not allowed.",
                    "Use x.astype(float) ** n.",
                )
            )
        bits = int(exponents.max(initial=0)).bit_length()
    made, one, zero = number(x, 1), number(n, 1), number(n, 0)
    for bit in range(bits):
        odd = emit(ops.NotEqual(), emit(ops.And(), n, number(n, 1 << bit) if bit else one), zero)
        made = emit(ops.Select(), odd, emit(ops.Mul(), made, x), made)
        x = emit(ops.Mul(), x, x) if bit + 1 < bits else x
    return made


UFUNCS[np.power] = Power(np.power, float=ops.Pow(), int=int_power)


@implements(np.imag, arrays="val")
def imag(val: Tracer) -> Tracer:
    made = tnp.zeros_like(val)
    return Tracer(made.home, made.value, scalar=val.scalar)


@implements(np.isreal, arrays="x")
def isreal(x: Tracer) -> Tracer:
    made = tnp.ones_like(x, dtype=bool)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.iscomplex, arrays="x")
def iscomplex(x: Tracer) -> Tracer:
    made = tnp.zeros_like(x, dtype=bool)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """A traced Python number is as weak as it would be."""
    sample = [
        (x.dtype.type(0).item() if x.weak else x.dtype) if isinstance(x, Tracer) else x
        for x in arrays_and_dtypes
    ]
    return np.result_type(*sample)
