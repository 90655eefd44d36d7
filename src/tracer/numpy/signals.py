"""Convolution, polynomials, covariance, and shifts of frequencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import axes_of, promoted, reshape, strong
from tracer.errors import ShapeError, message
from tracer.numpy.movement import at_least, joined, roll, squeeze
from tracer.numpy.scans import cumprod
from tracer.numpy.table import implements, tnp


def vector(x: Tracer) -> Tracer:
    if x.ndim > 1 or not x.size:
        raise ShapeError(message(f"{x!r} is no vector with elements.", "Use np.ravel."))
    return reshape(strong(x), (x.size,))


def slid(a: Tracer, v: Tracer, mode: str) -> Tracer:
    """The products of v with each window of a, which is the longer one."""
    n, m = a.size, v.size
    before = {"full": m - 1, "same": m // 2, "valid": 0}
    after = {"full": m - 1, "same": m - m // 2 - 1, "valid": 0}
    if mode not in before:
        raise ShapeError(message(f"mode={mode!r} is none.", "Modes: full, same, valid."))
    wide = tnp.pad(a, (before[mode], after[mode]))
    starts = np.arange(wide.size - m + 1)
    return tnp.dot(tnp.take(wide, starts[:, None] + np.arange(m)), v) if n else wide


@implements(np.convolve, arrays="a v")
def convolve(a: Tracer, v: Tracer, mode: str = "full") -> Tracer:
    x, y = promoted([vector(a), vector(v)])
    if y.size > x.size:
        x, y = y, x
    return slid(x, tnp.flip(y), mode)


@implements(np.correlate, arrays="a v")
def correlate(a: Tracer, v: Tracer, mode: str = "valid") -> Tracer:
    if a.ndim != 1 or v.ndim != 1:
        raise ShapeError(message(f"correlate of {a!r} and {v!r}.", "Give vectors."))
    x, y = promoted([vector(a), vector(v)])
    return slid(x, y, mode) if x.size >= y.size else tnp.flip(slid(y, x, mode))


@implements(np.polyval, arrays="p x")
def polyval(p: Tracer, x: Tracer) -> Tracer:
    made = tnp.zeros_like(x)
    for coefficient in p:
        made = made * strong(x) + coefficient
    return made


@implements(np.polyder, arrays="p")
def polyder(p: Tracer, m: int = 1) -> Tracer:
    if m < 0:
        raise ShapeError(message(f"derivative of order {m}.", "Use m >= 0, or np.polyint."))
    if p.ndim != 1:
        raise ShapeError(message(f"polyder of {p!r}.", "Give a vector of coefficients."))
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def aligned(ufunc: Any) -> Callable[[Tracer, Tracer], Tracer]:
    """Coefficients put under each other at the lowest power."""

    def rule(a1: Tracer, a2: Tracer) -> Tracer:
        x, y = at_least(1, a1), at_least(1, a2)
        if x.ndim > 1 or y.ndim > 1:
            raise ShapeError(message(f"polynomials {a1!r} and {a2!r}.", "Give vectors."))
        n = max(len(x), len(y))
        wide = [tnp.pad(v, (n - len(v), 0)) for v in (x, y)]
        made: Tracer = ufunc(*wide)
        return made

    return rule


implements(np.polyadd, arrays="a1 a2")(aligned(np.add))
implements(np.polysub, arrays="a1 a2")(aligned(np.subtract))


@implements(np.vander, arrays="x")
def vander(x: Tracer, N: int | None = None, increasing: bool = False) -> Tracer:
    if x.ndim != 1:
        raise ShapeError(message(f"vander of {x!r}.", "Give a vector."))
    n = len(x) if N is None else N
    x = x.astype(np.promote_types(x.dtype, int))
    column = reshape(x, (len(x), 1))
    first = tnp.ones_like(column)
    powers = joined([first, *[column] * (n - 1)], 1)[:, :n]
    made = cumprod(powers, 1)
    return made if increasing else tnp.fliplr(made)


@implements(np.cov, arrays="m y")
def cov(
    m: Tracer,
    y: Tracer | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    dtype: Any = None,
) -> Tracer:
    """The covariance of rows; of columns without ``rowvar``."""
    if m.ndim > 2 or (y is not None and y.ndim > 2):
        raise ShapeError(message("cov of more than 2 axes.", "Give a matrix."))
    parts = [m] if y is None else [m, y]
    used = np.result_type(*[x.dtype for x in parts], np.float64) if dtype is None else dtype
    rows = [at_least(2, strong(x).astype(used)) for x in parts]
    if not rowvar:
        turned = [m.ndim != 1, rows[-1].shape[0] != 1]
        rows = [x.mT if turn else x for x, turn in zip(rows, turned, strict=False)]
    x = joined(rows, 0)
    less = (0 if bias else 1) if ddof is None else ddof
    left = x.shape[1] - less
    off = x - tnp.mean(x, 1, keepdims=True)
    return squeeze(tnp.dot(off, off.mT) * (1 / left if left > 0 else float("inf")))


@implements(np.corrcoef, arrays="x y")
def corrcoef(x: Tracer, y: Tracer | None = None, rowvar: bool = True, dtype: Any = None) -> Tracer:
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    deviation = tnp.sqrt(tnp.diag(c))
    return tnp.clip(c / deviation[:, None] / deviation, -1, 1)


def shifted(sign: int) -> Callable[..., Tracer]:
    """Half of each axis around, so that frequency 0 comes to the middle, or back."""

    def rule(x: Tracer, axes: Any = None) -> Tracer:
        if not x.ndim:
            raise ShapeError(message("a 0-d array has no axis to shift.", "Use it as it is."))
        along = axes_of(axes, x.ndim)
        return roll(x, [sign * (x.shape[d] // 2) for d in along], along) if along else x

    return rule


implements(np.fft.fftshift, arrays="x")(shifted(+1))
implements(np.fft.ifftshift, arrays="x")(shifted(-1))
