"""Dead code elimination."""

from __future__ import annotations

from dataclasses import replace

from ir.graph import all_read, needed
from ir.program import Program


def dce(program: Program) -> Program:
    """Keep the equations that some result or effect depends on; the same program if all do."""
    if all_read(program):
        return program
    kept = needed(program)
    return replace(
        program, equations=tuple([eq for n, eq in enumerate(program.equations) if n in kept])
    )
