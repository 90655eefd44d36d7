"""jvp, linearize, transpose, vjp and vmap of small programs, as text; what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ir.same import same_arrays
from tests.passes.becomes import becomes, program

from ir import ops
from ir.build import Builder
from ir.errors import RuleError
from ir.evaluate import evaluate
from ir.loc import Loc
from ir.passes.jvp import jvp
from ir.passes.linearize import linearize
from ir.passes.transpose import transpose
from ir.passes.vjp import vjp
from ir.passes.vmap import mapped_results, vmap
from ir.program import Program
from ir.types import ArrayType
from ir.verify import verify

MODEL = """
(%0: f64[4,3], %1: f64[3])
  %2: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
  %3: f64[4] = exp %2
  %4: f64[] = reduce_sum[axes=(0,)] %3
  return %4
"""

READS = """
(%0: f64[5])
  %1: f64[1] = slice[starts=(0,), sizes=(1,), strides=(1,)] %0
  %2: f64[1] = slice[starts=(3,), sizes=(1,), strides=(1,)] %0
  %3: f64[1] = mul %1, %2
  return %3
"""


def test_jvp_puts_each_tangent_beside_its_primal() -> None:
    becomes(jvp, MODEL, """
        (%0: f64[4,3], %1: f64[3], %2: f64[4,3], %3: f64[3])
          %4: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
          %5: f64[4] = dot_general[contract=((1,), (0,))] %2, %1
          %6: f64[4] = dot_general[contract=((1,), (0,))] %0, %3
          %7: f64[4] = add %5, %6
          %8: f64[4] = exp %4
          %9: f64[4] = mul %7, %8
          %10: f64[] = reduce_sum[axes=(0,)] %8
          %11: f64[] = reduce_sum[axes=(0,)] %9
          return %10, %11
        """, "p_jvp")  # fmt: skip


def test_jvp_of_some_parameters_computes_no_tangent_of_the_others() -> None:
    becomes(lambda p: jvp(p, [False, True]), MODEL, """
        (%0: f64[4,3], %1: f64[3], %2: f64[3])
          %3: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
          %4: f64[4] = dot_general[contract=((1,), (0,))] %0, %2
          %5: f64[4] = exp %3
          %6: f64[4] = mul %4, %5
          %7: f64[] = reduce_sum[axes=(0,)] %5
          %8: f64[] = reduce_sum[axes=(0,)] %6
          return %7, %8
        """, "p_jvp")  # fmt: skip


def test_integers_have_no_tangents() -> None:
    becomes(jvp, """
        (%0: f64[5], %1: i64[3])
          %2: f64[3] = gather[axes=(0,)] %0, %1
          %3: i64[3] = add %1, %1
          return %2, %3
        """, """
        (%0: f64[5], %1: i64[3], %2: f64[5])
          %3: f64[3] = gather[axes=(0,)] %0, %1
          %4: f64[3] = gather[axes=(0,)] %2, %1
          %5: i64[3] = add %1, %1
          return %3, %5, %4
        """, "p_jvp")  # fmt: skip


def test_a_result_that_no_tangent_reaches_has_a_zero_one() -> None:
    becomes(jvp, """
        (%0: f64[3])
          %1: f64[3] = floor %0
          return %1
        """, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = floor %0
          %3: f64[3] = constant[value=0.0, shape=(3,)]
          return %2, %3
        """, "p_jvp")  # fmt: skip


def test_linearize_hands_over_what_the_linear_part_reads() -> None:
    becomes(lambda p: linearize(p)[0], MODEL, """
        (%0: f64[4,3], %1: f64[3])
          %2: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
          %3: f64[4] = exp %2
          %4: f64[] = reduce_sum[axes=(0,)] %3
          return %4, %1, %0, %3
        """)  # fmt: skip
    becomes(lambda p: linearize(p)[1], MODEL, """
        (%0: f64[3], %1: f64[4,3], %2: f64[4], %3: f64[4,3], %4: f64[3])
          %5: f64[4] = dot_general[contract=((1,), (0,))] %3, %0
          %6: f64[4] = dot_general[contract=((1,), (0,))] %1, %4
          %7: f64[4] = add %5, %6
          %8: f64[4] = mul %7, %2
          %9: f64[] = reduce_sum[axes=(0,)] %8
          return %9
        """, "p_linear")  # fmt: skip


def test_transpose_runs_the_linear_part_backwards() -> None:
    becomes(lambda p: transpose(linearize(p)[1], 3), MODEL, """
        (%0: f64[3], %1: f64[4,3], %2: f64[4], %3: f64[])
          %4: f64[4] = broadcast[shape=(4,), dims=()] %3
          %5: f64[4] = mul %4, %2
          %6: f64[3] = dot_general[contract=((0,), (0,))] %5, %1
          %7: f64[4,3] = dot_general[contract=((), ())] %5, %0
          return %7, %6
        """, "p_linear_transposed")  # fmt: skip


def test_vjp_is_forward_then_backward() -> None:
    becomes(vjp, MODEL, """
        (%0: f64[4,3], %1: f64[3], %2: f64[])
          %3: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
          %4: f64[4] = exp %3
          %5: f64[] = reduce_sum[axes=(0,)] %4
          %6: f64[4] = broadcast[shape=(4,), dims=()] %2
          %7: f64[4] = mul %6, %4
          %8: f64[3] = dot_general[contract=((0,), (0,))] %7, %0
          %9: f64[4,3] = dot_general[contract=((), ())] %7, %1
          return %5, %9, %8
        """, "p_vjp")  # fmt: skip


def test_cotangents_of_slices_accumulate_in_place() -> None:
    becomes(vjp, READS, """
        (%0: f64[5], %1: f64[1])
          %2: f64[1] = slice[starts=(0,), sizes=(1,), strides=(1,)] %0
          %3: f64[1] = slice[starts=(3,), sizes=(1,), strides=(1,)] %0
          %4: f64[1] = mul %2, %3
          %5: f64[1] = mul %2, %1
          %6: f64[1] = mul %1, %3
          %7: f64[5] = constant[value=0.0, shape=(5,)]
          %8: f64[5] = slice_add[starts=(3,), strides=(1,)] %7, %5
          %9: f64[5] = slice_add[starts=(0,), strides=(1,)] %8, %6
          return %4, %9
        """, "p_vjp")  # fmt: skip


def test_cotangents_of_gathers_accumulate_in_place() -> None:
    becomes(vjp, """
        (%0: f64[5], %1: i64[3])
          %2: f64[3] = gather[axes=(0,)] %0, %1
          return %2
        """, """
        (%0: f64[5], %1: i64[3], %2: f64[3])
          %3: f64[3] = gather[axes=(0,)] %0, %1
          %4: f64[5] = constant[value=0.0, shape=(5,)]
          %5: f64[5] = scatter_add[axes=(0,)] %4, %2, %1
          return %3, %5
        """, "p_vjp")  # fmt: skip


def test_nothing_flows_back_through_stop_gradient() -> None:
    becomes(vjp, """
        (%0: f64[3])
          %1: f64[3] = stop_gradient %0
          %2: f64[3] = mul %1, %0
          return %2
        """, """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = stop_gradient %0
          %3: f64[3] = mul %2, %0
          %4: f64[3] = mul %2, %1
          return %3, %4
        """, "p_vjp")  # fmt: skip


@pytest.mark.parametrize(("mapped", "head", "equations"), [
    ([False, True], "(%0: f64[4,3], %1: f64[5,3])", """
          %2: f64[4,5] = dot_general[contract=((1,), (1,))] %0, %1
          %3: f64[5,4] = permute[perm=(1, 0)] %2
          %4: f64[5,4] = exp %3
          %5: f64[5] = reduce_sum[axes=(1,)] %4
          return %5"""),
    ([True, False], "(%0: f64[5,4,3], %1: f64[3])", """
          %2: f64[5,4] = dot_general[contract=((2,), (0,))] %0, %1
          %3: f64[5,4] = exp %2
          %4: f64[5] = reduce_sum[axes=(1,)] %3
          return %4"""),
    ([True, True], "(%0: f64[5,4,3], %1: f64[5,3])", """
          %2: f64[5,4] = dot_general[contract=((2,), (1,)), batch=((0,), (0,))] %0, %1
          %3: f64[5,4] = exp %2
          %4: f64[5] = reduce_sum[axes=(1,)] %3
          return %4"""),
    ([False, False], "(%0: f64[4,3], %1: f64[3])", """
          %2: f64[4] = dot_general[contract=((1,), (0,))] %0, %1
          %3: f64[4] = exp %2
          %4: f64[] = reduce_sum[axes=(0,)] %3
          %5: f64[5] = broadcast[shape=(5,), dims=()] %4
          return %5"""),
])  # fmt: skip
def test_vmap(mapped: list[bool], head: str, equations: str) -> None:
    becomes(lambda p: vmap(p, mapped, 5), MODEL, head + equations, "p_vmap")
    assert mapped_results(program(MODEL), mapped) == (any(mapped),)


def test_locations_say_which_transforms_an_equation_passed() -> None:
    b = Builder()
    x = b.param(ArrayType("f64", (3,)))
    with b.at(Loc("model.py", 7)):
        y = b(ops.Sin(), x)
    back = vjp(b.finish(y))
    assert [str(eq.loc) for eq in back.equations] == [
        "model.py:7",
        "model.py:7 <- jvp",
        "model.py:7 <- jvp <- transpose",
    ]


def repeated(step: str, n: int) -> Program:
    """The step done n times, each on the result of the one before."""
    text = ["(%0: f64[])", *[step.format(n=i + 1, x=i) for i in range(n)], f"return %{n}"]
    return program("\n".join(text))


def element_reads(n: int) -> Program:
    """The sum of squares of an n-vector, its elements read one by one."""
    b = Builder()
    x = b.param(ArrayType("f64", (n,)))
    total = b(ops.Constant(0.0))
    for i in range(n):
        one = b(ops.Reshape(()), b(ops.Slice((i,), (1,), (1,)), x))
        total = b(ops.Add(), total, b(ops.Mul(), one, one))
    return b.finish(total)


@pytest.mark.parametrize(
    "transform", [jvp, vjp, lambda p: vjp(vjp(p))], ids=["jvp", "vjp", "twice"]
)
def test_n_element_reads_cost_order_n(transform: object) -> None:
    """Equations, and the elements that they make, grow no faster than n."""
    sizes = [len(transform(element_reads(n)).equations) for n in (50, 100, 200)]  # type: ignore[operator]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


def test_the_gradient_of_element_reads() -> None:
    x = np.arange(20.0)
    _, bar = evaluate(vjp(element_reads(20)), [x, np.array(1.0)])
    same_arrays([bar], [2 * x])


def test_forward_over_reverse_is_reverse_over_forward() -> None:
    p = program("""
        (%0: f64[3])
          %1: f64[3] = sin %0
          %2: f64[3] = mul %1, %0
          %3: f64[] = reduce_prod[axes=(0,)] %2
          return %3
        """)
    x, t, one = np.array([0.3, 1.2, -0.7]), np.array([1.0, -2.0, 0.5]), np.array(1.0)
    zero = np.zeros(())
    _, _, _, forward_over_reverse = evaluate(jvp(vjp(p)), [x, one, t, zero])
    # of y, dy = jvp(p)(x, t), the cotangent (0, 1) of (y, dy) pulled back to x
    _, _, reverse_over_forward, _ = evaluate(vjp(jvp(p)), [x, t, zero, one])
    np.testing.assert_allclose(forward_over_reverse, reverse_over_forward, rtol=1e-12)


def test_no_transpose_of_what_is_not_linear() -> None:
    with pytest.raises(RuleError, match="exp has no transpose rule: it is not linear in any"):
        transpose(program("(%0: f64[])\n%1: f64[] = exp %0\nreturn %1"), 0)


@pytest.mark.parametrize("op", ["mul", "dot_general[contract=((), ())]"])
def test_no_transpose_of_a_product_of_tangents(op: str) -> None:
    p = program(f"(%0: f64[], %1: f64[])\n%2: f64[] = {op} %0, %1\nreturn %2")
    verify(transpose(p, 1))
    with pytest.raises(RuleError, match="let a tangent reach operand 0, in which it is not linear"):
        transpose(p, 0)


def test_no_vmap_of_a_guard() -> None:
    b = Builder()
    x = b.param(ArrayType("bool", ()))
    with b.at(Loc("model.py", 14)):
        b(ops.Guard(), x)
    with pytest.raises(RuleError) as refusal:
        vmap(b.finish(), [True], 3)
    assert str(refusal.value).startswith("model.py:14\n")
    assert "guard has no vmap rule: one path cannot be chosen for a whole batch" in str(
        refusal.value
    )
