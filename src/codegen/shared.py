"""How functions that modules share are written: their frame, and what they read and write."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.helper import Helper
from codegen.text import Function, Kind


def begun(
    f: Function, name: str, pointers: Sequence[str], sizes: Sequence[str], counts: bool = True
) -> Function:
    """A function of the caller's freedoms, of pointers to memory apart from each other, and sizes.

    Where work is counted, it ``counts`` its own, if that is not counted where it is called.
    """
    g = Function(name, counts and f.count_cost, f.fastmath, f.variants)
    places = [f"ptr noalias nocapture %{x}" for x in pointers]
    g.head = (
        f"void @{name}({', '.join([*places, *[f'i64 %{n}' for n in sizes]])}) noinline nounwind"
    )
    return g


def ended(f: Function, g: Function) -> None:
    """The function is done, and one that the other calls."""
    g.settle()
    g.do("ret void")
    f.helpers[g.name] = Helper(g.name, g.head, g.body(), tuple(g.declares))


def element(f: Function, kind: Kind, base: str, n: int | str) -> str:
    """The address so many elements on."""
    return f(f"getelementptr inbounds {kind.memory}, ptr {base}, i64 {n}")


def loaded(f: Function, kind: Kind, spot: str) -> str:
    f.reach()
    x = f(f"load {kind.memory}, ptr {spot}, align {kind.alignment}")
    return f(f"trunc {kind.memory} {x} to {kind.t}") if kind.dtype == "bool" else x


def stored(f: Function, kind: Kind, spot: str, x: str) -> None:
    x = f(f"zext {kind.t} {x} to {kind.memory}") if kind.dtype == "bool" else x
    f.reach()
    f.do(f"store {kind.memory} {x}, ptr {spot}, align {kind.alignment}")
