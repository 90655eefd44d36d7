"""How long gradients take, beside other libraries that are installed.

All libraries run the same functions on the same numbers in one process, in turns, on the same
number of threads, after their results have been found to agree. Times are medians over rounds.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from tools.workloads import Workload
    from tools.workloads.peers import Peer

CLOCK = time.perf_counter
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
QUICK = 0.01


@dataclass
class Timing:
    """Seconds of the first call, which compiles, and of the calls of each round."""

    first: float
    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


Timings = dict[str, dict[str, Timing]]
"""By workload, then by library."""


# --- the same conditions for all --------------------------------------------------------------


def limit_threads(threads: int) -> None:
    """As many threads for every library; before any of them is loaded, or it is too late."""
    for name in VARIABLES:
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def installed(names: Sequence[str], threads: int, console: Console) -> list[Peer]:
    """This library, then those of the names that can be imported."""
    from tools.workloads.peers import PEERS, tracer_peer

    found = [tracer_peer()]
    for name in names:
        if name not in PEERS:
            raise typer.BadParameter(f"there is no {name!r}; there are {', '.join(PEERS)}")
        try:
            found.append(PEERS[name](threads))
        except ImportError as error:
            console.print(f"{name} is not installed ({error})")
    return found


# --- one workload -----------------------------------------------------------------------------


def compare(
    workload: Workload, peers: Sequence[Peer], scale: float, rounds: int, seconds: float
) -> dict[str, Timing]:
    """First calls, agreement, then rounds in which each library has its turn."""
    import numpy as np

    args = workload.make(np.random.default_rng(0), scale)
    calls = {peer.name: peer.call(workload, args) for peer in peers}
    timings, results = {}, {}
    for peer in peers:
        started = CLOCK()
        made = calls[peer.name]()
        timings[peer.name] = Timing(CLOCK() - started)
        results[peer.name] = peer.results(made)
    agree(workload, peers, results)
    counts = {name: repeats(call, seconds) for name, call in calls.items()}
    for n in range(rounds):
        turn = [*calls][n % len(calls) :] + [*calls][: n % len(calls)]
        for name in turn:
            timings[name].rounds.append(mean_seconds(calls[name], counts[name]))
    return timings


def agree(workload: Workload, peers: Sequence[Peer], results: dict[str, list[Any]]) -> None:
    """Refuse to time libraries that compute different numbers."""
    import numpy as np

    for peer in peers[1:]:
        if peer.value_only:
            continue
        for found, want in zip(results[peer.name], results[peers[0].name], strict=True):
            size = float(np.max(np.abs(want)))
            what = f"{workload.name}: {peer.name} and {peers[0].name}"
            np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-10 * size, err_msg=what)


def repeats(call: Callable[[], Any], seconds: float) -> int:
    """How many calls fill the time."""
    call()
    return max(1, math.ceil(seconds / max(mean_seconds(call, 2), 1e-9)))


def mean_seconds(call: Callable[[], Any], count: int) -> float:
    started = CLOCK()
    for _ in range(count):
        call()
    return (CLOCK() - started) / count


# --- the report -------------------------------------------------------------------------------


def spoken(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e9 * seconds:.3g} ns"


def mean_ratio(timings: Timings, peer: str, ours: str) -> float:
    """The geometric mean of a library's times over this one's."""
    logs = [math.log(row[peer].median / row[ours].median) for row in timings.values()]
    return math.exp(statistics.fmean(logs))


def times_table(timings: Timings, peers: Sequence[Peer]) -> Table:
    """Times of a call; others as multiples of this library's."""
    ours, *others = peers
    table = Table(title="a gradient: time, and how many times as long others take")
    table.add_column("workload", no_wrap=True)
    for peer in peers:
        table.add_column(heading(peer), justify="right")
    for name, row in timings.items():
        mine = row[ours.name].median
        ratios = [f"{row[p.name].median / mine:.2f}" for p in others]
        table.add_row(name, spoken(mine), *ratios)
    table.add_section()
    means = [f"{mean_ratio(timings, p.name, ours.name):.2f}" for p in others]
    table.add_row("geometric mean", "", *means)
    return table


def first_table(timings: Timings, peers: Sequence[Peer]) -> Table:
    """Times of the first call: tracing and compiling for the libraries that do so."""
    table = Table(title="the first call")
    table.add_column("workload", no_wrap=True)
    for peer in peers:
        table.add_column(heading(peer), justify="right")
    for name, row in timings.items():
        table.add_row(name, *[spoken(row[p.name].first) for p in peers])
    return table


def heading(peer: Peer) -> str:
    return f"{peer.name} {peer.version}" + ("\n(value only)" if peer.value_only else "")


def document(timings: Timings, peers: Sequence[Peer], settings: dict[str, Any]) -> dict[str, Any]:
    """What ``--json`` writes."""
    import numpy as np

    return {
        "settings": settings,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "versions": {peer.name: peer.version for peer in peers},
        "value_only": [peer.name for peer in peers if peer.value_only],
        "seconds": {
            name: {
                peer: {"first": t.first, "median": t.median, "rounds": t.rounds}
                for peer, t in row.items()
            }
            for name, row in timings.items()
        },
        "geometric_mean_ratio": {
            peer.name: mean_ratio(timings, peer.name, peers[0].name) for peer in peers[1:]
        },
    }


def main(
    vs: Annotated[str, typer.Option(help="libraries, of: jax,torch,autograd,numpy")] = (
        "jax,torch,autograd,numpy"
    ),
    only: Annotated[str, typer.Option(help="workloads whose name holds this text")] = "",
    threads: Annotated[int, typer.Option(min=1, help="threads for every library")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="timed turns of each library")] = 7,
    seconds: Annotated[float, typer.Option(min=0, help="length of one turn")] = 0.1,
    quick: Annotated[bool, typer.Option(help="a hundredth of the sizes: a check, no figures")] = (
        False
    ),
    json_file: Annotated[Path | None, typer.Option("--json", help="write the figures there")] = (
        None
    ),
) -> None:
    """How long gradients take, beside other libraries that are installed."""
    limit_threads(threads)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, or imported
    import tools.workloads.first  # noqa: F401  (fills the table)
    from tools.workloads import WORKLOADS

    console = Console(width=None if sys.stdout.isatty() else 120)
    peers = installed([name for name in vs.split(",") if name], threads, console)
    chosen = {name: w for name, w in WORKLOADS.items() if only in name}
    if not chosen:
        raise typer.BadParameter(f"no workload's name holds {only!r}: {', '.join(WORKLOADS)}")
    timings: Timings = {}
    for name in track(sorted(chosen), "timing", console=console, transient=True):
        scale = QUICK if quick else 1.0
        timings[name] = compare(chosen[name], peers, scale, rounds, seconds)
    console.print(times_table(timings, peers))
    console.print(first_table(timings, peers))
    console.print(f"threads: {threads}; rounds: {rounds}; every gradient agreed to 1e-8")
    if json_file:
        settings = {"threads": threads, "rounds": rounds, "seconds": seconds, "quick": quick}
        json_file.write_text(json.dumps(document(timings, peers, settings), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
