"""The paths that calls of one signature have taken through a jitted function.

A variant is the trace of one path. Where a guard of it does not hold, the variant that was traced
from there is tried next: natively, by the table in its entry, and in Python by the same rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ir.ops import Guard
from ir.program import Program
from tracer import tree
from tracer.array import Tracer
from tracer.calls import Output, border
from tracer.errors import message
from tracer.questions import Answer, Questions
from tracer.signatures import Static
from tracer.trace import Operand

if TYPE_CHECKING:
    from codegen.engine import Compiled


LIMIT = [32]
"""How many variants one signature may have."""

DISPUTES = 8
"""After so many, calls that a guard ends run as plain Python, and are not traced in vain."""


class Unserved(Exception):
    """A call that is to run as plain Python."""


def set_max_variants(count: int) -> None:
    """How many paths through a jitted function are compiled for one signature (32 at first).

    Calls on further paths run the function as plain Python, after one warning.

    >>> from tracer import set_max_variants
    >>> set_max_variants(32)
    """
    if count < 1:
        raise ValueError(message(f"set_max_variants got {count}.", "Give 1 or more."))
    LIMIT[0] = int(count)


@dataclass(eq=False)
class Variant:
    """What one path was traced to."""

    program: Program
    output: Output
    returned: list[Any]
    """The output's leaves: tracers, or what the function returned untraced."""

    captured: list[Operand]
    answers: list[Answer] = field(default_factory=list)
    """What Python was told while it was traced; the guards' ``place`` counts them."""

    seconds: float = 0.0
    """What tracing took."""

    watched: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """Under ``debug``, the arrays that were captured, and as they were then."""

    before: tuple[Variant, int] | None = None
    """The variant that this one was traced after, and the place of the guard that missed."""

    following: dict[int, Variant] = field(default_factory=dict)
    """By the place of a guard: what to try where it does not hold."""

    disputes: Counter[int] = field(default_factory=Counter)
    """By the place of a guard: calls where NumPy's rounding gave the answer that had missed."""

    compiled: Compiled | None = None
    held: list[np.ndarray] = field(default_factory=list)
    """The captured arrays as compiled code reads them."""

    def result(self, results: Sequence[Operand]) -> Any:
        made = iter(results)
        leaves = [
            border(next(made), False, x.scalar) if isinstance(x, Tracer) else untraced(x)
            for x in self.returned
        ]
        return tree.unflatten(self.output.treedef, leaves)

    def link(self) -> None:
        """Let native calls go on from the variant before to this one."""
        if self.before is None or self.compiled is None or self.compiled.signature is None:
            return
        before, place = self.before
        if before.compiled is not None and before.compiled.signature is not None:
            before.compiled.go_on(number(before.compiled, place), self.compiled)


def number(compiled: Compiled, place: int) -> int:
    """The number that compiled code gives the guard at that place."""
    return next(
        n
        for n, eq in enumerate(compiled.effects, 1)
        if isinstance(eq.op, Guard) and eq.op.place == place
    )


def untraced(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


@dataclass(eq=False)
class Paths:
    """The variants of one signature, in the order in which they were traced."""

    statics: list[Static | None]
    """The static leaves of the first call, in their places: entries compare identities."""

    shown: str
    """The types of the leaves, and the values of the static ones."""

    variants: list[Variant] = field(default_factory=list)
    missed: int = 0
    """Calls that no variant served."""

    full: bool = False

    def leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """The leaves of a call, with the static ones of the first."""
        pairs = zip(leaves, self.statics, strict=True)
        return [x if static is None else static for x, static in pairs]


Missed = list[tuple[Variant, int]]
"""The variants that a call has tried, each with the place of the guard that did not hold."""


def driven(missed: Missed) -> Questions:
    """What Python is to be told on the path of a call that no variant serves.

    What compiled code has found is true, so that NumPy's rounding never leads back to a path that
    has been tried.
    """
    variant, place = missed[-1]
    given, last = variant.answers[:place], variant.answers[place]
    if last.kind == "bool":
        return Questions([*given, last.other()])
    return Questions(given, [v.answers[p].value for v, p in missed if p == place])
