"""Which results are views of which arguments: NumPy's answer, asked on arrays without values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import tracers_in
from tracer.memory import located, own, view


def viewed(func: Callable[..., Any], args: Any, kwargs: dict[str, Any], made: Any) -> Any:
    """What was made, as views of the arguments where the NumPy function gives views."""
    bases = [x for x in tracers_in((args, kwargs)) if not x.scalar]
    if not bases:
        return apart(made, args, kwargs)
    found = func(*moulds(args), **moulds(kwargs))
    if isinstance(made, Tracer):
        return linked(bases, made, found)
    return tuple([linked(bases, x, mould) for x, mould in zip(made, found, strict=True)])


def moulds(x: Any) -> Any:
    """The arguments with moulds in the place of tracers."""
    if type(x) is Tracer:
        return located(x).mould
    if isinstance(x, dict):
        return {name: moulds(item) for name, item in x.items()}
    return type(x)([moulds(item) for item in x]) if type(x) in (list, tuple) else x


def linked(bases: list[Tracer], made: Tracer, found: np.ndarray) -> Tracer:
    """The tracer as a view of the one whose memory the mould lies in."""
    for x in bases:
        if np.may_share_memory(found, located(x).memory.mould):
            return view(x, made, lambda mould: found)
    return separate(made, bases)


def apart(made: Any, *given: Any) -> Any:
    """Results with memories of their own, whatever they were computed by."""
    if type(made) is Tracer:
        return separate(made, list(tracers_in(given)))
    if type(made) in (list, tuple):
        return type(made)([apart(x, *given) for x in made])
    return made


def separate(made: Tracer, bases: list[Tracer]) -> Tracer:
    """A tracer that is none of the arguments, and that can be written to."""
    if made.scalar or made.weak:
        return made
    if made.store is not None or any(made.value is x.value for x in bases):
        return own(made)
    return made
