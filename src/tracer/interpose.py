"""``np.zeros(n)`` and kin inside a trace: arrays that take traced values.

NumPy's protocols do not reach functions that make arrays of nothing, or of lists. While any thread
traces, the numpy namespace holds wrappers in their place: a thread that traces gets arrays of
constants from them that become tracers when they must (``tracer.fresh``); every other thread, and
library code, what NumPy gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.callers import by_user
from tracer.emit import astype, broadcast, lift, owner, strong
from tracer.fresh import plain, remade, user_line
from tracer.memory import own
from tracer.promote import short
from tracer.trace import HOOKS, Trace, youngest

LOCK = RLock()
RUNNING: set[Trace] = set()
"""The traces that run, in all threads."""

ENABLED = [True]


def interpose(on: bool) -> None:
    """Whether ``np.zeros``, ``np.array`` and kin give traced arrays inside a trace (they do).

    Switched off, a traced value that is assigned to an element of ``np.zeros(n)`` is an error, and
    ``tracer.numpy.zeros`` still gives an array that takes it.

    >>> import tracer
    >>> tracer.interpose(True)
    """
    ENABLED[0] = bool(on)


def begin(trace: Trace) -> None:
    """A trace begins: the first puts the wrappers in NumPy's namespace."""
    with LOCK:
        RUNNING.add(trace)
        if len(RUNNING) == 1:
            for name, wrapper in WRAPPERS.items():
                setattr(np, name, wrapper)


def end(trace: Trace) -> None:
    """A trace ends: after the last, NumPy's functions are its own again."""
    with LOCK:
        RUNNING.discard(trace)
        if not RUNNING:
            for name, wrapper in WRAPPERS.items():
                if getattr(np, name) is wrapper:  # unless someone else has replaced it
                    setattr(np, name, wrapper.__wrapped__)


HOOKS.append((begin, end))


def wrapped(func: Any, made: Callable[..., Any], always: bool) -> Any:
    """The function for this thread's trace, if one runs; ``always``: for every caller."""

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if youngest() is None:
            return func(*args, **kwargs)
        named = ENABLED[0] and by_user(sys._getframe(1), wrapper, func.__name__)
        return (made if always or named else plainly)(func, *args, **kwargs)

    return wrapper


def plainly(func: Any, *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def constant(func: Any, *args: Any, **kwargs: Any) -> Any:
    """``zeros``, ``ones``, ``eye``: NumPy's arrays, ready to take traced values."""
    kwargs.pop("like", None)
    return remade(func(*plain(args), **plain(kwargs)), line=user_line())


def empty(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Of zeros: whatever there was in memory is no better."""
    return constant(ZEROS, *args, **kwargs)


def full(func: Any, shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """``np.full``, of a traced number too."""
    trace = owner(fill_value)
    if trace is None:
        return constant(func, shape, fill_value, dtype, **kwargs)
    blank = func(plain(shape), 0.0, np.float64)
    made = strong(lift(trace, fill_value))
    made = made if dtype is None else astype(made, short(dtype))
    return own(Tracer(made.home, broadcast(made, blank.shape).value))


def array(func: Any, object: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """``array`` and ``asarray``: of traced numbers, of lists that hold some, or of others."""
    trace = owner(object)
    if trace is None:
        made = func(plain(object), dtype, **kwargs)
        return remade(made, object, line=user_line())
    kept = func is not ARRAY or kwargs.get("copy", True) in (None, False)
    if kept and type(object) is Tracer and dtype in (None, object.dtype) and not object.scalar:
        return object
    found = strong(lift(trace, object))
    found = found if dtype is None else astype(found, short(dtype))
    lead = max(kwargs.get("ndmin", 0) - found.ndim, 0)
    found = found.reshape((1,) * lead + found.shape) if lead else found
    return own(Tracer(found.home, found.value))


ARRAY, ZEROS = np.array, np.zeros
MADE: dict[str, Callable[..., Any]] = {
    "array": array,
    "asarray": array,
    "asanyarray": array,
    "ascontiguousarray": array,
    "zeros": constant,
    "ones": constant,
    "empty": empty,
    "full": full,
    "eye": constant,
    "identity": constant,
}
WRAPPERS = {name: wrapped(getattr(np, name), made, always=False) for name, made in MADE.items()}
NAMESPACE = {name: wrapped(getattr(np, name), made, always=True) for name, made in MADE.items()}
"""The same for ``tracer.numpy``, which may be asked by name."""
