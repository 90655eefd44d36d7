"""dot_general by the BLAS: which contractions, in what layout, and the calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from codegen.text import TYPES, Function, number
from ir.op import Op
from ir.ops import DotGeneral
from ir.ops.contract import Axes
from ir.program import Equation
from ir.types import ArrayType

CALLS = {"gemm": 13, "gemv": 11}
"""The BLAS functions that are called, and how many arguments each takes."""

LARGE = 16 * 16 * 16
"""Multiplications of one matrix product from which a BLAS call pays."""


@dataclass(frozen=True)
class Matrix:
    """An operand as a stack of matrices: whether the summed axes come before the free ones."""

    flipped: bool


@dataclass(frozen=True)
class Sizes:
    """A batch of products of m x k with k x n matrices."""

    batch: int
    m: int
    n: int
    k: int


def sizes(op: DotGeneral, x: ArrayType, y: ArrayType) -> Sizes:
    return Sizes(
        prod(x.shape[d] for d in op.batch[0]),
        prod(x.shape[d] for d in op.free(0, x.rank)),
        prod(y.shape[d] for d in op.free(1, y.rank)),
        prod(x.shape[d] for d in op.contract[0]),
    )


def layout(op: DotGeneral, side: int, rank: int) -> Matrix | None:
    """How the operand lies as matrices; None where its axes are mixed."""
    shared, summed, free = op.batch[side], op.contract[side], op.free(side, rank)
    natural = tuple(range(rank))
    if (*shared, *free, *summed) == natural:
        return Matrix(flipped=False)
    return Matrix(flipped=True) if (*shared, *summed, *free) == natural else None


def arranged(op: DotGeneral, ranks: tuple[int, int]) -> tuple[DotGeneral, list[Axes | None]]:
    """The contraction on operands that lie as matrices, and the permutation that brings each there.

    None leaves an operand as it is.
    """
    contract, shared, perms = list(op.contract), list(op.batch), list[Axes | None]()
    for side, rank in enumerate(ranks):
        perm = None
        if layout(op, side, rank) is None:
            perm = (*op.batch[side], *op.free(side, rank), *op.contract[side])
            shared[side] = tuple(range(len(op.batch[side])))
            contract[side] = tuple(range(rank - len(op.contract[side]), rank))
        perms.append(perm)
    return DotGeneral((contract[0], contract[1]), (shared[0], shared[1])), perms


def wanted(eq: Equation) -> bool:
    """Whether the BLAS takes this contraction: floats, and large enough."""
    op = eq.op
    assert isinstance(op, DotGeneral)
    x, y = (v.type for v in eq.operands)
    s = sizes(op, x, y)
    return x.info.kind == "float" and s.m * s.n * s.k >= LARGE


def emit(f: Function, op: Op, types: Sequence[ArrayType], x: str, y: str, out: str) -> None:
    """Call gemm, or gemv for a matrix and a vector, for each product of the batch."""
    assert isinstance(op, DotGeneral)
    a, b = types
    s, dtype = sizes(op, a, b), a.dtype
    left, right = layout(op, 0, a.rank), layout(op, 1, b.rank)
    assert left is not None and right is not None
    f.spend(2 * s.batch * s.m * s.n * s.k)

    def product(i: str | int) -> None:
        at = [
            offset(f, p, i, n, dtype) for p, n in ((x, s.m * s.k), (y, s.k * s.n), (out, s.m * s.n))
        ]
        if s.n == 1:
            vector(f, dtype, at[0], at[1], at[2], s.m, s.k, left.flipped)
        elif s.m == 1:
            vector(f, dtype, at[1], at[0], at[2], s.n, s.k, right.flipped)
        else:
            matrix(f, dtype, at, s, left.flipped, right.flipped)

    if s.batch == 1:
        product(0)
    else:
        with f.loop(0, s.batch) as i:
            product(i)


def offset(f: Function, pointer: str, i: str | int, size: int, dtype: str) -> str:
    """The address of the i-th matrix of ``size`` elements."""
    if i == 0:
        return pointer
    return f(f"getelementptr {TYPES[dtype]}, ptr {pointer}, i64 {f(f'mul i64 {i}, {size}')}")


def matrix(f: Function, dtype: str, at: list[str], s: Sizes, left: bool, right: bool) -> None:
    """Row-major ``C = A B`` is column-major ``C' = B' A'``, which is what gemm computes."""
    x, y, out = at
    one, zero = constant(f, dtype, 1.0), constant(f, dtype, 0.0)
    arguments = [
        flag(f, not right), flag(f, left), size(f, s.n), size(f, s.m), size(f, s.k), one,
        y, size(f, s.n if right else s.k), x, size(f, s.m if left else s.k), zero,
        out, size(f, s.n),
    ]  # fmt: skip
    call(f, "gemm", dtype, arguments)


def vector(
    f: Function, dtype: str, a: str, x: str, out: str, rows: int, inner: int, flipped: bool
) -> None:
    """``out = A x``, A row-major rows x inner, or inner x rows when flipped."""
    one, zero, step = constant(f, dtype, 1.0), constant(f, dtype, 0.0), size(f, 1)
    fast, slow = (rows, inner) if flipped else (inner, rows)
    arguments = [
        flag(f, not flipped), size(f, fast), size(f, slow), one, a, size(f, fast), x, step,
        zero, out, step,
    ]  # fmt: skip
    call(f, "gemv", dtype, arguments)


def call(f: Function, name: str, dtype: str, arguments: list[str]) -> None:
    f.uses[name, dtype] = None
    f.do(f"call void @tracer.{name}.{dtype}({', '.join(f'ptr {a}' for a in arguments)})")


def flag(f: Function, transposed: bool) -> str:
    return kept(f, "i8", str(ord("T" if transposed else "N")))


def size(f: Function, n: int) -> str:
    return kept(f, "i64", str(n))


def constant(f: Function, dtype: str, x: float) -> str:
    return kept(f, TYPES[dtype], number(x, dtype))


def kept(f: Function, type: str, value: str) -> str:
    """The address of a scalar argument, which Fortran passes by reference."""
    pointer = f.alloca(type)
    f.do(f"store {type} {value}, ptr {pointer}")
    return pointer
