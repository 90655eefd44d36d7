"""dce, cse, fold, inline and the pipeline, as text before and after."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest
from tests.passes.becomes import becomes, program, stays

from ir import ops
from ir.build import Builder
from ir.evaluate import evaluate
from ir.passes.cse import cse
from ir.passes.dce import dce
from ir.passes.fold import fold
from ir.passes.inline import inline
from ir.passes.jvp import jvp
from ir.passes.pipeline import CLEANUP, COMPILE, Stage, run
from ir.passes.simplify import drop_stop_gradient, simplify
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.program import Program
from ir.types import ArrayType
from ir.verify import verify


def test_dce_keeps_what_results_and_effects_need() -> None:
    becomes(dce, """
        (%0: f64[3], %1: bool[])
          %2: f64[3] = sin %0
          %3: f64[3] = cos %0
          %4: bool[] = not %1
          check[message='no'] %4
          %5: f64[3] = exp %3
          return %2
        """, """
        (%0: f64[3], %1: bool[])
          %2: f64[3] = sin %0
          %3: bool[] = not %1
          check[message='no'] %3
          return %2
        """)  # fmt: skip


def test_dce_drops_what_reads_nothing_without_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("ir.graph.dataflow")
    for step in (dce, cse):
        becomes(step, """
            (%0: f64[3])
              %1: f64[3] = constant[value=1.0, shape=(3,)]
              %2: f64[3] = exp %0
              %3: f64[3] = iota[dtype='f64', shape=(3,)]
              %4: f64[3] = mul %2, %3
              %5: f64[] = constant[value=2.0]
              return %4
            """, """
            (%0: f64[3])
              %1: f64[3] = exp %0
              %2: f64[3] = iota[dtype='f64', shape=(3,)]
              %3: f64[3] = mul %1, %2
              return %3
            """)  # fmt: skip


def test_dce_keeps_parameters() -> None:
    stays(dce, "(%0: f64[3], %1: f64[])\nreturn %1")


def test_cse_computes_an_expression_once() -> None:
    becomes(cse, """
        (%0: f64[3])
          %1: f64[3] = sin %0
          %2: f64[3] = sin %0
          %3: f64[3] = exp %1
          %4: f64[3] = exp %2
          return %3, %4
        """, """
        (%0: f64[3])
          %1: f64[3] = sin %0
          %2: f64[3] = exp %1
          return %2, %2
        """)  # fmt: skip


def test_cse_leaves_no_dead_code() -> None:
    becomes(cse, """
        (%0: f64[3])
          %1: f64[3] = tanh %0
          %2: f64[3] = cos %1
          %3: f64[3] = neg %2
          %4: f64[3] = tanh %0
          %5: f64[3] = mul %4, %1
          return %5
        """, """
        (%0: f64[3])
          %1: f64[3] = tanh %0
          %2: f64[3] = mul %1, %1
          return %2
        """)  # fmt: skip


def test_cse_knows_that_operands_may_change_places() -> None:
    becomes(cse, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = mul %0, %1
          %3: f64[3] = mul %1, %0
          %4: f64[3] = sub %0, %1
          %5: f64[3] = sub %1, %0
          return %2, %3, %4, %5
        """, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = mul %0, %1
          %3: f64[3] = sub %0, %1
          %4: f64[3] = sub %1, %0
          return %2, %2, %3, %4
        """)  # fmt: skip


def test_cse_tells_zeros_and_types_of_constants_apart() -> None:
    stays(cse, """
        ()
          %0: f64[] = constant[value=0.0]
          %1: f64[] = constant[value=-0.0]
          %2: f64[] = constant[value=1.0]
          %3: f32[] = constant[value=1.0, dtype='f32']
          %4: i64[] = constant[value=1, dtype='i64']
          %5: bool[] = constant[value=True, dtype='bool']
          return %0, %1, %2, %3, %4, %5
        """)  # fmt: skip


def test_cse_merges_nans() -> None:
    becomes(cse, """
        ()
          %0: f64[] = constant[value=nan]
          %1: f64[] = constant[value=nan]
          return %0, %1
        """, """
        ()
          %0: f64[] = constant[value=nan]
          return %0, %0
        """)  # fmt: skip


def test_cse_does_not_merge_a_value_with_its_stopped_self() -> None:
    stays(cse, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = stop_gradient %0
          %3: f64[3] = mul %2, %1
          %4: f64[3] = mul %0, %1
          return %3, %4
        """)  # fmt: skip


def test_cse_drops_a_repeated_effect_and_keeps_another() -> None:
    becomes(cse, """
        (%0: bool[])
          check[message='a'] %0
          guard %0
          check[message='a'] %0
          check[message='b'] %0
          guard[expected=False] %0
          guard %0
          return
        """, """
        (%0: bool[])
          check[message='a'] %0
          guard %0
          check[message='b'] %0
          guard[expected=False] %0
          return
        """)  # fmt: skip


CALLS = """
(%0: f64[])
  %1: f64[], %2: f64[] = call %0 {
    program twice(%0: f64[]) {
      %1: f64[] = add %0, %0
      %2: f64[] = call %1 {
        program sine(%0: f64[]) {
          %1: f64[] = sin %0
          return %1
        }
      }
      return %2, %0
    }
  }
  %3: f64[] = mul %1, %2
  return %3
"""


def test_inline_replaces_calls_within_calls() -> None:
    becomes(inline, CALLS, """
        (%0: f64[])
          %1: f64[] = add %0, %0
          %2: f64[] = sin %1
          %3: f64[] = mul %2, %0
          return %3
        """)  # fmt: skip


@pytest.mark.parametrize("transform", [jvp, vjp, lambda p: vmap(p, [True], 3)])
def test_transforms_of_a_call_are_those_of_its_body(
    transform: Callable[[Program], Program],
) -> None:
    p = program(CALLS)
    assert str(verify(transform(p))) == str(transform(inline(p)))


def test_fold_computes_what_is_known() -> None:
    becomes(lambda p: dce(fold(p)), """
        (%0: f64[2])
          %1: f64[2] = literal[values=(1.0, 2.0), dtype='f64', shape=(2,)]
          %2: f64[2] = constant[value=-0.5, shape=(2,)]
          %3: f64[2] = mul %1, %2
          %4: f64[2] = sub %3, %1
          %5: f64[2] = add %0, %4
          %6: f64[2] = neg %2
          %7: f64[] = reduce_sum[axes=(0,)] %4
          return %5, %6, %7
        """, """
        (%0: f64[2])
          %1: f64[2] = literal[values=(-1.5, -3.0), dtype='f64', shape=(2,)]
          %2: f64[2] = add %0, %1
          %3: f64[2] = constant[value=0.5, shape=(2,)]
          %4: f64[] = constant[value=-4.5]
          return %2, %3, %4
        """)  # fmt: skip


def test_fold_makes_no_large_literals() -> None:
    stays(fold, """
        ()
          %0: f64[100] = iota[dtype='f64', shape=(100,)]
          %1: f64[100] = constant[shape=(100,), value=2.0]
          %2: f64[100] = mul %0, %1
          %3: f64[] = reduce_sum[axes=(0,)] %1
          return %2, %3
        """.replace("shape=(100,), value=2.0", "value=2.0, shape=(100,)"))  # fmt: skip


def test_fold_leaves_effects_to_the_run() -> None:
    stays(fold, """
        ()
          %0: bool[] = constant[value=False, dtype='bool']
          check[message='no'] %0
          return
        """)  # fmt: skip


def test_fold_of_a_large_constant_elementwise() -> None:
    becomes(lambda p: dce(fold(p)), """
        ()
          %0: f64[1000,1000] = constant[value=2.0, shape=(1000, 1000)]
          %1: f64[1000,1000] = sqrt %0
          %2: f64[1000,1000] = mul %1, %1
          return %2
        """, f"""
        ()
          %0: f64[1000,1000] = constant[value={np.sqrt(2.0) ** 2}, shape=(1000, 1000)]
          return %0
        """)  # fmt: skip


def test_drop_stop_gradient_before_code_generation() -> None:
    becomes(lambda p: run(p, COMPILE), """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = stop_gradient %0
          %3: f64[3] = mul %2, %1
          %4: f64[3] = mul %0, %1
          %5: f64[3] = add %3, %4
          return %5
        """, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = mul %0, %1
          %3: f64[3] = add %2, %2
          return %3
        """)  # fmt: skip


def test_the_pipeline_shows_each_stage() -> None:
    stages: list[Stage] = []
    p = program("""
        (%0: f64[3])
          %1: f64[3] = neg %0
          %2: f64[3] = neg %1
          %3: f64[3] = sin %2
          return %3
        """)
    q = run(p, CLEANUP, watch=stages.append, check=True)
    assert [s.name for s in stages] == ["dce", "simplify", "fold", "cse"]
    assert stages[-1].program is q
    assert [len(s.program.equations) for s in stages] == [3, 2, 2, 1]
    assert [(len(s.added), len(s.removed)) for s in stages] == [
        (0, 0),
        (1, 2),
        (0, 0),
        (0, 1),
    ]
    assert all(s.seconds >= 0 for s in stages)
    assert gc.isenabled()


def test_the_pipeline_says_when_a_pass_breaks_a_program() -> None:
    def breaks(p: Program) -> Program:
        return Program(p.params, (), p.results, p.name)

    with pytest.raises(AssertionError, match="never defined"):
        run(program("(%0: f64[])\n%1: f64[] = sin %0\nreturn %1"), [breaks], check=True)
    assert gc.isenabled()


STEPS: dict[str, Callable[[Program], Program]] = {
    "inline": inline, "dce": dce, "cse": cse, "simplify": simplify, "fold": fold,
    "drop_stop_gradient": drop_stop_gradient, "jvp": jvp, "vjp": vjp, "verify": verify,
    "vmap": lambda p: vmap(p, [True], 2), "compile": lambda p: run(p, COMPILE),
}  # fmt: skip


@pytest.fixture(scope="module")
def chain() -> Program:
    b = Builder()
    x = b.param(ArrayType("f64", ()))
    for op in [ops.Sin(), ops.Cos()] * 25_000:
        x = b(op, x)
    return b.finish(x)


@pytest.mark.parametrize("name", STEPS)
def test_a_chain_of_50_000_equations(name: str, chain: Program) -> None:
    """Nothing recurses along the program."""
    made = STEPS[name](chain)
    assert len(made.equations) >= 50_000
    if name == "vjp":
        value, bar = evaluate(made, [np.array(0.5), np.array(1.0)])
        assert 0.6 < value < 0.8
        assert bar == 0  # each step shrinks the derivative


def growth(
    step: Callable[[Program], Program], sizes: tuple[int, ...] = (100, 200, 400)
) -> list[int]:
    made = []
    for n in sizes:
        b = Builder()
        x = y = b.param(ArrayType("f64", (3,)))
        for i in range(n):
            y = b(ops.Mul(), y, b(ops.Sin(), x)) if i % 2 else b(ops.Add(), y, x)
        made.append(len(step(b.finish(y)).equations))
    return made


@pytest.mark.parametrize("name", ["jvp", "vjp", "vmap", "compile"])
def test_programs_grow_linearly(name: str) -> None:
    small, middle, large = growth(STEPS[name])
    assert large - middle == 2 * (middle - small)
