"""The invariants of a program, one function each."""

from __future__ import annotations

from ir.errors import VerifyError
from ir.op import result_types
from ir.program import Equation, Program, Value


def verify(program: Program) -> Program:
    """Check every invariant; return the program, so that it wraps any expression."""
    defined: set[Value] = set()
    for v in program.params:
        single_assignment(defined, v, "a parameter", "")
    for eq in program.equations:
        defined_before_use(defined, eq)
        typed_as_inferred(eq)
        for body in eq.bodies:
            verify(body)
        for v in eq.results:
            single_assignment(defined, v, "a result of ", eq.op)
    results_are_defined(defined, program)
    return program


def single_assignment(defined: set[Value], v: Value, what: str, of: object) -> None:
    if v in defined:
        raise VerifyError(f"defined twice: {what}{of}")
    defined.add(v)


def defined_before_use(defined: set[Value], eq: Equation) -> None:
    if not defined.issuperset(eq.operands):
        raise VerifyError(f"{eq.loc.excerpt()}\nan operand of {eq.op} is used before it is defined")


def typed_as_inferred(eq: Equation) -> None:
    try:
        inferred = result_types(eq.op, *[v.type for v in eq.operands], bodies=eq.bodies)
    except (TypeError, IndexError) as error:  # a TypeRuleError, or too few operands for the rule
        raise VerifyError(f"{eq.loc.excerpt()}\n{error}") from None
    stated = tuple([v.type for v in eq.results])
    if inferred != stated:
        shown = ", ".join(map(str, stated)), ", ".join(map(str, inferred))
        raise VerifyError(
            f"{eq.loc.excerpt()}\n{eq.op} is typed {shown[0]}, its rule gives {shown[1]}"
        )


def results_are_defined(defined: set[Value], program: Program) -> None:
    if not defined.issuperset(program.results):
        raise VerifyError(f"a result of {program.name} is never defined")
