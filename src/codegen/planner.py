"""Program to plan: each equation becomes items, the items are arranged in loops."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from codegen.access import SYMBOL, PlanKernel, UnrolledKernel
from codegen.callbacks import trampoline
from codegen.claims import claimed
from codegen.cuts import Cuts, Space
from codegen.index import Affine, Axis, along
from codegen.inlining import SMALL, Inlining
from codegen.items import (
    Carried,
    Compute,
    Contraction,
    Dependency,
    Effect,
    Fill,
    FoldStep,
    HostCall,
    Item,
    Level,
    MemoryStep,
    ScanStep,
    Static,
    StaticUpdate,
    Update,
    moves_with,
)
from codegen.kernels import contraction
from codegen.plan import Plan, buffer_of
from codegen.schedule import schedule
from codegen.small import looped
from codegen.space import first_fold, has_data, levels_of, memory_order, places
from codegen.windows import Window, windows
from ir import ops
from ir.graph import upstream
from ir.program import Equation, Program, Value


def make_plan(program: Program) -> Plan:
    """Decide what is inlined, make the items, and arrange them in loops.

    Windows whose readers do not come to stand in one loop are given up.
    """
    wanted = windows(program)
    while stuck := standing(plan := planned(program, wanted)):
        wanted = {v: window for v, window in wanted.items() if v not in stuck}
    return plan


def planned(program: Program, windows: Mapping[Value, Window]) -> Plan:
    """The plan with these windows."""
    planner = Planner(program, windows)
    for position, eq in enumerate(program.equations):
        planner.equation(position, eq)
    planner.bind_results()
    planner.drop_unread()
    planner.plan.tree = schedule(planner.plan.items)
    return planner.plan


def standing(plan: Plan) -> set[Value]:
    """The windows from which something reads that is not in the loop that moves them."""
    makers = {v: plan.definitions[v] for v in plan.inlined.windows}
    return {
        read.value
        for item in (plan.items if makers else ())
        for read in item.reads
        if not all(moves_with(maker, item) for maker in makers.get(read.value, ()))
    }


class Planner:
    """Walks the program once and turns each equation into items."""

    def __init__(self, program: Program, windows: Mapping[Value, Window]) -> None:
        inlining = Inlining(program, windows)
        self.plan = Plan(program, inlining)
        deciding = [v for eq in program.equations if not eq.op.pure for v in eq.operands]
        self.plan.exact = upstream(program, deciding) if deciding else set()
        self.cuts = Cuts(program, inlining, looped(program, inlining, self.plan.exact))
        self.saved: dict[Value, list[Equation]] = {}
        """Slices to store before their array is written over."""
        for eq in reversed(inlining.saved.values()):
            self.saved.setdefault(eq.operands[0], []).append(eq)
        self.readers: dict[Value, list[Item]] = {}
        self.claims = claimed(program, inlining, self.plan.orders)
        self.whole: dict[Value, Value] = {}
        self.reorderings: dict[tuple[Value, tuple[int, ...]], Value] = {}

    @cached_property
    def last_read(self) -> dict[Value, int]:
        """Where each stored value is last read; asked only of arrays that are updated."""
        return self.plan.inlined.last_reads(self.plan.program)

    # One method for each way in which an op says how it is computed.

    def equation(self, position: int, eq: Equation) -> None:
        op = eq.op
        if not op.pure:
            self.effect(eq)
        elif isinstance(op, ops.Callback):
            self.host_call(eq)
        elif eq.result in self.plan.inlined or eq.result in self.plan.definitions:
            pass
        elif isinstance(op, ops.Literal):
            self.plan.literals[eq.result] = eq
        elif hasattr(op, "update"):
            self.update(position, eq)
        elif not eq.result.type.size:
            self.plan.definitions[eq.result] = []
        elif hasattr(op, "scan"):
            self.scan(eq)
        elif isinstance(op, ops.DotGeneral) and (found := self.planned_calls(eq)) is not None:
            self.contraction(eq, found)
        else:
            self.element(eq)

    def effect(self, eq: Equation) -> None:
        kernel = PlanKernel(self.plan.inlined)
        _ = kernel.source(eq.operands[0])[()]
        self.plan.effects.append(eq)
        self.add(Effect(eq, eq.operands[0], number=len(self.plan.effects)), kernel)

    def host_call(self, eq: Equation) -> None:
        """A call into Python: operands and results whole, in memory."""
        whole = tuple([self.in_order(v) if v.type.size else v for v in eq.operands])
        plain = Equation(eq.op, whole, eq.results, (), eq.loc)
        self.plan.effects.append(eq)
        number = len(self.plan.effects)
        item = HostCall(plain, eq.results[0], cost=50, number=number, native=trampoline(eq))
        self.wait(item, eq)
        for v in whole:
            item.dependencies += [Dependency(d, None) for d in self.plan.definitions.get(v, ())]
            self.readers.setdefault(v, []).append(item)
        self.plan.in_memory |= {v for v in (*whole, *eq.results) if v.type.size}
        self.add(item, PlanKernel(self.plan.inlined))
        self.plan.definitions.update({v: [item] for v in eq.results})

    def element(self, eq: Equation) -> None:
        """A pulled op: small values in straight-line code, others in loops, folds inside."""
        space = self.cuts.space(eq)
        if space.small:
            self.static(eq, space)
        elif space.accumulators:
            self.fold(eq, space)
        else:
            self.pieces(eq, space)

    def static(self, eq: Equation, space: Space) -> None:
        kernel = UnrolledKernel(self.plan.inlined)
        sources = [kernel.source(v) for v in eq.operands]
        for at in places(eq.result.type.shape):
            eq.op.element(kernel, at, *sources)
        cost = eq.result.type.size * space.steps * (1 + eq.op.cost // 8)
        self.add(Static(eq, eq.result, cost=cost), kernel)

    def pieces(self, eq: Equation, space: Space) -> None:
        """One item for each piece of the iteration space: where maps are piecewise, several."""
        window = self.plan.inlined.windows.get(eq.result)
        pieces = self.cuts.pieces(space)
        if window is not None:  # what reads something first, and margins where that is
            pieces.sort(key=lambda piece: not piece.access(self.plan.inlined).access.reads)
        for piece in pieces:
            kernel = piece.access(self.plan.inlined)
            item = Compute(eq, eq.result, *levels_of(piece.axes), cost=20)
            if window is not None:
                item.levels = window.leading(item.levels, eq.result.type)
            self.add(item, kernel)

    def fold(self, eq: Equation, space: Space) -> None:
        """A fold whole, or its segments and what joins them."""
        segments = self.cuts.segments(space)
        if len(segments) == 1:
            for piece in self.cuts.pieces(space):
                self.fold_piece(eq, piece)
            return
        parts = []
        for segment in segments:
            part = Equation(eq.op, eq.operands, (Value(eq.result.type),), (), eq.loc)
            parts.append(part.result)
            if eq.result in self.plan.exact:
                self.plan.exact.add(part.result)
            for piece in self.cuts.pieces(segment):
                self.fold_piece(part, piece)
        for n, part_value in enumerate(parts[1:], 1):
            last = n == len(parts) - 1
            total = eq.result if last else Value(eq.result.type)
            join = Equation(eq.op.pair(), (parts[0], part_value), (total,), (), eq.loc)
            self.element(join)
            parts[0] = total

    def fold_piece(self, eq: Equation, piece: Space) -> None:
        """Loops over the result and the fold, in the order in which the operands lie in memory."""
        levels, fixed = levels_of(piece.axes)
        if 0 in piece.extents:
            self.plan.in_memory.add(eq.result)
            self.add(Fill(eq, eq.result, levels, fixed), PlanKernel(self.plan.inlined))
            return
        kernel = piece.access(self.plan.inlined)
        folds = [Level(a, None, n) for n, a in enumerate(piece.folds) if a.extent != 1]
        order = memory_order([*levels, *folds], kernel)
        outer = any(level.dim is not None for level in order[first_fold(order) :])
        kind: type[Carried] = MemoryStep
        if not outer or piece.accumulators != 1:
            order.sort(key=lambda level: level.dim is None)
            kind = FoldStep
        step = kind(eq, eq.result, order, fixed, cost=30, opens=first_fold(order))
        step.folds = len(piece.folds)
        step.fixed_folds = {n: a.low for n, a in enumerate(piece.folds) if a.extent == 1}
        self.add(step, kernel)

    def scan(self, eq: Equation) -> None:
        """The scanned axis innermost, its carry in a register."""
        axes = [Axis(0, n) for n in eq.result.type.shape]
        (operand,) = eq.operands
        kernel = PlanKernel(self.plan.inlined)
        scanned = Level(axes[eq.op.axis], eq.op.axis, None, eq.op.reverse)  # type: ignore[attr-defined]
        at = [along(axis) for axis in axes]
        at[scanned.dim or 0] = scanned.index(scanned.axis)
        eq.op.scan(kernel, tuple(at), SYMBOL, kernel.source(operand))
        levels, fixed = levels_of(axes)
        outer = [level for level in levels if level.dim != scanned.dim]
        inner = [scanned] if scanned.axis.extent != 1 else []
        item = ScanStep(eq, eq.result, [*outer, *inner], fixed, opens=len(outer), cost=20)
        item.serial = True
        self.add(item, kernel)

    def update(self, position: int, eq: Equation) -> None:
        """Write in the operand's buffer where it dies here, else in a copy of it."""
        base, updates = eq.operands[0], eq.operands[1]
        if not eq.result.type.size:
            self.plan.definitions[eq.result] = []
            return None
        if not updates.type.size:
            return self.element(Equation(ops.StopGradient(), (base,), eq.results))
        axes = [Axis(0, n) for n in updates.type.shape]
        kernel = PlanKernel(self.plan.inlined)
        at = tuple([along(axis) for axis in axes])
        target, _ = eq.op.update(kernel, at, *[kernel.source(v) for v in eq.operands])
        fixed_target = all(isinstance(i, int | Affine) and not has_data(i) for i in target)
        if fixed_target and max(eq.result.type.size, updates.type.size) <= SMALL:
            return self.static_update(eq)
        for saved in self.saved.get(base, ()):
            if saved.result not in self.plan.definitions:
                self.element(saved)
        dies = self.last_read.get(base) == position
        reads_base = any(read.value == base for read in kernel.access.reads)
        if base not in self.plan.definitions or reads_base or not dies:
            base = self.copied(base)
        self.plan.shares[eq.result] = buffer_of(self.plan, base)
        self.plan.in_memory |= {eq.result, base}
        item = Update(eq, eq.result, *levels_of(axes), serial=True, cost=20)
        before = [*self.plan.definitions[base], *self.readers.get(base, ())]
        item.dependencies += [Dependency(other, None) for other in before]
        return self.add(item, kernel)

    def static_update(self, eq: Equation) -> None:
        kernel = UnrolledKernel(self.plan.inlined)
        base = kernel.source(eq.operands[0])
        for at in places(eq.operands[1].type.shape):
            eq.op.update(kernel, at, *[kernel.source(v) for v in eq.operands])
        for at in places(eq.result.type.shape):
            _ = base[at]
        self.add(StaticUpdate(eq, eq.result, cost=eq.operands[1].type.size), kernel)

    def planned_calls(self, eq: Equation) -> contraction.Plan | None:
        """How calls take the contraction, if not loops."""
        inlined, orders = self.plan.inlined, self.plan.orders
        if not contraction.wanted(eq):
            return contraction.in_tiles(eq, inlined, orders)
        found = contraction.planned(eq, inlined, orders)
        if found is None:  # no call writes in the order that the result has
            self.claims = {v: under for v, under in self.claims.items() if under != eq.result}
            del orders[eq.result]
            found = contraction.planned(eq, inlined, orders)
        assert found is not None
        return found

    def contraction(self, eq: Equation, found: contraction.Plan) -> None:
        """Calls on operands that are stored and, where they must be, copied.

        Calls that are small stand in loops like any other, which threads may share.
        """
        operands = [
            v if order is None else self.reordered(v, order)
            for v, order in zip(eq.operands, found.copies, strict=True)
        ]
        plain = Equation(eq.op, tuple(operands), eq.results, (), eq.loc)
        item = Contraction(plain, eq.result, cost=50, product=found.product, size=found.size)
        axes = [Axis(0, n) for n in eq.result.type.shape]
        if found.size <= contraction.SERIAL:
            item.levels = [Level(axes[d], d) for d in found.product.apart]
        kernel = PlanKernel(self.plan.inlined)
        found_reads = contraction.reads(plain, axes, item.levels, kernel)
        kernel.access.reads.update(dict.fromkeys(found_reads))
        self.add(item, kernel)

    def reordered(self, v: Value, order: tuple[int, ...]) -> Value:
        """A copy of the value with its dimensions in another order in memory."""
        if (v, order) not in self.reorderings:
            made = self.copied(v)
            self.plan.orders[made] = order
            self.reorderings[v, order] = made
        return self.reorderings[v, order]

    def in_order(self, v: Value) -> Value:
        """A stored value whose buffer holds the elements of ``v`` in row-major order."""
        under = v
        while isinstance((eq := self.plan.inlined.get(under)) and eq.op, ops.Reshape | ops.Barrier):
            under = self.plan.inlined[under].operands[0]
        if under not in self.plan.inlined and under not in self.plan.orders:
            return under
        if v not in self.whole:
            self.whole[v] = self.copied(v)
        return self.whole[v]

    def copied(self, v: Value) -> Value:
        """The same elements in a buffer of their own."""
        eq = Equation(ops.StopGradient(), (v,), (Value(v.type),))
        self.pieces(eq, self.cuts.space(eq))
        self.plan.in_memory.add(eq.result)
        return eq.result

    def add(self, item: Item, kernel: PlanKernel) -> None:
        """Note what the item reads, and put it in the plan."""
        item.reads = list(kernel.access.reads)
        access = kernel.access
        item.branches, item.guards, item.calls = access.branches, access.guards, access.calls
        innermost = item.levels[-1].axis if item.levels else None
        in_window = any(level.ahead for level in item.levels)  # it stands with what reads its rows
        item.serial |= innermost in access.guards and not in_window
        self.wait(item, item.eq)
        for read in item.reads:
            makers = self.plan.definitions.get(read.value, [])
            together = len(makers) == 1 or read.value in self.plan.inlined.windows
            met = makers if together else [m for m in makers if m.meets(read.index)]
            stepwise = (together or len(met) == 1) and not isinstance(met[0], Update)
            index = read.index if stepwise else None
            item.dependencies += [Dependency(maker, index) for maker in met]
            self.readers.setdefault(read.value, []).append(item)
        self.plan.items.append(item)
        if not isinstance(item, Effect):
            self.plan.definitions.setdefault(item.value, []).append(item)

    def wait(self, item: Item, eq: Equation) -> None:
        """Let the item come after what the equation waits for."""
        for v in self.plan.inlined.waited(eq):
            item.dependencies += [Dependency(d, None) for d in self.plan.definitions.get(v, ())]

    def drop_unread(self) -> None:
        """Leave out the items of values that every reader computes again for itself."""
        needed = set(self.plan.in_memory)
        kept: list[Item] = []
        for item in reversed(self.plan.items):
            if isinstance(item, Effect) or not needed.isdisjoint(item.values):
                kept.append(item)
                needed.update(read.value for read in item.reads)
        if len(kept) < len(self.plan.items) and self.plan.inlined.waits:
            left = set(kept)  # a barrier may wait for what nobody reads
            for item in kept:
                item.dependencies = [d for d in item.dependencies if d.item in left]
        self.plan.items = kept[::-1]

    def bind_results(self) -> None:
        """Compute each result right in its buffer where it has one of its own; copy the others."""
        taken: set[Value] = set()
        for n, v in enumerate(self.plan.program.results):
            if not v.type.size:
                continue
            under = self.claims.get(v, v)
            if under not in self.plan.definitions or buffer_of(self.plan, under) in taken:
                under = self.copied(v)
            v = under
            taken.add(buffer_of(self.plan, v))
            self.plan.results[buffer_of(self.plan, v)] = n
            self.plan.in_memory.add(v)
