"""Passes in a row, each verified, timed and kept for whoever watches."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ir.passes.cse import cse
from ir.passes.dce import dce
from ir.passes.fold import fold
from ir.passes.forwarding import forward_reads
from ir.passes.inline import inline
from ir.passes.pull import pull
from ir.passes.simplify import drop_stop_gradient, simplify
from ir.program import Equation, Program
from ir.verify import verify

Pass = Callable[[Program], Program]

CLEANUP: tuple[Pass, ...] = (dce, simplify, fold, cse)
"""What keeps a program's meaning under every further transform."""

COMPILE: tuple[Pass, ...] = (
    inline,
    drop_stop_gradient,
    dce,
    simplify,
    fold,
    simplify,
    cse,
    pull,
    forward_reads,
    dce,
)
"""What runs before code generation, when no derivative will be taken any more."""


@dataclass(frozen=True)
class Stage:
    """A program after one pass: what it took and what it changed."""

    name: str
    program: Program
    seconds: float
    added: tuple[Equation, ...]
    removed: tuple[Equation, ...]


Watch = Callable[[Stage], None]


def run(
    program: Program, passes: Sequence[Pass], watch: Watch | None = None, check: bool = False
) -> Program:
    """Apply the passes in order; ``check`` verifies after each, ``watch`` is shown each stage.

    A pass is not run again on what it has made itself.
    """
    made: dict[Pass, Program] = {}
    with paused_collector():
        for step in passes:
            started = time.perf_counter()
            after = program if made.get(step) is program else step(program)
            made[step] = after
            seconds = time.perf_counter() - started
            if check:
                verify(after)
            if watch:
                watch(stage(step.__name__, program, after, seconds))
            program = after
    return program


def stage(name: str, before: Program, after: Program, seconds: float) -> Stage:
    old, new = set(before.equations), set(after.equations)
    return Stage(
        name,
        after,
        seconds,
        added=tuple(eq for eq in after.equations if eq not in old),
        removed=tuple(eq for eq in before.equations if eq not in new),
    )


@contextmanager
def paused_collector() -> Iterator[None]:
    """No cyclic collection inside: compiling makes many objects, and little of it is garbage."""
    enabled = gc.isenabled()
    try:
        gc.disable()
        yield
    finally:
        if enabled:
            gc.enable()
