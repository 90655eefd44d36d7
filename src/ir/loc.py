"""Where in the user's program an equation came from."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType

import numpy as np

OURS = tuple(str(Path(__file__).parents[1] / part) + "/" for part in ("ir", "tracer", "codegen"))
SKIP = (*OURS, str(Path(np.__file__).parent) + "/", "<frozen", "<__array_function__")


@dataclass(frozen=True, slots=True)
class Loc:
    """A user source line, and the transforms the equation has passed through."""

    file: str
    line: int
    via: tuple[str, ...] = ()

    def through(self, transform: str) -> Loc:
        return self if self is UNKNOWN else passed(self, transform)

    @property
    def head(self) -> str:
        """``file:line``, as every error message begins."""
        return f"{self.file}:{self.line}"

    def excerpt(self) -> str:
        """The location, then the source line it names."""
        via = f"  (through {', '.join(self.via)})" if self.via else ""
        return f"{self.head}{via}\n    {self.source}"

    def says(self, gist: str, way_out: str = "") -> str:
        """A message about the place: ``file:line: gist``, its source line, the way out."""
        shown = f"    {self.source}" if self.source else ""
        return "\n".join(filter(None, (f"{self.head}: {gist}", shown, way_out)))

    @property
    def source(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        if self is UNKNOWN:
            return ""
        return f"{Path(self.file).name}:{self.line}" + "".join(f" <- {t}" for t in self.via)


@lru_cache(maxsize=4096)
def passed(loc: Loc, transform: str) -> Loc:
    if loc.via and loc.via[-1] == transform:
        return loc
    return replace(loc, via=(*loc.via, transform))


UNKNOWN = Loc("<unknown>", 0)


@lru_cache(maxsize=4096)
def is_library(filename: str) -> bool:
    return filename.startswith(SKIP)


def user_frame() -> FrameType:
    """The innermost frame that is neither this library's nor NumPy's."""
    frame = sys._getframe(1)
    while frame.f_back and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def user_loc() -> Loc:
    """The user's line that is being executed."""
    frame = user_frame()
    return located(frame.f_code.co_filename, frame.f_lineno)


@lru_cache(maxsize=4096)
def located(file: str, line: int) -> Loc:
    return Loc(file, line)
