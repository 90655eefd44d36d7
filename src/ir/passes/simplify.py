"""Algebraic laws applied wherever they fit, in one walk over the program."""

from __future__ import annotations

from ir import ops
from ir.build import Builder, substitute
from ir.op import Op
from ir.passes import scaling, spreading  # noqa: F401  (they register their laws)
from ir.passes.laws import INEXACT, LAWS, Term
from ir.program import Equation, Program, Value


class Rewriter(Builder):
    """A builder that tries the laws on an expression before it appends it."""

    def __init__(self, program: Program, inexact: bool) -> None:
        super().__init__()
        self.params = list(program.params)
        self.made_by: dict[Value, Equation] = {}
        self.inexact = inexact

    def __call__(self, op: Op, *operands: Value, bodies: tuple[Program, ...] = ()) -> object:
        found = self.better(op, operands)
        if found is not None:
            return found
        made = super().__call__(op, *operands, bodies=bodies)
        self.remember()
        return made

    def again(self, eq: Equation, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        outer, self.loc = self.loc, eq.loc
        found = self.better(eq.op, operands)
        self.loc = outer
        if found is not None:
            return (found,)
        made = super().again(eq, operands)
        self.remember()
        return made

    def remember(self) -> None:
        eq = self.equations[-1]
        self.made_by.update(dict.fromkeys(eq.results, eq))

    def better(self, op: Op, operands: tuple[Value, ...]) -> Value | None:
        """What a law puts in the place of the expression, if one fits."""
        laws = LAWS.get(type(op))
        if laws is None:
            return None
        terms = [Term(v, self.made_by) for v in operands]
        for law in laws:
            if self.inexact or law not in INEXACT:
                found = law(self, op, *terms)
                if found is not None:
                    return found
        return None


def simplify(program: Program, inexact: bool = False) -> Program:
    """Apply every law that fits, in program order; ``inexact`` allows those that change zeros."""
    b = Rewriter(program, inexact)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        made = b.again(eq, substitute(eq.operands, renamed))
        renamed.update(zip(eq.results, made, strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)


def drop_stop_gradient(program: Program) -> Program:
    """Read operands of stop_gradient directly: no derivative is taken of this program any more."""
    renamed: dict[Value, Value] = {}
    b = Builder()
    b.params = list(program.params)
    for eq in program.equations:
        operands = substitute(eq.operands, renamed)
        if isinstance(eq.op, ops.StopGradient):
            renamed[eq.result] = operands[0]
        else:
            renamed.update(zip(eq.results, b.again(eq, operands), strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)
