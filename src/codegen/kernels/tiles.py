"""Products of small matrices, whose results are summed up in tiles of registers.

The BLAS copies its operands before it multiplies, which for small ones takes as long as what it
saves, and its calls wait for each other, in whatever threads they are. A tile is four rows of one
or two vectors. A step of the sum reads a row of the one matrix in vectors, where it lies unless its
columns lie apart, and four numbers of the other. Where rows or columns are left behind whole tiles,
the last tile begins as far before the end as it is long.

Vectors are of 32 bytes even where registers hold more: operands lie anywhere, and of longer ones
every other would straddle two lines of the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.functions import call
from codegen.kernels.products import Product, Steps
from codegen.shared import begun, element, ended, loaded, stored
from codegen.text import Function, Kind, kind_of
from ir.types import DTYPES

ROWS, COLUMNS = 4, 2
"""Of a tile: numbers, and vectors."""
BYTES = 32
"""Of a vector."""
NEAR = 32 * 1024
"""Bytes at most of the matrix that is read in vectors, for each row of tiles again."""


@dataclass(frozen=True)
class Tiling:
    """``out = x @ y`` of rows x k and k x columns numbers, the columns side by side in memory."""

    rows: int
    columns: int
    k: int
    x: tuple[int, int]
    """Elements from row to row, and from step to step of the sum."""
    y: tuple[int, int]
    """Elements from step to step of the sum, and from column to column."""
    out: int
    """Elements from row to row."""
    flipped: bool
    """Whether it is ``out.T = y.T @ x.T``: the operands change places."""


def tiling(steps: Steps, made: Product, dtype: str) -> Tiling | None:
    """How tiles cover the product, if it is small, and its columns or its rows lie side by side."""
    m, n, k = (steps.of(axes) for axes in (made.m, made.n, made.k))
    lanes = BYTES // DTYPES[dtype].size
    for flipped, (rows, columns) in ((False, (m, n)), (True, (n, m))):
        x, y = (2, 1) if flipped else (1, 2)
        near = columns[0] * k[0] * DTYPES[dtype].size <= NEAR
        if columns[3] == 1 and near and rows[0] >= ROWS and columns[0] >= lanes and not made.summed:
            places = (rows[x], k[x]), (k[y], columns[y]), rows[3]
            return Tiling(rows[0], columns[0], k[0], *places, flipped)
    return None


def multiply(f: Function, dtype: str, pointers: Sequence[str], found: Tiling) -> None:
    """Call the function that multiplies in tiles: to the result, and what it is the product of."""
    kind = kind_of(dtype, BYTES // DTYPES[dtype].size)
    wide = COLUMNS if found.columns >= COLUMNS * kind.lanes else 1
    callee = f"tiles{wide}{'' if found.y[1] == 1 else 'apart'}.{dtype}"
    if callee not in f.helpers:
        write(f, callee, kind, wide, found.y[1] != 1)
    out, x, y = pointers
    x, y = (y, x) if found.flipped else (x, y)
    sizes = (found.rows, found.columns, found.k, *found.x, *found.y, found.out)
    f.calls += 1
    given = ", ".join([f"ptr {out}", f"ptr {x}", f"ptr {y}", *(f"i64 {n}" for n in sizes)])
    f.do(f"call void @{callee}({given})")


SIZES = ("rows", "columns", "k", "down", "along", "step", "apart", "under")
"""The parameters behind the pointers: extents, then the strides of x, of y, and of the result."""


def write(f: Function, name: str, kind: Kind, wide: int, apart: bool) -> None:
    """The function of tiles so many vectors wide, of columns that lie apart or side by side."""
    g = begun(f, name, ("out", "x", "y"), SIZES, counts=False)
    single, width = kind_of(kind.dtype), wide * kind.lanes
    ends = g(f"sub i64 %columns, {width}"), g(f"sub i64 %rows, {ROWS}")
    with g.loop(0, "%columns", width) as column:
        j = g(f"call i64 @llvm.smin.i64(i64 {column}, i64 {ends[0]})")
        if apart:
            first = element(g, single, "%y", g(f"mul i64 {j}, %apart"))
            y, step = packed(g, kind, wide, first), str(width)
        else:
            y, step = element(g, single, "%y", j), "%step"
        with g.loop(0, "%rows", ROWS) as row:
            i = g(f"call i64 @llvm.smin.i64(i64 {row}, i64 {ends[1]})")
            x = element(g, single, "%x", g(f"mul i64 {i}, %down"))
            sums = tile(g, kind, wide, x, y, step)
            line = element(g, single, element(g, single, "%out", g(f"mul i64 {i}, %under")), j)
            for totals in sums:
                for n, total in enumerate(totals):
                    found = g(f"load {kind.t}, ptr {total}")
                    stored(g, kind, element(g, kind, line, n), found)
                line = element(g, single, line, "%under")
    ended(f, g)


def tile(g: Function, kind: Kind, wide: int, x: str, y: str, step: str) -> list[list[str]]:
    """Where the sums of a tile are, whose rows and columns begin at these places."""
    single = kind_of(kind.dtype)
    sums = [[g.alloca(kind.t) for _ in range(wide)] for _ in range(ROWS)]
    for total in (total for totals in sums for total in totals):
        g.do(f"store {kind.t} zeroinitializer, ptr {total}")
    rows = ["0", "%down", *[g(f"mul i64 %down, {n}") for n in range(2, ROWS)]]
    left, right = moving(g, x), moving(g, y)
    with g.loop(0, "%k"):
        x, y = (g(f"load ptr, ptr {place}") for place in (left, right))
        vectors = [loaded(g, kind, element(g, kind, y, n)) for n in range(wide)]
        for row, totals in zip(rows, sums, strict=True):
            number = g.splat(loaded(g, single, element(g, single, x, row)), kind)
            for total, vector in zip(totals, vectors, strict=True):
                before = g(f"load {kind.t}, ptr {total}")
                after = call(g, "fmuladd", kind, (number, vector, before))
                g.do(f"store {kind.t} {after}, ptr {total}")
        g.do(f"store ptr {element(g, single, x, '%along')}, ptr {left}")
        g.do(f"store ptr {element(g, single, y, step)}, ptr {right}")
    return sums


def packed(g: Function, kind: Kind, wide: int, y: str) -> str:
    """Where columns that lie apart are copied side by side."""
    single, panel = kind_of(kind.dtype), g.alloca(kind.t, NEAR // BYTES)
    apart = [g(f"mul i64 %apart, {n}") for n in range(wide * kind.lanes)]
    to, of = moving(g, panel), moving(g, y)
    with g.loop(0, "%k"):
        here, there = (g(f"load ptr, ptr {place}") for place in (to, of))
        for n, place in enumerate(apart):
            found = loaded(g, single, element(g, single, there, place))
            stored(g, single, element(g, single, here, n), found)
        g.do(f"store ptr {element(g, kind, here, wide)}, ptr {to}")
        g.do(f"store ptr {element(g, single, there, '%step')}, ptr {of}")
    return panel


def moving(g: Function, pointer: str) -> str:
    """Where a pointer is kept that moves."""
    place = g.alloca("ptr")
    g.do(f"store ptr {pointer}, ptr {place}")
    return place
