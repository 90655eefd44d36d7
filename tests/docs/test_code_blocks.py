"""What the README, the pages of docs/ and the public docstrings show is what happens."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tools.doc_blocks import examples

import tracer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PUBLIC = {name: getattr(tracer, name) for name in tracer.__all__}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_print_what_the_page_says(page, figures):
    """In a process of its own: a page may add ops, and prints the same in any order."""
    done = subprocess.run(
        [sys.executable, "tools/doc_blocks.py", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    figures.add("examples run from pages", len([*examples(page.read_text())]))


@pytest.mark.parametrize("name", ["tracer", *PUBLIC])
def test_docstrings_of_the_public_api(name, figures):
    made = tracer if name == "tracer" else PUBLIC[name]
    found = [t for t in doctest.DocTestFinder(recurse=False).find(made, name) if t.examples]
    assert found or name == "errors", f"{name} has no example"
    for test in found:
        assert doctest.DocTestRunner().run(test).failed == 0
        figures.add("examples run from public docstrings", len(test.examples))


def test_every_error_has_a_sentence():
    classes = [x for x in vars(tracer.errors).values() if isinstance(x, type)]
    assert classes
    assert not [c.__name__ for c in classes if not c.__doc__ or (not issubclass(c, Exception)
                and c.__module__ == "tracer.errors")]  # fmt: skip


def test_links_between_pages_lead_somewhere():
    import re

    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_public_api_is_functions_and_two_modules():
    modules = {name for name, x in PUBLIC.items() if isinstance(x, ModuleType)}
    assert modules == {"errors", "numpy"}
