"""The benchmark runs every workload, checks that libraries agree, and reports its figures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from tools.workloads.measure import Figures, Line, Pace, Start, agree, first_call, in_turns, start
from tools.workloads.peers import Bound, tracer_peer
from tools.workloads.registry import WORKLOADS
from tools.workloads.report import mean_ratio, parts, plain, summary, update, verdict

import tracer
from tracer import reverse

ROOT = Path(__file__).parents[2]
FAST = ("--quick", "--rounds", "2", "--seconds", "0")


def bench(*argv):
    command = [sys.executable, "tools/bench.py", *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_workload_runs(tmp_path):
    """Beside NumPy, and beside C where there is a compiler."""
    file, chart = tmp_path / "figures.json", tmp_path / "figures.png"
    done = bench(*FAST, "--vs", "numpy,c", "--json", str(file), "--chart", str(chart))
    assert done.returncode == 0, done.stderr
    figures = Figures.read(json.loads(file.read_text()))
    assert [line.name for line in figures.lines] == list(WORKLOADS)
    gcc = shutil.which("gcc") is not None
    assert ("there is no gcc" in done.stdout) != gcc
    for line in figures.lines:
        w = WORKLOADS[line.name]
        there = {"numpy"} if w.value else set()
        if gcc and w.c is not None:
            there |= {"c", "c alone"}
        assert set(line.ratios) == there
        assert set(line.seconds) == {"tracer"} | there
        assert all(len(r) == 2 and min(r) > 0 for r in line.ratios.values())
        parts = dict(line.first["tracer"])
        assert parts.pop("whole") == pytest.approx(sum(parts.values()), rel=0.05)
        assert line.memory["arguments"] > 0
        assert line.memory["results"] > 0
    assert [s.library for s in figures.starts] == ["tracer"]
    assert 0 < figures.starts[0].imported < figures.starts[0].gradient
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert "geometric mean" in done.stdout


def line(name, call, **ratios):
    first = {"trace": 0.01, "passes": 0.01, "plan": 0.01, "emit": 0.01, "optimise": 0.01}
    first |= {"codegen": 0.01, "link": 0.01, "run": 0.01, "whole": 0.08}
    return Line(
        name,
        {"tracer": [call]},
        {peer: [ratio] for peer, ratio in ratios.items()},
        {"tracer": first, "jax": {"whole": 0.24}},
        {"arguments": 1000, "results": 1000, "tracer": 500, "jax": 4_000_000},
    )


def figures_of(*lines):
    settings = {"threads": 1, "rounds": 1, "seconds": 0.0, "clock": "wall", "quick": False}
    versions = {"tracer": "0", "jax": "1", "c": "2"}
    return Figures(settings, versions, "a machine", list(lines), [Start("tracer", 0.2, 0.5)])


FIGURES = figures_of(
    line("call, 10 numbers in and out", 2e-7, jax=8.0),
    line("Rosenbrock, 1e3", 1e-6, jax=2.0, c=0.8),
    line("Rosenbrock, 1e6", 1e-3, jax=0.5, c=0.7),
    line("Lorenz, 2 Runge-Kutta steps", 1e-6, jax=1e4),
    line("attention float32, 8 x 256 x 64", 1e-3, c=3.0),
)


def test_targets_are_met_or_not():
    """In seconds, as a multiple of a peer's time, and unknown where that peer was not run."""
    met = [verdict(x, FIGURES) for x in FIGURES.lines]
    assert met == [
        ["≤ 250 ns", "yes"],
        ["≤ 1.3 x C", "yes"],
        ["≤ 1.3 x C", "no"],
        ["", ""],
        ["≤ JAX / 1.2", ""],
    ]
    assert mean_ratio(FIGURES, "jax") == pytest.approx(2.0)
    assert mean_ratio(FIGURES, "torch") is None
    assert summary(FIGURES) == [
        "Targets of lines: 2 met, 1 not.",
        "Geometric mean of JAX: 2.0; target 5.0.",
        "Geometric mean of C: 1.2; target 0.77.",
        "First calls of at most a third of JAX's: 5 of 5.",
        "JAX is faster: Rosenbrock, 1e6 (0.5).",
        "C is faster: Rosenbrock, 1e6 (0.7); Rosenbrock, 1e3 (0.8).",
    ]


def test_ratios_have_two_digits():
    said = [plain(x) for x in (0.0512, 0.996, 1.26, 9.96, 12.34, 123.4, 48_712.0)]
    assert said == ["0.051", "1.0", "1.3", "10", "12", "120", "49,000"]


def test_small_sizes_meet_no_targets():
    quick = replace(FIGURES, settings=FIGURES.settings | {"quick": True})
    assert verdict(FIGURES.lines[0], quick) == ["", ""]


def test_tables_are_put_in_their_places(tmp_path):
    page = tmp_path / "page.md"
    names = parts(FIGURES)
    text = "\n".join(f"# {name}\n<!-- bench: {name} -->\nold\n<!-- end -->\nkept" for name in names)
    page.write_text(text)
    update(page, FIGURES)
    found = page.read_text()
    assert "old" not in found
    assert found.count("kept") == len(names)
    assert "| Rosenbrock, 1e3 | 1 us | 2.0 | 0.80 | ≤ 1.3 x C | yes |" in found
    assert "| 80 ms | 10.0 | 10.0 | 10.0 | 10.0 | 30.0 | 10.0 | 240 ms | 3.00 |" in found
    assert "| 2 kB | 500 B | 0.25 | 4 MB |" in found
    assert "| tracer | 200 ms | 500 ms |" in found
    assert "| Rosenbrock, 1e3 | 2.0 | 0.80 |" in found
    assert "| geometric mean | 2.0 | 1.2 |\n| of those above 10 us | 0.50 | 1.4 |" in found
    assert "a machine, one thread, 1 rounds; tracer 0, JAX 1, C 2." in found
    update(page, FIGURES)
    assert page.read_text() == found
    page.write_text("<!-- bench: ratios -->\n")
    with pytest.raises(ValueError, match="no <!-- end -->"):
        update(page, FIGURES)


def test_figures_are_read_back_as_they_were_written():
    assert Figures.read(json.loads(json.dumps(FIGURES.document()))) == FIGURES


def test_turns_alternate():
    """Ours stands before the other's turn as often as after it."""
    order = []

    def calling(name):
        return Bound(lambda: order.append(name), lambda made: [])

    found = Line("w")
    others = {"other": calling("other")}
    in_turns(found, "tracer", calling("tracer"), others, Pace(4, 0.0))
    turns = [name for n, name in enumerate(order) if not n or order[n - 1] != name]
    assert turns.count("tracer") == 3
    assert len(found.seconds["tracer"]) == len(found.seconds["other"]) == 4
    assert len(found.ratios["other"]) == 4


def test_a_first_call_derives_anew(monkeypatch):
    """Though the same gradient was compiled before, in the turn of which nothing is timed."""
    derived = []
    make = reverse.transpose
    monkeypatch.setattr(reverse, "transpose", lambda *args: derived.append(args) or make(*args))
    w = WORKLOADS["gradient of 10 numbers"]
    for n in range(1, 4):
        took = first_call(tracer_peer(tracer.get_num_threads()), w, (np.ones(10),), Pace(1, 0.0))
        assert len(derived) == n
        assert took["whole"] > took["trace"] > 0


def test_the_clock_of_work_does_not_count_waiting():
    assert Pace(1, 0.0, "cpu").mean(lambda: sleep(0.05), 2) < 0.05
    assert Pace(1, 0.0, "wall").mean(lambda: sleep(0.05), 2) >= 0.05


def test_fresh_processes_are_timed_by_either_clock():
    for clock in ("wall", "cpu"):
        found = start("tracer", 1, clock)
        assert 0 < found.imported < found.gradient


def test_a_gradient_that_differs_is_not_timed():
    w = next(iter(WORKLOADS.values()))
    agree(w, "other", [np.ones(3)], [np.ones(3)])
    with pytest.raises(AssertionError, match="other and tracer"):
        agree(w, "other", [np.ones(3) + 1e-6], [np.ones(3)])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        agree(w, "other", [np.ones(3)], [np.ones(3), np.ones(3)])


def test_names_that_do_not_exist_are_refused():
    assert "there is no 'jaxx'" in bench("--vs", "jaxx").stderr
    assert "no workload's name" in bench("--vs", "", "--only", "fft", "--only", "svd").stderr
    assert "there is no clock 'sun'" in bench("--vs", "", "--clock", "sun").stderr
