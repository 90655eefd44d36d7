"""Random numbers under ``vmap``: NumPy draws them once, and not for each example of the batch."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from importlib import import_module
from inspect import unwrap
from sysconfig import get_path
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any

import numpy as np

from ir.loc import is_library
from tracer.errors import RandomnessError, message

MODES = ("error", "different", "same")
INSTALLED = tuple({f"{get_path(name)}/" for name in ("stdlib", "purelib", "platlib")})
REACH = 1000
"""After so many objects that a function can name, no more are looked at."""


def check_randomness(randomness: str, transform: str) -> None:
    """The mode is one that torch knows."""
    if randomness not in MODES:
        raise RandomnessError(
            message(
                f"{transform}: randomness={randomness!r} is unknown.",
                'Use "error", "different" or "same".',
            )
        )


class Draws:
    """While it is entered, nothing may be drawn from what a function and its arguments reach.

    That is ``np.random`` and the generators that the function, or one that it calls by name, holds
    or is given; what it makes itself is its own affair, and installed packages are not looked into.
    With "same" all examples share a draw.
    """

    def __init__(self, func: Any, arguments: Sequence[Any], randomness: str) -> None:
        self.name = getattr(func, "__name__", type(func).__name__)
        self.randomness = randomness
        self.generators: list[Any] = []
        if randomness != "same":
            self.generators += {id(x): x for x in reached(func, arguments)}.values()

    def __enter__(self) -> None:
        self.before = [*map(state, self.generators)]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self.before != [*map(state, self.generators)]:
            raise RandomnessError(
                message(
                    f'vmap with randomness="{self.randomness}": {self.name} draws random numbers,'
                    " which NumPy draws once for the whole batch.",
                    "Draw them for the batch outside and map over them, or accept the same for"
                    ' every example: randomness="same".',
                )
            )


def state(generator: Any) -> bytes:
    """What the next number depends on."""
    if isinstance(generator, np.random.RandomState):
        return pickle.dumps(generator.get_state(legacy=False))
    return pickle.dumps(generator.bit_generator.state)


def random_module() -> Any:
    """NumPy's, if it is loaded: whole, though another thread may have just begun to load it."""
    return import_module("numpy.random") if "numpy.random" in sys.modules else None


def reached(func: Any, arguments: Sequence[Any]) -> Iterator[Any]:
    """The generators among the arguments, and in all that the function names."""
    seen: set[int] = set()
    waiting = [func, *arguments]
    while waiting and len(seen) < REACH:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        loaded = random_module()
        if loaded and isinstance(x, loaded.Generator | loaded.RandomState):
            yield x
        elif loaded and x is loaded:
            yield loaded.mtrand._rand
        elif isinstance(x, partial):
            waiting += [x.func, *x.args, *x.keywords.values()]
        elif callable(x):
            waiting += held(x)


def held(func: Any) -> list[Any]:
    """What a function can name: its defaults, its closure, its globals; of a method, its object."""
    func = unwrap(func)
    owner = getattr(func, "__self__", None)
    found = [] if owner is None or isinstance(owner, ModuleType) else [owner, *attributes(owner)]
    func = getattr(func, "__func__", func)
    if not isinstance(func, FunctionType):
        return found + attributes(func)
    if installed(func.__code__.co_filename):
        return found
    names = used_names(func.__code__)
    inside = {name: func.__globals__[name] for name in names if name in func.__globals__}
    found += [*inside.values(), *(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values()]
    found += [cell.cell_contents for cell in func.__closure__ or () if full(cell)]
    return found + [np.random] * ("random" in names and any(x is np for x in inside.values()))


@lru_cache(maxsize=4096)
def installed(filename: str) -> bool:
    """Whether a file is of this library, of Python or of a package: users do not write these."""
    return is_library(filename) or filename.startswith(INSTALLED)


def attributes(x: Any) -> list[Any]:
    """What an object keeps under its own names."""
    return [] if isinstance(x, type | ModuleType) else [*getattr(x, "__dict__", {}).values()]


def used_names(code: CodeType) -> set[str]:
    """The globals and attributes that code mentions, and the code within it."""
    found = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found |= used_names(inner)
    return found


def full(cell: Any) -> bool:
    """Whether a variable of a closure has a value yet."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
