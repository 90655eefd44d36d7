"""Loops taken several steps at a time over elements that do not lie side by side."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from tests.codegen.layouts import LAYOUTS
from tests.codegen.test_lanes import MACHINES, agree, each_machine, whole

from tracer import grad, vmap

NAMES = [*MACHINES, "wider"]
TABLES = [(9, 8), (33, 5), (5, 33), (130, 3), (7, 2, 17)]
each_table = pytest.mark.parametrize("shape", TABLES, ids=str)


def machine_for(shape: tuple[int, ...], shift: int = 0) -> str:
    """One of the machines, another one for each shape."""
    return NAMES[(TABLES.index(shape) + shift) % len(NAMES)]


# Reading.


def views(x: Any) -> tuple[Any, ...]:
    """What a view gives is used, so it is read in a loop and not copied as it is."""
    last = x.shape[-1]
    return (
        x[::-1], x[..., ::-1], x.T, np.swapaxes(x, 0, -1)[::-1], x[::2], x[..., 1::2], x[..., ::-2],
        x[1::3], x[..., last // 2], x[..., -1], x[-1], x.reshape(-1)[::2], x.reshape(-1)[2::7],
        x.reshape(-1)[1 :: last + 1], x.reshape(-1)[::-3], x.T.reshape(-1)[::2], x[..., None],
    )  # fmt: skip


@each_table
@pytest.mark.parametrize("dtype", ["f32", "bool"])
def test_views_read_in_loops(shape: tuple[int, ...], dtype: str) -> None:
    """Backwards, every second, third, ninth element, turned."""
    machine, x = machine_for(shape, len(dtype)), whole(0, dtype, *shape)
    agree(machine, lambda x: tuple([~v if v.dtype == bool else v * 2 for v in views(x)]), x)


@pytest.mark.parametrize("step", range(2, 11))
def test_every_so_many_elements_up_to_the_last(step: int) -> None:
    """From each place that is begun at, to an end that a longer vector may not go beyond."""
    for n, size in enumerate((16 * step - 1, 16 * step, 32 * step + 1)):
        agree(
            NAMES[(step + n) % len(NAMES)],
            lambda x, y: tuple([x[s::step] + y[s::step] for s in (0, 1, step - 1)]),
            whole(1, "f64", size),
            whole(2, "f32", size),
        )


@each_table
def test_rows_and_columns_beside_tables(shape: tuple[int, ...]) -> None:
    x, row = whole(1, "f64", *shape), whole(2, "f64", shape[-1])
    column = whole(3, "f64", shape[0], *[1] * (len(shape) - 1))

    def f(x: Any, row: Any, column: Any) -> Any:
        return (
            x * row - column, row + column, x.T * column.T, np.where(x > row, x, column),
            x + x[:1], x - x[..., -1:], x[::-1] * row[::-1], x * np.arange(row.size),
            np.sum(x * row, -1) + column.reshape(-1)[:1], np.max(x - column, 0),
        )  # fmt: skip

    agree(machine_for(shape), f, x, row, column)
    agree(machine_for(shape), f, np.asfortranarray(x), row[::-1], column[::-1])


@pytest.mark.parametrize("name", ["fortran", "strided", "reversed", "misaligned", "byte-swapped"])
def test_arguments_laid_out_in_other_ways(name: str) -> None:
    for n, shape in enumerate(TABLES):
        x, y = LAYOUTS[name](whole(1, "f64", *shape)), LAYOUTS[name](whole(2, "i32", *shape))
        agree(NAMES[n % len(NAMES)], lambda x, y: (x * y + x[::-1], np.sum(x, 0), y.T - 1), x, y)


@each_table
@pytest.mark.parametrize("dtype", ["f64", "i32"])
def test_arrays_put_together(shape: tuple[int, ...], dtype: str) -> None:
    def f(x: Any) -> Any:
        return (
            np.roll(x, 1, 0), np.roll(x, -2, -1), np.concatenate([x, x[::-1]]), np.pad(x, 1),
            np.concatenate([x[..., ::-1], x[..., :1], x], -1), np.stack([x, x[::-1]], -1),
            np.repeat(x, 3, -1), np.tile(x, 2), np.flip(x), np.pad(x[1:] ^ x[:-1], 2),
            np.concatenate([x[1:], x[:1]]) & np.roll(x, 1, -1),
        )  # fmt: skip

    def g(x: Any) -> Any:
        y = np.pad(x, 1) * 2
        return np.diff(x), np.diff(x, axis=0), y[2:] - y[:-2], np.sum(np.pad(x, 2), 0) - 1

    x = whole(1, dtype, *shape)
    agree(machine_for(shape, 2), g if dtype == "f64" else f, x)


# Reading at places that the data say.


@each_table
@pytest.mark.parametrize("dtype", ["f64", "bool"])
def test_gathers(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(3)
    rows, columns = (rng.integers(-n, n, 11) for n in (shape[0], shape[-1]))

    def f(x: Any, r: Any, c: Any) -> Any:
        return (
            x[r], x[..., c], x[r, ..., c], x[r][..., c], x[r[:, None], ..., c], x[::-1][r],
            x[..., ::-1][..., c], np.take(x, c.astype(np.int32), axis=-1), np.max(x[r], 0),
            np.max(x[..., c], -1), np.sum(x[r] != x[r[::-1]], 0), x[r] & ~x[-1] if x.dtype == bool
            else x[r] * x[-1],
        )  # fmt: skip

    agree(machine_for(shape, 2), f, whole(1, dtype, *shape), rows, columns)


@each_table
def test_slopes_of_gathers_add_what_meets(shape: tuple[int, ...]) -> None:
    """The same place again and again, also within one vector."""
    rng = np.random.default_rng(4)
    rows, columns = rng.integers(0, min(shape[0], 3), 19), rng.integers(0, shape[-1], 19)
    x = whole(0, "f64", *shape)
    of_rows, of_columns = whole(1, "f64", 19, *shape[1:]), whole(2, "f64", *shape[:-1], 19)
    want = np.zeros(shape), np.zeros(shape)
    np.add.at(want[0], rows, of_rows)
    np.add.at(want[1], (..., columns), of_columns)
    machine = machine_for(shape, 3)
    agree(machine, grad(lambda x, i, w: np.sum(x[i] * w)), x, rows, of_rows, want=want[0])
    agree(
        machine, grad(lambda x, i, w: np.sum(x[..., i] * w)), x, columns, of_columns, want=want[1]
    )


# Rows that each lane has of its own.

LONG = [(33, 5), (64, 3), (7, 40), (40, 7), (130, 4), (16, 16)]
each_long = pytest.mark.parametrize("shape", LONG, ids=str)


@each_long
def test_rows_of_each_lane_read_elsewhere(shape: tuple[int, int]) -> None:
    """What a step has stored is read back at other places: fixed ones, and places of its own."""
    n, m = shape
    rng = np.random.default_rng(5)
    x, one = whole(0, "f64", n, m), rng.integers(0, m, n)
    few, order = rng.integers(-m, m, (n, 3)), rng.permutation(m)
    runs = np.cumsum(x, 1)
    machine = NAMES[LONG.index(shape) % len(NAMES)]
    agree(machine, vmap(lambda x, i: np.cumsum(x)[i]), x, one, want=runs[np.arange(n), one])
    want = np.take_along_axis(2 * runs, few % m, 1) * np.take_along_axis(x, few % m, 1)
    agree(machine, vmap(lambda x, i: np.cumsum(x * 2)[i] * x[i]), x, few, want=want)
    want = np.cumsum(runs[:, order], 1)[:, ::-1]
    agree(
        machine,
        lambda x, i: vmap(lambda x: np.cumsum(np.cumsum(x)[i])[::-1])(x),
        x,
        order,
        want=want,
    )
    want = np.cumsum(x, 0)[np.argmax(x, 0), np.arange(m)]
    agree(machine, vmap(lambda x: np.cumsum(x)[np.argmax(x)], 1), x, want=want)


@each_long
def test_rows_of_each_lane_written_to(shape: tuple[int, int]) -> None:
    n, m = shape
    x, places = whole(0, "f64", n, m), np.random.default_rng(6).integers(0, m, (n, 3))

    def f(x: Any, i: Any) -> Any:
        y = np.cumsum(x)
        y[i[0]] += 3
        y[i] = np.arange(3.0)
        y[::2] -= 1
        return y * 2 - np.max(y)

    want = np.stack([f(row, i) for row, i in zip(x, places, strict=True)])
    agree(NAMES[(LONG.index(shape) + 1) % len(NAMES)], vmap(f), x, places, want=want)


DISTANCES = [(64, 8, 5), (33, 3, 5), (130, 6, 9), (40, 9, 11)]
each_distance = pytest.mark.parametrize("sizes", DISTANCES, ids=str)


@each_distance
def test_rows_read_again_and_again(sizes: tuple[int, int, int]) -> None:
    """Copied side by side for the lanes, whose steps lie apart."""
    n, m, centres = sizes
    x, y = whole(0, "f64", n, m), whole(1, "f64", centres, m)

    def f(x: Any, y: Any) -> Any:
        squares = np.sum((x[:, None, :] - y) ** 2, -1)
        turned = np.sum((x[:, None, :] - y) * x[:, None, ::-1], -1)
        return np.min(squares, 1), np.argmin(squares, 1), np.max(turned, 1)

    agree(NAMES[DISTANCES.index(sizes)], f, x, y)
    agree("wider", lambda x, y: np.max(x @ y.T, 1), x, y)


@each_distance
def test_rows_read_again_and_again_and_at_a_place_of_their_own(sizes: tuple[int, int, int]) -> None:
    n, m, centres = sizes
    x, y = whole(0, "f64", n, m), whole(1, "f64", centres, m)
    place = np.random.default_rng(7).integers(0, m, n)
    apart = x[:, None, :] - y
    want = np.argmin(np.sum(apart**2, -1), 1) * x[np.arange(n), place]

    def f(x: Any, i: Any, y: Any) -> Any:
        return np.argmin(np.sum((x - y) ** 2, -1)) * x[i]

    agree(NAMES[DISTANCES.index(sizes)], vmap(f, (0, 0, None)), x, place, y, want=want)


# Writing in place.


def forth(x: Any) -> Any:
    """Each element becomes its neighbour, and is read before it does."""
    y = np.cumsum(x)
    before = y[1:] + 1
    y[:-1] += 5
    y[1:] = y[:-1]
    y[:-1] = y[1:] * 2
    y[2:] -= y[:-2]
    return before, y


def turned(x: Any) -> Any:
    y = np.cumsum(x)
    y[:] = y[::-1]
    y[::-1] += x
    return y, y[::-1] * 2


def swept(x: Any) -> Any:
    y = np.cumsum(x)
    for _ in range(3):
        y[1:-1] = y[:-2] + y[2:] - y[1:-1]
    y[:1] = 3
    return y


def crossed(x: Any) -> Any:
    """Two arrays, each updated by what the other is."""
    y = np.cumsum(x)
    z = np.cumsum(y)
    y[:-1] += z[1:]
    z[1:] += y[:-1]
    y[1:] = z[:-1]
    return y, z


def in_threes(x: Any) -> Any:
    y = np.zeros_like(x)
    for n in range(3):
        y[n::3] = x[n::3] * (n + 1)
    y[::2] += y[::2]
    return y


@each_machine
@pytest.mark.parametrize("f", [forth, turned, swept, crossed, in_threes])
def test_what_is_moved_within_an_array(machine: str, f: Any) -> None:
    for n in (8, 33) if len(machine) % 2 else (17, 65):
        agree(machine, f, whole(0, "f64", n))


def parts(x: Any, r: Any) -> Any:
    y = np.cumsum(x, 0)
    y[1:] = y[:-1]
    y[:, :-1] -= y[:, 1:] * 2
    y[::-1] += x[..., ::-1]
    y[1::2, ..., ::2] = x[1::2, ..., ::2]
    y[r] += 7
    y[..., 0] = y[..., -1]
    y[r[:3]] = x[:1]
    return y, np.max(y, 0)


@each_table
@pytest.mark.parametrize("dtype", ["f64", "i32"])
def test_parts_of_tables_written_in_turn(shape: tuple[int, ...], dtype: str) -> None:
    rows = np.random.default_rng(8).integers(0, shape[0], 5)
    agree(machine_for(shape), parts, whole(0, dtype, *shape), rows)


# Memory beyond an array.

GUARDED = """
import numpy as np
from codegen.engine import compile_program
from tests.codegen.guarded import call
from tests.codegen.test_lanes import made_for, whole
from tracer import trace

count = 0
for machine, sizes in (("as it is", (32, 65)), ("wider", (31, 64))):
    for n in sizes:
        for dtype in ("f64", "bool"):
            x, y = whole(0, dtype, n), whole(0, dtype, n, 3)
            places = np.arange(n)[::-1].copy()
            for f, args in (
                (lambda x: x[::2] != x[0], (x,)),
                (lambda x: x[1::3] != x[0], (x,)),
                (lambda x: x[::-1] != x[0], (x,)),
                (lambda x: x[::-2] != x[0], (x,)),
                (lambda x, i: x[i] != x[0], (x, places)),
                (lambda y: y[:, 2] != y[0, 0], (y,)),
                (lambda y: y[:, 0] != y[:, 1], (y,)),
                (lambda y: np.max(y, 1), (y,)),
                (lambda y: np.argmax(y, 0), (y,)),
                (lambda y: y.T[::-1] != y[0, 0], (y,)),
            ):
                with made_for(machine):
                    compiled = compile_program(trace(f, *args))
                for at_end in (True, False):
                    status, (found,) = call(compiled, args, at_end)
                    assert status == 0
                    np.testing.assert_array_equal(found, f(*args))
                    count += 1
print(count)
"""


def test_vectors_stay_within_arrays(figures: Any) -> None:
    """Arguments and results end at a page that nothing may touch, or begin behind one."""
    done = subprocess.run(
        [sys.executable, "-c", GUARDED], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 160
    figures.add("calls of vectors beside forbidden pages", 160)
