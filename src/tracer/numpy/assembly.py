"""Arrays put together from parts and taken apart, element by element or by function."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ir import ops
from tracer.array import Tracer
from tracer.emit import (
    axis_of,
    broadcast_together,
    lift,
    owner,
    permute,
    promoted,
    reshape,
    stacked,
    strong,
)
from tracer.errors import BoundsError, ShapeError, message
from tracer.numpy.movement import ints, joined, line
from tracer.numpy.table import implements, tnp


@implements(np.block)
def block(arrays: Any) -> Tracer:
    """Nested lists: the innermost along the last axis, the next along the one before."""
    trace = owner(arrays)
    assert trace is not None
    leaves = list(inside(arrays))
    if len({depth for _, depth in leaves}) > 1:
        raise ShapeError(message("block of lists of different depths.", "Nest all alike."))
    depth = leaves[0][1]
    rank = max(depth, *[np.ndim(x) for x, _ in leaves])

    def built(x: Any, level: int) -> Tracer:
        if not isinstance(x, list):
            return at_least_rank(rank, strong(lift(trace, x)))
        return joined([built(part, level + 1) for part in x], rank - depth + level)

    made = built(arrays, 0)
    return Tracer(made.home, made.value)


def at_least_rank(rank: int, x: Tracer) -> Tracer:
    return reshape(x, (1,) * (rank - x.ndim) + x.shape)


def inside(arrays: Any, depth: int = 0) -> Any:
    """The arrays of nested lists, each with its depth."""
    if not isinstance(arrays, list):
        yield arrays, depth
        return
    if not arrays:
        raise ShapeError(message("block of an empty list.", "Leave it out."))
    for part in arrays:
        yield from inside(part, depth + 1)


def unstack(x: Tracer, axis: int = 0) -> tuple[Tracer, ...]:
    if not x.ndim:
        raise ShapeError(message("a 0-d array has no axis to unstack.", "Use it as it is."))
    return tuple(tnp.moveaxis(x, axis, 0))


if hasattr(np, "unstack"):  # since NumPy 2.1
    implements(np.unstack, arrays="x", kind="views")(unstack)


@implements(np.resize, arrays="a")
def resize(a: Tracer, new_shape: Any) -> Tracer:
    shape = ints(new_shape)
    if min(shape, default=0) < 0:
        raise ShapeError(message(f"{shape} holds a negative size.", "Give each size."))
    if not a.size or 0 in shape:
        return tnp.zeros_like(a, shape=shape)
    made = tnp.take(a, np.resize(np.arange(a.size), shape))
    return Tracer(made.home, made.value)


@implements(np.delete, arrays="arr")
def delete(arr: Tracer, obj: Any, axis: int | None = None) -> Tracer:
    x, along = line(arr, axis) if axis is None else (arr, axis_of(axis, arr.ndim))
    return tnp.take(x, np.delete(np.arange(x.shape[along]), obj), along)


@implements(np.compress, arrays="a")
def compress(condition: Any, a: Tracer, axis: int | None = None) -> Tracer:
    x, along = line(a, axis)
    flags = condition if isinstance(condition, Tracer) else np.asarray(condition)
    if np.ndim(flags) != 1:
        raise ShapeError(message("compress needs a vector of bools.", "Use x[mask]."))
    return tnp.take(x, np.nonzero(flags)[0], along)


@implements(np.extract, arrays="arr")
def extract(condition: Any, arr: Tracer) -> Tracer:
    flags = condition if isinstance(condition, Tracer) else np.asarray(condition)
    return compress(np.ravel(flags), arr)


@implements(np.choose, arrays="a", lists="choices")
def choose(a: Tracer, choices: list[Tracer], mode: str = "raise") -> Tracer:
    n = len(choices)
    if a.dtype.kind != "i" and a.dtype != bool:
        raise BoundsError(message(f"choose by {a.dtype}.", "Convert with astype(int)."))
    at = a.astype(np.int64)
    if mode == "clip":
        at = tnp.clip(at, 0, n - 1)
    elif mode == "wrap":
        at = at % n
    else:
        good = tnp.all((at >= 0) & (at < n))
        way_out = f"Use integers from 0 to {n - 1}, or mode='clip'."
        a.home.emit(ops.Check("invalid entry in choice array.", way_out, "ValueError"), good.value)
    at, *xs = broadcast_together([at, *promoted(choices)])
    made = tnp.take_along_axis(stacked(a.home, xs), at[None], 0)[0]
    return Tracer(made.home, made.value, scalar=not made.shape)


@implements(np.piecewise, arrays="x")
def piecewise(x: Tracer, condlist: Any, funclist: Any, *args: Any) -> Tracer:
    """Each function is called on all of x, and chosen from where its condition holds."""
    single = np.ndim(condlist[0]) < x.ndim if isinstance(condlist, list | tuple) else True
    conditions = [condlist] if single and np.ndim(condlist) <= x.ndim else list(condlist)
    if len(funclist) == len(conditions) + 1:
        some = conditions[0]
        for c in conditions[1:]:
            some = np.logical_or(some, c)
        conditions.append(np.logical_not(some))
    if len(funclist) != len(conditions):
        raise ShapeError(
            message(f"{len(funclist)} functions for {len(conditions)} conditions.", "Give as many.")
        )
    made = tnp.zeros_like(x)
    for condition, func in zip(conditions, funclist, strict=True):
        found = func(x, *args) if callable(func) else func
        made = tnp.where(condition, strong(lift(x.home, found)).astype(x.dtype), made)
    return made


@implements(np.apply_along_axis, arrays="arr")
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Tracer, *args: Any) -> Tracer:
    """The function is called once for each line along the axis."""
    x = strong(arr)
    along = axis_of(axis, x.ndim)
    rest = x.shape[:along] + x.shape[along + 1 :]
    if 0 in rest:
        raise ShapeError(message(f"no line along axis {axis} of {x!r}.", "Skip it."))
    lines = tnp.moveaxis(x, along, -1)
    places = product(*[range(n) for n in rest])
    made = [strong(lift(x.home, func1d(lines[at], *args))) for at in places]
    whole = reshape(Tracer(x.home, stacked(x.home, made).value), rest + made[0].shape)
    found = list(range(len(rest), whole.ndim))
    order = [*range(along), *found, *range(along, len(rest))]
    return permute(whole, order)


@implements(np.isin, arrays="element test_elements")
def isin(
    element: Tracer,
    test_elements: Tracer,
    assume_unique: bool = False,
    invert: bool = False,
    kind: str | None = None,
) -> Tracer:
    known = reshape(strong(test_elements), (test_elements.size,))
    made = tnp.any(reshape(strong(element), (*element.shape, 1)) == known, -1)
    made = ~made if invert else made
    return Tracer(made.home, made.value)


@implements(np.ix_, arrays="args")
def ix_(*args: Any) -> tuple[Any, ...]:
    made = []
    for n, x in enumerate(args):
        if x.ndim != 1:
            raise ShapeError(message("ix_ takes vectors.", "Use np.ravel."))
        found = tnp.nonzero(x)[0] if x.dtype == bool else x
        made.append(found.reshape([-1 if d == n else 1 for d in range(len(args))]))
    return tuple(made)
