"""All cases by name; a case is written once and run in every library."""

from __future__ import annotations

from tests.tracer.contract import (
    cases_derivatives,
    cases_errors,
    cases_trees,
    cases_vmap,
    cases_writing,
)
from tests.tracer.contract.outcome import Case

PARTS: dict[str, dict[str, Case]] = {
    "derivatives": cases_derivatives.CASES,
    "batches": cases_vmap.CASES,
    "trees": cases_trees.CASES,
    "writing": cases_writing.CASES,
    "errors": cases_errors.CASES,
}
CASES = {f"{part}: {name}": found for part, cases in PARTS.items() for name, found in cases.items()}
