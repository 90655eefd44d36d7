"""Dead code elimination."""

from __future__ import annotations

from dataclasses import replace

from ir.graph import needed
from ir.program import Program


def dce(program: Program) -> Program:
    """Keep the equations that some result or effect depends on; the same program if all do.

    Where there is dead code, the last equation of it is read by nothing: a walk finds out whether
    the graph has to be asked.
    """
    read = {v for eq in program.equations for v in eq.operands}.union(program.results)
    if not any(eq.op.pure and read.isdisjoint(eq.results) for eq in program.equations):
        return program
    kept = needed(program)
    return replace(
        program, equations=tuple([eq for n, eq in enumerate(program.equations) if n in kept])
    )
