"""Arrays written part by part: in their own memory, and never before the last reader is done."""

from __future__ import annotations

import numpy as np
from tests.codegen.simulate import Simulation, planned
from tests.codegen.writes import inputs, substitution
from tests.ir.same import same_arrays

from codegen.engine import compile_program
from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.passes.vjp import vjp
from ir.types import ArrayType


def test_what_is_computed_again_is_not_read_from_memory_written_over() -> None:
    """A cheap value is computed again where a neighbour is read: not from what is gone by then."""
    b = Builder()
    x = b.param(ArrayType("f64", (100,)))
    sums = b(ops.CumSum(0), x)
    squares = b(ops.Mul(), sums, sums)
    start = b(ops.Slice((0,), (50,), (1,)), x)
    newer = b(ops.SliceAdd((3,), (1,)), sums, start)
    sides = [b(ops.Slice((n,), (99,), (1,)), squares) for n in (0, 1)]
    program = b.finish(newer, b(ops.Mul(), *sides))
    (xs,) = inputs(program)
    same_arrays(compile_program(program)(xs), evaluate(program, [xs]))


def test_a_fold_opens_in_the_function_of_its_loop() -> None:
    """Of a program cut in several functions, as this gradient is."""
    program = vjp(substitution(110))
    plan, storage = planned(program)
    assert len(storage.chunks) > 1
    assert Simulation(plan, storage).run()
    xs = inputs(program)
    for got, want in zip(compile_program(program)(*xs), evaluate(program, xs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
