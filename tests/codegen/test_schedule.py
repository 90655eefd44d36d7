"""The loop tree: every element is made before it is read, once, and found where it was put."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.codegen.larger import larger_program
from tests.codegen.simulate import Simulation, planned
from tests.codegen.workloads import WORKLOADS
from tests.ir.noise import expected
from tests.ir.programs import random_inputs

from codegen.engine import compile_program
from codegen.items import Close, FoldStep, Item, Loop, MemoryStep, Open
from codegen.memory import leaves
from codegen.plan import Plan
from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.parser import parse_program
from ir.types import ArrayType
from tracer import trace

CHUNKS, EACH = 10, 60

chunks = pytest.mark.parametrize("chunk", range(CHUNKS))
each = pytest.mark.parametrize("w", WORKLOADS, ids=lambda w: w.name)


@chunks
def test_random_programs_step_by_step(chunk: int, figures: Any) -> None:
    """Each read of each step finds its element, made and not yet overwritten."""
    for seed in range(chunk * EACH, (chunk + 1) * EACH):
        plan, storage = planned(larger_program(seed))
        try:
            reads = Simulation(plan, storage).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}\n{plan.program}") from error
        kinds = Counter(type(item).__name__ for item in plan.items)
        figures.cover("kinds of items in plans run step by step", set(kinds))
        figures.add("plans run step by step")
        figures.add("reads that found their element", reads)


@each
def test_workloads_step_by_step(w: Any, figures: Any) -> None:
    reads = Simulation(*planned(trace(w.gradient, *w.draw()))).run()
    figures.add("plans run step by step")
    figures.add("reads that found their element", reads)


def ordered(plan: Plan) -> int:
    """The number of dependencies, each of which comes first in the tree."""
    place: dict[Item, int] = {}
    for n, item in enumerate(leaves(plan.tree)):
        if isinstance(item, Close) and isinstance(item.step, FoldStep | MemoryStep):
            place[item.step] = n  # a fold's value is there when its loops are closed
        elif not isinstance(item, Open | Close):
            place[item] = n
    count = 0
    for item in plan.items:
        for dependency in item.dependencies:
            assert place[dependency.item] < place[item]
            count += 1
    return count


@chunks
def test_items_come_after_what_they_depend_on(chunk: int, figures: Any) -> None:
    for seed in range(chunk * EACH, (chunk + 1) * EACH):
        plan, _ = planned(larger_program(seed))
        figures.add("dependencies found in order", ordered(plan))


@chunks
def test_the_tree_holds_each_item_once_in_its_loops(chunk: int) -> None:
    for seed in range(chunk * EACH, (chunk + 1) * EACH):
        plan, _ = planned(larger_program(seed))
        found: Counter[Item] = Counter()

        def walk(nodes: list[Any], path: list[Loop], found: Counter[Item] = found) -> None:
            for node in nodes:
                if isinstance(node, Loop):
                    walk(node.body, [*path, node])
                    continue
                found[node] += 1
                assert node.path == path or isinstance(node, Open)

        walk(plan.tree, [])
        assert all(found[item] == 1 for item in plan.items)


@pytest.mark.parametrize(
    "update",
    [
        "scatter_add[axes=(0,)] %1, %1, %k",
        "scatter_add[axes=(0,)] %1, %2, %k",
        "slice_add[starts=(23,), strides=(-1,)] %1, %1",
        "slice_add[starts=(0,), strides=(1,)] %1, %2",
    ],
)
def test_an_array_that_is_updated_by_itself(update: str) -> None:
    """The numbers added are those from before, however they are reached."""
    program = parse_program(f"""
program f(%x: f64[24], %k: i64[24]) {{
  %1: f64[24] = sin %x
  %2: f64[24] = slice[starts=(23,), sizes=(24,), strides=(-1,)] %1
  %3: f64[24] = {update}
  return %3
}}""")
    xs = [np.random.default_rng(0).normal(size=24), np.random.default_rng(1).integers(0, 24, 24)]
    (got,), (want,) = compile_program(program)(*xs), evaluate(program, xs)
    np.testing.assert_allclose(got, want, rtol=1e-13)
    Simulation(*planned(program)).run()


def test_a_chain_of_updates_is_read_between() -> None:
    """Readers of one version come before the next; a version read later is kept apart."""
    b = Builder()
    x, t = b.param(ArrayType("f64", (40,))), b.param(ArrayType("f64", (40,)))
    v = b(ops.Sin(), x)
    seen = []
    for n in range(6):
        seen.append(b(ops.Cos(), v) if n % 2 else v)
        part = b(ops.Slice((n,), (30,), (1,)), t)
        v = b(ops.SliceAdd((n + 2,), (1,)), v, part)
    program = b.finish(*seen, v)
    plan, storage = planned(program)
    Simulation(plan, storage).run()
    ordered(plan)
    xs = [np.linspace(0, 3, 40), np.linspace(1, 2, 40)]
    for got, want in zip(compile_program(program)(*xs), evaluate(program, xs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        (  # a fold of one step that reads nothing but constants
            """program f(%x: f64[]) {
              %1: f64[24,1] = constant[value=2.0, shape=(24, 1)]
              %2: f64[1,24,5] = constant[value=3.0, shape=(1, 24, 5)]
              %3: f64[24,5] = dot_general[contract=((1,), (0,)), batch=((0,), (1,))] %1, %2
              %4: f64[24,5] = broadcast[shape=(24, 5), dims=()] %x
              %5: f64[24,5] = mul %3, %4
              return %5
            }""",
            [()],
        ),
        (  # a fold over nothing whose reader would be content with a register
            """program f(%x: f64[30,0], %y: f64[30]) {
              %1: f64[30] = reduce_prod[axes=(1,)] %x
              %2: f64[30] = mul %1, %y
              return %2
            }""",
            [(30, 0), (30,)],
        ),
        (  # a product over nothing
            """program f(%x: f64[30,0], %y: f64[0,30]) {
              %1: f64[30,30] = dot_general[contract=((1,), (0,))] %x, %y
              %2: f64[30,30] = exp %1
              return %2
            }""",
            [(30, 0), (0, 30)],
        ),
        (  # the one place of an axis, by an index that the program computes
            """program f(%x: f64[24,1], %y: f64[24]) {
              %1: f64[24,1] = sin %x
              %2: i32[] = literal[values=(3,), dtype='i32', shape=()]
              %3: f64[24] = gather[axes=(1,)] %1, %2
              %4: f64[24] = add %3, %y
              return %4
            }""",
            [(24, 1), (24,)],
        ),
    ],
)
def test_loops_of_one_step_and_of_none(text: str, shapes: list[tuple[int, ...]]) -> None:
    program = parse_program(text)
    xs = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    (got,), (want,) = compile_program(program)(*xs), evaluate(program, xs)
    np.testing.assert_allclose(got, want, rtol=1e-14)
    Simulation(*planned(program)).run()


@chunks
def test_larger_programs_are_the_reference(chunk: int, figures: Any) -> None:
    """The same programs compiled and run, up to the sign of zeros: NumPy's minimum has either."""
    for seed in range(chunk * EACH, chunk * EACH + EACH // 2):
        program = larger_program(seed)
        xs = random_inputs(program, seed)
        for got, want in zip(compile_program(program)(*xs), expected(program, xs), strict=True):
            unsigned = replace(want, signed=np.zeros(want.value.shape, bool))
            n = unsigned.check(np.asarray(got), f"seed {seed}\n{program}")
            figures.add("elements compared in larger random programs", n)
        figures.add("larger random programs compiled, with 0 mismatches")
