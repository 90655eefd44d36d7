"""Symbolic indices against plain integers, at every step of their axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.codegen.simulate import index_at as at

from codegen.access import Within, within
from codegen.index import (
    Affine,
    Axis,
    Index,
    Quotient,
    Remainder,
    along,
    bounds,
    divided,
    flat,
    rejoined,
)

SEEDS = range(60)


def steps(axes: Sequence[Axis]) -> Iterator[dict[Axis, int]]:
    """Every combination of what the axes' counters are."""
    for where in product(*(range(axis.low, axis.high) for axis in axes)):
        yield dict(zip(axes, where, strict=True))


class Grower:
    """Makes random expressions, each with the function of the counters that it must be."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        lows = self.rng.integers(0, 4, 3)
        sizes = self.rng.integers(1, 6, 3)
        self.axes = [Axis(int(a), int(a + n)) for a, n in zip(lows, sizes, strict=True)]
        self.steps = list(steps(self.axes))

    def small(self, low: int = -5, high: int = 6) -> int:
        return int(self.rng.integers(low, high))

    def grown(self, depth: int) -> tuple[Index, list[int]]:
        """An index, and its value at each step."""
        if depth == 0:
            axis = self.axes[int(self.rng.integers(3))]
            return along(axis), [env[axis] for env in self.steps]
        x, values = self.grown(depth - 1)
        match self.small(0, 8):
            case 0:
                y, others = self.grown(depth - 1)
                return x + y, [a + b for a, b in zip(values, others, strict=True)]
            case 1:
                y, others = self.grown(depth - 1)
                return x - y, [a - b for a, b in zip(values, others, strict=True)]
            case 2:
                n = self.small()
                return x + n, [a + n for a in values]
            case 3:
                n = self.small()
                return n - x, [n - a for a in values]
            case 4:
                n = self.small()
                return n * x, [n * a for a in values]
            case 5:
                return -x, [-a for a in values]
            case _:
                return self.cut(x, values)

    def cut(self, x: Index, values: list[int]) -> tuple[Index, list[int]]:
        """Quotient or remainder, of the index made non-negative as these ask for."""
        low = min(values)
        x, values = x - low, [a - low for a in values]
        n = self.small(1, 9)
        if self.rng.random() < 0.5:
            return x // n, [a // n for a in values]
        return x % n, [a % n for a in values]


@pytest.mark.parametrize("seed", SEEDS)
def test_arithmetic(seed: int, figures: Any) -> None:
    """``+ - * // %`` in any nesting, and bounds that hold everything."""
    grower = Grower(seed)
    for depth in (1, 2, 3, 4, 5):
        x, values = grower.grown(depth)
        assert [at(x, env) for env in grower.steps] == values
        low, high = bounds(x)
        assert low <= min(values)
        assert max(values) <= high
        figures.add("symbolic indices compared with plain ones")


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_of_plain_sums_are_reached(seed: int) -> None:
    """Where every axis appears once and nothing is divided, the bounds are exact."""
    grower = Grower(seed)
    x: Index = grower.small()
    for axis in grower.axes:
        x = x + along(axis) * grower.small()
    values = [at(x, env) for env in grower.steps]
    assert bounds(x) == (min(values), max(values))


@pytest.mark.parametrize("seed", SEEDS)
def test_division(seed: int) -> None:
    """Whole and rest make the number again, and the rest is a remainder."""
    grower = Grower(seed)
    for _ in range(5):
        x, values = grower.grown(3)
        x = x - min(values)
        values = [v - min(values) for v in values]
        if isinstance(x, int):
            continue
        n = grower.small(1, 12)
        whole, rest = divided(x, n)
        for env, v in zip(grower.steps, values, strict=True):
            assert (at(whole, env), at(rest, env)) == divmod(v, n)


def test_normal_form() -> None:
    """What is one function of the counters is one object to ``==``, where it can be told."""
    i, j = Axis(0, 6), Axis(0, 4)
    x, y = along(i), along(j)
    assert x + y - x == y
    assert x - x == 0
    assert 2 * x + 3 == 3 + x + x
    assert (x * 4 + y) // 4 == x
    assert (x * 4 + y) % 4 == y
    assert (x * 8 + y * 2 + 1) // 2 == x * 4 + y
    assert (x * 8 + y * 2 + 1) % 2 == 1
    assert (x * 4 + y) // 24 == 0
    assert isinstance((x + y) // 3, Affine)
    assert hash(x + y) == hash(along(i) + along(j))
    assert x != y
    assert along(Axis(7, 8)) == 7


def unravelled(position: Index, shape: Sequence[int]) -> list[Index]:
    """The index in a shape of what stands at a row-major position, as a reshape finds it."""
    index: list[Index] = []
    for n in reversed(shape):
        index.append(position % n)
        position = position // n
    return index[::-1]


SHAPES = [(24,), (4, 6), (6, 4), (2, 3, 4), (4, 3, 2), (2, 2, 6), (1, 24), (2, 12), (3, 1, 8)]


@pytest.mark.parametrize("first", SHAPES)
@pytest.mark.parametrize("second", SHAPES)
def test_reshapes(first: tuple[int, ...], second: tuple[int, ...], figures: Any) -> None:
    """There and back is the index one began with: the two cancel."""
    axes = [Axis(0, n) for n in first]
    start = [along(axis) for axis in axes]
    moved = unravelled(flat(start, first), second)
    for env in steps(axes):
        want = np.unravel_index(np.ravel_multi_index([env[a] for a in axes], first), second)
        assert [at(i, env) for i in moved] == [int(n) for n in want]
    assert flat(moved, second) - flat(start, first) == 0
    assert unravelled(flat(start, first), first) == start
    figures.add("symbolic indices compared with plain ones", prod(first))


@pytest.mark.parametrize("seed", range(20))
def test_chains_of_reshapes_slices_and_reversals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = SHAPES[rng.integers(len(SHAPES))]
    array = np.arange(24).reshape(shape)
    axes = [Axis(0, n) for n in shape]
    index: list[Index] = [along(axis) for axis in axes]
    shapes = [shape]
    for _ in range(4):
        turned = [n - 1 - i for i, n in zip(index, shapes[-1], strict=True)]
        index = unravelled(flat(turned, shapes[-1]), SHAPES[rng.integers(len(SHAPES))])
        shapes.append(SHAPES[0])
        index = [flat(index, fitting(index))]
    for env in steps(axes):
        position = np.ravel_multi_index([env[a] for a in axes], shape)
        assert at(index[0], env) == array.flat[position]  # four reversals are none


def fitting(index: Sequence[Index]) -> tuple[int, ...]:
    """The shape of 24 elements whose last places the indices reach."""
    return next(s for s in SHAPES if [n - 1 for n in s] == [bounds(i)[1] for i in index])


def test_rejoined() -> None:
    i, j = along(Axis(0, 7)), along(Axis(0, 5))
    assert isinstance(i, Affine)
    assert isinstance(j, Affine)
    whole = i + j
    assert isinstance(whole, Affine)
    parts = Affine(((Quotient(whole, 3), 6), (Remainder(whole, 3), 2)), 1)
    assert rejoined(parts) == whole * 2 + 1
    assert rejoined(Affine(((Quotient(whole, 3), 5), (Remainder(whole, 3), 2)))) is None
    assert rejoined(Affine(((Quotient(whole, 4), 6), (Remainder(whole, 3), 2)))) is None
    assert rejoined(Affine(((Quotient(whole, 3), 6),))) is None


# Tests of where an index is.


@given(st.integers(-6, 6), st.integers(-3, 3), st.integers(-8, 12), st.integers(0, 9))
def test_within(shift: int, factor: int, low: int, extent: int) -> None:
    """True and False mean everywhere and nowhere; else the test itself decides."""
    axis = Axis(1, 6)
    x = along(axis) * factor + shift
    made = within(x, low, low + extent)
    inside = [low <= at(x, {axis: n}) < low + extent for n in range(1, 6)]
    if isinstance(made, bool):
        assert all(inside) if made else not any(inside)
    else:
        assert [holds(made, {axis: n}) for n in range(1, 6)] == inside
        if factor:
            assert any(inside) != all(inside) or not any(inside)


def holds(test: Within, env: Mapping[Axis, int]) -> bool:
    return all(low <= at(index, env) < high for index, low, high in test.tests)


def test_within_joins() -> None:
    i, j = Axis(0, 6), Axis(0, 4)
    x, y = within(along(i), 2, 9), within(along(j), -3, 2)
    assert isinstance(x, Within)
    assert isinstance(y, Within)
    both = x & y
    assert isinstance(both, Within)
    for env in steps([i, j]):
        assert holds(both, env) == (env[i] >= 2 and env[j] < 2)
    assert (x & True, True & x) == (x, x)
    assert (x & False, False & x) == (False, False)


def test_an_empty_range_holds_nothing() -> None:
    assert within(3, 3, 3) is False
    assert within(3, 3, 4) is True
    axis = Axis(0, 4)
    made = within(along(axis), 2, 2)
    assert made is False or not any(holds(made, env) for env in steps([axis]))
