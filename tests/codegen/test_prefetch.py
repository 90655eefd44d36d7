"""Rows of large arrays that several loops go through: the next ones are asked for."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest
from tests.codegen.targets import ARM, PLAIN, compiled_for, each_target

from codegen.backend import backend
from codegen.engine import compile_program
from codegen.lower import lower
from codegen.memory import store
from codegen.planner import make_plan
from ir.passes.pipeline import COMPILE, run
from tracer import jit, trace

RNG = np.random.default_rng(2)
ASKED = "call void @llvm.prefetch"


def normalised(x, y):
    c = x - np.mean(x, axis=1, keepdims=True)
    return c / np.sqrt(np.mean(c * c, axis=1, keepdims=True) + 1e-5) * y


def text(f, *shapes: tuple[int, ...], dtype: str = "f8") -> str:
    return jit(f).lower(*[np.ones(shape, dtype) for shape in shapes]).compiled.llvm


def test_what_is_read_first_is_asked_for() -> None:
    """Once for each line of a row of x in the first loop, and of y in the last."""
    found = text(normalised, (1000, 512), (1000, 512))
    before, *_ = found.split("sqrt")
    assert 0 < before.count(ASKED) < found.count(ASKED)


@pytest.mark.parametrize("shape", [(100, 512), (10_000, 40), (20, 50_000), (400_000,)], ids=str)
def test_what_is_near_already_or_far_for_long_is_not(shape: tuple[int, ...]) -> None:
    def f(x):
        return x - np.mean(x, axis=-1, keepdims=True)

    assert ASKED not in text(f, shape)


def test_rows_of_one_loop_are_foreseen() -> None:
    assert ASKED not in text(lambda x: np.sum(np.exp(x), axis=1), (1000, 512))


@each_target
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_numbers_are_the_same(machine: str, dtype: str) -> None:
    x, y = (RNG.normal(size=(700, 900)).astype(dtype) for _ in range(2))
    program = trace(normalised, x, y)
    with compiled_for(machine):
        compiled = compile_program(program)
    assert ASKED in compiled.llvm
    close = 1e-12 if dtype == "f8" else 1e-4
    np.testing.assert_allclose(compiled(x, y)[0], normalised(x, y), rtol=close, atol=close)


@pytest.mark.parametrize("target", [PLAIN, ARM], ids=lambda target: target.triple)
def test_other_machines_have_an_instruction_for_it(target) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    plan = make_plan(run(trace(normalised, "f64[1000,512]", "f64[1000,512]"), COMPILE))
    module = lower(plan, store(plan), target)
    made = backend(target)
    assembly = str(made.machine.emit_assembly(made.optimised(module)))
    assert ("prfm" if target is ARM else "prefetch") in assembly
