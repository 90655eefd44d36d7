"""NumPy's aliasing: random views, writes and reads do to traced arrays what they do to ndarrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer import jit, jvp, vmap

SHAPES = ((6,), (2, 3), (3, 1, 2), (4, 3), (2, 2, 3), (1, 5))


def slices(n: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-n - 1, n + 1)
    return st.builds(slice, ends, ends, st.sampled_from([None, 1, 2, -1, -2]))


def basic_key(draw: Any, shape: tuple[int, ...]) -> Any:
    """Ints, slices, new axes and an Ellipsis."""
    parts: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        if not n or draw(st.booleans()):
            parts.append(draw(slices(n)))
        else:
            parts.append(draw(st.integers(-n, n - 1)))
        if draw(st.integers(0, 7)) == 0:
            parts.append(None)
    if draw(st.integers(0, 3)) == 0:
        parts.append(Ellipsis)
    return tuple(parts)


def advanced_key(draw: Any, shape: tuple[int, ...]) -> Any:
    """An array of ints, or of bools, for the first axis, and perhaps a slice for the second."""
    if not shape or not shape[0]:
        return (Ellipsis,)
    n = shape[0]
    if draw(st.booleans()):
        return np.array([draw(st.booleans()) for _ in range(n)])
    first = np.array(draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
    return (first, draw(slices(shape[1]))) if len(shape) > 1 and draw(st.booleans()) else first


def reshapes(draw: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    size = int(np.prod(shape))
    fitting = [(size,), (1, size), (size, 1)]
    fitting += [(k, size // k) for k in (2, 3) if size and size % k == 0]
    fitting += [(k, size // k, 1) for k in (2, 4) if size and size % k == 0]
    return draw(st.sampled_from(fitting))  # type: ignore[no-any-return]


Step = tuple[str, tuple[Any, ...]]
VIEWS = ("index", "reshape", "ravel", "T", "swap", "squeeze", "expand", "flip", "copy", "flatten")
WRITES = ("set", "advanced", "add", "fill", "out", "at", "flat", "copyto", "self")


@st.composite
def programs(draw: Any) -> tuple[tuple[int, ...], list[Step]]:
    """A shape, and steps on the arrays that there are by then; run here once for their shapes."""
    shape = draw(st.sampled_from(SHAPES))
    arrays = [np.zeros(shape)]
    steps: list[Step] = []
    for _ in range(draw(st.integers(2, 9))):
        which = draw(st.integers(0, len(arrays) - 1))
        x = arrays[which]
        name = draw(st.sampled_from(VIEWS + WRITES))
        rest: tuple[Any, ...] = ()
        if name in ("index", "set", "add"):
            rest = (basic_key(draw, x.shape),)
        elif name in ("advanced", "at"):
            rest = (advanced_key(draw, x.shape),)
        elif name == "reshape":
            rest = (reshapes(draw, x.shape),)
        elif name in ("swap", "flip", "expand"):
            rest = (draw(st.integers(0, max(x.ndim - 1, 0))),)
        elif name == "self":
            rest = (draw(st.integers(0, len(arrays) - 1)),)
        elif name == "flat" and not x.size:
            continue
        elif name == "flat":
            rest = (draw(st.integers(0, x.size - 1)),)
        if (name in ("swap", "flip")) and not x.ndim:
            continue
        step = (name, (which, *rest))
        made = run(arrays, step, 0.0)
        if made is not None and np.ndim(made) == 0 and not isinstance(made, np.ndarray):
            continue
        if made is not None:
            arrays.append(made)
        steps.append(step)
    return shape, steps


def run(arrays: list[Any], step: Step, number: Any) -> Any:
    """One step: a view of one of the arrays, or None after a write to it."""
    name, (which, *rest) = step
    x = arrays[which]
    if name in VIEWS:
        return {
            "index": lambda: x[rest[0]],
            "reshape": lambda: x.reshape(rest[0]),
            "ravel": lambda: x.ravel(),
            "T": lambda: x.T,
            "swap": lambda: np.swapaxes(x, 0, rest[0]),
            "squeeze": lambda: np.squeeze(x),
            "expand": lambda: np.expand_dims(x, rest[0]),
            "flip": lambda: np.flip(x, rest[0]),
            "copy": lambda: x.copy(),
            "flatten": lambda: x.flatten(),
        }[name]()
    if name in ("set", "advanced"):
        x[rest[0]] = number
    elif name == "add":
        x[rest[0]] += number
    elif name == "fill":
        x.fill(number)
    elif name == "out":
        np.multiply(x, number, out=x)
    elif name == "at":
        np.add.at(x, rest[0], number)
    elif name == "flat":
        x.flat[rest[0]] = number
    elif name == "copyto":
        np.copyto(x, number, where=np.arange(x.size).reshape(x.shape) % 2 == 0)
    elif name == "self":
        y = arrays[rest[0]]
        if y.shape == x.shape:
            x[...] = y
    return None


def all_of(
    shape: tuple[int, ...], steps: list[Step], constant: int = 0, order: Any = "C"
) -> Callable[[Any], Any]:
    """The steps on an array of x, or first some with constants on one of constants."""

    def f(x: Any) -> Any:
        arrays = [np.ones(shape, order=order) if constant else x * 1.0]
        for n, step in enumerate(steps):
            number = x[(0,) * len(shape)] * (n + 2)
            made = run(arrays, step, float(n) if n < constant else number)
            if made is not None:
                arrays.append(made)
        return arrays

    return f


def sample(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 2, shape)


@settings(max_examples=300, deadline=None)
@given(programs())
def test_as_on_ndarrays(program: tuple[tuple[int, ...], list[Step]]) -> None:
    shape, steps = program
    f, x = all_of(shape, steps), sample(shape)
    dx = sample(shape)[..., ::-1] - 1.5
    expected = f(x)
    found, moved = jvp(lambda x: tuple(f(x)), (x,), (dx,))
    h = 1e-6
    for want, got in zip(expected, found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    above, below = f(x + h * dx), f(x - h * dx)
    for up, down, slope in zip(above, below, moved, strict=True):
        np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-5, atol=1e-4)


@settings(max_examples=200, deadline=None)
@given(programs(), st.integers(1, 8), st.sampled_from("CF"))
def test_arrays_of_constants(
    program: tuple[tuple[int, ...], list[Step]], constant: int, order: str
) -> None:
    shape, steps = program
    f, x = all_of(shape, steps, constant, order), sample(shape)
    for want, got in zip(f(x), jvp(lambda x: tuple(f(x)), (x,), (x,))[0], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(programs())
def test_mapped_over_a_batch(program: tuple[tuple[int, ...], list[Step]]) -> None:
    shape, steps = program
    f, xs = all_of(shape, steps), np.stack([sample(shape), sample(shape) + 1])
    found = vmap(lambda x: tuple(f(x)))(xs)
    for n, x in enumerate(xs):
        for want, got in zip(f(x), found, strict=True):
            np.testing.assert_allclose(got[n], want, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_compiled(seed: int) -> None:
    """A fixed sequence on an array of each shape."""
    shape = SHAPES[seed]
    steps: list[Step] = [
        ("T", (0,)),
        ("ravel", (1,)),
        ("index", (0, (slice(None, None, -1),))),
        ("set", (3, (0,))),
        ("add", (1, (slice(0, 2),))),
        ("flat", (3, 1)),
        ("at", (0, np.array([0, 0, -1]))),
        ("reshape", (0, (int(np.prod(shape)),))),
        ("set", (4, (slice(1, None, 2),))),
        ("self", (0, 3)),
    ]
    f, x = all_of(shape, steps), sample(shape)
    for want, got in zip(f(x), jit(lambda x: tuple(f(x)))(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
