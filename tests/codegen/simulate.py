"""A plan run step by step without numbers: each element knows only whose it is.

Every read must find the element that it names: made before, and still in the place where the
storage has put it. A schedule in a wrong order, a loop shared too early, two values in one place at
one time, a write to an argument: each shows as an AssertionError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from codegen.buffers import Storage
from codegen.index import Axis, Data, Index, Quotient, Remainder
from codegen.items import (
    Carried,
    Close,
    Contraction,
    Fill,
    FoldStep,
    Item,
    Lead,
    Loop,
    MemoryStep,
    Open,
    Static,
    Update,
)
from codegen.memory import store
from codegen.plan import Plan, buffer_of
from codegen.planner import make_plan
from ir.passes.pipeline import COMPILE, run
from ir.program import Program, Value

Spot = tuple[int, ...]


def index_at(index: Index, env: Mapping[Axis, int]) -> int:
    """The number that a symbolic index is at a step."""
    if isinstance(index, int):
        return index
    return index.constant + sum(n * atom_at(atom, env) for atom, n in index.terms)


def atom_at(atom: Any, env: Mapping[Axis, int]) -> int:
    if isinstance(atom, Axis):
        return env[atom]
    whole = index_at(atom.whole, env)
    assert whole >= 0, "a quotient of a negative number"
    return whole // atom.divisor if isinstance(atom, Quotient) else whole % atom.divisor


def knows(index: Index) -> bool:
    """Whether the index depends on counters alone, at any depth."""
    if isinstance(index, int):
        return True
    return all(
        not isinstance(atom, Data)
        and (not isinstance(atom, Quotient | Remainder) or knows(atom.whole))
        for atom, _ in index.terms
    )


def planned(program: Program) -> tuple[Plan, Storage]:
    """The plan and the storage that the compiler would use."""
    plan = make_plan(run(program, COMPILE))
    return plan, store(plan)


def every(v: Value) -> Iterator[Spot]:
    return product(*map(range, v.type.shape))


@dataclass
class Simulation:
    """One run of a plan: what is made so far, and what lies where."""

    plan: Plan
    storage: Storage
    counters: dict[Axis, int] = field(default_factory=dict)
    made: dict[Value, set[Spot]] = field(default_factory=dict)
    steps: dict[tuple[Value, Spot], int] = field(default_factory=dict)
    updated: dict[Value, int] = field(default_factory=dict)
    """Steps of each update that are done."""
    memory: dict[tuple[Any, ...], tuple[Value, Spot]] = field(default_factory=dict)
    reads: int = 0

    def run(self) -> int:
        """The number of reads, each of which found its element."""
        for chunk in self.storage.chunks:
            self.nodes(chunk)
        for v in self.plan.program.results:
            self.whole(v)
        return self.reads

    def nodes(self, nodes: list[Any]) -> None:
        for node in nodes:
            if isinstance(node, Loop) and node.leads:
                self.windows(node)
            elif isinstance(node, Loop):
                for n in range(node.axis.low, node.axis.high):
                    self.counters[node.axis] = n
                    self.nodes(node.body)
                del self.counters[node.axis]
            else:
                self.item(node)

    def windows(self, loop: Loop) -> None:
        """Rows are made ahead of the steps that read them, the first before the first step."""
        low, most = loop.axis.low, max(lead.ahead for lead in loop.leads)
        for step in range(low - most, loop.axis.high):
            for lead in loop.leads:
                if step + lead.ahead >= low:
                    self.lead(lead, step + lead.ahead)
            if step >= low:
                self.counters[loop.axis] = step
                self.nodes([node for node in loop.body if not isinstance(node, Lead)])

    def lead(self, lead: Lead, row: int) -> None:
        """One row: what its items make, or zeros."""
        self.counters[lead.axis] = row
        if lead.axis.low <= row < lead.axis.high:
            self.nodes(lead.body)
            return
        window = self.storage.buffers[lead.value].window
        assert window is not None
        maker = self.plan.definitions[lead.value][0]
        at = {window.dim: row}
        for level, loop in zip(maker.levels, maker.path, strict=True):
            if level.dim is not None and level.dim < window.dim:
                at[level.dim] = self.counters[loop.axis]
        for spot in every(lead.value):
            if all(spot[d] == n for d, n in at.items()):
                self.done(lead.value, spot)

    # Items.

    def item(self, item: Item) -> None:
        if isinstance(item, Open):
            return None
        if isinstance(item, Close):
            assert item.step is not None
            return self.finish(item.step)
        if isinstance(item, Update) and item.value not in self.updated:
            self.whole(self.older(item))
        env = self.environment(item)
        for read in item.reads:
            self.read(read.value, read.index, env, item.serial or item.branches)
        return self.write(item, env)

    def environment(self, item: Item) -> dict[Axis, int]:
        """The item's own axes, each at the counter of the loop that it shares."""
        return {
            level.axis: self.counters[loop.axis]
            for level, loop in zip(item.levels, item.path, strict=True)
        }

    def write(self, item: Item, env: dict[Axis, int]) -> None:
        v = item.value
        if isinstance(item, MemoryStep):
            self.memory_step(item)
        elif isinstance(item, FoldStep) and item.opens < len(item.levels):
            pass  # its Close writes
        elif isinstance(item, Fill) and (v, self.place(item)) not in self.steps:
            self.steps[v, self.place(item)] = 0
            self.put(v, self.place(item))
            if item in self.plan.items:  # a fold over nothing
                self.done(v, self.place(item))
        elif isinstance(item, Update):
            self.update(item)
        elif isinstance(item, Static | Contraction):
            at = {
                level.dim: self.counters[loop.axis]
                for level, loop in zip(item.levels, item.path, strict=True)
            }
            for spot in every(v):
                if all(spot[d] == n for d, n in at.items()):
                    self.done(v, spot)
        elif item in self.plan.items and item.eq.results:
            self.done(v, self.place(item))
        else:
            assert not item.eq.results, "filled twice"

    def place(self, item: Item) -> Spot:
        found = tuple(index_at(i, self.counters) for i in item.place())
        assert all(0 <= i < n for i, n in zip(found, item.value.type.shape, strict=True))
        return found

    def finish(self, step: Carried) -> None:
        """A fold's element is there when its loops are through."""
        if isinstance(step, FoldStep):
            self.done(step.value, self.place(step))

    def memory_step(self, item: MemoryStep) -> None:
        """One step of many on an element in memory, which was filled before."""
        v, spot = item.value, self.place(item)
        assert (v, spot) in self.steps, "a fold in memory begins without its first value"
        self.look(v, spot)
        self.steps[v, spot] += 1
        total = prod(level.axis.extent for level in item.levels if level.dim is None)
        if self.steps[v, spot] == total:
            self.done(v, spot)

    def older(self, item: Update) -> Value:
        """The version that is written over: the operand, or the copy that was made of it."""
        base = item.eq.operands[0]
        root = buffer_of(self.plan, item.value)
        return base if buffer_of(self.plan, base) is root else root

    def update(self, item: Update) -> None:
        """One more element added: from the first on, older versions are gone."""
        v = item.value
        for spot in every(v) if v not in self.updated else ():
            self.put(v, spot)
        self.updated[v] = self.updated.get(v, 0) + 1
        if self.updated[v] == prod(level.axis.extent for level in item.levels):
            self.made[v] = set(every(v))

    # Elements.

    def done(self, v: Value, spot: Spot) -> None:
        assert spot not in self.made.setdefault(v, set()), "an element is made twice"
        self.made[v].add(spot)
        self.put(v, spot)

    def whole(self, v: Value) -> None:
        """All of a value is made, and in its place."""
        if v in self.plan.inlined or v in self.plan.literals or v in self.plan.program.params:
            return
        for spot in every(v):
            self.found(v, spot)

    def read(self, v: Value, index: tuple[Index, ...], env: dict[Axis, int], loose: bool) -> None:
        axes = [
            (index_at(i, env),) if knows(i) else range(n)
            for i, n in zip(index, v.type.shape, strict=True)
        ]
        for spot in product(*axes):
            inside = all(0 <= i < n for i, n in zip(spot, v.type.shape, strict=True))
            assert inside or loose, f"{spot} of {v.type}"
            if inside:
                self.found(v, spot)

    def found(self, v: Value, spot: Spot) -> None:
        self.reads += 1
        if v in self.plan.program.params or v in self.plan.literals:
            return
        assert spot in self.made.get(v, ()), f"{spot} of {v.type} is read before it is made"
        self.look(v, spot)

    # Memory.

    def address(self, v: Value, spot: Spot) -> tuple[Any, ...] | None:
        """Where the element lies; None in a register."""
        buffer = self.storage.buffers.get(v)
        if buffer is None:
            return None
        position = 0
        for d, n in zip(buffer.dims, buffer.shape, strict=True):
            position = position * n + spot[d] % n
        size = buffer.nbytes // max(prod(buffer.shape), 1)
        if buffer.kind in ("slot", "own"):
            return ("workspace", buffer.offset + position * size, size)
        return (buffer.kind, buffer.number, position)

    def put(self, v: Value, spot: Spot) -> None:
        where = self.address(v, spot)
        if where is None:
            return
        assert where[0] not in ("param", "literal"), "a write to what is not ours"
        for cell in cells(where):
            self.memory[cell] = (v, spot)

    def look(self, v: Value, spot: Spot) -> None:
        """The element is where it was put, and whole."""
        where = self.address(v, spot)
        for cell in cells(where) if where is not None else ():
            assert self.memory.get(cell) == (v, spot), f"{where} holds {self.memory.get(cell)}"


def cells(where: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What a write overwrites: single bytes in the workspace, elements elsewhere."""
    if where[0] == "workspace":
        return [("workspace", where[1] + n) for n in range(where[2])]
    return [where]
