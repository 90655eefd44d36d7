"""Dead code elimination."""

from __future__ import annotations

from dataclasses import replace

from ir.graph import needed
from ir.program import Program


def dce(program: Program) -> Program:
    """Keep the equations that some result or effect depends on."""
    kept = needed(program)
    if len(kept) == len(program.equations):
        return program
    return replace(
        program, equations=tuple([eq for n, eq in enumerate(program.equations) if n in kept])
    )
