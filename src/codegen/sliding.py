"""Loops that move windows: rows are made some steps ahead of those that read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codegen import loops
from codegen.fills import fill
from codegen.index import Axis, Index, along
from codegen.items import Lead, Loop
from codegen.space import places
from codegen.text import HERE, plus
from codegen.windows import Window
from ir.program import Value

if TYPE_CHECKING:
    from codegen.emit import Emitter


def run(emitter: Emitter, loop: Loop, low: int | str, high: int | str) -> None:
    """Each step of the loop when the windows are there, which takes some steps before the first."""
    k, f = emitter.k, emitter.k.f
    most = max(lead.ahead for lead in loop.leads)
    rest = [node for node in loop.body if not isinstance(node, Lead)]
    with k.counted(low, plus(f, high, most), written=loops.writes(emitter, loop)) as row:
        for lead in loop.leads:
            made = plus(f, row, lead.ahead - most)
            first = HERE if lead.ahead == most else f.when(f(f"icmp sge i64 {made}, {low}"))
            with first, k.scope():
                make(emitter, lead, made)
        k.counters[loop.axis] = plus(f, row, -most)
        with f.when(f(f"icmp sge i64 {k.counters[loop.axis]}, {low}")), k.scope():
            emitter.nodes(rest)


def make(emitter: Emitter, lead: Lead, row: str) -> None:
    """Make a row of a window: zeros where it has only margin."""
    k, f = emitter.k, emitter.k.f
    everywhere = Axis(0, lead.rows)
    k.counters.update({lead.axis: row, everywhere: row})
    tests = [f"sge i64 {row}, {lead.axis.low}"] if lead.axis.low else []
    tests += [f"slt i64 {row}, {lead.axis.high}"] if lead.axis.high < lead.rows else []
    if not tests:
        return emitter.nodes(lead.body)
    window = k.buffers[lead.value].window
    assert window is not None
    k.same(along(lead.axis) % window.rows, along(everywhere) % window.rows)
    inside, *others = [f(f"icmp {test}") for test in tests]
    for other in others:
        inside = f(f"and i1 {inside}, {other}")
    yes, no, done = f.fresh("inside", "margin", "made")
    f.branch(inside, yes, no)
    f.label(yes)
    with k.scope():
        emitter.nodes(lead.body)
    f.jump(done)
    f.label(no)
    with k.scope():
        zeros(emitter, lead.value, along(everywhere), window)
    f.jump(done)
    f.label(done)
    return None


def zeros(emitter: Emitter, v: Value, row: Index, window: Window) -> None:
    """A row of zeros in a window."""
    k, buffer = emitter.k, emitter.k.buffers[v]
    outer = buffer.shape[: buffer.dims.index(window.dim)]
    whole = replace(buffer, window=None)
    for at in places(outer):
        fill(k, whole, (*at, row % window.rows), k.const(0, buffer.dtype))
