"""Equations that hold programs, and effects on how a program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ir import ops
from ir.build import Builder
from ir.errors import Miss, require
from ir.loc import UNKNOWN, Loc
from ir.op import Array, Op, primitive
from ir.program import Program, Value
from ir.types import ArrayType


@primitive("call")
class Call(Op):
    """Run the body on the operands: the simplest equation with a body.

    Derivatives and batching are those of the body, which ``passes.inline`` puts in its place.
    """

    differentiable = False

    def infer(self, *xs: ArrayType, bodies: tuple[Program, ...] = ()) -> tuple[ArrayType, ...]:
        require(len(bodies) == 1, self, "needs one body", bodies=len(bodies))
        require(bodies[0].types == xs, self, "operands do not fit the body's parameters")
        return tuple([v.type for v in bodies[0].results])

    def why_not(self, rule: str) -> str:
        return "passes.inline replaces it before derivatives are taken"


class Effect(Op):
    """Reads one bool, gives no result, and is kept in its place."""

    ends = False
    pure = False
    differentiable = False

    def reference(self, x: Array) -> tuple[()]:
        if not self.holds(bool(x)):
            raise self.failure(UNKNOWN)
        return ()

    def infer(self, x: ArrayType) -> tuple[ArrayType, ...]:
        require(x == ArrayType("bool", ()), self, "needs one bool", operand=x)
        return ()


@primitive("guard")
class Guard(Effect):
    """The program holds only where the operand is ``expected``: another variant serves the rest.

    ``place`` says which of the questions that Python asked while tracing it answers. The other
    variant has checks of its own, so none of this one's need be made.
    """

    ends = True
    expected: bool = True
    place: int = 0

    def holds(self, x: bool) -> bool:
        return x is self.expected

    def failure(self, loc: Loc) -> Exception:
        gist = "the values take another path than the one that was traced."
        return Miss(loc.says(gist), self.place)

    def why_not(self, rule: str) -> str:
        return "one path cannot be chosen for a whole batch"


@primitive("check")
class Check(Effect):
    """Raise the named error with its message and way out unless the operand holds."""

    message: str
    way_out: str = ""
    error: str = "IndexError"

    def infer(self, x: ArrayType) -> tuple[ArrayType, ...]:
        require(self.error in ERRORS, self, "no such error", error=self.error, known=[*ERRORS])
        return super().infer(x)

    def holds(self, x: bool) -> bool:
        return x

    def failure(self, loc: Loc) -> Exception:
        return ERRORS[self.error](loc.says(self.message, self.way_out))

    def vmap(
        self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]
    ) -> tuple[Any, ...]:
        """The check fails when it fails for any of the batch."""
        whole = b(ops.ReduceMin((0,)), xs[0]) if size else b(ops.Constant(True, "bool"))
        b(self, whole)
        return ()


ERRORS: dict[str, type[Exception]] = {
    "IndexError": IndexError,
    "ValueError": ValueError,
    "FloatingPointError": FloatingPointError,
}
"""The exceptions that a check may raise; text that is parsed can name no others."""
