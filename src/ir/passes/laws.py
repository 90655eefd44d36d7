"""The laws that ``simplify`` applies: one function each, the law as its docstring.

A law is exact when both sides are the same number for every operand, -0.0, inf and nan included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ir.build import Builder
from ir.op import Op
from ir.ops import (
    Add,
    Broadcast,
    Concatenate,
    Constant,
    Convert,
    Div,
    DotGeneral,
    IntegerPow,
    Iota,
    Mul,
    Neg,
    Not,
    Pad,
    Permute,
    Pow,
    ReduceMax,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Reshape,
    ScatterAdd,
    ScatterUpdate,
    Select,
    Slice,
    SliceAdd,
    SliceUpdate,
    Sub,
)
from ir.program import Equation, Value
from ir.types import ArrayType


class Term:
    """A value seen as the expression that computes it: what a law matches on."""

    __slots__ = ("eq", "made_by", "op", "value")
    __match_args__ = ("op", "args")

    def __init__(self, value: Value, made_by: Mapping[Value, Equation]) -> None:
        self.value, self.made_by = value, made_by
        self.eq = made_by.get(value)
        self.op: Op | None = None if self.eq is None else self.eq.op

    @property
    def args(self) -> tuple[Term, ...]:
        return () if self.eq is None else tuple([Term(v, self.made_by) for v in self.eq.operands])

    @property
    def type(self) -> ArrayType:
        return self.value.type

    def number(self) -> Any:
        """The number in every place, if the value is a constant."""
        op = self.op
        return op.value if isinstance(op, Constant) else None


Law = Callable[..., Value | None]
LAWS: dict[type[Op], list[Law]] = {}
OF: dict[Law, type[Op]] = {}
"""The op that must compute one of the operands, where a law fits no other expression."""
INEXACT: set[Law] = set()


def law(*on: type[Op], of: type[Op] | None = None, exact: bool = True) -> Callable[[Law], Law]:
    """Register a law for expressions whose outermost op is one of ``on``, and whose operands, or
    one of them, ``of`` computes."""

    def declare(f: Law) -> Law:
        for cls in on:
            LAWS.setdefault(cls, []).append(f)
        if of is not None:
            OF[f] = of
        if not exact:
            INEXACT.add(f)
        return f

    return declare


def is_number(t: Term, number: float) -> bool:
    """Whether the term is the constant, its sign of zero included."""
    found = t.number()
    return found is not None and found == number and str(found)[0] == str(type(found)(number))[0]


@law(Add, of=Constant)
def add_negative_zero(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x + (-0.0) = x, and x + 0 = x for integers"""
    zero = -0.0 if x.type.info.kind == "float" else 0
    if is_number(y, zero):
        return x.value
    return y.value if is_number(x, zero) else None


@law(Add, of=Constant, exact=False)
def add_zero(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x + 0.0 = x, but for x = -0.0"""
    if is_number(y, 0.0):
        return x.value
    return y.value if is_number(x, 0.0) else None


@law(Sub, of=Constant)
def subtract_zero(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x - 0.0 = x"""
    return x.value if is_number(y, 0.0) else None


@law(Add, of=Neg)
def add_negated(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x + (-y) = x - y, and (-x) + y = y - x"""
    match x, y:
        case _, Term(Neg(), (z,)):
            return b(Sub(), x.value, z.value)  # type: ignore[no-any-return]
        case Term(Neg(), (z,)), _:
            return b(Sub(), y.value, z.value)  # type: ignore[no-any-return]
    return None


@law(Sub, of=Neg)
def subtract_negated(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x - (-y) = x + y"""
    match y:
        case Term(Neg(), (z,)):
            return b(Add(), x.value, z.value)  # type: ignore[no-any-return]
    return None


@law(Neg, of=Neg)
def double_negation(b: Builder, op: Op, x: Term) -> Value | None:
    """-(-x) = x"""
    match x:
        case Term(Neg(), (y,)):
            return y.value
    return None


@law(Not, of=Not)
def double_complement(b: Builder, op: Op, x: Term) -> Value | None:
    """not (not x) = x"""
    match x:
        case Term(Not(), (y,)):
            return y.value
    return None


@law(Mul, of=Constant)
def multiply_by_one(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x * 1 = x"""
    if is_number(y, 1):
        return x.value
    return y.value if is_number(x, 1) else None


@law(Mul, of=Constant)
def multiply_by_minus_one(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x * -1 = -x"""
    if is_number(y, -1):
        return b(Neg(), x.value)  # type: ignore[no-any-return]
    return b(Neg(), y.value) if is_number(x, -1) else None


@law(Mul, Div, of=Neg)
def signs_cancel(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """(-x) * (-y) = x * y, and likewise for division"""
    match x, y:
        case Term(Neg(), (u,)), Term(Neg(), (v,)):
            return b(op, u.value, v.value)  # type: ignore[no-any-return]
    return None


@law(Div, of=Constant)
def divide_by_one(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x / 1 = x"""
    return x.value if is_number(y, 1) else None


@law(Pow, of=Constant)
def power_of_small_whole_number(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """x ** n is a product for n = 2, and x itself for n = 1"""
    if is_number(y, 1):
        return x.value
    return b(IntegerPow(2), x.value) if is_number(y, 2) else None


@law(IntegerPow)
def first_power(b: Builder, op: Op, x: Term) -> Value | None:
    """x ** 1 = x"""
    return x.value if op is IntegerPow(1) else None


@law(Convert)
def convert_to_itself(b: Builder, op: Convert, x: Term) -> Value | None:
    """converting to the dtype that is there already changes nothing"""
    return x.value if x.type.dtype == op.dtype else None


@law(Select)
def select_known(b: Builder, op: Op, c: Term, x: Term, y: Term) -> Value | None:
    """where(True, x, y) = x; where(False, x, y) = y; where(c, x, x) = x"""
    if x.value is y.value or c.number() is True:
        return x.value
    return y.value if c.number() is False else None


@law(Select, of=Not)
def select_complement(b: Builder, op: Op, c: Term, x: Term, y: Term) -> Value | None:
    """where(not c, x, y) = where(c, y, x)"""
    match c:
        case Term(Not(), (d,)):
            return b(op, d.value, y.value, x.value)  # type: ignore[no-any-return]
    return None


@law(Permute)
def permute_of_permute(b: Builder, op: Permute, x: Term) -> Value | None:
    """two permutations are one, or none at all"""
    if op.perm == tuple(range(len(op.perm))):
        return x.value
    match x:
        case Term(Permute(perm=inner), (y,)):
            return b(Permute(tuple(inner[p] for p in op.perm)), y.value)  # type: ignore[no-any-return]
    return None


@law(Reshape)
def reshape_of_reshape(b: Builder, op: Reshape, x: Term) -> Value | None:
    """the last reshape alone counts, and none is needed for the shape that is there already"""
    if op.shape == x.type.shape:
        return x.value
    match x:
        case Term(Reshape(), (y,)):
            return b(op, y.value)  # type: ignore[no-any-return]
    return None


@law(Broadcast)
def broadcast_of_broadcast(b: Builder, op: Broadcast, x: Term) -> Value | None:
    """two broadcasts are one, and none is needed for the shape that is there already"""
    if op.shape == x.type.shape and op.dims == tuple(range(x.type.rank)):
        return x.value
    match x:
        case Term(Broadcast(dims=inner), (y,)):
            return b(Broadcast(op.shape, tuple(op.dims[d] for d in inner)), y.value)  # type: ignore[no-any-return]
    return None


@law(Broadcast, of=Reshape)
def broadcast_of_unit_reshape(b: Builder, op: Broadcast, x: Term) -> Value | None:
    """axes of size 1 that a reshape put in before a broadcast are left to the broadcast"""
    match x:
        case Term(Reshape(shape=shape), (y,)):
            kept = tuple(d for d, n in zip(op.dims, shape, strict=True) if n != 1)
            if tuple(n for n in shape if n != 1) == y.type.shape:
                return b(Broadcast(op.shape, kept), y.value)  # type: ignore[no-any-return]
    return None


@law(Broadcast, Reshape, Permute, Slice, of=Constant)
def constant_moved(b: Builder, op: Op, x: Term) -> Value | None:
    """a constant spread, reshaped, permuted or cut is a constant"""
    if x.number() is None:
        return None
    moved = op.infer(x.type)
    return b(Constant(x.number(), moved.dtype, moved.shape))  # type: ignore[no-any-return]


@law(Iota)
def count_of_one(b: Builder, op: Iota) -> Value | None:
    """counting along an axis of size 1 gives 0 everywhere"""
    return b(Constant(0, op.dtype, op.shape)) if op.shape[op.axis] == 1 else None


@law(Slice)
def slice_of_everything(b: Builder, op: Slice, x: Term) -> Value | None:
    """a slice that takes everything in order is its operand"""
    if op.sizes == x.type.shape and all(
        n == 1 or (start == 0 and stride == 1)
        for n, start, stride in zip(op.sizes, op.starts, op.strides, strict=True)
    ):
        return x.value
    return None


@law(Slice, of=Slice)
def slice_of_slice(b: Builder, op: Slice, x: Term) -> Value | None:
    """two slices are one"""
    match x:
        case Term(Slice(starts=starts, strides=strides), (y,)):
            first = tuple(s + m * i for s, m, i in zip(starts, strides, op.starts, strict=True))
            step = tuple(m * n for m, n in zip(strides, op.strides, strict=True))
            return b(Slice(first, op.sizes, step), y.value)  # type: ignore[no-any-return]
    return None


@law(Slice, of=Concatenate)
def slice_of_concatenate(b: Builder, op: Slice, x: Term) -> Value | None:
    """a slice that lies within one operand of a concatenate is a slice of that operand"""
    match x:
        case Term(Concatenate(axis=a) as whole, parts):
            assert isinstance(whole, Concatenate)
            ends = (op.starts[a], op.starts[a] + op.strides[a] * (op.sizes[a] - 1))
            starts = whole.starts([p.type for p in parts])
            for part, low, high in zip(parts, starts, starts[1:], strict=False):
                if low <= min(ends) and max(ends) < high:
                    first = (*op.starts[:a], op.starts[a] - low, *op.starts[a + 1 :])
                    return b(Slice(first, op.sizes, op.strides), part.value)  # type: ignore[no-any-return]
    return None


@law(SliceAdd)
def add_everywhere(b: Builder, op: SliceAdd, x: Term, y: Term) -> Value | None:
    """a whole array added everywhere is an addition"""
    whole = y.type == x.type and op is SliceAdd((0,) * y.type.rank, (1,) * y.type.rank)
    return b(Add(), x.value, y.value) if whole else None


@law(SliceUpdate)
def write_everywhere(b: Builder, op: SliceUpdate, x: Term, y: Term) -> Value | None:
    """a whole array written everywhere is what stays"""
    whole = y.type == x.type and op is SliceUpdate((0,) * y.type.rank, (1,) * y.type.rank)
    return y.value if whole else None


@law(SliceAdd, SliceUpdate, ScatterAdd, ScatterUpdate)
def update_by_nothing(b: Builder, op: Op, x: Term, y: Term, *indices: Term) -> Value | None:
    """an update by no element changes nothing"""
    return None if y.type.size else x.value


@law(Concatenate)
def concatenate_of_one(b: Builder, op: Op, *xs: Term) -> Value | None:
    """one operand alone is already end to end; empty operands add nothing"""
    full = [x for x in xs if x.type.size] or list(xs)
    if len(full) == 1:
        return full[0].value
    return b(op, *[x.value for x in full]) if len(full) < len(xs) else None


@law(Pad)
def pad_by_nothing(b: Builder, op: Pad, x: Term) -> Value | None:
    """padding by nothing changes nothing"""
    return None if any((*op.before, *op.after)) else x.value


@law(ReduceProd, ReduceMax, ReduceMin)
def reduce_no_axis(b: Builder, op: ReduceProd, x: Term) -> Value | None:
    """folding no axis is the identity; folding axes of size 1 is a reshape"""
    if any(x.type.shape[a] != 1 for a in op.axes):
        return None
    return b(Reshape(op.infer(x.type).shape), x.value)  # type: ignore[no-any-return]


@law(ReduceSum)
def sum_of_one(b: Builder, op: ReduceSum, x: Term) -> Value | None:
    """the sum of one number is that number plus the 0.0 that sums begin with, so never -0.0"""
    if any(x.type.shape[a] != 1 for a in op.axes):
        return None
    y = b(Reshape(op.infer(x.type).shape), x.value)
    return b(Add(), y, b(Constant(0, y.type.dtype, y.type.shape)))  # type: ignore[no-any-return]


@law(DotGeneral, of=Permute)
def contract_permuted(b: Builder, op: DotGeneral, x: Term, y: Term) -> Value | None:
    """a contraction reads its operands in any order, so a permuted one is read unpermuted where
    the result's axes stay in order"""
    for side, operand in enumerate((x, y)):
        match operand:
            case Term(Permute(perm=perm), (inner,)):
                free = [perm[d] for d in op.free(side, len(perm))]
                if free != sorted(free):
                    continue
                roles = [list(op.contract), list(op.batch)]
                for axes in roles:
                    axes[side] = tuple(perm[d] for d in axes[side])
                values = [x.value, y.value]
                values[side] = inner.value
                contract, shared = (tuple(axes) for axes in roles)
                return b(DotGeneral(contract, shared), *values)  # type: ignore[no-any-return, arg-type]
    return None
