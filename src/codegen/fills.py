"""Whole arrays swept element by element, in vectors: accumulators are set and added up so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from codegen.index import Axis, Index, along
from codegen.items import Fill, Loop
from codegen.lanes import Lanes
from codegen.memory import Buffer
from codegen.scalar import EmitKernel
from ir.types import DTYPES

if TYPE_CHECKING:
    from codegen.emit import Emitter

VECTOR = 64
"""Bytes that are taken at a time."""


def swept(k: EmitKernel, size: int, dtype: str) -> Iterator[Index]:
    """Every element of so many, in vectors and then the rest: twice the index of a loop."""
    axis, width = Axis(0, size), VECTOR // DTYPES[dtype].size
    middle = size // width * width
    if middle:
        k.lanes = Lanes(axis, width)
        with k.steps(axis, 0, middle, width):
            yield along(axis)
        k.lanes = None
    if middle < size:
        with k.steps(axis, middle, size):
            yield along(axis)


def flattened(buffer: Buffer, kept: int = 0) -> Buffer:
    """The same memory with one dimension behind those that are kept."""
    shape = (*buffer.shape[:kept], prod(buffer.shape[kept:]))
    return replace(buffer, dims=tuple(range(kept + 1)), shape=shape)


def fill_whole(emitter: Emitter, loop: Loop) -> bool:
    """Loops that do nothing but fill a whole buffer: one over it, whatever its dimensions."""
    fill = filled(loop)
    if fill is None or fill.path[0] is not loop or emitter.k.lanes is not None:
        return False
    buffer = emitter.k.buffers[fill.value]
    if buffer.size != prod(around.axis.extent for around in fill.path):
        return False
    (first,) = emitter.first(fill)
    for at in swept(emitter.k, buffer.size, buffer.dtype):
        emitter.k.store(flattened(buffer), (at,), first)
    return True


def filled(loop: Loop) -> Fill | None:
    """What loops with nothing else in them fill."""
    match loop.body:
        case [Loop() as inner]:
            return filled(inner)
        case [Fill() as fill]:
            return fill
    return None
