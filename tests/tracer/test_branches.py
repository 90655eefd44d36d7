"""Plain Python that branches on values, compiled: equal to Python, and native once seen."""

from __future__ import annotations

import gc
import resource
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracer
from tracer import grad, hessian, jacfwd, jit, jvp, trace, value_and_grad, vjp, vmap
from tracer.errors import ConcretizationError, TracerWarning
from tracer.stack import STACK

Inputs = Callable[[np.random.Generator], tuple[Any, ...]]


def piecewise(x: Any) -> Any:
    if x < -1.0:
        return -2.0 * x - 1.0
    if x < 0.0:
        return x * x
    if x < 1.0:
        return np.sin(x)
    return np.log(x) + np.sin(1.0)


def huber(r: Any) -> Any:
    total = 0.0
    for i in range(3):
        size = abs(r[i])
        if size <= 1.0:
            total = total + 0.5 * size**2
            continue
        total = total + size - 0.5
    return total


def barrier(path: Any, strike: Any) -> Any:
    """A knock-out call on a path of prices."""
    if np.max(path) > 1.8:
        return 0.0 * strike
    if path[-1] <= strike:
        return 0.0 * strike
    return path[-1] - strike


def masked(x: Any) -> Any:
    keep = x > 0.1
    if not np.any(keep):
        return np.sum(x**2)
    return np.sum(np.log(x[keep]) ** 2) + np.mean(x[keep] * x[keep])


def repeated(x: Any, n: Any) -> Any:
    for _ in range(int(n)):
        x = np.sin(x) + 0.5 * x
    return x


def switched(x: Any, mode: Any) -> Any:
    if mode == 0:
        return np.sum(x)
    if mode == 1:
        return np.sum(x**2)
    return np.sum(np.exp(x)) if mode == 2 else np.max(x)


def rooted(x: Any) -> Any:
    """Newton's iteration to a tolerance: a few steps, as many as it needs."""
    y = x
    while abs(y * y - x) > 1e-9 * x:
        y = 0.5 * (y + x / y)
    return y


def recursive(x: Any) -> Any:
    return x if x < 1.0 else 2.0 * recursive(x / 2.0 - 0.1)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Inputs]] = {
    "early returns": (piecewise, lambda r: (r.uniform(-3, 3),)),
    "huber": (huber, lambda r: (r.normal(size=3) * 1.5,)),
    "barrier option": (barrier, lambda r: (np.exp(r.normal(size=5) * 0.4), r.uniform(0.5, 1.5))),
    "boolean masks": (masked, lambda r: (r.normal(size=8),)),
    "range(int(n))": (repeated, lambda r: (r.normal(), float(r.integers(0, 9)))),
    "mode switch": (switched, lambda r: (r.normal(size=4), int(r.integers(0, 4)))),
    "while to a tolerance": (rooted, lambda r: (r.uniform(0.5, 4.0),)),
    "recursion": (recursive, lambda r: (r.uniform(0.0, 30.0),)),
}


def counting(jitted: Any) -> list[int]:
    """Counts the calls of a jitted function that reach Python."""
    calls = [0]
    python = jitted.fallback

    def fallback(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        return python(*args, **kwargs)

    jitted.fallback = fallback
    return calls


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_thousand_inputs(name: str, figures: Any) -> None:
    """As plain Python to rounding; after 50 calls at least 99 % never see Python again."""
    func, inputs = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    value, slope = jit(func), jit(grad(func))
    reached = counting(value), counting(slope)
    before = [0, 0]
    for n in range(1050):
        args = inputs(rng)
        np.testing.assert_allclose(value(*args), func(*args), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(slope(*args), grad(func)(*args), rtol=1e-12, atol=1e-12)
        if n == 49:
            before = [calls[0] for calls in reached]
    for calls, warm in zip(reached, before, strict=True):
        assert calls[0] - warm <= 10
    figures.add("calls of branching functions, as plain Python", 2 * 1050)


def test_figures_of_gradients_by_differences() -> None:
    rng = np.random.default_rng(2)
    for func, inputs in FUNCTIONS.values():
        slope = jit(grad(func))
        for _ in range(20):
            x, *rest = inputs(rng)
            direction = rng.normal(size=np.shape(x))
            step = 1e-6
            up, down = func(x + step * direction, *rest), func(x - step * direction, *rest)
            if abs(up - func(x, *rest)) > 1e-3:
                continue  # over a jump
            found = np.sum(slope(x, *rest) * direction)
            np.testing.assert_allclose(found, (up - down) / (2 * step), rtol=1e-4, atol=1e-5)


def test_nested_transforms_keep_the_guards() -> None:
    def f(x: Any) -> Any:
        return np.sum(x**3) if x[0] > 0 else np.sum(x**2)

    up, down = np.array([1.0, 2.0]), np.array([-1.0, 2.0])
    for made in (
        lambda f: jit(grad(jit(f))),
        lambda f: jit(lambda v: vjp(f, v)[1](1.0)[0]),
        lambda f: jit(lambda v: value_and_grad(f)(v)[1]),
        lambda f: jit(lambda v: jvp(f, (v,), (np.ones(2),))[1]),
        lambda f: jit(jacfwd(f)),
        lambda f: jit(hessian(f)),
        lambda f: jit(grad(lambda v: np.sum(grad(f)(v) ** 2))),
    ):
        jitted, plain = made(f), made(f).func
        for x in (up, down, up, down):
            np.testing.assert_allclose(jitted(x), plain(x), rtol=1e-14)
        assert len(jitted.variants) == 2
    assert grad(jit(f))(down).tolist() == [-2.0, 4.0]


def test_guards_are_in_the_program() -> None:
    text = str(trace(grad(lambda x: x**2 if x > 1.0 else x), 3.0))
    assert text.count("guard %") == 1
    assert "guard[expected=False]" in str(trace(lambda x: x if x > 1.0 else -x, 0.5))


def test_a_guard_whose_answer_decides_an_exception() -> None:
    @jit
    def f(x: Any) -> Any:
        try:
            return grad(positive)(x)
        except ValueError:
            return x

    def positive(x: Any) -> Any:
        if x < 0:
            raise ValueError("negative")
        return x**2

    assert [float(f(x)) for x in (3.0, -1.0, 2.0, -2.0)] == [6.0, -1.0, 4.0, -2.0]


def test_every_question() -> None:
    @jit
    def f(x: Any, i: Any, flag: Any) -> Any:
        told = float(x[0]), int(x[1]), bool(x[2] > 0), x[3:].tolist(), x[0].item(), f"{x[1]:.1f}"
        places = [int(n) for n in np.nonzero(x > 0)[0]]
        row = x[i] if flag else -x[i]
        return row + told[0] + told[1] + sum(told[3]) + len(places) + len(told[5]) + float(told[2])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rng = np.random.default_rng(0)
        for _ in range(20):
            x, i, flag = rng.normal(size=5) * 10, int(rng.integers(-5, 5)), bool(rng.integers(2))
            assert f(x, i, flag) == f.func(x, i, flag)


def test_floats_are_told_apart_by_their_bits() -> None:
    @jit
    def f(x: Any) -> Any:
        return x + (1.0 if np.copysign(1.0, float(x)) > 0 else -1.0)

    for x in (0.0, -0.0, 0.0, -0.0, np.nan, np.nan, -0.0):
        np.testing.assert_array_equal(f(x), f.func(x))
    assert len(f.variants) == 3


def test_rounding_never_makes_it_trace_again() -> None:
    """The sum that is compared with NumPy's own sum of the same numbers."""

    @jit
    def f(x: Any, level: Any) -> Any:
        return np.sum(x) * 2.0 if np.sum(x) > level else np.sum(x) * 2.0 + 1e-300

    rng = np.random.default_rng(3)
    for _ in range(1000):
        x = rng.normal(size=257)
        np.testing.assert_allclose(f(x, np.sum(x)), 2 * np.sum(x), rtol=1e-12)
    assert len(f.variants) <= 2

    @jit
    def g(x: Any) -> Any:
        return x[0] * float(np.sum(x))

    with pytest.warns(TracerWarning, match="has taken 32 paths"):
        for _ in range(100):
            x = rng.normal(size=257)
            np.testing.assert_allclose(g(x), g.func(x), rtol=1e-12)


def test_contracted_products_decide_as_numpy_does() -> None:
    @jit
    def f(x: Any, y: Any, z: Any) -> Any:
        return x if x * y - z * y == 0.0 else -x

    rng = np.random.default_rng(4)
    reached = counting(f)
    for x, y in rng.normal(size=(1000, 2)):
        assert f(x, y, x) == x
    assert len(f.variants) == 1
    assert reached[0] == 0


def test_a_guarded_index_never_reads_out_of_bounds() -> None:
    @jit
    def f(x: Any, i: Any) -> Any:
        if i < len(x):
            return np.take(x, i)
        return 0.0 * x[0] - 1.0

    x = np.arange(4.0)
    for i in (0, 3, 4, 2**40, 3, 4, 0):
        assert f(x, i) == (x[i] if i < 4 else -1.0)


def test_two_paths_in_turn_cost_nothing() -> None:
    """10,000 calls: nothing traced after the first two, and no memory taken."""

    @jit
    def f(x: Any) -> Any:
        return np.sum(x) if x[0] > 0 else np.sum(x * x)

    up, down = np.ones(10), -np.ones(10)
    reached = counting(f)
    for _ in range(100):
        assert f(up) == f(down) == 10.0
    gc.collect()
    held = resident()
    for _ in range(5000):
        f(up)
        f(down)
    assert reached[0] == 1  # the first call of all found no entry to go through
    assert resident() - held < 256 * 1024


def resident() -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def few_variants() -> Iterator[int]:
    tracer.set_max_variants(5)
    yield 5
    tracer.set_max_variants(32)


def test_paths_that_never_settle(few_variants: int) -> None:
    """The limit holds, one warning names the line, and calls go on as plain Python."""

    @jit
    def f(x: Any) -> Any:
        return x * float(x)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(200):
            assert f(float(n)) == n * n
    assert len(f.variants) == few_variants
    (warned,) = [w for w in caught if issubclass(w.category, TracerWarning)]
    assert warned.filename == __file__
    assert "has taken 5 paths" in str(warned.message)
    assert "np.where" in str(warned.message)
    assert "further paths run as plain Python" in f.explain()


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        tracer.set_max_variants(0)


def test_explain() -> None:
    @jit
    def sided(x: Any, mode: str) -> Any:
        if x > 0:
            return x
        return -x

    sided(1.0, "fast")
    sided(-1.0, "fast")
    sided(np.ones(()), "slow")
    lines = sided.explain().splitlines()
    assert lines[0] == "sided: 2 signatures"
    assert lines[1] == "(f64[], 'fast'): 2 variants, 2 calls left to Python"
    assert lines[2].startswith("  variant 1, traced in ")
    assert lines[3].endswith("if x > 0: was True")
    assert lines[5].endswith("if x > 0: was False")
    assert "test_branches.py:" in lines[3]


def test_an_exception_of_the_function_is_its_own() -> None:
    @jit
    def f(x: Any) -> Any:
        if x < 0:
            raise KeyError("below zero")
        return x

    for _ in range(3):
        assert f(1.0) == 1.0
        with pytest.raises(KeyError, match="below zero") as caught:
            f(-1.0)
        assert any(entry.name == "f" for entry in caught.traceback)
        assert STACK.get() == ()


def test_an_interrupted_trace_leaves_nothing_behind() -> None:
    stop = [True]

    @jit
    def f(x: Any) -> Any:
        if x > 0 and stop[0]:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        f(1.0)
    assert STACK.get() == ()
    stop[0] = False
    assert f(1.0) == 1.0
    assert f(-1.0) == -1.0


def test_threads() -> None:
    @jit
    def f(x: Any, n: Any) -> Any:
        if x[0] > 0:
            x = np.sin(x)
        for _ in range(int(n)):
            x = x * 1.5
        return np.sum(x)

    wrong: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(200):
            x, n = rng.normal(size=3), int(rng.integers(0, 4))
            if not np.allclose(f(x, n), f.func(x, n), rtol=1e-13):
                wrong.append((x, n))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert len(f.variants) == 8


def test_branches_under_vmap_are_refused_with_the_line() -> None:
    with pytest.raises(ConcretizationError, match="if x < -1"):
        jit(vmap(piecewise))(np.ones(3))
    assert jit(vmap(lambda x, n: x * n if n > 2 else x, in_dims=(0, None)))(
        np.ones(2), 3.0
    ).tolist() == [3.0, 3.0]


def test_what_varies_in_a_capturing_function() -> None:
    """The guards of an inner jitted function belong in the trace around it."""

    @jit
    def outer(x: Any) -> Any:
        @jit
        def inner(y: Any) -> Any:
            return x * y if x > 0 else y

        return inner(2.0)

    assert [float(outer(x)) for x in (3.0, -3.0, 4.0, -1.0)] == [6.0, 2.0, 8.0, 2.0]
    assert grad(lambda x: jit(lambda y: x * y if x > 0 else y)(2.0))(3.0) == 2.0
