"""Loops that are shared out to threads: the same bits whatever their number, and no surprises."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.codegen.workloads import WORKLOADS

from codegen.engine import pool_address
from codegen.pool import get_num_threads, set_num_threads
from codegen.target import host
from tracer import grad, jit, value_and_grad

RNG = np.random.default_rng(0)
PLACES = RNG.integers(-300, 300, 20_000)
LARGE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "sum": (lambda x: np.sum(np.sin(x) * x), (RNG.normal(size=100_003),)),
    "gradient": (grad(lambda x: np.sum(np.sin(x) * x)), (RNG.normal(size=100_003),)),
    "maximum": (lambda x: (np.max(np.exp(x)), np.min(x)), (RNG.normal(size=50_021),)),
    "product": (lambda x: np.prod(1 + 1e-5 * np.tanh(x)), (RNG.normal(size=50_021),)),
    "rows": (lambda x: np.exp(x).sum(axis=1), (RNG.normal(size=(1001, 60)),)),
    "columns": (lambda x: np.exp(x).sum(axis=0), (RNG.normal(size=(1001, 60)),)),
    "both": (
        value_and_grad(lambda w, x: np.mean(np.cos(x * w) ** 2)),
        (RNG.normal(size=70), RNG.normal(size=(2003, 70))),
    ),
    "places": (
        lambda x: (np.argmax(np.sin(x), axis=1), np.argmax(x)),
        (RNG.normal(size=(900, 70)),),
    ),
    "running": (lambda x: np.cumsum(np.exp(x), axis=1), (RNG.normal(size=(900, 70)),)),
    "integers": (lambda x: np.sum(x % 7), (RNG.integers(0, 1000, 200_001),)),
    "long rows": (
        lambda x: np.exp(x - np.exp(x).sum(axis=1, keepdims=True)),
        (RNG.normal(size=(40, 3000)) * 1e-3,),
    ),
    "scattered": (
        grad(lambda x: np.sum((x[PLACES] - 1) ** 2)), (RNG.normal(size=(300, 64)),),
    ),
    "two steps": (lambda x: np.exp(x), (RNG.normal(size=(2, 30_000)),)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the number of threads as it was."""
    before = get_num_threads()
    yield
    set_num_threads(before)


def bits(tree: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in (tree if isinstance(tree, tuple) else (tree,))]


@pytest.mark.parametrize("name", LARGE)
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    f, args = LARGE[name]
    jitted = jit(f)
    assert "share" in jitted.lower(*args).llvm
    seen = []
    for n in (1, 2, 4, 1, 3):
        set_num_threads(n)
        seen.append(bits(jitted(*args)))
    assert all(x == seen[0] for x in seen)
    want = f(*args)
    for x, y in zip(bits(want), seen[0], strict=True):
        dtype = np.int64 if name in ("places", "integers") else np.float64
        got, expected = np.frombuffer(y, dtype), np.frombuffer(x, dtype)
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


def test_small_work_stays_on_one_thread() -> None:
    assert "call void @tracer.share" not in jit(np.sin).lower(np.ones(1000)).llvm


def test_workloads_are_deterministic() -> None:
    """Calls with different numbers of threads give the same bits; the BLAS's own apart."""
    for w in WORKLOADS:
        f, args = jit(w.gradient), w.draw()
        if "contraction" in f.lower(*args).plan:
            continue
        set_num_threads(1)
        alone = f(*args)
        set_num_threads(4)
        together = f(*args)
        np.testing.assert_equal(together, alone)


def test_many_callers_at_once() -> None:
    """Whoever finds the pool busy computes alone, with the same result."""
    f, args = jit(LARGE["both"][0]), LARGE["both"][1]
    want = f(*args)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                np.testing.assert_equal(f(*args), want)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


FORK = """
import os, sys
import numpy as np
from tracer import jit
from codegen.pool import set_num_threads
set_num_threads(3)
f = jit(lambda x: np.sum(np.sin(x)))
x = np.arange(200_000.0)
want = f(x)
for _ in range(5):
    child = os.fork()
    if not child:
        g = jit(lambda x: np.sum(np.cos(x)))
        g(x)
        os._exit(0 if f(x) == want and f(x) == want else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert f(x) == want
"""


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | variables,
    )


def shared_out(blocks: int, run: Callable[[int], object]) -> None:
    """Have the pool run a function of Python on each block."""
    share = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    block = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(lambda _, n: run(n) and None)
    share(pool_address("share", host()))(ctypes.cast(block, ctypes.c_void_p), None, blocks)


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("blocks", [1, 2, 3, 7, 64, 1000])
def test_every_block_is_run_once(threads: int, blocks: int) -> None:
    set_num_threads(threads)
    for _ in range(20):
        found: list[int] = []
        shared_out(blocks, found.append)
        assert sorted(found) == [*range(blocks)]


def test_each_thread_begins_with_the_same_part_of_every_job() -> None:
    set_num_threads(2)
    here = threading.get_ident()
    for _ in range(5):
        first: dict[int, int] = {}
        both = threading.Barrier(2, timeout=60)

        def run(n: int, first: dict[int, int] = first, both: threading.Barrier = both) -> None:
            if threading.get_ident() not in first:
                first[threading.get_ident()] = n
                both.wait()

        shared_out(20, run)
        assert first.pop(here) == 0
        assert [*first.values()] == [10]


def test_a_forked_child_has_threads_of_its_own() -> None:
    done = run(FORK)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_environment_chooses() -> None:
    done = run(
        "from codegen.pool import get_num_threads; print(get_num_threads())",
        TRACER_NUM_THREADS="7",
    )
    assert done.stdout == "7\n"


def test_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 can"):
        set_num_threads(0)
