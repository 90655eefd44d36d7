"""``out=`` and augmented assignment: the result of a function written where an array is."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import astype, broadcast, lift, strong
from tracer.errors import CastingError, ShapeError, message
from tracer.memory import target, whose, writable
from tracer.tables import FUNCTIONS, UFUNCS, call_ufunc, numpy_name


def stored(func: Any, made: Any, out: Any, casting: Any = "same_kind", where: Any = True) -> Any:
    """The result in the place of ``out``, which is returned."""
    if isinstance(out, tuple):
        (out,) = out
    x = target(out, made, where)
    place = writable(x, made, where)
    y = strong(lift(place.memory.home, made))
    if not np.can_cast(y.dtype, x.dtype, casting):
        raise CastingError(
            message(
                f"Cannot cast {numpy_name(func)} output from {y.dtype} to {x.dtype} with casting"
                f" rule {casting!r}.",
                "Make the array with the dtype of the result, or use casting='unsafe'.",
            )
        )
    try:
        fits = np.broadcast_shapes(y.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            message(
                f"non-broadcastable output operand with shape {x.shape} doesn't match the"
                f" broadcast shape {y.shape}.",
                "out= must have the shape of the result.",
            )
        )
    y = broadcast(astype(y, x.value.type.dtype), x.shape)
    if where is not True:
        FUNCTIONS["choose into"](x, place, lift(place.memory.home, where), y)
    else:
        place.memory.write(place.mould, y.value)
    return out


def ufunc_out(ufunc: Any, method: str, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
    """A ufunc, or a method of one, with ``out=``; with ``where=``, the rest of out stays."""
    where = kwargs.pop("where", True) if method == "__call__" else True
    made = call_ufunc(ufunc, method, args, dict(kwargs))
    casting = kwargs.get("casting", "same_kind")
    if not isinstance(made, tuple):
        return stored(ufunc, made, out[0], casting, where)
    kept = [
        y if x is None else stored(ufunc, y, x, casting, where)
        for y, x in zip(made, out, strict=True)
    ]
    return tuple(kept)


def augment(ufunc: Any, x: Tracer, y: Any) -> Tracer:
    """``x += y``: in place for an array; a new value for a number."""
    if type(x) is not Tracer:
        return ufunc(x, y, out=(x,))  # type: ignore[no-any-return]
    entry = UFUNCS.get(ufunc) or FUNCTIONS[ufunc]
    if x.scalar or x.weak or is_example(x):
        found: Tracer = entry(x, y)
        return found
    return call_ufunc(ufunc, "__call__", (x, y), {"out": (x,)})  # type: ignore[no-any-return]


def is_example(x: Tracer) -> bool:
    """Whether the tracer stands for one number of a batch, or for a number that is not there."""
    return not x.shape and x.home.kind in ("vmap", "trace") and x.store is None and bool(whose(x))


FUNCTIONS["out"] = ufunc_out
FUNCTIONS["augment"] = augment
