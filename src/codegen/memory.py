"""Where each value is stored, from who reads it."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.access import Read
from codegen.again import without_rows
from codegen.buffers import Storage, rows_in, spanning
from codegen.index import Index
from codegen.items import (
    Close,
    Contraction,
    Fill,
    HostCall,
    Item,
    Loop,
    MemoryStep,
    Node,
    Open,
    Static,
    Update,
    moves_with,
)
from codegen.parallel import Region, region
from codegen.plan import Plan, buffer_of
from codegen.text import SHORT
from codegen.workspace import place_in_workspace
from ir.program import Value

WHOLE = 10_000
"""Roughly the instructions of a program that stays one function."""
CHUNK = 4_000
"""Roughly the instructions of one function of a longer program: LLVM takes more than linear time
beyond, while what crosses from one function to the next has to be stored and loaded."""
STACK = 8 * 1024
"""Bytes of the largest row that lies on the stack."""
STACKED = 128 * 1024
"""Bytes of all rows on the stack together,"""
WINDOWS = 256 * 1024
"""and of all windows; larger ones lie in the workspace, one for each block that is run."""


def store(plan: Plan) -> Storage:
    """Settle storage: register by default, memory where some reader cannot see the register."""
    storage = Storage(*cut(plan.tree))
    plan.orders |= accumulator_orders(plan)
    for n, v in enumerate(plan.program.params):
        storage.buffers[v] = spanning("param", n, v)
    for n, v in enumerate(plan.literals):
        storage.buffers[v] = spanning("literal", n, v)
    spans = memory_spans(plan, storage.chunks)
    left, room = STACKED, WINDOWS
    for n, (v, bound) in enumerate(spans.items()):
        root = buffer_of(plan, v)
        if root in plan.results:
            order = plan.orders.get(v)
            storage.buffers[v] = spanning("result", plan.results[root], v, (), order)
        elif v in plan.inlined.windows:
            window = rows_in(plan, n, v)
            if window.nbytes <= room:
                storage.buffers[v] = window
                room -= window.nbytes
        elif bound:
            row = spanning("row", n, v, plan.definitions[v][0].levels[:bound])
            if row.nbytes <= min(STACK, left):
                storage.buffers[v] = row
                left -= row.nbytes
            elif shared_out(plan.definitions[v][0], storage):
                spans[v] = 0  # a row in the workspace would be one for all threads
    place_in_workspace(plan, spans, storage)
    for v in spans:
        if v not in storage.buffers:
            storage.buffers[v] = storage.buffers[buffer_of(plan, v)]
    return storage


def accumulator_orders(plan: Plan) -> dict[Value, tuple[int, ...]]:
    """Sums in memory have their shortest dimensions outermost: points' coordinates lie apart, so
    that the loop over the points goes from one to the next."""
    kept = {*plan.results, *plan.in_memory, *plan.orders, *plan.shares, *plan.shares.values()}
    for item in plan.items:
        if isinstance(item, Contraction | HostCall | Update):
            kept.update(read.value for read in item.reads)
            kept.update(item.eq.operands)
    found = {}
    for item in plan.items:
        shape = item.value.type.shape
        if isinstance(item, MemoryStep) and item.value not in kept:
            found[item.value] = tuple(sorted(range(len(shape)), key=lambda d: shape[d] > SHORT))
    return found


def leaves(nodes: list[Node]) -> Iterator[Item]:
    """Every item, in order."""
    for node in nodes:
        if isinstance(node, Loop):
            yield from leaves(node.body)
        else:
            yield node


def shared_out(item: Item, storage: Storage) -> bool:
    """Whether the item's outermost loop is run by several threads."""
    return any(found is not None and item.path[0] in found.loops for found in storage.regions)


def cut(tree: list[Node]) -> tuple[list[list[Node]], list[Region | None]]:
    """The top level in chunks, each to be one function; a region is one of its own."""
    parts = [(part, sum(item.cost for item in leaves(part))) for part in together(tree)]
    limit = WHOLE if sum(cost for _, cost in parts) <= WHOLE else CHUNK
    chunks: list[list[Node]] = [[]]
    regions: list[Region | None] = [None]
    spent = 0
    for part, cost in parts:
        found = region(part[0])
        if found is not None or regions[-1] is not None or (spent and spent + cost > limit):
            chunks.append([])
            regions.append(found)
            spent = 0
        chunks[-1] += part
        spent += cost
    return chunks, regions


def together(tree: list[Node]) -> Iterator[list[Node]]:
    """What must stand in one function: a loop, what it carries registers from, and to."""
    part: list[Node] = []
    begun = False
    for node in tree:
        if (found := region(node)) is not None:
            yield from ([part] if part else [])
            yield list(found.loops)
            part, begun = [], False
        elif isinstance(node, Loop) and node.strip:
            pass  # stands with the first loop of its strip
        elif begun and not isinstance(node, Close):
            yield part
            part, begun = [node], not is_opening(node)
        else:
            part.append(node)
            begun = begun or not is_opening(node)
    if part:
        yield part


def is_opening(node: Node) -> bool:
    """Whether the node only sets accumulators, in registers or in memory, for a loop behind it."""
    return all(isinstance(item, Open | Fill) for item in leaves([node]))


def memory_spans(plan: Plan, chunks: list[list[Node]]) -> dict[Value, int]:
    """The values that need memory, each with the number of loops around its buffer."""
    chunk_of = {item: n for n, nodes in enumerate(chunks) for item in leaves(nodes)}
    spans: dict[Value, int] = dict.fromkeys(sorted_by_item(plan), 0)

    def limit(v: Value, loops: int) -> None:
        spans[v] = min(spans.get(v, loops), loops)

    for item in plan.items:
        if isinstance(item, MemoryStep):
            limit(item.value, item.opens)
        for read in item.reads:
            makers = plan.definitions.get(read.value)
            if makers and needs_memory(makers, item, read.index, chunk_of):
                limit(read.value, shared(makers[0], item) if len(makers) == 1 else 0)
    without_rows(plan, spans, lambda read, item: sees(plan, spans, chunk_of, read, item))
    for item in plan.items:
        for read in item.reads:
            if read.value in spans and (makers := plan.definitions.get(read.value)):
                limit(read.value, shared(makers[0], item))
    return spans


def sees(
    plan: Plan, spans: dict[Value, int], chunk_of: dict[Item, int], read: Read, item: Item
) -> bool:
    """Whether the item can read the element, from memory or a register."""
    makers = plan.definitions.get(read.value)
    if not makers:
        return True
    if read.value in plan.inlined.windows:
        return moves_with(makers[0], item)
    if read.value in spans:
        return shared(makers[0], item) >= spans[read.value]
    return not needs_memory(makers, item, read.index, chunk_of)


def sorted_by_item(plan: Plan) -> list[Value]:
    """The values that must lie whole in memory, in the order in which items make them."""
    made = [*(v for item in plan.items for v in item.values), *plan.shares]
    return [v for v in dict.fromkeys(made) if v in plan.in_memory]


def shared(maker: Item, reader: Item) -> int:
    """How many loops the two have in common."""
    count = 0
    for mine, its in zip(maker.path, reader.path, strict=False):
        if mine is not its:
            break
        count += 1
    return count


def needs_memory(
    makers: list[Item], reader: Item, index: tuple[Index, ...], chunk_of: dict[Item, int]
) -> bool:
    """Whether the reader cannot see the register that the maker leaves."""
    if len(makers) > 1:
        makers = [maker for maker in makers if maker.meets(index)]
    if len(makers) != 1 or chunk_of[makers[0]] != chunk_of[reader]:
        return True
    (maker,) = makers
    if isinstance(maker, Contraction) or isinstance(reader, Contraction):
        return True
    if isinstance(maker, Static):
        return not all(isinstance(i, int) for i in index)
    if isinstance(maker, Update):  # its dimensions are those of the updates
        return True
    if any(index[dim] != place for dim, place in maker.fixed.items()):
        return True
    around = sum(level.dim is not None for level in maker.levels)
    return shared(maker, reader) < around
