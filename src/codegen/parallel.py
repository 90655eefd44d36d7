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
from codegen.text import SHORT

LARGE = 400_000
"""Work of a loop, in the weights of ``Op.cost``, from which waking threads pays."""
BLOCKS = 64
"""Blocks that a loop is cut into at most; their results are combined in order."""
PIECE, OWN = 50_000, 2_400
"""Work of a block at least, by itself and for each element of accumulators that it has of its own:
they are cleared and combined."""
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
    items = [item for loop in loops for item in leaves(loop)]
    folds = tuple([i for i in items if isinstance(i, Carried) and i.opens == 0])
    piece = max(PIECE, OWN * sum(i.value.type.size for i in folds))
    step = rounded(-(-node.axis.extent // max(min(BLOCKS, total // piece), 2)))
    blocks = -(-node.axis.extent // step)
    apart = all(hasattr(i.eq.op, "pair") and fits(i, blocks) for i in folds)
    meeting = any(isinstance(i, Update | Effect) for i in items)
    meeting = meeting or any(isinstance(i, ScanStep) and i.opens == 0 for i in items)
    return Region(loops, step, blocks, folds) if apart and not meeting else None


def rounded(step: int) -> int:
    """Steps of a block, of which vectors leave no rest: a multiple of 32, of less if few."""
    many = next((n for n, least in ((32, 256), (16, 128), (8, 16)) if step >= least), 1)
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


def is_short(loop: Loop) -> bool:
    """Whether the loop is written out step by step."""
    inner = [node for node in loop.body if isinstance(node, Loop)]
    return loop.axis.extent <= SHORT and all(map(is_short, inner))
