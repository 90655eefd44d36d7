"""A program split in what is computed from the point, and what is linear in the tangents."""

from __future__ import annotations

from collections.abc import Sequence

from ir.graph import downstream, producers
from ir.passes.jvp import jvp
from ir.program import Program, Value


def linearize(program: Program, wrt: Sequence[bool] | None = None) -> tuple[Program, Program]:
    """``forward: x -> (y, residuals)`` and ``linear: (residuals, dx) -> dy``.

    Linear is whatever lies downstream of the tangents in ``jvp(program)``; residuals are what it
    reads of the rest. Constants are not handed over: the linear part makes its own.
    """
    both = jvp(program, wrt)
    n, m = len(program.params), len(program.results)
    tangents, dys = both.params[n:], both.results[m:]
    moved = downstream(both, tangents)
    linear = [eq for eq in both.equations if moved.issuperset(eq.results) and eq.results]
    chosen = set(linear)
    forward = [eq for eq in both.equations if eq not in chosen]

    read = dict.fromkeys(v for eq in linear for v in eq.operands if v not in moved)
    read |= dict.fromkeys(v for v in dys if v not in moved)
    made_by = producers(both)
    constants = [made_by[v] for v in read if v in made_by and not made_by[v].operands]
    own: set[Value] = {v for eq in constants for v in eq.results}
    residuals = tuple(v for v in read if v not in own)
    return (
        Program(program.params, tuple(forward), (*both.results[:m], *residuals), program.name),
        Program((*residuals, *tangents), (*constants, *linear), dys, f"{program.name}_linear"),
    )
