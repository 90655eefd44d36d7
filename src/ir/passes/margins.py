"""Scaled parts of one array, padded each in its own way: slices of the array padded once.

The derivative of a stencil adds one cotangent at many places. As a sum of pads each of its elements
asks, for every part, whether it lies inside; as slices of one array with margins of zeros it does
not ask, and what the cotangent is computed of stands in the program once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, prod

from ir import ops
from ir.build import Builder, substitute
from ir.op import Op
from ir.ops.families import Elementwise, full
from ir.passes.scaling import is_power_of_two
from ir.program import Equation, Value

LEAST = 3
"""Parts that are worth an array with margins."""

Factor = tuple[Op, float]
"""A product with a constant, or a quotient."""


@dataclass(frozen=True)
class Multiple:
    """What a part is: the root multiplied by one factor after the other."""

    root: Value
    factors: tuple[Factor, ...] = ()


Parts = Mapping[Equation, Multiple]
"""The slice_adds of one array, and what each adds of it."""


def shared(
    links: Sequence[Equation], made_by: Mapping[Value, Equation], pulled: Container[Value]
) -> list[Parts]:
    """The slice_adds that add multiples of one array, for each that is worth margins."""
    if len(links) < LEAST:
        return []
    groups: dict[Value, dict[Equation, list[Multiple]]] = {}
    for link in links:
        path = list(multiples(link.operands[1], made_by))
        groups.setdefault(path[-1].root, {})[link] = path
    return [
        nearest(group)
        for root, group in groups.items()
        if (root in pulled or is_computed(made_by.get(root))) and worth(root, list(group))
    ]


def is_computed(eq: Equation | None) -> bool:
    """Whether it is computed element by element, as what is pulled is."""
    return eq is not None and isinstance(eq.op, Elementwise)


def worth(root: Value, links: Sequence[Equation]) -> bool:
    """Whether margins pay: several rows of floats are read."""
    starts = {link.op.starts for link in links}  # type: ignore[attr-defined]
    apart = [len(set(along)) > 1 for along in zip(*starts, strict=True)]
    row = apart.index(True) if True in apart else len(apart)
    inner = prod(root.type.shape[row + 1 :])
    several = len(starts) >= LEAST and inner > 1 and root.type.shape[row] > 1
    return several and root.type.info.kind == "float"


def multiples(v: Value, made_by: Mapping[Value, Equation]) -> Iterator[Multiple]:
    """The part as a multiple of itself, of what that is a multiple of, and so on."""
    found = Multiple(v)
    while True:
        yield found
        eq = made_by.get(found.root)
        inner = None if eq is None else scaled(eq, made_by)
        if inner is None:
            return
        found = Multiple(inner.root, (*inner.factors, *found.factors))


def scaled(eq: Equation, made_by: Mapping[Value, Equation]) -> Multiple | None:
    """The operand and its factor where the equation is a multiple by a finite constant."""
    if isinstance(eq.op, ops.Neg):
        return Multiple(eq.operands[0], ((ops.Mul(), -1.0),))
    orders = [eq.operands] if isinstance(eq.op, ops.Div) else []
    if isinstance(eq.op, ops.Mul):
        orders = [eq.operands, eq.operands[::-1]]
    for x, by in orders:
        op = made_by[by].op if by in made_by else None
        if isinstance(op, ops.Constant) and isfinite(op.value):
            by_zero = isinstance(eq.op, ops.Div) and op.value == 0
            return None if by_zero else Multiple(x, ((eq.op, op.value),))
    return None


def nearest(group: Mapping[Equation, Sequence[Multiple]]) -> Parts:
    """The parts as multiples of the first array that all of them are multiples of; of a multiple of
    it that is added often, where that changes no number."""
    first, *others = group.values()
    root = next(
        m.root for m in first if all(any(m.root is n.root for n in path) for path in others)
    )
    parts = {link: next(m for m in path if m.root is root) for link, path in group.items()}
    ((often, _),) = Counter(m.factors for m in parts.values()).most_common(1)
    factors = {link: product(m) for link, m in parts.items()}
    base, by = next(
        (link.operands[1], factors[link]) for link, m in parts.items() if m.factors == often
    )
    if by < 1 or not is_power_of_two(by) or any(not abs(c) >= by for c in factors.values()):
        return parts
    return {
        link: Multiple(base, () if c == by else ((ops.Mul(), c / by),))
        for link, c in factors.items()
    }


def product(part: Multiple) -> float:
    """The number by which the root is multiplied, if it is one product; else not a number."""
    match part.factors:
        case ((ops.Mul(), factor),):
            return factor
    return nan


def slices(b: Builder, parts: Parts, renamed: dict[Value, Value]) -> Iterator[Value]:
    """What the slice_adds add, in its place, zeros around it."""
    links = list(parts)
    root = parts[links[0]].root
    whole, part = (v.type.shape for v in links[0].operands)
    starts = [link.op.starts for link in links]  # type: ignore[attr-defined]
    before = tuple([max(at) for at in zip(*starts, strict=True)])
    least = [min(at) for at in zip(*starts, strict=True)]
    after = tuple([n - low - size for n, low, size in zip(whole, least, part, strict=True)])
    with b.at(links[0].loc):
        wide = b(ops.Pad(before, after), *substitute((root,), renamed))
    for link, at in zip(links, starts, strict=True):
        first = tuple([most - start for most, start in zip(before, at, strict=True)])
        with b.at(link.loc):
            x = b(ops.Slice(first, whole, (1,) * len(whole)), wide)
            for op, factor in parts[link].factors:
                x = b(op, x, full(b, factor, x.type))
            yield x
