"""Rematerialisation: a call that keeps its operands for the backward pass, and computes again.

The method is that of Griewank and Walther, "Revolve" (2000), at its simplest: the user says where
the checkpoints are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ir import ops
from ir.build import Builder
from ir.graph import upstream
from ir.op import Tangent
from ir.passes.jvp import jvp
from ir.passes.linearize import linearize
from ir.passes.transpose import transpose
from ir.program import Equation, Program
from ir.types import ArrayType


class Remat:
    """The rule of a checkpointed call: its residuals are its operands."""

    reusable = True

    def __repr__(self) -> str:
        return "checkpoint"

    def pushforward(self, b: Builder, eq: Equation, ts: Sequence[Tangent]) -> Sequence[Tangent]:
        b.append(eq)
        (body,) = eq.bodies
        again = Again(body, tuple([t is not None for t in ts]))
        given = [t for t in ts if t is not None]
        dys = iter(b(ops.CustomTangent(again, len(eq.operands)), *eq.operands, *given))
        return [next(dys) if y.type.info.differentiable else None for y in eq.results]

    def batched(self, mapped: Sequence[bool], size: int) -> Remat:
        return self


REMAT = Remat()


@dataclass(frozen=True, eq=False)
class Again:
    """The derivative of a body, from the body's operands."""

    body: Program
    wrt: tuple[bool, ...]

    @property
    def types(self) -> tuple[ArrayType, ...]:
        return tuple([v.type for v in self.body.results if v.type.info.differentiable])

    def push(self) -> Program:
        both = jvp(self.body, self.wrt)
        return quiet(replace(both, results=both.results[len(self.body.results) :]))

    def pull(self, live: int) -> Program:
        """Nothing is computed again before the cotangents are there."""
        forward, linear = linearize(self.body, self.wrt)
        count = len(self.body.results)
        residuals = len(forward.results) - count
        back = transpose(linear, residuals)
        b = Builder()
        xs = [b.param(v.type) for v in self.body.params]
        cts = [b.param(t) for t in self.types]
        held = [b(ops.Barrier(), x, cts[live]) for x in xs]
        again = quiet(replace(forward, results=forward.results[count:]))
        bars = b.inline(back, [*b.inline(again, held), *cts])
        return b.finish(*bars, name=f"{self.body.name}_again")


def quiet(program: Program) -> Program:
    """What the results depend on, without the effects, which have been had before."""
    read = upstream(program, program.results)
    kept = [eq for eq in program.equations if not read.isdisjoint(eq.results)]
    return replace(program, equations=tuple(kept))
