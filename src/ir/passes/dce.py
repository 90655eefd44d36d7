"""Dead code elimination."""

from __future__ import annotations

from dataclasses import replace

from ir.graph import needed, unread
from ir.program import Program


def dce(program: Program) -> Program:
    """Keep the equations that some result or effect depends on; the same program if all do.

    What reads nothing itself goes without leaving others unread: no graph is asked.
    """
    dead = unread(program)
    if not dead:
        return program
    if any(program.equations[n].operands for n in dead):
        dead = {*range(len(program.equations))} - needed(program)
    return replace(
        program, equations=tuple([eq for n, eq in enumerate(program.equations) if n not in dead])
    )
