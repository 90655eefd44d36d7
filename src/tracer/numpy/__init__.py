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

from tracer.interpose import NAMESPACE
from tracer.numpy import (
    assembly,
    assignment,
    calculus,
    einsum,
    elementwise,
    folds,
    indexing,
    inplace,
    movement,
    nans,
    products,
    reductions,
    scans,
    selection,
    signals,
)
from tracer.tables import FUNCTIONS, UFUNCS

TOPICS = (
    *(assembly, assignment, calculus, einsum, elementwise, folds, indexing, inplace),
    *(movement, nans),
    *(products, reductions, scans, selection, signals),
)
"""The modules that fill the tables."""


globals().update(NAMESPACE)


def public(module: Any) -> SimpleNamespace:
    """A module of NumPy with what is traced in the place of NumPy's own."""
    found = {name: getattr(module, name) for name in module.__all__}
    return SimpleNamespace(**{name: FUNCTIONS.get(func, func) for name, func in found.items()})


linalg, fft = public(np.linalg), public(np.fft)


def __getattr__(name: str) -> Any:
    found = getattr(np, name)
    try:
        return UFUNCS.get(found) or FUNCTIONS.get(found, found)
    except TypeError:
        return found


FUNCTIONS["namespace"] = lambda: sys.modules[__name__]
