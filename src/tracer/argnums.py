"""Which arguments a derivative is taken of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, TypeGuard

import numpy as np

from tracer import tree
from tracer.calls import Call, traceable
from tracer.errors import (
    ArgnumsError,
    DifferentiableLeafError,
    DifferentiableTypeError,
    message,
    untraced_dtype,
)

Argnums = int | Sequence[int]


class Wrt:
    """The arguments that ``argnums`` names in a call: positions, flags by traced leaf."""

    def __init__(self, call: Call, argnums: Argnums, transform: str) -> None:
        self.single = is_int(argnums)
        self.positions = positions(argnums, len(call.args), transform)
        for n in self.positions:
            check_leaves(call.args[n], f"argument {n}", transform)
        leaves: dict[int | None, list[int]] = {p: [] for p in self.positions}
        self.flags = [a.index in leaves for a in call.arguments]
        for n, a in enumerate(a for a in call.arguments if a.index in leaves):
            leaves[a.index].append(n)
        self.order = [n for p in self.positions for n in leaves[p]]
        """For each leaf in the order of argnums, its place among the differentiated leaves."""
        given = tuple([call.args[n] for n in self.positions])
        self.leaves, self.treedef = tree.flatten(given[0] if self.single else given)

    def pack(self, leaves: Sequence[Any]) -> Any:
        """One thing for each differentiated leaf, in the structure of the arguments."""
        return tree.unflatten(self.treedef, leaves)

    def ordered(self, found: Sequence[Any]) -> list[Any]:
        """From program order to the order of argnums."""
        return [found[n] for n in self.order]


def positions(argnums: Any, count: int, transform: str) -> tuple[int, ...]:
    """The positions that argnums names, counted from the front."""

    def wrong(gist: str) -> ArgnumsError:
        return ArgnumsError(
            message(f"{transform}: {gist}.", "argnums is an int, or a tuple of different ints.")
        )

    if not (is_int(argnums) or isinstance(argnums, tuple | list)):
        raise wrong(f"argnums should be int or tuple, got {type(argnums).__name__}")
    listed = tuple(argnums) if isinstance(argnums, tuple | list) else (argnums,)
    if not listed:
        raise wrong("argnums must not be empty")
    for n in listed:
        if not is_int(n):
            raise wrong(f"argnums holds {n!r}, which is not an int")
        if not -count <= n < count:
            inputs = "input" if count == 1 else "inputs"
            raise wrong(f"Got argnum={n}, but only {count} positional {inputs}")
    found = tuple([int(n) % count for n in listed])
    if len(set(found)) < len(found):
        raise wrong(f"argnums={argnums!r} names an argument twice")
    return found


def is_int(x: Any) -> TypeGuard[int]:
    """Whether it is an int, Python's or NumPy's, and not a bool."""
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def every(primals: Sequence[Any], transform: str) -> tuple[int, ...]:
    """The positions of all primals, of which there must be one."""
    if not primals:
        raise ArgnumsError(
            message(f"{transform}: there are no primals.", "Pass what func takes, after it.")
        )
    return tuple(range(len(primals)))


def check_leaves(argument: Any, what: str, transform: str) -> None:
    """Every leaf must be a float array or number."""
    for k, leaf in enumerate(tree.leaves(argument)):
        if isinstance(leaf, bool | int) or (traceable(leaf) and not is_float(leaf)):
            dtype = getattr(leaf, "dtype", type(leaf).__name__)
            raise DifferentiableTypeError(
                message(
                    f"{transform}: {what}{tree.path(argument, k)} holds {dtype}, which has no"
                    " derivative.",
                    "Convert with astype(float), or leave it out of the differentiated argument.",
                )
            )
        if not traceable(leaf):
            where = f"{transform}: {what}{tree.path(argument, k)}"
            kind = np.dtype(complex) if type(leaf) is complex else getattr(leaf, "dtype", None)
            if isinstance(kind, np.dtype) and kind.kind in "fiuc":
                raise untraced_dtype(kind, f"{where} holds {kind}, which is not traced.")
            shown = kind or type(leaf).__name__
            raise DifferentiableLeafError(
                message(
                    f"{where} holds something that is no float array: got {shown}.",
                    "Register the class as a tree, with optree in the namespace 'tracer'."
                    if is_dataclass(leaf)
                    else "Pass it as an argument that is not differentiated.",
                )
            )


def is_float(leaf: Any) -> bool:
    return isinstance(leaf, float) or leaf.dtype.kind == "f"
