"""Code for other machines: without AVX and without a vector library, and of another make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from tests.codegen.targets import ARM, PLAIN, compiled_for
from tests.codegen.test_plans import PLANS
from tests.codegen.workloads import WORKLOADS
from tests.ops.samples import SAMPLES, Sample
from tests.ops.test_rules import agrees

from codegen.backend import backend
from codegen.engine import compile_program
from codegen.lower import lower
from codegen.memory import store
from codegen.planner import make_plan
from codegen.target import Target
from ir.evaluate import evaluate
from ir.op import REGISTRY
from ir.passes.pipeline import COMPILE, run
from ir.program import Program
from tracer import jit, trace


def some_samples() -> Iterator[Sample]:
    """The special numbers of each op and dtype, and the first two of its other samples."""
    for _, group in groupby(sorted(SAMPLES, key=lambda s: s.op.mnemonic), lambda s: type(s.op)):
        rows = list(group)
        yield from rows[:2]
        yield from [s for s in rows[2:] if "special" in s.note]


@pytest.mark.parametrize("s", list(some_samples()), ids=str)
def test_every_op_on_a_plain_machine(s: Sample, figures: Any) -> None:
    xs = s.inputs()
    with compiled_for("plain"):
        got = compile_program(s.program)(*xs)
    for g, w in zip(got, evaluate(s.program, xs), strict=True):
        agrees(s, np.asarray(g), np.asarray(w), xs)
    figures.add("op samples compared on a plain machine")


def test_workloads_on_a_plain_machine() -> None:
    for w in WORKLOADS:
        args = w.draw()
        with compiled_for("plain"):
            got = jit(w.gradient)(*args)
        for g, want in zip(got, w.gradient(*args), strict=True):
            scale = float(np.max(np.abs(want), initial=0.0))
            np.testing.assert_allclose(g, want, rtol=1e-12, atol=1e-13 * scale)


def code_for(program: Program, target: Target) -> str:
    """The machine code that another machine would run, as assembly."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    plan = make_plan(run(program, COMPILE))
    module = lower(plan, store(plan), target)
    made = backend(target)
    assert made.machine.emit_object(made.optimised(module))
    return str(made.machine.emit_assembly(made.optimised(module)))


def test_a_plain_machine_has_narrow_vectors_and_no_library() -> None:
    for f, types in PLANS.values():
        code = code_for(trace(f, *types), PLAIN)
        assert "xmm" in code
        assert not re.search(r"[yz]mm\d|_ZGV", code)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_op_has_code_for_arm(name: str, figures: Any) -> None:
    """Compiled and not run: emitted, verified, optimised, and made machine code."""
    mine = [s for s in SAMPLES if s.op.mnemonic == name and not s.bodies]
    for s in mine[:: max(len(mine) // 2, 1)]:
        assert "_ZGV" not in code_for(s.program, ARM)
        figures.cover(f"ops compiled for AArch64 (of {len(REGISTRY)})", {name})


def test_loops_are_vectors_on_arm_too() -> None:
    for name in ("rosenbrock", "layernorm", "mixture"):
        f, types = PLANS[name]
        code = code_for(trace(f, *types), ARM)
        assert re.search(r"\bf(add|mul|mla)\s+v\d+\.2d", code), name
