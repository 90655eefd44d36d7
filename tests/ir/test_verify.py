"""One broken program for each rule of the verifier, and each rule of ``infer`` that refuses."""

from __future__ import annotations

import numpy as np
import pytest

from ir import ops
from ir.build import Builder
from ir.errors import TypeRuleError, VerifyError
from ir.loc import Loc
from ir.op import Op
from ir.parser import parse_type
from ir.program import Equation, Program, Value
from ir.types import ArrayType
from ir.verify import verify

SCALAR = ArrayType("f64", ())
VECTOR = ArrayType("f64", (3,))


def sine(x: Value, y: Value, op: Op | None = None) -> Equation:
    return Equation(op or ops.Sin(), (x,), (y,), loc=Loc("model.py", 7))


def test_a_right_program_is_returned() -> None:
    x, y = Value(VECTOR), Value(VECTOR)
    p = Program((x,), (sine(x, y),), (y,))
    assert verify(p) is p


def test_a_parameter_twice() -> None:
    x = Value(VECTOR)
    with pytest.raises(VerifyError, match="defined twice: a parameter"):
        verify(Program((x, x), (), (x,)))


def test_a_result_twice() -> None:
    x, y = Value(VECTOR), Value(VECTOR)
    with pytest.raises(VerifyError, match="defined twice: a result of sin"):
        verify(Program((x,), (sine(x, y), sine(x, y)), (y,)))


def test_a_result_that_is_a_parameter() -> None:
    x = Value(VECTOR)
    with pytest.raises(VerifyError, match="defined twice"):
        verify(Program((x,), (sine(x, x),), (x,)))


def test_use_before_definition() -> None:
    x, y, z = Value(VECTOR), Value(VECTOR), Value(VECTOR)
    with pytest.raises(
        VerifyError, match="an operand of sin is used before it is defined"
    ) as error:
        verify(Program((x,), (sine(y, z), sine(x, y)), (z,)))
    assert str(error.value).startswith("model.py:7\n")


def test_a_type_that_the_rule_does_not_give() -> None:
    x, y = Value(VECTOR), Value(SCALAR)
    with pytest.raises(VerifyError, match=r"sin is typed f64\[\], its rule gives f64\[3\]"):
        verify(Program((x,), (sine(x, y),), (y,)))


def test_operands_that_the_rule_refuses() -> None:
    x, y = Value(ArrayType("i64", ())), Value(ArrayType("i64", ()))
    with pytest.raises(VerifyError, match="sin: needs a dtype of kind float") as error:
        verify(Program((x,), (sine(x, y),), (y,)))
    assert str(error.value).startswith("model.py:7\n")


@pytest.mark.parametrize(
    "op", [ops.Add(), ops.Slice((), (), ()), ops.SliceAdd((), ()), ops.Select()]
)
def test_a_wrong_number_of_operands(op: Op) -> None:
    x, y = Value(SCALAR), Value(SCALAR)
    wrong = Equation(op, (x,) * 4, (y,))
    with pytest.raises(VerifyError):
        verify(Program((x,), (wrong,), (y,)))
    with pytest.raises(VerifyError):
        verify(Program((x,), (Equation(op, (), (y,)),), (y,)))


def test_a_result_of_the_program_that_nothing_defines() -> None:
    with pytest.raises(VerifyError, match="a result of loss is never defined"):
        verify(Program((), (), (Value(VECTOR),), "loss"))


def test_a_body_that_captures() -> None:
    x, y, z = Value(VECTOR), Value(VECTOR), Value(VECTOR)
    body = Program((), (sine(x, y),), (y,))
    with pytest.raises(VerifyError, match="used before it is defined"):
        verify(Program((x,), (Equation(ops.Call(), (), (z,), (body,)),), (z,)))


def test_a_broken_body() -> None:
    x, y = Value(VECTOR), Value(VECTOR)
    body = Program((), (), (Value(VECTOR),), "inner")
    with pytest.raises(VerifyError, match="a result of inner is never defined"):
        verify(Program((x,), (Equation(ops.Call(), (), (y,), (body,)),), (y,)))


REFUSED: list[tuple[Op, str, str]] = [
    (ops.Add(), "f64[] f64[3]", "operands differ in type"),
    (ops.Add(), "f64[] f32[]", "operands differ in type"),
    (ops.Add(), "bool[] bool[]", "needs a dtype of kind int or float"),
    (ops.Add(), "f64[]", "wrong number of operands"),
    (ops.Exp(), "i64[]", "needs a dtype of kind float"),
    (ops.Exp(), "f64[] f64[]", "wrong number of operands"),
    (ops.Convert("f32"), "f64[] f64[]", "wrong number of operands"),
    (ops.And(), "f64[] f64[]", "needs a dtype of kind bool or int"),
    (ops.IntegerPow(-1), "i64[]", "an integer has no negative power"),
    (ops.Select(), "f64[] f64[] f64[]", "the condition is not bool"),
    (ops.Select(), "bool[] f64[] f32[]", "sides differ in type"),
    (ops.Select(), "bool[] f64[3] f64[3]", "the condition has another shape"),
    (ops.Literal((1.0,), "f64", (2,)), "", "values do not fill the shape"),
    (ops.Iota("f64", (2,), 1), "", "axis out of range"),
    (ops.Iota("bool", (2,)), "", "bool does not count"),
    (ops.DotGeneral(((1,), (0,))), "f64[3] f64[3]", "contract axis out of range"),
    (ops.DotGeneral(((0,), (0,))), "f64[3] f64[4]", "contract axes differ in size"),
    (ops.DotGeneral(((0,), (0,)), ((0,), (0,))), "f64[3] f64[3]", "an axis has two roles"),
    (ops.DotGeneral(((0,), (0,))), "f64[3] f32[3]", "operands differ in dtype"),
    (ops.DotGeneral(((0,), (0,))), "bool[3] bool[3]", "needs numbers"),
    (ops.Broadcast((3,), ()), "f64[3]", "dims do not name the operand's axes"),
    (ops.Broadcast((2, 3), (1, 0)), "f64[3,2]", "dims are not in rising order"),
    (ops.Broadcast((2, 3), (0,)), "f64[3]", "dims differ in size"),
    (ops.Permute((0, 0)), "f64[3,2]", "not a permutation"),
    (ops.Reshape((7,)), "f64[3,2]", "sizes differ"),
    (ops.Reshape((-2, -3)), "f64[3,2]", "a size is negative"),
    (ops.Broadcast((-1,), ()), "f64[]", "a size is negative"),
    (ops.Constant(0.0, "f64", (-1,)), "", "a size is negative"),
    (ops.Iota("f64", (-1,)), "", "a size is negative"),
    (ops.Pad((1,), (1, 1)), "f64[3]", "one count for each axis is needed"),
    (ops.Pad((-1,), (0,)), "f64[3]", "a count is negative"),
    (ops.Concatenate(), "", "nothing to concatenate"),
    (ops.Concatenate(1), "f64[3] f64[3]", "axis out of range"),
    (ops.Concatenate(), "f64[3] f32[3]", "operands differ outside the axis"),
    (ops.Concatenate(), "f64[3,2] f64[3,1]", "operands differ outside the axis"),
    (ops.Slice((0,), (4,), (1,)), "f64[3]", "reaches out of the operand"),
    (ops.Slice((2,), (2,), (-3,)), "f64[3]", "reaches out of the operand"),
    (ops.Slice((0,), (2,), (0,)), "f64[3]", "reaches out of the operand"),
    (ops.Slice((0,), (-1,), (1,)), "f64[3]", "reaches out of the operand"),
    (ops.Slice((), (), ()), "f64[3]", "one entry for each axis is needed"),
    (ops.SliceAdd((2,), (1,)), "f64[3] f64[2]", "reaches out of the operand"),
    (ops.SliceAdd((0,), (1,)), "f64[3] f32[2]", "operands differ in dtype"),
    (ops.SliceAdd((0,), (1,)), "bool[3] bool[2]", "needs numbers"),
    (ops.Gather(()), "f64[3]", "axes are not in rising order"),
    (ops.Gather((1, 0)), "f64[3,2] i64[] i64[]", "axes are not in rising order"),
    (ops.Gather((1,)), "f64[3] i64[]", "axis out of range"),
    (ops.Gather((0,)), "f64[3] i64[] i64[]", "one index operand for each axis"),
    (ops.Gather((0,)), "f64[3]", "one index operand for each axis"),
    (ops.Gather((0,)), "f64[3] f64[]", "an index is not an integer"),
    (ops.Gather((0, 1)), "f64[3,2] i64[] i64[2]", "indices differ in shape"),
    (ops.Gather((1,), 1), "f64[3,2] i64[2]", "batch axes differ in size"),
    (ops.Gather((1,), -1), "f64[3,2] i64[2]", "axis out of range"),
    (ops.Gather((1,), 1), "f64[3,2] i64[]", "batch axes differ in size"),
    (ops.Gather((0,)), "f64[0] i64[2]", "reads from an empty axis"),
    (ops.ScatterAdd((0,)), "f64[3] f64[2] i64[3]", "updates do not fit the indices"),
    (ops.ScatterAdd((0,)), "f64[3] f32[3] i64[3]", "operands differ in dtype"),
    (ops.ScatterAdd((0,)), "bool[3] bool[3] i64[3]", "needs numbers"),
    (ops.ScatterAdd((0,)), "f64[0] f64[2] i64[2]", "adds to an empty axis"),
    (ops.SliceUpdate((2,), (1,)), "bool[3] bool[2]", "reaches out of the operand"),
    (ops.SliceUpdate((0,), (1,)), "f64[3] i64[2]", "operands differ in dtype"),
    (ops.ScatterUpdate((0,)), "bool[3] bool[2] i64[3]", "updates do not fit the indices"),
    (ops.ScatterUpdate((0,)), "f64[3] f32[3] i64[3]", "operands differ in dtype"),
    (ops.ScatterUpdate((0,)), "f64[0] f64[2] i64[2]", "writes to an empty axis"),
    (ops.ReduceSum((1,)), "f64[3]", "axis out of range or named twice"),
    (ops.ReduceSum((-1,)), "f64[3]", "axis out of range or named twice"),
    (ops.ReduceSum((0, 0)), "f64[3]", "axis out of range or named twice"),
    (ops.ReduceSum((0,)), "bool[3]", "needs numbers"),
    (ops.ReduceProd((0,)), "bool[3]", "needs numbers"),
    (ops.ReduceMax((0,)), "f64[0]", "an empty axis has no extremum"),
    (ops.ArgMax(1), "f64[3]", "axis out of range"),
    (ops.ArgMin(0), "f64[0]", "an empty axis has no extremum"),
    (ops.CumSum(0), "f64[]", "axis out of range"),
    (ops.CumSum(0), "bool[3]", "needs numbers"),
    (ops.Call(), "", "needs one body"),
    (ops.Guard(), "f64[]", "needs one bool"),
    (ops.Check("x"), "bool[1]", "needs one bool"),
    (ops.Check("x", error="SystemExit"), "bool[]", "no such error"),
]


@pytest.mark.parametrize(
    ("op", "types", "complaint"), REFUSED, ids=[f"{o} {t}" for o, t, _ in REFUSED]
)
def test_the_type_rule_refuses(op: Op, types: str, complaint: str) -> None:
    b = Builder()
    operands = [b.param(parse_type(t)) for t in types.split()]
    with pytest.raises(TypeRuleError, match=complaint) as error:
        b(op, *operands)
    assert str(error.value).startswith(f"{op.mnemonic}: ")
    assert not b.equations


def test_types_of_numpy_numbers_in_fields_are_pythons() -> None:
    """A field given as a NumPy integer is the same op, and prints as a number."""
    i = np.int64(2)
    assert ops.Iota("f64", (i,)) is ops.Iota("f64", (2,))
    assert ops.ReduceSum((i,)) is ops.ReduceSum((2,))
    assert ops.Slice((i,), (i,), (i,)) is ops.Slice((2,), (2,), (2,))
    assert str(ops.CumSum(i, np.bool_(True))) == "cumsum[axis=2, reverse=True]"
