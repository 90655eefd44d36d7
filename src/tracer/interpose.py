"""``np.zeros(n)`` and kin inside a trace: arrays that take traced values.

NumPy's protocols do not reach functions that make arrays of nothing, or of lists. While any thread
traces, the numpy namespace holds wrappers in their place: a thread that traces gets tracers of
constants from them, every other thread, and library code, what NumPy gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

import numpy as np

from ir import ops
from ir.passes.fold import LIMIT
from ir.types import SHORT
from tracer.array import Tracer
from tracer.callers import by_user
from tracer.emit import astype, broadcast, emit, lift, owner, strong
from tracer.memory import own
from tracer.promote import short
from tracer.trace import HOOKS, Trace, traces

LOCK = RLock()
RUNNING = [0]
"""How many traces run, in all threads."""

ENABLED = [True]


def interpose(on: bool) -> None:
    """Whether ``np.zeros``, ``np.array`` and kin give traced arrays inside a trace (they do).

    Switched off, a traced value that is assigned to an element of ``np.zeros(n)`` is an error, and
    ``tracer.numpy.zeros`` still gives an array that takes it.

    >>> import tracer
    >>> tracer.interpose(True)
    """
    ENABLED[0] = bool(on)


def begin() -> None:
    """A trace begins: the first puts the wrappers in NumPy's namespace."""
    with LOCK:
        RUNNING[0] += 1
        if RUNNING[0] == 1:
            for name, wrapper in WRAPPERS.items():
                setattr(np, name, wrapper)


def end() -> None:
    """A trace ends: after the last, NumPy's functions are its own again."""
    with LOCK:
        RUNNING[0] -= 1
        if not RUNNING[0]:
            for name, wrapper in WRAPPERS.items():
                if getattr(np, name) is wrapper:  # unless someone else has replaced it
                    setattr(np, name, wrapper.__wrapped__)


HOOKS.append((begin, end))


def wrapped(func: Any, made: Callable[..., Any], always: bool) -> Any:
    """The function for this thread's trace, if one runs; ``always``: for every caller."""

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        running = traces()
        if not running or not (always or ENABLED[0]):
            return func(*args, **kwargs)
        if not (always or by_user(sys._getframe(1), wrapper, func.__name__)):
            return func(*args, **kwargs)
        return made(running[-1], func, *args, **kwargs)

    return wrapper


def fresh(trace: Trace, array: Any, uniform: bool = False) -> Any:
    """An array that NumPy has just made, as a tracer; as it is where the IR has no such dtype."""
    if type(array) is not np.ndarray or array.dtype not in SHORT:
        return array
    if uniform and array.size:
        value = trace.number(array.flat[0].item(), SHORT[array.dtype], array.shape)
    else:
        value = trace.capture(array)
    return own(Tracer(trace, value))


def uniform(trace: Trace, func: Any, *args: Any, **kwargs: Any) -> Any:
    """``zeros``, ``ones``: one number everywhere."""
    return fresh(trace, func(*args, **kwargs), uniform=True)


def empty(trace: Trace, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Of zeros: whatever there was in memory is no better."""
    made = func(*args, **kwargs)
    return fresh(trace, np.zeros_like(made), uniform=True)


def full(
    trace: Trace, func: Any, shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any
) -> Any:
    """``np.full``, of a traced number too."""
    if owner(fill_value) is None:
        one = np.ndim(fill_value) == 0
        return fresh(trace, func(shape, fill_value, dtype, **kwargs), uniform=one)
    blank = func(shape, 0.0, np.float64)
    made = strong(lift(running_owner(trace, fill_value), fill_value))
    made = made if dtype is None else astype(made, short(dtype))
    return own(Tracer(made.home, broadcast(made, blank.shape).value))


def running_owner(trace: Trace, x: Any) -> Trace:
    """The trace that what is made of x belongs to."""
    return owner(x) or trace


def eye(trace: Trace, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Small ones as constants, large ones as what compares rows with columns."""
    made = func(*args, **kwargs)
    if made.size <= LIMIT or made.dtype not in SHORT:
        return fresh(trace, made)
    offset = int(args[2] if len(args) > 2 else kwargs.get("k", 0)) if func is EYE else 0
    rows, columns = (Tracer(trace, trace.constant(ops.Iota("i64", made.shape, d))) for d in (0, 1))
    on = emit(ops.Equal(), columns, Tracer(trace, (rows + offset).value))
    return own(Tracer(trace, astype(on, SHORT[made.dtype]).value))


def array(trace: Trace, func: Any, object: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """``array`` and ``asarray``: of traced numbers, of lists that hold some, or of others."""
    if owner(object) is None:
        made = func(object, dtype, **kwargs)
        shared = isinstance(object, np.ndarray) and np.may_share_memory(made, object)
        return made if shared else fresh(trace, made)
    kept = func is not ARRAY or kwargs.get("copy", True) in (None, False)
    if kept and type(object) is Tracer and dtype in (None, object.dtype) and not object.scalar:
        return object
    found = strong(lift(running_owner(trace, object), object))
    found = found if dtype is None else astype(found, short(dtype))
    lead = max(kwargs.get("ndmin", 0) - found.ndim, 0)
    found = found.reshape((1,) * lead + found.shape) if lead else found
    return own(Tracer(found.home, found.value))


ARRAY, EYE = np.array, np.eye
MADE: dict[str, Callable[..., Any]] = {
    "array": array,
    "asarray": array,
    "asanyarray": array,
    "ascontiguousarray": array,
    "zeros": uniform,
    "ones": uniform,
    "empty": empty,
    "full": full,
    "eye": eye,
    "identity": eye,
}
WRAPPERS = {name: wrapped(getattr(np, name), made, always=False) for name, made in MADE.items()}
NAMESPACE = {name: wrapped(getattr(np, name), made, always=True) for name, made in MADE.items()}
"""The same for ``tracer.numpy``, which may be asked by name."""
