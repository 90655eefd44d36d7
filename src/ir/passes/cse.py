"""Common subexpressions computed once, by value numbering."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from ir.build import substitute
from ir.graph import ancestors, dataflow, merged, topological
from ir.program import Equation, Program, Value


def cse(program: Program) -> Program:
    """Compute each expression once, where the list has it first; drop repeated guards and checks.

    Equations that read equal numbers with one op have equal numbers themselves; operands of a
    commutative op are put in order first. Dead code goes with the repeated: one graph serves both.
    """
    graph = dataflow(program)
    number: dict[Value, int] = {v: n for n, v in enumerate(program.params)}
    fresh = count(len(number))
    key_of: dict[int, Any] = {}
    numbers: dict[Any, tuple[int, ...]] = {}
    for n in topological(graph):
        eq = program.equations[n]
        read = [number[v] for v in eq.operands]
        if eq.op.commutative:
            read.sort()
        key = key_of[n] = (eq.op, tuple(read), eq.bodies)
        if key not in numbers:
            numbers[key] = tuple([next(fresh) for _ in eq.results])
        number.update(zip(eq.results, numbers[key], strict=True))
    first: dict[Any, int] = {}
    repeated = {
        n: first[key_of[n]]
        for n in range(len(program.equations))
        if first.setdefault(key_of[n], n) != n
    }
    kept = ancestors(merged(graph, repeated))
    return program if len(kept) == len(program.equations) else rewritten(program, kept, repeated)


def rewritten(program: Program, kept: set[int], repeated: dict[int, int]) -> Program:
    """The equations that are kept, which read the first of what is repeated."""
    renamed: dict[Value, Value] = {}
    equations: list[Equation] = []
    for n, eq in enumerate(program.equations):
        if n in repeated:
            found = program.equations[repeated[n]].results
            renamed.update(zip(eq.results, found, strict=True))
        elif n in kept:
            operands = substitute(eq.operands, renamed)
            equations.append(eq if operands == eq.operands else replace(eq, operands=operands))
    results = substitute(program.results, renamed)
    return replace(program, equations=tuple(equations), results=results)
