"""What it means for two programs, or two lists of arrays, to be the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np

from ir.op import Array
from ir.program import Program, Value


def same_arrays(
    got: Sequence[Array], want: Sequence[Array], context: object = "", *, zeros: bool = True
) -> None:
    """Equal in dtype, shape, every number, the places of nan, and (``zeros``) their signs."""
    assert len(got) == len(want), context
    for n, (g, w) in enumerate(zip(map(np.asarray, got), map(np.asarray, want), strict=True)):
        where = f"result {n} of\n{context}"
        assert g.dtype == w.dtype, f"{g.dtype} for {w.dtype}: {where}"
        assert g.shape == w.shape, f"{g.shape} for {w.shape}: {where}"
        nans = w.dtype.kind == "f"
        assert np.array_equal(g, w, equal_nan=nans), f"{g}\nfor\n{w}: {where}"
        if nans and zeros:
            differ = (np.signbit(g) != np.signbit(w)) & (w == 0)
            assert not differ.any(), f"a zero's sign, {g} for {w}: {where}"


def same_program(p: Program, q: Program) -> None:
    """Equal in ops (which are one object when equal), operand positions, types, bodies, names."""
    assert p.name == q.name
    fresh = count()
    number: dict[Value, int] = {}
    pairs: list[tuple[Value, Value]] = list(zip(p.params, q.params, strict=True))
    for v, w in pairs:
        assert v.type == w.type
        number[v] = number[w] = next(fresh)
    for a, b in zip(p.equations, q.equations, strict=True):
        assert a.op is b.op
        assert [number[v] for v in a.operands] == [number[v] for v in b.operands]
        for x, y in zip(a.bodies, b.bodies, strict=True):
            same_program(x, y)
        for v, w in zip(a.results, b.results, strict=True):
            assert v.type == w.type
            number[v] = number[w] = next(fresh)
    assert [number[v] for v in p.results] == [number[v] for v in q.results]


def ulps(got: Array, want: Array) -> float:
    """The largest distance, in units in the last place of the larger; nan and inf must agree."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert np.array_equal(np.isnan(got), np.isnan(want)), f"{got}\nfor\n{want}"
    with np.errstate(all="ignore"):
        apart = np.where((got == want) | np.isnan(want), 0, np.abs(got - want))
        unit = np.spacing(np.maximum(np.abs(got), np.abs(want)))
        unit = np.where(np.isfinite(unit), unit, np.finfo(want.dtype).tiny)
        return float(np.max(apart / unit, initial=0.0))
