"""NumPy's functions on tracers, under NumPy's names.

Functions that NumPy dispatches can be called as ``np.sum(x)``; the same functions are here for
what it does not dispatch: ``tracer.numpy.array([x, y])`` of traced numbers, ``asarray``, and
``take`` of a constant table at traced places. Names without an entry are NumPy's own.

>>> import numpy as np
>>> import tracer
>>> tracer.grad(lambda x: tracer.numpy.array([x, x * x]).sum())(3.0)
np.float64(7.0)
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import lift, owner, strong
from tracer.numpy import (
    einsum,
    elementwise,
    indexing,
    movement,
    nans,
    products,
    reductions,
    scans,
    selection,
)
from tracer.promote import short
from tracer.tables import FUNCTIONS, UFUNCS

TOPICS = (
    *(einsum, elementwise, indexing, movement, nans),
    *(products, reductions, scans, selection),
)
"""The modules that fill the tables."""


def array(object: Any, dtype: Any = None) -> Any:
    """``np.array``; lists that hold traced numbers are stacked."""
    trace = owner(object)
    if trace is None:
        return np.array(object, dtype)
    made = strong(lift(trace, object))
    made = made if dtype is None else made.astype(short(dtype))
    return Tracer(made.home, made.value)


asarray = asanyarray = array


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """``np.full``, of a traced number too."""
    if owner(fill_value) is None:
        return np.full(shape, fill_value, dtype)
    return np.broadcast_to(fill_value if dtype is None else fill_value.astype(dtype), shape)


linalg = SimpleNamespace(
    **{name: getattr(np.linalg, name) for name in np.linalg.__all__},
)
linalg.norm = FUNCTIONS[np.linalg.norm]


def __getattr__(name: str) -> Any:
    found = getattr(np, name)
    try:
        return UFUNCS.get(found) or FUNCTIONS.get(found, found)
    except TypeError:
        return found


FUNCTIONS["namespace"] = lambda: sys.modules[__name__]
