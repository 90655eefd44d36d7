"""What comes of a case in a library, as JSON can hold it, and whether two outcomes agree."""

from __future__ import annotations

import builtins
import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.tracer.contract.libraries import AbsentError, Library

Outcome = dict[str, Any]
BROAD = ("Exception", "BaseException", "object")


@dataclass(frozen=True)
class Case:
    """Something to do in a library; ``differs`` says why a library is not followed."""

    run: Callable[[Library], Any]
    differs: dict[str, str] = field(default_factory=dict)


def case(run: Callable[[Library], Any], **differs: str) -> Case:
    return Case(run, differs)


def outcome(tried: Case, library: Library) -> Outcome:
    """``{"value": ...}``, ``{"raises": [builtin types]}`` or ``{"absent": what}``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return {"value": described(tried.run(library), library)}
        except AbsentError as absent:
            return {"absent": str(absent)}
        except Exception as error:
            if "unexpected keyword argument" in str(error):
                return {"absent": "a keyword"}
            return {"raises": types(error)}


def types(error: BaseException) -> list[str]:
    """The builtin types that an except clause may name."""
    names = [c.__name__ for c in type(error).__mro__ if vars(builtins).get(c.__name__) is c]
    return [name for name in names if name not in BROAD]


def described(x: Any, library: Library) -> Any:
    """The containers by name, arrays with dtype, shape and elements, and all else by repr."""
    inner = lambda items: [described(item, library) for item in items]
    if isinstance(x, library.arrays):
        array = np.asarray(x.detach() if hasattr(x, "detach") else x)
        data = array.ravel().view(float) if array.dtype.kind == "c" else array.ravel()
        return {"dtype": str(array.dtype), "shape": [*array.shape], "data": data.tolist()}
    if isinstance(x, dict):
        name = {OrderedDict: "OrderedDict", defaultdict: "defaultdict"}.get(type(x), "dict")
        return {name: [[key, described(item, library)] for key, item in x.items()]}
    if isinstance(x, deque):
        return {"deque": [x.maxlen, inner(x)]}
    if hasattr(x, "_fields"):
        return {"named": [type(x).__name__, *inner(x)]}
    if isinstance(x, tuple | list):
        return {type(x).__name__: inner(x)}
    return {"other": repr(x) if x is None or isinstance(x, str | int | float) else type(x).__name__}


def agree(one: Any, other: Any) -> bool:
    """Whether descriptions are of the same structure, dtypes, shapes and, to rounding, elements."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        if one.keys() == {"dtype", "shape", "data"}:
            rtol, atol = (1e-5, 1e-6) if one["dtype"] == "float32" else (1e-10, 1e-12)
            alike = all(one[key] == other[key] for key in ("dtype", "shape"))
            return alike and np.allclose(one["data"], other["data"], rtol, atol, equal_nan=True)
        return all(agree(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    return bool(one == other)


def follows(mine: Outcome, theirs: Outcome) -> bool:
    """Whether code written for the other library finds here what it finds there.

    An exception is caught by every except clause that catches theirs.
    """
    if "raises" in theirs:
        return "raises" in mine and {*theirs["raises"]} <= {*mine["raises"]}
    return "value" in theirs and "value" in mine and agree(mine["value"], theirs["value"])
