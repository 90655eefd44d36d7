"""A run's figures as tables, for a terminal or for a page, and as a chart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tools.workloads import Target, spoken
from tools.workloads.measure import ALONE, Figures, Line
from tools.workloads.registry import WORKLOADS

OURS = "tracer"
LONG = 1e-5
"""Seconds from which the price of a call says little."""

NAMES = {"jax": "JAX", "c": "C", f"c {ALONE}": "C, no call", "numpy": "NumPy, value only"}


@dataclass
class Grid:
    """A table before it is drawn; the last rows are set apart."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]]
    foot: list[list[str]]

    def rich(self) -> Table:
        table = Table(title=self.title)
        for n, column in enumerate(self.columns):
            table.add_column(column, justify="right" if n else "left", no_wrap=not n)
        for row in self.rows:
            table.add_row(*row)
        table.add_section()
        for row in self.foot:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows, *self.foot]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- the tables -------------------------------------------------------------------------------


def ratios(figures: Figures) -> Grid:
    """A call, and how many times as long others take; the target, and whether it is met."""
    others = compared(figures)
    columns = ["workload", "a call here", *map(title, others), "target", "met"]
    rows = []
    for line in figures.lines:
        mine = spoken(line.call(OURS))
        rows.append([line.name, mine, *told(line, others), *verdict(line, figures)])
    foot = [[name, "", *found, "", ""] for name, *found in means(figures, others)]
    return Grid("a call, and how many times as long others take", columns, rows, foot)


def firsts(figures: Figures) -> Grid:
    """The first call by part, and JAX's."""
    shown = ["trace", "passes", "plan", "emit", "LLVM", "run"]
    rows = []
    for line in figures.lines:
        ours = dict(line.first[OURS])
        ours["LLVM"] = ours["optimise"] + ours["codegen"] + ours["link"]
        jax = line.first.get("jax")
        theirs = [spoken(jax["whole"]), f"{jax['whole'] / ours['whole']:.2f}"] if jax else ["", ""]
        share = [f"{1e3 * ours[part]:.1f}" for part in shown]
        rows.append([line.name, spoken(ours["whole"]), *share, *theirs])
    ratios = first_ratios(figures)
    foot = [["geometric mean", *[""] * 8, f"{mean(ratios):.2f}"]] if ratios else []
    columns = ["workload", "here", *[f"{part}, ms" for part in shown], "JAX", "JAX / here"]
    return Grid("the first call, of a fresh function in a warm process", columns, rows, foot)


def memories(figures: Figures) -> Grid:
    """Bytes beside arguments and results."""
    rows = []
    for line in figures.lines:
        m = line.memory
        kept = m["arguments"] + m["results"]
        share = f"{m[OURS] / kept:.2f}"
        rows.append([line.name, size(kept), size(m[OURS]), share, size(m.get("jax"))])
    columns = ["workload", "arguments and results", "besides, here", "ratio", "besides, JAX"]
    return Grid("peak memory", columns, rows, [])


def starts(figures: Figures) -> Grid:
    """A fresh process."""
    rows = [
        [NAMES.get(s.library, s.library), spoken(s.imported), spoken(s.gradient)]
        for s in figures.starts
    ]
    columns = ["library", "import", "process to first jitted gradient"]
    foot = [["target, here", "≤ 250 ms", "≤ 600 ms"]]
    return Grid("a fresh process", columns, rows, foot)


def short(figures: Figures) -> Grid:
    """The ratios alone, of calls."""
    others = [peer for peer in compared(figures) if not peer.endswith(ALONE)]
    rows = [[line.name, *told(line, others)] for line in figures.lines]
    return Grid("", ["workload", *map(title, others)], rows, means(figures, others))


GRIDS = {"ratios": ratios, "firsts": firsts, "memory": memories, "starts": starts}
"""What is printed."""


def summary(figures: Figures) -> list[str]:
    """How many targets are met, the means, and where others are faster."""
    met = [verdict(line, figures)[1] for line in figures.lines]
    said = [f"Targets of lines: {met.count('yes')} met, {met.count('no')} not."]
    for peer, least in (("jax", 5.0), ("c", 1 / 1.3)):
        ratio = mean_ratio(figures, peer)
        if ratio is not None:
            said.append(f"Geometric mean of {title(peer)}: {plain(ratio)}; target {plain(least)}.")
    ratios = first_ratios(figures)
    if ratios:
        thrice = sum(ratio >= 3 for ratio in ratios)
        said.append(f"First calls of at most a third of JAX's: {thrice} of {len(ratios)}.")
    for peer in compared(figures):
        faster = sorted(
            (line.ratio(peer), line.name)
            for line in figures.lines
            if peer in line.ratios and line.ratio(peer) < 1
        )
        if faster and peer != "numpy" and not peer.endswith(ALONE):
            listed = "; ".join(f"{name} ({ratio:.2g})" for ratio, name in faster)
            said.append(f"{title(peer)} is faster: {listed}.")
    return said


def conditions(figures: Figures) -> str:
    """What the figures are of."""
    settings = figures.settings
    versions = ", ".join(
        f"{title(name)} {v}" for name, v in figures.versions.items() if name != "numpy"
    )
    clock = {"wall": "", "cpu": ", by the clock of work and not of the wall"}[settings["clock"]]
    threads = "one thread" if settings["threads"] == 1 else f"{settings['threads']} threads"
    return f"{figures.machine}, {threads}, {settings['rounds']} rounds{clock}; {versions}."


def parts(figures: Figures) -> dict[str, str]:
    """What a page can have between ``<!-- bench: name -->`` and ``<!-- end -->``."""
    tables = {name: grid(figures).markdown() for name, grid in {**GRIDS, "short": short}.items()}
    listed = "\n".join(f"* {said}" for said in summary(figures))
    return {**tables, "summary": listed, "conditions": conditions(figures)}


# --- words and numbers ------------------------------------------------------------------------


def compared(figures: Figures) -> list[str]:
    """The others, in the order of the command line."""
    found = dict.fromkeys(peer for line in figures.lines for peer in line.ratios)
    return sorted(found, key=[*figures.versions, *found].index)


def title(peer: str) -> str:
    return NAMES.get(peer, peer)


def told(line: Line, peers: Sequence[str]) -> list[str]:
    """The ratios, nothing for those that took no part."""
    return [plain(line.ratio(p)) if p in line.ratios else "" for p in peers]


def plain(x: float) -> str:
    """Two digits, without an exponent."""
    rounded = float(f"{x:.2g}")
    return f"{rounded:,.{max(0, 1 - math.floor(math.log10(rounded)))}f}"


def first_ratios(figures: Figures) -> list[float]:
    """JAX's first calls as multiples of ours."""
    firsts = [line.first for line in figures.lines if "jax" in line.first]
    return [first["jax"]["whole"] / first[OURS]["whole"] for first in firsts]


def mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def mean_ratio(figures: Figures, peer: str, least: float = 0.0) -> float | None:
    """Over the lines that count, and take that many seconds here."""
    found = [
        line.ratio(peer)
        for line in figures.lines
        if peer in line.ratios and WORKLOADS[line.name].counted and line.call(OURS) >= least
    ]
    return mean(found) if found else None


def means(figures: Figures, peers: Sequence[str]) -> list[list[str]]:
    """Rows of geometric means: of all lines, and of those in which the call itself is little."""
    rows = []
    for name, least in (("geometric mean", 0.0), (f"of those above {spoken(LONG)}", LONG)):
        found = [mean_ratio(figures, peer, least) for peer in peers]
        rows.append([name, *["" if x is None else plain(x) for x in found]])
    return rows


def verdict(line: Line, figures: Figures) -> list[str]:
    """The line's targets, and whether they are met; nothing where what they need was not run."""
    if figures.settings["quick"]:
        return ["", ""]
    targets = WORKLOADS[line.name].targets
    met = [reached(line, target) for target in targets]
    told = "" if not met or None in met else "yes" if all(met) else "no"
    return ["; ".join(t.says for t in targets), told]


def reached(line: Line, target: Target) -> bool | None:
    if target.first:
        return line.first[OURS]["whole"] <= target.bound
    if not target.peer:
        return line.call(OURS) <= target.bound
    return 1 / line.ratio(target.peer) <= target.bound if target.peer in line.ratios else None


def size(count: int | None) -> str:
    if count is None:
        return ""
    for unit, unit_size in (("MB", 1e6), ("kB", 1e3)):
        if count >= unit_size:
            return f"{count / unit_size:.3g} {unit}"
    return f"{count} B"


def update(page: Path, figures: Figures) -> None:
    """Put the tables in their places on the page."""
    text = page.read_text()
    for name, part in parts(figures).items():
        head, mark, rest = text.partition(f"<!-- bench: {name} -->\n")
        if mark:
            _, end, rest = rest.partition("<!-- end -->")
            if not end:
                raise ValueError(f"{page}: no <!-- end --> after <!-- bench: {name} -->")
            text = f"{head}{mark}\n{part}\n\n{end}{rest}"
    page.write_text(text)


def chart(figures: Figures, file: Path) -> None:
    """Bars of how many times as long each other library takes, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    others = [peer for peer in compared(figures) if not peer.endswith(ALONE)]
    names = [line.name for line in figures.lines]
    drawn, axes = pyplot.subplots(figsize=(9, 1 + 0.12 * len(names) * (len(others) + 1)))
    for n, peer in enumerate(others):
        known = [(i, x.ratio(peer)) for i, x in enumerate(figures.lines) if peer in x.ratios]
        at = [i + (n + 0.5) / (len(others) + 1) - 0.5 for i, _ in known]
        beyond: Any = [ratio - 1 for _, ratio in known]
        axes.barh(at, beyond, left=1.0, height=0.9 / (len(others) + 1), label=title(peer))
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    known_ratios = [
        line.ratio(peer) for line in figures.lines for peer in others if peer in line.ratios
    ]
    axes.set_xlim(0.8 * min(1.0, *known_ratios), 1.5 * max(1.0, *known_ratios))
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xlabel("time of a call, as a multiple of tracer's")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend()
    drawn.tight_layout()
    drawn.savefig(file, dpi=120)
    pyplot.close(drawn)
