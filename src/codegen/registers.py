"""Numbers in registers of LLVM, with the arithmetic that ops are written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen.index import Index
from codegen.text import Function, Kind, kind_of
from ir.program import Value
from ir.record import record
from ir.types import ArrayType

if TYPE_CHECKING:
    from codegen.scalar import EmitKernel


@record
class Register:
    """A number in a register, or a constant; or a vector, of a number for each lane."""

    kernel: EmitKernel
    name: str
    kind: Kind

    @property
    def dtype(self) -> str:
        return self.kind.dtype

    def __add__(self, other: Register) -> Register:
        return self.kernel.call("add", self, other)

    def __sub__(self, other: Register) -> Register:
        return self.kernel.call("sub", self, other)

    def __mul__(self, other: Register) -> Register:
        return self.kernel.call("mul", self, other)

    def __neg__(self) -> Register:
        return self.kernel.call("neg", self)

    def over(self, lanes: int) -> Register:
        """The same number in every lane, unless there is a vector already."""
        if self.kind.lanes == lanes:
            return self
        name = self.kernel.spread(self.name, self.kind, lanes)
        return Register(self.kernel, name, kind_of(self.dtype, lanes))


class Accumulator(Register):
    """The running value of a fold whose steps may be taken in any order, so in vector lanes."""

    __slots__ = ()

    def __add__(self, other: Register) -> Register:
        return self.combine("fadd", "add", other)

    def __mul__(self, other: Register) -> Register:
        return self.combine("fmul", "mul", other)

    def combine(self, on_float: str, on_int: str, other: Register) -> Register:
        f = self.kernel.f
        f.spend(1)
        x, y = together(self, other)
        if on_float == "fadd" and f.contract and y.name in f.products:
            return Register(self.kernel, fused(f, x, *f.products[y.name]), x.kind)
        how = f.freedom(f"{on_float} reassoc") if x.kind.is_float else on_int
        return Register(self.kernel, f(f"{how} {x.kind.t} {x.name}, {y.name}"), x.kind)


def fused(f: Function, total: Register, x: str, y: str, negated: bool) -> str:
    """The total and a product, which is not rounded before if the machine can do that at once."""
    t, name = total.kind.t, f"llvm.fmuladd.{total.kind.suffix}"
    f.declares[f"declare {t} @{name}({t}, {t}, {t})"] = None
    x = f(f"fneg {t} {x}") if negated else x
    return f(f"call {t} @{name}({t} {x}, {t} {y}, {t} {total.name})")


def together(*xs: Register) -> tuple[Register, ...]:
    """All as vectors if one is."""
    lanes = max([x.kind.lanes for x in xs])
    return xs if lanes == 1 else tuple([x.over(lanes) for x in xs])


@record
class EmitSource:
    """An operand whose elements are registers."""

    kernel: EmitKernel
    value: Value

    @property
    def type(self) -> ArrayType:
        return self.value.type

    def __getitem__(self, at: tuple[Index, ...]) -> Register:
        return self.kernel.read(self.value, at)
