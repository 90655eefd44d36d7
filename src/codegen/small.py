"""Which small values are computed in a loop all the same.

Straight-line code calls a function once for each element. A loop in lanes calls it once for several
of them, and is shorter. So where a function is called, all that is computed element by element
around it is left to a loop, with what folds that: if one loop does, and nothing else reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from codegen.disjoint import DisjointSets
from codegen.inlining import POINTWISE, SMALL, Inlining
from ir.ops.reduce import Reduction
from ir.program import Equation, Program, Value

CALL = 20
"""The cost of an op from which it calls a function."""
LANES = 4
"""Elements side by side that are worth a loop."""


def looped(program: Program, inlined: Inlining, exact: Set[Value]) -> set[Value]:
    """The small values that are computed in loops.

    What is to be exact is not: a function may differ in the last digit from its vector version.
    """
    small = {eq.result: eq for eq in program.equations if is_small(eq)}
    calling = [v for v, eq in small.items() if eq.op.cost >= CALL]
    if not calling:
        return set()
    groups = DisjointSets[Value]()
    for v, eq in small.items():
        for operand in eq.operands:
            groups.join(v, operand if operand in small else v)
    unfit = {v for v in small if v in exact or not inlined.piecewise.isdisjoint(small[v].operands)}
    unfit.update(read_elsewhere(program, small), read_again(program, small, groups))
    wanted = set(map(groups.root, calling)).difference(map(groups.root, unfit))
    found = {v for v in small if groups.root(v) in wanted}
    folds = [eq for eq in program.equations if isinstance(eq.op, Reduction)]
    return found.union([eq.result for eq in folds if eq.operands[0] in found])


def is_small(eq: Equation) -> bool:
    """Whether the equation computes few elements, each from those at its place."""
    if not isinstance(eq.op, POINTWISE):
        return False
    shape = eq.result.type.shape
    return bool(shape) and shape[-1] >= LANES and eq.result.type.size <= SMALL


def read_elsewhere(program: Program, small: Mapping[Value, Equation]) -> Iterator[Value]:
    """What is read otherwise than element by element, or in a fold."""
    for eq in program.equations:
        if not isinstance(eq.op, (*POINTWISE, Reduction)):
            yield from small.keys() & eq.operands


def read_again(
    program: Program, small: Mapping[Value, Equation], groups: DisjointSets[Value]
) -> Iterator[Value]:
    """What may depend on a fold of its own group, so that one loop does not do for both."""
    folded: dict[Value, int] = {}
    made: dict[Value, int] = {}
    for n, eq in enumerate(program.equations):
        if isinstance(eq.op, Reduction) and eq.operands[0] in small:
            folded.setdefault(groups.root(eq.operands[0]), n)
        if not (eq.results and eq.results[0] in small):
            made.update(dict.fromkeys(eq.results, n) if eq.operands else {})
        elif any(made.get(v, -1) >= folded.get(groups.root(eq.result), n) for v in eq.operands):
            yield eq.result
