"""Algebraic laws applied wherever they fit, in one walk over the program."""

from __future__ import annotations

from functools import cache

from ir import ops
from ir.build import Builder, substitute
from ir.op import Op
from ir.passes import diagonal, scaling, spreading  # noqa: F401  (they register their laws)
from ir.passes.laws import INEXACT, LAWS, OF, Law, Term
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
        for v in eq.results:
            self.made_by[v] = eq

    def better(self, op: Op, operands: tuple[Value, ...]) -> Value | None:
        """What a law puts in the place of the expression, if one fits."""
        made_by = self.made_by
        of = frozenset([type(made_by[v].op) for v in operands if v in made_by])
        laws = fitting(type(op), of, self.inexact)
        if not laws:
            return None
        terms = [Term(v, made_by) for v in operands]
        for law in laws:
            found = law(self, op, *terms)
            if found is not None:
                return found
        return None


@cache
def fitting(op: type[Op], of: frozenset[type[Op]], inexact: bool) -> tuple[Law, ...]:
    """The laws that may fit expressions of an op, by the ops that compute its operands."""
    known = [f for f in LAWS.get(op, ()) if f not in OF or OF[f] in of]
    return tuple([f for f in known if inexact or f not in INEXACT])


def simplify(program: Program, inexact: bool = False) -> Program:
    """Apply every law that fits, in program order; ``inexact`` allows those that change zeros."""
    b = Rewriter(program, inexact)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        made = b.again(eq, substitute(eq.operands, renamed))
        if made is not eq.results:
            renamed.update(zip(eq.results, made, strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)


def drop_stop_gradient(program: Program) -> Program:
    """Read operands of stop_gradient directly: no derivative is taken of this program any more."""
    if not any(isinstance(eq.op, ops.StopGradient) for eq in program.equations):
        return program
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
