"""Calls of jitted functions under observation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from tracer.jit import Jitted


@contextmanager
def reaching_python() -> Iterator[list[int]]:
    """Notes each call of a jitted function that its native entries leave to Python."""
    flat, seen = Jitted.flat, []

    def noted(self: Any, args: Any, kwargs: Any) -> Any:
        seen.append(1)
        return flat(self, args, kwargs)

    with patch.object(Jitted, "flat", noted):
        yield seen


@contextmanager
def natively() -> Iterator[None]:
    """No call of a jitted function reaches Python in here."""
    with reaching_python() as seen:
        yield
    assert not seen


def assert_same(found: Any, expected: Any) -> None:
    """Equal to the last bit, of the same types all the way down."""
    if isinstance(found, np.generic) and type(expected) in (bool, int, float):
        expected = np.asarray(expected)[()]  # a traced number comes back as NumPy's
    assert type(found) is type(expected)
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    else:
        assert found == expected


def heavy(x: Any) -> Any:
    """Needs two temporaries of the size of ``x``, whose length decides where they lie."""
    return np.cumsum(np.sin(x))[::-1] * np.cumsum(np.cos(x))


def run_script(script: str, folder: Any = ".") -> None:
    """In a fresh process, which ends with code 0 and without a word."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "faulthandler", "-c", script],
        capture_output=True, text=True, check=False, timeout=60, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
