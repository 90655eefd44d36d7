"""Random programs compiled, against the reference: no element that is determined may differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.ir.noise import expected
from tests.ir.programs import random_inputs
from tests.ir.test_random_programs import CHUNKS, programs

from codegen.engine import compile_program


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_compiled_is_the_reference(chunk: int, figures: Any) -> None:
    for seed, p in programs(chunk, figures):
        compiled = compile_program(p)
        for n in (0, 1):
            xs = random_inputs(p, seed + n * 10**6)
            kept = [x.copy() for x in xs]
            got = compiled(*xs)
            for y, want in zip(got, expected(p, xs), strict=True):
                compared = want.check(np.asarray(y), f"seed {seed}\n{p}")
                figures.add("elements compared, compiled with reference", compared)
            for x, before in zip(xs, kept, strict=True):
                np.testing.assert_array_equal(x, before)
        figures.add("random programs compiled, with 0 mismatches")
