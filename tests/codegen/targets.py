"""This machine as if it had fewer features: narrower vectors, or no vector library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import llvmlite.binding as llvm
import pytest

from codegen import engine
from codegen.target import Target, host

NEWER = ("avx512", "avx10", "amx")
VECTORS = (*NEWER, "avx", "fma", "f16c", "vaes", "vpclmul", "xop", "gfni")
"""What the names of CPU features begin with that need wider registers than SSE has."""

PLAIN = Target("x86_64-unknown-linux-gnu", "x86-64", ())
"""Any x86-64, with no vector library."""
ARM = Target("aarch64-unknown-linux-gnu", "generic", ())


def without(*beginnings: str) -> Target:
    """This machine without the features whose names begin so."""
    kept = tuple(f for f in host().features if not f.startswith(beginnings))
    return replace(host(), cpu="x86-64", features=kept)


def targets() -> dict[str, Target]:
    """This machine, and those below it that it can run code for."""
    if not llvm.get_process_triple().startswith("x86_64"):
        return {"as it is": host(), "plain": replace(host(), cpu="generic", features=())}
    return {"as it is": host(), "AVX2": without(*NEWER), "SSE": without(*VECTORS), "plain": PLAIN}


each_target = pytest.mark.parametrize("machine", targets())


@contextmanager
def compiled_for(machine: str) -> Iterator[Target]:
    """Code made inside is for the named target."""
    patch = pytest.MonkeyPatch()
    chosen: Any = targets()[machine]
    patch.setattr(engine, "host", lambda: chosen)
    try:
        yield chosen
    finally:
        patch.undo()
