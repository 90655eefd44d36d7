"""Whole arrays swept element by element, in vectors: accumulators are set and added up so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from codegen.buffers import Buffer
from codegen.index import Axis, Index, along
from codegen.items import Fill, Loop, Node
from codegen.lanes import Lanes
from codegen.registers import Register
from codegen.scalar import EmitKernel
from ir.types import DTYPES

if TYPE_CHECKING:
    from codegen.emit import Emitter

VECTOR = 64
"""Bytes that are taken at a time."""


def swept(k: EmitKernel, size: int, dtype: str) -> Iterator[Index]:
    """Every element of so many: the index of a loop over vectors, and those of ever narrower
    vectors behind it."""
    axis, width = Axis(0, size), VECTOR // DTYPES[dtype].size
    done = size // width * width
    if done:
        k.lanes = Lanes(axis, width)
        with k.steps(axis, 0, done, width):
            yield along(axis)
    while done < size:
        width //= 2
        if size - done >= width:
            k.lanes = Lanes(axis, width) if width > 1 else None
            with k.at_step(axis, done):
                yield along(axis)
            done += width
    k.lanes = None


def flattened(buffer: Buffer, kept: int = 0) -> Buffer:
    """The same memory with one dimension behind those that are kept."""
    shape = (*buffer.shape[:kept], prod(buffer.shape[kept:]))
    return replace(buffer, dims=tuple(range(kept + 1)), shape=shape)


def fill(k: EmitKernel, buffer: Buffer, at: tuple[Index, ...], first: Register) -> None:
    """Set all elements of the buffer from there on, in the order of memory, to one number."""
    whole = flattened(buffer, len(at))
    size = whole.shape[-1]
    if not zeroed(k, k.spot(whole, k.position(whole, (*at, 0))), size, first):
        for n in swept(k, size, whole.dtype):
            k.store(whole, (*at, n), first)


def zeroed(k: EmitKernel, spot: str, size: int, first: Register) -> bool:
    """Whether the number is zero; so many elements there are, then."""
    if first.name != first.kind.number(0) or k.f.count_cost:
        return False
    k.f.declares["declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"] = None
    nbytes = size * DTYPES[first.dtype].size
    k.f.do(f"call void @llvm.memset.p0.i64(ptr {spot}, i8 0, i64 {nbytes}, i1 false)")
    return True


def fill_whole(emitter: Emitter, loop: Loop) -> bool:
    """Loops that do nothing but fill a whole buffer: one over it, whatever its dimensions."""
    found = filled(loop)
    if found is None or found.path[0] is not loop or emitter.k.lanes is not None:
        return False
    buffer = emitter.k.buffers[found.value]
    if buffer.size != prod(around.axis.extent for around in found.path):
        return False
    (first,) = emitter.first(found)
    fill(emitter.k, buffer, (), first)
    return True


def filled(node: Node) -> Fill | None:
    """What loops with nothing else in them fill."""
    match node:
        case Loop(body=[inner]):
            return filled(inner)
        case Fill():
            return node
    return None
