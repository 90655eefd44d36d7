"""The work that a program asks for: what executed work is measured against."""

from __future__ import annotations

from ir.program import Program

ACCESS = 2
"""Weight of a load or a store."""


def work(program: Program) -> int:
    """Each equation once per element, each argument read and each result written once.

    The weights are those of ``Op.cost``: 1 for an addition, 8 for a division, 20 for a call.
    """
    moved = sum(v.type.size for v in (*program.params, *program.results))
    return ACCESS * moved + sum(
        eq.op.work([v.type for v in eq.operands], [v.type for v in eq.results])
        for eq in program.equations
    )
