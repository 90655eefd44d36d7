"""Types, locations, and what makes two ops one."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from tests.ops.samples import SAMPLES

from ir import ops
from ir.loc import UNKNOWN, Loc, user_loc
from ir.op import REGISTRY
from ir.types import DTYPES, ArrayType, UnsupportedDTypeError, short_dtype, type_of


def test_a_type_knows_its_sizes() -> None:
    t = ArrayType("f32", (4, 3))
    assert (str(t), t.rank, t.size, t.nbytes, t.numpy) == ("f32[4,3]", 2, 12, 48, np.dtype("f4"))
    assert str(t.batched(5)) == "f32[5,4,3]"
    assert str(t.with_dtype("i64")) == "i64[4,3]"
    assert str(t.with_shape(())) == "f32[]"
    assert ArrayType("f32", (4, 3)) == t
    assert hash(ArrayType("f32", (4, 3))) == hash(t)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_dtypes_are_numpys(dtype: object) -> None:
    name = dtype.name  # type: ignore[attr-defined]
    x = np.zeros((2, 0), dtype.numpy)  # type: ignore[attr-defined]
    assert type_of(x) == ArrayType(name, (2, 0))
    assert type_of(x.astype(x.dtype.newbyteorder(">"))).dtype == name
    assert DTYPES[name].size == x.dtype.itemsize


def test_a_numpy_scalar_has_rank_0() -> None:
    assert str(type_of(np.float32(1))) == "f32[]"


@pytest.mark.parametrize("dtype", ["c16", "O", "U3", "M8[s]", "u1", "i2", "f2"])
def test_other_dtypes_are_refused_by_name(dtype: str) -> None:
    with pytest.raises(UnsupportedDTypeError, match="is not supported") as error:
        short_dtype(np.dtype(dtype))
    assert str(np.dtype(dtype)) in str(error.value)
    assert "float64" in str(error.value)


def test_equal_ops_are_one() -> None:
    assert ops.Add() is ops.Add()
    assert ops.Slice((1,), (2,), (3,)) is ops.Slice((1,), (2,), (3,))
    assert ops.CumSum(0) is ops.CumSum(0, False)
    assert ops.Constant(float("nan")) is ops.Constant(-float("nan"))
    assert ops.Constant(0.1, "f32") is ops.Constant(np.float32(0.1), "f32")
    assert ops.Constant(1, "f64") is ops.Constant(1.0, "f64")


def test_different_ops_are_apart() -> None:
    several = [
        ops.Constant(0.0), ops.Constant(-0.0), ops.Constant(1.0), ops.Constant(1, "i64"),
        ops.Constant(True, "bool"), ops.Constant(1.0, "f32"), ops.Constant(1.0, "f64", (1,)),
        ops.Literal((0.0,), "f64", (1,)), ops.Literal((-0.0,), "f64", (1,)),
        ops.ReduceSum((0,)), ops.ReduceMax((0,)), ops.CumSum(0), ops.CumSum(0, True),
    ]  # fmt: skip
    assert len({id(op) for op in several}) == len(several)
    assert len({str(op) for op in several}) == len(several)


def test_an_op_that_nobody_holds_is_let_go() -> None:
    table = ops.Constant.__dict__["interned"]
    before = len(table)
    kept = [ops.Constant(float(n) + 0.123) for n in range(100)]
    assert len(table) == before + 100
    kept.clear()
    gc.collect()
    assert len(table) <= before


def test_ops_made_in_two_threads_are_one() -> None:
    made: list[list[object]] = [[], []]
    gate = threading.Barrier(2)

    def make(mine: list[object]) -> None:
        gate.wait()
        mine += [ops.Iota("i64", (n, 977)) for n in range(2000)]

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(a is b for a, b in zip(*made, strict=True))


def test_ops_are_plain_records() -> None:
    for name, cls in REGISTRY.items():
        assert cls.mnemonic == name
    for s in SAMPLES:
        assert repr(s.op) == str(s.op)


def test_the_users_line() -> None:
    loc = user_loc()
    assert loc.file == __file__
    assert loc.source == "loc = user_loc()"
    assert str(loc) == f"test_types.py:{loc.line}"
    assert str(loc.through("jvp").through("jvp").through("vmap")).endswith(" <- jvp <- vmap")
    assert loc.through("jvp").excerpt() == f"{loc.head}  (through jvp)\n    loc = user_loc()"
    assert str(UNKNOWN) == ""
    assert UNKNOWN.through("jvp") is UNKNOWN


def test_the_users_line_skips_numpy() -> None:
    found: list[Loc] = []

    class Array:
        def __array_ufunc__(self, *_: object, **__: object) -> None:
            found.append(user_loc())

    np.apply_along_axis(lambda x: found.append(user_loc()) or x, 0, np.zeros(1))  # type: ignore[func-returns-value]
    np.sin(Array())  # type: ignore[call-overload]
    assert {loc.file for loc in found} == {__file__}
