"""Sets that are joined pair by pair: union-find."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class DisjointSets(Generic[T]):
    """Members and what they were joined with; paths to a set's root are halved as they are walked.

    >>> sets = DisjointSets[int]()
    >>> for x, y in ((1, 2), (3, 3), (4, 2)):
    ...     sets.join(x, y)
    >>> sets.all()
    [[1, 2, 4], [3]]
    """

    def __init__(self) -> None:
        self.above: dict[T, T] = {}

    def root(self, member: T) -> T:
        """The member that stands for the set."""
        while (above := self.above.get(member, member)) is not member:
            self.above[member] = self.above.get(above, above)
            member = above
        return member

    def join(self, x: T, y: T) -> None:
        for member in (x, y):
            self.above.setdefault(member, member)
        self.above[self.root(x)] = self.root(y)

    def all(self) -> Sequence[Sequence[T]]:
        found: dict[T, list[T]] = {}
        for member in self.above:
            found.setdefault(self.root(member), []).append(member)
        return list(found.values())
