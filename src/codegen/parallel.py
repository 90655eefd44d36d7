"""Which loops are shared out to threads, in blocks that do not depend on how many there are."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.items import (
    Carried,
    Close,
    Contraction,
    Effect,
    Fill,
    FoldStep,
    Item,
    Loop,
    MemoryStep,
    Node,
    Open,
    ScanStep,
    Update,
)

LARGE = 400_000
"""Work of a loop, in the weights of ``Op.cost``, from which waking threads pays."""
BLOCKS = 64
"""Blocks that a loop is cut into at most; their results are combined in order."""
PIECE = 50_000
"""Work of a block at least, so that it is worth an accumulator of its own."""
PARTIALS = 1 << 22
"""Bytes of the largest accumulator, over all blocks, that each block has one of."""


@dataclass(frozen=True, eq=False)
class Region:
    """A top-level loop, or a strip of them, whose blocks run at the same time."""

    loops: tuple[Loop, ...]
    step: int
    """Steps of the loop in a block."""
    blocks: int
    folds: tuple[Carried, ...]
    """The folds over the loop: each block accumulates on its own, and the sums are combined."""


def region(node: Node) -> Region | None:
    """The loop as a region, if it is large enough and its steps do not meet in memory."""
    if not isinstance(node, Loop) or node.axis.extent < 2:
        return None
    loops = tuple(node.strip or [node])
    if loops[0] is not node or (total := sum(map(work, loops))) < LARGE:
        return None
    step = rounded(-(-node.axis.extent // min(BLOCKS, total // PIECE)))
    blocks = -(-node.axis.extent // step)
    items = [item for loop in loops for item in leaves(loop)]
    folds = tuple([i for i in items if isinstance(i, Carried) and i.opens == 0])
    apart = all(hasattr(i.eq.op, "pair") and fits(i, blocks) for i in folds)
    meeting = any(isinstance(i, Update | Effect) for i in items)
    meeting = meeting or any(isinstance(i, ScanStep) and i.opens == 0 for i in items)
    return Region(loops, step, blocks, folds) if apart and not meeting else None


def rounded(step: int) -> int:
    """Steps of a block, of which vectors leave no rest: a multiple of 32, of less if few."""
    many = next((n for n in (32, 16, 8) if step >= 2 * n), 1)
    return -(-step // many) * many


def fits(item: Carried, blocks: int) -> bool:
    """Whether every block can have an accumulator of its own."""
    if isinstance(item, MemoryStep):
        return item.value.type.nbytes * blocks <= PARTIALS
    return isinstance(item, FoldStep)


def leaves(node: Node) -> list[Item]:
    """The items in a loop, or the item itself."""
    if not isinstance(node, Loop):
        return [node]
    return [item for inner in node.body for item in leaves(inner)]


def work(node: Node) -> int:
    """The arithmetic and the reads of a loop, over all its steps."""
    if isinstance(node, Loop):
        return node.axis.extent * sum(work(inner) for inner in node.body)
    if isinstance(node, Open | Close | Fill):
        return 1
    if isinstance(node, Contraction):
        return node.size
    return node.eq.op.cost + 2 * len(node.reads)
