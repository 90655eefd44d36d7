"""The code of each kind of item, in the loops that the schedule has put it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from codegen import blocks, loops
from codegen.buffers import Buffer
from codegen.callbacks import address
from codegen.counters import At
from codegen.held_sums import HeldSums, skips_fill
from codegen.index import Index
from codegen.items import (
    Carried,
    Close,
    Compute,
    Contraction,
    Effect,
    Fill,
    FoldStep,
    HostCall,
    Item,
    Loop,
    MemoryStep,
    Node,
    Open,
    ScanStep,
    Static,
    StaticUpdate,
    Update,
)
from codegen.kernels import contraction
from codegen.lane_sums import LaneSums
from codegen.pairwise import Pairwise, cut_at, taken_around
from codegen.plan import PASSED
from codegen.registers import Accumulator, Register
from codegen.scalar import EmitKernel
from codegen.text import Kind
from codegen.vectors import Vector
from ir.program import Value
from ir.scalar import Accumulators

Carry = dict[Carried, list[tuple[str, Kind]]]


class Emitter:
    """Walks the loop tree and writes it into one function."""

    def __init__(
        self,
        k: EmitKernel,
        status: str,
        missed: int,
        partials: Mapping[Carried, Buffer],
        vectors: Mapping[Loop, Vector],
    ) -> None:
        self.k, self.f = k, k.f
        self.status = status
        """Where the number of the first check that fails is kept."""
        self.missed = missed
        """By what a guard's number is multiplied, where it ends the function."""
        self.vectors = vectors
        self.carries: Carry = {}
        self.sums: dict[MemoryStep, LaneSums | HeldSums] = {}
        """Accumulators that each lane has its own of, or that are in registers."""
        self.unfilled: set[MemoryStep] = set()
        """Folds whose first values are not in memory, but in the registers that hold them next."""
        self.pairs: dict[Carried, Pairwise] = {}
        self.partials = partials
        self.block_at: Index | None = None
        """The number of the region's block that this function runs, if it runs one."""

    def nodes(self, nodes: list[Node]) -> None:
        for n, node in enumerate(nodes):
            if not isinstance(node, Loop):
                EMIT[type(node)](self, node)
            elif not skips_fill(self, nodes, n):
                loops.run(self, node)

    def first(self, step: Item) -> Accumulators:
        """The values that a fold's accumulators begin with."""
        found: list[Accumulators] = []

        def inits(values: Accumulators, *_: Any) -> Accumulators:
            found.append(values)
            return values

        self.folded(step, inits, step.place())
        return found[0]

    def keep(self, item: Item, at: At, found: Register) -> None:
        """The element is known from here on, and stored where its value has a buffer."""
        self.k.remember(item.value, at, found)
        buffer = self.k.buffers.get(item.value)
        if buffer is not None:
            self.k.store(buffer, at, found)

    def element(self, item: Item, at: At) -> Any:
        return self.k.element(item.eq, at)

    def compute(self, item: Item) -> None:
        at = item.place()
        self.keep(item, at, self.element(item, at))

    def static(self, item: Item) -> None:
        for at in product(*map(range, item.value.type.shape)):
            self.keep(item, at, self.element(item, at))

    def static_update(self, item: Item) -> None:
        base, updates, *_ = (self.k.source(v) for v in item.eq.operands)
        shape = item.value.type.shape
        new = {at: base[at] for at in product(*map(range, shape))}
        for at in product(*map(range, updates.type.shape)):
            sources = [self.k.source(v) for v in item.eq.operands]
            target, x = item.eq.op.update(self.k, at, *sources)
            new[target] = x if item.eq.op.overwrites else new[target] + x
        for at, found in new.items():
            self.keep(item, at, found)

    # Folds and scans in registers: opened before their loops, closed after them.

    def folded(self, item: Item, handle: Callable[..., Accumulators], at: At) -> Any:
        """The op's element, with ``handle`` in the place of its fold."""
        self.k.folding = handle
        try:
            return self.element(item, at)
        finally:
            self.k.folding = None

    def open(self, item: Open) -> None:
        assert item.step is not None
        if item.step not in self.partials:
            self.open_step(item.step)

    def open_step(self, step: Carried) -> None:
        if isinstance(step, ScanStep):
            initial = step.eq.op.initial(self.k, step.value.type)
            self.carries[step] = [self.carry(initial)]
            return

        def inits(values: Accumulators, run: Any, reassociate: bool) -> Accumulators:
            self.carries[step] = [self.carry(x) for x in values]
            return values

        self.folded(step, inits, step.place())
        if isinstance(step, FoldStep) and cut_at(step, taken_around(step, self.vectors)):
            self.pairs[step] = Pairwise(self.k, step.value.type.dtype)

    def carry(self, x: Register) -> tuple[str, Kind]:
        """A place on the stack, which LLVM turns into a register."""
        x = x if self.k.lanes is None else x.over(self.k.lanes.width)
        pointer = self.f.alloca(x.kind.t)
        self.f.do(f"store {x.kind.t} {x.name}, ptr {pointer}")
        return pointer, x.kind

    def carried(self, step: Carried, cls: type[Register] = Register) -> list[Register]:
        return [
            cls(self.k, self.f(f"load {kind.t}, ptr {pointer}"), kind)
            for pointer, kind in self.carries[step]
        ]

    def total(self, step: FoldStep) -> Register:
        """What a fold of one accumulator has come to."""
        return self.pairs[step].total() if step in self.pairs else self.carried(step)[0]

    def carry_on(self, step: Carried, values: Accumulators) -> None:
        for (pointer, kind), x in zip(self.carries[step], values, strict=True):
            self.f.do(f"store {kind.t} {x.over(kind.lanes).name}, ptr {pointer}")

    def fold_step(self, item: FoldStep) -> None:
        if item.opens == len(item.levels):
            return self.unlooped(item)

        def run(inits: Accumulators, step: Any, reassociate: bool) -> Accumulators:
            cls = Accumulator if reassociate else Register
            self.carry_on(item, step(item.over(), tuple(self.carried(item, cls))))
            return inits

        self.folded(item, run, item.place())
        return None

    def unlooped(self, item: FoldStep) -> None:
        """A fold of one step stands in no loop of its own."""
        at = item.place()

        def run(inits: Accumulators, step: Any, reassociate: bool) -> Accumulators:
            return step(item.over(), inits)  # type: ignore[no-any-return]

        self.keep(item, at, self.folded(item, run, at))

    def close(self, item: Close) -> None:
        step = item.step
        if step is not None and step in self.partials:
            blocks.join(self, step)
        if isinstance(step, FoldStep):
            at = step.place()
            values = (self.total(step),) if step in self.pairs else tuple(self.carried(step))
            self.keep(step, at, self.folded(step, lambda *_: values, at))

    def scan_step(self, item: ScanStep) -> None:
        if item.opens == len(item.levels):  # a scan of one step stands in no loop of its own
            self.open_step(item)
        (carry,) = self.carried(item)
        at = item.place()
        found = item.eq.op.scan(self.k, at, carry, self.k.source(item.eq.operands[0]))
        self.carry_on(item, (found,))
        self.keep(item, at, found)

    # Folds and updates in memory.

    def fill(self, item: Fill) -> None:
        at = item.place()
        found = self.folded(item, lambda inits, *_: inits, at)
        self.k.store(self.k.buffers[item.value], at, found)

    def accumulator(self, item: MemoryStep) -> tuple[Buffer, At]:
        """Where an element's accumulator lies."""
        if item in self.partials:
            assert self.block_at is not None
            return self.partials[item], (self.block_at, *item.place())
        return self.k.buffers[item.value], item.place()

    def memory_step(self, item: MemoryStep) -> None:
        sums, at = self.sums.get(item), item.place()
        buffer, place = self.accumulator(item)

        def run(inits: Accumulators, step: Any, reassociate: bool) -> Accumulators:
            total = self.k.load(buffer, place) if sums is None else sums.load(at)
            if reassociate:
                total = Accumulator(self.k, total.name, total.kind)
            return step(item.over(), (total,))  # type: ignore[no-any-return]

        found = self.folded(item, run, at)
        if sums is None:
            self.k.store(buffer, place, found)
        else:
            sums.store(at, found)

    def update(self, item: Update) -> None:
        at = item.place()
        sources = [self.k.source(v) for v in item.eq.operands]
        target, x = item.eq.op.update(self.k, at, *sources)
        buffer = self.k.buffers[item.value]
        if not item.eq.op.overwrites:
            x = self.k.load(buffer, target) + x
        self.k.store(buffer, target, x)

    # Effects and library calls.

    def effect(self, item: Effect) -> None:
        """The status becomes the effect's number if it fails and is the first in the program.

        One that ends the call leaves the function.
        """
        op, found = item.eq.op, self.k.read(item.value, ()).name
        if op.ends:
            self.leave_unless(found, op.holds(True), item.number)
            return
        holds = found if op.holds(True) else self.f(f"xor i1 {found}, true")
        old = self.f(f"load i32, ptr {self.status}")
        first = self.f(f"call i32 @llvm.umin.i32(i32 {old}, i32 {item.number})")
        new = self.f(f"select i1 {holds}, i32 {old}, i32 {first}")
        self.f.do(f"store i32 {new}, ptr {self.status}")

    def leave_unless(self, found: str, expected: bool, number: int) -> None:
        """Leave the function with the guard's number unless a bool is as expected."""
        on, off = self.f.fresh("on", "off")
        self.f.branch(found, *((on, off) if expected else (off, on)))
        self.f.label(off)
        self.f.do(f"ret i32 {self.missed * number}")
        self.f.label(on)

    def host_call(self, item: HostCall) -> None:
        """Unless a check has failed before; what it raises ends the call as a guard does."""
        fine = self.f(f"icmp eq i32 {self.f(f'load i32, ptr {self.status}')}, {PASSED}")
        on, off = self.f.fresh("fine", "failed")
        self.f.branch(fine, on, off)
        self.f.label(off)
        self.f.do(f"ret i32 {self.f(f'load i32, ptr {self.status}')}")
        self.f.label(on)
        tables = [self.table(values) for values in (item.eq.operands, item.eq.results)]
        function = f"inttoptr (i64 {address(item.native)} to ptr)"
        made = self.f(f"call i32 {function}(ptr {tables[0]}, ptr {tables[1]})")
        self.leave_unless(self.f(f"icmp eq i32 {made}, 0"), True, item.number)

    def table(self, values: Sequence[Value]) -> str:
        """The addresses of the values' buffers, in memory."""
        made = self.f.alloca("ptr", max(len(values), 1))
        for n, v in enumerate(values):
            pointer = self.k.pointer(self.k.buffers[v]) if v.type.size else "null"
            at = self.f(f"getelementptr ptr, ptr {made}, i64 {n}")
            self.f.do(f"store ptr {pointer}, ptr {at}")
        return made


EMIT: dict[type[Item], Callable[[Emitter, Any], None]] = {
    Compute: Emitter.compute,
    Static: Emitter.static,
    StaticUpdate: Emitter.static_update,
    Open: Emitter.open,
    Close: Emitter.close,
    FoldStep: Emitter.fold_step,
    ScanStep: Emitter.scan_step,
    Fill: Emitter.fill,
    MemoryStep: Emitter.memory_step,
    Update: Emitter.update,
    Effect: Emitter.effect,
    Contraction: lambda emitter, item: contraction.emit(emitter.k, item),
    HostCall: Emitter.host_call,
}
