"""The table of docs/numerics.md is the one that the op tests hold compiled code to."""

from __future__ import annotations

import re
from pathlib import Path

from tests.ops.test_rules import EXACT, SUMS, UNSIGNED_ZEROS

from ir.op import REGISTRY

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"


def table():
    """The ops of each row, and what the row says."""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return {says: set(re.findall(r"`(\w+)`", ops)) for ops, says in rows[1:]}


def test_each_row_names_the_ops_that_are_held_to_it():
    rows = table()
    for start, classes in (
        ("bit for bit", EXACT),
        ("bit for bit, but", UNSIGNED_ZEROS),
        ("within `4 eps n", SUMS),
    ):
        names = {cls.mnemonic for cls in classes}
        (found,) = (
            ops
            for says, ops in rows.items()
            if says == start or (start != "bit for bit" and says.startswith(start))
        )
        assert found == names, f"{start}: {found ^ names}"


def test_the_last_row_is_every_other_op():
    named = set().union(*table().values())
    assert named <= set(REGISTRY)
    assert "every other op" in PAGE.read_text()
