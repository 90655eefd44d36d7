"""The blocks of a region: each accumulates on its own, and what they come to is combined."""

from __future__ import annotations

from contextlib import nullcontext
from math import gcd
from typing import TYPE_CHECKING

from codegen import loops
from codegen.combining import add_blocks
from codegen.fills import fill
from codegen.index import Axis, Index, along
from codegen.items import Carried, FoldStep, Loop, Update
from codegen.pairwise import blocks
from codegen.parallel import Region
from codegen.strips import STRIP
from codegen.text import Ends
from ir.ops.indexing import Indexed

if TYPE_CHECKING:
    from codegen.emit import Emitter


def run_block(emitter: Emitter, found: Region) -> None:
    """One block of a region, whichever kind it is."""
    if found.scattered is not None:
        run_own(emitter, found.loops[0], found.scattered)
    else:
        run_steps(emitter, found)


def run_steps(emitter: Emitter, found: Region) -> None:
    """The steps from ``%low`` to ``%high`` of a region's loops, and what they accumulate."""
    k = emitter.k
    axis = Axis(0, max(found.blocks, 2))
    k.counters[axis] = "%block"
    emitter.block_at = along(axis)
    extent = found.loops[0].axis.extent
    last = extent - (found.blocks - 1) * found.step
    ends = Ends("%low", "%high", gcd(found.step, extent), min(found.step, last))
    k.ends.update({loop.axis: ends for loop in found.loops})
    for step in found.folds:
        begin(emitter, step)
    written = {buffer for loop in found.loops for buffer in loops.writes(emitter, loop)}
    several = len(found.loops) > 1
    with blocks(k, found.loops, STRIP, written) if several else nullcontext():
        emitter.nodes(list(found.loops))
    for step in found.folds:
        if isinstance(step, FoldStep):
            k.store(emitter.partials[step], own(step, emitter.block_at), emitter.total(step))


def run_own(emitter: Emitter, loop: Loop, item: Update) -> None:
    """All steps of the loop whose place is from ``%low`` to ``%high``."""
    k, op, axis = emitter.k, item.eq.op, loop.axis
    assert isinstance(op, Indexed)
    at = (along(axis), *[0] * (item.eq.operands[1].type.rank - 1))
    x, _, *indices = [k.source(v) for v in item.eq.operands]
    with k.steps(axis, axis.low, axis.high, written=loops.writes(emitter, loop)):
        place = k.counter(op.place(k, at, x.type, indices)[op.axes[0]])
        low, high = k.f(f"icmp sge i64 {place}, %low"), k.f(f"icmp slt i64 {place}, %high")
        with k.f.when(k.f(f"and i1 {low}, {high}")), k.scope():
            emitter.nodes(loop.body)


def own(step: FoldStep, block: Index) -> tuple[Index, ...]:
    """Where a block's accumulator lies of a fold to one element, whatever axes that has."""
    return (block, *[0] * step.value.type.rank)


def begin(emitter: Emitter, step: Carried) -> None:
    """First values of a block's own accumulators."""
    if isinstance(step, FoldStep):
        emitter.open_step(step)
        return
    assert emitter.block_at is not None
    (first,) = emitter.first(step)
    fill(emitter.k, emitter.partials[step], (emitter.block_at,), first)


def join(emitter: Emitter, step: Carried) -> None:
    """Combine what the blocks have accumulated, in order."""
    k, partial, name = emitter.k, emitter.partials[step], step.eq.op.pair.mnemonic
    parts = Axis(0, partial.shape[0])
    if isinstance(step, FoldStep):
        emitter.open_step(step)
        with k.loop(parts):
            found = k.load(partial, own(step, along(parts)))
            if step in emitter.pairs:
                emitter.pairs[step].add(found)
            else:
                (total,) = emitter.carried(step)
                emitter.carry_on(step, (k.call(name, total, found),))
        return
    whole = k.buffers[step.value]
    places = k.spot(whole, 0), k.spot(partial, 0)
    add_blocks(k.f, name, whole.dtype, *places, partial.shape[0], whole.size)
