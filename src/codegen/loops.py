"""How the steps of a loop are run: one by one, written out, or several at a time in lanes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from codegen import sliding
from codegen.buffers import Buffer
from codegen.combining import across
from codegen.fills import fill_whole
from codegen.held_sums import held
from codegen.index import Axis, along
from codegen.items import Carried, Compute, Loop, is_short
from codegen.lane_sums import LaneSums
from codegen.lanes import Lanes
from codegen.pairwise import blocks, long_sums
from codegen.parallel import leaves
from codegen.prefetch import next_rows
from codegen.registers import Register
from codegen.text import Ends, Function, kind_of, plus
from codegen.vectors import Vector
from ir.program import Value

if TYPE_CHECKING:
    from codegen.emit import Emitter


def run(emitter: Emitter, loop: Loop) -> None:
    """The steps of a loop, or block by block where a long sum is cut at it."""
    if fill_whole(emitter, loop):
        return
    sums = long_sums(loop, emitter.vectors)
    steps = min(sums.values(), default=0)
    with blocks(emitter.k, [loop], steps, writes(emitter, loop)) if sums else nullcontext():
        for step in sums:
            emitter.carry_on(step, (emitter.k.const(0, step.value.type.dtype),))
        run_steps(emitter, loop)
        for step in sums:
            emitter.pairs[step].add(*emitter.carried(step))


def run_steps(emitter: Emitter, loop: Loop) -> None:
    """The steps one by one, or several at a time and the rest one by one."""
    k = emitter.k
    vector = emitter.vectors.get(loop) if k.lanes is None else None
    ends = k.ends_of(loop.axis)
    low, high = ends.low, ends.high
    if loop.leads:
        return sliding.run(emitter, loop, low, high)
    if vector is None:
        return one_by_one(emitter, loop, low, high)
    if can_repeat(emitter, loop, vector, ends):
        return overlapping(emitter, loop, vector, ends)
    middle, rest = parted(k.f, ends, vector.width)
    with (
        nullcontext() if ends.least >= vector.width else k.between(low, middle),
        in_lanes(emitter, loop, vector),
        k.steps(loop.axis, low, middle, vector.width, writes(emitter, loop)),
    ):
        for v, dim in vector.packs.items():
            pack(emitter, v, dim)
        emitter.nodes(loop.body)
    if isinstance(middle, int) and isinstance(high, int) and in_pieces(loop, vector, high - middle):
        pieces(emitter, loop, vector, middle, high)
    elif rest:
        with k.between(middle, high):
            one_by_one(emitter, loop, middle, high)
    return None


def can_repeat(emitter: Emitter, loop: Loop, vector: Vector, ends: Ends) -> bool:
    """Whether steps are left behind whole vectors, and steps may be run twice as they only write
    what they do not read."""
    if ends.multiple % vector.width == 0 or ends.least < vector.width:
        return False
    if vector.private or vector.folds or vector.sums or vector.packs:
        return False
    items = leaves(loop)
    buffers, written = emitter.k.buffers, writes(emitter, loop)
    made = {item.value for item in items}
    return all(isinstance(item, Compute) for item in items) and not any(
        buffers.get(read.value) in written and read.value not in made
        for item in items
        for read in item.reads
    )


def overlapping(emitter: Emitter, loop: Loop, vector: Vector, ends: Ends) -> None:
    """Whole vectors, of which the last begins as far before the end as it is long."""
    k, low, high = emitter.k, ends.low, ends.high
    last = plus(k.f, high, -vector.width)
    with (
        in_lanes(emitter, loop, vector),
        k.steps(loop.axis, low, high, vector.width, writes(emitter, loop)),
    ):
        step = k.counters[loop.axis]
        k.counters[loop.axis] = k.f(f"call i64 @llvm.smin.i64(i64 {step}, i64 {last})")
        emitter.nodes(loop.body)


LENGTH = 24
"""Items of steps that are written out behind a loop, at most."""


def in_pieces(loop: Loop, vector: Vector, rest: int) -> bool:
    """Whether the steps left are few enough to be written out, half as many in each as before."""
    shared = vector.private or vector.sums or vector.packs
    return not shared and rest.bit_count() * len(leaves(loop)) <= LENGTH


def pieces(emitter: Emitter, loop: Loop, vector: Vector, low: int, high: int) -> None:
    """The steps left behind whole vectors: in a vector of half as many lanes, if there are so many,
    one of a quarter, and so on."""
    k = emitter.k
    width = vector.width // 2
    while width > 1:
        if high - low >= width:
            narrow = in_lanes(emitter, loop, replace(vector, width=width))
            with narrow, k.at_step(loop.axis, low):
                emitter.nodes(loop.body)
            low += width
        width //= 2
    if low < high:
        with k.scope():
            k.unrolled[loop.axis] = low
            emitter.nodes(loop.body)
            del k.unrolled[loop.axis]


def parted(f: Function, ends: Ends, width: int) -> tuple[int | str, bool]:
    """Where the last whole vector of steps ends, and whether steps may be left behind it."""
    low, high = ends.low, ends.high
    if ends.multiple % width == 0:
        return high, False
    if isinstance(low, int) and isinstance(high, int):
        return low + (high - low) // width * width, True
    whole = f(f"and i64 {f(f'sub i64 {high}, {low}')}, {-width}")
    return f(f"add i64 {low}, {whole}"), True


def one_by_one(emitter: Emitter, loop: Loop, low: int | str, high: int | str) -> None:
    """A loop over the steps, unless they are few and written out."""
    k = emitter.k
    if not (isinstance(low, int) and isinstance(high, int) and is_short(loop)):
        with (
            held(emitter, loop),
            k.steps(loop.axis, low, high, written=writes(emitter, loop)),
        ):
            emitter.nodes(loop.body)
        return
    for n in range(low, high):
        k.unrolled[loop.axis] = n
        emitter.nodes(loop.body)
    del k.unrolled[loop.axis]


def writes(emitter: Emitter, loop: Loop) -> set[Buffer]:
    """The buffers that are written in a loop."""
    buffers, partials = emitter.k.buffers, emitter.partials
    items = leaves(loop)
    found = {buffers[v] for item in items for v in item.values if v in buffers}
    return found | {partials[i] for i in items if isinstance(i, Carried) and i in partials}


@contextmanager
def in_lanes(emitter: Emitter, loop: Loop, vector: Vector) -> Iterator[None]:
    """Lanes for the loop's steps; what folds over them accumulates lane by lane inside, and its
    lanes are combined behind it."""
    k = emitter.k
    ahead = next_rows(emitter, loop)
    lanes = k.lanes = Lanes(loop.axis, vector.width, vector.private, ahead=ahead)
    narrow = {step: emitter.carries[step] for step in vector.folds}
    for step in vector.folds:
        emitter.carries[step] = [emitter.carry(x) for x in emitter.first(step)]
    sums = [LaneSums(emitter, lanes, item, loop) for item in vector.sums]
    for each in sums:
        each.fill()
        emitter.sums[each.item] = each
    yield
    wide = {step: emitter.carried(step) for step in vector.folds}
    k.lanes = None
    for step, (found,) in wide.items():
        emitter.carries[step] = narrow[step]
        name = step.eq.op.pair.mnemonic
        total = Register(k, across(k.f, name, found.name, found.kind), kind_of(found.dtype))
        (before,) = emitter.carried(step)
        emitter.carry_on(step, (k.call(name, before, total),))
    for each in sums:
        del emitter.sums[each.item]
        each.join()


def pack(emitter: Emitter, v: Value, dim: int) -> None:
    """Copy what the lanes' steps read of a value side by side."""
    k, type = emitter.k, v.type
    lanes = k.lanes
    assert lanes is not None
    others = tuple([d for d in range(type.rank) if d != dim])
    axes = {d: Axis(0, type.shape[d]) for d in others}
    shape = tuple([n for d, n in enumerate(type.shape) if d != dim])
    row = Buffer("pack", len(lanes.packs), type.dtype, others, shape)
    lanes.private |= {row}
    k.written[-1] = {*(k.written[-1] or ()), row}
    at = tuple([along(lanes.axis) if d == dim else along(axes[d]) for d in range(type.rank)])
    with ExitStack() as stack:
        for d in others:
            stack.enter_context(k.steps(axes[d], 0, type.shape[d]))
        k.store(row, at, k.load(k.buffers[v], at))
    lanes.packs[v] = dim, row
