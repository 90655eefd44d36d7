"""A plan: what is inlined, what is computed in which loops, and what must lie in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from codegen.inlining import Inlining
from codegen.items import Item, Node
from ir.program import Equation, Program, Value

PASSED = 2**31 - 1
"""The status of a call in which every guard and check holds; the caller is given 0."""


@dataclass
class Plan:
    """All that emission needs to know of a program."""

    program: Program
    inlined: Inlining
    """Equations whose elements are computed where they are read."""
    literals: dict[Value, Equation] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    definitions: dict[Value, list[Item]] = field(default_factory=dict)
    """The items after which a value is complete."""
    shares: dict[Value, Value] = field(default_factory=dict)
    """The older version whose buffer an updated array takes over."""
    exact: set[Value] = field(default_factory=set)
    """Values that a guard or check depends on: what decides is computed as NumPy computes it."""
    in_memory: set[Value] = field(default_factory=set)
    """Values that some item addresses in memory, wherever else they are kept."""
    orders: dict[Value, tuple[int, ...]] = field(default_factory=dict)
    """The order of a value's dimensions in its buffer, where that is not their own."""
    results: dict[Value, int] = field(default_factory=dict)
    """Values that are computed right in a result's buffer."""
    effects: list[Equation] = field(default_factory=list)
    """Guards and checks, in program order: a call that one of them ends tells its number."""
    tree: list[Node] = field(default_factory=list)


def buffer_of(plan: Plan, v: Value) -> Value:
    """The value in whose buffer ``v`` lies: the first version of an array updated in place."""
    while v in plan.shares:
        v = plan.shares[v]
    return v
