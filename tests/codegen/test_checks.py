"""Checks in compiled code: which error, whose line, and nothing touched out of bounds."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracer import grad, jit, vmap

GUARDED = Path(__file__).with_name("guarded.py")
HERE = Path(__file__).name

X = np.arange(5.0)
FAR = (5, -6, 10**9, -(10**9), 2**63 - 1, -(2**63))


def line_of(error: BaseException, text: str) -> None:
    """The message begins with the place in this file where ``text`` stands."""
    head, shown, *_ = str(error).split("\n")
    found = re.match(r"(.+?):(\d+)\b", head)
    assert found
    place, number = found.groups()
    assert Path(place).name == HERE
    source = Path(__file__).read_text().splitlines()[int(number) - 1]
    assert text in source
    assert shown.strip() == source.strip()


@pytest.mark.parametrize("bad", FAR)
def test_index_error_begins_with_the_users_line(bad: int) -> None:
    def f(x: Any, i: Any) -> Any:
        y = x * 2
        return y[i]  # the gather

    compiled = jit(f)
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 5") as caught:
        compiled(X, bad)
    line_of(caught.value, "# the gather")
    assert compiled(X, 4) == 8.0
    assert compiled(X, -5) == 0.0


@pytest.mark.parametrize("bad", FAR)
@pytest.mark.parametrize("n", [1, 3, 40, 1000])
def test_one_bad_index_among_many(bad: int, n: int) -> None:
    compiled = jit(lambda x, i: np.sum(x[i]))
    good = np.random.default_rng(n).integers(-5, 5, n)
    np.testing.assert_allclose(compiled(X, good), np.sum(X[good]), rtol=1e-13)
    for place in {0, n // 2, n - 1}:
        where = good.copy()
        where[place] = bad
        with pytest.raises(IndexError):
            compiled(X, where)


def two_gathers(x: Any, i: Any, j: Any) -> Any:
    late = x + 1
    first = x[i]  # first in the program
    second = late[j]  # second in the program
    return second * first


def swapped_results(x: Any, i: Any, j: Any) -> Any:
    first = x[i]  # first in the program
    second = np.cumsum(x)[j]  # second in the program
    return second, np.sum(first), np.sin(second)


def unread(x: Any, i: Any, j: Any) -> Any:
    """Results that nobody reads are dropped, their checks are not."""
    x[i]  # first in the program
    x[j]  # second in the program
    return x


def far_apart(x: Any, i: Any, j: Any) -> Any:
    """Long enough to be cut into several functions."""
    s = x[i]  # first in the program
    for _ in range(3000):
        s = np.sin(s) * 1.5
    t = x[j]  # second in the program
    for _ in range(3000):
        t = np.sin(t) * 1.5
    return s + t


@pytest.mark.parametrize("f", [two_gathers, swapped_results, unread, far_apart])
def test_the_first_failing_check_wins(f: Any) -> None:
    compiled = jit(f)
    compiled(X, 1, 2)
    for i, j, which in ((7, 8, "first"), (7, 1, "first"), (1, 8, "second"), (-9, 99, "first")):
        with pytest.raises(IndexError) as caught:
            compiled(X, i, j)
        line_of(caught.value, f"# {which} in the program")


def test_which_check_fails_is_numpys_choice() -> None:
    """Nine gathers and a random set of bad ones: the line is that of NumPy's traceback."""
    sizes = range(3, 12)

    def f(x: Any, where: Any) -> Any:
        return sum(x[:n][where[n - 3]] for n in sizes)

    compiled = jit(f)
    rng = np.random.default_rng(0)
    x = np.arange(20.0)
    for _ in range(100):
        where = rng.integers(0, 6, 9)
        try:
            want = f(x, where)
        except IndexError as error:
            with pytest.raises(IndexError) as caught:
                compiled(x, where)
            size = str(error).rsplit(maxsplit=1)[-1]
            assert f"with size {size}.\n" in str(caught.value)
        else:
            assert compiled(x, where) == want


def test_checks_under_transforms() -> None:
    """The gradient and the batch check what the function checks, and name its line."""

    def f(x: Any, i: Any) -> Any:
        return np.sum(np.exp(x[i]))  # under transforms

    for transformed, good, bad in (
        (grad(f), np.array([0, 4]), np.array([0, 5])),
        (vmap(f, in_dims=(None, 0)), np.array([[0], [4]]), np.array([[0], [5]])),
        (vmap(grad(f), in_dims=(None, 0)), np.array([[0], [-5]]), np.array([[-6], [0]])),
    ):
        compiled = jit(transformed)
        np.testing.assert_allclose(compiled(X, good), transformed(X, good), rtol=1e-14)
        with pytest.raises(IndexError) as caught:
            compiled(X, bad)
        line_of(caught.value, "# under transforms")


def test_a_failed_call_leaves_the_next_one_alone() -> None:
    compiled = jit(lambda x, i: grad(lambda x: np.sum(x[i] ** 2))(x))
    for _ in range(3):
        with pytest.raises(IndexError):
            compiled(X, np.array([1, 9]))
        np.testing.assert_array_equal(compiled(X, np.array([1, 1])), [0, 4, 0, 0, 0])
    np.testing.assert_array_equal(X, np.arange(5.0))


def test_nothing_is_touched_beyond_an_array(figures: Any) -> None:
    """Gathers, slices, reductions, products beside forbidden pages, in a process of their own."""
    done = subprocess.run([sys.executable, GUARDED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 300
    figures.add("compiled calls beside forbidden pages", int(done.stdout))


def test_a_forbidden_page_ends_the_process() -> None:
    """What the test above would see."""
    done = subprocess.run([sys.executable, GUARDED, "beyond"], capture_output=True, check=False)
    assert done.returncode == -signal.SIGSEGV
    assert not done.stdout
