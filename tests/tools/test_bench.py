"""The benchmark runs every workload, checks that libraries agree, and writes its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

ROOT = Path(__file__).parents[2]
FAST = ("--quick", "--rounds", "2", "--seconds", "0")


def bench(*argv):
    command = [sys.executable, "tools/bench.py", *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_workload_runs(tmp_path):
    import tools.workloads.first  # noqa: F401
    from tools.workloads import WORKLOADS

    file = tmp_path / "figures.json"
    done = bench(*FAST, "--vs", "numpy", "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert set(figures["seconds"]) == set(WORKLOADS)
    for row in figures["seconds"].values():
        assert set(row) == {"tracer", "numpy"}
        assert all(len(times["rounds"]) == 2 for times in row.values())
        assert all(times["first"] > 0 and times["median"] > 0 for times in row.values())
    assert figures["geometric_mean_ratio"]["numpy"] > 0
    assert figures["settings"]["quick"] is True
    assert "geometric mean" in done.stdout


def test_a_gradient_that_differs_is_not_timed():
    from tools.bench import agree
    from tools.workloads import Workload
    from tools.workloads.peers import Peer

    workload = Workload("w", np.sum, lambda rng, scale: ())
    peers = [Peer(name, "0", lambda w: w.function) for name in ("tracer", "other")]
    agree(workload, peers, {"tracer": [np.ones(3)], "other": [np.ones(3)]})
    with pytest.raises(AssertionError, match="w: other and tracer"):
        agree(workload, peers, {"tracer": [np.ones(3)], "other": [np.ones(3) + 1e-6]})


def test_names_that_do_not_exist_are_refused():
    assert "there is no 'jaxx'" in bench("--vs", "jaxx").stderr
    assert "no workload's name" in bench("--vs", "", "--only", "fft").stderr
