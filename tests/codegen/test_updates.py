"""Arrays written part by part: in their own memory, and never before the last reader is done."""

from __future__ import annotations

from collections.abc import Callable
from math import log, prod
from typing import Any

import numpy as np
import pytest
from tests.codegen.simulate import Simulation, planned
from tests.codegen.writes import PROGRAMS, floats, inputs, item, substitution, write
from tests.ir.same import same_arrays

from codegen import memory
from codegen.buffers import Storage
from codegen.engine import compile_program
from codegen.items import Static
from codegen.lower import lower
from codegen.plan import Plan
from codegen.target import host
from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.program import Program
from ir.types import ArrayType

EXPONENT = 1.15
"""Of the growth of programs, plans and code with the number of assignments."""


def batched(program: Program) -> Program:
    return vmap(program, [True] * len(program.params), 3)


KINDS: dict[str, Callable[[Program], Program]] = {
    "forwards": lambda p: p,
    "gradient": vjp,
    "batch": batched,
    "batch of gradients": lambda p: batched(vjp(p)),
}

each = pytest.mark.parametrize("name", PROGRAMS)
of_every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def short_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the short program is cut in functions as the long one is."""
    monkeypatch.setattr(memory, "WHOLE", 300)
    monkeypatch.setattr(memory, "CHUNK", 300)


@each
@of_every_kind
def test_numbers(name: str, kind: str) -> None:
    """Step by step every read finds its element; the code gives what the program means."""
    program = KINDS[kind](PROGRAMS[name](20))
    assert Simulation(*planned(program)).run()
    xs = inputs(program)
    for got, want in zip(compile_program(program)(*xs), evaluate(program, xs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def steps(plan: Plan) -> int:
    """How often the items of a plan are run; of straight-line code, roughly its instructions."""
    return sum(
        max(item.value.type.size, item.cost)
        if isinstance(item, Static)
        else prod(level.axis.extent for level in item.levels)
        for item in plan.items
    )


def sizes(plan: Plan, storage: Storage) -> tuple[int, ...]:
    """Equations, steps, bytes of workspace, lines of LLVM."""
    lines = lower(plan, storage, host()).text.count("\n")
    return len(plan.program.equations), steps(plan), storage.workspace + 1, lines


@pytest.mark.usefixtures("short_functions")
@pytest.mark.parametrize("kind", ["gradient", "batch"])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "substitution"])
def test_assignments_cost_what_they_write(name: str, kind: str, figures: Any) -> None:
    """Three times as many cost three times as much: no array is copied or cleared for each."""
    small, large = (sizes(*planned(KINDS[kind](PROGRAMS[name](n)))) for n in (100, 300))
    for before, after in zip(small, large, strict=True):
        assert log(after / before, 3) <= EXPONENT, (small, large)
    figures.add("kinds of loops of assignments that cost O(n)")


@pytest.mark.parametrize("kind", ["gradient", "batch"])
def test_forward_substitution_costs_its_products(kind: str) -> None:
    """n assignments, each of a product of up to n terms."""
    small, large = (planned(KINDS[kind](substitution(n)))[0] for n in (100, 300))
    assert log(len(large.items) / len(small.items), 3) <= EXPONENT
    assert log(steps(large) / steps(small), 3) <= 1 + EXPONENT


def test_what_is_cut_before_a_write_and_read_after_it() -> None:
    """A row is kept and not the whole array; also where it is cut after the write."""
    b = Builder()
    x = b.param(floats(40, 30))
    y = b(ops.Mul(), x, x)
    row = item(b, y, 3)
    newer = write(b, y, b(ops.Neg(), item(b, y, 4)), 3)
    newest = write(b, newer, item(b, newer, 3), 4)
    program = b.finish(newest, b(ops.Mul(), row, item(b, y, 4)))
    plan, storage = planned(program)
    assert Simulation(plan, storage).run()
    assert storage.workspace < 40 * 30 * 8
    (xs,) = inputs(program)
    same_arrays(compile_program(program)(xs), evaluate(program, [xs]))


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


@pytest.mark.usefixtures("short_functions")
def test_a_fold_opens_in_the_function_of_its_loop() -> None:
    """Of a program cut in several functions."""
    program = vjp(substitution(70))
    plan, storage = planned(program)
    assert len(storage.chunks) > 1
    assert Simulation(plan, storage).run()
    xs = inputs(program)
    for got, want in zip(compile_program(program)(*xs), evaluate(program, xs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
