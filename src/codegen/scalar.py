"""The element language spoken in LLVM: numbers are registers, indices are loop counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from codegen.access import Within, within
from codegen.functions import FUNCTIONS, convert
from codegen.index import Affine, Axis, Data, Index, Quotient, bounds, flat
from codegen.inlining import Inlining
from codegen.memory import Buffer
from codegen.text import MEMORY, TYPES, Function, number
from ir.program import Equation, Value
from ir.scalar import Accumulators
from ir.types import DTYPES, ArrayType

At = tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """A number in a register, or a constant."""

    kernel: EmitKernel
    name: str
    dtype: str

    def __add__(self, other: Register) -> Register:
        return self.kernel.call("add", self, other)

    def __sub__(self, other: Register) -> Register:
        return self.kernel.call("sub", self, other)

    def __mul__(self, other: Register) -> Register:
        return self.kernel.call("mul", self, other)

    def __neg__(self) -> Register:
        return self.kernel.call("neg", self)


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
        is_float = DTYPES[self.dtype].kind == "float"
        how = f.freedom(f"{on_float} reassoc") if is_float else on_int
        return Register(
            self.kernel, f(f"{how} {TYPES[self.dtype]} {self.name}, {other.name}"), self.dtype
        )


Folding = Callable[[Accumulators, Callable[..., Accumulators], bool], Accumulators]
"""What stands for a fold when its loops are open already: inits, step, reassociate -> values."""


@dataclass
class EmitKernel:
    """Writes elements into a function; remembers what it has computed, by scope."""

    f: Function
    inlined: Inlining
    buffers: Mapping[Value, Buffer]
    pointer: Callable[[Buffer], str]
    counters: dict[Axis, str] = field(default_factory=dict)
    scopes: list[dict[tuple[Value, At], Register]] = field(default_factory=lambda: [{}])
    indices: list[dict[Index, str]] = field(default_factory=lambda: [{}])
    folding: Folding | None = None
    exact: Set[Value] = frozenset()
    """Values whose products are rounded before they are summed: what an effect depends on."""
    ends: dict[Axis, tuple[int | str, int | str]] = field(default_factory=dict)
    """Where a loop of which this function runs a part begins and ends."""

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is not seen outside: a loop body, a branch."""
        self.scopes.append({})
        self.indices.append({})
        try:
            yield
        finally:
            self.scopes.pop()
            self.indices.pop()

    @contextmanager
    def loop(self, axis: Axis) -> Iterator[None]:
        low, high = self.ends.get(axis, (axis.low, axis.high))
        with self.f.loop(low, high) as counter, self.scope():
            self.counters[axis] = counter
            yield

    # Reading and writing elements.

    def source(self, value: Value) -> EmitSource:
        return EmitSource(self, value)

    def read(self, value: Value, at: At) -> Register:
        for scope in reversed(self.scopes):
            if (known := scope.get((value, at))) is not None:
                return known
        eq = self.inlined.where(value, at)
        found = self.load(self.buffers[value], at) if eq is None else self.element(eq, at)
        self.remember(value, at, found)
        return found

    def element(self, eq: Equation, at: At) -> Any:
        """The equation's element, emitted with what freedom its value has."""
        before = self.f.contract
        self.f.contract = self.exact.isdisjoint(eq.results)
        try:
            return eq.op.element(self, at, *[self.source(v) for v in eq.operands])
        finally:
            self.f.contract = before

    def remember(self, value: Value, at: At, found: Register) -> None:
        self.scopes[-1][value, at] = found

    def load(self, buffer: Buffer, at: At) -> Register:
        address = self.address(buffer, at)
        self.f.reach()
        name = self.f(f"load {MEMORY[buffer.dtype]}, ptr {address}")
        if buffer.dtype == "bool":
            name = self.f(f"trunc i8 {name} to i1")
        return Register(self, name, buffer.dtype)

    def store(self, buffer: Buffer, at: At, x: Register) -> None:
        name = x.name
        if buffer.dtype == "bool":
            name = self.f(f"zext i1 {name} to i8")
        address = self.address(buffer, at)
        self.f.reach()
        self.f.do(f"store {MEMORY[buffer.dtype]} {name}, ptr {address}")

    def address(self, buffer: Buffer, at: At) -> str:
        return self.spot(buffer, flat([at[d] for d in buffer.dims], buffer.shape))

    def spot(self, buffer: Buffer, position: Index) -> str:
        """The address of the element at a position in the buffer."""
        base = self.pointer(buffer)
        if position == 0:
            return base
        counter = self.counter(position)
        return self.f(f"getelementptr inbounds {MEMORY[buffer.dtype]}, ptr {base}, i64 {counter}")

    # Indices.

    def counter(self, index: Index) -> str:
        """The register that holds the index."""
        if isinstance(index, int):
            return str(index)
        for scope in reversed(self.indices):
            if index in scope:
                return scope[index]
        total = ""
        for atom, n in index.terms:
            term = self.atom(atom)
            if n != 1:
                term = self.f(f"mul nsw i64 {term}, {n}")
            total = self.f(f"add nsw i64 {total}, {term}") if total else term
        if index.constant:
            total = self.f(f"add nsw i64 {total}, {index.constant}")
        self.indices[-1][index] = total
        return total

    def atom(self, atom: Any) -> str:
        if isinstance(atom, Axis):
            return self.counters[atom]
        if isinstance(atom, Data):
            return str(atom.number)
        how = "udiv" if isinstance(atom, Quotient) else "urem"
        return self.f(f"{how} i64 {self.counter(atom.whole)}, {atom.divisor}")

    # The protocol of ir.scalar.Kernel.

    def const(self, value: Any, dtype: str) -> Register:
        return Register(self, number(value, dtype), dtype)

    def call(self, name: str, *xs: Register) -> Register:
        emit, weight, returns = FUNCTIONS[name]
        dtype = xs[0].dtype
        self.f.spend(weight)
        made = emit(self.f, dtype, tuple([x.name for x in xs]))
        return Register(self, made, returns or dtype)

    def convert(self, x: Register, dtype: str) -> Register:
        self.f.spend(1)
        return Register(self, convert(self.f, x.name, x.dtype, dtype), dtype)

    def select(self, condition: Register, then: Register, otherwise: Register) -> Register:
        self.f.spend(1)
        t = TYPES[then.dtype]
        name = self.f(f"select i1 {condition.name}, {t} {then.name}, {t} {otherwise.name}")
        return Register(self, name, then.dtype)

    def number(self, index: Index, dtype: str) -> Register:
        if isinstance(index, int):
            return self.const(index, dtype)
        counter = Register(self, self.counter(index), "i64")
        return (
            counter
            if dtype == "i64"
            else Register(self, convert(self.f, counter.name, "i64", dtype), dtype)
        )

    def index(self, x: Register, extent: int) -> Index:
        wide = convert(self.f, x.name, x.dtype, "i64")
        low = self.f(f"call i64 @llvm.smax.i64(i64 {wide}, i64 0)")
        name = self.f(f"call i64 @llvm.smin.i64(i64 {low}, i64 {max(extent - 1, 0)})")
        return Affine(((Data(name, extent), 1),))

    def within(self, index: Index, low: int, high: int) -> Within | bool:
        return within(index, low, high)

    def when(
        self, condition: Within | bool, then: Callable[[], Any], otherwise: Callable[[], Any]
    ) -> Any:
        if isinstance(condition, bool):
            return then() if condition else otherwise()
        dtypes: list[str] = []

        def side(thunk: Callable[[], Register]) -> Callable[[], str]:
            def run() -> str:
                with self.scope():
                    found = thunk()
                dtypes.append(found.dtype)
                return found.name

            return run

        chosen = self.f.choose(self.test(condition), side(then), side(otherwise), dtypes)
        return Register(self, chosen, dtypes[0])

    def test(self, condition: Within) -> str:
        """One bit: whether every index lies in its range."""
        bits = []
        for index, low, high in condition.tests:
            first, last = bounds(index)
            counter = self.counter(index)
            if first < low:
                bits.append(self.f(f"icmp sge i64 {counter}, {low}"))
            if last >= high:
                bits.append(self.f(f"icmp slt i64 {counter}, {high}"))
        total, *rest = bits
        for bit in rest:
            total = self.f(f"and i1 {total}, {bit}")
        return total

    def fold(
        self,
        extents: Sequence[int],
        inits: Accumulators,
        step: Callable[..., Accumulators],
        reassociate: bool = False,
    ) -> Accumulators:
        """Run the fold step by step, in straight-line code, unless its loops are open."""
        if self.folding is not None:
            return self.folding(inits, step, reassociate)
        carried = inits
        for over in product(*map(range, extents)):
            carried = step(over, carried)
        return carried


@dataclass(frozen=True)
class EmitSource:
    """An operand whose elements are registers."""

    kernel: EmitKernel
    value: Value

    @property
    def type(self) -> ArrayType:
        return self.value.type

    def __getitem__(self, at: At) -> Register:
        return self.kernel.read(self.value, at)
