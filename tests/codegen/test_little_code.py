"""Where less is asked of LLVM, what runs gives the same bits, and less code is written."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.engine import compile_program
from codegen.lower import Writer
from codegen.pool import get_num_threads, set_num_threads
from tracer import grad, jit, trace, vmap

RNG = np.random.default_rng(7)
LONG = RNG.uniform(0.5, 2.0, 60_000)
ROWS = RNG.normal(size=(2_000, 96))


def slopes(x):
    return vmap(grad(lambda y: np.log(y) * np.exp(-y) + np.sin(y)))(x)


def laplacian(x):
    return np.sum(
        (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4 * x[1:-1, 1:-1]) ** 2
    )


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return np.sum(e / np.sum(e, axis=1, keepdims=True) * x)


def centred(x):
    return np.sum((x - np.mean(x, axis=0)) ** 2, axis=1)


def scores(w):
    return np.sum(np.log1p(np.exp(ROWS @ w)))


WAITING = {"slopes": (slopes, LONG), "logs": (lambda x: np.log(x) + np.cbrt(x), LONG)}
BESIDE = {"centred": (centred, ROWS), "scores": (grad(scores), ROWS[0])}


def busy(x):
    """A call, and much more that is computed."""
    y = np.exp(x)
    for n in range(2, 20):
        y = y * x + n / (x + y * y)
    return y


OPTIMISED = {
    "busy": (busy, LONG),
    "laplacian": (grad(laplacian), ROWS),
    "softmax": (grad(softmax), ROWS),
    "squares": (lambda x: x * x + x, LONG),
}
ALL = WAITING | BESIDE | OPTIMISED


@pytest.mark.parametrize("name", ALL)
def test_the_bits_do_not_depend_on_the_optimiser(name, monkeypatch):
    f, x = ALL[name]
    found = jit(f)(x)
    monkeypatch.setattr(Writer, "unoptimised", lambda self: [])
    np.testing.assert_array_equal(jit(f)(x), found)
    monkeypatch.setattr(Writer, "unoptimised", lambda self: self.functions)
    np.testing.assert_array_equal(jit(f)(x), found)


@pytest.mark.parametrize("name", WAITING)
def test_loops_that_wait_for_libraries_are_not_optimised(name):
    f, x = WAITING[name]
    assert jit(f).lower(x).compiled.module.unoptimised == ("task1",)


@pytest.mark.parametrize("name", BESIDE)
def test_main_is_not_optimised_beside_regions(name):
    f, x = BESIDE[name]
    found = jit(f).lower(x).compiled.module.unoptimised
    assert "main" in found
    assert "task1" not in found


@pytest.mark.parametrize("name", OPTIMISED)
def test_loops_that_compute_are_optimised(name):
    f, x = OPTIMISED[name]
    assert jit(f).lower(x).compiled.module.unoptimised == ()


def test_short_programs_and_fast_math_are_optimised():
    assert jit(slopes).lower(LONG[:10]).compiled.module.unoptimised == ()
    assert jit(slopes, fastmath=True).lower(LONG).compiled.module.unoptimised == ()


@pytest.mark.parametrize("name", [*WAITING, *OPTIMISED])
def test_a_program_of_one_region_has_no_main(name):
    f, x = ALL[name]
    jitted = jit(f)
    compiled = jitted.lower(x).compiled
    assert compiled.module.blocks > 1
    assert "@main" not in compiled.llvm
    before, want = get_num_threads(), jitted(x)
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            np.testing.assert_array_equal(compiled(x)[0], want)  # by ctypes
            np.testing.assert_array_equal(jitted(x), want)  # by the native entry
            out = np.empty_like(want)
            assert jitted(x, out=out) is out
            np.testing.assert_array_equal(out, want)
    finally:
        set_num_threads(before)


def test_an_instrumented_build_has_a_main():
    program = trace(slopes, "f64[60000]")
    counted = compile_program(program, count=True)
    assert counted.module.exports == ("main", "executed")
    found, want = counted(LONG)[0], compile_program(program)(LONG)[0]
    np.testing.assert_allclose(found, want, rtol=1e-13, atol=1e-14)  # number by number
    assert counted.executed() > LONG.size


def test_rows_of_a_window_are_placed_by_one_division_each():
    """One where a row is made, one where it is read with those before and behind it."""
    assert jit(grad(laplacian)).lower(np.ones((300, 200))).llvm.count(" urem ") == 2


@pytest.mark.parametrize(("columns", "tests"), [(4096, 1), (4096 + 16, 2)])
def test_blocks_of_which_there_are_only_whole_ones_have_no_other_end(columns, tests):
    """But for that of the region's."""
    llvm = jit(lambda x: np.sum(x, axis=1)).lower(np.ones((640, columns))).llvm
    assert "pairwise" in llvm
    assert llvm.count("call i64 @llvm.smin") == tests


def forces(x):
    apart = x[:, None, :] - x[None, :, :]
    return np.sum(apart / (np.sum(apart * apart, axis=2) + 0.1)[:, :, None], axis=1)


def nearest(x):
    apart = x[:, None, :] - x[None, :, :]
    return np.max(apart, axis=1), np.min(apart, axis=1), np.prod(1 + apart / 9, axis=1)


HELD = {
    "forces": (forces, ()),
    "nearest": (nearest, ()),
    "many": (vmap(forces), (2,)),
    "slope": (grad(lambda x: np.sum(forces(x))), ()),
}


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("n", [3, 8, 13, 40, 300])
def test_what_is_held_in_registers_is_not_filled_before(name, n, monkeypatch):
    f, batch = HELD[name]
    x = RNG.normal(size=(*batch, n, 3))
    here = jit(f).lower(x).compiled
    monkeypatch.setattr("codegen.emit.skips_fill", lambda *_: False)
    filled = jit(lambda x: f(x)).lower(x).compiled
    for got, want in zip(here(x), filled(x), strict=True):
        np.testing.assert_array_equal(got, want)
    fewer = len(filled.llvm.splitlines()) - len(here.llvm.splitlines())
    assert fewer > 0 if name == "slope" and n > 3 else fewer >= 0
