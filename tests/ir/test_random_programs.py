"""Programs that nobody thought to write, through every pass: meaning and text are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.ir.noise import expected
from tests.ir.programs import RECIPES, TAME, random_inputs, random_program
from tests.ir.same import same_arrays, same_program

from ir.evaluate import evaluate
from ir.op import REGISTRY, Array
from ir.parser import parse_program
from ir.passes.cse import cse
from ir.passes.dce import dce
from ir.passes.fold import fold
from ir.passes.inline import inline
from ir.passes.jvp import jvp
from ir.passes.pipeline import CLEANUP, COMPILE, run
from ir.passes.pull import pull
from ir.passes.simplify import drop_stop_gradient, simplify
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.program import Program
from ir.verify import verify

CHUNKS, EACH = 40, 50
"""2,000 programs, in pieces that xdist spreads."""

chunks = pytest.mark.parametrize("chunk", range(CHUNKS))

PASSES: tuple[Callable[[Program], Program], ...] = (
    inline, dce, cse, simplify, fold, drop_stop_gradient, pull,
)  # fmt: skip


def programs(chunk: int, figures: Any, tame: bool = False) -> list[tuple[int, Program]]:
    """Seeds and their programs; the primitives that they cover are counted."""
    counts: Counter[str] = Counter()
    seeds = range(chunk * EACH, (chunk + 1) * EACH)
    made = [(seed, random_program(seed, counts, tame)) for seed in seeds]
    kind = "differentiable " if tame else ""
    figures.cover(f"primitives in random {kind}programs (of {len(REGISTRY)})", set(counts))
    return made


def test_every_primitive_has_a_recipe() -> None:
    assert set(RECIPES) == set(REGISTRY)


def same_results(p: Program, q: Program, xs: list[Array], want: list[Array], where: str) -> None:
    """Equal bit for bit, or off by what NumPy's own functions are off on other strides."""
    got = evaluate(q, xs)
    try:
        same_arrays(got, want, where)
    except AssertionError:
        for y, e in zip(got, expected(p, xs), strict=True):
            e.check(np.asarray(y), f"{where}\n{p}\n{q}")


@chunks
def test_passes_keep_meaning(chunk: int, figures: Any) -> None:
    """Nan stays nan, and zeros keep their sign."""
    for seed, p in programs(chunk, figures):
        xs = random_inputs(p, seed)
        want = evaluate(p, xs)
        for step in PASSES:
            q = verify(step(p))
            same_results(p, q, xs, want, f"seed {seed} after {step.__name__}")
        for passes in (CLEANUP, COMPILE):
            q = run(p, passes, check=True)
            same_results(p, q, xs, want, f"seed {seed} after all")
        figures.add("random programs compared before and after passes, with 0 mismatches")


@chunks
def test_text_round_trips(chunk: int, figures: Any) -> None:
    for seed, p in programs(chunk, figures):
        read = parse_program(str(p))
        assert str(read) == str(p), seed
        same_program(read, p)


@chunks
def test_passes_are_idempotent_where_they_say_all(chunk: int, figures: Any) -> None:
    """Nothing is left to eliminate, merge or inline after one go."""
    for _, p in programs(chunk, figures):
        for step in (dce, cse, inline, drop_stop_gradient):
            once = step(p)
            assert str(step(once)) == str(once)


def finite(*groups: list[Array]) -> bool:
    return all(np.isfinite(x).all() and (np.abs(x) < 1e8).all() for xs in groups for x in xs)


@chunks
def test_vjp_is_the_adjoint_of_jvp(chunk: int, figures: Any) -> None:
    for seed, p in programs(chunk, figures, tame=True):
        xs, m = random_inputs(p, seed, tame=True), len(p.results)
        rng = np.random.default_rng(seed)
        floats = [t for t in p.types if t.info.differentiable]
        ts = [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in floats]
        forward, back = verify(jvp(p)), verify(vjp(p))
        dys = evaluate(forward, [*xs, *ts])[m:]
        cts = [rng.uniform(-1, 1, y.shape).astype(y.dtype) for y in dys]
        bars = evaluate(back, [*xs, *cts])[m:]
        tidy = run(back, COMPILE, check=True)
        for y, want in zip(evaluate(tidy, [*xs, *cts]), expected(back, [*xs, *cts]), strict=True):
            want.check(np.asarray(y), f"seed {seed}\n{p}\n{back}\n{tidy}")
        if not finite(dys, bars):
            figures.add("random programs without finite derivatives, rejected")
            continue
        left = sum(float(np.vdot(a, b)) for a, b in zip(dys, cts, strict=True))
        right = sum(float(np.vdot(a, b)) for a, b in zip(ts, bars, strict=True))
        size = sum(float(np.vdot(np.abs(a), np.abs(b))) for a, b in zip(ts, bars, strict=True))
        assert abs(left - right) <= 1e-9 * (1 + size), f"{left} and {right}, seed {seed}:\n{p}"
        figures.add("random programs, vjp compared with jvp")


@chunks
def test_vmap_is_a_loop(chunk: int, figures: Any) -> None:
    size = 2
    for seed, p in programs(chunk, figures):
        if "guard" in str(p):
            continue
        mask = [bool(n) for n in np.random.default_rng(seed).integers(0, 2, len(p.params))]
        one, other = random_inputs(p, seed), random_inputs(p, seed + 10**6)
        stacked = [
            np.stack(pair) if m else pair[0] for *pair, m in zip(one, other, mask, strict=True)
        ]
        q = verify(vmap(p, mask, size))
        got = evaluate(q, stacked)
        for i in range(size):
            xs = [x[i] if m else x for x, m in zip(stacked, mask, strict=True)]
            for y, want in zip(got, expected(p, xs), strict=True):
                n = want.check(np.asarray(y)[i], f"seed {seed}\n{p}\n{q}")
                figures.add("elements compared, vmap with a loop", n)
        figures.add("random programs, vmap compared with a loop")


def test_tame_programs_cover_what_has_a_derivative() -> None:
    missing = set(REGISTRY) - set(TAME)
    assert missing == {
        "arccosh", "arcsin", "arccos", "arctanh", "erfinv", "pow", "sinh", "cosh", "exp2", "guard"
    }  # fmt: skip
