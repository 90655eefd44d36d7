"""Reverse mode: linearize, then transpose what is linear."""

from __future__ import annotations

from collections.abc import Sequence

from ir.passes.linearize import linearize
from ir.passes.transpose import transpose
from ir.program import Equation, Program


def vjp(program: Program, wrt: Sequence[bool] | None = None) -> Program:
    """``(x, ct) -> (y, x_bar)``, a cotangent for each result whose dtype has tangents.

    The two halves share the residuals by name, so joining them is putting one after the other.
    """
    forward, linear = linearize(program, wrt)
    n, m = len(forward.results), len(program.results)
    backward = transpose(linear, n - m)
    return Program(
        (*program.params, *backward.params[n - m :]),
        (*forward.equations, *backward_only(forward, backward)),
        (*forward.results[:m], *backward.results),
        f"{program.name}_vjp",
    )


def backward_only(forward: Program, backward: Program) -> list[Equation]:
    """The backward equations, without the constants that the forward half has made."""
    made = set(forward.equations)
    return [eq for eq in backward.equations if eq not in made]
