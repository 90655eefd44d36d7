"""What the benchmark times: functions written once, against a namespace of array functions.

``f(xp, *args)`` computes with ``xp``, which is NumPy, or a library that offers NumPy's functions,
with ``erf`` besides; ``derive`` says what is timed of it, in terms of a library's transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools.workloads.derive import Derive, gradient

Array = np.ndarray[Any, Any]
Make = Callable[[np.random.Generator, float], tuple[Any, ...]]


@dataclass(frozen=True)
class Target:
    """A time that is to be reached: of a peer's, or in seconds; of a call, or of the first."""

    bound: float
    peer: str = ""
    first: bool = False

    @property
    def says(self) -> str:
        what = "first call " if self.first else ""
        if not self.peer:
            return f"{what}≤ {spoken(self.bound)}"
        name = {"c": "C", "jax": "JAX"}.get(self.peer, self.peer)
        if self.bound < 1:
            return f"{what}≤ {name} / {1 / self.bound:.3g}"
        return f"{what}≤ {self.bound:.3g} x {name}"


def spoken(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e9 * seconds:.3g} ns"


@dataclass(frozen=True)
class Native:
    """The function in ``tools/workloads/c`` that does the same, and the sizes that it is told.

    It takes ``sizes(*args)``, then pointers to all arrays of the arguments, then to the results.
    """

    name: str
    sizes: Callable[..., tuple[int, ...]]


@dataclass(frozen=True)
class Workload:
    """A function, what is derived of it, and the arguments that it is timed on.

    ``make(rng, scale)`` gives the arguments, of ``scale`` times the full size. ``value`` says that
    the function itself runs on these arguments, so that NumPy can take part with the value alone;
    ``without`` names peers that take no part, and why. Results agree to ``rtol``, and to ``rtol``
    of the largest. The time of a call of an empty Python function is left out if ``net``; geometric
    means are of those that are ``counted``.
    """

    name: str
    function: Callable[..., Any]
    make: Make
    derive: Derive = gradient
    c: Native | None = None
    targets: tuple[Target, ...] = ()
    rtol: float = 1e-8
    value: bool = True
    without: Mapping[str, str] = field(default_factory=dict)
    net: bool = False
    counted: bool = True


WORKLOADS: dict[str, Workload] = {}


def workload(name: str, make: Make, **more: Any) -> Callable[[Any], Any]:
    """Enter the function in the table of workloads."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        WORKLOADS[name] = Workload(name, function, make, **more)
        return function

    return enter


def scaled(n: int, scale: float) -> int:
    """A size at that scale; three elements at least."""
    return max(3, int(n * scale))


def normal(*shape: int, dtype: Any = float) -> Make:
    """One array of normal numbers, its first axis scaled."""

    def make(rng: np.random.Generator, scale: float) -> tuple[Any, ...]:
        return (rng.normal(size=(scaled(shape[0], scale), *shape[1:])).astype(dtype),)

    return make
