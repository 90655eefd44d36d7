"""Which loops are taken several steps at a time, in the lanes of vectors, and how many.

Each way down the loop tree has at most one such loop: the one that makes the whole cheapest, by a
count of what is executed. Often that is the innermost, whose elements lie side by side. It is an
outer one where the inner loops are short, or where each of its steps folds: then every lane has
accumulators of its own, and rows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.buffers import Storage
from codegen.items import Close, Fill, Item, Lead, Loop, MemoryStep, Node, Open, Update
from codegen.parallel import Region
from codegen.plan import Plan
from codegen.strips import STRIP
from codegen.target import Target
from codegen.vectors import STEP, Trial, Vector


def choose(
    nodes: Sequence[Node],
    found: Region | None,
    plan: Plan,
    storage: Storage,
    target: Target,
    narrow: bool = False,
) -> dict[Loop, Vector]:
    """The loops among the nodes, and in them, that are taken several steps at a time; the loops of
    a region are run a block at a time. ``narrow`` asks for little code: one register a vector."""
    return Chooser(plan, storage, target, found, narrow).nodes(nodes)[1]


@dataclass
class Chooser:
    """Weighs the loops of a plan."""

    plan: Plan
    storage: Storage
    target: Target
    region: Region | None
    narrow: bool = False

    def span(self, loop: Loop) -> int:
        """The steps that are run in one go."""
        if self.region is None or loop not in self.region.loops:
            return loop.axis.extent
        return min(self.region.step, STRIP if len(self.region.loops) > 1 else self.region.step)

    def nodes(self, nodes: Sequence[Node], depth: int = 0) -> tuple[float, dict[Loop, Vector]]:
        """The least cost of some nodes, and the loops that are vectors then."""
        total, chosen = 0.0, dict[Loop, Vector]()
        for node in nodes:
            if not isinstance(node, Loop):
                total += self.single(node)
                continue
            if isinstance(node, Lead):
                cost, inside = self.nodes(node.body, depth)
            else:
                cost, inside = self.loop(node, depth)
            total += cost
            chosen |= inside
        return total, chosen

    def loop(self, loop: Loop, depth: int) -> tuple[float, dict[Loop, Vector]]:
        inner, inside = self.nodes(loop.body, depth + 1)
        best, chosen = loop.axis.extent * (inner + STEP), inside
        alone = loop.axis.extent * self.scalar(loop)
        tried = Trial(self, loop, depth)
        if tried.legal():
            for width in tried.widths():
                cost = tried.cost(width, alone / loop.axis.extent)
                if cost < best:
                    best, chosen = cost, {loop: tried.vector(width)}
        return best, chosen

    def scalar(self, loop: Loop) -> float:
        """What a step costs without vectors."""
        return STEP + sum(
            self.single(node) if not isinstance(node, Loop) else node.trips * self.scalar(node)
            for node in loop.body
        )

    def single(self, item: Item) -> float:
        """What an item costs at one step of its loops, by itself."""
        if isinstance(item, Open | Close | Fill):
            return 1.0
        written = isinstance(item, MemoryStep | Update) or item.value in self.storage.buffers
        return float(item.eq.op.cost + len(item.reads) + written)
