"""Common subexpressions computed once, by value numbering."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from ir.build import substitute
from ir.graph import topological
from ir.program import Equation, Program, Value


def cse(program: Program) -> Program:
    """Compute each expression once, where the list has it first; drop repeated guards and checks.

    Equations that read equal numbers with one op have equal numbers themselves; operands of a
    commutative op are put in order first.
    """
    number: dict[Value, int] = {v: n for n, v in enumerate(program.params)}
    fresh = count(len(number))
    key_of: dict[Equation, Any] = {}
    numbers: dict[Any, tuple[int, ...]] = {}
    for eq in topological(program):
        read = [number[v] for v in eq.operands]
        if eq.op.commutative:
            read.sort()
        key = key_of[eq] = (eq.op, tuple(read), eq.bodies)
        if key not in numbers:
            numbers[key] = tuple([next(fresh) for _ in eq.results])
        number.update(zip(eq.results, numbers[key], strict=True))
    return merge(program, key_of)


def merge(program: Program, key_of: dict[Equation, Any]) -> Program:
    """Keep the first equation of each key and read its results instead of the others'."""
    first: dict[Any, Equation] = {}
    renamed: dict[Value, Value] = {}
    kept: list[Equation] = []
    for eq in program.equations:
        found = first.setdefault(key_of[eq], eq)
        if found is not eq:
            renamed.update(zip(eq.results, substitute(found.results, renamed), strict=True))
            continue
        operands = substitute(eq.operands, renamed)
        kept.append(eq if operands == eq.operands else replace(eq, operands=operands))
    if len(kept) == len(program.equations):
        return program
    return replace(program, equations=tuple(kept), results=substitute(program.results, renamed))
