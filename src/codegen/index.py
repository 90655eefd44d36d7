"""Symbolic indices: affine expressions over loop axes, compared by value.

``Op.element`` does integer arithmetic on indices; done on these it leaves a normal form, so that
the planner can ask whether two reads meet at one place. An expression without axes is a plain int.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, Union

from ir.record import value_record

BIRTHS = count()
Order = tuple[Any, ...]
"""What terms are sorted by, so that equal sums are equal: loops by age, the rest by content."""


class Axis:
    """One loop: it runs over ``low <= i < high``. Equal only to itself."""

    __slots__ = ("high", "low", "order")

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.order: Order = (0, next(BIRTHS))

    @property
    def bounds(self) -> tuple[int, int]:
        return self.low, self.high - 1

    @property
    def extent(self) -> int:
        return self.high - self.low


@value_record
class Quotient:
    """``whole // divisor`` where that is not affine."""

    whole: Affine
    divisor: int

    @property
    def order(self) -> Order:
        return 1, self.divisor, self.whole.order

    @property
    def bounds(self) -> tuple[int, int]:
        low, high = bounds(self.whole)
        return low // self.divisor, high // self.divisor


@value_record
class Remainder:
    """``whole % divisor`` where that is not affine."""

    whole: Affine
    divisor: int

    @property
    def order(self) -> Order:
        return 2, self.divisor, self.whole.order

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.divisor - 1


@value_record
class Data:
    """A number that the program computes, clamped to ``[0, extent)``; in each lane its own, where
    there are several."""

    number: int | str
    extent: int
    lanes: int = 1
    axes: frozenset[Axis] = frozenset()
    """The loops that it may change in, while code is planned."""

    @property
    def order(self) -> Order:
        return 3, str(self.number)

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.extent - 1


Atom = Axis | Quotient | Remainder | Data
Index = Union["Affine", int]


@value_record
class Affine:
    """``constant + sum(coefficient * atom)``, the terms in order."""

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0

    @property
    def order(self) -> Order:
        return self.constant, tuple([(atom.order, n) for atom, n in self.terms])

    def __add__(self, other: Index) -> Index:
        if isinstance(other, int):
            return Affine(self.terms, self.constant + other)
        total = dict(self.terms)
        for atom, n in other.terms:
            total[atom] = total.get(atom, 0) + n
        return affine(total, self.constant + other.constant)

    __radd__ = __add__

    def __mul__(self, n: int) -> Index:
        return affine({atom: c * n for atom, c in self.terms}, self.constant * n)

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return self * -1

    def __sub__(self, other: Index) -> Index:
        return self + other * -1

    def __rsub__(self, other: int) -> Index:
        return self * -1 + other

    def __floordiv__(self, n: int) -> Index:
        return divided(self, n)[0]

    def __mod__(self, n: int) -> Index:
        return divided(self, n)[1]


def affine(terms: Mapping[Atom, int], constant: int) -> Index:
    kept = [(atom, n) for atom, n in terms.items() if n]
    if len(kept) > 1:
        kept.sort(key=lambda term: term[0].order)
    return Affine(tuple(kept), constant) if kept else constant


def along(axis: Axis) -> Index:
    """The index that runs with the axis; an axis of one step is a plain number."""
    return Affine(((axis, 1),)) if axis.extent != 1 else axis.low


def axes_of(at: Iterable[Index]) -> frozenset[Axis]:
    """The loops that the indices depend on."""
    found: set[Axis] = set()
    for index in at:
        for atom, _ in () if isinstance(index, int) else index.terms:
            if isinstance(atom, Axis):
                found.add(atom)
            else:
                found |= atom.axes if isinstance(atom, Data) else axes_of((atom.whole,))
    return frozenset(found)


def bounds(index: Index) -> tuple[int, int]:
    """The smallest and the largest value that the index takes."""
    if isinstance(index, int):
        return index, index
    low = high = index.constant
    for atom, n in index.terms:
        first, last = atom.bounds
        low += n * (first if n > 0 else last)
        high += n * (last if n > 0 else first)
    return low, high


def divided(index: Affine, n: int) -> tuple[Index, Index]:
    """Quotient and remainder of an index that is never negative."""
    if n == 1:
        return index, 0
    whole = affine({a: c // n for a, c in index.terms if c % n == 0}, index.constant // n)
    rest = affine({a: c for a, c in index.terms if c % n}, index.constant % n)
    low, high = bounds(rest)
    if low >= 0 and high < n:
        return whole, rest
    if isinstance(rest, int):
        return whole + rest // n, rest % n
    if low < 0:
        whole, rest = 0, index
    return whole + Affine(((Quotient(rest, n), 1),)), Affine(((Remainder(rest, n), 1),))


def flat(index: Sequence[Index], shape: Sequence[int]) -> Index:
    """The row-major position; quotient and remainder of one number are joined again."""
    position: Index = 0
    for i, n in zip(index, shape, strict=True):
        position = position * n + i
    while not isinstance(position, int):
        joined = rejoined(position)
        if joined is None:
            break
        position = joined
    return position


def rejoined(index: Affine) -> Index | None:
    """``n * (e // n) + e % n = e``, where the index has both."""
    terms = dict(index.terms)
    for atom, c in index.terms:
        if isinstance(atom, Remainder):
            partner = Quotient(atom.whole, atom.divisor)
            if terms.get(partner) == c * atom.divisor:
                del terms[atom], terms[partner]
                return affine(terms, index.constant) + atom.whole * c
    return None


def replaced(index: Index, by: Mapping[Any, Index]) -> Index:
    """The index with other indices in the place of some loops."""
    if isinstance(index, int):
        return index
    terms: dict[Atom, int] = {}
    constant = index.constant
    for atom, n in index.terms:
        found = replaced_atom(atom, by)
        if isinstance(found, int):
            constant += n * found
            continue
        constant += n * found.constant
        for inner, m in found.terms:
            terms[inner] = terms.get(inner, 0) + n * m
    return affine(terms, constant)


def replaced_atom(atom: Atom, by: Mapping[Any, Index]) -> Index:
    match atom:
        case Quotient(whole, n):
            return replaced(whole, by) // n
        case Remainder(whole, n):
            return replaced(whole, by) % n
    return by.get(atom, Affine(((atom, 1),)))
