"""Whole error messages, but for the number of the line."""

from __future__ import annotations

import linecache
import re


def check_says(error: BaseException, file: str, gist: str, way_out: str) -> str:
    """Assert ``file:line: gist``, the line of the file, the way out; the line is returned."""
    found = re.match(rf"{re.escape(file)}:(\d+): ", str(error))
    assert found, f"does not begin with the user's line: {error}"
    line = int(found[1])
    source = linecache.getline(file, line).strip()
    assert str(error) == f"{file}:{line}: {gist}\n    {source}\n{way_out}"
    return source
