"""Sums of a few large slices, read where they are needed instead of written one after the other.

Reverse mode adds the cotangents of slices in place, which is right for many small slices: n reads
of one element cost O(n). A few slices that each cover most of the array are better pulled: the sum
of the padded slices is one loop over the array, and fuses with whatever makes and reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    made_by = producers(program)
    chains = pullable(program, made_by)
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
        for parts in margins.shared(links, made_by, chains):
            slices |= dict.fromkeys(parts, margins.slices(b, parts, renamed))
        for link in links:
            part = next(slices[link]) if link in slices else padded(b, link, renamed)
            with b.at(link.loc):
                total = b(ops.Add(), total, part)
        renamed[eq.result] = total
    return b.finish(*substitute(program.results, renamed), name=program.name)


Chains = dict[Value, list[Equation]]
"""The slice_adds that lead from a constant to each value that is pulled."""


def pullable(program: Program, made_by: Mapping[Value, Equation]) -> Chains:
    """Chains of large slice_adds: the first few, or many that are parts of one array."""
    uses, longest = use_counts(program), Chains()
    for eq in program.equations:
        if not isinstance(eq.op, ops.SliceAdd) or not is_large(eq):
            continue
        base = eq.operands[0]
        if base in longest and uses[base] == 1 and len(longest[base]) < MANY:
            longest[eq.result] = [*longest.pop(base), eq]
        elif base in made_by and is_base(made_by[base]):
            longest[eq.result] = [eq]
    found = Chains()
    for chain in longest.values():
        alike = len(chain) > FEW and margins.shared(chain, made_by, found)
        kept = chain if alike and len(alike[0]) == len(chain) else chain[:FEW]
        found[kept[-1].result] = kept
    return found


def is_base(eq: Equation) -> bool:
    """Whether slices are added to a constant, to which adding 0.0 changes nothing."""
    return isinstance(eq.op, ops.Constant) and str(eq.op.value) != "-0.0"


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
