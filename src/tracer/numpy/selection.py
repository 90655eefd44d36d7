"""Choice, clipping, conversion, comparison of arrays, and arrays made like another."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from tracer import promote
from tracer.array import Tracer, as_read
from tracer.emit import (
    astype,
    broadcast,
    broadcast_together,
    emit,
    lift,
    number,
    owner,
    promoted,
    strong,
)
from tracer.errors import ShapeError, message
from tracer.fresh import any_traced, remade, user_line
from tracer.memory import copied
from tracer.numpy import elementwise
from tracer.numpy.elementwise import is_nan, truth
from tracer.numpy.out import stored
from tracer.numpy.table import implements, tnp
from tracer.tables import FUNCTIONS, LIKE
from tracer.trace import check_alive


@implements(np.where, arrays="condition x y")
def where(condition: Tracer, x: Tracer | None = None, y: Tracer | None = None) -> Any:
    if x is None or y is None:
        return tnp.nonzero(condition)
    then, otherwise = promoted([x, y])
    made = emit(ops.Select(), *broadcast_together([truth(condition), then, otherwise]))
    return Tracer(made.home, made.value)


@implements(np.select, lists="condlist choicelist", arrays="default")
def select(condlist: list[Tracer], choicelist: list[Tracer], default: Any = 0) -> Tracer:
    made, *choices = promoted([lift(choicelist[0].home, default), *choicelist])
    for condition, choice in zip(condlist[::-1], choices[::-1], strict=True):
        made = tnp.where(condition, choice, made)
    return Tracer(made.home, made.value)


@implements(np.clip, arrays="a a_min a_max min max")
def clip(
    a: Tracer,
    a_min: Tracer | None = None,
    a_max: Tracer | None = None,
    min: Tracer | None = None,
    max: Tracer | None = None,
) -> Tracer:
    """At an edge the derivative is 1, so it is a choice and no maximum."""
    low, high = a_min if min is None else min, a_max if max is None else max
    if low is None and high is None:
        return tnp.positive(strong(a))
    given = [x for x in (strong(a), low, high) if x is not None]
    xs = broadcast_together(promoted(given))
    made = xs[0]
    if low is not None:
        made = elementwise.where(beyond(ops.Less(), made, xs[1]), xs[1], made)
    if high is not None:
        made = elementwise.where(beyond(ops.Greater(), made, xs[-1]), xs[-1], made)
    return Tracer(made.home, made.value, scalar=not made.shape)


def beyond(outside: Op, x: Tracer, edge: Tracer) -> Tracer:
    """Whether the edge takes the place of x: x is outside, or the edge is nan."""
    found = emit(outside, x, edge)
    known = x.home.constants.get(edge.value)
    plain = isinstance(known, ops.Constant) and known.value == known.value
    if plain or edge.dtype.kind != "f":
        return found
    return emit(ops.Or(), found, is_nan(edge))


def astype_(x: Tracer, dtype: Any, copy: bool = True) -> Tracer:
    """A copy, but of the same dtype with ``copy=False``."""
    wanted = promote.short(dtype)
    if wanted != x.value.type.dtype:
        return astype(strong(as_read(x)), wanted)
    return copied(x) if copy else strong(x)


FUNCTIONS["astype"] = astype_
if hasattr(np, "astype"):  # a function since NumPy 2.1
    implements(np.astype, arrays="x")(astype_)


@implements(np.round, np.around, arrays="a")
def round_(a: Tracer, decimals: int = 0) -> Tracer:
    if a.dtype == bool:
        return tnp.rint(a)
    if a.dtype.kind != "f":
        made = strong(a)
        if decimals < 0:
            scale = 10.0**-decimals
            made = astype(tnp.rint(made / scale) * scale, made.value.type.dtype)
        return Tracer(made.home, made.value, scalar=not made.shape)
    if not decimals:
        return tnp.rint(a)
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return tnp.rint(a * scale) / scale
    return tnp.rint(a / scale) * scale


@implements(np.fix, arrays="x")
def fix(x: Tracer) -> Tracer:
    return tnp.trunc(x)


@implements(np.sinc, arrays="x")
def sinc(x: Tracer) -> Tracer:
    """1 at 0, where its derivative is 0."""
    angle = tnp.multiply(x, pi)
    zero = tnp.equal(angle, 0.0)
    safe = tnp.where(zero, 1.0, angle)
    made = tnp.where(zero, 1.0, tnp.sin(safe) / safe)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.nan_to_num, kind="writes")
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    trace = owner(x)
    assert trace is not None
    made = numbers(lift(trace, x), nan, posinf, neginf)
    return made if copy or made.scalar else stored(np.nan_to_num, made, x)


def numbers(x: Tracer, nan: float, posinf: Any, neginf: Any) -> Tracer:
    if x.dtype.kind != "f":
        return copied(Tracer(x.home, x.value, scalar=not x.shape))
    limits = np.finfo(x.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    inf = number(x, float("inf"))
    made = elementwise.where(is_nan(x), number(x, nan), x)
    made = elementwise.where(emit(ops.Equal(), x, inf), number(x, high), made)
    made = elementwise.where(emit(ops.Equal(), x, -inf), number(x, low), made)
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.real, np.real_if_close, arrays="val", kind="views")
def real(val: Tracer) -> Tracer:
    return val


@implements(np.isposinf, arrays="x")
def isposinf(x: Tracer) -> Tracer:
    return tnp.equal(x, np.inf)


@implements(np.isneginf, arrays="x")
def isneginf(x: Tracer) -> Tracer:
    return tnp.equal(x, -np.inf)


@implements(np.isclose, arrays="a b")
def isclose(
    a: Tracer, b: Tracer, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tracer:
    b = astype(strong(b), promote.common(b.value.type.dtype, float))
    near = tnp.less_equal(tnp.absolute(a - b), atol + rtol * tnp.absolute(b)) & tnp.isfinite(b)
    made = tnp.logical_or(near, tnp.equal(a, b))
    if equal_nan:
        made = made | (tnp.isnan(a) & tnp.isnan(b))
    return made


@implements(np.allclose, arrays="a b")
def allclose(
    a: Tracer, b: Tracer, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tracer:
    return tnp.all(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal, arrays="a1 a2")
def array_equal(a1: Tracer, a2: Tracer, equal_nan: bool = False) -> Any:
    if a1.shape != a2.shape:
        return False
    same = tnp.equal(a1, a2)
    return tnp.all(same | (tnp.isnan(a1) & tnp.isnan(a2)) if equal_nan else same)


@implements(np.array_equiv, arrays="a1 a2")
def array_equiv(a1: Tracer, a2: Tracer) -> Any:
    try:
        return tnp.all(tnp.equal(a1, a2))
    except ShapeError:
        return False


def filled(like: Tracer, fill: Any, dtype: Any, shape: Any) -> Tracer:
    """An array of one number, like another in shape and dtype unless told."""
    short = like.value.type.dtype if dtype is None else promote.short(dtype)
    size = like.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    if isinstance(fill, Tracer):
        made = broadcast(astype(strong(fill), short), size)
        return Tracer(made.home, made.value)
    if np.ndim(fill):
        return tnp.broadcast_to(np.asarray(fill), size) + filled(like, 0, short, size)
    value = np.asarray(fill).astype(like.dtype if dtype is None else dtype).item()
    return Tracer(like.home, like.home.number(value, short, size))


@implements(np.zeros_like, np.empty_like, arrays="a")
def zeros_like(a: Tracer, dtype: Any = None, shape: Any = None) -> Tracer:
    return filled(a, 0, dtype, shape)


@implements(np.ones_like, arrays="a")
def ones_like(a: Tracer, dtype: Any = None, shape: Any = None) -> Tracer:
    return filled(a, 1, dtype, shape)


@implements(np.full_like, arrays="a")
def full_like(a: Tracer, fill_value: Any, dtype: Any = None, shape: Any = None) -> Tracer:
    return filled(a, fill_value, dtype, shape)


def made_like(func: Any) -> Any:
    """What users call: constants that the function can write to are no part of the program."""

    def rule(a: Any, *args: Any, **kwargs: Any) -> Any:
        if type(a) is not Tracer or any_traced((args, kwargs)):
            return FUNCTIONS[func](a, *args, **kwargs)
        check_alive(a)
        kwargs = {k: x for k, x in kwargs.items() if k not in ("order", "subok", "device")}
        made = (np.zeros_like if func is np.empty_like else func)(blank_of(a), *args, **kwargs)
        return remade(made, line=user_line())

    return rule


def blank_of(x: Tracer) -> np.ndarray:
    """An ndarray of the tracer's shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


for func in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
    LIKE[func] = made_like(func)


@implements(np.copy, arrays="a")
def copy(a: Tracer) -> Tracer:
    return Tracer(a.home, a.value)


@implements(np.meshgrid, arrays="xi")
def meshgrid(*xi: Tracer, indexing: str = "xy", sparse: bool = False) -> tuple[Tracer, ...]:
    """The first two axes change places for "xy"."""
    if indexing not in ("xy", "ij"):
        raise ShapeError(message(f"indexing={indexing!r} is none.", "Use 'xy' or 'ij'."))
    n = len(xi)
    made = []
    for d, x in enumerate(xi):
        spot = 1 - d if d < 2 and n > 1 and indexing == "xy" else d
        made.append(tnp.reshape(x, tuple([x.size if e == spot else 1 for e in range(n)])))
    return tuple(made if sparse else tnp.broadcast_arrays(*made))


def relu(x: Tracer) -> Tracer:
    """``max(x, 0)`` with derivative 0 at 0."""
    check_alive(x)
    made = elementwise.where(emit(ops.Greater(), x, number(x, 0)), x, number(x, 0))
    made = elementwise.where(is_nan(x), x, made) if x.dtype.kind == "f" else made
    return Tracer(made.home, made.value, scalar=x.scalar)


FUNCTIONS["relu"] = relu
