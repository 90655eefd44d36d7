"""Writes down what the other libraries make of every case.

``python -m tests.tracer.contract.record``, from the root of the repository and where torch 2.13,
JAX and autograd are installed, after a case has been added. Where they are not installed, tests
compare with what was written down.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tracer.contract.cases import CASES
from tests.tracer.contract.libraries import PEERS, Library
from tests.tracer.contract.outcome import Outcome, outcome

PATH = Path(__file__).with_name("recorded.json")
Recorded = dict[str, Any]
SKIPPED = {"autograd": "errors: "}
"""HIPS autograd checks little: what it does with what is refused here says nothing."""


def outcomes(library: Library) -> dict[str, Outcome]:
    """What a library makes of the cases that it is asked about."""
    left_out = SKIPPED.get(library.name, "none")
    return {n: outcome(c, library) for n, c in CASES.items() if not n.startswith(left_out)}


def recorded() -> dict[str, Recorded]:
    """By library: its version, and its outcome by case."""
    found: dict[str, Recorded] = json.loads(PATH.read_text())
    return found


def record() -> None:
    """Ask every library, and write one line for each case."""
    made: dict[str, Recorded] = {}
    for name, load in PEERS.items():
        library = load()
        made[name] = {"version": library.version, "outcomes": outcomes(library)}
        print(f"{name} {library.version}: {len(made[name]['outcomes'])} cases")
    PATH.write_text("{" + ",\n".join(map(lines, made, made.values())) + "}\n")


def lines(name: str, found: Recorded) -> str:
    """One line of JSON for each case of a library."""
    rows = [f"{json.dumps(key)}: {json.dumps(x)}" for key, x in found["outcomes"].items()]
    head = f'"{name}": {{"version": "{found["version"]}", "outcomes": {{\n'
    return head + ",\n".join(rows) + "\n}}"


if __name__ == "__main__":
    record()
