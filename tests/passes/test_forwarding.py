"""Slices of updated arrays become what was written there, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.codegen.simulate import Simulation, planned
from tests.codegen.writes import recurrence
from tests.ir.same import same_arrays
from tests.passes.becomes import becomes, stays

from codegen.engine import compile_program
from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.passes.cse import cse
from ir.passes.dce import dce
from ir.passes.forwarding import forward_reads
from ir.passes.vjp import vjp
from ir.program import Program, Value
from ir.types import ArrayType


def forwarded(p: Program) -> Program:
    return dce(forward_reads(p))


def test_a_read_is_what_was_written() -> None:
    becomes(forwarded, """
        (%0: f64[5], %1: f64[1])
          %2: f64[5] = neg %0
          %3: f64[5] = slice_update[starts=(2,), strides=(1,)] %2, %1
          %4: f64[1] = slice[starts=(2,), sizes=(1,), strides=(1,)] %3
          return %4
        """, """
        (%0: f64[5], %1: f64[1])
          return %1
        """)  # fmt: skip


def test_a_part_of_what_was_written() -> None:
    """Backwards, and every other element of it."""
    becomes(forwarded, """
        (%0: f64[9], %1: f64[4])
          %2: f64[9] = slice_update[starts=(8,), strides=(-2,)] %0, %1
          %3: f64[2] = slice[starts=(2,), sizes=(2,), strides=(4,)] %2
          return %3
        """, """
        (%0: f64[9], %1: f64[4])
          %2: f64[2] = slice[starts=(3,), sizes=(2,), strides=(-2,)] %1
          return %2
        """)  # fmt: skip


def test_later_writes_elsewhere_do_not_matter() -> None:
    becomes(forwarded, """
        (%0: f64[2,3], %1: f64[1,3], %2: f64[1,1])
          %3: f64[2,3] = slice_update[starts=(0, 0), strides=(1, 1)] %0, %1
          %4: f64[2,3] = slice_update[starts=(0, 1), strides=(1, 1)] %3, %2
          %5: f64[1,1] = slice[starts=(0, 2), sizes=(1, 1), strides=(1, 1)] %4
          %6: f64[1,2] = slice[starts=(1, 0), sizes=(1, 2), strides=(1, 1)] %4
          return %5, %6
        """, """
        (%0: f64[2,3], %1: f64[1,3], %2: f64[1,1])
          %3: f64[1,1] = slice[starts=(0, 2), sizes=(1, 1), strides=(1, 1)] %1
          %4: f64[1,2] = slice[starts=(1, 0), sizes=(1, 2), strides=(1, 1)] %0
          return %3, %4
        """)  # fmt: skip


def test_sums_in_an_array_become_sums_of_numbers() -> None:
    becomes(forwarded, """
        (%0: f64[1], %1: f64[1])
          %2: f64[30] = constant[value=0.0, shape=(30,)]
          %3: f64[30] = slice_add[starts=(7,), strides=(1,)] %2, %0
          %4: f64[30] = slice_add[starts=(7,), strides=(1,)] %3, %1
          %5: f64[1] = slice[starts=(7,), sizes=(1,), strides=(1,)] %4
          return %5
        """, """
        (%0: f64[1], %1: f64[1])
          %2: f64[1] = constant[value=0.0, shape=(1,)]
          %3: f64[1] = add %2, %0
          %4: f64[1] = add %3, %1
          return %4
        """)  # fmt: skip


@pytest.mark.parametrize("text", [
    """
    (%0: f64[5], %1: f64[1], %2: i64[1])
      %3: f64[5] = slice_update[starts=(2,), strides=(1,)] %0, %1
      %4: f64[5] = scatter_update[axes=(0,)] %3, %1, %2
      %5: f64[1] = slice[starts=(2,), sizes=(1,), strides=(1,)] %4
      return %5
    """,
    """
    (%0: f64[5], %1: f64[1])
      %2: f64[5] = slice_update[starts=(2,), strides=(1,)] %0, %1
      %3: f64[2] = slice[starts=(2,), sizes=(2,), strides=(1,)] %2
      return %3
    """,
    """
    (%0: f64[5], %1: f64[1])
      %2: f64[5] = neg %0
      %3: f64[5] = slice_update[starts=(2,), strides=(1,)] %2, %1
      %4: f64[1] = slice[starts=(0,), sizes=(1,), strides=(1,)] %3
      return %4
    """,
], ids=["places that data names", "a part of it", "a computed array"])  # fmt: skip
def test_what_is_not_known_is_read(text: str) -> None:
    stays(forwarded, text)


def test_an_older_version_is_not_the_newer() -> None:
    """Also where one array has two continuations."""
    becomes(forwarded, """
        (%0: f64[5], %1: f64[1], %2: f64[1])
          %3: f64[5] = slice_update[starts=(2,), strides=(1,)] %0, %1
          %4: f64[5] = slice_update[starts=(2,), strides=(1,)] %3, %2
          %5: f64[5] = slice_update[starts=(3,), strides=(1,)] %3, %2
          %6: f64[1] = slice[starts=(2,), sizes=(1,), strides=(1,)] %4
          %7: f64[1] = slice[starts=(3,), sizes=(1,), strides=(1,)] %5
          return %6, %7, %4
        """, """
        (%0: f64[5], %1: f64[1], %2: f64[1])
          %3: f64[5] = slice_update[starts=(2,), strides=(1,)] %0, %1
          %4: f64[5] = slice_update[starts=(2,), strides=(1,)] %3, %2
          return %2, %2, %4
        """)  # fmt: skip


# Random writes and reads.


def random_writes(seed: int) -> tuple[Program, list[Any]]:
    """Parts of an array written, added to and read in any order, old versions too."""
    rng = np.random.default_rng(seed)
    shape = [(24,), (5, 6), (3, 2, 4)][seed % 3]
    b = Builder()
    array = b.param(ArrayType("f64", shape))
    base = [array, b(ops.Neg(), array), b(ops.Constant(0.0, "f64", shape))][seed // 3 % 3]
    versions, results, arrays = [base], [], [rng.normal(size=shape)]
    for _ in range(12):
        old = versions[-1] if rng.random() < 0.85 else versions[rng.integers(len(versions))]
        cut = random_cut(rng, shape)
        choice = rng.random()
        if choice < 0.45:
            results.append(b(cut, old))
            continue
        part = b(ops.Slice((0,) * len(shape), cut.sizes, (1,) * len(shape)), array)
        part = (
            results[-1] if results and results[-1].type == part.type else b(ops.Mul(), part, part)
        )
        if choice < 0.95:
            cls = ops.SliceUpdate if choice < 0.7 else ops.SliceAdd
            versions.append(b(cls(cut.starts, cut.strides), old, part))
        else:
            k = b(ops.Literal((1, 2, 1), "i64", (3,)))
            v = b(ops.Gather((0,)), array, k)
            versions.append(b(ops.ScatterUpdate((0,)), old, v, k))
    return b.finish(*results, *kept(rng, versions)), arrays


def random_cut(rng: np.random.Generator, shape: Sequence[int]) -> ops.Slice:
    """One element, a part, or all, along each axis."""
    starts, sizes, strides = [], [], []
    for n in shape:
        size = int(rng.choice([1, 1, n // 2, n]))
        stride = int(rng.choice([1, -1, 2])) if 2 * size <= n else int(rng.choice([1, 1, -1]))
        reach = abs(stride) * (size - 1)
        low = int(rng.integers(0, n - reach))
        starts.append(low if stride > 0 else low + reach)
        sizes.append(size)
        strides.append(stride)
    return ops.Slice(tuple(starts), tuple(sizes), tuple(strides))


def kept(rng: np.random.Generator, versions: list[Value]) -> list[Value]:
    return [versions[-1], *(v for v in versions[:-1] if rng.random() < 0.1)]


@pytest.mark.parametrize("batch", range(10))
def test_random_writes(batch: int, figures: Any) -> None:
    """The numbers stay, in the program, in the plan and in the code, bit for bit."""
    for seed in range(15 * batch, 15 * batch + 15):
        program, arrays = random_writes(seed)
        want = evaluate(program, arrays)
        same_arrays(evaluate(forward_reads(program), arrays), want)
        plan, storage = planned(program)
        Simulation(plan, storage).run()
        same_arrays(compile_program(program)(*arrays), want)
        figures.add("programs of random writes and reads, compiled")


def test_a_loop_over_elements_becomes_arithmetic_on_numbers() -> None:
    """Forwards and backwards: no array is read between its first element and its last."""
    tidy = forwarded(cse(vjp(recurrence(30))))
    updated = {eq.result for eq in tidy.equations if hasattr(eq.op, "update")}
    read = {v for eq in tidy.equations if isinstance(eq.op, ops.Slice) for v in eq.operands}
    assert updated
    assert not updated & read
