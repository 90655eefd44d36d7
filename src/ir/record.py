"""Immutable records.

Immutability is checked by mypy, not paid for at run time: a frozen dataclass takes three times
as long to make as these do, and passes make hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

C = TypeVar("C")


@dataclass_transform(frozen_default=True, eq_default=False)
def record(cls: type[C]) -> type[C]:
    """An immutable record that is equal only to itself."""
    made: Callable[[type[C]], type[C]] = dataclass(eq=False, slots=True, weakref_slot=True)
    return made(cls)


@dataclass_transform(frozen_default=True)
def value_record(cls: type[C]) -> type[C]:
    """An immutable record that is equal to those with equal fields."""
    made: Callable[[type[C]], type[C]] = dataclass(unsafe_hash=True, slots=True)
    return made(cls)
