"""The code itself: what LLVM is allowed to do, and what it made of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from tests.codegen.workloads import WORKLOADS
from tests.ir.programs import random_program

from codegen.engine import Compiled, compile_program
from codegen.target import host, vector_library
from tracer import grad, jit, trace

SEEDS = range(0, 400, 8)

FORBIDDEN = re.compile(r"\b(nnan|ninf|nsz|arcp|afn|fast)\b")
PICKED = re.compile(r"shufflevector <\d+ x \w+> (%\w+), ")
RELAXED = re.compile(r" = (\w+) reassoc (?:contract )?(?:<\d+ x \w+>|\w+) (%\w+), ")


@cache
def modules() -> list[str]:
    """The LLVM text of the workloads and of random programs."""
    named = [jit(w.gradient).lower(*w.draw()).llvm for w in WORKLOADS]
    return named + [compile_program(random_program(n, Counter())).llvm for n in SEEDS]


def instructions(text: str) -> Iterator[str]:
    """The lines of function bodies; comments and declarations are no instructions."""
    return (line.split(";")[0] for line in text.splitlines() if line.startswith("  "))


def test_every_module_verifies(figures: Any) -> None:
    """LLVM ends the process where a broken module gets past this."""
    for text in modules():
        llvm.parse_assembly(text).verify()
        figures.add("LLVM modules verified")


def test_no_fast_math(figures: Any) -> None:
    """Nothing is assumed of nan, inf and the sign of zero; nothing is approximated."""
    for text in modules():
        for line in instructions(text):
            assert not FORBIDDEN.search(line), line
            figures.add("LLVM instructions without fast-math flags")


def test_only_accumulations_are_reordered() -> None:
    """``reassoc`` stands on the additions and products of a carried number, nowhere else."""
    found = 0
    for text in modules():
        origin: dict[str, str] = {}
        for line in instructions(text):
            name, _, how = line.strip().partition(" = ")
            picked = PICKED.match(how)
            origin[name] = origin[picked[1]] if picked else how.split(" ")[0]
            if "reassoc" in line:
                match = RELAXED.search(line)
                assert match, line
                assert match[1] in ("fadd", "fmul"), line
                assert origin[match[2]] in ("load", "phi"), line
                found += 1
    assert found > 20


def test_llvm_adds_no_flags_of_its_own() -> None:
    for w in WORKLOADS[:4]:
        compiled = compile_program(trace(w.gradient, *w.draw()))
        for line in instructions(compiled.optimised):
            assert not FORBIDDEN.search(line), line


def compiled(f: Callable[..., Any], *types: str) -> Compiled:
    return compile_program(trace(f, *types))


def wave(x: Any) -> Any:
    return np.sin(x) * np.exp(-x) + x**2


def test_elementwise_code_is_made_of_vectors() -> None:
    """In a loop over float64 the widest registers that the machine has are used."""
    features = set(host().features)
    for f in (lambda x: x * x + 2.0 * x, grad(lambda x: np.sum(x**3 - x)), lambda x: np.sum(x * x)):
        asm = compiled(f, "f64[4096]").asm
        if features & {"avx2", "avx512f"}:
            assert re.search(r"v(mul|fmadd\w+|add|fnmadd\w+)pd\s.*%[yz]mm", asm)


@pytest.mark.parametrize(("name", "f"), [("sin", np.sin), ("exp", np.exp), ("both", wave)])
def test_functions_are_called_on_vectors(name: str, f: Callable[[Any], Any]) -> None:
    """Where glibc has a vector version for this machine, it is the one that runs."""
    asm = compiled(f, "f64[4096]").asm
    for function in ("sin", "exp"):
        variants = host().vector_variants(function, "f64") if vector_library() else []
        if variants and name in (function, "both"):
            assert any(v.symbol in asm for v in variants)


def loops(c: Compiled) -> int:
    return sum(line.strip().startswith("for ") for line in c.plan.splitlines())


FUSED: dict[str, Callable[[Any], Any]] = {
    "wave": wave,
    "sum of it": lambda x: np.sum(wave(x)),
    "its gradient": grad(lambda x: np.sum(wave(x))),
    "its mean": lambda x: np.mean(wave(x)),
    "several sums": lambda x: (np.sum(x), np.sum(x**2), np.max(x)),
    "several results": lambda x: (wave(x), np.cos(x) * x, x > 0.5),
    "views on the way": lambda x: (
        x[::-1].reshape(10, 100).reshape(-1) * np.broadcast_to(x[0], 1000)
    ),
    "where": lambda x: np.where(x > 0, np.log(x + 1), x) * 2,
}


@pytest.mark.parametrize("name", FUSED)
def test_elementwise_work_is_one_loop(name: str) -> None:
    """One sweep, and no memory beside arguments and results."""
    c = compiled(FUSED[name], "f64[1000]")
    assert loops(c) == 1, c.plan
    assert c.workspace == 0
    x = np.random.default_rng(0).uniform(size=1000)
    want = FUSED[name](x)
    for got, y in zip(c(x), want if isinstance(want, tuple) else (want,), strict=True):
        np.testing.assert_allclose(got, y, rtol=1e-12)
