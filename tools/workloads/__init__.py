"""What the benchmark times: functions written once, against a namespace of array functions.

``f(xp, x, *data)`` returns one number, of which the gradient with respect to ``x`` (an array, or a
tuple of arrays) is taken; ``xp`` is NumPy, or a library that offers NumPy's functions, with
``erf`` besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Make = Callable[[np.random.Generator, float], tuple[Any, ...]]


@dataclass(frozen=True)
class Workload:
    """A function, and the arguments that it is timed on.

    ``make(rng, scale)`` gives the arguments, of ``scale`` times the full size; ``mapped`` says
    that the gradient of each example is wanted: the function takes scalars, the arguments hold a
    batch of them, and libraries with a vmap use it.
    """

    name: str
    function: Callable[..., Any]
    make: Make
    mapped: bool = False


WORKLOADS: dict[str, Workload] = {}


def workload(name: str, make: Make, mapped: bool = False) -> Callable[[Any], Any]:
    """Enter the function in the table of workloads."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        WORKLOADS[name] = Workload(name, function, make, mapped)
        return function

    return enter


def scaled(n: int, scale: float) -> int:
    return max(2, int(n * scale))


def normal(*shape: int) -> Make:
    """One array of normal numbers, its first axis scaled."""

    def make(rng: np.random.Generator, scale: float) -> tuple[Any, ...]:
        return (rng.normal(size=(scaled(shape[0], scale), *shape[1:])),)

    return make
