"""Whole error messages: the user's line, what is wrong, the source line, the way out."""

from __future__ import annotations

import linecache
import math
import pickle
import re
import threading
import warnings

import numpy as np
import pytest

from tracer import errors, grad, jacrev, jit, jvp, linearize, trace, vjp, vmap

X = np.array([1.0, 2.0, 3.0])
NAME = re.escape(__file__)


def says(error, gist, way_out):
    """The message is ``file:line: gist``, the line of this file, the way out."""
    found = re.match(rf"{NAME}:(\d+): ", str(error))
    assert found, f"does not begin with the user's line: {error}"
    line = int(found[1])
    source = linecache.getline(__file__, line).strip()
    assert str(error) == f"{__file__}:{line}: {gist}\n    {source}\n{way_out}"
    return source


def branch(x):
    return x if x > 0 else -x


def scalar_of(result):
    """A function that returns the same whatever it is given."""
    return lambda x: result


SCALAR = "Reduce the output with np.sum or np.mean, or use vjp or jacrev."
FLOAT = "Convert with astype(float), or leave it out of the differentiated argument."
ARGNUMS = "argnums is an int, or a tuple of different ints."
IN_DIMS = "in_dims is an int, None, or a tuple with one of these, or a tree of them, by argument."

CASES = {
    "grad of a vector": (
        lambda: grad(np.sin)(X),
        (RuntimeError, TypeError),
        "grad needs a function that returns a scalar array, and this one returned shape (3,).",
        SCALAR,
    ),
    "grad of None": (
        lambda: grad(scalar_of(None))(X),
        (RuntimeError, TypeError),
        "grad needs a function that returns a scalar array, and this one returned NoneType.",
        SCALAR,
    ),
    "grad of a tuple": (
        lambda: grad(lambda x: (x, x))(1.0),
        (RuntimeError, TypeError),
        "grad needs a function that returns a scalar array, and this one returned tuple.",
        SCALAR,
    ),
    "integer output": (
        lambda: grad(lambda x: np.sum(x > 0))(X),
        (RuntimeError, TypeError),
        "grad: the function returned int64, which has no derivative.",
        "Convert with astype(float), or return it as aux.",
    ),
    "integer input": (
        lambda: grad(np.sum)(np.arange(3)),
        (RuntimeError, TypeError),
        "grad: argument 0 holds int64, which has no derivative.",
        FLOAT,
    ),
    "Python int input": (
        lambda: grad(np.sin)(3),
        (RuntimeError, TypeError),
        "grad: argument 0 holds int, which has no derivative.",
        FLOAT,
    ),
    "text input": (
        lambda: grad(np.sin)({"a": 1.0, "b": "text"}),
        (ValueError, TypeError),
        "grad: argument 0['b'] holds something that is no float array: got str.",
        "Pass it as an argument that is not differentiated.",
    ),
    "aux": (
        lambda: grad(np.sin, has_aux=True)(1.0),
        (RuntimeError, TypeError),
        "grad: with has_aux=True the output of the function should be a tuple (output, aux), got"
        " Tracer.",
        "Return (output, aux), or leave has_aux out.",
    ),
    "argnums out of range": (
        lambda: grad(np.sin, argnums=2)(1.0, 2.0),
        (RuntimeError,),
        "grad: Got argnum=2, but only 2 positional inputs.",
        ARGNUMS,
    ),
    "argnums bool": (
        lambda: grad(np.sin, argnums=True)(1.0),
        (RuntimeError,),
        "grad: argnums should be int or tuple, got bool.",
        ARGNUMS,
    ),
    "argnums float": (
        lambda: jacrev(np.sin, argnums=(0.5,))(1.0),
        (RuntimeError,),
        "jacrev: argnums holds 0.5, which is not an int.",
        ARGNUMS,
    ),
    "argnums empty": (
        lambda: grad(np.sin, argnums=())(1.0),
        (RuntimeError,),
        "grad: argnums must not be empty.",
        ARGNUMS,
    ),
    "argnums twice": (
        lambda: grad(np.sin, argnums=(0, -1))(1.0),
        (RuntimeError,),
        "grad: argnums=(0, -1) names an argument twice.",
        ARGNUMS,
    ),
    "vjp of nothing": (
        lambda: vjp(lambda x: (), 1.0),
        (RuntimeError,),
        "vjp expected <lambda> to return at least one array.",
        "Return an array.",
    ),
    "vjp of text": (
        lambda: vjp(lambda x: "s", 1.0),
        (RuntimeError,),
        "vjp expected <lambda> to return arrays, got str.",
        "Return arrays only; grad, vjp, jvp and jacobians take has_aux=True for more.",
    ),
    "cotangent shape": (
        lambda: vjp(np.sin, X)[1](np.ones(2)),
        (RuntimeError, ValueError),
        "vjp_fn got a cotangent of type f64[2], and sin returned f64[3].",
        "A cotangent has the shape and dtype of its output.",
    ),
    "jvp without tuples": (
        lambda: jvp(np.sin, X, X),
        (RuntimeError, TypeError),
        "jvp expected tuples of primals and tangents, got ndarray and ndarray.",
        "Write jvp(f, (x,), (dx,)).",
    ),
    "tangent dtype": (
        lambda: jvp(np.sin, (X,), (X.astype(np.float32),)),
        (RuntimeError, TypeError),
        "jvp: a primal has type f64[3], its tangent f32[3].",
        "A tangent has the shape and dtype of its primal.",
    ),
    "linearize tangent": (
        lambda: linearize(np.sin, X)[1](np.ones(2)),
        (RuntimeError, TypeError),
        "linearize: a primal has type f64[3], its tangent f64[2].",
        "A tangent has the shape and dtype of its primal.",
    ),
    "vmap sizes": (
        lambda: vmap(np.add)(X, np.ones(2)),
        (ValueError,),
        "vmap: the mapped axes differ in size (argument 0: 3, argument 1: 2).",
        "All mapped arguments must have the same size along their mapped axis.",
    ),
    "vmap in_dims type": (
        lambda: vmap(np.add, in_dims="a")(X, X),
        (ValueError,),
        "vmap: in_dims should be int or tuple, got str.",
        IN_DIMS,
    ),
    "vmap in_dims count": (
        lambda: vmap(np.add, in_dims=(0,))(X, X),
        (ValueError,),
        "vmap: in_dims has 1 entries, and the call 2 arguments.",
        IN_DIMS,
    ),
    "vmap in_dims range": (
        lambda: vmap(np.add, in_dims=(0, 3))(X, X),
        (ValueError,),
        "vmap: in_dims=3 is out of range for argument 1, an array of 1 axes.",
        "Axes run from -1 to 0.",
    ),
    "vmap of nothing": (
        lambda: vmap(np.sin, in_dims=None)(X),
        (ValueError,),
        "vmap: there are no inputs to map over: in_dims is None for all.",
        "Map one, or give axis_size.",
    ),
    "vmap of text": (
        lambda: vmap(lambda x, y: x)(X, "text"),
        (ValueError,),
        "vmap: in_dims=0 for argument 1, which is no array but str.",
        "Use None in in_dims for what is not mapped.",
    ),
    "vmap out_dims None": (
        lambda: vmap(np.sin, out_dims=None)(X),
        (ValueError,),
        "vmap: out_dims is None for an output that is batched: Tracer<f64[]>.",
        "Give the place of its batch axis.",
    ),
    "vmap out_dims range": (
        lambda: vmap(np.sin, out_dims=2)(X),
        (IndexError, ValueError),
        "vmap: out_dims=2 is out of range for an output of 0 axes.",
        "Axes run from -1 to 0.",
    ),
    "vmap randomness": (
        lambda: vmap(np.sin, randomness="x"),
        (RuntimeError,),
        "vmap: randomness='x' is unknown.",
        'Use "error", "different" or "same".',
    ),
    "vmap chunk_size": (
        lambda: vmap(np.sin, chunk_size=0),
        (ValueError,),
        "vmap: chunk_size=0 should be a positive int.",
        "Or None.",
    ),
    "branch under vmap": (
        lambda: vmap(branch)(X),
        (RuntimeError, TypeError),
        "vmap cannot choose a branch by the value of Tracer<bool[]>: vmap has one value for each"
        " element of the batch.",
        "Use np.where(condition, a, b), or loop over the batch in Python.",
    ),
    "branch on shapes alone": (
        lambda: trace(branch, "f64[]"),
        (RuntimeError, TypeError),
        "trace cannot choose a branch by the value of Tracer<bool[]>: the function is traced with"
        " shapes only.",
        "Use np.where(condition, a, b), or call trace with arrays.",
    ),
    "no trace of linalg": (
        lambda: grad(np.linalg.det)(np.eye(2)),
        (TypeError, NotImplementedError),
        "np.linalg.det is not traced.",
        "Nearest that is: np.linalg.norm, np.invert, np.rint.",
    ),
    "np.asarray": (
        lambda: grad(lambda x: np.asarray(x).sum())(X),
        (RuntimeError, TypeError),
        "NumPy asks for the elements of Tracer<f64[3]> as constants here, so their derivative"
        " would be lost.",
        "Use np.stack([...]) for np.array([...]) of traced values, and tracer.numpy for a"
        " function that NumPy does not dispatch; stop_gradient drops a derivative.",
    ),
    "out=": (
        lambda: grad(lambda x: np.add(x, x, out=X))(X),
        (TypeError, NotImplementedError),
        "np.add with out= writes in place, which traced arrays do not do.",
        "Use the value that np.add returns.",
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
    "complex": (
        lambda: grad(lambda x: x + 1j)(X),
        (TypeError, RuntimeError),
        "dtype complex128 is not supported (supported: bool, int32, int64, float32, float64).",
        "Keep real and imaginary parts in arrays of their own.",
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


def test_a_tracer_of_another_thread():
    def other(x):
        found = []

        def work():
            try:
                x + 1
            except errors.LeakedTracerError as error:
                found.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise found[0]

    with pytest.raises(errors.LeakedTracerError) as caught:
        grad(other)(1.0)
    says(
        caught.value,
        "Tracer<f64[]> escaped from other, whose trace runs in another thread (the tracer was an"
        " argument of other).",
        "Return the value from the function, with has_aux=True if it is not to be differentiated,"
        " instead of storing it.",
    )


def test_item_assignment_into_an_ndarray_is_refused():
    def fill(x):
        y = np.zeros(3)
        y[0] = x[0]
        return np.sum(y)

    with pytest.raises(errors.EscapeError) as caught:
        grad(fill)(X)
    source = says(
        caught.value,
        "Tracer<f64[]> would be stored in an ndarray as a constant, its derivative lost.",
        "Collect the values in a list and np.stack them.",
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
        "Tracer<f64[3]> cannot be written to: a traced array does not change in place.",
        "Build the result with np.where, np.concatenate or np.stack.",
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
