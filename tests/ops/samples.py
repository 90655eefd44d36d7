"""The one table of samples: every op, with parameters, operand types and what to feed it.

Each row is a program of one equation. ``tests.ops.test_rules`` and ``test_compiled`` hold every
rule of the op against it, so a new op is one class and a few rows here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from zlib import crc32

import numpy as np

from ir import ops
from ir.build import Builder
from ir.op import Array, Op
from ir.parser import parse_program, parse_type
from ir.program import Program
from ir.types import ArrayType, type_of
from ir.verify import verify


def special(dtype: str) -> Array:
    """The numbers that arithmetic treats in ways of their own: ±0, ±inf, nan, denormal, huge."""
    if dtype == "bool":
        return np.array([False, True])
    numpy = parse_type(f"{dtype}[]").numpy
    if dtype.startswith("i"):
        limits = np.iinfo(numpy)  # type: ignore[type-var]
        width = limits.bits
        return np.array([limits.min, limits.max, 0, 1, -1, 7, -3, width - 1, width], numpy)
    limit = np.finfo(numpy)  # type: ignore[type-var]
    finite = [0.0, limit.smallest_subnormal, limit.tiny, limit.max, 1.0, 0.5, 2.5, 3.0, 1e-3, 710.0]
    return np.array(
        [*finite, *(-x for x in finite), np.inf, -np.inf, np.nan, 1.0 + limit.eps], numpy
    )


@dataclass(frozen=True)
class Sample:
    """An op, its operands' types, and the domain that random operands are drawn from.

    ``values`` are operands to use instead of random ones; ``smooth`` is False where the derivative
    has a kink among them, or where finite differences mean nothing.
    """

    op: Op
    types: tuple[ArrayType, ...]
    low: float = -2.0
    high: float = 2.0
    places: tuple[int, int] = (-5, 5)
    values: tuple[Array, ...] = ()
    smooth: bool = True
    note: str = ""
    bodies: tuple[Program, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return " ".join([str(self.op), *map(str, self.types), self.note]).strip()

    @property
    def program(self) -> Program:
        """The op applied to parameters."""
        b = Builder()
        made = b(self.op, *[b.param(t) for t in self.types], bodies=self.bodies)
        results = made if isinstance(made, tuple) else (made,)
        return verify(b.finish(*results))

    def inputs(self, seed: int = 0, lead: tuple[int, ...] = ()) -> list[Array]:
        """Operands; ``lead`` puts axes before those of the types."""
        if self.values:
            return [np.broadcast_to(v, (*lead, *v.shape)).copy() for v in self.values]
        rng = np.random.default_rng([crc32(str(self).encode()), seed])
        return [self.draw(rng, ArrayType(t.dtype, (*lead, *t.shape))) for t in self.types]

    def draw(self, rng: np.random.Generator, t: ArrayType) -> Array:
        if t.info.kind == "float":
            return rng.uniform(self.low, self.high, t.shape).astype(t.numpy)
        if t.info.kind == "int":
            return rng.integers(*self.places, t.shape, endpoint=True).astype(t.numpy)
        return np.asarray(rng.integers(0, 2, t.shape).astype(bool))

    @property
    def floats(self) -> bool:
        """Whether some operand is f64 and every float operand is: derivatives are compared."""
        dtypes = {t.dtype for t in self.types}
        return "f64" in dtypes and "f32" not in dtypes


def rows(op: Op, *signatures: str, **more: object) -> Iterator[Sample]:
    """A sample for each signature, operand types with blanks between."""
    for signature in signatures:
        yield Sample(op, tuple(parse_type(t) for t in signature.split()), **more)  # type: ignore[arg-type]


def given(op: Op, *values: Array, note: str = "given", **more: object) -> Sample:
    """A sample on these very operands."""
    more = {"smooth": False, **more}
    return Sample(op, tuple(map(type_of, values)), values=values, note=note, **more)  # type: ignore[arg-type]


def grid(op: Op, *dtypes: str, arity: int) -> Iterator[Sample]:
    """The op on every combination of special numbers."""
    for dtype in dtypes:
        combinations = np.array(list(product(special(dtype), repeat=arity)), special(dtype).dtype)
        yield given(op, *np.ascontiguousarray(combinations.T), note="special")


def unary() -> Iterator[Sample]:
    domains = {
        ops.Exp(): (-2, 2), ops.Exp2(): (-2, 2), ops.Expm1(): (-2, 2), ops.Log(): (0.3, 3),
        ops.Log2(): (0.3, 3), ops.Log10(): (0.3, 3), ops.Log1p(): (-0.6, 2), ops.Sqrt(): (0.3, 3),
        ops.Cbrt(): (0.3, 3), ops.Logistic(): (-3, 3), ops.Erf(): (-2, 2), ops.Erfc(): (-2, 2),
        ops.Erfinv(): (-0.8, 0.8), ops.Sin(): (-4, 4), ops.Cos(): (-4, 4), ops.Tan(): (-1, 1),
        ops.Arcsin(): (-0.8, 0.8), ops.Arccos(): (-0.8, 0.8), ops.Arctan(): (-3, 3),
        ops.Sinh(): (-2, 2), ops.Cosh(): (-2, 2), ops.Tanh(): (-2, 2), ops.Arcsinh(): (-3, 3),
        ops.Arccosh(): (1.3, 4), ops.Arctanh(): (-0.8, 0.8), ops.Neg(): (-2, 2), ops.Abs(): (-2, 2),
        ops.Sign(): (-2, 2), ops.Floor(): (-9, 9), ops.Ceil(): (-9, 9), ops.Trunc(): (-9, 9),
        ops.Rint(): (-9, 9), ops.IsFinite(): (-2, 2), ops.IntegerPow(2): (-2, 2),
        ops.IntegerPow(3): (-2, 2), ops.IntegerPow(7): (-1.5, 1.5), ops.IntegerPow(-2): (0.5, 2),
        ops.IntegerPow(-1): (-2, -0.5), ops.IntegerPow(0): (-2, 2), ops.IntegerPow(1): (-2, 2),
    }  # fmt: skip
    for op, (low, high) in domains.items():
        yield from rows(op, "f64[]", "f64[2,3]", "f64[0]", "f32[5]", low=low, high=high)
        yield from grid(op, "f64", "f32", arity=1)
    yield from rows(ops.Cbrt(), "f64[4]", low=-3, high=-0.3)
    yield from rows(ops.Exp(), "f64[2,1,3]", "f64[2,0,3]")
    for op in (ops.Neg(), ops.Abs(), ops.Sign(), ops.IntegerPow(2), ops.IntegerPow(5)):
        yield from rows(op, "i64[2,3]", "i32[4]", "i32[]")
        yield from grid(op, "i64", "i32", arity=1)
    yield from rows(ops.IntegerPow(0), "i64[3]")
    yield from rows(ops.Not(), "bool[3]", "bool[]", "i32[2,3]", "i64[4]")
    yield from grid(ops.Not(), "bool", "i32", "i64", arity=1)
    yield given(ops.Rint(), np.array([-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5]), note="halves")
    yield from rows(ops.StopGradient(), "f64[3]", "f32[]", "i32[2]", "bool[2,2]", smooth=False)


def binary() -> Iterator[Sample]:
    domains = {
        ops.Add(): (-2, 2), ops.Sub(): (-2, 2), ops.Mul(): (-2, 2), ops.Div(): (0.5, 2),
        ops.FloorDivide(): (0.5, 9), ops.Remainder(): (0.5, 9), ops.Fmod(): (0.5, 9),
        ops.CopySign(): (-2, 2), ops.Pow(): (0.4, 2), ops.Maximum(): (-2, 2), ops.Hypot(): (0.3, 2),
        ops.Minimum(): (-2, 2), ops.Arctan2(): (-2, 2), ops.Equal(): (-2, 2), ops.Less(): (-2, 2),
        ops.NotEqual(): (-2, 2), ops.LessEqual(): (-2, 2), ops.Greater(): (-2, 2),
        ops.GreaterEqual(): (-2, 2), ops.LogAddExp(): (-2, 2), ops.LogAddExp2(): (-2, 2),
    }  # fmt: skip
    for op, (low, high) in domains.items():
        shapes = ("[]", "[2,3]", "[2,0]", "[2,1,3]")
        yield from rows(
            op, *[f"f64{s} f64{s}" for s in shapes], "f32[5] f32[5]", low=low, high=high
        )
        yield from grid(op, "f64", "f32", arity=2)
        if "int" in op.kinds:
            yield from rows(op, "i64[2,3] i64[2,3]", "i32[4] i32[4]", "i32[] i32[]")
            yield from grid(op, "i64", "i32", arity=2)
        if "bool" in op.kinds:
            yield from rows(op, "bool[2,3] bool[2,3]", "bool[] bool[]")
            yield from grid(op, "bool", arity=2)
    for op in (ops.Div(), ops.Remainder(), ops.Fmod(), ops.FloorDivide()):
        yield from rows(op, "f64[7] f64[7]", low=-9, high=-0.5)
    for op in (ops.And(), ops.Or(), ops.Xor()):
        yield from rows(
            op, "bool[2,3] bool[2,3]", "i64[4] i64[4]", "i32[] i32[]", "bool[0] bool[0]"
        )
        yield from grid(op, "bool", "i64", "i32", arity=2)
    for op in (ops.ShiftLeft(), ops.ShiftRight()):
        yield from rows(op, "i64[2,3] i64[2,3]", "i32[4] i32[4]", places=(0, 9))
        yield from grid(op, "i64", "i32", arity=2)


def choice() -> Iterator[Sample]:
    for dtype in ("f64", "f32", "i64", "i32", "bool"):
        yield from rows(ops.Select(), f"bool[2,3] {dtype}[2,3] {dtype}[2,3]")
    yield from rows(ops.Select(), "bool[] f64[] f64[]", "bool[0] f64[0] f64[0]")
    yield given(ops.Select(), *np.broadcast_arrays(np.array([[True], [False]]),
                special("f64"), special("f64")[::-1]), note="special")  # fmt: skip


def sources() -> Iterator[Sample]:
    for value in (0.0, -0.0, float("nan"), float("inf"), -float("inf"), 0.1, 5e-324, 1e308):
        yield from rows(ops.Constant(value, "f64", (2,)), "")
    for op in (
        ops.Constant(1.5), ops.Constant(0.1, "f32", (2, 3)), ops.Constant(True, "bool", (2,)),
        ops.Constant(-(2**63), "i64"), ops.Constant(7, "i32", (0,)), ops.Constant(1, "f64"),
        ops.Literal((1.0, -0.0, float("nan")), "f64", (3,)), ops.Literal((), "f32", (0, 2)),
        ops.Literal((0.1, float("-inf")), "f32", (2, 1)), ops.Literal((True, False), "bool", (2,)),
        ops.Literal((5,), "i64", ()), ops.Literal(tuple(range(6)), "i32", (1, 2, 3)),
        ops.Iota("f64", (4,)), ops.Iota("f32", (2, 3), 1), ops.Iota("i64", (2, 3)),
        ops.Iota("i32", (2, 1, 3), 2), ops.Iota("i64", (0,)), ops.Iota("f64", (3, 0)),
        ops.UnitArrays("f64", (3, 3)), ops.UnitArrays("f32", (6, 2, 3)),
        ops.UnitArrays("f64", (1,)), ops.UnitArrays("f64", (0, 3)),
        ops.UnitArrays("f64", (20, 4, 5)), ops.UnitArrays("f32", (2, 9), 5),
        ops.UnitArrays("f64", (7, 3, 4), 5), ops.UnitArrays("i64", (4, 4)),
    ):  # fmt: skip
        yield from rows(op, "")


def conversions() -> Iterator[Sample]:
    for source, target in product(("f64", "f32", "i64", "i32", "bool"), repeat=2):
        op = ops.Convert(target)
        smooth = target == "f64"  # rounding to f32 is rougher than a finite difference
        yield from rows(op, f"{source}[2,3]", f"{source}[]", low=-90, high=90, smooth=smooth)
        if not (source.startswith("f") and target.startswith("i")):  # C leaves those undefined
            yield from grid(op, source, arity=1)


def movements() -> Iterator[Sample]:
    for dtype in ("f64", "f32", "i64", "i32", "bool"):
        yield from rows(ops.Broadcast((4, 3), (1,)), f"{dtype}[3]")
        yield from rows(ops.Permute((2, 0, 1)), f"{dtype}[2,3,4]")
        yield from rows(ops.Reshape((3, 4)), f"{dtype}[2,6]")
        yield from rows(ops.Pad((1, 0), (0, 2)), f"{dtype}[2,3]")
        yield from rows(ops.Concatenate(), f"{dtype}[2,3] {dtype}[1,3]")
        yield from rows(ops.Slice((3, 0), (2, 2), (-2, 1)), f"{dtype}[4,3]")
    yield from rows(ops.Broadcast((2, 3, 4), (0, 2)), "f64[2,4]")
    yield from rows(ops.Broadcast((2, 3), ()), "f64[]")
    yield from rows(ops.Broadcast((2, 3), (0, 1)), "f64[2,3]")
    yield from rows(ops.Broadcast((0, 3), (1,)), "f64[3]")
    yield from rows(ops.Broadcast((2, 0), (1,)), "f64[0]")
    yield from rows(ops.Broadcast((), ()), "f64[]")
    yield from rows(ops.Permute(()), "f64[]")
    yield from rows(ops.Permute((1, 0)), "f64[2,3]", "f64[0,3]")
    yield from rows(ops.Permute((0, 2, 1)), "f64[2,3,4]")
    yield from rows(ops.Reshape(()), "f64[1,1]", "f64[]")
    yield from rows(ops.Reshape((1, 1)), "f64[]")
    yield from rows(ops.Reshape((4, 1, 3)), "f64[2,2,3]", "f64[12]")
    yield from rows(ops.Reshape((0, 5)), "f64[2,0]")
    yield from rows(ops.Pad((0,), (0,)), "f64[3]")
    yield from rows(ops.Pad((2,), (1,)), "f64[0]", "f64[3]")
    yield from rows(ops.Pad((), ()), "f64[]")
    yield from rows(ops.Pad((0, 1, 0), (1, 0, 0)), "f64[2,1,3]")
    yield from rows(ops.Concatenate(), "f64[3]", "f64[0] f64[2]", "f64[2] f64[0] f64[1] f64[3]")
    yield from rows(ops.Concatenate(1), "f64[2,1] f64[2,3] f64[2,2]", "f64[0,1] f64[0,2]")
    yield from rows(ops.Concatenate(2), "f64[2,1,3] f64[2,1,1]")
    yield given(ops.Concatenate(), special("f64"), special("f64")[::-1].copy(), note="special")
    yield from rows(ops.Slice((), (), ()), "f64[]")
    yield from rows(ops.Slice((1,), (0,), (1,)), "f64[3]")
    yield from rows(ops.Slice((0,), (0,), (1,)), "f64[0]")
    yield from rows(ops.Slice((4,), (5,), (-1,)), "f64[5]")
    yield from rows(ops.Slice((1,), (3,), (2,)), "f64[6]")
    yield from rows(ops.Slice((1, 2, 0), (1, 2, 2), (1, -2, 3)), "f64[2,3,4]")


def updates() -> Iterator[Sample]:
    for dtype in ("f64", "f32", "i64", "i32", "bool"):
        yield from rows(ops.SliceUpdate((3, 0), (-2, 1)), f"{dtype}[4,3] {dtype}[2,2]")
        yield from rows(ops.ScatterUpdate((0,)), f"{dtype}[3] {dtype}[7] i64[7]", places=(0, 2))
    yield from rows(ops.SliceUpdate((0,), (1,)), "f64[3] f64[3]", "f64[3] f64[0]", "f64[0] f64[0]",
                    "f64[30] f64[20]", "bool[30] bool[1]")  # fmt: skip
    yield from rows(ops.SliceUpdate((), ()), "f64[] f64[]", "bool[] bool[]")
    yield from rows(ops.SliceUpdate((4,), (-1,)), "f64[5] f64[5]", "f64[5] f64[2]")
    yield from rows(ops.SliceUpdate((1, 0, 1), (1, 1, 2)), "f64[2,3,4] f64[1,2,2]")
    zeros = np.array([0.0, -0.0, np.nan, np.inf])
    yield given(ops.SliceUpdate((0,), (1,)), zeros, zeros[::-1].copy(), note="special")
    yield from rows(ops.ScatterUpdate((0,)), "f64[4] f64[] i64[]", "f64[4] f64[2,3] i32[2,3]",
                    "f64[4,3] f64[5,3] i64[5]", "f64[4] f64[0] i64[0]",
                    "f64[40] f64[60] i64[60]")  # fmt: skip
    yield from rows(ops.ScatterUpdate((1,)), "f64[4,3] f64[2,4] i64[2]")
    yield from rows(ops.ScatterUpdate((0, 1)), "f64[4,3] f64[5] i64[5] i64[5]")
    yield from rows(ops.ScatterUpdate((0, 2)), "f64[2,3,4] f64[3,3] i64[3] i64[3]")
    yield from rows(ops.ScatterUpdate((1,), 1), "f64[2,5] f64[2] i64[2]",
                    "f64[2,5] f64[2,4] i64[2,4]", "f64[2,5,3] f64[2,4,3] i64[2,4]",
                    "f64[2,5] f64[2,1] i64[2,1]")  # fmt: skip
    yield from rows(ops.ScatterUpdate((2,), 2), "f64[2,3,5] f64[2,3,4] i64[2,3,4]")
    duplicates = np.array([[1, 1, 1, 0], [2, 2, 0, 2]])
    yield given(ops.ScatterUpdate((1,), 1), np.ones((2, 3)), np.arange(8.0).reshape(2, 4),
                duplicates, note="duplicates", smooth=True)  # fmt: skip
    far = np.array([-(2**63), 2**63 - 1, -1, 4, 3, 0])
    yield given(ops.ScatterUpdate((0,)), np.ones(4), np.arange(6.0), far, note="clamped",
                smooth=True)  # fmt: skip


def indexings() -> Iterator[Sample]:
    for dtype in ("f64", "f32", "i64", "i32"):
        yield from rows(ops.SliceAdd((3, 0), (-2, 1)), f"{dtype}[4,3] {dtype}[2,2]")
        yield from rows(ops.ScatterAdd((0,)), f"{dtype}[3] {dtype}[7] i64[7]", places=(0, 2))
    for dtype in ("f64", "f32", "i64", "i32", "bool"):
        yield from rows(ops.Gather((0,)), f"{dtype}[4,2] i64[3]", places=(0, 3))
    yield from rows(ops.SliceAdd((0,), (1,)), "f64[3] f64[3]", "f64[3] f64[0]", "f64[0] f64[0]")
    yield from rows(ops.SliceAdd((), ()), "f64[] f64[]")
    yield from rows(ops.SliceAdd((4,), (-1,)), "f64[5] f64[5]", "f64[5] f64[2]")
    yield from rows(ops.SliceAdd((1, 0, 1), (1, 1, 2)), "f64[2,3,4] f64[1,2,2]")
    yield from rows(ops.Gather((0,)), "f64[4] i64[]", "f64[4] i32[2,3]", "f64[4,3] i64[5]",
                    "f64[4,0] i64[2]", "f64[4] i64[0]", "f64[0] i64[0]",
                    "f64[2,3,4] i64[2]")  # fmt: skip
    yield from rows(ops.Gather((1,)), "f64[4,3] i64[2]", "f64[2,3,4] i32[2,2]")
    yield from rows(ops.Gather((0, 1)), "f64[4,3] i64[5] i64[5]", "f64[2,3,4] i32[2] i64[2]")
    yield from rows(ops.Gather((0, 2)), "f64[2,3,4] i64[3] i64[3]")
    yield from rows(
        ops.Gather((1,), 1), "f64[2,5] i64[2]", "f64[2,5] i64[2,3]", "f64[2,5,3] i64[2,4]"
    )
    yield from rows(ops.Gather((2,), 1), "f64[2,3,5] i64[2,4]")
    yield from rows(ops.Gather((2,), 2), "f64[2,3,5] i64[2,3]", "f64[2,3,5] i64[2,3,1]")
    yield from rows(ops.Gather((1, 2), 1), "f64[2,3,5] i64[2,4] i64[2,4]")
    far = np.array([-(2**63), 2**63 - 1, -1, 4, 3, 0])
    yield given(ops.Gather((0,)), np.arange(4.0), far, note="clamped", smooth=True)
    yield from rows(ops.ScatterAdd((0,)), "f64[4] f64[] i64[]", "f64[4] f64[2,3] i32[2,3]",
                    "f64[4,3] f64[5,3] i64[5]", "f64[4] f64[0] i64[0]")  # fmt: skip
    yield from rows(ops.ScatterAdd((1,)), "f64[4,3] f64[2,4] i64[2]")
    yield from rows(ops.ScatterAdd((0, 1)), "f64[4,3] f64[5] i64[5] i64[5]")
    yield from rows(ops.ScatterAdd((0, 2)), "f64[2,3,4] f64[3,3] i64[3] i64[3]")
    yield from rows(ops.ScatterAdd((1,), 1), "f64[2,5] f64[2] i64[2]", "f64[2,5] f64[2,4] i64[2,4]",
                    "f64[2,5,3] f64[2,4,3] i64[2,4]")  # fmt: skip
    yield from rows(ops.ScatterAdd((2,), 2), "f64[2,3,5] f64[2,3,4] i64[2,3,4]")
    duplicates = np.array([[1, 1, 1, 0], [2, 2, 0, 2]])
    yield given(ops.ScatterAdd((1,), 1), np.ones((2, 3)), np.arange(8.0).reshape(2, 4), duplicates,
                note="duplicates", smooth=True)  # fmt: skip


def reductions() -> Iterator[Sample]:
    for cls in (ops.ReduceSum, ops.ReduceProd, ops.ReduceMax, ops.ReduceMin):
        yield from rows(cls((0,)), "f64[4]", "f64[2,3]", "f32[5]", "i64[2,3]", "i32[4]", "f64[2,0]")
        yield from rows(cls((1,)), "f64[2,3]", "f64[2,3,4]", "f64[1,1]")
        yield from rows(cls((0, 2)), "f64[2,3,4]", "f32[2,3,4]", "i64[2,1,3]")
        yield from rows(cls((2, 0)), "f64[2,3,4]")
        yield from rows(cls((0, 1)), "f64[2,3]", "i32[2,3]")
        yield from rows(cls(()), "f64[]", "f64[3]")
        zeros = np.array([[-0.0, -0.0], [0.0, -0.0], [-0.0, 0.0], [0.0, 0.0]])
        yield given(cls((1,)), zeros, note="zeros of both signs")
        yield given(cls((0,)), zeros, note="zeros of both signs")
        yield given(cls((0,)), -np.zeros((1, 3)), note="one zero")
        pairs = np.stack(np.meshgrid(special("f64"), special("f64")), 2).reshape(-1, 2)
        yield given(cls((1,)), pairs, note="special")
    for cls in (ops.ReduceSum, ops.ReduceProd):
        yield from rows(cls((0,)), "f64[0]", "f64[0,3]", "i64[0]", "f32[0]")
        yield from rows(cls((1,)), "f64[2,0]", "f64[2,0,3]")
        yield from rows(cls((0,)), "f64[3000]", "f32[3000]", low=-1.001, high=1.001, smooth=False)
    yield given(ops.ReduceProd((1,)), np.array([[0.0, 2, 3], [0, 0, 3], [1, 2, 0]]), note="zeros",
                smooth=True)  # fmt: skip
    for cls in (ops.ReduceMax, ops.ReduceMin):
        yield from rows(cls((0,)), "bool[3]", "bool[2,3]")
        yield from rows(cls((1,)), "bool[2,3]")
        yield given(cls((1,)), np.array([[1.0, 3, 3], [2, 2, 2], [1, 1, 5]]), note="ties")
        yield given(cls((0,)), np.array([1.0, np.nan, 3]), note="nan")
        yield given(cls((0,)), np.array([-np.inf, -np.inf]), note="infinite")
    for cls in (ops.ArgMax, ops.ArgMin):
        yield from rows(cls(0), "f64[4]", "f32[5]", "i64[2,3]", "i32[4]", "bool[4]", "f64[2,0]")
        yield from rows(cls(1), "f64[2,3]", "f64[2,3,4]", "bool[2,3]", "i32[2,1]")
        yield from rows(cls(2), "f64[2,3,4]")
        tied = np.array([[1.0, 3, 3], [2, 2, 2], [1, 1, 5], [-0.0, 0.0, -0.0]])
        yield given(cls(1), tied, note="ties")
        nans = np.array([[np.nan, 1, np.nan], [np.inf, np.nan, np.nan], [1, -np.inf, np.inf]])
        yield given(cls(1), nans, note="nan")
        edges = np.array([[-np.inf, -np.inf], [np.inf, np.inf], [np.inf, -np.inf]])
        yield given(cls(1), edges, note="infinite")
        yield given(cls(0), np.array([-(2**63), -(2**63), 2**63 - 1]), note="limits")
    for reverse in (False, True):
        yield from rows(ops.CumSum(0, reverse), "f64[4]", "f64[0]", "f64[3,2]", "f32[5]", "i64[4]",
                        "i32[2,3]", "f64[1]")  # fmt: skip
        yield from rows(ops.CumSum(1, reverse), "f64[2,3]", "f64[2,0]", "f64[2,3,4]")
        yield from rows(ops.CumSum(2, reverse), "f64[2,3,4]")
        yield given(ops.CumSum(0, reverse), np.array([1.0, np.inf, 2, np.nan]), note="nan")
        yield given(ops.CumSum(0, reverse), np.array([-0.0, -0.0, 0.0, -0.0]), note="zeros")


def contractions() -> Iterator[Sample]:
    dot = ops.DotGeneral
    for dtype in ("f64", "f32", "i64", "i32"):
        yield from rows(dot(((1,), (0,))), f"{dtype}[4,3] {dtype}[3,2]")
    yield from rows(dot(((1,), (0,))), "f64[4,3] f64[3]", "f64[2,0] f64[0,3]", "f64[0,3] f64[3,2]")
    yield from rows(dot(((0,), (0,))), "f64[3] f64[3]", "f64[3] f64[3,4]", "f64[0] f64[0]")
    yield from rows(dot(((0,), (1,))), "f64[3,2] f64[4,3]")
    yield from rows(dot(((1,), (1,))), "f64[2,3] f64[4,3]")
    yield from rows(dot(((), ())), "f64[3] f64[4]", "f64[] f64[]", "f64[2,3] f64[]", "f64[] f64[2]")
    yield from rows(dot(((), ()), ((0,), (0,))), "f64[3] f64[3]", "f64[2,3] f64[2,4]")
    yield from rows(
        dot(((2,), (1,)), ((0,), (0,))), "f64[2,3,4] f64[2,4,5]", "f32[2,3,4] f32[2,4,5]"
    )
    yield from rows(dot(((2, 1), (0, 2)), ((0,), (1,))), "f64[2,3,4] f64[4,2,3,5]")
    yield from rows(dot(((0, 1), (1, 0))), "f64[2,3] f64[3,2]")
    yield from rows(dot(((1,), (1,)), ((2, 0), (0, 2))), "f64[2,4,3] f64[3,4,2]")
    yield from rows(dot(((1,), (0,)), ((), ())), "f64[40,30] f64[30,50]", "f64[1,1] f64[1,1]")
    yield from rows(dot(((2,), (2,)), ((1,), (0,))), "f64[3,2,4] f64[2,5,4]")
    yield given(dot(((1,), (0,))), -np.zeros((2, 3)), np.ones((3, 2)), note="zeros")
    yield given(dot(((), ())), np.array([-0.0, 1]), np.array([0.0, -1, 2]), note="zeros")


BODY = """
program twice_and_sum(%0: f64[3], %1: f64[]) {
  %2: f64[3] = exp %0
  %3: f64[3] = broadcast[shape=(3,), dims=()] %1
  %4: f64[3] = mul %2, %3
  return %4, %1
}"""


def controls() -> Iterator[Sample]:
    body = (parse_program(BODY),)
    yield from rows(ops.Call(), "f64[3] f64[]", bodies=body)
    empty = (parse_program("program nothing() {\n  return\n}"),)
    yield from rows(ops.Call(), "", bodies=empty)
    yield from rows(
        ops.Barrier(), "f64[3] f64[]", "f64[2,3] i64[4]", "i32[] f32[2]", "bool[2] f64[2]"
    )
    yield given(ops.Guard(), np.array(True))
    yield given(ops.Guard(False), np.array(False))
    yield given(ops.Check("an index is out of range"), np.array(True))
    yield given(ops.Check('it\'s "quoted" [\\n', "ValueError"), np.array(True))


SAMPLES: tuple[Sample, ...] = tuple(
    sample
    for family in (
        unary, binary, choice, sources, conversions, movements, indexings, updates, reductions,
        contractions, controls,
    )
    for sample in family()
)  # fmt: skip

COMPUTED = tuple(s for s in SAMPLES if s.op.pure and not s.bodies)
"""Samples whose op computes results by itself."""
