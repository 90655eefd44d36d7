"""Programs as text. Names are positions, so equal programs print equally."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ir.program import Equation, Program, Value


def print_program(
    program: Program, *, locs: bool = False, mark: dict[Equation, str] | None = None
) -> str:
    """The text of a program; ``locs`` adds each equation's line, ``mark`` a prefix by equation."""
    return "\n".join(lines(program, "", locs, mark))


def lines(
    program: Program, indent: str, locs: bool, mark: dict[Equation, str] | None
) -> Iterator[str]:
    names: dict[Value, str] = {}

    def typed(values: Iterable[Value]) -> str:
        shown = []
        for v in values:
            names[v] = f"%{len(names)}"
            shown.append(f"{names[v]}: {v.type}")
        return ", ".join(shown)

    yield f"{indent}program {program.name}({typed(program.params)}) {{"
    for eq in program.equations:
        prefix = "" if mark is None else f"{mark.get(eq, ' ')} "
        operands = ", ".join(names[v] for v in eq.operands)
        head = f"{typed(eq.results)} = " if eq.results else ""
        text = f"{prefix}{indent}  {head}{eq.op} {operands}".rstrip() + (" {" if eq.bodies else "")
        yield f"{text:<64}  # {eq.loc}" if locs and str(eq.loc) else text
        for body in eq.bodies:
            yield from lines(body, indent + "    ", locs, mark)
        if eq.bodies:
            yield f"{indent}  }}"
    yield f"{indent}  return {', '.join(names[v] for v in program.results)}".rstrip()
    yield f"{indent}}}"
