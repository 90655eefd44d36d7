"""Reads of an array that is written part by part, answered by what was written there.

For each array a table holds which write was the last at every place, so that a read of fixed places
is answered at once: by the value that was written, or by the array that there was at first. A loop
over the elements of an array becomes arithmetic on numbers. This is the forwarding of stores to
loads, on arrays that are values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from ir import ops
from ir.build import Builder, substitute
from ir.graph import producers
from ir.op import Array
from ir.ops.indexing import region
from ir.ops.updates import AtIndices, AtSlice
from ir.passes.simplify import Rewriter
from ir.program import Equation, Program, Value

LARGEST = 1 << 20
"""Entries of the largest table."""
SMALL = 16
"""Elements of a part that is added in registers, when the array is read again."""


def forward_reads(program: Program) -> Program:
    """Replace slices of updated arrays by slices of what was written there last."""
    found = histories(program)
    if not any(history.is_read for history, _ in found.values()):
        return program
    b = Rewriter(program, inexact=False)
    renamed: dict[Value, Value] = {}
    for eq in program.equations:
        operands = substitute(eq.operands, renamed)
        value: Value | None = None
        if isinstance(eq.op, ops.Slice) and eq.operands[0] in found:
            history, version = found[eq.operands[0]]
            with b.at(eq.loc):
                value = history.read(b, version, eq.op, renamed)
        elif isinstance(eq.op, AtSlice):
            history, version = found[eq.result]
            with b.at(eq.loc):
                value = history.write(b, version, eq, operands, renamed)
        made = b.again(eq, operands) if value is None else (value,)
        renamed.update(zip(eq.results, made, strict=True))
    return b.finish(*substitute(program.results, renamed), name=program.name)


@dataclass
class Write:
    """One update: the places it writes to, unless data names them, and what lies there then."""

    places: ops.Slice | None = None
    value: Value | None = None


@dataclass(eq=False)
class History:
    """An array from before its first update on; each update makes the next version."""

    base: Value
    lasting: bool
    """Whether the base stays as it is in memory: it is given, or a constant."""
    writes: list[Write] = field(default_factory=lambda: [Write()])
    """By the number of the version that each makes."""
    is_read: bool = False
    spanned: set[int] = field(default_factory=set)
    """Axes that every part read or written spans: the table has one entry along them."""
    last: Array = field(default_factory=lambda: np.zeros(0, int))
    """The table: which version's write was the last at each place."""
    version: int = 0
    """The version that the table describes."""
    unknown: int = 0
    """The last version up to it that was written at places that data names."""

    def __post_init__(self) -> None:
        self.spanned = set(range(self.base.type.rank))

    def span(self, places: ops.Slice) -> None:
        """Note the axes along which a part is not the whole."""
        parts = zip(places.starts, places.sizes, places.strides, strict=True)
        shape = self.base.type.shape
        self.spanned -= {d for d, part in enumerate(parts) if part != (0, shape[d], 1)}

    def table_shape(self) -> list[int]:
        return [1 if d in self.spanned else n for d, n in enumerate(self.base.type.shape)]

    def entries(self, places: ops.Slice) -> tuple[slice, ...]:
        """Where the table describes a part."""
        cut = region(places.starts, places.sizes, places.strides)
        return tuple([slice(None) if d in self.spanned else i for d, i in enumerate(cut)])

    def advance(self, version: int) -> None:
        """Bring the table to a version, unless it is past it."""
        if not self.version:
            self.last = np.zeros(self.table_shape(), int)
        for number in range(self.version + 1, version + 1):
            places = self.writes[number].places
            if places is None:
                self.unknown = number
            else:
                self.last[self.entries(places)] = number
        self.version = max(self.version, version)

    def writer(self, version: int, places: ops.Slice) -> int | None:
        """The one write that was the last at every one of the places."""
        self.advance(version)
        found = self.last[self.entries(places)]
        number = int(found.flat[0])
        known = self.unknown <= number <= version
        return number if known and (found.size == 1 or bool((found == number).all())) else None

    def read(
        self, b: Builder, version: int, places: ops.Slice, renamed: Mapping[Value, Value]
    ) -> Value | None:
        """What lies at the places, if one write put it there."""
        if not self.is_read or 0 in places.sizes:
            return None
        number = self.writer(version, places)
        if number == 0 and self.lasting:
            return b(places, renamed.get(self.base, self.base))  # type: ignore[no-any-return]
        write = self.writes[number or 0]
        if write.value is None or write.places is None:
            return None
        its = write.places
        starts, strides = [], []
        for start, size, stride, first, step in zip(
            places.starts, places.sizes, places.strides, its.starts, its.strides, strict=True
        ):
            starts.append((start - first) // step)
            strides.append(stride // step if size > 1 else 1)
        return b(ops.Slice(tuple(starts), places.sizes, tuple(strides)), write.value)  # type: ignore[no-any-return]

    def write(
        self,
        b: Builder,
        version: int,
        eq: Equation,
        operands: tuple[Value, ...],
        renamed: Mapping[Value, Value],
    ) -> Value | None:
        """Note what the update writes; the new version, if a better equation makes it."""
        write, (array, part) = self.writes[version], operands
        assert write.places is not None
        if eq.op.overwrites:
            write.value = part
            return None
        shape = self.table_shape()
        whole = all(n == 1 or size == 1 for n, size in zip(shape, part.type.shape, strict=True))
        if part.type.size > SMALL and not whole:
            return None
        old = self.read(b, version - 1, write.places, renamed)
        if old is None:
            return None
        write.value = b(ops.Add(), old, part)
        over = ops.SliceUpdate(write.places.starts, write.places.strides)
        return b(over, array, write.value)  # type: ignore[no-any-return]


def histories(program: Program) -> dict[Value, tuple[History, int]]:
    """Every version of an array that an update makes: its history, and its number there."""
    found: dict[Value, tuple[History, int]] = {}
    made_by = producers(program)
    for eq in program.equations:
        if isinstance(eq.op, ops.Slice) and eq.operands[0] in found:
            history, _ = found[eq.operands[0]]
            history.span(eq.op)
            history.is_read = True
        elif isinstance(eq.op, AtSlice | AtIndices):
            base = eq.operands[0]
            before = found.get(base)
            if before is not None and before[1] + 1 == len(before[0].writes):
                history = before[0]
            else:
                lasting = base not in made_by or not made_by[base].operands
                history = History(base, lasting)
            places = eq.op.cut(eq.operands[1].type) if isinstance(eq.op, AtSlice) else None
            if places is not None:
                history.span(places)
            history.writes.append(Write(places))
            found[eq.result] = history, len(history.writes) - 1
    for history, _ in found.values():
        history.is_read = history.is_read and prod(history.table_shape()) <= LARGEST
    return found
