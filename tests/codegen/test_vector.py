"""Loops are made of vectors without choices in them; and what LLVM may make of arithmetic."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.codegen.targets import compiled_for, targets
from tests.codegen.test_plans import PLANS
from tests.codegen.workloads import WORKLOADS, rosenbrock, stencil

from codegen.engine import compile_program
from codegen.functions import LIBRARY, operand_count
from ir.build import Builder
from ir.op import REGISTRY, primitive
from ir.ops.families import Unary
from ir.parser import parse_program
from ir.types import ArrayType, type_of
from tracer import grad, jit, trace, value_and_grad

# The interiors of stencils.


def heat(u: Any) -> Any:
    """The residual of a five-point Laplacian."""
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return np.sum((around - 4 * u[1:-1, 1:-1]) ** 2)


STENCILS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "rosenbrock": (grad(rosenbrock), (10_000,)),
    "rosenbrock and its value": (value_and_grad(rosenbrock), (10_000,)),
    "five points": (grad(heat), (200, 300)),
    "five points and a cube": (grad(stencil), (200, 300)),
}


def vector_loops(module: str) -> list[str]:
    """The bodies of the loops that have been made of vectors and store some."""
    blocks = re.split(r"\n(?=[\w.]+:)", module)
    bodies = [block for block in blocks if re.match(r"(\w+):.*br i1 %\w+, label %\1,", block, re.S)]
    return [body for body in bodies if re.search(r"store <\d+ x double>", body)]


@pytest.mark.parametrize("name", STENCILS)
def test_interiors_are_vectors_and_choose_nothing(name: str) -> None:
    f, shape = STENCILS[name]
    loops = vector_loops(compile_program(trace(f, f"f64{list(shape)}".replace(" ", ""))).optimised)
    assert loops
    for body in loops:
        assert re.search(r"load <\d+ x double>", body)
        assert len(re.findall(r"\bicmp\b", body)) == 1, body  # the loop's own end
        assert not re.search(r"\b(select|fcmp)\b|llvm\.masked", body), body
    largest = max(loops, key=len)
    assert re.search(r"f(mul|add|sub)[ \w]* <\d+ x double>", largest)
    assert len(re.findall(r"fmul", "".join(loops))) >= 3


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_every_function_is_called_on_vectors_where_the_machine_has_it(
    dtype: str, figures: Any
) -> None:
    for name in [name for name in LIBRARY if name in REGISTRY]:
        b = Builder()
        params = [b.param(ArrayType(dtype, (1000,))) for _ in range(operand_count(name))]
        program = b.finish(b(REGISTRY[name](), *params))
        for machine in targets():
            with compiled_for(machine) as target:
                code = compile_program(program)
            symbols = [v.symbol for v in target.vector_variants(name, dtype)]
            called = [s for s in symbols if re.search(rf"call .*@{s}\(", code.optimised)]
            assert bool(called) == bool(symbols), f"{name} of {dtype} on {machine}"
            figures.add("functions called on vectors", len(called))


# What arithmetic may become.

FORBIDDEN = re.compile(r"\b(nnan|ninf|nsz|arcp|afn|fast)\b")
CONTRACTED = re.compile(r"= fmul contract |= fadd reassoc contract ")


def programs() -> dict[str, str]:
    """The emitted text of every golden plan and workload."""
    found = {name: trace(f, *types) for name, (f, types) in PLANS.items()}
    texts = {name: compile_program(program).llvm for name, program in found.items()}
    return texts | {w.name: jit(w.gradient).lower(*w.draw()).llvm for w in WORKLOADS}


def test_only_sums_take_products_unrounded(figures: Any) -> None:
    contracted = 0
    for name, text in programs().items():
        for line in text.splitlines():
            assert not FORBIDDEN.search(line), f"{name}: {line}"
            if "contract" in line:
                assert CONTRACTED.search(line), f"{name}: {line}"
                contracted += 1
        figures.add("modules searched for flags of fast arithmetic")
    assert contracted


DECIDES = """
program decides(%0: f64[1024], %1: f64[1024]) {
  %2: f64[1024] = mul %0, %1
  %3: f64[] = reduce_sum[axes=(0,)] %2
  %4: f64[] = constant[value=0.0]
  %5: bool[] = greater %3, %4
  guard[expected=True] %5
  %6: f64[1024] = mul %0, %0
  %7: f64[] = reduce_sum[axes=(0,)] %6
  return %7
}
"""


def test_what_decides_rounds_its_products() -> None:
    """The sum that a guard reads takes its terms as NumPy's product gives them; the other not."""
    lines = compile_program(parse_program(DECIDES)).llvm.splitlines()
    products = [line for line in lines if "= fmul" in line]
    sums = [line for line in lines if "= fadd reassoc" in line or "call <" in line]
    assert sorted("contract" in line for line in products) == [False, True]
    assert sorted("@llvm.fmuladd" in line for line in sums) == [False, True]
    assert not any("contract" in line for line in sums)


def test_segments_of_a_sum_that_decides_round_too() -> None:
    def f(x: Any) -> Any:
        y = np.concatenate([x[:500] * x[1:501], 3 * x[2:-500]])
        return x if np.sum(y * y) > 1 else -x

    text = jit(f).lower(np.ones(2000)).llvm
    assert "fadd reassoc" in text
    assert "contract" not in text and "fmuladd" not in text


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_difference_of_equal_products_is_zero(dtype: Any) -> None:
    """Contracted, it would be the rounding error of one of them."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1003)).astype(dtype)
    assert not np.any(jit(lambda x, y, z: x * y - z * y)(x, y, x))

    def branch(x: Any, y: Any, z: Any) -> Any:
        return 1.0 if x * y - z * y == 0 else 2.0

    fast = jit(branch)
    for a, b in zip(x[:100], y[:100], strict=True):
        assert fast(a, b, a) == 1.0


def test_fastmath_is_the_users_to_ask() -> None:
    def f(x: Any, y: Any) -> Any:
        return ((x + y) - x) / 3.0

    x, y = np.full(100, 1e16), np.ones(100)
    plain, fast = jit(f), jit(f, fastmath=True)
    np.testing.assert_array_equal(plain(x, y), f(x, y))
    np.testing.assert_allclose(fast(x, y), np.full(100, 1 / 3), rtol=1e-15)
    assert not FORBIDDEN.search(plain.lower(x, y).llvm)
    for how in ("fadd fast", "fsub fast", "fdiv fast"):
        assert how in fast.lower(x, y).llvm
    total = jit(lambda x: -np.sum(x * x + 1), fastmath=True).lower(np.ones(5000)).llvm
    for how in ("fneg fast", "fmul fast", "fadd fast"):
        assert how in total


@primitive("log_expit", opaque=True)
class LogExpit(Unary):
    """An op of the user's, whose name no library knows."""

    cost = 20

    def reference(self, x: Any) -> Any:
        return -np.logaddexp(0, -x)

    def element(self, k: Any, at: Any, x: Any) -> Any:
        tail = k.call("log1p", k.call("exp", -k.call("abs", x[at])))
        return k.call("minimum", x[at], k.const(0.0, x.type.dtype)) - tail


def test_an_op_that_is_added_becomes_vectors() -> None:
    """What its element calls decides, not what it is called."""
    x = np.linspace(-30, 30, 1001)
    b = Builder()
    made = compile_program(b.finish(b(LogExpit(), b.param(type_of(x)))))
    np.testing.assert_allclose(made(x)[0], LogExpit().reference(x), rtol=1e-15)
    assert "call <" in made.llvm


def test_both_slopes_of_a_log_of_a_sum_take_one_exponential() -> None:
    """That of ``-|x - y|``, which is the same for both."""
    f = grad(np.logaddexp, argnums=(0, 1))
    text = jit(f).lower(0.5, 2.0).llvm
    assert len(re.findall(r"call double @tracer\.exp", text)) == 1, text
    for x, y in (
        (0.5, 2.0),
        (2.0, 0.5),
        (1.0, 1.0),
        (np.inf, np.inf),
        (-np.inf, 3.0),
        (800.0, 3.0),
    ):
        np.testing.assert_allclose(jit(f)(x, y), f(x, y), rtol=1e-15)
