"""The SSA program: values, equations, blocks. Immutable, compared by identity.

Immutability is checked by mypy, not paid for at run time: a frozen dataclass takes three times
as long to make as these do, and passes make hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, dataclass_transform

from ir.loc import UNKNOWN, Loc
from ir.printer import print_program
from ir.types import ArrayType

if TYPE_CHECKING:
    from ir.op import Op

C = TypeVar("C")


@dataclass_transform(frozen_default=True, eq_default=False)
def record(cls: type[C]) -> type[C]:
    """An immutable record that is equal only to itself."""
    made: Callable[[type[C]], type[C]] = dataclass(eq=False, slots=True, weakref_slot=True)
    return made(cls)


@record
class Value:
    """One SSA name. Two values are equal only when they are the same object."""

    type: ArrayType
    name: str = ""


@record
class Equation:
    """``results = op(operands) { bodies }``"""

    op: Op
    operands: tuple[Value, ...]
    results: tuple[Value, ...]
    bodies: tuple[Program, ...] = ()
    loc: Loc = UNKNOWN

    @property
    def result(self) -> Value:
        """The one result."""
        (value,) = self.results
        return value


@record
class Block:
    """Parameters, equations in evaluation order, results. It reads only its own parameters."""

    params: tuple[Value, ...]
    equations: tuple[Equation, ...]
    results: tuple[Value, ...]


@record
class Program(Block):
    """A named block."""

    name: str = "program"

    def __str__(self) -> str:
        return print_program(self)

    @property
    def types(self) -> tuple[ArrayType, ...]:
        return tuple(v.type for v in self.params)

    def size(self) -> int:
        """The number of equations, those of bodies included."""
        return len(self.equations) + sum(body.size() for eq in self.equations for body in eq.bodies)
