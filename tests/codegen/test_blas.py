"""Large products by whichever BLAS there is: every layout, both interfaces, against NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from codegen import target
from tracer import jit

RNG = np.random.default_rng(0)
PRODUCTS = {
    "matrices": ("ij,jk->ik", (40, 30), (30, 50)),
    "first transposed": ("ji,jk->ik", (30, 40), (30, 50)),
    "second transposed": ("ij,kj->ik", (40, 30), (50, 30)),
    "matrix and vector": ("ij,j->i", (300, 40), (40,)),
    "vector and matrix": ("i,ij->j", (40,), (40, 300)),
    "transposed matrix and vector": ("ji,j->i", (40, 300), (40,)),
    "batch": ("bij,bjk->bik", (3, 20, 30), (3, 30, 25)),
    "mixed axes": ("iaj,jb->iab", (12, 9, 40), (40, 11)),
    "two sums": ("iajb,jbk->iak", (6, 5, 10, 12), (10, 12, 20)),
}


@pytest.fixture(params=["NumPy's", "SciPy's"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each library in turn, with no address remembered from the other."""
    if request.param == "SciPy's":
        monkeypatch.setattr(target, "own_blas", lambda: None)
    target.address.cache_clear()
    yield request.param
    target.address.cache_clear()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", PRODUCTS)
def test_large_products(name: str, dtype: type, library: str) -> None:
    text, left, right = PRODUCTS[name]
    x, y = (RNG.normal(size=shape).astype(dtype) for shape in (left, right))
    compiled = jit(lambda x, y: np.einsum(text, x, y))
    assert "contraction" in compiled.lower(x, y).plan
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(
        compiled(x, y), np.einsum(text, x, y), rtol=tolerance, atol=tolerance
    )


def test_operands_that_are_reshaped_first() -> None:
    """The array that lies in memory has another shape than the matrix that is multiplied."""
    x, y = RNG.normal(size=(100, 60)), RNG.normal(size=(60, 100))
    for f in (
        np.vdot,
        lambda x, y: x.reshape(50, 120) @ y.reshape(120, 50),
        lambda x, y: x.ravel() @ y.reshape(6000, 1),
        lambda x, y: x.reshape(10, 10, 60) @ y.reshape(10, 60, 10),
    ):
        assert "contraction" in jit(f).lower(x, y).plan
        np.testing.assert_allclose(jit(f)(x, y), f(x, y), rtol=1e-12, atol=1e-12)
