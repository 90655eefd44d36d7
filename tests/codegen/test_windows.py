"""Windows that move along stencils: results, plans step by step, threads, work."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from tests.codegen.counting import arithmetic_ratio, counted
from tests.codegen.simulate import Simulation, planned

from codegen.planner import make_plan, standing
from codegen.planner import planned as planned_with
from codegen.windows import windows
from ir.passes.pipeline import COMPILE, run
from tracer import get_num_threads, grad, jit, set_num_threads, trace, value_and_grad, vmap

EACH = 10
FACTORS = (1.0, 1.0, -1.0, 2.0, -4.0, 0.3, -1.7)
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-4}


class Stencil:
    """A random sum of shifted multiples of an array, and functions of it."""

    def __init__(self, seed: int, sizes: tuple[int, ...], rank: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.reach = [int(n) for n in rng.integers(0, 5 - rank, rank)]
        self.shape = tuple(int(n) for n in rng.choice(sizes, rank))
        count = int(rng.integers(3, 8))
        self.shifts = [[int(rng.integers(-a, a + 1)) for a in self.reach] for _ in range(count)]
        self.factors = [float(c) for c in rng.choice(FACTORS, count)]

    def cut(self, u: Any, shift: list[int]) -> Any:
        ends = zip(self.reach, shift, self.shape, strict=True)
        return u[tuple(slice(a + s, n - a + s) for a, s, n in ends)]

    def __call__(self, u: Any) -> Any:
        terms = zip(self.factors, self.shifts, strict=True)
        return sum(c * self.cut(u, shift) for c, shift in terms)

    def draw(self, *batch: int) -> Any:
        return self.rng.normal(size=(*batch, *self.shape))


def energy(s: Stencil) -> Callable[..., Any]:
    return grad(lambda u: np.sum(s(u) ** 2))


def bounded(s: Stencil) -> Callable[..., Any]:
    """What the stencil is read through costs too much to be computed again."""
    return grad(lambda u: np.sum(np.exp(-(s(u) ** 2))))


def with_value(s: Stencil) -> Callable[..., Any]:
    return value_and_grad(lambda u: np.sum(np.sqrt(1 + s(u) ** 2)))


def with_more(s: Stencil) -> Callable[..., Any]:
    """A part that is no multiple of the others stands beside them."""
    return grad(lambda u: np.sum(s(u) * np.sin(s.cut(u, s.shifts[0]))))


def twice(s: Stencil) -> Callable[..., Any]:
    """A stencil of a stencil: one window moves, what it feeds is stored."""
    around = [(a, a) for a in s.reach]
    return grad(lambda u: np.sum(np.tanh(s(np.pad(s(u), around))) ** 2))


def batched(s: Stencil) -> Callable[..., Any]:
    return vmap(grad(lambda u: np.sum(np.cosh(s(u)))))


FUNCTIONS = (energy, bounded, with_value, with_more, twice, batched)


def compare(f: Callable[..., Any], u: Any) -> bool:
    """Compiled is not compiled; whether a window moves."""
    compiled = jit(f)
    got, want = compiled(u), f(u)
    tolerance = TOLERANCE[u.dtype.type]
    for x, y in zip(got, want, strict=True) if isinstance(got, tuple) else [(got, want)]:
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * np.max(np.abs(y)))
    return " ahead" in str(compiled.lower(u).plan)


@pytest.mark.parametrize("make", FUNCTIONS)
@pytest.mark.parametrize("rank", [2, 3])
def test_random_stencils(make: Callable[..., Any], rank: int, figures: Any) -> None:
    moved = 0
    for seed in range(EACH):
        s = Stencil(seed, (5, 6, 9, 17, 33), rank)
        u = s.draw(*([3] if make is batched else []))
        moved += compare(make(s), u.astype(np.float32 if seed % 4 == 0 else np.float64))
    assert moved
    figures.add("random stencils compiled", EACH)
    figures.add("random stencils with windows", moved)


@pytest.mark.parametrize("make", FUNCTIONS)
def test_step_by_step(make: Callable[..., Any], figures: Any) -> None:
    """Every read finds its element, in the rows that are there at the time."""
    moved = 0
    for seed in range(EACH):
        s = Stencil(seed, (9, 12, 17), 2 + seed % 2)
        plan, storage = planned(trace(make(s), s.draw(*([2] if make is batched else []))))
        figures.add("reads that found their element", Simulation(plan, storage).run())
        moved += any(buffer.window is not None for buffer in storage.buffers.values())
    assert moved


def laplacian(u: Any) -> Any:
    inside = (slice(1, -1),) * u.ndim
    total = -2.0 * u.ndim * u[inside]
    for d in range(u.ndim):
        for shifted in (slice(None, -2), slice(2, None)):
            total = total + u[(*inside[:d], shifted, *inside[d + 1 :])]
    return total


def box(u: Any) -> Any:
    """Every neighbour counts, at the corners too."""
    total: Any = 0.0
    for shift in product((-1, 0, 1), repeat=u.ndim):
        part = u[tuple(slice(1 + s, n - 1 + s) for s, n in zip(shift, u.shape, strict=True))]
        total = total + part / (1 + np.dot(shift, shift))
    return total


LARGE = {
    "plane": (laplacian, (700, 501)),
    "space": (laplacian, (50, 61, 70)),
    "planes": (laplacian, (6, 200, 150)),
    "box": (box, (60, 60, 60)),
    "wide": (box, (100, 20_000)),
}


def large(name: str) -> tuple[Callable[..., Any], Any]:
    stencil, shape = LARGE[name]
    f = grad(lambda u: np.sum(stencil(u) ** 2))
    return (vmap(f) if name == "planes" else f), np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("name", LARGE)
def test_large_ones_are_the_same_with_any_number_of_threads(name: str) -> None:
    f, u = large(name)
    assert compare(f, u)
    assert "blocks" in jit(f).lower(u).plan
    before, found = get_num_threads(), []
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            found.append(jit(f)(u))
    finally:
        set_num_threads(before)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize("name", LARGE)
def test_work_is_bounded(name: str) -> None:
    """What the blocks of threads compute of each other's rows included."""
    f, u = large(name)
    compiled, _ = counted(f, (u,))
    assert arithmetic_ratio(compiled) < 1.2


@pytest.mark.parametrize("name", LARGE)
def test_no_array_is_stored(name: str) -> None:
    """What a window that is too long for the stack takes is a small part of an array."""
    f, u = large(name)
    assert jit(f).lower(u).compiled.workspace <= (u.nbytes / 4 if name == "wide" else 0)


def test_windows_that_stand_still_are_given_up() -> None:
    """Where what reads a window does not come to stand in the loop that moves it."""
    s = Stencil(0, (17,), 3)
    s.shape, s.reach, s.factors = (6, 40, 33), [0, 2, 2], [1.0, 1.0, -1.7]
    s.shifts = [[0, 0, -1], [0, 2, 2], [0, -1, 1]]
    program = run(trace(twice(s), s.draw()), COMPILE)
    wanted = windows(program)
    stuck = standing(planned_with(program, wanted))
    assert stuck
    assert make_plan(program).inlined.windows.keys() == wanted.keys() - stuck
    compare(twice(s), s.draw())


def cut_before(u: Any) -> Any:
    """The rows of a window are cut where a stored array is."""
    t = np.concatenate([u[:5], u[5:]], axis=0)
    return np.sum(np.abs(t[2:] - t[1:-1] + t[:-2]))


def pads_in_pads(u: Any) -> Any:
    """The rows of a window are those of a pad, in turn."""
    t = np.pad(np.exp(np.pad(u, ((2, 0), (0, 0)))), ((0, 0), (0, 1)))
    return t[:-2] + t[2:] + t[1:-1]


def batch_in_pieces(u: Any) -> Any:
    """The axis before the rows is short, and cut into single steps."""
    t = 0.5 + np.pad(u, [(1, 1)] * 3)[:2, 1:-1, 1:-1]
    p = np.pad(np.where(t > 0.1, t, 0.3 * t), [(0, 0), (2, 0), (2, 2)])
    return np.sum((p[:, :-2, :-2] - 2.0 * p[:, 2:, 1:-1] + 3.0 * p[:, 1:-1, 2:]) ** 2)


def with_a_sum_before(u: Any) -> Any:
    """A sum over the same rows stands before; margins without reads do not go there."""
    return np.sum(laplacian(u) ** 2) + np.sum(u * u)


@pytest.mark.parametrize("f", [grad(cut_before), pads_in_pads, value_and_grad(with_a_sum_before)])
def test_rows_are_made_in_one_place(f: Callable[..., Any]) -> None:
    assert compare(f, np.random.default_rng(0).normal(size=(23, 14)))


def test_a_stencil_of_a_stencil_has_two_windows() -> None:
    f = grad(lambda u: np.sum(np.sin(laplacian(laplacian(u))) * u[2:-2, 2:-2, 2:-2]))
    u = np.random.default_rng(0).normal(size=(24, 24, 24))
    assert compare(f, u)
    assert jit(f).lower(u).plan.count(" ahead") == 2


def test_margins_are_zero_at_every_step_of_a_batch() -> None:
    assert compare(grad(batch_in_pieces), np.random.default_rng(0).normal(size=(4, 12, 11)))
