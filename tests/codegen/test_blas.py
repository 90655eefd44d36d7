"""Large products by whichever BLAS there is, and by tiles: every layout, against NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from codegen import target
from ir.op import Array
from tracer import jit

RNG = np.random.default_rng(0)
PRODUCTS = {
    "matrices": ("ij,jk->ik", (40, 30), (30, 50)),
    "first transposed": ("ji,jk->ik", (30, 40), (30, 50)),
    "second transposed": ("ij,kj->ik", (40, 30), (50, 30)),
    "long vector and matrix": ("i,ij->j", (3,), (3, 20_000)),
    "batch": ("bij,bjk->bik", (3, 20, 30), (3, 30, 25)),
    "batch that shares a matrix": ("ij,bjk->bik", (20, 30), (3, 30, 25)),
    "batch in the middle": ("ibj,jbk->ikb", (20, 3, 30), (30, 3, 25)),
    "mixed axes": ("iaj,jb->iab", (12, 9, 40), (40, 11)),
    "two sums": ("iajb,jbk->iak", (6, 5, 10, 12), (10, 12, 20)),
    "two sums apart": ("bij,bkj->ik", (4, 30, 20), (4, 25, 20)),
    "three sums apart": ("abij,bakj->ik", (4, 2, 30, 20), (2, 4, 25, 20)),
    "no unit stride": ("ijb,jkb->ikb", (20, 30, 3), (30, 25, 3)),
}
VECTORS = {
    "matrix and vector": ("ij,j->i", (300, 40), (40,)),
    "vector and matrix": ("i,ij->j", (40,), (40, 300)),
    "transposed matrix and vector": ("ji,j->i", (40, 300), (40,)),
}


@pytest.fixture(params=["NumPy's", "SciPy's", "tiles"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each library in turn, with no address remembered from the other; small products by tiles."""
    if request.param == "SciPy's":
        monkeypatch.setattr(target, "own_blas", lambda: None)
    if request.param != "tiles":
        monkeypatch.setattr("codegen.kernels.contraction.tiling", lambda *_: None)
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


@pytest.mark.parametrize("name", VECTORS)
def test_matrices_that_are_read_once_are_read_by_loops(name: str) -> None:
    text, left, right = VECTORS[name]
    x, y = RNG.normal(size=left), RNG.normal(size=right)
    compiled = jit(lambda x, y: np.einsum(text, x, y))
    assert "contraction" not in compiled.lower(x, y).plan
    np.testing.assert_allclose(compiled(x, y), np.einsum(text, x, y), rtol=1e-12, atol=1e-12)


def test_operands_are_read_where_they_lie() -> None:
    """Transposed, sliced, reshaped, shared by a batch: no operand is copied."""
    x, y = RNG.normal(size=(40, 30)), RNG.normal(size=(5, 60, 50))
    for f in (
        lambda x, y: x.T[:, :20] @ y[:, 3:23],
        lambda x, y: np.einsum("ij,bjk->bik", x, y[:, ::2]),
        lambda x, y: np.einsum("ji,bjk->kbi", x, y[:, 10:50]),
        lambda x, y: np.einsum("bik,bjk->ij", y, y[:, :30]),
        lambda x, y: x[:20].reshape(30, 20) @ y.reshape(250, 60)[:20],
    ):
        plan = jit(f).lower(x, y).plan
        assert "contraction" in plan and "copy" not in plan
        np.testing.assert_allclose(jit(f)(x, y), f(x, y), rtol=1e-12, atol=1e-12)


def test_results_in_another_order_are_computed_there() -> None:
    """And one that is given back twice, or in two orders, is copied."""
    x, y = RNG.normal(size=(40, 30)), RNG.normal(size=(30, 50))

    def f(x: Array, y: Array) -> tuple[Array, ...]:
        product, both = x @ y, x[:, :, None] * y
        return product.T, product.T, np.tanh(x).T, both.transpose(2, 0, 1).reshape(100, -1)

    plan = jit(f).lower(x, y).plan
    assert plan.count("copy") == 1
    for got, want in zip(jit(f)(x, y), f(x, y), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_results_with_axes_of_size_one_are_computed_there() -> None:
    x = RNG.normal(size=(40, 30))

    def f(x: Array) -> tuple[Array, Array]:
        return np.sin(x)[:, None].reshape(40, 30).T, np.cos(x)[:20].T[None]

    plan = jit(f).lower(x).plan
    assert plan.count("copy") == 1  # a part of an array is not the array
    for got, want in zip(jit(f)(x), f(x), strict=True):
        np.testing.assert_array_max_ulp(got, want, 4)


def test_calls_of_a_batch_stand_in_loops() -> None:
    """What is done with each product is done at the same step of the batch."""
    x, y = RNG.normal(size=(40, 20, 20)), RNG.normal(size=(20, 20))

    def f(x: Array, y: Array) -> Array:
        return np.tanh(np.einsum("ij,bjk->bik", y, x)) @ x

    plan = jit(f).lower(x, y).plan
    assert plan.count("in 0:40") == 1 and plan.count("contraction") == 2
    np.testing.assert_allclose(jit(f)(x, y), f(x, y), rtol=1e-12, atol=1e-12)


def test_operands_that_are_reshaped_first() -> None:
    """The array that lies in memory has another shape than the matrix that is multiplied."""
    x, y = RNG.normal(size=(100, 60)), RNG.normal(size=(60, 100))
    for f in (
        lambda x, y: x.reshape(50, 120) @ y.reshape(120, 50),
        lambda x, y: x.reshape(10, 10, 60) @ y.reshape(10, 60, 10),
    ):
        assert "contraction" in jit(f).lower(x, y).plan
        np.testing.assert_allclose(jit(f)(x, y), f(x, y), rtol=1e-12, atol=1e-12)
