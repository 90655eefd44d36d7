"""Agreement, calls in turns, first calls by part, memory, and the start of a process."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from tools.workloads import Array, Workload
from tools.workloads.peers import Bound, Peer, leaves, mapped

CLOCK = time.perf_counter
SETTLE = 0.03
"""Seconds between turns: idle threads of OpenBLAS and OpenMP spin that long before they sleep."""

ALONE = "alone"
"""What is added to the name of a library that is timed without Python's calls."""

FRESH = 11
"""First calls of each library that are timed, in turns, each of a function made anew; one if turns
take no time."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""What passes, and what is worked, by all threads together: on a busy machine, where one thread is
compared, the second says more."""


@dataclass(frozen=True)
class Pace:
    """How many rounds, how long a turn in them is to be, and by which clock."""

    rounds: int
    seconds: float
    clock: str = "wall"

    def mean(self, call: Callable[[], Any], count: int) -> float:
        """Seconds of a call, of so many."""
        now = CLOCKS[self.clock]
        started = now()
        for _ in repeat(None, count):
            call()
        return (now() - started) / count

    def repeats(self, bound: Bound) -> int:
        """How many calls fill a turn."""
        bound.run()
        return max(1, math.ceil(self.seconds / max(self.mean(bound.run, 3), 1e-9)))

    def turn(self, bound: Bound, count: int) -> float:
        """Seconds of a call, after a pause and a call that is not timed."""
        time.sleep(SETTLE if self.seconds else 0.0)
        bound.run()
        took = self.mean(bound.run, count)
        if bound.idle is not None:
            took -= self.mean(bound.idle, min(count, 10_000))
        return max(took, 1e-9)

    def looped(self, loop: Callable[[int], None], count: int) -> float:
        """Seconds of a call, of many that are not made from Python."""
        return max(self.mean(partial(loop, count), 1) / count, 1e-9)


WARM = Workload("warm-up", lambda xp, x: xp.sum(xp.exp(x)), lambda rng, scale: (np.ones(3),))


@dataclass
class Line:
    """What was measured of one workload."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of a call, by library and turn."""

    ratios: dict[str, list[float]] = field(default_factory=dict)
    """Of another library's turns and of this one's beside them."""

    first: dict[str, dict[str, float]] = field(default_factory=dict)
    """Seconds of the first call: the whole, and its parts, scaled to the clock's whole."""

    memory: dict[str, int] = field(default_factory=dict)
    """Bytes: arguments, results, and what is needed besides, here and in JAX."""

    def call(self, peer: str) -> float:
        return statistics.median(self.seconds[peer])

    def ratio(self, peer: str) -> float:
        return statistics.median(self.ratios[peer])


def warm_up(peers: Sequence[Peer]) -> None:
    """Let each library pay what only the first of all its calls costs."""
    for peer in peers:
        if peer.compiles:
            peer.waiting(partial(peer.derived(WARM), peer.give(np.ones(3))))()


# --- calls ------------------------------------------------------------------------------------


def compare(workload: Workload, peers: Sequence[Peer], scale: float, pace: Pace) -> Line:
    """First calls, agreement, then rounds in which each other library is timed beside ours."""
    ours, *others = [peer for peer in peers if peer.takes_part(workload)]
    args = workload.make(np.random.default_rng(0), scale)
    line = Line(workload.name)
    mine = ours.bind(workload, args, [])
    want = ours.results(mine.run())
    bounds = {peer.name: peer.bind(workload, args, want) for peer in others}
    line.first = first_calls((ours, *others), workload, args, pace)
    line.memory = memory(leaves(args), want, mine, bounds.get("jax"))
    for peer in others:
        found = bounds[peer.name].results(bounds[peer.name].run())
        if not peer.value_only:
            agree(workload, peer.name, found, want)
    in_turns(line, ours.name, mine, bounds, pace)
    return line


def agree(workload: Workload, peer: str, results: list[Array], wanted: list[Array]) -> None:
    """Refuse to time libraries that compute different numbers."""
    for found, want in zip(results, wanted, strict=True):
        np.testing.assert_allclose(
            found,
            want,
            rtol=workload.rtol,
            atol=workload.rtol * float(np.max(np.abs(want))),
            err_msg=f"{workload.name}: {peer} and tracer",
        )


def in_turns(line: Line, name: str, mine: Bound, others: dict[str, Bound], pace: Pace) -> None:
    """Each other library's turn has one of ours right before or after it."""
    counts = {peer: pace.repeats(b) for peer, b in ({name: mine} | others).items()}
    for n in range(pace.rounds):
        if not others:
            line.seconds.setdefault(name, []).append(pace.turn(mine, counts[name]))
        for peer, bound in others.items():
            pair = {name: mine, peer: bound}
            order = list(pair) if n % 2 else [*pair][::-1]
            took = {who: pace.turn(pair[who], counts[who]) for who in order}
            if bound.loop is not None:
                took[f"{peer} {ALONE}"] = pace.looped(bound.loop, counts[peer])
            for who, time_of_call in took.items():
                line.seconds.setdefault(who, []).append(time_of_call)
                if who != name:
                    line.ratios.setdefault(who, []).append(time_of_call / took[name])


# --- first calls, memory ----------------------------------------------------------------------


def first_calls(
    peers: Sequence[Peer], workload: Workload, args: tuple[Any, ...], pace: Pace
) -> dict[str, dict[str, float]]:
    """For each library that compiles, of its first calls, made in turns, the one of median time.

    A turn begins with one that is not timed, as turns of calls do.
    """
    compilers = [peer for peer in peers if peer.compiles]
    found: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in compilers}
    for _ in range(FRESH if pace.seconds else 1):
        for peer in compilers:
            took = [first_call(peer, workload, args, pace) for _ in range(2 if pace.seconds else 1)]
            found[peer.name].append(took[-1])
    return {
        name: sorted(calls, key=lambda parts: parts["whole"])[len(calls) // 2]
        for name, calls in found.items()
    }


def first_call(
    peer: Peer, workload: Workload, args: tuple[Any, ...], pace: Pace
) -> dict[str, float]:
    """Seconds of the first call of a fresh function, and of its parts if it is ours: nothing that
    was derived of an equal function is there to be found."""
    given = tuple([mapped(peer.give, x) for x in args])
    function, parts = peer.derived(workload), {}
    if peer.forget is not None:
        peer.forget()
    started, worked = CLOCK(), CLOCKS[pace.clock]()
    if peer.name == "tracer":
        parts = called_by_part(function, given)
    else:
        peer.waiting(partial(function, *given))()
    took, work = CLOCK() - started, CLOCKS[pace.clock]() - worked
    return {"whole": work, **{name: x * work / took for name, x in parts.items()}}


def called_by_part(function: Any, given: tuple[Any, ...]) -> dict[str, float]:
    """Our first call; tracing is what is neither part of the compilation nor the run."""
    started = CLOCK()
    compiled = function.lower(*given).compiled
    lowered = CLOCK()
    function(*given)
    parts = dict(compiled.timings)
    trace = lowered - started - sum(parts.values())
    return {"trace": trace, **parts, "run": CLOCK() - lowered}


def memory(
    arguments: Sequence[Array], results: Sequence[Array], mine: Bound, jax: Bound | None
) -> dict[str, int]:
    """Bytes of arguments and results, and of what each needs besides at its peak."""
    found = {
        "arguments": sum(x.nbytes for x in arguments),
        "results": sum(x.nbytes for x in results),
        "tracer": mine.function.lower(*mine.given).compiled.workspace,
    }
    if jax is not None:
        analysed = jax.function.lower(*jax.given).compile().memory_analysis()
        found["jax"] = analysed.temp_size_in_bytes
    return found


# --- a fresh process --------------------------------------------------------------------------

IMPORT = "from time import {clock} as now; t = now(); import {lib}; print(now() - t)"
GRADIENT = {
    "tracer": """
import numpy as np
from tracer import grad, jit
jit(grad(lambda x: np.sum(np.sin(x) ** 2)))(np.ones(10))
""",
    "jax": """
import jax
import jax.numpy as np
jax.config.update("jax_enable_x64", True)
jax.jit(jax.grad(lambda x: np.sum(np.sin(x) ** 2)))(np.ones(10)).block_until_ready()
""",
}


@dataclass
class Start:
    """Seconds of importing a library, and of a process that compiles and runs one gradient."""

    library: str
    imported: float
    gradient: float


def start(library: str, runs: int, clock: str) -> Start:
    """Medians over processes, after one that is not timed."""
    fresh_process(GRADIENT[library])
    importing = IMPORT.format(lib=library, clock=CLOCKS[clock].__name__)
    imported = [float(fresh_process(importing)) for _ in range(runs)]
    now = {"wall": CLOCK, "cpu": work_of_children}[clock]
    took = []
    for _ in range(runs):
        started = now()
        fresh_process(GRADIENT[library])
        took.append(now() - started)
    return Start(library, statistics.median(imported), statistics.median(took))


def work_of_children() -> float:
    """Seconds that processes which have ended have worked."""
    found = os.times()
    return found.children_user + found.children_system


def fresh_process(code: str) -> str:
    """What the code prints; modules are compiled to bytecode once, as where they are installed."""
    around = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=around)
    return done.stdout


# --- all of it --------------------------------------------------------------------------------


@dataclass
class Figures:
    """One run of the benchmark, as it is written to JSON."""

    settings: dict[str, Any]
    versions: dict[str, str]
    """Of libraries, this one first, and of Python and NumPy."""

    machine: str
    lines: list[Line]
    starts: list[Start]

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Figures:
        lines = [Line(**line) for line in document["lines"]]
        starts = [Start(**one) for one in document["starts"]]
        return cls(**{**document, "lines": lines, "starts": starts})
