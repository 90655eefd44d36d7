"""Loops whose steps mix rows with single numbers: run in turns, some hundred steps at a time.

A loop over the rows of a matrix that takes the exponential of one number a row would call the
function for one number at a time. Cut in two, and run a strip of rows at a time, what is done to
the numbers is a loop of vectors, and the rows are still in the cache when they are read again.
"""

from __future__ import annotations

from math import prod

from codegen.items import Item
from codegen.text import SHORT

STRIP = 128
"""Steps that each loop of a strip takes in its turn."""
HEAVY = 16
"""Work on single numbers, in the weights of ``Op.cost``, from which taking it apart may pay."""
SHARE = 32
"""And the part of the work on rows from which it does: rows are vectors, the numbers are not."""
MOST = 4
"""Turns that are taken at most."""


def phases(members: list[Item]) -> list[list[Item]]:
    """The items of a loop apart, rows and single numbers in turns; none if they stay together."""
    single = {item for item in members if len(item.levels) == 1}
    rows = [item for item in members if item not in single]
    long = any(prod(level.axis.extent for level in i.levels[1:]) > SHORT for i in rows)
    numbers = sum(item.eq.op.cost for item in single)
    if not long or numbers < HEAVY or numbers * SHARE < sum(map(work, rows)):
        return []
    turn: dict[Item, int] = {}
    for item in members:
        turn[item] = first = int(item in single)
        for dependency in item.dependencies:
            if (before := turn.get(dependency.item)) is not None:
                turn[item] = max(turn[item], before + (before % 2 != first))
    found: list[list[Item]] = [[] for _ in range(max(turn.values()) + 1)]
    for item in members:
        found[turn[item]].append(item)
    found = list(filter(None, found))
    return found if 1 < len(found) <= MOST else []


def work(item: Item) -> int:
    """The arithmetic and the reads at one step of the outermost loop."""
    steps = prod(level.axis.extent for level in item.levels[1:])
    return steps * (item.eq.op.cost + 2 * len(item.reads))
