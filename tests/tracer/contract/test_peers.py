"""Every case here, in torch.func, JAX and HIPS autograd: the same values, structures, exceptions.

A library that can be imported is asked; else its recorded answers stand for it. Where this
project does not follow one, the case says why, and it is tested that it does not. Of JAX and
autograd only what they give is compared: they may refuse what works here.
"""

from __future__ import annotations

import importlib
from functools import cache

import pytest
from tests.tracer.contract import libraries
from tests.tracer.contract.cases import CASES
from tests.tracer.contract.outcome import Outcome, follows, outcome
from tests.tracer.contract.record import outcomes, recorded

RECORDED = recorded()


@cache
def ours(name: str) -> Outcome:
    return outcome(CASES[name], libraries.ours())


def is_there(library: str) -> bool:
    try:
        importlib.import_module(library)
    except ImportError:
        return False
    return True


@cache
def answers(library: str) -> dict[str, Outcome]:
    """A library's outcome by case, asked or recorded."""
    if is_there(library):
        return outcomes(libraries.PEERS[library]())
    found: dict[str, Outcome] = RECORDED[library]["outcomes"]
    return found


def same(one: Outcome, other: Outcome) -> bool:
    return follows(one, other) and follows(other, one)


@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name, figures):
    mine, theirs, reason = ours(name), answers("torch")[name], CASES[name].differs.get("torch")
    if "absent" in theirs:
        figures.add("contract: cases that torch.func cannot say")
        assert "absent" not in mine, mine
    elif reason is None:
        assert follows(mine, theirs), f"here {mine}, in torch {theirs}"
        figures.add("contract: cases as in torch 2.13")
    else:
        assert not follows(mine, theirs), f"a deviation that is none: {reason}"
        figures.add(f"contract: not as in torch 2.13, as {reason}")


@pytest.mark.parametrize("library", ["jax", "autograd"])
def test_as_elsewhere(library, figures):
    failures = []
    for name, theirs in answers(library).items():
        mine, reason = ours(name), CASES[name].differs.get(library)
        if "absent" in theirs or ("raises" in theirs and "value" in mine and reason is None):
            figures.add(f"contract: cases that {library} does not have or refuses")
        elif follows(mine, theirs) != (reason is None):
            failures.append(f"{name}: {reason or 'here'} {mine}, there {theirs}")
        else:
            how = "as in" if reason is None else "for a stated reason not as in"
            figures.add(f"contract: cases {how} {library}")
    assert not failures, "\n".join(failures)


def test_compiled_as_interpreted(figures):
    failures, library = [], libraries.jitted()
    for name, tried in CASES.items():
        found = outcome(tried, library)
        figures.add("contract: cases compiled as interpreted", same(found, ours(name)))
        if not same(found, ours(name)):
            failures.append(f"{name}: {found}, interpreted {ours(name)}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("library", libraries.PEERS)
def test_what_was_recorded_is_so(library):
    """Every case was recorded; where the library is there, it still says the same."""
    found, kept = answers(library), RECORDED[library]["outcomes"]
    assert found.keys() == kept.keys(), "run python -m tests.tracer.contract.record"
    changed = [n for n, x in found.items() if x != kept[n] and library not in CASES[n].differs]
    assert not [n for n in changed if "absent" not in found[n] and not same(found[n], kept[n])]
