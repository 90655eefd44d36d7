"""Calls whose derivative is not that of their body, and what such a derivative is made of.

The rules themselves are objects that whoever builds the program hands in: ``ir.passes.custom`` has
those of a user's own derivative, ``ir.passes.remat`` the one of recomputation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ir.build import Builder
from ir.evaluate import evaluate
from ir.op import Array, Op, Tangent, primitive
from ir.ops.control import Call
from ir.ops.families import Linear, batched, zeros
from ir.program import Equation, Program, Value
from ir.types import ArrayType, type_of


class Rule(Protocol):
    """How a call is differentiated and batched."""

    @property
    def reusable(self) -> bool:
        """Whether the rule serves more than one call."""

    def pushforward(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
        """Append what makes the equation's results; their tangents."""

    def batched(self, mapped: Sequence[bool], size: int) -> Rule:
        """The rule of the call over a batch."""


class LinearMap(Protocol):
    """From residuals and tangents to the results' tangents, in programs made when they are needed.

    ``types`` are the results'.
    """

    @property
    def types(self) -> tuple[ArrayType, ...]: ...

    def push(self) -> Program:
        """``(residuals, dx) -> dy``; a RuleError where there is no such program."""

    def pull(self, live: int) -> Program:
        """``(residuals, ct) -> x_bar``; the cotangent of result ``live`` is no constant zero."""


@primitive("custom_call", opaque=True)
class CustomCall(Call):
    """Run the body on the operands; ``rule`` says what the derivative is."""

    rule: Rule

    differentiable = True

    @property
    def reusable(self) -> bool:  # type: ignore[override]
        return self.rule.reusable

    def pushforward(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
        return self.rule.pushforward(b, eq, ts)

    def over_batch(self, mapped: Sequence[bool], size: int) -> CustomCall:
        return CustomCall(self.rule.batched(mapped, size))


@primitive("custom_tangent", opaque=True)
class CustomTangent(Op):
    """A linear map of tangents, the operands after the residuals; it is seldom run as it is."""

    map: LinearMap
    residuals: int

    @property
    def linear_in(self) -> range:  # type: ignore[override]
        return range(self.residuals, 1 << 30)

    def infer(self, *xs: ArrayType) -> tuple[ArrayType, ...]:
        return self.map.types

    def stands_for(self) -> Program:
        return self.map.push()

    def reference(self, *xs: Array) -> tuple[Array, ...]:
        return tuple(evaluate(self.map.push(), xs))

    def transpose(
        self, b: Builder, ct: Any, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        cts: Sequence[Tangent] = (ct,) if isinstance(ct, Value) else ct
        live = next(n for n, v in enumerate(cts) if v is not None)
        given = [zeros(b, t) if v is None else v for v, t in zip(cts, self.map.types, strict=True)]
        bars = b.inline(self.map.pull(live), [*xs[: self.residuals], *given])
        return (*[None] * self.residuals, *bars)


@primitive("barrier")
class Barrier(Linear):
    """The first operand, to be read no earlier than the second is known.

    It keeps what is computed again from being merged with the first time, or moved there.
    """

    movement = True
    cost = 0
    data = 1

    def infer(self, x: ArrayType, after: ArrayType) -> ArrayType:
        return x

    def reference(self, x: Array, after: Array) -> Array:
        return x

    def element(self, k: Any, at: Any, x: Any, after: Any) -> Any:
        return x[at]

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        return None if ts[0] is None else b(self, ts[0], xs[1])

    def transpose(
        self, b: Builder, ct: Value, xs: Sequence[Value], linear: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return ct, None

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        made: Value = b(self, batched(b, size, xs[0], mapped[0]), xs[1])
        return made


class Kept:
    """An array that nobody writes to any more, told from others by identity."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.type = type_of(array)

    def __repr__(self) -> str:
        return str(self.type)


@primitive("held", opaque=True)
class Held(Op):
    """An array that is part of the program; in a trace it becomes a hidden parameter."""

    kept: Kept

    differentiable = False
    cost = 0

    def infer(self) -> ArrayType:
        return self.kept.type

    def reference(self) -> Array:
        return self.kept.array
