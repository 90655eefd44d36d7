"""The element language spoken in LLVM: numbers are registers, indices are loop counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from codegen import lanes
from codegen.access import Within, within
from codegen.buffers import Buffer
from codegen.counters import At, Counters
from codegen.functions import FUNCTIONS, convert
from codegen.index import Affine, Axis, Data, Index, bounds
from codegen.inlining import Inlining
from codegen.lanes import Lanes
from codegen.registers import EmitSource, Register, together
from codegen.text import MEMORY, Ends, Function, Kind, kind_of, number
from ir.program import Equation, Value
from ir.scalar import Accumulators

Folding = Callable[[Accumulators, Callable[..., Accumulators], bool], Accumulators]
"""What stands for a fold when its loops are open already: inits, step, reassociate -> values."""


@dataclass
class EmitKernel(Counters):
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
    ends: dict[Axis, Ends] = field(default_factory=dict)
    """Where a loop of which this function runs a part begins and ends."""
    lanes: Lanes | None = None
    """The loop that is taken several steps at a time, inside it."""
    unrolled: dict[Axis, Index] = field(default_factory=dict)
    homes: list[int] = field(default_factory=list)
    written: list[Set[Buffer] | None] = field(default_factory=list)
    """For each loop that is open, the buffers that are written in it; None where any may be."""
    branches: list[int] = field(default_factory=list)
    """For each branch that is open, how many loops are around it."""
    longer: list[dict[Any, str]] = field(default_factory=lambda: [{}])
    """Vectors of which lanes pick elements, by scope."""
    spreads: list[dict[tuple[str, int], str]] = field(default_factory=lambda: [{}])
    """Numbers that are in every lane, by scope."""

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is not seen outside: a loop body, a branch."""
        kept = (self.scopes, self.indices, self.longer, self.spreads)
        for scopes in kept:
            scopes.append({})
        try:
            yield
        finally:
            for scopes in kept:
                scopes.pop()

    def ends_of(self, axis: Axis) -> Ends:
        """Where the loop begins and ends."""
        return self.ends.get(axis, Ends(axis.low, axis.high, axis.extent, axis.extent))

    @contextmanager
    def loop(self, axis: Axis) -> Iterator[None]:
        ends = self.ends_of(axis)
        with self.steps(axis, ends.low, ends.high):
            yield

    @contextmanager
    def steps(
        self,
        axis: Axis,
        low: int | str,
        high: int | str,
        by: int = 1,
        written: Set[Buffer] | None = None,
    ) -> Iterator[None]:
        """A loop that writes to these buffers, to any if that is not said."""
        with self.counted(low, high, by, written) as counter:
            self.counters[axis] = counter
            yield

    @contextmanager
    def counted(
        self, low: int | str, high: int | str, by: int = 1, written: Set[Buffer] | None = None
    ) -> Iterator[str]:
        self.homes.append(len(self.scopes) - 1)
        self.written.append(written)
        with self.f.loop(low, high, by) as counter, self.scope():
            yield counter
        self.homes.pop()
        self.written.pop()

    @contextmanager
    def at_step(self, axis: Axis, step: int) -> Iterator[None]:
        """One step of a loop that is written out; the step is a register, as it is in a loop."""
        with self.scope():
            self.counters[axis] = self.f(f"add i64 0, {step}")
            yield

    @contextmanager
    def between(self, low: int | str, high: int | str) -> Iterator[None]:
        """What is run if there are steps between the two."""
        if isinstance(low, int) and isinstance(high, int):
            yield
            return
        with self.f.when(self.f(f"icmp slt i64 {low}, {high}")), self.scope():
            yield

    def load_level(self, buffer: Buffer, position: Index) -> int:
        """The same of a load: it stays behind writes to the buffer, and in its branch."""
        level = max([self.level_of(position), *self.branches])
        while level < len(self.written) and any(
            written is None or buffer in written for written in self.written[level:]
        ):
            level += 1
        return level

    # Reading and writing elements.

    def source(self, value: Value) -> EmitSource:
        return EmitSource(self, value)

    def read(self, value: Value, at: At) -> Register:
        place = self.settled_all(at)
        for scope in reversed(self.scopes):
            if (known := scope.get((value, place))) is not None:
                return known
        if (eq := self.inlined.where(value, at, value in self.buffers)) is not None:
            found: Register = self.element(eq, at)
            self.scopes[-1][value, place] = found
            return found
        row = None if self.lanes is None else self.lanes.packed(value, at)
        found = self.load(self.buffers[value] if row is None else row, at)
        self.scopes[self.home(self.f.level_of(found.name))][value, place] = found
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
        self.scopes[-1][value, self.settled_all(at)] = found

    def load(self, buffer: Buffer, at: At) -> Register:
        position = self.position(buffer, at)
        with self.f.outside(self.load_level(buffer, position)):
            if self.lanes is not None:
                name, kind = lanes.load(self, self.lanes, buffer, position)
            else:
                kind = kind_of(buffer.dtype)
                self.f.reach()
                name = self.f(f"load {kind.memory}, ptr {self.spot(buffer, position)}")
            if buffer.dtype == "bool":
                name = self.f(f"trunc {kind.memory} {name} to {kind.t}")
        return Register(self, name, kind)

    def store(self, buffer: Buffer, at: At, x: Register) -> None:
        position = self.position(buffer, at)
        if self.lanes is not None:
            x = x.over(self.lanes.width)
        name = x.name
        if buffer.dtype == "bool":
            name = self.f(f"zext {x.kind.t} {name} to {x.kind.memory}")
        if self.lanes is not None:
            return lanes.store(self, self.lanes, buffer, position, name)
        self.f.reach()
        self.f.do(f"store {x.kind.memory} {name}, ptr {self.spot(buffer, position)}")
        return None

    def position(self, buffer: Buffer, at: At) -> Index:
        """Where in the buffer the element lies."""
        return self.settled(buffer.position(at))

    def spot(self, buffer: Buffer, position: Index) -> str:
        """The address of the element at a position in the buffer."""
        base = self.pointer(buffer)
        if position == 0:
            return base
        counter = self.counter(position)
        return self.f(f"getelementptr inbounds {MEMORY[buffer.dtype]}, ptr {base}, i64 {counter}")

    # The protocol of ir.scalar.Kernel.

    def const(self, value: Any, dtype: str) -> Register:
        return Register(self, number(value, dtype), kind_of(dtype))

    def call(self, name: str, *xs: Register) -> Register:
        emit, weight, returns = FUNCTIONS[name]
        xs = together(*xs)
        kind = xs[0].kind
        names = tuple([x.name for x in xs])
        with self.f.outside(self.pure_level(*names)):
            self.f.spend(weight)
            made = emit(self.f, kind, names)
        return Register(self, made, kind_of(returns, kind.lanes) if returns else kind)

    def pure_level(self, *names: str) -> int:
        """How many loops are around what is computed of these, in the branch that it stands in."""
        return max([self.f.level_of(*names), *self.branches])

    def combined(self, name: str, x: str, y: str, kind: Kind) -> str:
        """The named function of two registers of a kind."""
        return FUNCTIONS[name][0](self.f, kind, (x, y))

    def convert(self, x: Register, dtype: str) -> Register:
        with self.f.outside(self.pure_level(x.name)):
            self.f.spend(1)
            made = convert(self.f, x.name, x.kind, dtype)
        return Register(self, made, kind_of(dtype, x.kind.lanes))

    def select(self, condition: Register, then: Register, otherwise: Register) -> Register:
        condition, then, otherwise = together(condition, then, otherwise)
        kind = then.kind
        chosen = f"{kind.t} {then.name}, {kind.t} {otherwise.name}"
        with self.f.outside(self.pure_level(condition.name, then.name, otherwise.name)):
            self.f.spend(1)
            return Register(self, self.f(f"select {kind.bit} {condition.name}, {chosen}"), kind)

    def number(self, index: Index, dtype: str) -> Register:
        if isinstance(index, int):
            return self.const(index, dtype)
        if self.lanes is not None and self.lanes.step(index) != 0:
            kind = kind_of("i64", self.lanes.width)
            counter = Register(self, lanes.counters(self, self.lanes, index), kind)
        else:
            counter = Register(self, self.counter(index), kind_of("i64"))
        made = convert(self.f, counter.name, counter.kind, dtype)
        return Register(self, made, kind_of(dtype, counter.kind.lanes))

    def index(self, x: Register, extent: int) -> Index:
        kind = kind_of("i64", x.kind.lanes)
        wide = convert(self.f, x.name, x.kind, "i64")
        low = self.combined("maximum", wide, kind.number(0), kind)
        name = self.combined("minimum", low, kind.number(max(extent - 1, 0)), kind)
        return Affine(((Data(name, extent, x.kind.lanes), 1),))

    def spread(self, name: str, kind: Kind, lanes: int) -> str:
        """A register of one number as a vector that has it in every lane."""
        wide = kind_of(kind.dtype, lanes)
        if not name.startswith("%"):
            return wide.every(name)
        for scope in reversed(self.spreads):
            if (known := scope.get((name, lanes))) is not None:
                return known
        level = self.f.level_of(name)
        with self.f.outside(level):
            made = self.f.splat(name, wide)
        self.spreads[self.home(level)][name, lanes] = made
        return made

    def within(self, index: Index, low: int, high: int) -> Within | bool:
        return within(index, low, high)

    def when(
        self, condition: Within | bool, then: Callable[[], Any], otherwise: Callable[[], Any]
    ) -> Any:
        if isinstance(condition, bool):
            return then() if condition else otherwise()
        kinds: list[Kind] = []
        wide = 1 if self.lanes is None else self.lanes.width

        def side(thunk: Callable[[], Register]) -> Callable[[], str]:
            def run() -> str:
                self.branches.append(self.f.level)
                with self.scope():
                    found = thunk().over(wide)
                self.branches.pop()
                kinds.append(found.kind)
                return found.name

            return run

        chosen = self.f.choose(self.test(condition), side(then), side(otherwise), kinds)
        return Register(self, chosen, kinds[0])

    def test(self, condition: Within) -> str:
        """One bit: whether every index lies in its range."""
        bits = []
        for index, low, high in condition.tests:
            assert self.lanes is None or self.lanes.step(index) == 0
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
