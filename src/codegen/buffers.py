"""Places in memory, and what of a plan is kept in which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from codegen.index import Index, flat
from codegen.items import Carried, Level, Node
from codegen.parallel import Region
from codegen.plan import Plan
from codegen.windows import Window
from ir.program import Value
from ir.types import DTYPES


@dataclass(frozen=True)
class Buffer:
    """A place in memory: a parameter, a result, a slot of the workspace, a slot that each block has
    its own of, a literal, or a row.

    ``dims`` are the value's dimensions that it spans, row-major; the others are fixed by the loops
    around the row.
    """

    kind: str
    number: int
    dtype: str
    dims: tuple[int, ...]
    shape: tuple[int, ...]
    offset: int = 0
    window: Window | None = None
    """How much of the array is there at a time, if not all."""

    def position(self, at: Sequence[Index]) -> Index:
        """Where the element lies."""
        places = [at[d] for d in self.dims]
        if self.window is not None:
            moving = self.dims.index(self.window.dim)
            places[moving] = places[moving] % self.window.rows
        return flat(places, self.shape)

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return DTYPES[self.dtype].size * self.size


@dataclass
class Storage:
    """The buffers of a plan, and how its top level is cut into functions."""

    chunks: list[list[Node]] = field(default_factory=list)
    regions: list[Region | None] = field(default_factory=list)
    """For each chunk, how it is shared out to threads, if it is."""
    partials: dict[Carried, Buffer] = field(default_factory=dict)
    """What each block of a region accumulates, by fold; the block is the first axis."""
    buffers: dict[Value, Buffer] = field(default_factory=dict)
    workspace: int = 0
    """Bytes that a call needs beside its arguments and results."""


def spanning(
    kind: str,
    number: int,
    v: Value,
    around: Sequence[Level] = (),
    order: Sequence[int] | None = None,
) -> Buffer:
    """A buffer for the dimensions that the loops ``around`` it leave open, in the given order."""
    fixed = {level.dim for level in around}
    dims = tuple([d for d in order or range(v.type.rank) if d not in fixed])
    return Buffer(kind, number, v.type.dtype, dims, tuple([v.type.shape[d] for d in dims]))


def rows_in(plan: Plan, number: int, v: Value) -> Buffer:
    """The buffer of the rows in a window."""
    window, levels = plan.inlined.windows[v], plan.definitions[v][0].levels
    around = [level for level in levels if level.dim is not None and level.dim < window.dim]
    whole = spanning("row", number, v, around)
    kept = [window.rows if d == window.dim else v.type.shape[d] for d in whole.dims]
    return replace(whole, shape=tuple(kept), window=window)
