"""Elements of rows that are computed again where they are read, because that is as cheap as a load.

A value that several loops under one loop read would lie in a row. If it is a difference or a
product of what each of them can read, they compute it, and there is no row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegen.access import Read
from codegen.index import Axis, Index, replaced
from codegen.items import Compute, Contraction, HostCall, Item
from codegen.plan import Plan
from ir.program import Value

CHEAP = 2
"""Work of an element that is computed again."""

Sees = Callable[[Read, Item], bool]
"""Whether an item can read what is stored, or in a register, at its place in the loops."""


def without_rows(plan: Plan, spans: dict[Value, int], sees: Sees) -> None:
    """Take rows out of ``spans`` whose readers compute their elements again; the items' reads then
    say what is read for that."""
    works: dict[Value, int] = {}
    made: dict[Value, Item] = {}

    def below(maker: Item, read: Read, reader: Item) -> list[Read]:
        """What the reader reads to compute the element itself."""
        found = []
        for other in moved(maker, read):
            again = other.value in made and not sees(other, reader)
            found += below(made[other.value], other, reader) if again else [other]
        return found

    for item in plan.items:
        v = item.value
        if not isinstance(item, Compute) or not spans.get(v) or len(plan.definitions[v]) != 1:
            continue
        work = item.eq.op.cost + sum(works.get(read.value, 0) for read in item.reads)
        kept = v in plan.in_memory or v in plan.inlined.windows
        if work > CHEAP or kept or item.branches:
            continue
        bound = spans.pop(v)
        blind = [
            (reader, read)
            for reader in plan.items
            for read in reader.reads
            if read.value is v and not sees(read, reader)
        ]
        found = [(reader, read, below(item, read, reader)) for reader, read in blind]
        wanted = [(other, reader) for reader, _, others in found for other in others]
        addressed = any(isinstance(reader, Contraction | HostCall) for reader, _ in blind)
        if addressed or not all(sees(other, reader) for other, reader in wanted):
            spans[v] = bound
            continue
        works[v], made[v] = work, item
        plan.inlined.anew[v] = item.eq
        for reader, read, others in found:
            rest = [other for other in reader.reads if other != read]
            reader.reads = list(dict.fromkeys([*rest, *others]))


def moved(maker: Item, read: Read) -> list[Read]:
    """What the maker reads, at the place that is read of its value."""
    by: Mapping[Axis, Index] = {
        level.axis: read.index[level.dim] for level in maker.levels if level.dim is not None
    }
    return [Read(r.value, tuple([replaced(i, by) for i in r.index])) for r in maker.reads]
