"""Which equations are computed where they are read, instead of being given loops of their own."""

from __future__ import annotations

from ir import ops
from ir.graph import use_counts
from ir.ops.families import Elementwise
from ir.program import Equation, Program, Value

SMALL = 16
"""Elements of a value that is computed in straight-line code, in registers."""
DEEPEST = 32
"""Inlined equations between a read and what is stored."""


class Inlining:
    """The inlined equations of a program, by value, and what lies stored under each."""

    def __init__(self, program: Program) -> None:
        self.equations: dict[Value, Equation] = {}
        self.roots: dict[Value, tuple[Value, ...]] = {}
        self.depth: dict[Value, int] = {}
        self.piecewise: set[Value] = set()
        self.read_once = read_once_elementwise(program)
        for eq in program.equations:
            if self.fits(eq):
                self.add(eq)

    def add(self, eq: Equation) -> None:
        self.equations[eq.result] = eq
        self.depth[eq.result] = 1 + max([self.depth.get(v, 0) for v in eq.operands], default=0)
        below = [r for v in eq.operands for r in self.stored_under(v)]
        self.roots[eq.result] = tuple(dict.fromkeys(below))
        pieces = any(v in self.piecewise for v in eq.operands)
        if pieces or isinstance(eq.op, ops.Pad | ops.Concatenate):
            self.piecewise.add(eq.result)

    def stored_under(self, v: Value) -> tuple[Value, ...]:
        """The stored values that reading ``v`` reads: itself unless it is inlined."""
        return self.roots.get(v, (v,))

    def fits(self, eq: Equation) -> bool:
        """Whether elements are computed where they are read: movement and constants cost nothing.

        So is an elementwise value over a piecewise map that one elementwise op reads: both are
        then split into the same pieces.
        """
        op = eq.op
        if isinstance(op, ops.Constant | ops.Iota):
            return True
        pieces = any(v in self.piecewise for v in eq.operands)
        if not op.movement and not (pieces and eq.result in self.read_once):
            return False
        if isinstance(op, ops.Concatenate) and eq.result.type.size > SMALL:
            return False
        return max(self.depth.get(v, 0) for v in eq.operands) < DEEPEST

    def last_reads(self, program: Program) -> dict[Value, int]:
        """Where each stored value is last read, through inlined equations too.

        A result is read after the last equation.
        """
        last: dict[Value, int] = {}
        for position, eq in enumerate(program.equations):
            if not eq.results or eq.results[0] not in self.equations:
                last.update((r, position) for v in eq.operands for r in self.stored_under(v))
        for v in program.results:
            last.update(dict.fromkeys(self.stored_under(v), len(program.equations)))
        return last


def read_once_elementwise(program: Program) -> set[Value]:
    """The elementwise values whose one reader is an elementwise equation."""
    uses = use_counts(program)
    pointwise = [eq for eq in program.equations if isinstance(eq.op, Elementwise | ops.Select)]
    made = {eq.result for eq in pointwise}
    return {v for eq in pointwise for v in eq.operands if v in made and uses[v] == 1}
