"""What a command line names: functions, types, and words from a table."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ir.parser import ParseError, parse_type


class SpecError(ValueError):
    """A command line that names no function, pass, type or stage that there is."""


def load(spec: str) -> Callable[..., Any]:
    """The function that ``module:name`` or ``file.py:name`` names; the name may have dots."""
    place, colon, name = spec.rpartition(":")
    if not (colon and place and name):
        raise SpecError(f"{spec!r} names no function: write module:function or file.py:function")
    found: Any = module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            raise SpecError(f"{place} has no {name}; {offers(found)}")
        found = getattr(found, part)
    if not callable(found):
        raise SpecError(f"{spec} is a {type(found).__name__}, and not a function")
    return found  # type: ignore[no-any-return]


def module(place: str) -> Any:
    """The module of that name, or in that file."""
    if place.endswith(".py"):
        if not Path(place).is_file():
            raise SpecError(f"there is no file {place}")
        found = importlib.util.spec_from_file_location(f"dumped_{Path(place).stem}", place)
        assert found is not None
        assert found.loader is not None
        made = importlib.util.module_from_spec(found)
        sys.modules[found.name] = made  # where dataclasses and pickle look
        found.loader.exec_module(made)
        return made
    sys.path.insert(0, "")
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise SpecError(f"there is no module {place} ({error})") from None
    finally:
        sys.path.remove("")


def offers(found: Any) -> str:
    """The functions that a module does have."""
    names = [n for n, x in sorted(vars(found).items()) if callable(x) and not n.startswith("_")]
    return "it has " + ", ".join(names[:20]) if names else "it has no functions"


def argument(text: str) -> Any:
    """A type as text, a tuple of arguments in parentheses, or a plain number."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        return tuple(map(argument, re.findall(r"\w+\[[\d,\s]*\]|\([^()]*\)|[^,\s]+", text[1:-1])))
    if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text):
        return ast.literal_eval(text)
    try:
        parse_type(text)
    except ParseError as error:
        raise SpecError(f"{text!r} is no argument: {error}") from None
    return text


def named(names: Sequence[str], table: Sequence[str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in table:
            raise SpecError(f"there is no {what} {name!r}; there are {', '.join(table)}")
    return tuple(names)


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
