"""A contraction as products of matrices: which axes one BLAS call takes, and which are loops.

Axes of one role that lie one after the other in memory are one axis. Of those that are left, a call
takes one of each role; the others are loops around the calls, over which the results of summed axes
are added up. So a batch that shares a matrix, or two summed axes, need no copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """The extent of each axis of a contraction, the result's before the summed ones, and the
    strides at which x, y and the result follow it."""

    extents: Sequence[int]
    x: Sequence[int]
    y: Sequence[int]
    out: Sequence[int]
    summed: int
    """The first summed axis."""

    def of(self, axes: Axes) -> tuple[int, int, int, int]:
        """The extent and the strides of axes that are one."""
        if not axes:
            return 1, 0, 0, 0
        last = axes[-1]
        return prod(self.extents[a] for a in axes), self.x[last], self.y[last], self.out[last]

    def roles(self) -> dict[str, list[Axes]]:
        """The axes by role, each as few as they can be."""
        found: dict[str, list[int]] = {"batch": [], "m": [], "n": [], "k": []}
        for a, extent in enumerate(self.extents):
            role = "m" if self.x[a] and not self.y[a] else "n" if self.y[a] else "batch"
            role = "batch" if self.x[a] and self.y[a] else role
            if extent > 1:
                found["k" if a >= self.summed else role].append(a)
        return {role: self.joined(axes) for role, axes in found.items()}

    def joined(self, axes: Sequence[int]) -> list[Axes]:
        """Axes that lie one after the other in memory, put together."""
        found: list[Axes] = []
        for a in sorted(axes, key=lambda a: (-self.out[a], -self.x[a], -self.y[a])):
            if found and self.meet(found[-1][-1], a):
                found[-1] = (*found[-1], a)
            else:
                found.append((a,))
        return found

    def meet(self, outer: int, inner: int) -> bool:
        extent = self.extents[inner]
        return all(s[outer] == extent * s[inner] for s in (self.x, self.y, self.out))


@dataclass(frozen=True)
class Product:
    """``out += x @ y`` of m x k and k x n matrices, for every step of the loops.

    Each is a number of axes of the contraction.
    """

    m: Axes
    n: Axes
    k: Axes
    apart: Axes
    """Loops over products that have results of their own."""
    summed: Axes
    """Loops over products that are added up."""


@dataclass(frozen=True)
class Matrix:
    """How two axes lie: the inner one with stride 1, or ``flipped``; ``step`` elements a line."""

    flipped: bool
    step: int


def matrix(rows: tuple[int, int], columns: tuple[int, int]) -> Matrix | None:
    """Two axes, each an extent and a stride, as a matrix of the BLAS if they lie as one."""
    for flipped, (lines, inner) in ((False, (rows, columns)), (True, (columns, rows))):
        step = lines[1] if lines[0] > 1 else inner[0]
        if (inner[1] == 1 or inner[0] == 1) and step >= inner[0]:
            return Matrix(flipped, step)
    return None


def matrices(steps: Steps, made: Product) -> list[Matrix | None]:
    """How x, y and the result lie in the axes that a call takes."""
    m, n, k = (steps.of(axes) for axes in (made.m, made.n, made.k))
    return [
        matrix((m[0], m[1]), (k[0], k[1])),
        matrix((k[0], k[2]), (n[0], n[2])),
        matrix((m[0], m[3]), (n[0], n[3])),
    ]


def products(steps: Steps) -> Iterator[Product]:
    """Every way in which calls can take the contraction."""
    found = steps.roles()
    for m, n, k in product(*[found[role] or [()] for role in "mnk"]):
        others = [
            axes for axes in (*found["batch"], *found["m"], *found["n"]) if axes not in (m, n)
        ]
        apart = tuple(sorted(a for axes in others for a in axes))
        summed = tuple([a for axes in found["k"] if axes != k for a in axes])
        made = Product(m, n, k, apart, summed)
        if None not in matrices(steps, made):
            yield made
