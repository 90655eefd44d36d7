"""Functions that modules share: they combine accumulators that lie side by side.

There is one for each op and dtype, instead of loops wherever accumulators meet.
"""

from __future__ import annotations

from codegen.functions import FUNCTIONS
from codegen.helper import Helper
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
        g = begun(f, callee, "%lanes", "%size")
        with g.loop(0, "%size") as n:
            found = across(g, name, loaded(g, kind, element(g, kind, "%lanes", n)), kind)
            combine(g, name, single, element(g, single, "%total", n), found)
        ended(f, g)
    f.do(f"call void @{callee}(ptr {total}, ptr {lanes}, i64 {size})")


def add_blocks(f: Function, name: str, dtype: str, total: str, parts: str, *sizes: int) -> None:
    """Combine accumulators with those of so many blocks, block by block; each has so many."""
    callee = f"blocks.{name}.{dtype}"
    if callee not in f.helpers:
        g = begun(f, callee, "%parts", "%blocks", "%size")
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


def begun(f: Function, name: str, parts: str, *sizes: str) -> Function:
    """A function of the same freedoms, of the total, what is combined with it, and sizes."""
    g = Function(name, f.count_cost, f.fastmath, f.variants)
    pointers = [f"ptr noalias nocapture {x}" for x in ("%total", parts)]
    given = ", ".join([*pointers, *[f"i64 {x}" for x in sizes]])
    g.head = f"void @{name}({given}) noinline nounwind"
    return g


def ended(f: Function, g: Function) -> None:
    """The function is done, and one that the other calls."""
    g.settle()
    g.do("ret void")
    f.helpers[g.name] = Helper(g.name, g.head, g.body(), tuple(g.declares))


def element(f: Function, kind: Kind, base: str, n: str) -> str:
    return f(f"getelementptr inbounds {kind.memory}, ptr {base}, i64 {n}")


def loaded(f: Function, kind: Kind, spot: str) -> str:
    f.reach()
    x = f(f"load {kind.memory}, ptr {spot}, align {kind.alignment}")
    return f(f"trunc {kind.memory} {x} to {kind.t}") if kind.dtype == "bool" else x


def stored(f: Function, kind: Kind, spot: str, x: str) -> None:
    x = f(f"zext {kind.t} {x} to {kind.memory}") if kind.dtype == "bool" else x
    f.reach()
    f.do(f"store {kind.memory} {x}, ptr {spot}, align {kind.alignment}")


def combine(f: Function, name: str, kind: Kind, spot: str, x: str) -> None:
    """Combine what lies there with the number, or the vector."""
    f.spend(FUNCTIONS[name][1])
    stored(f, kind, spot, FUNCTIONS[name][0](f, kind, (loaded(f, kind, spot), x)))
