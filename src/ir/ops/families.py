"""Rules that a whole family of ops shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ir import ops
from ir.build import Builder
from ir.errors import require
from ir.op import Array, Op, Tangent
from ir.program import Value
from ir.scalar import Index, Kernel, Scalar, Source
from ir.types import ArrayType


def add_up(b: Builder, terms: Sequence[Tangent]) -> Tangent:
    """The sum of the terms that are not None; None, the symbolic zero, when there are none."""
    total: Tangent = None
    for term in terms:
        if term is not None:
            total = term if total is None else b(ops.Add(), total, term)
    return total


def full(b: Builder, number: float, like: ArrayType) -> Value:
    """A constant of the given type."""
    value: Value = b(ops.Constant(number, like.dtype, like.shape))
    return value


def zeros(b: Builder, like: ArrayType) -> Value:
    return full(b, 0, like)


def reciprocal(b: Builder, x: Value, scale: float = 1.0) -> Value:
    """``scale / x``"""
    made: Value = b(ops.Div(), full(b, scale, x.type), x)
    return made


def spread(b: Builder, x: Value, shape: tuple[int, ...], dims: Sequence[int]) -> Value:
    """Broadcast, unless that would change nothing."""
    if x.type.shape == shape and tuple(dims) == tuple(range(len(shape))):
        return x
    value: Value = b(ops.Broadcast(shape, tuple(dims)), x)
    return value


def batched(b: Builder, size: int, x: Value, mapped: bool) -> Value:
    """The operand with a leading batch axis, repeated along it if it has none yet."""
    if mapped:
        return x
    constant = b.constants.get(x)
    if isinstance(constant, ops.Constant):
        return full(b, constant.value, x.type.batched(size))
    return spread(b, x, (size, *x.type.shape), range(1, x.type.rank + 1))


class Elementwise(Op):
    """One result element from the operands' elements at the same index."""

    arity: ClassVar[int] = 2
    """The number of operands."""

    kinds: ClassVar[tuple[str, ...]] = ("float",)
    """The kinds of dtype the op accepts."""

    returns: ClassVar[str | None] = None
    """The result's dtype where it is not the operands'."""

    function: ClassVar[str] = ""
    """The scalar function that computes an element; the mnemonic unless stated."""

    numpy: ClassVar[Callable[..., Any]]
    """The NumPy function the op means; ``reference`` calls it."""

    partials: ClassVar[Callable[..., tuple[Tangent, ...]]]
    """The derivative with respect to each operand, element by element; ``jvp`` follows from it."""

    def infer(self, *xs: ArrayType) -> ArrayType:
        if len(xs) != self.arity:
            require(False, self, "wrong number of operands", given=len(xs), needed=self.arity)
        first = xs[0]
        for x in xs:
            if x is not first and x != first:
                require(False, self, "operands differ in type", operands=[str(t) for t in xs])
        if first.info.kind not in self.kinds:
            require(False, self, f"needs a dtype of kind {' or '.join(self.kinds)}", operand=first)
        return first if self.returns is None else first.with_dtype(self.returns)

    def reference(self, *xs: Array) -> Array:
        found: Array = type(self).numpy(*xs)
        return found

    def element(self, k: Kernel, at: Index, *xs: Source) -> Scalar:
        made: Scalar = k.call(self.function or self.mnemonic, *[x[at] for x in xs])
        return made

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        if not self.differentiable:
            return None
        wanted = tuple(t is not None for t in ts)
        slopes = self.partials(b, y, *xs, wanted=wanted)
        return add_up(
            b,
            [
                None if t is None or slope is None else b(ops.Mul(), t, slope)
                for t, slope in zip(ts, slopes, strict=True)
            ],
        )

    def vmap(self, b: Builder, size: int, xs: Sequence[Value], mapped: Sequence[bool]) -> Value:
        made: Value = b(self, *[batched(b, size, x, m) for x, m in zip(xs, mapped, strict=True)])
        return made


class Unary(Elementwise):
    """An elementwise function of one operand: its one partial is ``slope``."""

    arity = 1

    slope: ClassVar[Callable[..., Value]]
    """The derivative at x, given ``(b, y, x)``."""

    def partials(
        self, b: Builder, y: Value, x: Value, wanted: Sequence[bool]
    ) -> tuple[Tangent, ...]:
        return (self.slope(b, y, x),)


class Linear(Op):
    """Linear in the operands ``linear_in`` together: its tangent map is itself."""

    linear_in: ClassVar[Sequence[int]] = (0,)

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        moved = list(xs)
        for i in self.linear_in:
            t = ts[i]
            moved[i] = zeros(b, xs[i].type) if t is None else t
        made: Value = b(self, *moved)
        return made


class Movement(Linear):
    """A map from result index to operand index; no arithmetic."""

    movement = True
    cost = 0


class Bilinear(Op):
    """Linear in each operand when the other is held fixed."""

    linear_in = (0, 1)
    bilinear = True

    def jvp(self, b: Builder, y: Value, xs: Sequence[Value], ts: Sequence[Tangent]) -> Tangent:
        (x1, x2), (t1, t2) = xs, ts
        return add_up(
            b,
            [
                None if t1 is None else b(self, t1, x2),
                None if t2 is None else b(self, x1, t2),
            ],
        )
