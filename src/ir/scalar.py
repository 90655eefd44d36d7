"""The element language: what an op may say about one element of its result.

``Op.element`` is called with symbolic indices to plan loops, with LLVM registers to emit them,
and with Python numbers to be tested, so it says *what* is computed and never *how*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ir.types import ArrayType

Index = tuple[Any, ...]
Accumulators = tuple[Any, ...]


class Scalar(Protocol):
    """One number, known now or when the compiled code runs."""

    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...


class Source(Protocol):
    """An operand, read one element at a time."""

    @property
    def type(self) -> ArrayType: ...

    def __getitem__(self, at: Index) -> Any: ...


class Kernel(Protocol):
    """What an element may use beyond ``+ - *`` on the elements it reads."""

    def const(self, value: Any, dtype: str) -> Any:
        """A known number of the given dtype."""

    def call(self, name: str, *xs: Any) -> Any:
        """A named scalar function: ``exp``, ``divide``, ``less``, ... (``ir.functions``)."""

    def convert(self, x: Any, dtype: str) -> Any:
        """The number in another dtype, as ``astype`` converts it."""

    def select(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """One of two numbers that are both at hand."""

    def number(self, index: Any, dtype: str) -> Any:
        """An index as a number."""

    def index(self, x: Any, extent: int) -> Any:
        """A number as an index, clamped to ``[0, extent)`` so that no read is out of bounds."""

    def within(self, index: Any, low: int, high: int) -> Any:
        """Whether ``low <= index < high``; known at once when the index is."""

    def when(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """The chosen side; the other is never read."""

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[[Index, Accumulators], Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        """Run ``step`` for every index within ``extents``, carrying the accumulators."""
