"""Functions in LLVM's language that modules share."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Helper:
    """A function that modules share, so that it is compiled once in the life of a process."""

    name: str
    head: str
    """Its type, name, parameters and attributes."""
    body: str
    declares: tuple[str, ...] = ()
    """Declarations of what it calls."""

    def text(self, linkage: str = "") -> str:
        return f"define {linkage}{self.head} {{\n{self.body}}}\n"

    @property
    def declaration(self) -> str:
        return f"declare {re.sub(r' %[a-z]+', '', self.head)}"
