"""Storage: what lies in the workspace, for how long, and at which offsets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.codegen.larger import larger_program
from tests.codegen.simulate import planned
from tests.codegen.workloads import WORKLOADS

from codegen.buffers import Buffer, Storage
from codegen.items import Contraction
from codegen.memory import STACK, leaves
from codegen.plan import Plan, buffer_of
from codegen.workspace import ALIGNMENT, Slots
from ir.program import Program, Value
from tracer import grad, jit, trace

SEEDS = range(400)


def programs() -> Iterator[Program]:
    for w in WORKLOADS:
        yield trace(w.gradient, *w.draw())
    yield from map(larger_program, SEEDS)


@pytest.fixture(scope="module")
def plans() -> list[tuple[Plan, Storage]]:
    return [planned(p) for p in programs()]


def lifetimes(plan: Plan, storage: Storage) -> dict[Value, tuple[int, int]]:
    """The top-level nodes that touch each buffer of the workspace, from the loop tree alone."""
    touched: dict[Value, list[int]] = {}
    for n, node in enumerate(plan.tree):
        for item in leaves([node]):
            values = [item.value, *(read.value for read in item.reads)]
            if isinstance(item, Contraction):
                values += item.eq.operands
            for v in values:
                buffer = storage.buffers.get(v)
                if buffer is not None and buffer.kind == "slot":
                    touched.setdefault(buffer_of(plan, v), []).append(n)
    return {v: (min(nodes), max(nodes)) for v, nodes in touched.items()}


def test_values_alive_together_lie_apart(plans: Any, figures: Any) -> None:
    for plan, storage in plans:
        alive = lifetimes(plan, storage)
        for v, w in combinations(alive, 2):
            (a, b), (c, d) = alive[v], alive[w]
            x, y = storage.buffers[v], storage.buffers[w]
            if a <= d and c <= b:
                assert x.offset + x.nbytes <= y.offset or y.offset + y.nbytes <= x.offset
                figures.add("pairs of values alive together, apart in the workspace")


def test_places_are_shared(plans: Any) -> None:
    """Of the bytes of all buffers, workspaces hold those alive together, and little more."""
    total = sum(storage.buffers[v].nbytes for p, storage in plans for v in lifetimes(p, storage))
    used = sum(storage.workspace for _, storage in plans)
    assert used < total


def slots(storage: Storage) -> list[Buffer]:
    """The buffers in the workspace; versions of an array have one between them."""
    return list(dict.fromkeys(b for b in storage.buffers.values() if b.kind == "slot"))


def test_offsets_are_aligned_and_inside(plans: Any, figures: Any) -> None:
    for _, storage in plans:
        for buffer in slots(storage):
            assert buffer.offset % (8 if buffer.nbytes <= 8 else ALIGNMENT) == 0
            assert buffer.offset + buffer.nbytes <= storage.workspace
            figures.add("workspace buffers, all aligned")


def test_rows_are_small(plans: Any) -> None:
    """What lies on the stack is a row, not an array."""
    for _, storage in plans:
        assert all(b.nbytes <= STACK for b in storage.buffers.values() if b.kind == "row")


def test_each_result_has_a_buffer_of_its_own(plans: Any) -> None:
    for plan, storage in plans:
        numbers = [
            storage.buffers[v].number for v in plan.results if storage.buffers[v].kind == "result"
        ]
        needed = [n for n, v in enumerate(plan.program.results) if v.type.size]
        assert sorted(numbers) == needed


def test_nothing_is_stored_in_arguments_or_literals(plans: Any) -> None:
    for plan, storage in plans:
        made = {item.value for item in plan.items if item.eq.results}
        for v in made & storage.buffers.keys():
            assert storage.buffers[v].kind in ("result", "slot", "row")


# Slots by themselves.


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 20), st.integers(0, 8)), max_size=40))
def test_slots(asked: list[tuple[int, int, int]]) -> None:
    """Whatever is asked for, in the order of first use: aligned, inside, apart while alive."""
    made = Slots()
    taken: list[tuple[int, int, int, int]] = []
    for nbytes, first, length in sorted(asked, key=lambda ask: ask[1]):
        offset = made.take(nbytes, first, first + length)
        assert offset % (8 if nbytes <= 8 else ALIGNMENT) == 0
        for other, size, begin, end in taken:
            if begin <= first + length and first <= end:
                assert offset + nbytes <= other or other + size <= offset
        taken.append((offset, nbytes, first, first + length))
    assert all(offset + nbytes <= made.size for offset, nbytes, _, _ in taken)


def test_a_slot_is_used_again() -> None:
    made = Slots()
    offsets = [made.take(1000, n, n + 1) for n in range(50)]
    assert len(set(offsets)) == 2
    assert made.size == 2 * 1024


def test_a_long_chain_needs_two_places() -> None:
    """x -> cumsum -> cumsum ...: each value dies when the next is made."""

    def chain(x: Any) -> Any:
        for _ in range(20):
            x = np.cumsum(x[::-1])
        return x

    _, storage = planned(trace(chain, "f64[1000]"))
    assert storage.workspace <= 2 * 8064


def test_what_is_computed_anew_reads_what_is_computed_again() -> None:
    """Neither of them lies in memory, though one is read at its own place."""

    def f(u: Any) -> Any:
        t = -(0.3 * u[:19] + u[2:] + u[2:] + 1.7 * u[1:20] + 0.5 * u[2:])
        return np.concatenate([t[:, :1], 0.5 * t[:, 1:]], axis=1)

    u = np.random.default_rng(0).normal(size=(21, 7))
    np.testing.assert_allclose(jit(f)(u), f(u), rtol=1e-14)


def test_accumulators_in_memory_stand_with_those_in_registers() -> None:
    """The loop that sets some does not part the others from the loop that carries them."""

    def f(u: Any) -> Any:
        t = u - np.max(u, axis=1, keepdims=True)
        p = np.pad(t, [(0, 0), (2, 2), (0, 1)])
        s = np.where(p[:, 1:24, 1:34] > t, p[:, 1:24, 1:34], t)
        return np.sum(np.sin(s[:21, :22, :31] + s[1:22, 1:, 2:]))

    u = np.random.default_rng(0).normal(size=(23, 23, 33))
    np.testing.assert_allclose(jit(grad(f))(u), grad(f)(u), rtol=1e-10, atol=1e-12)
