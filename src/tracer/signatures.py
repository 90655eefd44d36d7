"""What tells the calls of a jitted function apart: which leaves are traced, and as what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature as signature_of
from typing import Any

import numpy as np

from ir.op import exact
from ir.types import ArrayType
from tracer.calls import bits, operand, traceable, type_of
from tracer.errors import PromotionError, message
from tracer.promote import short


@dataclass(frozen=True)
class Static:
    """An argument that is part of the signature, by type and equality."""

    value: Any

    @property
    def key(self) -> Any:
        return told_apart(self.value)


def told_apart(x: Any) -> Any:
    """A hashable key of a static value: a float and NumPy's, a tuple and a named one differ."""
    if isinstance(x, tuple):
        return type(x), tuple(map(told_apart, x))
    if isinstance(x, np.generic):
        return type(x), x.dtype, x.tobytes()
    if isinstance(x, complex):
        return type(x), exact(x.real), exact(x.imag)
    return type(x), exact(x)


def both_ways(
    func: Callable[..., Any], numbers: Sequence[int], names: Sequence[str]
) -> tuple[frozenset[int], frozenset[str]]:
    """Static arguments by place and by name, each completed from the other where func tells."""
    try:
        parameters = list(signature_of(func).parameters.values())
    except (TypeError, ValueError):
        return frozenset(numbers), frozenset(names)
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_place = {places[n] for n in numbers if -len(places) <= n < len(places)}
    by_name = {n for n, name in enumerate(places) if name in names}
    return frozenset(numbers) | by_name, frozenset(names) | by_place


def keyword_order(func: Callable[..., Any]) -> tuple[str, ...] | None:
    """The names of the parameters, whose order is not that of a call's keywords; None where the
    function may see the latter."""
    try:
        parameters = signature_of(func).parameters.values()
    except (TypeError, ValueError):
        return None
    return (
        None
        if any(p.kind is p.VAR_KEYWORD for p in parameters)
        else tuple([p.name for p in parameters])
    )


def in_order(kwargs: dict[str, Any], order: tuple[str, ...] | None) -> dict[str, Any]:
    """The keywords of a call in that order, so that all orders have one signature."""
    if order is None or len(kwargs) < 2 or not kwargs.keys() <= set(order):
        return kwargs
    return {name: kwargs[name] for name in order if name in kwargs}


def numeric(x: Any) -> bool:
    """Whether a leaf is traced: arrays, NumPy scalars and Python's numbers."""
    return isinstance(x, bool | int) or (not isinstance(x, Static) and traceable(x))


def as_static(x: Any) -> Static:
    if isinstance(x, np.ndarray):
        short(x.dtype)  # says which dtypes are traced
    return x if isinstance(x, Static) else Static(x)


def signature(x: Any) -> Any:
    """What decides whether a leaf needs another trace."""
    return x.key if isinstance(x, Static) else (abstract(x), bits(x))


def described(x: Any) -> str:
    """The leaf, as ``explain`` shows it: its type, or what it is if it is static."""
    return repr(x.value) if isinstance(x, Static) else str(abstract(x))


def abstract(x: Any) -> ArrayType:
    """The type that a leaf is traced with."""
    return type_of(number(x))


def number(x: Any) -> Any:
    """A Python int as int64 on every platform; others as they are."""
    if isinstance(x, int) and not isinstance(x, bool):
        if not -(2**63) <= x < 2**63:
            raise PromotionError(
                message(
                    f"jit: the int {x} does not fit in 64 bits.",
                    "Pass it as a float, or name the argument in static_argnums.",
                )
            )
        return np.int64(x)
    return operand(x)


def native(x: Any) -> Any:
    """The leaf as compiled code reads it: C-contiguous, aligned, native; a copy if it must be."""
    array = np.asarray(number(x))
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, order="C", copy=True)
