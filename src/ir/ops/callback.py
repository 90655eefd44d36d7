"""A call out of the program, to a function that is not traced."""

from __future__ import annotations

from collections.abc import Sequence
from threading import local
from typing import Any, Protocol

from ir.build import Builder
from ir.loc import Loc
from ir.op import Array, Op, primitive
from ir.program import Value
from ir.types import ArrayType


class Function(Protocol):
    """A function of arrays that gives arrays of the ``types``, and what it is over a batch."""

    @property
    def types(self) -> tuple[ArrayType, ...]: ...

    def __call__(self, *arrays: Array) -> tuple[Array, ...]: ...

    def batched(self, mapped: Sequence[bool], size: int) -> Function: ...


class Raised(local):
    """What a function called from native code has raised in this thread, until it is raised on."""

    error: BaseException | None = None


RAISED = Raised()


@primitive("callback", opaque=True)
class Callback(Op):
    """What the function gives for the operands; it is taken to depend on nothing else."""

    function: Function

    cost = 1000

    def infer(self, *xs: ArrayType) -> tuple[ArrayType, ...]:
        return self.function.types

    def reference(self, *xs: Array) -> tuple[Array, ...]:
        return self.function(*xs)

    def vmap(
        self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]
    ) -> tuple[Any, ...]:
        return b(Callback(self.function.batched(mapped, size)), *xs)  # type: ignore[no-any-return]

    def failure(self, loc: Loc) -> BaseException:
        """What the function raised when native code called it."""
        error, RAISED.error = RAISED.error, None
        assert error is not None
        return error

    def why_not(self, rule: str) -> str:
        return "the function it calls is not traced"

    def remedy(self, rule: str) -> str:
        return (
            "Give it a derivative: call it in a function made by tracer.custom_jvp or custom_vjp."
            " Or wrap its arguments in stop_gradient."
        )
