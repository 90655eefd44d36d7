"""dot_general by calls of the BLAS, or of tiles: which contractions, what is copied, the calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from math import prod

from codegen.access import SYMBOL, PlanKernel, Read
from codegen.index import Axis, along
from codegen.inlining import Inlining
from codegen.items import Contraction, Level
from codegen.kernels.products import Axes, Matrix, Product, Steps, matrices, products
from codegen.kernels.tiles import ROWS, multiply, tiling
from codegen.kernels.views import position, read_at, stored, strides, without
from codegen.parallel import BLOCKS, PARTIALS
from codegen.scalar import EmitKernel
from codegen.text import TYPES, Function, number
from ir.ops import DotGeneral
from ir.program import Equation, Value

CALLS = {"gemm": 13}
"""The BLAS functions that are called, and how many arguments each takes."""

LARGE = 16 * 16 * 16
"""Multiplications of one matrix product from which a BLAS call pays."""
SQUARE, SIDE = 10 * 10 * 10, 8
"""And from which it pays where no side is shorter than this: OpenBLAS's calls take some 50 ns."""
TILED = 128
"""And from which tiles pay, where they read both operands as they lie."""
SERIAL = 64 * 64 * 64
"""Multiplications of one call up to which OpenBLAS starts no threads of its own."""
CALL = 1_000
"""What a call costs beside its multiplications, in multiplications."""
COPY = 20
"""What it costs to copy an element, in multiplications."""


@dataclass(frozen=True)
class Plan:
    """What the calls compute, and the order of axes in which each operand is copied for them.

    None stands for an operand that is read where it lies.
    """

    product: Product
    steps: Steps
    copies: tuple[Axes | None, Axes | None]
    copied: int
    """Elements that are copied."""

    @property
    def size(self) -> int:
        """The multiplications of one call."""
        taken = (*self.product.m, *self.product.n, *self.product.k)
        return prod(self.steps.extents[a] for a in taken)

    @property
    def cost(self) -> int:
        """All the work but the multiplications themselves, which are the same for every plan."""
        calls = prod(self.steps.extents[a] for a in (*self.product.apart, *self.product.summed))
        return CALL * calls + COPY * self.copied


def wanted(eq: Equation) -> bool:
    """Whether calls take this contraction: floats, large enough, and worth a whole pass.

    An outer product, and a matrix and a vector, are read once: loops do that as fast, and share it
    with what is around. But loops that would add to a long result over and over are the BLAS's.
    """
    m, n, k = sides(eq)
    enough = LARGE if min(m, n, k) < SIDE else SQUARE
    if eq.result.type.info.kind != "float" or k == 1 or m * n * k < enough:
        return False
    if min(m, n) > 1:
        return True
    op, side = eq.op, 0 if n == 1 else 1
    assert isinstance(op, DotGeneral)
    free = op.free(side, eq.operands[side].type.rank)
    adds = min(op.contract[side], default=0) < max(free, default=0)
    return adds and eq.result.type.nbytes * BLOCKS > PARTIALS


def in_tiles(eq: Equation, inlined: Inlining, orders: dict[Value, Axes]) -> Plan | None:
    """The plan of a smaller one, if it is tiles that take it, and they read its operands where they
    lie: else loops do better."""
    m, n, k = sides(eq)
    if eq.result.type.info.kind != "float" or m * n * k < TILED or min(m, n, k) < ROWS:
        return None
    found = planned(eq, inlined, orders)
    if found is None or found.copied:
        return None
    tiles = tiling(found.steps, found.product, eq.result.type.dtype)
    return found if tiles is not None and tiles.y[1] == 1 else None


def sides(eq: Equation) -> tuple[int, int, int]:
    """Rows, columns and terms of one product of matrices."""
    op = eq.op
    assert isinstance(op, DotGeneral)
    x, y = (v.type for v in eq.operands)
    m = prod(x.shape[d] for d in op.free(0, x.rank))
    n = prod(y.shape[d] for d in op.free(1, y.rank))
    return m, n, prod(x.shape[d] for d in op.contract[0])


def planned(eq: Equation, inlined: Inlining, orders: dict[Value, Axes]) -> Plan | None:
    """The cheapest way in which calls of the BLAS take the contraction, if there is one."""
    op, out = eq.op, eq.result
    assert isinstance(op, DotGeneral)
    summed = [eq.operands[0].type.shape[d] for d in op.contract[0]]
    axes = [Axis(0, n) for n in (*out.type.shape, *summed)]
    at, over = (tuple(map(along, part)) for part in (axes[: out.type.rank], axes[out.type.rank :]))
    result = strides(position(at, orders.get(out, natural(out)), out.type.shape), axes)
    assert result is not None
    reads = read_at(eq, at, over, inlined)
    found = []
    for copied in product((False, True), repeat=2):
        followed, copies, moved = [], [], 0
        for side, (v, where) in enumerate(zip(eq.operands, reads, strict=True)):
            order = (*op.batch[side], *op.free(side, v.type.rank), *op.contract[side])
            lying = (v, where) if copied[side] else stored(v, where, inlined)
            if lying is None:
                break
            dims = order if copied[side] else orders.get(lying[0], natural(lying[0]))
            followed.append(strides(position(lying[1], dims, lying[0].type.shape), axes))
            copies.append(order if copied[side] else None)
            moved += v.type.size * copied[side]
        if len(followed) < 2 or followed[0] is None or followed[1] is None:
            continue
        extents = [axis.extent for axis in axes]
        steps = Steps(extents, followed[0], followed[1], result, out.type.rank)
        found += [Plan(p, steps, (copies[0], copies[1]), moved) for p in products(steps)]
    return min(found, key=lambda plan: plan.cost, default=None)


def reads(
    eq: Equation, axes: Sequence[Axis], levels: Sequence[Level], kernel: PlanKernel
) -> list[Read]:
    """What one call reads: of dimensions that it takes whole, any element."""
    around = {level.axis for level in levels}
    op = eq.op
    assert isinstance(op, DotGeneral)
    over = tuple([kernel.index(SYMBOL, eq.operands[0].type.shape[d]) for d in op.contract[0]])
    at = tuple(map(along, axes))
    found = []
    for v, where in zip(eq.operands, read_at(eq, at, over, kernel.inlined), strict=True):
        lying = stored(v, where, kernel.inlined)
        assert lying is not None
        value, index = lying
        known = [isinstance(i, int) or {atom for atom, _ in i.terms} <= around for i in index]
        spots = [
            i if known else kernel.index(SYMBOL, n)
            for i, known, n in zip(index, known, value.type.shape, strict=True)
        ]
        found.append(Read(value, tuple(spots)))
    return found


def natural(v: Value) -> Axes:
    return tuple(range(v.type.rank))


# Emission.


def emit(k: EmitKernel, item: Contraction) -> None:
    """Call gemm at every step of the product's loops."""
    made, eq, shape = item.product, item.eq, item.value.type.shape
    assert made is not None
    assert isinstance(eq.op, DotGeneral)
    around = {level.dim: loop.axis for level, loop in zip(item.levels, item.path, strict=True)}
    summed = [eq.operands[0].type.shape[d] for d in eq.op.contract[0]]
    axes = [around.get(d, Axis(0, n)) for d, n in enumerate((*shape, *summed))]
    at, over = (tuple(map(along, part)) for part in (axes[: len(shape)], axes[len(shape) :]))
    places = [(item.value, at)]
    for v, where in zip(eq.operands, read_at(eq, at, over, k.inlined), strict=True):
        lying = stored(v, where, k.inlined)
        assert lying is not None
        places.append(lying)
    taken = [axes[a] for a in (*made.m, *made.n, *made.k)]
    k.f.spend(2 * prod(axis.extent for d, axis in enumerate(axes) if d not in around))
    with ExitStack() as loops:
        for a in (*made.apart, *made.summed):
            if a not in around:
                loops.enter_context(k.loop(axes[a]))
        pointers, followed = [], []
        for v, where in places:
            buffer = k.buffers[v]
            place = position(where, buffer.dims, v.type.shape)
            followed.append(strides(place, axes))
            pointers.append(k.spot(buffer, without(place, taken)))
        out, x, y = followed
        assert out is not None and x is not None and y is not None
        steps = Steps([axis.extent for axis in axes], x, y, out, len(shape))
        dtype = item.value.type.dtype
        tiles = tiling(steps, made, dtype) if item.size <= SERIAL else None
        if tiles is not None:
            multiply(k.f, dtype, pointers, tiles)
            return
        beta = added(k, [axes[a] for a in made.summed], dtype)
        gemm(k.f, dtype, pointers, steps, made, beta)


def added(k: EmitKernel, summed: Sequence[Axis], dtype: str) -> str:
    """Where the factor of the old result is: 0 at the first step of summed loops, then 1."""
    f, t, factor = k.f, TYPES[dtype], number(0.0, dtype)
    for axis in summed:
        first = f(f"icmp eq i64 {k.counters[axis]}, 0")
        factor = f(f"select i1 {first}, {t} {factor}, {t} {number(1.0, dtype)}")
    return kept(f, t, factor)


def gemm(
    f: Function, dtype: str, pointers: Sequence[str], steps: Steps, made: Product, beta: str
) -> None:
    """Row-major ``C = A B`` is column-major ``C' = B' A'``, which is what gemm computes."""
    left, right, result = matrices(steps, made)
    out, x, y = pointers
    m, n, k = (steps.of(axes)[0] for axes in (made.m, made.n, made.k))
    assert result is not None and left is not None and right is not None
    if result.flipped:
        x, y, m, n = y, x, n, m
        left, right = Matrix(not right.flipped, right.step), Matrix(not left.flipped, left.step)
    one = kept(f, TYPES[dtype], number(1.0, dtype))
    arguments = [
        flag(f, right), flag(f, left), size(f, n), size(f, m), size(f, k), one,
        y, size(f, right.step), x, size(f, left.step), beta, out, size(f, result.step),
    ]  # fmt: skip
    f.uses["gemm", dtype] = None
    f.calls += 1
    f.do(f"call void @tracer.gemm.{dtype}({', '.join(f'ptr {a}' for a in arguments)})")


def flag(f: Function, lying: Matrix) -> str:
    return kept(f, "i8", str(ord("T" if lying.flipped else "N")))


def size(f: Function, n: int) -> str:
    return kept(f, "i64", str(n))


def kept(f: Function, type: str, value: str) -> str:
    """The address of a scalar argument, which Fortran passes by reference."""
    pointer = f.alloca(type)
    f.do(f"store {type} {value}, ptr {pointer}")
    return pointer
