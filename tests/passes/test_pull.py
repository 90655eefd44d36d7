"""Large slice_adds become sums of pads; small ones, and those read between, stay."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ir.same import same_arrays
from tests.ops.samples import special
from tests.passes.becomes import becomes, program, stays

from ir.evaluate import evaluate
from ir.passes.dce import dce
from ir.passes.pull import pull

TWO = """
(%0: f64[3], %1: f64[4])
  %2: f64[5] = constant[value={base}, shape=(5,)]
  %3: f64[5] = slice_add[starts=(2,), strides=(1,)] %2, %0
  %4: f64[5] = slice_add[starts=(0,), strides=(1,)] %3, %1
  return %4
"""


def test_large_slices_are_pulled() -> None:
    becomes(lambda p: dce(pull(p)), TWO.format(base=0.0), """
        (%0: f64[3], %1: f64[4])
          %2: f64[5] = constant[value=0.0, shape=(5,)]
          %3: f64[5] = pad[before=(2,), after=(0,)] %0
          %4: f64[5] = add %2, %3
          %5: f64[5] = pad[before=(0,), after=(1,)] %1
          %6: f64[5] = add %4, %5
          return %6
        """)  # fmt: skip


@pytest.mark.parametrize("text", [
    """
    (%0: f64[1])
      %1: f64[5] = constant[value=0.0, shape=(5,)]
      %2: f64[5] = slice_add[starts=(2,), strides=(1,)] %1, %0
      return %2
    """,
    """
    (%0: f64[3])
      %1: f64[5] = constant[value=0.0, shape=(5,)]
      %2: f64[5] = slice_add[starts=(0,), strides=(2,)] %1, %0
      return %2
    """,
    """
    (%0: f64[3], %1: f64[5])
      %2: f64[5] = slice_add[starts=(0,), strides=(1,)] %1, %0
      return %2
    """,
])  # fmt: skip
def test_small_or_strided_slices_and_arrays_that_are_given_stay(text: str) -> None:
    stays(pull, text)


@pytest.mark.parametrize("base", ["0.0", "-0.0", "1.0", "nan", "inf"])
def test_the_numbers_stay(base: str) -> None:
    p = program(TWO.format(base=base))
    rng = np.random.default_rng(0)
    for _ in range(50):
        xs = [rng.choice(special("f64"), n) for n in (3, 4)]
        same_arrays(evaluate(pull(p), xs), evaluate(p, xs))


MARGINS = """
(%0: f64[3,3], %1: f64[3,3])
  %2: f64[3,3] = add %0, %1
  %3: f64[3,3] = constant[value={often}, shape=(3, 3)]
  %4: f64[3,3] = mul %3, %2
  %5: f64[3,3] = constant[value={once}, shape=(3, 3)]
  %6: f64[3,3] = {op} %2, %5
  %7: f64[4,4] = constant[value=0.0, shape=(4, 4)]
  %8: f64[4,4] = slice_add[starts=(1, 0), strides=(1, 1)] %7, %4
  %9: f64[4,4] = slice_add[starts=(0, 0), strides=(1, 1)] %8, %6
  %10: f64[4,4] = slice_add[starts=(0, 1), strides=(1, 1)] %9, %4
  return %10
"""


def test_multiples_of_one_array_share_its_margins() -> None:
    """One factor is a power of two, and goes into the array that is padded."""
    becomes(lambda p: dce(pull(p)), MARGINS.format(often=2.0, once=-8.0, op="mul"), """
        (%0: f64[3,3], %1: f64[3,3])
          %2: f64[3,3] = add %0, %1
          %3: f64[3,3] = constant[value=2.0, shape=(3, 3)]
          %4: f64[3,3] = mul %3, %2
          %5: f64[4,4] = constant[value=0.0, shape=(4, 4)]
          %6: f64[5,5] = pad[before=(1, 1), after=(1, 1)] %4
          %7: f64[4,4] = slice[starts=(0, 1), sizes=(4, 4), strides=(1, 1)] %6
          %8: f64[4,4] = add %5, %7
          %9: f64[4,4] = slice[starts=(1, 1), sizes=(4, 4), strides=(1, 1)] %6
          %10: f64[4,4] = constant[value=-4.0, shape=(4, 4)]
          %11: f64[4,4] = mul %9, %10
          %12: f64[4,4] = add %8, %11
          %13: f64[4,4] = slice[starts=(1, 0), sizes=(4, 4), strides=(1, 1)] %6
          %14: f64[4,4] = add %12, %13
          return %14
        """)  # fmt: skip


@pytest.mark.parametrize("often", [2.0, 0.5, 3.0, -2.0])
@pytest.mark.parametrize("once", [-8.0, 1.0, 0.3, 0.0, "inf", "nan"])
@pytest.mark.parametrize("op", ["mul", "div"])
def test_margins_keep_the_numbers(often: float, once: object, op: str) -> None:
    p = program(MARGINS.format(often=often, once=once, op=op))
    rng = np.random.default_rng(0)
    for _ in range(50):
        xs = [rng.choice(special("f64"), (3, 3)) for _ in range(2)]
        same_arrays(evaluate(pull(p), xs), evaluate(p, xs))
