"""Runs the code blocks of a Markdown file and compares what they print with what it says.

``python tools/doc_blocks.py README.md docs/walk.md`` runs each file's blocks in order, in one
namespace: ``python`` blocks, with or without ``>>>``, and in ``console`` blocks the lines that
begin with ``$ python``. ``...`` in an expected output stands for anything. ``--update`` writes
what was printed into the file, wherever it differs. Line numbers in outputs count the lines of
code on the page, as if ``walk.md`` held a script called ``walk.py``.
"""

from __future__ import annotations

import argparse
import doctest
import io
import linecache
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """Code in a file, what it should print, and where: its line, and the span of the output."""

    kind: str
    source: str
    want: str
    line: int
    span: tuple[int, int]


@dataclass(frozen=True)
class Ran:
    """An example, and what it printed."""

    example: Example
    got: str

    @property
    def good(self) -> bool:
        """Whether it printed what the file says; code without a prompt only has to run."""
        if self.example.kind == "code":
            return not self.got
        return doctest.OutputChecker().check_output(self.example.want, self.got, doctest.ELLIPSIS)


def examples(text: str) -> Iterator[Example]:
    """Every piece of code in the file's blocks, in order."""
    for block in BLOCK.finditer(text):
        language, body = block.groups()
        start = block.start(2)
        if language == "console":
            yield from commands(text, body, start)
        elif ">>>" in body:
            yield from prompts(text, body, start)
        else:
            line = text.count("\n", 0, start)
            yield Example("code", body, "", line, (block.end(2), block.end(2)))


def prompts(text: str, body: str, start: int) -> Iterator[Example]:
    """What follows ``>>>``."""
    offsets = [0, *(m.end() for m in re.finditer("\n", body))]
    for found in doctest.DocTestParser().get_examples(body):
        first = found.lineno + found.source.count("\n")
        at = start + offsets[first]
        line = text.count("\n", 0, start) + found.lineno
        yield Example("prompt", found.source, found.want, line, (at, at + len(found.want)))


def commands(text: str, body: str, start: int) -> Iterator[Example]:
    """What follows ``$ python``, with continued lines."""
    for found in re.finditer(r"^\$ (python (?:[^\n]*\\\n)*[^\n]*)\n((?:(?!\$ ).*\n)*)", body, re.M):
        line = text.count("\n", 0, start + found.start())
        span = start + found.start(2), start + found.end(2)
        yield Example("command", found[1], found[2], line, span)


def ran(file: Path) -> list[Ran]:
    """Each example of the file with what it printed, run in order in one namespace."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    script = f"{file.stem}.py"
    lines: list[str] = []
    done = []
    for example in examples(file.read_text(encoding="utf-8")):
        if example.kind == "command":
            done.append(Ran(example, run_command(example.source)))
            continue
        before = len(lines)
        lines += example.source.splitlines(keepends=True)
        linecache.cache[script] = (0, None, lines, script)
        done.append(Ran(example, run_code(example, script, before, namespace)))
    return done


def run_command(source: str) -> str:
    """What a command prints, from the root of the repository."""
    words = shlex.split(source.replace("\\\n", " "))[1:]
    out = subprocess.PIPE
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True
    )
    return placeless(done.stdout)


def run_code(example: Example, script: str, before: int, namespace: dict[str, Any]) -> str:
    """What Python code prints, ``before`` lines into the script; an error is its last lines."""
    mode = "single" if example.kind == "prompt" else "exec"
    out = io.StringIO()
    with redirect_stdout(out):
        try:
            padded = "\n" * before + example.source
            exec(compile(padded, script, mode, dont_inherit=True), namespace)
        except Exception as error:
            print("Traceback (most recent call last):\n    ...")
            print(*traceback.format_exception_only(error), sep="", end="")
    return placeless(out.getvalue())


def placeless(text: str) -> str:
    """Paths into this repository begin with ``...``, and tabs are spaces, as doctest has them."""
    return re.sub(rf"{re.escape(str(ROOT))}/(?:\S*/)?", "...", text).expandtabs()


def failures(file: Path) -> list[str]:
    """A paragraph for each example that did not print what the file says."""
    return [
        f"{file.name}:{r.example.line + 1}:\n{r.example.source}"
        f"printed:\n{r.got}instead of:\n{r.example.want}"
        for r in ran(file)
        if not r.good
    ]


def update(file: Path) -> int:
    """Write what was printed wherever it differs; returns how many places."""
    text = file.read_text(encoding="utf-8")
    wrong = [r for r in ran(file) if not r.good and r.example.kind != "code"]
    for r in reversed(wrong):
        start, end = r.example.span
        got = re.sub("^$\n", "<BLANKLINE>\n", r.got, flags=re.MULTILINE)
        text = text[:start] + (r.got if r.example.kind == "command" else got) + text[end:]
    file.write_text(text, encoding="utf-8")
    return len(wrong)


def main(argv: Sequence[str] | None = None) -> int:
    """Print what fails; 1 if something does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--update", action="store_true", help="write the outputs into the files")
    given = parser.parse_args(argv)
    if given.update:
        for file in given.files:
            print(f"{file}: {update(file)} outputs written")
    found = [failure for file in given.files for failure in failures(file)]
    for failure in found:
        print(failure)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
