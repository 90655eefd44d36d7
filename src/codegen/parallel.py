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
from ir.ops.indexing import Indexed

LARGE = 400_000
"""Work of a loop, in the weights of ``Op.cost``, from which waking threads pays."""
BLOCKS = 64
"""Blocks that a loop is cut into at most; their results are combined in order."""
PIECE, OWN = 50_000, 2_400
"""Work of a block at least, by itself and for each element of accumulators that it has of its own:
they are cleared and combined."""
HALO = 16
"""Steps of a block for each row that a window is ahead: it makes those rows anew."""
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
    scattered: Update | None = None
    """An update at places that are data: every block goes through all steps of the loop, and takes
    those whose place is among its own."""

    @property
    def shared(self) -> tuple[int, int]:
        """What is cut into blocks: the steps of the loop, or the places of a scattered update."""
        if self.scattered is not None:
            return 0, places(self.scattered)
        axis = self.loops[0].axis
        return axis.low, axis.high


def region(node: Node) -> Region | None:
    """The loop as a region, if it is large enough and its steps do not meet in memory."""
    if not isinstance(node, Loop) or node.axis.extent < 2:
        return None
    loops = tuple(node.strip or [node])
    if loops[0] is not node or (total := sum(map(work, loops))) < LARGE:
        return None
    items = [item for loop in loops for item in leaves(loop)]
    if len(items) == 1 and isinstance(items[0], Update):
        return scattered(node, items[0], total)
    folds = tuple([i for i in items if isinstance(i, Carried) and i.opens == 0])
    piece = max(PIECE, OWN * sum(i.value.type.size for i in folds))
    many = max(min(BLOCKS, total // piece), 2)
    if many < 16:  # then they are to be as many for each of two or four threads
        many = 1 << (many.bit_length() - 1)
    ahead = max([lead.ahead for lead in node.leads], default=0)
    step = rounded(max(-(-node.axis.extent // many), min(HALO * ahead, node.axis.extent // 4)))
    blocks = -(-node.axis.extent // step)
    apart = all(hasattr(i.eq.op, "pair") and fits(i, blocks) for i in folds)
    meeting = any(isinstance(i, Update | Effect) for i in items)
    meeting = meeting or any(isinstance(i, ScanStep) and i.opens == 0 for i in items)
    return Region(loops, step, blocks, folds) if apart and not meeting and blocks > 1 else None


SCANNED = 48
"""By how much the work of a scattered update must exceed that of finding each block's steps."""


def scattered(loop: Loop, item: Update, total: int) -> Region | None:
    """The region of an update by rows, at places that one index operand names."""
    op = item.eq.op
    if not isinstance(op, Indexed) or op.batch or item.eq.operands[2].type.rank != 1:
        return None
    blocks = min(total // (SCANNED * loop.axis.extent), places(item), BLOCKS)
    if blocks < 2 or item.levels[0].dim != 0:
        return None
    step = -(-places(item) // (1 << (blocks.bit_length() - 1)))
    return Region((loop,), step, -(-places(item) // step), (), item)


def places(item: Update) -> int:
    """Among how many places along the indexed axis an update chooses."""
    return item.eq.operands[0].type.shape[item.eq.op.axes[0]]  # type: ignore[attr-defined]


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
        return node.trips * sum(work(inner) for inner in node.body)
    if isinstance(node, Open | Close | Fill):
        return 1
    if isinstance(node, Contraction):
        return node.size
    return max(node.eq.op.cost + 2 * len(node.reads), 1)
