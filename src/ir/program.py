"""The SSA program: values, equations, blocks. Immutable, compared by identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ir.loc import UNKNOWN, Loc
from ir.printer import print_program
from ir.record import record
from ir.types import ArrayType

if TYPE_CHECKING:
    from ir.op import Op


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
