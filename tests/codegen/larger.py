"""Random programs whose arrays are large enough for loops, rows and a workspace."""

from __future__ import annotations

from collections import Counter

import numpy as np
from tests.ir.programs import RECIPES, Maker

from ir.program import Program
from ir.types import ArrayType
from ir.verify import verify

LOOPS = (
    *("reduce_sum", "reduce_max", "argmin", "cumsum", "dot_general", "broadcast", "slice"),
    *("slice_add", "scatter_add", "gather", "pad", "concatenate", "add", "mul", "select"),
    *("slice_update", "scatter_update"),
)
"""What makes loops of several kinds, and reads across them."""


class LargerMaker(Maker):
    """A Maker whose axes are longer now and then, all arrays small enough to be walked."""

    def shape(self, least: int = 0, most: int = 3) -> tuple[int, ...]:
        rank = int(self.rng.integers(least, most + 1))
        sizes = (1, 2, 3, 5, 24) if rank < 3 else (1, 2, 3, 5)
        return tuple(int(n) for n in self.rng.choice(sizes, rank))

    def step(self) -> None:
        """Anything at all, or often what a loop tree has to think about."""
        if self.chance(0.5):
            RECIPES[self.pick(LOOPS)](self)
        else:
            super().step()

    def program(self, steps: int) -> Program:
        """Many results, so that most of what is made is needed."""
        self.pool.append(self.b.param(ArrayType("f64", (24,))))
        for _ in range(steps):
            self.step()
        results = [self.pick(self.pool) for _ in range(int(self.rng.integers(3, 7)))]
        return self.b.finish(*results)


def larger_program(seed: int) -> Program:
    """The program of a seed: 10 to 30 steps, verified."""
    maker = LargerMaker(seed, Counter())
    return verify(maker.program(int(np.random.default_rng(seed).integers(10, 31))))
