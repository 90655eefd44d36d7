"""Products of small matrices in tiles: every shape and layout, on every machine, in any thread."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest
from tests.codegen.targets import ARM, PLAIN, compiled_for, each_target

from codegen.backend import backend
from codegen.engine import compile_program
from codegen.kernels import tiles
from codegen.lower import module_of
from codegen.pool import get_num_threads, set_num_threads
from codegen.text import Function, kind_of
from ir.types import DTYPES
from tracer import grad, jit, trace, vmap

RNG = np.random.default_rng(11)
SHAPES = [
    (3, 20, 30), (20, 3, 30), (4, 4, 7), (4, 8, 4), (6, 8, 6), (4, 4, 9), (4, 9, 16), (4, 8, 160),
    (4, 4, 300), (5, 9, 100), (7, 31, 32), (10, 10, 10), (13, 8, 50), (16, 8, 32), (16, 32, 32),
    (17, 33, 20), (32, 8, 16), (33, 12, 65), (64, 64, 64), (64, 4, 512),
]  # fmt: skip
CLOSE = {"f8": 1e-12, "f4": 1e-4}


def operands(m: int, n: int, k: int, dtype: str, layout: str):
    x, y = RNG.normal(size=(m, k)), RNG.normal(size=(k, n))
    x, y = x.astype(dtype), y.astype(dtype)
    if layout[0] == "T":
        x = np.ascontiguousarray(x.T)
    if layout[1] == "T":
        y = np.ascontiguousarray(y.T)
    return x, y


def product(layout: str):
    def f(x, y):
        return (x.T if layout[0] == "T" else x) @ (y.T if layout[1] == "T" else y)

    return f


def text_of(f, *args) -> str:
    return jit(f).lower(*args).compiled.llvm


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
def test_product(shape: tuple[int, int, int], dtype: str, layout: str) -> None:
    x, y = operands(*shape, dtype, layout)
    f = product(layout)
    want = f(x.astype("f8"), y.astype("f8"))
    np.testing.assert_allclose(jit(f)(x, y), want, rtol=CLOSE[dtype], atol=CLOSE[dtype])
    fits = shape[0] >= tiles.ROWS and shape[1] >= tiles.BYTES // x.itemsize
    least = 128 if layout[1] == "N" else 1000 if min(shape) >= 8 else 4096
    if fits and np.prod(shape) >= least:
        assert "@tiles" in text_of(f, x, y)
        assert "gemm" not in text_of(f, x, y)
    if min(shape[:2]) < 4 or np.prod(shape) < 128:
        assert "@tiles" not in text_of(f, x, y)


def test_large_products_are_the_blas_own() -> None:
    x, y = operands(65, 64, 64, "f8", "NN")
    assert "@tiles" not in text_of(product("NN"), x, y)
    x, y = operands(4, 8, 700, "f8", "NN")  # too many rows to stay near
    assert "@tiles" not in text_of(product("NN"), x, y)


def test_results_whose_rows_lie_side_by_side() -> None:
    """The operands change places."""
    x, y = RNG.normal(size=(20, 24)), RNG.normal(size=(24, 30))
    f = jit(lambda x, y: np.einsum("ik,kj->ji", x, y) * 2.0)
    np.testing.assert_allclose(f(x, y), 2 * (x @ y).T, rtol=1e-12)
    both = jit(lambda x, y: (x @ y).T.copy())
    np.testing.assert_allclose(both(x, y), (x @ y).T, rtol=1e-12)


def test_nothing_but_the_result_is_written_and_nan_stays_in_its_row() -> None:
    x, y = operands(9, 11, 13, "f8", "NN")
    x[4, 3], y[5, 7] = np.nan, np.inf
    out = np.full((3, 9, 11), 7.0)
    jit(product("NN"))(x, y, out=out[1])
    np.testing.assert_allclose(out[1], x @ y, rtol=1e-12)
    assert np.all(out[::2] == 7.0)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_operands_that_are_cut_and_shifted(dtype: str) -> None:
    whole = RNG.normal(size=(80, 90)).astype(dtype)
    for x, y in (
        (whole[3:23, 5:37], whole[7:39, 11:29]),
        (whole[::2, 1:31], whole[1:31, ::3]),
        (whole[40:10:-1, :20], whole[:20, 9:30]),
    ):
        want = x.astype("f8") @ y.astype("f8")
        np.testing.assert_allclose(jit(product("NN"))(x, y), want, rtol=1e-3, atol=CLOSE[dtype])


@each_target
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
def test_on_machines_of_fewer_features(machine: str, dtype: str, layout: str) -> None:
    short = DTYPES[dtype].numpy.str[1:]
    for shape in SHAPES:
        x, y = operands(*shape, short, layout)
        program = trace(product(layout), x, y)
        with compiled_for(machine):
            got = compile_program(program)(x, y)[0]
        want = product(layout)(x.astype("f8"), y.astype("f8"))
        np.testing.assert_allclose(got, want, rtol=CLOSE[short], atol=CLOSE[short])


@pytest.mark.parametrize("target", [PLAIN, ARM], ids=lambda target: target.triple)
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("wide", [1, 2])
@pytest.mark.parametrize("apart", [False, True])
def test_code_of_other_machines(target, dtype: str, wide: int, apart: bool) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    f = Function("main")
    tiles.write(f, "found", kind_of(dtype, tiles.BYTES // DTYPES[dtype].size), wide, apart)
    made = backend(target)
    module = module_of(f.helpers["found"], target.triple)
    assert made.machine.emit_object(made.optimised(module))


def layers(w, v, x):
    return np.sum(np.tanh(np.tanh(x @ w) @ v) ** 2)


def test_threads_do_not_wait_for_each_other_and_give_the_same_bits() -> None:
    w, v = RNG.normal(size=(400, 24, 20)), RNG.normal(size=(400, 20, 12))
    x = RNG.normal(size=(400, 18, 24))
    slope = jit(vmap(grad(layers, argnums=(0, 1))))
    llvm_text = slope.lower(w, v, x).compiled.llvm
    assert "@tiles" in llvm_text
    assert "gemm" not in llvm_text
    before, want = get_num_threads(), slope(w, v, x)
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            for got, first in zip(slope(w, v, x), want, strict=True):
                np.testing.assert_array_equal(got, first)
    finally:
        set_num_threads(before)
    for k in (0, 399):
        for got, one in zip(want, grad(layers, argnums=(0, 1))(w[k], v[k], x[k]), strict=True):
            np.testing.assert_allclose(got[k], one, rtol=1e-10, atol=1e-12)


def test_work_is_counted_once() -> None:
    program = trace(product("NN"), *operands(17, 33, 20, "f8", "NN"))
    counted = compile_program(program, count=True)
    x, y = operands(17, 33, 20, "f8", "NN")
    np.testing.assert_allclose(counted(x, y)[0], x @ y, rtol=1e-12, atol=1e-12)
    assert 2 * 17 * 33 * 20 <= counted.executed() < 1.1 * 2 * 17 * 33 * 20


def test_outer_products_stay_with_what_is_around() -> None:
    f = vmap(lambda x, y: np.outer(np.sin(x), y) + 1.0)
    x, y = RNG.normal(size=(50, 12)), RNG.normal(size=(50, 16))
    assert "contraction" not in jit(f).lower(x, y).compiled.plan
    np.testing.assert_allclose(
        jit(f)(x, y), np.sin(x)[:, :, None] * y[:, None] + 1.0, rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_zeros_of_outer_products_keep_their_signs(dtype: str) -> None:
    """Each element is one product, and no sum that begins with 0."""
    x, y = np.array([0.0, -0.0, 1.0, -2.0] * 30, dtype), np.array([-0.0, 0.0, -3.0] * 40, dtype)
    got, want = jit(np.outer)(x, y), np.outer(x, y)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
