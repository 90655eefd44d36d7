"""Calls from several threads: kernels that let go of the interpreter, and what they hold."""

from __future__ import annotations

import gc
import sys
import threading
from itertools import repeat
from typing import Any

import numpy as np
import pytest
from tests.codegen.calls import heavy
from tests.codegen.test_engine import in_threads

from tracer import jit


def test_long_calls_let_other_threads_run() -> None:
    """With no switch by the clock, another thread runs only while a kernel has let go."""
    jitted = jit(heavy)
    long, short = np.linspace(0.0, 1.0, 200_000), np.linspace(0.0, 1.0, 100)
    for x in (long, short):
        jitted(x)
    releases = [v.compiled.signature.release for v in jitted.variants]
    assert releases == [True, False]

    def seen_during(x: Any, calls: int) -> bool:
        go, seen = threading.Lock(), []
        go.acquire()

        def wait() -> None:
            with go:
                seen.append(None)

        thread = threading.Thread(target=wait)
        thread.start()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1000)
        try:
            go.release()
            for _ in repeat(None, calls):
                jitted(x)
                if seen:
                    break
            return bool(seen)
        finally:
            sys.setswitchinterval(interval)
            thread.join()

    assert seen_during(long, 2000)
    assert not seen_during(short, 2000)


def test_threads_in_long_calls_of_one_function(figures: Any) -> None:
    """Different signatures, one workspace kept for each, others compiled and dropped meanwhile."""
    jitted = jit(lambda tree: (heavy(tree["x"]) * tree["n"], tree["x"]))
    sizes = (20_000, 20_001, 30_000)
    expected = {n: heavy(np.linspace(0.0, 1.0, n)) for n in sizes}

    def work(thread: int) -> None:
        if thread >= 6:
            for n in range(6):
                dropped = jit(lambda x: heavy(x) + float(thread + n))  # noqa: B023
                for x in (np.ones(30), np.ones(5000)):
                    np.testing.assert_allclose(dropped(x), heavy(x) + (thread + n), rtol=1e-12)
                jitted({"x": np.ones(40 + thread + 10 * n), "n": 1})
            return
        n = sizes[thread % 3]
        x = np.linspace(0.0, 1.0, n)
        for k in range(40):
            result, same = jitted({"x": x, "n": thread + k + 2})
            np.testing.assert_allclose(result, expected[n] * (thread + k + 2), rtol=1e-9)
            assert np.array_equal(same, x)
            figures.add("long calls from eight threads, all right")

    in_threads(work)
    assert len(jitted.variants) == 3 + 12
    assert all(v.compiled.signature.release for v in list(jitted.variants)[:1])


@pytest.mark.parametrize("part", ["array", "number"])
def test_containers_changed_during_a_long_call(part: str, figures: Any) -> None:
    """What another thread takes out of a container dies only after the call that reads it."""
    size, calls = 100_000, 60
    jitted = jit(lambda d: heavy(d["x"]) * d["more"][0])  # the number is read last
    values, numbers = ((1.0, 2.0, 3.0), (1.5,)) if part == "array" else ((1.0,), (10.5, 1e3, 1e6))
    d = {"x": np.full(size, 1.0), "more": [float(str(numbers[0]))]}
    jitted(d)
    (variant,) = jitted.variants
    assert variant.compiled.signature.release
    allowed = [heavy(np.full(size, v)) * n for v in values for n in numbers]
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for v in values if part == "array" else ():
                d["x"] = np.full(size, v)
            for n in numbers if part == "number" else ():
                d["more"][0] = float(str(n))
                [n + 0.25 + k for k in range(50)]  # would lie where the number was

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        for _ in range(calls):
            found = jitted(d)
            assert any(np.allclose(found, x, rtol=1e-9, atol=0) for x in allowed)
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    figures.add("long calls with containers changed meanwhile, all right", calls)


def test_arguments_dropped_during_a_long_call() -> None:
    """The caller's own name goes while its call computes; the call still holds the arrays."""
    jitted = jit(lambda x, scale: np.exp(np.sin(x)) * scale)
    size = 100_000
    jitted(np.ones(size), 1.0)
    box: dict[int, Any] = {}

    def work(thread: int) -> None:
        for n in range(60):
            if thread % 2:
                box.clear()
                continue
            box[thread] = np.full(size, float(thread + n)), float(str(n + 0.5))
            given = box.pop(thread, None)
            if given is not None:
                found = jitted(*given)
                del given
                expected = np.exp(np.sin(float(thread + n))) * (n + 0.5)
                np.testing.assert_allclose(found[[0, -1]], expected, rtol=1e-12)

    in_threads(work)


def test_a_function_dropped_by_another_thread_while_it_runs() -> None:
    x = np.linspace(0.0, 1.0, 50_000)
    expected = heavy(x)
    box = [jit(heavy)]

    def work(thread: int) -> None:
        for _ in range(15):
            if thread < 2:
                fresh = jit(heavy)
                fresh(x)
                box[0] = fresh
                del fresh
                gc.collect(0)
            else:
                np.testing.assert_allclose(box[0](x), expected, rtol=1e-9)

    in_threads(work)


def test_checks_that_fail_in_several_threads() -> None:
    jitted = jit(lambda x, at: heavy(x)[at])
    x = np.linspace(0.0, 1.0, 20_000)
    expected = heavy(x)[7]
    jitted(x, np.array([0]))

    def work(thread: int) -> None:
        for n in range(20):
            if (thread + n) % 2:
                with pytest.raises(IndexError, match="out of bounds"):
                    jitted(x, np.array([20_000 + thread]))
            else:
                np.testing.assert_allclose(jitted(x, np.array([7])), [expected], rtol=1e-9)

    in_threads(work)
