"""C as a peer: the sources in ``c``, compiled by gcc, called on results allocated beforehand.

It is timed twice: called by ctypes, as Python would call it, and by a loop in C, without the price
of that, which is longer than a short function.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tools.workloads import Array, Workload
from tools.workloads.peers import Bound, Peer, Tree, leaves

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC", "-std=gnu11")

WORDS = 12
"""Arguments of a C function, at most."""


def c_peer(threads: int) -> Peer:
    """Hand-written C; an ImportError where there is no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise ImportError("there is no gcc")
    told = subprocess.run([gcc, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return CPeer("c", f"gcc {told.stdout.strip()}", absent, library=build(gcc))


def build(gcc: str) -> ctypes.CDLL:
    """All sources as one library, loaded; its file is gone."""
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "peers.so"
        sources = sorted(map(str, SOURCES.glob("*.c")))
        subprocess.run([gcc, *FLAGS, "-o", str(made), *sources, "-lm"], check=True)
        return ctypes.CDLL(str(made))


def absent(workload: Workload) -> Any:
    raise NotImplementedError("C has functions of its own")


@dataclass(frozen=True)
class CPeer(Peer):
    """The C functions that workloads name."""

    library: Any = None

    def takes_part(self, workload: Workload) -> bool:
        return workload.c is not None

    def bind(self, workload: Workload, args: tuple[Tree, ...], like: Sequence[Array]) -> Bound:
        """The function on sizes, then pointers to arguments, then to results."""
        assert workload.c is not None
        arrays = leaves(args)
        made = [np.empty_like(x) for x in like]
        sizes = workload.c.sizes(*args)
        pointers = [x.ctypes.data for x in (*arrays, *made)]
        function = getattr(self.library, workload.c.name)
        function.restype = None
        given = [*map(ctypes.c_int64, sizes), *map(ctypes.c_void_p, pointers)]
        words = (ctypes.c_int64 * WORDS)(*sizes, *pointers)

        def loop(count: int) -> None:
            self.library.many(ctypes.c_int64(count), function, words)

        return Bound(partial(function, *given), lambda _: [*made, *arrays][: len(made)], loop=loop)
