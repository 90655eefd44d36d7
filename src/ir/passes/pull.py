"""Sums of a few large slices, read where they are needed instead of written one after the other.

Reverse mode adds the cotangents of slices in place, which is right for many small slices: n reads
of one element cost O(n). A few slices that each cover most of the array are better pulled: the sum
of the padded slices is one loop over the array, and fuses with whatever makes and reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ir import ops
from ir.build import Builder, substitute
from ir.graph import producers, use_counts
from ir.passes import margins
from ir.program import Equation, Program, Value

FEW = 8
"""Slices of one array that are pulled together,"""
MANY = 64
"""and of those that are all multiples of one array."""


def pull(program: Program) -> Program:
    """Replace short chains of large slice_adds into a constant by sums of pads."""
    if not any(isinstance(eq.op, ops.SliceAdd) for eq in program.equations):
        return program
    made_by, uses = producers(program), use_counts(program)
    chains = {
        eq.result: chain
        for eq in program.equations
        if isinstance(eq.op, ops.SliceAdd) and (chain := pullable(eq, made_by, uses))
    }
    if not chains:
        return program
    b = Builder()
    b.params = list(program.params)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        if not eq.results or eq.results[0] not in chains:
            made = b.again(eq, substitute(eq.operands, renamed))
            renamed.update(zip(eq.results, made, strict=True))
            continue
        links = chains[eq.result]
        total = substitute(links[0].operands, renamed)[0]
        slices: dict[Equation, Iterator[Value]] = {}
        for parts in margins.shared(links, made_by):
            slices |= dict.fromkeys(parts, margins.slices(b, parts, renamed))
        for link in links:
            part = next(slices[link]) if link in slices else padded(b, link, renamed)
            with b.at(link.loc):
                total = b(ops.Add(), total, part)
        renamed[eq.result] = total
    return b.finish(*substitute(program.results, renamed), name=program.name)


def pullable(
    last: Equation, made_by: dict[Value, Equation], uses: dict[Value, int]
) -> list[Equation]:
    """The slice_adds that lead from a constant to ``last``, if they are few and large."""
    chain = [last]
    while len(chain) <= MANY:
        base = made_by.get(chain[-1].operands[0])
        if base is None or not isinstance(base.op, ops.Constant | ops.SliceAdd):
            return []
        if not all(map(is_large, chain)):
            return []
        if isinstance(base.op, ops.Constant):
            if str(base.op.value) == "-0.0":  # a pad would add 0.0 to it
                return []
            chain.reverse()
            alike = len(chain) > FEW and [len(g) for g in margins.shared(chain, made_by)]
            return chain if len(chain) <= FEW or alike == [len(chain)] else []
        if uses[base.result] > 1:
            return []
        chain.append(base)
    return []


def is_large(eq: Equation) -> bool:
    """Whether the slice is contiguous along every axis and covers at least half of the array."""
    op, (whole, part) = eq.op, (v.type for v in eq.operands)
    assert isinstance(op, ops.SliceAdd)
    dense = all(n == 1 for n in op.strides)
    return dense and 2 * part.size >= whole.size


def padded(b: Builder, link: Equation, renamed: dict[Value, Value]) -> Value:
    """The slice in its place, zeros around it."""
    op, (whole, part) = link.op, [v.type.shape for v in link.operands]
    assert isinstance(op, ops.SliceAdd)
    after = zip(whole, op.starts, part, strict=True)
    pad = ops.Pad(op.starts, tuple(n - start - size for n, start, size in after))
    with b.at(link.loc):
        made: Value = b(pad, substitute(link.operands, renamed)[1])
    return made
