"""The rules of calls whose derivative the user has written.

Their programs are made when a derivative is taken and not before: a rule commonly calls the
function that it is the rule of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import NoReturn

from ir import ops
from ir.build import Builder
from ir.errors import RuleError
from ir.graph import use_counts
from ir.loc import Loc
from ir.op import Tangent
from ir.ops.families import zeros
from ir.passes.vmap import vmap
from ir.program import Equation, Program, Value
from ir.types import ArrayType


class Lazy:
    """A program that is made when it is first asked for."""

    def __init__(self, make: Callable[[], Program]) -> None:
        self.make: Callable[[], Program] | None = make
        self.made: Program | None = None
        self.lock = RLock()

    def __call__(self) -> Program:
        with self.lock:
            if self.made is None:
                assert self.make is not None
                self.made = self.make()
                self.make = None
        return self.made


class Custom:
    """What the two kinds of rules share: whose they are, and which operands have tangents."""

    reusable = False

    def __init__(self, name: str, loc: Loc, has_tangent: Sequence[bool]) -> None:
        self.name, self.loc = name, loc
        self.has_tangent = tuple(has_tangent)

    def __repr__(self) -> str:
        return self.name

    def tangents(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> list[Value]:
        """The tangents that the rule takes, zeros where there are none; others are refused."""
        (body,) = eq.bodies
        for v, t, has in zip(body.params, ts, self.has_tangent, strict=True):
            if t is not None and not has and use_counts(body)[v]:
                raise RuleError(
                    eq.loc.says(
                        f"a derivative reaches a value that the rule of {self.name} does not"
                        " differentiate: it is in nondiff_argnums, or comes from the function"
                        " around.",
                        "Pass it as a differentiable argument, or wrap it in stop_gradient.",
                    )
                )
        both = zip(eq.operands, ts, self.has_tangent, strict=True)
        return [zeros(b, x.type) if t is None else t for x, t, has in both if has]


def settle(b: Builder, eq: Equation, made: Sequence[Value]) -> None:
    """Let the equation's results be what was made."""
    for y, value in zip(eq.results, made, strict=True):
        b.append(Equation(ops.Reshape(y.type.shape), (value,), (y,), (), eq.loc))


class JvpRule(Custom):
    """A rule that gives results and their tangents together: ``(x, dx) -> (y, dy)``."""

    def __init__(
        self, name: str, loc: Loc, has_tangent: Sequence[bool], make: Callable[[], Program]
    ) -> None:
        super().__init__(name, loc, has_tangent)
        self.both = Lazy(make)

    def pushforward(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
        made = b.inline(self.both(), [*eq.operands, *self.tangents(b, eq, ts)])
        count = len(eq.results)
        settle(b, eq, made[:count])
        dys = iter(made[count:])
        return [next(dys) if y.type.info.differentiable else None for y in eq.results]

    def batched(self, mapped: Sequence[bool], size: int) -> JvpRule:
        moved = [m for m, has in zip(mapped, self.has_tangent, strict=True) if has]
        return JvpRule(
            self.name,
            self.loc,
            self.has_tangent,
            lambda: vmap(self.both(), [*mapped, *moved], size),
        )


class VjpRule(Custom):
    """A rule in two halves: ``x -> (y, residuals)`` and ``(residuals, ct) -> x_bar``.

    It serves reverse mode alone: between the halves stands a linear map that can be transposed,
    and not run.
    """

    def __init__(
        self,
        name: str,
        loc: Loc,
        has_tangent: Sequence[bool],
        types: Sequence[ArrayType],
        forward: Callable[[], Program],
        backward: Callable[[], Program],
    ) -> None:
        super().__init__(name, loc, has_tangent)
        self.types = tuple(types)
        self.forward, self.backward = Lazy(forward), Lazy(backward)

    def pushforward(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
        count = len(eq.results)
        given = self.tangents(b, eq, ts)
        made = b.inline(self.forward(), eq.operands)
        settle(b, eq, made[:count])
        residuals = made[count:]
        dys = iter(b(ops.CustomTangent(self, len(residuals)), *residuals, *given))
        return [next(dys) if y.type.info.differentiable else None for y in eq.results]

    def push(self) -> NoReturn:
        raise RuleError(
            self.loc.says(
                f"forward mode meets {self.name}, a custom_vjp function, which has a rule for"
                " reverse mode alone.",
                "Use grad, vjp or jacrev, or write its derivative with custom_jvp, which serves"
                " both modes.",
            )
        )

    def pull(self, live: int) -> Program:
        return self.backward()

    def batched(self, mapped: Sequence[bool], size: int) -> VjpRule:
        moved = [m for m, has in zip(mapped, self.has_tangent, strict=True) if has]
        return VjpRule(
            self.name,
            self.loc,
            self.has_tangent,
            [t.batched(size) for t in self.types],
            lambda: vmap(self.forward(), mapped, size),
            lambda: shared_summed(self.backward(), moved, size),
        )


def shared_summed(backward: Program, mapped: Sequence[bool], size: int) -> Program:
    """The backward half over a batch; what all of it shares gets the sum of the cotangents."""
    wide = vmap(backward, [True] * len(backward.params), size)
    b = Builder()
    made = b.inline(wide, [b.param(t) for t in wide.types])
    bars = [v if m else b(ops.ReduceSum((0,)), v) for v, m in zip(made, mapped, strict=True)]
    return b.finish(*bars, name=wide.name)
