"""One workspace for what a call keeps: places are shared by what does not live at the same time."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush

from codegen.buffers import Buffer, Storage, rows_in, spanning
from codegen.items import Carried, Close, Item, Node
from codegen.parallel import leaves
from codegen.plan import Plan, buffer_of
from ir.program import Value

ALIGNMENT = 64


def place_in_workspace(plan: Plan, spans: dict[Value, int], storage: Storage) -> None:
    """Give each buffer that has no place yet a slot; slots are shared by lifetime."""
    slots = Slots()
    wanted: list[tuple[tuple[int, int], Value | Carried, Buffer]] = []
    for v, lifetime in find_lifetimes(plan, spans, storage).items():
        around = plan.definitions[v][0].levels[: spans[v]]
        buffer = spanning("slot", 0, v, around, plan.orders.get(v))
        if v in plan.inlined.windows:
            buffer = replace(rows_in(plan, 0, v), kind="own")
        wanted.append((lifetime, v, buffer))
    wanted += partial_sums(plan, storage)
    for (first, last), what, buffer in sorted(wanted, key=lambda entry: entry[0]):
        nbytes = buffer.nbytes
        if isinstance(what, Value) and buffer.kind == "own":
            nbytes *= blocks_around(plan.definitions[what][0], storage)
        placed = replace(buffer, offset=slots.take(nbytes, first, last))
        if isinstance(what, Value):
            storage.buffers[what] = placed
        else:
            storage.partials[what] = placed
    storage.workspace = slots.size


def partial_sums(
    plan: Plan, storage: Storage
) -> list[tuple[tuple[int, int], Value | Carried, Buffer]]:
    """A buffer for each fold over a region, with the lifetime from its loop to its combination."""
    where = times(storage)
    closed = {node.step: where[node] for node in plan.tree if isinstance(node, Close)}
    wanted: list[tuple[tuple[int, int], Value | Carried, Buffer]] = []
    for found in filter(None, storage.regions):
        for fold in found.folds:
            one = spanning("slot", 0, fold.value, (), plan.orders.get(fold.value))
            dims = (0, *[d + 1 for d in one.dims])
            buffer = replace(one, dims=dims, shape=(found.blocks, *one.shape))
            wanted.append(((where[found.loops[0]], closed[fold]), fold, buffer))
    return wanted


def blocks_around(item: Item, storage: Storage) -> int:
    """In how many blocks the loop that moves the item's window is run."""
    for found in filter(None, storage.regions):
        if any(item in leaves(loop) for loop in found.loops):
            return found.blocks
    return 1


def times(storage: Storage) -> dict[Node, int]:
    """When each top-level node is run; the loops of a strip are run at the same time."""
    found: dict[Node, int] = {}
    for nodes, shared in zip(storage.chunks, storage.regions, strict=True):
        for node in nodes:
            known = found[nodes[0]] if shared is not None and node is not nodes[0] else len(found)
            found[node] = known
    return found


def find_lifetimes(
    plan: Plan, spans: dict[Value, int], storage: Storage
) -> dict[Value, tuple[int, int]]:
    """For each workspace buffer, the top-level nodes at which it is first and last touched."""
    where: dict[Node, int] = {}
    for node, n in times(storage).items():
        where.update(dict.fromkeys(leaves(node), n))
    lifetimes: dict[Value, tuple[int, int]] = {}

    def touch(v: Value, item: Item) -> None:
        root = buffer_of(plan, v)
        if v in spans and root not in storage.buffers:
            n = where[item]
            first, last = lifetimes.get(root, (n, n))
            lifetimes[root] = min(first, n), max(last, n)

    for item in plan.items:
        for v in item.values:
            touch(v, item)
        for v in item.eq.operands:
            touch(v, item)
        for read in item.reads:
            touch(read.value, item)
    return lifetimes


class Slots:
    """A workspace in which buffers whose lifetimes do not meet share places."""

    def __init__(self) -> None:
        self.size = 0
        self.free: dict[int, list[int]] = {}
        self.busy: list[tuple[int, int, int]] = []

    def take(self, nbytes: int, first: int, last: int) -> int:
        """The offset of a place from node ``first`` to node ``last``; calls come by ``first``."""
        rounding = 8 if nbytes <= 8 else ALIGNMENT
        nbytes = -(-nbytes // rounding) * rounding
        while self.busy and self.busy[0][0] < first:
            _, size, offset = heappop(self.busy)
            self.free.setdefault(size, []).append(offset)
        if found := self.free.get(nbytes):
            offset = found.pop()
        else:
            offset = -(-self.size // rounding) * rounding
            self.size = offset + nbytes
        heappush(self.busy, (last, nbytes, offset))
        return offset
