"""Programs that write an array part by part, as loops of assignments are traced."""

from __future__ import annotations

import numpy as np

from ir import ops
from ir.build import Builder
from ir.op import Array
from ir.program import Program, Value
from ir.types import ArrayType

Place = int | slice


def floats(*shape: int) -> ArrayType:
    return ArrayType("f64", shape)


def region(x: Value, at: tuple[Place, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the places begin along each axis, and how many there are."""
    starts, sizes = [], []
    for d, n in enumerate(x.type.shape):
        i = at[d] if d < len(at) else slice(None)
        low, high, _ = i.indices(n) if isinstance(i, slice) else (i, i + 1, 1)
        starts.append(low)
        sizes.append(high - low)
    return tuple(starts), tuple(sizes)


def item(b: Builder, x: Value, *at: Place) -> Value:
    """``x[at]``"""
    starts, sizes = region(x, at)
    cut = b(ops.Slice(starts, sizes, (1,) * x.type.rank), x)
    numbers = [d for d, i in enumerate(at) if isinstance(i, int)]
    kept = tuple([n for d, n in enumerate(sizes) if d not in numbers])
    return b(ops.Reshape(kept), cut)  # type: ignore[no-any-return]


def write(b: Builder, x: Value, v: Value, *at: Place, add: bool = False) -> Value:
    """``x`` after ``x[at] = v``, or ``x[at] += v``"""
    starts, sizes = region(x, at)
    cls = ops.SliceAdd if add else ops.SliceUpdate
    return b(cls(starts, (1,) * x.type.rank), x, b(ops.Reshape(sizes), v))  # type: ignore[no-any-return]


def zeros(b: Builder, *shape: int) -> Value:
    return b(ops.Constant(0.0, "f64", shape))  # type: ignore[no-any-return]


def recurrence(n: int) -> Program:
    """``y[i] = x[i] * y[i - 1]``"""
    b = Builder()
    x, y = b.param(floats(n)), zeros(b, n)
    y = write(b, y, item(b, x, 0), 0)
    for i in range(1, n):
        y = write(b, y, b(ops.Mul(), item(b, x, i), item(b, y, i - 1)), i)
    return b.finish(y)


def substitution(n: int) -> Program:
    """``y[i] = (c[i] - a[i, :i] @ y[:i]) / a[i, i]``"""
    b = Builder()
    a, c, y = b.param(floats(n, n)), b.param(floats(n)), zeros(b, n)
    for i in range(n):
        known = b(ops.DotGeneral(((0,), (0,))), item(b, a, i, slice(i)), item(b, y, slice(i)))
        right = b(ops.Sub(), item(b, c, i), known)
        y = write(b, y, b(ops.Div(), right, item(b, a, i, i)), i)
    return b.finish(y)


def sweep(n: int, width: int = 50) -> Program:
    """``y[i, 1:-1] = (y[i-1, :-2] + sin(y[i-1, 1:-1]) + y[i-1, 2:]) / 3``"""
    b = Builder()
    x, y = b.param(floats(width)), zeros(b, n, width)
    third = b(ops.Constant(1 / 3, "f64", (width - 2,)))
    y = write(b, y, x, 0)
    for i in range(1, n):
        left, middle, right = (item(b, y, i - 1, slice(s, width - 2 + s)) for s in range(3))
        total = b(ops.Add(), b(ops.Add(), left, b(ops.Sin(), middle)), right)
        y = write(b, y, b(ops.Mul(), total, third), i, slice(1, -1))
    return b.finish(y)


def relaxation(n: int) -> Program:
    """``y[i] = (y[i - 1] + sin(y[i + 1])) / 2``, twice over all of a computed array"""
    b = Builder()
    x = b.param(floats(n))
    y, half = b(ops.Add(), x, x), b(ops.Constant(0.5))
    for i in (*range(1, n - 1), *range(1, n - 1)):
        total = b(ops.Add(), item(b, y, i - 1), b(ops.Sin(), item(b, y, i + 1)))
        y = write(b, y, b(ops.Mul(), total, half), i)
    return b.finish(y)


def accumulation(n: int) -> Program:
    """``y[7 * i % (n // 2)] += sin(x[i])``"""
    b = Builder()
    x, y = b.param(floats(n)), zeros(b, n)
    for i in range(n):
        y = write(b, y, b(ops.Sin(), item(b, x, i)), i * 7 % (n // 2), add=True)
    return b.finish(y)


def histogram(n: int) -> Program:
    """``y[k[i]] += sin(x[i])``"""
    b = Builder()
    x, k, y = b.param(floats(n)), b.param(ArrayType("i64", (n,))), zeros(b, n)
    for i in range(n):
        y = b(ops.ScatterAdd((0,)), y, b(ops.Sin(), item(b, x, i)), item(b, k, i))
    return b.finish(y)


def scattered(n: int) -> Program:
    """``y[k[i]] = sin(x[i] * y[k[3 * i % n]] + 1)``"""
    b = Builder()
    x, k, y = b.param(floats(n)), b.param(ArrayType("i64", (n,))), zeros(b, n)
    one = b(ops.Constant(1.0))
    for i in range(n):
        found = b(ops.Gather((0,)), y, item(b, k, 3 * i % n))
        v = b(ops.Sin(), b(ops.Add(), b(ops.Mul(), item(b, x, i), found), one))
        y = b(ops.ScatterUpdate((0,)), y, v, item(b, k, i))
    return b.finish(y)


PROGRAMS = {
    f.__name__: f
    for f in (
        recurrence, substitution, sweep, relaxation, accumulation, histogram, scattered,
    )
}  # fmt: skip


def inputs(program: Program) -> list[Array]:
    """Numbers near one; matrices near the identity; indices within the arrays."""
    rng = np.random.default_rng(0)
    made: list[Array] = []
    for t in program.types:
        if t.dtype == "i64":
            made.append(rng.integers(0, t.shape[-1], t.shape))
        elif t.rank > 1 and t.shape[-1] == t.shape[-2]:
            n = t.shape[-1]
            made.append(rng.normal(size=t.shape) / n + np.eye(n))
        else:
            made.append(rng.uniform(0.9, 1.1, t.shape))
    return made
