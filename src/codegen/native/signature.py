"""What a native entry takes and gives: trees of arguments and of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ir.types import ArrayType


@dataclass(frozen=True)
class ArrayArgument:
    """An ndarray of exactly this type, read in place; parameter ``number`` of the program.

    One that is ``written`` takes a result's place instead.
    """

    number: int
    type: ArrayType
    written: bool = False


@dataclass(frozen=True)
class ScalarArgument:
    """A number that lies in its object: Python's float, or NumPy's scalar of class ``cls``."""

    number: int
    cls: type


@dataclass(frozen=True)
class IntArgument:
    """A Python int that fits in 64 bits."""

    number: int


@dataclass(frozen=True)
class BoolArgument:
    """True or False, Python's or NumPy's."""

    number: int


@dataclass(frozen=True)
class SameArgument:
    """This very object: an argument that is part of the signature."""

    value: Any


@dataclass(frozen=True)
class SequenceArgument:
    """A tuple, list or named tuple of just these items."""

    cls: type
    items: tuple[Argument, ...]


@dataclass(frozen=True)
class DictArgument:
    """A dict or OrderedDict of just these keys, in this order."""

    cls: type
    keys: tuple[Any, ...]
    items: tuple[Argument, ...]


Argument = (
    ArrayArgument
    | ScalarArgument
    | IntArgument
    | BoolArgument
    | SameArgument
    | SequenceArgument
    | DictArgument
)


@dataclass(frozen=True)
class ArrayResult:
    """Result ``number`` of the program: an array, or NumPy's scalar if ``scalar``."""

    number: int
    type: ArrayType
    scalar: bool

    @property
    def bare(self) -> bool:
        """Whether the caller gets a scalar, which no array holds."""
        return self.scalar and not self.type.rank


@dataclass(frozen=True)
class KnownResult:
    """An immutable object that the function returns whatever its arguments hold."""

    value: Any


@dataclass(frozen=True)
class SequenceResult:
    """A new tuple, list or named tuple."""

    cls: type
    items: tuple[Result, ...]


@dataclass(frozen=True)
class DictResult:
    """A new dict or OrderedDict."""

    cls: type
    keys: tuple[Any, ...]
    items: tuple[Result, ...]


Result = ArrayResult | KnownResult | SequenceResult | DictResult


@dataclass(frozen=True)
class Signature:
    """The calls that an entry serves, and what it returns."""

    positional: tuple[Argument, ...]
    names: tuple[str, ...]
    named: tuple[Argument, ...]
    captured: tuple[int, ...]
    """Addresses of the data of captured arrays, which are the program's last parameters."""
    result: Result
    types: tuple[ArrayType, ...]
    """Of the program's parameters."""
    results: int
    release: bool
    """Whether a call takes so long that other threads should run meanwhile."""
    any_order: bool = False
    """Whether keywords mean the same in any order."""
    out: Argument | None = None
    """What is given as ``out=``, to which results are written and which is returned."""

    @property
    def parameters(self) -> int:
        return len(self.types)
