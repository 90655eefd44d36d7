"""Every algebraic law: what it turns into what, and that the numbers stay the same.

A law is tried alone, so each one is seen to fire; the numbers are ±0, ±inf, nan, denormals, huge
and plain ones, compared bit for bit where the law says it is exact.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.ir.same import same_arrays, ulps
from tests.ops.samples import special
from tests.passes.becomes import becomes, program, stays
from tests.passes.laws_table import CASES

from ir.evaluate import evaluate
from ir.op import Array
from ir.passes import diagonal, laws
from ir.passes.dce import dce
from ir.passes.simplify import fitting, simplify
from ir.program import Program

LAWS = {law for several in laws.LAWS.values() for law in several}
NAMES = [f"{law.__name__}-{n}" for n, (law, *_) in enumerate(CASES)]
STRUCTURAL = {diagonal.scale, diagonal.sum_of_diagonal}
"""Laws of zeros that stand for what nothing depends on: they hold for finite numbers."""
each = pytest.mark.parametrize(("law", "before", "after"), CASES, ids=NAMES)


@pytest.fixture
def only(law: laws.Law, monkeypatch: pytest.MonkeyPatch) -> None:
    """No law applies but the one."""
    for cls, several in laws.LAWS.items():
        monkeypatch.setitem(laws.LAWS, cls, [f for f in several if f is law])
    monkeypatch.setattr("ir.passes.simplify.fitting", fitting.__wrapped__)


def draw(p: Program, seed: int, finite: bool) -> list[Array]:
    rng = np.random.default_rng(seed)
    made = []
    for t in p.types:
        x = rng.choice([n for n in special(t.dtype) if np.isfinite(n) or not finite], t.shape)
        if t.info.kind == "float" and seed % 2:
            x = np.where(rng.random(t.shape) < 0.5, rng.normal(size=t.shape), x).astype(t.numpy)
        made.append(x)
    return made


def test_every_law_is_named_in_the_table() -> None:
    assert {law for law, *_ in CASES} == LAWS


def test_every_law_is_stated() -> None:
    assert all(law.__doc__ for law in LAWS)


@each
@pytest.mark.usefixtures("only")
def test_law(law: laws.Law, before: str, after: str) -> None:
    becomes(lambda p: dce(simplify(p, inexact=law in laws.INEXACT)), before, after)


@each
def test_law_keeps_the_numbers(law: laws.Law, before: str, after: str) -> None:
    p, q = program(before), program(after)
    for seed in range(40):
        xs = draw(p, seed, finite=law in STRUCTURAL)
        got, want = evaluate(q, xs), evaluate(p, xs)
        if law is laws.power_of_small_whole_number:  # pow itself is a unit off now and then
            assert all(ulps(g, w) <= 1 for g, w in zip(got, want, strict=True))
        else:
            same_arrays(got, want, law.__name__, zeros=law not in laws.INEXACT | STRUCTURAL)


@pytest.mark.parametrize("text", [
    """
    (%0: f64[9])
      %1: f64[9] = constant[value=0.0, shape=(9,)]
      %2: f64[9] = add %0, %1
      return %2
    """,
    """
    (%0: f64[9])
      %1: f64[9] = constant[value=-0.0, shape=(9,)]
      %2: f64[9] = sub %0, %1
      return %2
    """,
    """
    (%0: f64[9])
      %1: f64[9] = constant[value=0.0, shape=(9,)]
      %2: f64[9] = mul %0, %1
      return %2
    """,
    """
    (%0: f64[9])
      %1: f64[9] = sub %0, %0
      return %1
    """,
    """
    (%0: f64[9])
      %1: f64[9] = div %0, %0
      return %1
    """,
    """
    (%0: f64[9])
      %1: f64[9] = constant[value=1, shape=(9,)]
      %2: f64[9] = add %0, %1
      %3: f64[9] = sub %2, %1
      return %3
    """,
    """
    (%0: f64[3,2], %1: f64[3,2])
      %2: f64[3,4] = concatenate[axis=1] %0, %1
      %3: f64[3,2] = slice[starts=(0, 1), sizes=(3, 2), strides=(1, 1)] %2
      return %3
    """,
    """
    (%0: bool[3])
      %1: f64[3] = convert[dtype='f64'] %0
      return %1
    """,
])  # fmt: skip
def test_what_is_no_law(text: str) -> None:
    """Each of these would change some number: -0.0, nan, inf, or a rounded one."""
    stays(simplify, text)


@pytest.mark.parametrize("text", [
    """
    (%0: f64[4,4], %1: f64[4,5])
      %2: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
      %3: f64[4,4] = mul %2, %0
      %4: f64[4,5] = dot_general[contract=((1,), (0,))] %3, %1
      return %4
    """,
    """
    (%0: f64[6,5])
      %1: f64[4,6] = unit_arrays[dtype='f64', shape=(4, 6), start=2]
      %2: f64[4,5] = dot_general[contract=((1,), (0,))] %1, %0
      return %2
    """,
    """
    (%0: f64[4,4])
      %1: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
      %2: f64[] = dot_general[contract=((0, 1), (0, 1))] %1, %0
      return %2
    """,
    """
    (%0: f64[4,4])
      %1: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
      %2: f64[4] = dot_general[contract=((0,), (0,)), batch=((1,), (1,))] %1, %0
      return %2
    """,
    """
    ()
      %0: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
      %1: f64[] = reduce_sum[axes=(0, 1)] %0
      return %1
    """,
])  # fmt: skip
def test_what_is_not_a_scaling(text: str) -> None:
    """The diagonal is not at hand, or elsewhere, or more than one axis goes."""
    stays(simplify, text)
