"""The steps of one loop taken several at a time, each in a lane of vectors: reads and writes there.

An element that all lanes share is a plain number. One that follows the lanes through memory step by
step is loaded as a vector; a few steps apart, as a longer vector that is picked from; else each
lane has an address of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.buffers import Buffer
from codegen.index import Affine, Atom, Axis, Data, Index, Quotient, Remainder, along, bounds
from codegen.text import Function, Kind, kind_of, picked
from ir.program import Value

if TYPE_CHECKING:
    from codegen.scalar import EmitKernel

APART = 8
"""Steps from one lane to the next, at most, where a longer vector is picked from."""
LINE = 64
"""Bytes that come near together."""


@dataclass
class Lanes:
    """A loop, how many of its steps are taken at a time, and rows that each lane has its own of."""

    axis: Axis
    width: int
    private: Set[Buffer] = frozenset()
    rows: dict[Buffer, str] = field(default_factory=dict)
    packs: dict[Value, tuple[int, Buffer]] = field(default_factory=dict)
    """Values of which each lane has the elements of its step in a row, by dimension."""
    ahead: Mapping[Buffer, int] = field(default_factory=dict)
    """Arrays whose next rows are asked for, and how many elements ahead those lie."""

    def packed(self, value: Value, at: tuple[Index, ...]) -> Buffer | None:
        """The row that the element is read from, if it is the lanes' own."""
        dim, row = self.packs.get(value, (0, None))
        if row is None or at[dim] != along(self.axis):
            return None
        same = all(self.step(i) == 0 for d, i in enumerate(at) if d != dim)
        return row if same else None

    def step(self, index: Index) -> int | None:
        """How far the index moves from lane to lane; None where that is not the same for all."""
        moved = 0
        for atom, n in () if isinstance(index, int) else index.terms:
            if atom is self.axis:
                moved = n
            elif self.varies(atom):
                return None
        return moved

    def varies(self, atom: object) -> bool:
        if isinstance(atom, Data):
            return atom.lanes > 1
        if isinstance(atom, Quotient | Remainder):
            return self.step(atom.whole) != 0
        return atom is self.axis


def address_type(lanes: int) -> str:
    return f"<{lanes} x ptr>"


def load(k: EmitKernel, lanes: Lanes, buffer: Buffer, position: Index) -> tuple[str, Kind]:
    """What the lanes read at the position, as it lies in memory, and its kind."""
    kind, f = kind_of(buffer.dtype, lanes.width), k.f
    f.reach()
    if buffer in lanes.private:
        return plain(f, kind, private_spot(k, lanes, buffer, position)), kind
    step = lanes.step(position)
    if step == 0:
        single = kind_of(buffer.dtype)
        return plain(f, single, k.spot(buffer, position)), single
    if step == 1:
        spot = k.spot(buffer, position)
        if buffer in lanes.ahead:
            prefetch(f, kind, spot, lanes.ahead[buffer])
        return plain(f, kind, spot), kind
    if step == -1:
        found = plain(f, kind, k.spot(buffer, position + (1 - lanes.width)))
        back = picked(range(lanes.width)[::-1])
        return f(f"shufflevector {kind.memory} {found}, {kind.memory} poison, {back}"), kind
    if step is not None and 1 < step <= APART and buffer.dtype != "bool":
        assert not isinstance(position, int)
        ahead = position.constant % step
        if all(n % step == 0 for _, n in position.terms) and within(buffer, position - ahead, step):
            return picked_from(k, kind, buffer, position - ahead, step, ahead), kind
    return gathered(k, lanes, kind, buffer, position), kind


def plain(f: Function, kind: Kind, spot: str) -> str:
    return f(f"load {kind.memory}, ptr {spot}, align {kind.alignment}")


def prefetch(f: Function, kind: Kind, spot: str, ahead: int) -> None:
    """Ask for what lies so many elements behind the vector."""
    f.declares["declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"] = None
    for n in range(0, kind.lanes, LINE // kind.alignment):
        far = (ahead + n) * kind.alignment
        there = f(f"getelementptr inbounds i8, ptr {spot}, i64 {far}")
        f.do(f"call void @llvm.prefetch.p0(ptr {there}, i32 0, i32 3, i32 1)")


def within(buffer: Buffer, first: Index, step: int) -> bool:
    """Whether ``step`` elements from there lie in the buffer at every step of the loops."""
    low, high = bounds(first)
    return low >= 0 and high + step <= buffer.size


def picked_from(
    k: EmitKernel, kind: Kind, buffer: Buffer, first: Index, step: int, ahead: int
) -> str:
    """Every so many-th element of a longer vector, which is loaded once for all that pick."""
    f, longer = k.f, kind_of(kind.dtype, kind.lanes * step)
    key = (buffer, first, step)
    found = next((scope[key] for scope in k.longer[::-1] if key in scope), None)
    if found is None:
        found = plain(f, longer, k.spot(buffer, first))
        if buffer.kind == "param":  # which nothing writes to
            k.longer[-1][key] = found
    lanes = picked(range(ahead, longer.lanes, step))
    return f(f"shufflevector {longer.memory} {found}, {longer.memory} poison, {lanes}")


def store(k: EmitKernel, lanes: Lanes, buffer: Buffer, position: Index, x: str) -> None:
    """Write what each lane has at its place: a vector as it lies in memory."""
    kind, f = kind_of(buffer.dtype, lanes.width), k.f
    f.reach()
    if buffer in lanes.private:
        return put(f, kind, x, private_spot(k, lanes, buffer, position))
    step = lanes.step(position)
    if step == 1:
        return put(f, kind, x, k.spot(buffer, position))
    places = addresses(k, lanes, buffer, position)
    at, t = address_type(kind.lanes), kind.memory
    name = f"llvm.masked.scatter.{kind.in_memory}.v{kind.lanes}p0"
    f.declares[f"declare void @{name}({t}, {at}, i32, {kind.bit})"] = None
    given = f"{t} {x}, {at} {places}, i32 {kind.alignment}, {kind.bit} {kind.all_set}"
    f.do(f"call void @{name}({given})")
    return None


def put(f: Function, kind: Kind, x: str, spot: str) -> None:
    f.do(f"store {kind.memory} {x}, ptr {spot}, align {kind.alignment}")


def gathered(k: EmitKernel, lanes: Lanes, kind: Kind, buffer: Buffer, position: Index) -> str:
    """An element from an address of its own for each lane."""
    f, at, t = k.f, address_type(kind.lanes), kind.memory
    places = addresses(k, lanes, buffer, position)
    name = f"llvm.masked.gather.{kind.in_memory}.v{kind.lanes}p0"
    f.declares[f"declare {t} @{name}({at}, i32, {kind.bit}, {t})"] = None
    given = f"{at} {places}, i32 {kind.alignment}, {kind.bit} {kind.all_set}, {t} poison"
    return f(f"call {t} @{name}({given})")


def addresses(k: EmitKernel, lanes: Lanes, buffer: Buffer, position: Index) -> str:
    """The address of each lane's element."""
    t = kind_of(buffer.dtype).memory
    kind = kind_of("i64", lanes.width)
    base = k.pointer(buffer)
    return k.f(f"getelementptr inbounds {t}, ptr {base}, {kind.t} {counters(k, lanes, position)}")


def counters(k: EmitKernel, lanes: Lanes, index: Index) -> str:
    """The index in each lane, as a vector."""
    f, kind = k.f, kind_of("i64", lanes.width)
    index = k.settled(index)
    if isinstance(index, int):
        return kind.number(index)
    shared: list[tuple[Atom, int]] = []
    total = ""
    for atom, n in index.terms:
        if atom is lanes.axis:
            shared.append((atom, n))
            part = kind.listed([n * lane for lane in range(lanes.width)])
        elif not lanes.varies(atom):
            shared.append((atom, n))
            continue
        elif isinstance(atom, Data):
            part = str(atom.number)
            part = f(f"mul {kind.t} {part}, {kind.number(n)}") if n != 1 else part
        else:
            assert isinstance(atom, Quotient | Remainder)
            how = "udiv" if isinstance(atom, Quotient) else "urem"
            whole = counters(k, lanes, atom.whole)
            part = f(f"{how} {kind.t} {whole}, {kind.number(atom.divisor)}")
            part = f(f"mul {kind.t} {part}, {kind.number(n)}") if n != 1 else part
        total = f(f"add {kind.t} {total}, {part}") if total else part
    if not shared and not index.constant:
        return total
    same = k.counter(Affine(tuple(shared), index.constant)) if shared else str(index.constant)
    base = k.spread(same, kind_of("i64"), lanes.width)
    return f(f"add {kind.t} {base}, {total}") if total else base


def private_spot(k: EmitKernel, lanes: Lanes, buffer: Buffer, position: Index) -> str:
    """Where the vector of the lanes' own elements lies."""
    if buffer not in lanes.rows:
        kind = kind_of(buffer.dtype, lanes.width)
        lanes.rows[buffer] = k.f.alloca(kind.memory, buffer.size)
    return spot_of(k, lanes, buffer.dtype, lanes.rows[buffer], position)


def spot_of(k: EmitKernel, lanes: Lanes, dtype: str, base: str, position: Index) -> str:
    """The address of a vector in an array of vectors."""
    if position == 0:
        return base
    kind = kind_of(dtype, lanes.width)
    return k.f(f"getelementptr inbounds {kind.memory}, ptr {base}, i64 {k.counter(position)}")
