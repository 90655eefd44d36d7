"""Symbolic indices as registers, each computed once, and before the loops that do not change it."""

from __future__ import annotations

from codegen.index import Affine, Atom, Axis, Data, Index, Quotient, Remainder, bounds, replaced
from codegen.text import Function

At = tuple[Index, ...]


class Counters:
    """What a kernel that writes code knows of its loops, and the registers of its indices."""

    f: Function
    counters: dict[Axis, str]
    """The step of each loop that is open."""
    indices: list[dict[Index, str]]
    """Registers that hold indices, by scope."""
    unrolled: dict[Axis, Index]
    """Loops that are written out step by step, and the step that is being written."""
    homes: list[int]
    """For each loop that is open, the scope right around it."""

    def home(self, level: int) -> int:
        """The scope of what is written with so many loops around it."""
        return self.homes[level] if level < len(self.homes) else -1

    def level_of(self, index: Index) -> int:
        """How many loops at least are around what depends on the index."""
        if isinstance(index, int):
            return 0
        return max([self.atom_level(atom) for atom, _ in index.terms])

    def atom_level(self, atom: Atom) -> int:
        if isinstance(atom, Axis):
            return self.f.level_of(self.counters[atom])
        if isinstance(atom, Data):
            return self.f.level_of(str(atom.number))
        return self.level_of(atom.whole)

    def settled_all(self, at: At) -> At:
        return tuple([self.settled(i) for i in at]) if self.unrolled else at

    def settled(self, index: Index) -> Index:
        """The index with the steps of unrolled loops put in."""
        return replaced(index, self.unrolled) if self.unrolled else index

    def counter(self, index: Index) -> str:
        """The register that holds the index."""
        index = self.settled(index)
        if isinstance(index, int):
            return str(index)
        for scope in reversed(self.indices):
            if index in scope:
                return scope[index]
        level = self.level_of(index)
        with self.f.outside(level):
            total = self.total(index)
        self.indices[self.home(level)][index] = total
        return total

    def same(self, index: Index, known: Index) -> None:
        """Let an index be in the register of another that is equal to it here."""
        if not isinstance(index, int):
            self.indices[-1][index] = self.counter(known)

    def total(self, index: Affine) -> str:
        """The register of the sum of terms, those of the outermost loops first, the constant last:
        what reads side by side has all but that in common."""
        terms = index.terms
        if index.constant:
            return self.sum(self.counter(Affine(terms)), str(index.constant))
        if len(terms) == 1:
            return self.multiple(*terms[0])
        total = ""
        for term in sorted(terms, key=lambda term: self.atom_level(term[0])):
            found = self.counter(Affine((term,)))
            total = self.sum(total, found) if total else found
        return total

    def multiple(self, atom: Atom, n: int) -> str:
        """The register of one term."""
        term = self.atom(atom) if n == 1 else self.counter(Affine(((atom, 1),)))
        return term if n == 1 else self.f(f"mul nsw i64 {term}, {n}")

    def sum(self, x: str, y: str) -> str:
        with self.f.outside(self.f.level_of(x, y)):
            return self.f(f"add nsw i64 {x}, {y}")

    def atom(self, atom: Atom) -> str:
        if isinstance(atom, Axis):
            return self.counters[atom]
        if isinstance(atom, Data):
            return str(atom.number)
        if isinstance(atom, Quotient):
            return self.f(f"udiv i64 {self.counter(atom.whole)}, {atom.divisor}")
        return self.remainder(atom.whole, atom.divisor)

    def remainder(self, whole: Affine, n: int) -> str:
        """That of ``i + c`` is that of ``i``, which is divided but once, and ``c`` or ``c - n``."""
        ahead, base = whole.constant % n, Affine(whole.terms)
        if not ahead or bounds(base)[0] < 0:
            return self.f(f"urem i64 {self.counter(whole)}, {n}")
        rest = self.counter(Affine(((Remainder(base, n), 1),)))
        below, above = (self.f(f"add nsw i64 {rest}, {c}") for c in (ahead, ahead - n))
        return self.f(f"select i1 {self.f(f'icmp slt i64 {above}, 0')}, i64 {below}, i64 {above}")
