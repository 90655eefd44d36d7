"""Reductions that leave nan out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import number
from tracer.errors import PromotionError, message
from tracer.numpy.elementwise import is_nan, where
from tracer.numpy.reductions import Axis, counted, mean, root, squares, variance
from tracer.numpy.scans import cumprod, cumsum
from tracer.numpy.table import implements, tnp


def without_nan(a: Tracer, instead: float) -> Tracer:
    return where(is_nan(a), number(a, instead), a) if a.dtype.kind == "f" else a


def numbers(a: Tracer, mask: Any) -> Any:
    """The mask of what is no nan."""
    if a.dtype.kind != "f":
        return mask
    real = tnp.logical_not(is_nan(a))
    return real if mask is None or mask is True else real & mask


def folding(func: Any, neutral: float) -> Callable[..., Tracer]:
    """The sum or the product with every nan replaced by the neutral element."""

    def rule(
        a: Tracer,
        axis: Axis = None,
        dtype: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Tracer:
        made: Tracer = func(
            without_nan(a, neutral),
            axis=axis,
            dtype=dtype,
            keepdims=keepdims,
            **({} if initial is None else {"initial": initial}),
            **({} if where is None else {"where": where}),
        )
        return made

    return rule


implements(np.nansum, arrays="a")(folding(np.sum, 0.0))
implements(np.nanprod, arrays="a")(folding(np.prod, 1.0))


def extremum(func: Any, neutral: float) -> Callable[..., Tracer]:
    """The largest or smallest number; nan where there is none."""

    def rule(
        a: Tracer,
        axis: Axis = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Tracer:
        given = {"keepdims": keepdims, "initial": initial, "where": where}
        chosen = {name: x for name, x in given.items() if x is not None}
        made: Tracer = func(without_nan(a, neutral), axis, **chosen)
        if a.dtype.kind != "f" or initial is not None:
            return made
        nothing = tnp.all(is_nan(a), axis, keepdims=keepdims)
        found = tnp.where(nothing, a.dtype.type(np.nan), made)
        return Tracer(found.home, found.value, scalar=not found.shape)

    return rule


implements(np.nanmax, arrays="a")(extremum(np.max, float("-inf")))
implements(np.nanmin, arrays="a")(extremum(np.min, float("inf")))


def whole(a: Tracer, dtype: Any) -> None:
    if a.dtype.kind == "f" and dtype is not None and np.dtype(dtype).kind != "f":
        raise PromotionError(
            message(f"a mean of floats in {np.dtype(dtype)} has no nan.", "Use a float dtype=.")
        )


@implements(np.nanmean, arrays="a")
def nanmean(
    a: Tracer, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Any = None
) -> Tracer:
    whole(a, dtype)
    return mean(a, axis, dtype, keepdims, where=numbers(a, where))


def nan_variance(
    a: Tracer, axis: Axis, dtype: Any, less: float, keepdims: bool, mask: Any, mean: Tracer | None
) -> Tracer:
    """nan where no degree of freedom is left."""
    whole(a, dtype)
    real = numbers(a, mask)
    made = variance(a, axis, dtype, less, keepdims, real, mean)
    if a.dtype.kind != "f":
        return made
    left = counted(a, axis, keepdims, real) - less
    found = tnp.where(left > 0, made, made.dtype.type(np.nan))
    return Tracer(found.home, found.value, scalar=not found.shape)


def nan_deviation(*args: Any) -> Tracer:
    return root(nan_variance(*args))


implements(np.nanvar, arrays="a mean")(squares(nan_variance))
implements(np.nanstd, arrays="a mean")(squares(nan_deviation))


@implements(np.nancumsum, arrays="a")
def nancumsum(a: Tracer, axis: int | None = None, dtype: Any = None) -> Tracer:
    return cumsum(without_nan(a, 0.0), axis, dtype)


@implements(np.nancumprod, arrays="a")
def nancumprod(a: Tracer, axis: int | None = None, dtype: Any = None) -> Tracer:
    return cumprod(without_nan(a, 1.0), axis, dtype)


def refuse_all_nan(a: Tracer, axis: int | None) -> None:
    """A check, made when the program runs, that each line holds a number."""
    some = tnp.any(tnp.logical_not(is_nan(a)), axis)
    way_out = "Fill the line first: np.where(np.isnan(x), 0, x)."
    a.home.emit(ops.Check("All-NaN slice encountered.", way_out, "ValueError"), tnp.all(some).value)


def position(func: Any, neutral: float) -> Callable[..., Tracer]:
    """Where the extremum is; a line of nan alone has none."""

    def rule(a: Tracer, axis: int | None = None, keepdims: bool = False) -> Tracer:
        if a.dtype.kind == "f":
            refuse_all_nan(a, axis)
        made: Tracer = func(without_nan(a, neutral), axis, keepdims=keepdims)
        return made

    return rule


implements(np.nanargmax, arrays="a")(position(np.argmax, float("-inf")))
implements(np.nanargmin, arrays="a")(position(np.argmin, float("inf")))
