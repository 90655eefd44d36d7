"""How long gradients take, beside other libraries that are installed and hand-written C.

All run the same functions on the same numbers in one process, in turns, on the same number of
threads, after their results have been found to agree. A ratio is the median over rounds of another
library's turn and one of ours right beside it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from tools.workloads.measure import Figures, Pace
    from tools.workloads.peers import Peer

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TRACER_NUM_THREADS",
    "NPROC",  # XLA's
)
SPIN = "GOMP_SPINCOUNT", "20000"
"""How long idle threads of OpenMP spin: beyond, they take time from the next library's turn."""

QUICK = 0.01
ROOT = Path(__file__).resolve().parents[1]
EVERYONE = "jax,torch,autograd,numpy,c"


def limit_threads(threads: int) -> None:
    """As many threads for every library; before any of them is loaded, or it is too late."""
    for name in VARIABLES:
        os.environ[name] = str(threads)
    os.environ.setdefault(*SPIN)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The model's name, or at least the architecture's."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()} ({len(names) or os.cpu_count()} cores)"


def installed(names: Sequence[str], threads: int, console: Console) -> list[Peer]:
    """This library, then those of the names that can be imported."""
    from tools.workloads.peers import tracer_peer
    from tools.workloads.registry import PEERS

    found = [tracer_peer(threads)]
    for name in names:
        if name not in PEERS:
            raise typer.BadParameter(f"there is no {name!r}; there are {', '.join(PEERS)}")
        try:
            found.append(PEERS[name](threads))
        except ImportError as error:
            console.print(f"{name} is not installed ({error})")
    return found


def measured(
    peers: list[Peer], only: Sequence[str], threads: int, pace: Pace, quick: bool
) -> Figures:
    """Every workload whose name holds the text, and fresh processes."""
    import numpy as np

    from tools.workloads.measure import GRADIENT, Figures, compare, start, warm_up
    from tools.workloads.registry import WORKLOADS

    chosen = [w for name, w in WORKLOADS.items() if any(text in name for text in only)]
    if not chosen:
        raise typer.BadParameter(
            f"no workload's name holds {' or '.join(only)}: {', '.join(WORKLOADS)}"
        )
    scale = QUICK if quick else 1.0
    warm_up(peers)
    told = Console(stderr=True)
    lines = [
        compare(workload, peers, scale, pace)
        for workload in track(chosen, "timing", console=told, transient=True)
    ]
    runs = 1 if quick else 5
    starts = [start(peer.name, runs, pace.clock) for peer in peers if peer.name in GRADIENT]
    settings = {"threads": threads, **asdict(pace), "quick": quick}
    versions = {peer.name: peer.version for peer in peers}
    versions |= {"Python": platform.python_version(), "NumPy": np.__version__}
    return Figures(settings, versions, processor(), lines, starts)


def show(figures: Figures, console: Console) -> None:
    from tools.workloads.report import GRIDS, conditions, summary

    for grid in GRIDS.values():
        console.print(grid(figures).rich())
    for said in summary(figures):
        console.print(said)
    console.print(f"{conditions(figures)} All results agreed.")


def main(
    vs: Annotated[str, typer.Option(help="peers, of jax,torch,autograd,numpy,c")] = EVERYONE,
    only: Annotated[
        list[str] | None, typer.Option(help="workloads whose name holds this, or another such text")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="for every peer; 0: all cores")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="timed turns beside each peer")] = 9,
    seconds: Annotated[float, typer.Option(min=0, help="length of one turn")] = 0.05,
    clock: Annotated[str, typer.Option(help="wall, or cpu: the work of all threads")] = "wall",
    quick: Annotated[bool, typer.Option(help="a hundredth of the sizes: a check, no figures")] = (
        False
    ),
    json_file: Annotated[Path | None, typer.Option("--json", help="write the figures there")] = (
        None
    ),
    chart_file: Annotated[Path | None, typer.Option("--chart", help="draw them there (PNG)")] = (
        None
    ),
    read: Annotated[Path | None, typer.Option(help="take the figures of such a JSON file")] = None,
    markdown: Annotated[
        list[Path] | None, typer.Option(help="pages whose tables are to be replaced")
    ] = None,
) -> None:
    """How long gradients take, beside other libraries that are installed and hand-written C."""
    threads = threads or cores()
    limit_threads(threads)
    sys.path.insert(0, str(ROOT))  # run as a file, or imported
    from tools.workloads.measure import CLOCKS, Figures, Pace
    from tools.workloads.report import chart, update

    if clock not in CLOCKS:
        raise typer.BadParameter(f"there is no clock {clock!r}; there are {', '.join(CLOCKS)}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    if read is not None:
        figures = Figures.read(json.loads(read.read_text()))
    else:
        peers = installed([name for name in vs.split(",") if name], threads, console)
        figures = measured(peers, only or [""], threads, Pace(rounds, seconds, clock), quick)
    show(figures, console)
    if json_file is not None:
        json_file.write_text(json.dumps(figures.document(), indent=1) + "\n")
    if chart_file is not None:
        chart(figures, chart_file)
    for page in markdown or ():
        update(page, figures)


if __name__ == "__main__":
    typer.run(main)
