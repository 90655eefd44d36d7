"""Machine code as a resource: memory, threads, the end of the process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from codegen.engine import Compiled, compile_program
from tracer import grad, jit, trace

KIB = 1024
X = np.linspace(0.1, 2.0, 64)


def resident() -> int:
    """Bytes of memory that the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4 * KIB


def numbered(n: int) -> Callable[[Any], Any]:
    """A function like no other, whose value and gradient are easy to tell."""
    return lambda x: np.sum(np.sin(x) * float(n) + x**2)


def slope(n: int) -> Any:
    return np.cos(X) * n + 2 * X


def fresh(n: int) -> Compiled:
    return compile_program(trace(grad(numbered(n)), "f64[64]"))


def test_each_part_of_a_compilation_is_timed() -> None:
    """Disjoint parts, in their order: together they take no longer than the whole."""
    start = perf_counter()
    compiled = fresh(0)
    whole = perf_counter() - start
    assert list(compiled.timings) == ["passes", "plan", "emit", "optimise", "codegen", "link"]
    assert all(seconds > 0 for seconds in compiled.timings.values())
    assert sum(compiled.timings.values()) <= whole


# Memory.


def test_dropped_code_gives_its_memory_back(figures: Any) -> None:
    """Of 200 compiled programs none stays, and each costs a few KiB at most."""
    dropped = []
    for n in range(64):
        fresh(n)(X)
    before = resident()
    for n in range(200):
        compiled = fresh(n)
        compiled(X)
        dropped.append(weakref.ref(compiled))
        del compiled
    growth = resident() - before
    assert not any(compiled() for compiled in dropped)
    assert growth / 200 < 16 * KIB
    figures.add("compiled functions dropped, all gone", 200)


CYCLES = """
import gc, os
import numpy as np
from tracer import grad, jit

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def cycles(count):
    for n in range(count):
        jit(grad(lambda x: np.sum(np.sin(x) * n)))(x)
    gc.collect()
    return resident()

x = np.ones(100)
before = cycles(500)
print((cycles(500) - before) / 500)
"""


def test_a_cycle_of_compiling_and_dropping_costs_a_kib_at_most() -> None:
    """In a process of its own, once its caches are full."""
    command = [sys.executable, "-c", CYCLES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) <= KIB


def test_a_dropped_jitted_function_gives_its_code_back() -> None:
    def used(n: int) -> Any:
        jitted = jit(grad(numbered(n)))
        jitted(X)
        (variant,) = jitted.variants
        return weakref.ref(jitted), weakref.ref(variant.compiled)

    made = [used(n) for n in range(5)]
    gc.collect()
    assert all(ref() is None for pair in made for ref in pair)


def test_code_lives_as_long_as_it_can_be_called() -> None:
    """A generation of libraries is closed when the last one goes, whatever the order."""
    made = [fresh(n) for n in range(40)]
    rng = np.random.default_rng(0)
    kept = {n: made[n] for n in rng.permutation(40)[:5].tolist()}
    del made
    gc.collect()
    for n, compiled in kept.items():
        np.testing.assert_allclose(compiled(X)[0], slope(n), rtol=1e-13)


def test_calls_leak_nothing(figures: Any) -> None:
    """After 100,000 calls the process is no larger, and no argument is held."""
    jitted = jit(lambda x, y: (x * y, np.sum(x), x.T))
    x, y = np.ones((4, 4)), np.ones(4)
    strided = np.ones((4, 8))[:, ::2]
    for _ in range(2000):
        jitted(x, y)
        jitted(strided, y)
    counts = [sys.getrefcount(a) for a in (x, y, strided)]
    before = resident()
    for _ in range(50_000):
        jitted(x, y)
        jitted(strided, y)
    growth = resident() - before
    assert [sys.getrefcount(a) for a in (x, y, strided)] == counts
    assert growth < 512 * KIB
    figures.add("calls after which no memory was missing", 100_000)


def test_failed_calls_leak_nothing() -> None:
    jitted = jit(lambda x, i: x[i] * 2)
    x, bad, good = np.ones(1000), np.array([1000]), np.array([999])

    def fail() -> None:
        with pytest.raises(IndexError):
            jitted(x, bad)

    for _ in range(200):
        fail()
    before, counts = resident(), sys.getrefcount(x)
    for _ in range(2000):
        fail()
    assert jitted(x, good) == 2
    assert sys.getrefcount(x) == counts
    assert resident() - before < 512 * KIB


# Threads.


def in_threads(work: Callable[[int], None], count: int = 8) -> None:
    """The work in threads that start together and switch often; the first error is raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(n: int) -> None:
        start.wait()
        try:
            work(n)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


def test_threads_compile_and_call_at_once(figures: Any) -> None:
    """Each thread makes its own functions, runs them, and drops them."""

    def work(thread: int) -> None:
        for n in range(thread, thread + 5):
            jitted = jit(grad(numbered(n)))
            for _ in range(20):
                np.testing.assert_allclose(jitted(X), slope(n), rtol=1e-13)

    in_threads(work)
    figures.add("calls from eight threads, all right", 8 * 5 * 20)


def test_one_function_called_from_threads(figures: Any) -> None:
    """All come at once, the first call too; each sees the results of its own arguments."""
    jitted = jit(lambda x: (np.cumsum(x)[::-1] * 2, np.sum(x, keepdims=True), x @ x))

    def work(thread: int) -> None:
        for n in range(100):
            x = np.full(50 + n % 3, float(thread * 100 + n))
            running, total, square = jitted(x)
            np.testing.assert_array_equal(running, np.cumsum(x)[::-1] * 2)
            np.testing.assert_array_equal(total, [np.sum(x)])
            np.testing.assert_allclose(square, x @ x, rtol=1e-13)

    in_threads(work)
    figures.add("calls from eight threads, all right", 8 * 100)
    assert len(jitted.variants) == 3


def test_dropped_while_other_threads_run() -> None:
    """Code that is being run is not unloaded, though nothing else holds it."""
    box = [fresh(0)]

    def work(thread: int) -> None:
        for _ in range(40):
            if thread == 0:
                box[0] = fresh(0)
            elif thread == 1:
                gc.collect(0)
            else:
                np.testing.assert_allclose(box[0](X)[0], slope(0), rtol=1e-13)

    in_threads(work)


# The end of the process.

ENDINGS = {
    "global": "kept = f",
    "in a cycle": "cycle = [f]; cycle.append(cycle)",
    "in another module": "np.kept = f; del f",
    "in ctypes": "import ctypes; ctypes.kept = f; del f",
    "in sys": "sys.kept = f; del f",
    "in llvmlite": "import llvmlite.binding as b; b.ffi.kept = f; del f",
    "called at exit": "import atexit; atexit.register(f, x); del f",
    "compiled at exit": "import atexit; atexit.register(lambda: jit(np.cos)(x))",
    "in a running thread": (
        "import threading, time\n"
        "def run():\n    while True: f(x)\n"
        "threading.Thread(target=run, daemon=True).start(); time.sleep(0.05)"
    ),
    "after a fork": (
        "import os\npid = os.fork()\n"
        "if pid == 0:\n    f(x); jit(np.cos)(x); os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7"
    ),
}

SCRIPT = """
import sys
import numpy as np
from tracer import jit
x = np.ones(100)
f = jit(lambda x: np.sum(np.sin(x)) * np.ones(10))
f(x)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_process_ends_quietly(ending: str) -> None:
    """Exit code 0 and not a word, wherever a compiled function is held."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT + ENDINGS[ending]]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # Python warns of forks with more
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=one_thread
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
