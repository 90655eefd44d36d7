"""Compiled code against the reference, op by op, as closely as ``docs/numerics.md`` says.

Integers, bools, movement, ``+ - * /`` and square roots are the reference's bit for bit; the
vectorised functions lie within 4 units in the last place, and sums within ``4 eps n sum|x|``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.ops.samples import SAMPLES, Sample
from tests.ops.test_rules import agrees

from codegen.engine import compile_program
from ir.evaluate import evaluate
from ir.op import REGISTRY

each = pytest.mark.parametrize("s", SAMPLES, ids=str)


@each
def test_compiled_is_the_reference(s: Sample, figures: Any) -> None:
    xs = s.inputs()
    kept = [x.copy() for x in xs]
    got = compile_program(s.program)(*xs)
    want = evaluate(s.program, xs)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        agrees(s, np.asarray(g), np.asarray(w), xs)
    for x, before in zip(xs, kept, strict=True):
        np.testing.assert_array_equal(x, before)  # the caller's arrays are never written
    figures.add("op samples compared, compiled with reference")
    figures.cover(f"ops compiled (of {len(REGISTRY)})", {s.op.mnemonic})
