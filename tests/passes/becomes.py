"""What a pass does, said as text before and text after."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

from ir.parser import parse_program
from ir.program import Program
from ir.verify import verify


def program(text: str) -> Program:
    """The program of a text; bare equations and a ``return`` get their frame from the first line.

    ``(%0: f64[3])`` then equations then ``return %0`` is enough.
    """
    text = dedent(text).strip()
    if not text.startswith("program"):
        head, *rest = text.splitlines()
        text = "\n".join([f"program p{head} {{", *rest, "}"])
    return verify(parse_program(text))


def becomes(step: Callable[[Program], Program], before: str, after: str, name: str = "p") -> None:
    """Assert that the pass turns one text into the other."""
    got = str(verify(step(program(before))))
    want = str(program(after)).replace("program p(", f"program {name}(", 1)
    assert got == want, f"\n{got}\n\nfor\n\n{want}"


def stays(step: Callable[[Program], Program], text: str) -> None:
    """Assert that the pass leaves the program alone."""
    becomes(step, text, text)
