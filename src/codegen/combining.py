"""Functions that modules share: they combine accumulators that lie side by side.

There is one for each op and dtype, instead of loops wherever accumulators meet.
"""

from __future__ import annotations

from codegen.functions import FUNCTIONS
from codegen.shared import begun, element, ended, loaded, stored
from codegen.text import Function, Kind, kind_of

STEP = 8
"""Elements of blocks that are combined at a time."""


def across(f: Function, name: str, x: str, kind: Kind) -> str:
    """All lanes combined by the named function: halves with halves, in an order that is fixed."""
    while kind.lanes > 1:
        half = kind_of(kind.dtype, kind.lanes // 2)
        low, high = f.pieces(x, kind, half.lanes)
        x, kind = FUNCTIONS[name][0](f, half, (low, high)), half
    return x


def add_lanes(f: Function, name: str, kind: Kind, total: str, lanes: str, size: int) -> None:
    """Combine each of so many accumulators with all lanes of its vector."""
    callee = f"lanes.{name}.{kind.suffix}"
    if callee not in f.helpers:
        single = kind_of(kind.dtype)
        g = begun(f, callee, ("total", "lanes"), ("size",))
        with g.loop(0, "%size") as n:
            found = across(g, name, loaded(g, kind, element(g, kind, "%lanes", n)), kind)
            combine(g, name, single, element(g, single, "%total", n), found)
        ended(f, g)
    f.do(f"call void @{callee}(ptr {total}, ptr {lanes}, i64 {size})")


def add_blocks(f: Function, name: str, dtype: str, total: str, parts: str, *sizes: int) -> None:
    """Combine accumulators with those of so many blocks, block by block; each has so many."""
    callee = f"blocks.{name}.{dtype}"
    if callee not in f.helpers:
        g = begun(f, callee, ("total", "parts"), ("blocks", "size"))
        whole = g(f"and i64 %size, {-STEP}")
        with g.loop(0, "%blocks") as block:
            first = element(g, kind_of(dtype), "%parts", g(f"mul i64 {block}, %size"))
            for kind, low, high in (
                (kind_of(dtype, STEP), "0", whole),
                (kind_of(dtype), whole, "%size"),
            ):
                single = kind_of(dtype)
                with g.when(g(f"icmp slt i64 {low}, {high}")), g.loop(low, high, kind.lanes) as n:
                    found = loaded(g, kind, element(g, single, first, n))
                    combine(g, name, kind, element(g, single, "%total", n), found)
        ended(f, g)
    given = ", ".join([f"i64 {size}" for size in sizes])
    f.do(f"call void @{callee}(ptr {total}, ptr {parts}, {given})")


def combine(f: Function, name: str, kind: Kind, spot: str, x: str) -> None:
    """Combine what lies there with the number, or the vector."""
    f.spend(FUNCTIONS[name][1])
    stored(f, kind, spot, FUNCTIONS[name][0](f, kind, (loaded(f, kind, spot), x)))
