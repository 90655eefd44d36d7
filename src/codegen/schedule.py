"""The loop tree: which items share which loops."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from codegen.index import Axis
from codegen.items import Carried, Close, Fill, Item, Lead, Loop, MemoryStep, Node, Open, aligned
from codegen.parallel import region
from codegen.strips import phases
from ir.program import Value

TRIES = 8
"""How many open loops an item looks at before it opens one of its own."""


def schedule(items: Sequence[Item]) -> list[Node]:
    """Loops and items in an order that meets every dependency; sets each item's path.

    An item joins a loop that runs over the same steps if all that it reads from it is made at the
    same step, and comes after every other item it depends on.
    """
    return Body(list(items), 0).nodes()


class Body:
    """The items of one loop body (or of the whole program), put in groups in order."""

    def __init__(self, items: list[Item], depth: int) -> None:
        self.items, self.depth = items, depth
        self.groups: list[list[Item]] = []
        self.open: dict[tuple[int, int, bool], list[int]] = {}
        self.place: dict[Item, int] = {}
        self.moved: dict[int, int] = {}
        self.leading: dict[Value, int] = {}
        """Where the rows of each window are made: all pieces of them in one place."""
        self.touched: list[set[object]] = []
        self.steps: list[tuple[int, int, bool] | None] = []

    def nodes(self) -> list[Node]:
        for item in self.items:
            group = self.group_for(item)
            self.place[item] = group
            if len(item.levels) > self.depth and item.levels[self.depth].ahead:
                self.leading[item.value] = group
            self.groups[group].append(item)
            self.touched[group].update(read.value for read in item.reads)
            self.touched[group].add(item.value)
        self.sink()
        made: list[Node] = []
        for members in filter(None, self.groups):
            first = members[0]
            if len(first.levels) <= self.depth:
                made += members
                continue
            loops = self.loops([members])
            together = self.depth or loops[0].leads or not region(loops[0])
            if not together and (apart := phases(members)):
                for item in members:
                    item.path.clear()
                loops = self.loops(apart)
            carried = [m for m in members if isinstance(m, Carried) and m.opens == self.depth]
            made += [opening(m) for m in carried]
            made += loops
            made += [Close(m.eq, m.value, path=m.path[: self.depth], step=m) for m in carried]
        return made

    def loops(self, parts: list[list[Item]]) -> list[Loop]:
        """A loop for each part of a group, which are one strip if they are several."""
        made = []
        for members in parts:
            loop = Loop(Axis(*members[0].levels[self.depth].steps))
            ahead = [item for item in members if item.levels[self.depth].ahead]
            rest = [item for item in members if item not in ahead] if ahead else members
            for item in rest:
                item.path.append(loop)
            loop.body = [*self.leads(ahead), *Body(rest, self.depth + 1).nodes()]
            made.append(loop)
        for loop in made if len(made) > 1 else ():
            loop.strip = made
        return made

    def leads(self, items: list[Item]) -> list[Lead]:
        """What makes the rows of windows that move with a loop."""
        made = []
        for v in dict.fromkeys([item.value for item in items]):
            members = [item for item in items if item.value is v]
            level = members[0].levels[self.depth]
            axis = Axis(level.axis.low, level.axis.high)
            lead = Lead(axis, ahead=level.ahead, rows=level.rows, value=v)
            for item in members:
                item.path.append(lead)
            lead.body = Body(members, self.depth + 1).nodes()
            made.append(lead)
        return made

    def group_for(self, item: Item) -> int:
        """The earliest group that the item may stand in and gains from, or a new one at the end."""
        if len(item.levels) <= self.depth:
            return self.new_group(None)
        first = 0
        for dependency in item.dependencies:
            where = self.place.get(dependency.item)
            if where is not None:
                shares = aligned(item, self.depth, dependency)
                first = max(first, where if shares else where + 1)
        if self.leading.get(item.value, -1) >= first:
            return self.leading[item.value]
        steps = (*item.levels[self.depth].steps, item.serial)
        candidates = self.open.setdefault(steps, [])
        start = bisect_left(candidates, first)
        for group in candidates[start : start + TRIES]:
            if self.gains(item, group):
                return group
        candidates.append(self.new_group(steps))
        return candidates[-1]

    def gains(self, item: Item, group: int) -> bool:
        """Whether the item reads something that the group makes or reads too."""
        touched = self.touched[group]
        return not item.reads or any(read.value in touched for read in item.reads)

    def new_group(self, steps: tuple[int, int, bool] | None) -> int:
        self.groups.append([])
        self.touched.append(set())
        self.steps.append(steps)
        return len(self.groups) - 1

    def sink(self) -> None:
        """Move a loop into the first one that reads from it, where that runs over the same steps,
        or into one before that which reads the same.

        The item that came first opened its loop too early when a reader of it, or another reader
        of what it reads, had to wait for something else.
        """
        readers: dict[int, set[int]] = {}
        for item in self.items:
            mine = self.place[item]
            for dependency in item.dependencies:
                its = self.place.get(dependency.item)
                if its is not None and its != mine:
                    readers.setdefault(its, set()).add(mine)
        order = {item: n for n, item in enumerate(self.items)}
        for group in reversed(range(len(self.groups))):
            if self.steps[group] is None:
                continue
            later = {self.root(reader) for reader in readers.get(group, ())}
            target = min(later, default=len(self.groups))
            if not later or not (
                self.steps[group] == self.steps[target] and self.meets(group, target)
            ):
                target = self.neighbour(group, target)
            if target < len(self.groups):
                both = self.groups[group] + self.groups[target]
                self.groups[target] = sorted(both, key=order.__getitem__)
                self.groups[group] = []
                self.moved[group] = target
                self.touched[target] |= self.touched[group]
                readers.setdefault(target, set()).update(later - {target})

    def neighbour(self, group: int, end: int) -> int:
        """A group before ``end`` that reads what the group reads, at the same steps, and comes
        after all that it depends on; the number of groups if there is none."""
        before = [
            self.root(self.place[dependency.item])
            for item in self.groups[group]
            for dependency in item.dependencies
            if dependency.item in self.place
        ]
        first = 1 + max([its for its in before if its != group], default=-1)
        for target in range(first, end):
            alike = self.groups[target] and self.steps[target] == self.steps[group]
            shares = not self.touched[group].isdisjoint(self.touched[target])
            if alike and shares and target != group:
                return target
        return len(self.groups)

    def root(self, group: int) -> int:
        """Where the members of a group are now."""
        while group in self.moved:
            group = self.moved[group]
        return group

    def meets(self, group: int, target: int) -> bool:
        """Whether all that ``target`` reads of ``group`` is made at the same step."""
        return all(
            aligned(item, self.depth, dependency)
            for item in self.groups[target]
            for dependency in item.dependencies
            if (its := self.place.get(dependency.item)) is not None and self.root(its) == group
        )


def opening(step: Carried) -> Node:
    """What goes before the loops that a fold or scan carries values through."""
    around = step.path[: step.opens]
    if not isinstance(step, MemoryStep):
        return Open(step.eq, step.value, path=around, step=step)
    before, rest = step.levels[: step.opens], step.levels[step.opens :]
    inner = [level for level in rest if level.dim is not None]
    loops = [Loop(Axis(level.axis.low, level.axis.high)) for level in inner]
    path = [*around, *loops]
    fill = Fill(step.eq, step.value, [*before, *inner], step.fixed, path=path, step=step)
    nest: list[Node] = [*loops, fill]
    for outer, body in pairwise(nest):
        assert isinstance(outer, Loop)
        outer.body.append(body)
    return loops[0]
