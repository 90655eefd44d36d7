"""Whole error messages: the user's line, what is wrong, the source line, the way out."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest
from tests.tracer.contract.golden import check_says

from tracer import errors, grad, jit, vmap

X = np.array([1.0, 2.0, 3.0])


def says(error, gist, way_out):
    """The message is ``file:line: gist``, the line of this file, the way out."""
    return check_says(error, __file__, gist, way_out)


CASES = {
    "no trace of linalg": (
        lambda: grad(np.linalg.det)(np.eye(2)),
        (TypeError, NotImplementedError),
        "np.linalg.det is not traced.",
        "Nearest that is: np.linalg.norm, np.invert, np.rint.",
    ),
    "np.asarray": (
        lambda: grad(lambda x: next(map(np.asarray, [x])).sum())(X),
        (RuntimeError, TypeError),
        "NumPy asks for the elements of Tracer<f64[3]> as constants here, so their derivative"
        " would be lost.",
        "Use the functions of tracer.numpy; np.array([...]) of traced values is called by that"
        " name.",
    ),
    "out=": (
        lambda: grad(lambda x: np.add(x, x, out=X))(X),
        (TypeError, RuntimeError),
        "traced values cannot be written to an ndarray of shape (3,): they would become constants.",
        "Write to a traced copy: np.array(y) made in the function, or np.zeros_like(x).",
    ),
    "shapes": (
        lambda: grad(lambda x: x + np.ones(2))(X),
        (ValueError,),
        "shapes (3,) and (2,) do not broadcast together.",
        "Axes are matched from the last; each pair must be equal, or one of them 1.",
    ),
    "matmul": (
        lambda: grad(lambda x: x @ np.ones(2))(X),
        (ValueError,),
        "shapes (3,) and (2,) do not fit: axes (0,) and (0,) are summed together and differ in"
        " size.",
        "Transpose or reshape one of the operands.",
    ),
    "index": (
        lambda: grad(lambda x: x[5])(X),
        (IndexError,),
        "index 5 is out of bounds for axis 0 with size 3.",
        "Indices run from -3 to 2.",
    ),
    "axis": (
        lambda: grad(lambda x: x.sum(1))(X),
        (ValueError, IndexError),
        "axis 1 is out of bounds for an array of 1 dimensions.",
        "Axes run from -1 to 0.",
    ),
    "float16": (
        lambda: grad(lambda x: np.exp(x > 0))(X),
        (TypeError,),
        "np.exp of bool gives float16, which is not traced (traced: bool, int32, int64, float32,"
        " float64).",
        "Convert an operand with .astype first.",
    ),
    "truth of an array": (
        lambda: grad(lambda x: x if x else -x)(X),
        (ValueError,),
        "the truth value of Tracer<f64[3]>, an array of 3 elements, is ambiguous.",
        "Use .any() or .all().",
    ),
    "attribute": (
        lambda: grad(lambda x: x.transposed())(X),
        (AttributeError,),
        "Tracer<f64[3]> has no attribute 'transposed'.",
        "Nearest that it has: transpose.",
    ),
    "pickle": (
        lambda: grad(lambda x: pickle.dumps(x))(1.0),
        (TypeError,),
        "Tracer<f64[]> cannot be pickled or copied: it is no data.",
        "Return the value.",
    ),
    "static argument": (
        lambda: jit(lambda x, y: x)(1.0, {1, 2}),
        (ValueError, TypeError),
        "jit: an argument is neither an array nor hashable (unhashable type: 'set').",
        "Pass arrays in tuples, lists or dicts, and other things hashable.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, classes, gist, way_out = CASES[name]
    with pytest.raises(Exception) as caught:
        call()
    for cls in classes:
        assert isinstance(caught.value, cls)
    says(caught.value, gist, way_out)


def test_the_line_is_the_one_in_the_function():
    def deep(x):
        y = np.sin(x)
        return np.sum(y @ np.ones(7))

    with pytest.raises(ValueError, match="do not fit") as caught:
        grad(deep)(X)
    assert "np.sum(y @ np.ones(7))" in str(caught.value)


def test_a_leaked_tracer_names_both_lines():
    keep = []

    def leaky(x):
        keep.append(x * 2.0)
        return x

    grad(leaky)(1.0)
    with pytest.raises(errors.LeakedTracerError) as caught:
        keep[0] + 1
    born = keep[0].home.builder.equations[-1].loc
    source = says(
        caught.value,
        "Tracer<f64[]> escaped from leaky, whose trace has ended (the tracer was made at"
        f" {born.head}: keep.append(x * 2.0)).",
        "Return the value from the function, with has_aux=True if it is not to be differentiated,"
        " instead of storing it.",
    )
    assert source == "keep[0] + 1"


def test_item_assignment_into_an_ndarray_is_refused():
    y = np.zeros(3)

    def fill(x):
        y[0] = x[0]
        return np.sum(y)

    with pytest.raises(errors.EscapeError) as caught:
        grad(fill)(X)
    source = says(
        caught.value,
        "Tracer<f64[]> would be stored in an ndarray as a constant, its derivative lost.",
        "Make the array in the function: np.zeros_like(x), or tracer.numpy.zeros.",
    )
    assert source == "y[0] = x[0]"


def test_writing_to_a_traced_array():
    def write(x):
        x[0] = 1.0
        return np.sum(x)

    with pytest.raises(errors.MutationError) as caught:
        grad(write)(X)
    says(
        caught.value,
        "Tracer<f64[3]> cannot be written to: its memory is that of an argument of write, which"
        " is not to change.",
        "Write to a copy: y = x.copy().",
    )


def test_a_dropped_derivative_is_warned_about():
    def f(x):
        return math.sin(x) * x

    with pytest.warns(errors.TracerWarning) as caught:
        assert grad(f)(1.0) == math.sin(1.0)
    says(
        caught[0].message,
        "float() of Tracer<f64[]> drops its derivative.",
        "Use NumPy's functions (np.sin for math.sin), or stop_gradient if that is meant.",
    )


def test_it_is_warned_once_for_a_line():
    def f(x):
        return float(x) * x

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            grad(f)(1.0)
    assert len(caught) == 1


def test_an_index_checked_when_it_is_run():
    with pytest.raises(IndexError) as caught:
        vmap(lambda x, i: x[i], (None, 0))(X, np.array([0, 3]))
    assert str(caught.value).startswith(f"{__file__}:")
    assert "out of bounds for axis 0 with size 3" in str(caught.value)


def test_the_stack_is_clean_after_an_error():
    for _ in range(3):
        with pytest.raises(errors.NonScalarOutputError):
            grad(np.sin)(X)
    assert grad(np.sin)(0.0) == 1.0
