"""Run a program with every op's NumPy reference: the oracle, and un-jitted transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ir.graph import last_uses
from ir.op import Array
from ir.program import Equation, Program, Value

Step = tuple[Callable[..., Any], list[int], list[int], list[int]]


class Evaluator:
    """A program made ready to run many times: values are slots, freed after their last use."""

    def __init__(self, program: Program) -> None:
        slot: dict[Value, int] = {v: n for n, v in enumerate(program.params)}
        self.steps: list[Step] = []
        for eq, dying in zip(program.equations, last_uses(program), strict=True):
            for v in eq.results:
                slot[v] = len(slot)
            reads = [slot[v] for v in eq.operands]
            makes, frees = [slot[v] for v in eq.results], [slot[v] for v in dying]
            self.steps.append((runner(eq), reads, makes, frees))
        self.results = [slot[v] for v in program.results]
        self.size = len(slot)
        self.params = len(program.params)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The results for the given parameters; floating-point warnings are not raised."""
        assert len(arrays) == self.params, "one array for each parameter"
        env: list[Any] = [*arrays, *[None] * (self.size - self.params)]
        with np.errstate(all="ignore"):
            for run, reads, makes, frees in self.steps:
                made = run(*[env[n] for n in reads])
                if len(makes) == 1 and not isinstance(made, tuple):
                    env[makes[0]] = made
                else:
                    for n, value in zip(makes, made, strict=True):
                        env[n] = value
                for n in frees:
                    env[n] = None
        return [env[n] for n in self.results]


def runner(eq: Equation) -> Callable[..., Any]:
    """What computes the equation's results from its operands."""
    if eq.bodies:
        run = Evaluator(*eq.bodies)
        return lambda *xs: tuple(run(xs))
    if not eq.op.pure:
        return partial(run_effect, eq)
    return eq.op.reference


def run_effect(eq: Equation, x: Array) -> tuple[()]:
    """Run a guard or check; what it raises begins with the user's line."""
    if not eq.op.holds(bool(x)):
        raise eq.op.failure(eq.loc)
    return ()


def evaluate(program: Program, arrays: Sequence[Array]) -> list[Array]:
    """Run the program once."""
    return Evaluator(program)(arrays)
