"""Rows of the step to come, brought near while those of a step are read.

Where several loops run over the rows of one step of a loop around them, each row is a stretch of
memory of its own, and what the machine foresees ends with it. So the loop that reads an array first
asks for the same place of the next row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen.buffers import Buffer
from codegen.items import Lead, Loop
from codegen.parallel import leaves
from codegen.vectors import step_of
from ir.types import DTYPES

if TYPE_CHECKING:
    from codegen.emit import Emitter

LARGE = 2 << 20
"""Bytes of an array from which its rows are not near already."""
LEAST, MOST = 512, 16 * 1024
"""Bytes of a row: shorter ones are foreseen, longer ones would be gone when they are read."""


def next_rows(emitter: Emitter, loop: Loop) -> dict[Buffer, int]:
    """How many elements ahead the next row lies, of each large array that the loop reads first."""
    items = leaves(loop)
    depth = items[0].path.index(loop)
    around = items[0].path[depth - 1] if depth else None
    if around is None or isinstance(around, Lead):
        return {}
    beside = [node for node in around.body if type(node) is Loop]
    if len(beside) < 2:
        return {}
    earlier = [leaves(node) for node in beside[: beside.index(loop)]]
    known = {read.value for made in earlier for item in made for read in item.reads}
    found = {}
    for item in items:
        for read in item.reads:
            buffer = emitter.k.buffers.get(read.value)
            if buffer is None or read.value in known or read.value.type.nbytes < LARGE:
                continue
            outer, own = (level.axis for level in item.levels[depth - 1 : depth + 1])
            place = buffer.position(read.index)
            row = step_of(place, outer) or 0
            nbytes = row * DTYPES[buffer.dtype].size
            if step_of(place, own) == 1 and LEAST <= nbytes <= MOST:
                found[buffer] = row
    return found
