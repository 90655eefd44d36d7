"""NumPy function -> what it does on tracers. ``tracer.numpy`` fills these tables at import."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np

from tracer.errors import UntracedFunctionError, message

UFUNCS: dict[Any, Callable[..., Any]] = {}
"""By ufunc, or by name for those of scipy.special, which is slow to import."""

REDUCE: dict[Any, Any] = {}
"""ufunc -> the NumPy function that ``ufunc.reduce`` is."""

ACCUMULATE: dict[Any, Any] = {}
"""ufunc -> the NumPy function that ``ufunc.accumulate`` is."""

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""By NumPy function object."""

LIKE: dict[Any, Callable[..., Any]] = {}
"""The functions that make an array of constants like another, as users call them."""

GETITEM: list[Callable[..., Any]] = []
"""What ``x[key]`` is; one entry."""


def numpy_name(func: Any) -> str:
    """``np.linalg.norm`` as the user writes it."""
    if isinstance(func, np.ufunc):
        owner = "np" if getattr(np, func.__name__, None) is func else "scipy.special"
        return f"{owner}.{func.__name__}"
    module = str(getattr(func, "__module__", None) or "numpy")
    return f"{module}.{func.__name__}".replace("numpy", "np", 1)


def nearest(name: str) -> str:
    """Traced functions with names like this one."""
    known = sorted({numpy_name(f) for f in (*FUNCTIONS, *UFUNCS) if not isinstance(f, str)})
    close = get_close_matches(name, known, n=3, cutoff=0.55)
    return ", ".join(close) if close else "a composition of the functions in tracer.numpy"


def find_ufunc(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """The entry of a ufunc; scipy's are known by name."""
    found = UFUNCS.get(ufunc) or FUNCTIONS.get(ufunc)
    if found is None and getattr(np, ufunc.__name__, None) is None:
        found = UFUNCS.get(ufunc.__name__)
    return found


def call_ufunc(ufunc: np.ufunc, method: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """``__array_ufunc__`` on tracers: call, reduce, accumulate, outer and at."""
    name = numpy_name(ufunc)
    out = kwargs.pop("out", None)
    if isinstance(out, tuple) and any(x is not None for x in out):
        return FUNCTIONS["out"](ufunc, method, args, kwargs, out)
    if method == "at":
        return FUNCTIONS["at"](ufunc, *args)
    if method == "__call__":
        found = find_ufunc(ufunc)
        if found is not None:
            return found(*args, **kwargs)
    elif method in ("reduce", "accumulate"):
        table = REDUCE if method == "reduce" else ACCUMULATE
        if ufunc in table:
            given = dict(zip(("axis", "dtype"), args[1:3], strict=False)) | kwargs
            given.setdefault("axis", 0)
            return FUNCTIONS[table[ufunc]](args[0], **given)
    elif method == "outer" and not kwargs:
        return UFUNCS["outer"](ufunc, *args)
    shown = name if method == "__call__" else f"{name}.{method}"
    raise UntracedFunctionError(
        message(f"{shown} is not traced.", f"Nearest that is: {nearest(name)}.")
    )
