"""Elementary functions, vectors and remainders, against mpmath: as close as docs/numerics.md says.

Millions of values are no work for compiled code, and too many for mpmath. It judges those at which
the machines of ``tests.codegen.targets`` differ most, and some drawn at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from tests.codegen.targets import compiled_for, targets

from codegen.engine import compile_program
from codegen.functions import LIBRARY
from ir.build import Builder
from ir.op import REGISTRY, Array
from ir.parser import parse_type
from ir.types import ArrayType

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"
BITS = 160
"""Precision of mpmath's results; it takes more by itself to reduce large angles."""
DRAWN = 40_000
SUSPECTS = 60
AT_RANDOM = 200


def power(x: Any, y: Any) -> Any:
    return mpmath.power(x, y) if x else mpmath.mpf(0)


TRUE: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp, "exp2": lambda x: mpmath.power(2, x), "expm1": mpmath.expm1,
    "log": mpmath.log, "log2": lambda x: mpmath.log(x) / mpmath.log(2), "log10": mpmath.log10,
    "log1p": mpmath.log1p, "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "erf": mpmath.erf, "erfc": lambda x: mpmath.erfc(min(x, 1000)),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "arcsin": mpmath.asin,
    "arccos": mpmath.acos, "arctan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
    "tanh": mpmath.tanh, "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh, "pow": power, "arctan2": mpmath.atan2, "hypot": mpmath.hypot,
}  # fmt: skip
TWO = ("pow", "arctan2", "hypot")
each = pytest.mark.parametrize("name", TRUE)
each_dtype = pytest.mark.parametrize("dtype", ["f64", "f32"])


def bounds() -> dict[str, dict[str, int]]:
    """The units in the last place that the table grants each function."""
    rows = re.findall(r"^\| (`.+`) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    return {
        name: {"f64": int(wide), "f32": int(narrow)}
        for names, wide, narrow in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def test_the_table_has_every_function() -> None:
    assert set(bounds()) == set(TRUE)
    assert set(TRUE) == {*LIBRARY, "logistic"} - {"fmod"}


# What the functions are tried on.


def edges(dtype: str) -> list[float]:
    """Where some function overflows, underflows, or changes its method."""
    limit = np.finfo(parse_type(f"{dtype}[]").numpy)
    largest, tiny, least = (float(x) for x in (limit.max, limit.tiny, limit.smallest_subnormal))
    logs = [np.log(x) / scale for x in (largest, tiny, least) for scale in (1, np.log(2))]
    turns = [np.pi * n for n in (0.25, 0.5, 1, 2, 3, 100, 12345.5)]
    roots = [float(limit.eps) ** p for p in (1, 0.5, 1 / 3)]
    return [0.5, 0.7, 0.88, 1, 2, 5, 9, 20, 27, 37, *logs, *turns, *roots, 2.0**23, 2.0**52]


def points(dtype: str, rng: np.random.Generator) -> Array:
    """Numbers of every size, and many near edges and in the ranges that are used most."""
    numpy = parse_type(f"{dtype}[]").numpy
    unsigned = np.uint64 if dtype == "f64" else np.uint32
    anything = rng.integers(0, np.iinfo(unsigned).max, DRAWN, unsigned).view(numpy)
    anything = np.where(np.isfinite(anything), anything, numpy.type(0))
    limit = np.finfo(numpy)
    found = [anything, limit.tiny * rng.uniform(-2, 2, DRAWN // 8)]
    found += [rng.uniform(-s, s, DRAWN // 8) for s in (1, 3, 10, 100, 800, 1e5, 1e10)]
    for edge in edges(dtype):
        steps = rng.integers(-4000, 4000, 200) * float(limit.eps)
        near = np.concatenate([1 + steps, 1 + rng.uniform(-0.05, 0.05, 200)])
        found += [edge * near, -edge * near]
    return np.concatenate([x.astype(numpy) for x in found])


def operands(name: str, dtype: str) -> list[Array]:
    """One array for each operand, as long as no machine's vectors divide."""
    rng = np.random.default_rng([len(name), *name.encode()])
    x = points(dtype, rng)
    if name not in TWO:
        return [x]
    y = rng.permutation(points(dtype, rng))
    half = len(x) // 2
    near = rng.uniform(-3, 3, half)
    with np.errstate(all="ignore"):
        if name == "pow":
            x[:half] = np.exp(rng.uniform(-20, 20, half))
            spread = np.log(float(np.finfo(x.dtype).max)) * 1.05
            y[:half] = rng.uniform(-spread, spread, half) / np.log(x[:half].astype(float))
        else:
            y[:half] = x[:half] * 2.0**near
    return [x, y]


# Judging.


def results(name: str, dtype: str, xs: list[Array]) -> dict[str, Array]:
    """What each machine computes."""
    b = Builder()
    params = [b.param(ArrayType(dtype, x.shape)) for x in xs]
    program = b.finish(b(REGISTRY[name](), *params))
    found = {}
    for machine in targets():
        with compiled_for(machine):
            found[machine] = compile_program(program)(*xs)[0]
    return found


def suspects(found: dict[str, Array]) -> Array:
    """Where a machine's result lies farthest from the plain one's, in units of the last place."""
    plain = list(found.values())[-1]
    with np.errstate(all="ignore"):
        unit = np.spacing(np.abs(plain))
        chosen = []
        for got in found.values():
            apart = np.abs(got - plain) / unit
            apart[got == plain] = 0
            odd = np.flatnonzero(np.isnan(got) != np.isnan(plain))
            chosen += [np.argsort(np.nan_to_num(apart))[-SUSPECTS:], odd[:SUSPECTS]]
    return np.unique(np.concatenate(chosen))


def off_by(got: Any, true: Any) -> float:
    """The distance from the true value, in units of the last place of numbers of its size.

    Infinity stands for the first number that is too large.
    """
    limit = np.finfo(got.dtype)
    if np.isnan(got):
        return float("inf")
    value = mpmath.mpf(float(got))
    if np.isinf(got):
        value = mpmath.sign(value) * mpmath.mpf(2) ** int(limit.maxexp)
        if abs(true) >= abs(value) and mpmath.sign(true) == mpmath.sign(value):
            return 0.0
    exponent = int(mpmath.frexp(true)[1]) - 1 if true else int(limit.minexp)
    unit = mpmath.mpf(2) ** (min(max(exponent, int(limit.minexp)), int(limit.maxexp)) - limit.nmant)
    return float(abs(value - true) / unit)


@each
@each_dtype
def test_within_the_units_of_the_table(name: str, dtype: str, figures: Any) -> None:
    xs = operands(name, dtype)
    found = results(name, dtype, xs)
    rng = np.random.default_rng(0)
    judged = np.union1d(suspects(found), rng.integers(0, len(xs[0]), AT_RANDOM))
    bound, worst = bounds()[name][dtype], 0.0
    with mpmath.workprec(BITS):
        for at in judged:
            args = [mpmath.mpf(float(x[at])) for x in xs]
            if (true := real(TRUE[name], args)) is None:
                assert all(np.isnan(got[at]) or np.isinf(got[at]) for got in found.values())
                continue
            for machine, got in found.items():
                off = off_by(got[at], true)
                worst = max(worst, off)
                where = f"{name}({', '.join(str(x[at]) for x in xs)}) is {got[at]}, {machine}"
                assert off <= bound, f"{where}: off by {off:.2f} of {bound}"
                figures.add("values of elementary functions judged by mpmath")


def real(f: Callable[..., Any], args: list[Any]) -> Any:
    """The true value; None where there is none, or it is infinite."""
    try:
        true = f(*args)
    except (ValueError, ZeroDivisionError):
        return None
    return None if isinstance(true, mpmath.mpc) or not mpmath.isfinite(true) else true


# What is special.


def special(dtype: str) -> Array:
    numpy = parse_type(f"{dtype}[]").numpy
    limit = np.finfo(numpy)
    positive = [
        0, limit.smallest_subnormal, 3 * limit.smallest_subnormal, limit.tiny / 2, limit.tiny,
        2 * limit.tiny, limit.epsneg, limit.eps, 1e-3, 0.5, 1 - limit.epsneg, 1, 1 + limit.eps,
        1.5, 2, 2.5, 3, 4, 7, 10, 16, 25, 88, 89, 100, 103, 104, 128, 149, 150, 300, 700, 709, 710,
        745, 746, 1000, 1023, 1024, 1074, 1075, 2.0**23 + 1, 2.0**24, 2.0**31, 2.0**52 + 1,
        2.0**53, 2.0**53 + 2, 2.0**63, 1e10, 1e18, 1e30, limit.max / 2, limit.max, np.inf, np.nan,
    ]  # fmt: skip
    return np.array([*positive, *(-np.array(positive))]).astype(numpy)


@each
@each_dtype
def test_special_values_are_the_reference(name: str, dtype: str, figures: Any) -> None:
    """nan, infinities, zeros with their signs, denormals, the ends of each domain."""
    xs = [special(dtype)]
    if name in TWO:
        xs = [np.ascontiguousarray(x.ravel()) for x in np.meshgrid(xs[0], xs[0])]
    with np.errstate(all="ignore"):
        want = np.asarray(REGISTRY[name]().reference(*xs))
    for machine, got in results(name, dtype, xs).items():
        same = (np.isnan(got) & np.isnan(want)) | (got == want)
        same |= np.isfinite(got) & np.isfinite(want)
        same &= np.isnan(got) | (np.signbit(got) == np.signbit(want))
        wrong = [(*(x[n] for x in xs), got[n], want[n]) for n in np.flatnonzero(~same)]
        assert not wrong, f"{name} on {machine}: {wrong}"
        figures.add("special values of elementary functions, as NumPy's", len(want))
