"""The figures that the suite reports at its end: how many samples, programs and mismatches.

``counted(name, n)`` adds to a figure from any test; with xdist each worker sends its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

FIGURES: Counter[str] = Counter()
SETS: dict[str, set[str]] = {}


class Figures:
    """What a test adds to the summary."""

    def add(self, name: str, n: int = 1) -> None:
        FIGURES[name] += n

    def cover(self, name: str, members: set[str]) -> None:
        SETS.setdefault(name, set()).update(members)


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture(scope="session", autouse=True)
def sent(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hand this worker's figures to the process that prints them."""
    yield
    output = getattr(request.config, "workeroutput", None)
    if output is not None:
        output["figures"] = dict(FIGURES)
        output["sets"] = {name: sorted(members) for name, members in SETS.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Add up what one of xdist's workers sends."""
    output = getattr(node, "workeroutput", {})
    FIGURES.update(output.get("figures", {}))
    for name, members in output.get("sets", {}).items():
        SETS.setdefault(name, set()).update(members)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures after everything else."""
    write: Callable[[str], None] = terminalreporter.write_line
    for name, n in sorted(FIGURES.items()):
        write(f"{name}: {n:,}")
    for name, members in sorted(SETS.items()):
        write(f"{name}: {len(members)}")
