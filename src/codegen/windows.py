"""Arrays of which only the rows in a window are kept, while a loop moves it from row to row.

What is read at several neighbouring rows, as in the derivative of a stencil, is computed once, a
few rows ahead of its reader, in a buffer as long as the window: the line buffers of image
processing. The whole array is never in memory, and nothing is computed again. Ragan-Kelley et al.,
Halide (PLDI 2013), call it a sliding window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

from codegen.index import Axis
from ir import ops
from ir.graph import producers, readers
from ir.ops.families import Elementwise
from ir.program import Equation, Program, Value
from ir.types import ArrayType

if TYPE_CHECKING:
    from codegen.items import Level

LEAST = 3
"""Reads of different elements from which a window pays."""
BATCHED = 10
"""Rows from which it pays inside other loops: their steps could be lanes instead."""


@dataclass(frozen=True)
class Window:
    """The dimension along which the window moves, and by how many rows its end is ahead."""

    dim: int
    ahead: int

    @property
    def rows(self) -> int:
        """Rows of the buffer, from the one that is read first to the one that is being made."""
        return self.ahead + 1

    def made(self, pad: Equation) -> Axis:
        """The rows that are not zero."""
        assert isinstance(pad.op, ops.Pad)
        before, count = pad.op.before[self.dim], pad.operands[0].type.shape[self.dim]
        return Axis(before, before + count)

    def leading(self, levels: Sequence[Level], whole: ArrayType) -> list[Level]:
        """The loops of what makes the rows: one is ahead of the loop that moves the window."""
        return [
            replace(level, ahead=self.ahead, rows=whole.shape[self.dim])
            if level.dim == self.dim
            else level
            for level in levels
        ]


def windows(program: Program) -> dict[Value, Window]:
    """The padded arrays that one reader reads in slices, at neighbouring rows."""
    pads = [eq for eq in program.equations if isinstance(eq.op, ops.Pad)]
    if not pads:
        return {}
    reading = readers(program)
    computed = {eq.result for eq in program.equations if isinstance(eq.op, Elementwise)}
    kept, found = set(program.results), {}
    for pad in pads:
        cuts = reading.get(pad.result, [])
        if pad.result in kept or not pad.result.type.size or computed.isdisjoint(pad.operands):
            continue
        window = moving(pad, cuts)
        if window and len({met(cut.result, reading, kept) for cut in cuts}) == 1:
            found[pad.result] = window
    return found


def moving(pad: Equation, cuts: Sequence[Equation]) -> Window | None:
    """The window in which all slices of the padded array are read, at the same steps of a loop."""
    if len(cuts) < LEAST or not all(isinstance(cut.op, ops.Slice) for cut in cuts):
        return None
    strides = {n for cut in cuts for n in cut.op.strides}  # type: ignore[attr-defined]
    starts = [cut.op.starts for cut in cuts]  # type: ignore[attr-defined]
    if strides != {1} or len({cut.result.type.shape for cut in cuts}) > 1:
        return None
    part, whole, read = (v.type.shape for v in (*pad.operands, pad.result, cuts[0].result))
    reach = [max(at) - min(at) for at in zip(*starts, strict=True)]
    dim = next((d for d, n in enumerate(reach) if n), len(reach))
    if not whole[:dim] == part[:dim] == read[:dim] or prod(whole[dim + 1 :]) < 2:
        return None
    exact = whole[dim] == read[dim] + reach[dim] and min(part[dim], read[dim]) > 1
    pays = read[dim] >= BATCHED or prod(read[:dim]) == 1
    return Window(dim, reach[dim]) if exact and pays else None


def met(v: Value, reading: Mapping[Value, Sequence[Equation]], kept: set[Value]) -> Value:
    """The value in whose elements an inlined one ends."""
    while v not in kept and len(found := reading.get(v, ())) == 1:
        if not (found[0].op.movement or isinstance(found[0].op, Elementwise)):
            break
        v = found[0].result
    return v


def inside(program: Program, found: Iterable[Value]) -> set[Value]:
    """What is computed for the windows alone, element by element; not what reads another window,
    which has its place in the loop that moves that one."""
    made, reading = producers(program), readers(program)
    fed: set[Value] = set()
    for pad in found:
        for cut in reading[pad]:
            fed.update(pointwise(cut.result, reading))
    alone: set[Value] = set()
    waiting = [made[pad].operands[0] for pad in found]
    while waiting:
        v = waiting.pop()
        single = len(reading[v]) == 1 and v not in program.results and v not in fed
        if single and v in made and isinstance(made[v].op, Elementwise):
            alone.add(v)
            waiting += made[v].operands
    return alone


def pointwise(v: Value, reading: Mapping[Value, Sequence[Equation]]) -> Iterator[Value]:
    """The values, each the only one, that are computed from another element by element."""
    while len(found := reading.get(v, ())) == 1 and isinstance(found[0].op, Elementwise):
        v = found[0].result
        yield v
