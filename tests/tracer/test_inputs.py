"""Awkward arrays through un-jitted and compiled functions; jit's signatures and results."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tracer
from tracer import grad, jit, value_and_grad, vmap

BASE = np.arange(1.0, 25.0).reshape(4, 6)


def misaligned(x):
    raw = np.zeros(x.nbytes + 1, np.uint8)
    found = raw[1:].view(x.dtype).reshape(x.shape)
    found[...] = x
    return found


def read_only(x):
    found = x.copy()
    found.flags.writeable = False
    return found


ARRAYS = {
    "contiguous": BASE.copy(),
    "strided": np.arange(96.0).reshape(8, 12)[::2, ::2],
    "reversed": BASE[::-1, ::-1],
    "fortran": np.asfortranarray(BASE),
    "transposed": BASE.T.copy().T,
    "read-only": read_only(BASE),
    "broadcast": np.broadcast_to(np.arange(1.0, 7.0), (4, 6)),
    "misaligned": misaligned(BASE),
    "big-endian": BASE.astype(">f8"),
    "float32": BASE.astype(np.float32),
    "0-d": np.array(2.5),
    "empty": np.zeros((0, 6)),
    "one": np.ones((1, 1)),
    "scalar": np.float64(2.5),
    "float32 scalar": np.float32(2.5),
}


def f(x):
    return np.sum(np.sin(x) * x + 1.0)


def g(x):
    return np.exp(-x) * 2.0 + x


@pytest.mark.parametrize("name", ARRAYS)
def test_awkward_arrays(name):
    x = ARRAYS[name]
    before = bytes(np.ascontiguousarray(x))
    native = np.array(x, x.dtype.newbyteorder("="), order="C")
    native = native[()] if isinstance(x, np.generic) else native
    slope = np.cos(native) * native + np.sin(native)
    rtol = 1e-12 if x.dtype.itemsize == 8 else 1e-5

    for found in (grad(f)(x), jit(grad(f))(x), grad(jit(f))(x)):
        assert found.shape == x.shape
        assert found.dtype == native.dtype
        np.testing.assert_allclose(found, slope, rtol=rtol)
    for found, expected in ((jit(f)(x), f(native)), (jit(g)(x), g(native))):
        assert type(found) is type(expected)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=rtol)
    if np.ndim(x) and len(x):
        np.testing.assert_allclose(vmap(g)(x), g(native), rtol=rtol)
    assert bytes(np.ascontiguousarray(x)) == before


@pytest.mark.parametrize("dtype", ["complex128", "float16", "int8", "uint64", "object", "U3"])
def test_dtypes_without_a_type(dtype):
    """Refused where they would be traced, with the user's line or as jit's static argument."""
    x = np.ones(3).astype(dtype)
    with pytest.raises((TypeError, ValueError)):
        grad(f)(x)
    with pytest.raises((TypeError, ValueError)):
        jit(g)(x)


def test_results_are_fresh_and_writable():
    x = BASE.copy()
    identity = jit(lambda x: (x, x, x.T))
    for out in identity(x):
        assert out.flags.owndata
        assert out.flags.writeable
        assert not np.shares_memory(out, x)
    first, second = identity(x)[:2]
    first[:] = 0
    assert second[0, 0] == 1
    assert x[0, 0] == 1


def test_results_have_the_types_of_the_function():
    def several(x):
        return {"sum": x.sum(), "half": x[...] / 2, "n": 3, "s": "text", "none": None, "k": x > 1}

    expected, found = several(BASE), jit(several)(BASE)
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert type(found[key]) is type(value)
        np.testing.assert_array_equal(found[key], value)


def test_a_function_is_traced_once_for_each_signature():
    traced = []

    def f(x, n=2):
        traced.append(1)
        return x * n

    compiled = jit(f)
    for x in (1.0, 2.0, BASE, BASE + 1, BASE.astype(np.float32), np.float64(1.0), np.array(1.0)):
        np.testing.assert_allclose(compiled(x), x * 2)
    assert len(traced) == 5
    compiled(BASE, 3)
    compiled(BASE, 4)
    assert len(traced) == 6
    assert compiled(BASE, n=3)[0, 0] == 3


def test_static_arguments():
    @jit
    def plain(x):
        return x + 1

    assert plain(1.0) == 2.0
    power = jit(lambda x, n: x**n, static_argnums=1)
    assert power(2.0, 3) == 8
    assert power(2.0, -1) == 0.5
    named = jit(lambda x, n=1, mode="a": x * n if mode == "a" else x, static_argnames=("n", "mode"))
    assert named(2.0, n=3) == 6
    assert named(2.0, n=3, mode="b") == 2
    loop = jit(lambda x, n: sum(x for _ in range(n)), static_argnums=(-1,))
    assert loop(2.0, 4) == 8


def test_python_numbers_do_not_decide_dtypes_under_jit():
    x = BASE.astype(np.float32)
    f = lambda x, a, n, b: np.where(b, x * a + n, x)
    found = jit(f)(x, 2.0, 3, True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, f(x, 2.0, 3, True))


def test_jit_inside_transforms_and_transforms_inside_jit():
    square = jit(lambda x: np.sum(x**2))
    np.testing.assert_allclose(grad(square)(BASE), 2 * BASE)
    np.testing.assert_allclose(jit(grad(square))(BASE), 2 * BASE)
    np.testing.assert_allclose(vmap(jit(grad(square)))(BASE), 2 * BASE)
    np.testing.assert_allclose(jit(vmap(grad(square)))(BASE), 2 * BASE)
    assert jit(lambda x: square(x) + 1)(2.0) == 5


def test_jit_that_captures_an_outer_tracer():
    def outer(a):
        return jit(lambda b: a * b)(3.0)

    assert grad(outer)(2.0) == 3
    assert jit(outer)(2.0) == 6


def test_large_captured_arrays():
    table = np.arange(1000.0)
    f = jit(lambda x: np.sum(table * x))
    assert f(2.0) == 2 * table.sum()
    table[:] = 0
    assert f(2.0) == 999000.0


def test_checks_in_compiled_code():
    f = jit(lambda x, i: x[i])
    np.testing.assert_array_equal(f(BASE, np.array([0, -1])), BASE[[0, -1]])
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 4"):
        f(BASE, np.array([0, 4]))


def test_the_stages_of_a_compilation():
    low = jit(value_and_grad(f)).lower(BASE)
    assert "cos" in low.ir
    for stage in (low.plan, low.llvm, low.asm, str(low.program)):
        assert isinstance(stage, str)
        assert stage


def test_jit_keeps_the_name_and_works_as_a_method():
    class Model:
        @jit
        def apply(self, x):
            """Twice."""
            return x * 2

    assert Model().apply(2.0) == 4
    assert Model.apply.__name__ == "apply"


PROGRAM = """
import sys
import numpy as np
import tracer
heavy = ("networkx", "llvmlite", "scipy", "codegen.engine")
assert not [m for m in heavy if m in sys.modules], "import"
f = lambda x: np.sum(np.sin(x) ** 2)
x = np.ones(3)
tracer.grad(f)(x)
tracer.hessian(f)(x)
tracer.vmap(np.sin)(x)
assert not [m for m in heavy if m in sys.modules], "use"
"""


def test_what_un_jitted_code_loads():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [n for n in tracer.__all__ if callable(getattr(tracer, n))])
def test_documented_examples(name):
    import doctest

    found = doctest.DocTestFinder(recurse=False).find(
        getattr(tracer, name), name, module=False, globs={"tracer": tracer}
    )
    for test in found:
        result = doctest.DocTestRunner(verbose=False).run(test)
        assert result.attempted > 0
        assert result.failed == 0


def test_documented_examples_of_modules():
    import doctest

    for module in (tracer, tracer.numpy):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0


def test_arithmetic_of_python_numbers_under_jit():
    assert jit(lambda n: n % 3 == 1)(7)
    assert jit(lambda a, b: a / b)(7, 2) == 3.5
    assert jit(lambda n: n**2)(7) == 49
    assert jit(lambda x, n: x * n)(0.5, 3) == 1.5
