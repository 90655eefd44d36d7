"""The table of errors: for each row the types that users catch, and whole messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.tracer.contract.golden import check_says

from tracer import (
    errors,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    trace,
    value_and_grad,
    vjp,
    vmap,
)
from tracer.tables import nearest

X = np.array([1.0, 2.0, 3.0])
Z = np.array([1 + 2j])
TABLE = np.arange(3.0)
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Row:
    """What users catch, and by name a call, what it says is wrong, and the way out."""

    types: tuple[type[Exception], ...]
    cases: dict[str, tuple[Callable[[], Any], str, str]]


def gives(result):
    """A function that returns the same whatever it is given."""
    return lambda *xs: result


def branch(x):
    return x if x > 0 else -x


def noisy(x):
    return x * RNG.normal()


def drawn(mode, name):
    return (
        f'vmap with randomness="{mode}": {name} draws random numbers, which NumPy draws once for'
        " the whole batch."
    )


def item_of_argument(x):
    x[0] = 1.0
    return np.sum(x)


def added_to_argument(x):
    x += 1.0
    return np.sum(x)


def view_of_argument(x):
    x[1:].reshape(1, 2)[:] = 0.0
    return np.sum(x)


def item_of_capture(x):
    TABLE[0] = x[0]
    return np.sum(TABLE * x)


def not_written(x, whose):
    return f"{x} cannot be written to: its memory is that of {whose}, which is not to change."


def leaked():
    keep = []
    grad(lambda x: keep.append(x) or x * 1.0)(1.0)
    return keep[0]


SCALAR = "Reduce the output with np.sum or np.mean, or use vjp or jacrev."
FLOAT = "Convert with astype(float), or leave it out of the differentiated argument."
FLOATS_OUT = "Convert with astype(float), or return it as aux."
PARTS = "Keep real and imaginary parts in arrays of their own."
ARGNUMS = "argnums is an int, or a tuple of different ints."
PAIR = "Return (output, aux), or leave has_aux out."
ARRAYS = "Return arrays only; grad, vjp, jvp and jacobians take has_aux=True for more."
COTANGENT = "A cotangent has the shape and dtype of its output."
COTANGENTS = "Pass one cotangent for each output, in the same containers."
TANGENT = "A tangent has the shape and dtype of its primal."
TANGENTS = "Pass one tangent for each primal, in the same containers."
IN_DIMS = "in_dims is an int, None, or a tuple with one of these, or a tree of them, by argument."
OUT_DIMS = "out_dims is an int, None, or a tree of these like the output."
SIZES = "All mapped arguments must have the same size along their mapped axis."
COPY = "Write to a copy: y = x.copy()."
DRAW = (
    "Draw them for the batch outside and map over them, or accept the same for every example:"
    ' randomness="same".'
)
RANDOMNESS = 'Use "error", "different" or "same".'
LOOP = "Use np.where(condition, a, b), or loop over the batch in Python."
VALUE = "Keep the value an array: np.floor, astype and the like, or loop over the batch in Python."
BATCH = "vmap has one value for each element of the batch."
ESCAPED = (
    "Return the value from the function, with has_aux=True if it is not to be differentiated,"
    " instead of storing it."
)


def needs_scalar(transform, shown):
    return (
        f"{transform} needs a function that returns a scalar array, and this one returned {shown}."
    )


def needs_pair(transform, got):
    return (
        f"{transform}: with has_aux=True the output of the function should be a tuple"
        f" (output, aux), got {got}."
    )


ROWS = {
    "grad: output not rank 0": Row(
        (RuntimeError, TypeError, errors.NonScalarOutputError, errors.TransformError),
        {
            "vector": (lambda: grad(np.sin)(X), needs_scalar("grad", "shape (3,)"), SCALAR),
            "shape (1,)": (
                lambda: grad(gives(X[:1]))(X),
                needs_scalar("grad", "shape (1,)"),
                SCALAR,
            ),
            "value_and_grad": (
                lambda: value_and_grad(np.sin)(X),
                needs_scalar("value_and_grad", "shape (3,)"),
                SCALAR,
            ),
            "grad_and_value": (
                lambda: grad_and_value(np.sin)(X),
                needs_scalar("grad_and_value", "shape (3,)"),
                SCALAR,
            ),
            "hvp": (lambda: hvp(np.sin, (X,), (X,)), needs_scalar("hvp", "shape (3,)"), SCALAR),
            "with aux": (
                lambda: grad(lambda x: (x, x), has_aux=True)(X),
                needs_scalar("grad", "shape (3,)"),
                SCALAR,
            ),
        },
    ),
    "grad: output not an array": Row(
        (RuntimeError, TypeError, errors.NonScalarOutputError),
        {
            "None": (lambda: grad(gives(None))(X), needs_scalar("grad", "NoneType"), SCALAR),
            "tuple": (lambda: grad(gives((1.0, 2.0)))(X), needs_scalar("grad", "tuple"), SCALAR),
            "list of one": (lambda: grad(lambda x: [x])(1.0), needs_scalar("grad", "list"), SCALAR),
            "text": (lambda: grad(gives("s"))(X), needs_scalar("grad", "str"), SCALAR),
        },
    ),
    "integer or bool output, or differentiated input": Row(
        (RuntimeError, TypeError, ValueError, errors.DifferentiableTypeError),
        {
            "integer output": (
                lambda: grad(lambda x: np.sum(x > 0))(X),
                "grad: the function returned int64, which has no derivative.",
                FLOATS_OUT,
            ),
            "bool output": (
                lambda: jacfwd(lambda x: x > 0)(X),
                "jacfwd: the function returned bool, which has no derivative.",
                FLOATS_OUT,
            ),
            "Python int output": (
                lambda: grad(gives(3))(1.0),
                "grad: the function returned int64, which has no derivative.",
                FLOATS_OUT,
            ),
            "integer input": (
                lambda: grad(np.sum)(np.arange(3)),
                "grad: argument 0 holds int64, which has no derivative.",
                FLOAT,
            ),
            "bool input": (
                lambda: vjp(np.sum, np.array([True])),
                "vjp: argument 0 holds bool, which has no derivative.",
                FLOAT,
            ),
            "Python int input": (
                lambda: jvp(np.sin, (3,), (1,)),
                "jvp: argument 0 holds int, which has no derivative.",
                FLOAT,
            ),
            "integer in a tree": (
                lambda: hessian(lambda x, p: x, 1)(1.0, {"a": X, "b": [X, np.arange(2)]}),
                "hessian: argument 1['b'][1] holds int64, which has no derivative.",
                FLOAT,
            ),
        },
    ),
    "complex numbers": Row(
        (RuntimeError, TypeError, errors.ComplexError, errors.PromotionError),
        {
            "argument": (
                lambda: grad(np.abs)(Z),
                "grad: argument 0 holds complex128, which is not traced.",
                PARTS,
            ),
            "Python number": (
                lambda: grad(np.abs)(1 + 2j),
                "grad: argument 0 holds complex128, which is not traced.",
                PARTS,
            ),
            "arithmetic": (
                lambda: grad(lambda x: np.sum(x * 1j))(X),
                "dtype complex128 is not supported (supported: bool, int32, int64, float32,"
                " float64).",
                PARTS,
            ),
            "astype": (
                lambda: vjp(lambda x: x.astype(complex), X),
                "dtype complex128 is not traced (traced: bool, int32, int64, float32, float64).",
                PARTS,
            ),
            "mapped": (
                lambda: vmap(np.abs)(Z),
                "vmap: argument 0 holds complex128, which is not traced.",
                PARTS,
            ),
            "output": (
                lambda: grad(gives(Z[0]))(1.0),
                "dtype complex128 is not supported (supported: bool, int32, int64, float32,"
                " float64).",
                PARTS,
            ),
            "jit": (
                lambda: jit(np.abs)(Z),
                "dtype complex128 is not traced (traced: bool, int32, int64, float32, float64).",
                PARTS,
            ),
        },
    ),
    "differentiated leaf is no array": Row(
        (ValueError, TypeError, errors.DifferentiableLeafError),
        {
            "text": (
                lambda: grad(np.sin)("text"),
                "grad: argument 0 holds something that is no float array: got str.",
                "Pass it as an argument that is not differentiated.",
            ),
            "None in a tree": (
                lambda: vjp(lambda p: p["a"], {"a": 1.0, "b": (None,)}),
                "vjp: argument 0['b'][0] holds something that is no float array: got NoneType.",
                "Pass it as an argument that is not differentiated.",
            ),
            "object": (
                lambda: jacrev(gives(1.0), 1)(1.0, object()),
                "jacrev: argument 1 holds something that is no float array: got object.",
                "Pass it as an argument that is not differentiated.",
            ),
            "array of text": (
                lambda: grad(np.sum)({"a": np.array(["x"])}),
                "grad: argument 0['a'] holds something that is no float array: got <U1.",
                "Pass it as an argument that is not differentiated.",
            ),
            "array of objects": (
                lambda: grad(np.sum)(np.array([None])),
                "grad: argument 0 holds something that is no float array: got object.",
                "Pass it as an argument that is not differentiated.",
            ),
        },
    ),
    "has_aux and no pair": Row(
        (RuntimeError, TypeError, errors.AuxError),
        {
            "array": (
                lambda: grad(np.sin, has_aux=True)(1.0),
                needs_pair("grad", "Tracer"),
                PAIR,
            ),
            "three": (
                lambda: vjp(lambda x: (x, x, x), X, has_aux=True),
                needs_pair("vjp", "a tuple of 3"),
                PAIR,
            ),
            "list": (
                lambda: jvp(lambda x: [x, x], (X,), (X,), has_aux=True),
                needs_pair("jvp", "list"),
                PAIR,
            ),
            "jacrev": (
                lambda: jacrev(gives(None), has_aux=True)(X),
                needs_pair("jacrev", "NoneType"),
                PAIR,
            ),
        },
    ),
    "vjp of no output": Row(
        (RuntimeError, TypeError, errors.OutputError),
        {
            "empty": (
                lambda: vjp(lambda x: (), 1.0),
                "vjp expected <lambda> to return at least one array.",
                "Return an array.",
            ),
            "text": (
                lambda: vjp(lambda x: "s", 1.0),
                "vjp expected <lambda> to return arrays, got str.",
                ARRAYS,
            ),
            "None beside an array": (
                lambda: vjp(lambda x: (x, None), 1.0),
                "vjp expected <lambda> to return arrays, got NoneType.",
                ARRAYS,
            ),
            "jacfwd": (
                lambda: jacfwd(lambda x: {})(1.0),
                "jacfwd expected <lambda> to return at least one array.",
                "Return an array.",
            ),
        },
    ),
    "cotangents differ": Row(
        (RuntimeError, ValueError, errors.CotangentError),
        {
            "structure": (
                lambda: vjp(lambda x: (x, [x]), X)[1](X),
                "vjp_fn got cotangents of structure *, and <lambda> returned (*, [*]).",
                COTANGENTS,
            ),
            "keys": (
                lambda: vjp(lambda x: {"a": x}, X)[1]({"b": X}),
                "vjp_fn got cotangents of structure {'b': *}, and <lambda> returned {'a': *}.",
                COTANGENTS,
            ),
            "shape": (
                lambda: vjp(np.sin, X)[1](np.ones(2)),
                "vjp_fn got a cotangent of type f64[2], and sin returned f64[3].",
                COTANGENT,
            ),
            "dtype": (
                lambda: vjp(np.sin, X)[1](X.astype(np.float32)),
                "vjp_fn got a cotangent of type f32[3], and sin returned f64[3].",
                COTANGENT,
            ),
            "no array": (
                lambda: vjp(np.sin, X)[1](None),
                "vjp_fn got a cotangent of type NoneType, and sin returned f64[3].",
                COTANGENT,
            ),
        },
    ),
    "jvp": Row(
        (RuntimeError, TypeError, ValueError, errors.TangentError),
        {
            "no tuples": (
                lambda: jvp(np.sin, X, [X]),
                "jvp expected tuples of primals and tangents, got ndarray and list.",
                "Write jvp(f, (x,), (dx,)).",
            ),
            "structure": (
                lambda: jvp(lambda p: p["a"], ({"a": X},), ((X,),)),
                "jvp: primals have structure ({'a': *},), tangents ((*,),).",
                TANGENTS,
            ),
            "count": (
                lambda: jvp(np.add, (X, X), (X,)),
                "jvp: primals have structure (*, *), tangents (*,).",
                TANGENTS,
            ),
            "shape": (
                lambda: jvp(np.sin, (X,), (X[:2],)),
                "jvp: a primal has type f64[3], its tangent f64[2].",
                TANGENT,
            ),
            "dtype": (
                lambda: jvp(np.sin, (X,), (X.astype(np.float32),)),
                "jvp: a primal has type f64[3], its tangent f32[3].",
                TANGENT,
            ),
            "integers": (
                lambda: jvp(np.sin, (X,), (np.arange(3),)),
                "jvp: a primal has type f64[3], its tangent i64[3].",
                TANGENT,
            ),
            "linearize": (
                lambda: linearize(np.sin, X)[1](np.ones(2)),
                "linearize: a primal has type f64[3], its tangent f64[2].",
                TANGENT,
            ),
            "strict": (
                lambda: jvp(gives(X), (X,), (X,), strict=True),
                "jvp with strict=True: an output of <lambda> does not depend on the primals.",
                "Leave strict out to get a zero tangent.",
            ),
        },
    ),
    "argnums": Row(
        (RuntimeError, TypeError, ValueError, errors.ArgnumsError),
        {
            "out of range": (
                lambda: grad(np.add, 2)(1.0, 2.0),
                "grad: Got argnum=2, but only 2 positional inputs.",
                ARGNUMS,
            ),
            "below range": (
                lambda: jacrev(np.add, (0, -3))(1.0, 2.0),
                "jacrev: Got argnum=-3, but only 2 positional inputs.",
                ARGNUMS,
            ),
            "one input": (
                lambda: grad(np.sin, 1)(1.0),
                "grad: Got argnum=1, but only 1 positional input.",
                ARGNUMS,
            ),
            "bool": (
                lambda: grad(np.sin, True)(1.0),
                "grad: argnums should be int or tuple, got bool.",
                ARGNUMS,
            ),
            "text": (
                lambda: hessian(np.sin, "0")(1.0),
                "hessian: argnums should be int or tuple, got str.",
                ARGNUMS,
            ),
            "float within": (
                lambda: jacfwd(np.sin, (0.5,))(1.0),
                "jacfwd: argnums holds 0.5, which is not an int.",
                ARGNUMS,
            ),
            "bool within": (
                lambda: grad(np.sin, (True,))(1.0),
                "grad: argnums holds True, which is not an int.",
                ARGNUMS,
            ),
            "empty": (
                lambda: value_and_grad(np.sin, ())(1.0),
                "value_and_grad: argnums must not be empty.",
                ARGNUMS,
            ),
            "twice": (
                lambda: jacobian(np.add, (1, -1))(1.0, 2.0),
                "jacobian: argnums=(1, -1) names an argument twice.",
                ARGNUMS,
            ),
            "no primals": (
                lambda: vjp(gives(1.0)),
                "vjp: there are no primals.",
                "Pass what func takes, after it.",
            ),
        },
    ),
    "vmap in_dims": Row(
        (ValueError, errors.VmapError),
        {
            "bad type": (
                lambda: vmap(np.add, "a")(X, X),
                "vmap: in_dims should be int or tuple, got str.",
                IN_DIMS,
            ),
            "bad type within": (
                lambda: vmap(np.add, (0, 0.5))(X, X),
                "vmap: in_dims holds 0.5, which is neither an int nor None.",
                IN_DIMS,
            ),
            "bool within": (
                lambda: vmap(np.add, (0, True))(X, X),
                "vmap: in_dims holds True, which is neither an int nor None.",
                IN_DIMS,
            ),
            "count": (
                lambda: vmap(np.add, (0,))(X, X),
                "vmap: in_dims has length 1, and the call 2 arguments.",
                IN_DIMS,
            ),
            "structure": (
                lambda: vmap(lambda p: p, ({"a": 0},))({"b": X}),
                "vmap: in_dims=({'a': 0},) does not have the structure of the arguments,"
                " ({'b': *},).",
                IN_DIMS,
            ),
            "out of range": (
                lambda: vmap(np.add, (0, 3))(X, X),
                "vmap: in_dims=3 is out of range for argument 1, an array of 1 axes.",
                "Axes run from -1 to 0.",
            ),
            "number": (
                lambda: vmap(np.add)(X, 2.0),
                "vmap: in_dims=0 is out of range for argument 1, an array of 0 axes.",
                "A number is not mapped: None.",
            ),
            "no array": (
                lambda: vmap(lambda p: p["a"])({"a": X, "how": "text"}),
                "vmap: in_dims=0 for argument 0['how'], which is no array but str.",
                "Use None in in_dims for what is not mapped.",
            ),
            "sizes differ": (
                lambda: vmap(np.add)(X, np.ones(2)),
                "vmap: the mapped axes differ in size (argument 0: 3, argument 1: 2).",
                SIZES,
            ),
            "sizes in a tree differ": (
                lambda: vmap(lambda p: p)({"w": X, "b": [np.ones(2)]}),
                "vmap: the mapped axes differ in size (argument 0['w']: 3, argument 0['b'][0]: 2).",
                SIZES,
            ),
            "axis_size differs": (
                lambda: vmap(np.sin, axis_size=2)(X),
                "vmap: the mapped axes differ in size (argument 0: 3, axis_size: 2).",
                SIZES,
            ),
            "bad axis_size": (
                lambda: vmap(np.sin, None, axis_size=-1)(X),
                "vmap: axis_size=-1 should be an int from 0.",
                "Or None.",
            ),
            "no inputs": (
                lambda: vmap(gives(1.0))(),
                "vmap: there are no inputs to map over.",
                "Pass an array, or give axis_size.",
            ),
            "all None": (
                lambda: vmap(np.add, (None, None))(X, X),
                "vmap: there are no inputs to map over: in_dims is None for all.",
                "Map one, or give axis_size.",
            ),
        },
    ),
    "vmap out_dims": Row(
        (ValueError, errors.VmapError),
        {
            "None for what is batched": (
                lambda: vmap(np.sin, out_dims=None)(X),
                "vmap: out_dims is None for an output that is batched: Tracer<f64[]>.",
                "Give the place of its batch axis.",
            ),
            "bad type": (
                lambda: vmap(np.sin, out_dims="a")(X),
                "vmap: out_dims holds 'a', which is neither an int nor None.",
                OUT_DIMS,
            ),
            "structure": (
                lambda: vmap(lambda x: [x, {"a": x}], out_dims=(0, 0, 0))(X),
                "vmap: out_dims=(0, 0, 0) does not have the structure of the output,"
                " [*, {'a': *}].",
                OUT_DIMS,
            ),
            "out of range": (
                lambda: vmap(np.sin, out_dims=2)(X),
                "vmap: out_dims=2 is out of range for an output of 0 axes.",
                "Axes run from -1 to 0.",
            ),
            "no array": (
                lambda: vmap(lambda x: (x, None))(X),
                "vmap expected <lambda> to return arrays, got NoneType.",
                ARRAYS,
            ),
        },
    ),
    "randomness": Row(
        (RuntimeError, errors.RandomnessError),
        {
            "unknown": (
                lambda: vmap(np.sin, randomness="x"),
                "vmap: randomness='x' is unknown.",
                RANDOMNESS,
            ),
            "np.random": (
                lambda: vmap(lambda x: x + np.random.normal())(X),
                drawn("error", "<lambda>"),
                DRAW,
            ),
            "different": (
                lambda: vmap(noisy, randomness="different")(X),
                drawn("different", "noisy"),
                DRAW,
            ),
            "a generator by name": (lambda: vmap(noisy)(X), drawn("error", "noisy"), DRAW),
            "a generator as argument": (
                lambda: vmap(lambda x, rng: x + rng.normal(), (0, None))(X, RNG),
                drawn("error", "<lambda>"),
                DRAW,
            ),
            "under jit, in chunks": (
                lambda: jit(vmap(grad(noisy), chunk_size=2))(X),
                drawn("error", "noisy"),
                DRAW,
            ),
            "unknown to jacfwd": (
                lambda: jacfwd(np.sin, randomness=None),
                "jacfwd: randomness=None is unknown.",
                RANDOMNESS,
            ),
        },
    ),
    "chunk_size": Row(
        (ValueError, errors.VmapError),
        {
            transform.__name__: (
                lambda transform=transform, size=size: transform(np.sin, chunk_size=size),
                f"{transform.__name__}: chunk_size={size!r} should be a positive int.",
                "Or None.",
            )
            for transform, size in (
                (vmap, 0),
                (jacrev, -1),
                (jacfwd, 1.5),
                (jacobian, True),
                (hessian, 0),
            )
        },
    ),
    "values under vmap": Row(
        (RuntimeError, TypeError, errors.ConcretizationError),
        {
            "branch": (
                lambda: vmap(branch)(X),
                f"vmap cannot choose a branch by the value of Tracer<bool[]>: {BATCH}",
                LOOP,
            ),
            "branch under grad": (
                lambda: vmap(grad(branch))(X),
                f"vmap cannot choose a branch by the value of Tracer<bool[]>: {BATCH}",
                LOOP,
            ),
            "float": (
                lambda: vmap(lambda x: x * float(x))(X),
                f"vmap cannot take float() of Tracer<f64[]>: {BATCH}",
                VALUE,
            ),
            "range": (
                lambda: vmap(lambda n: sum(range(int(n))))(np.arange(3)),
                f"vmap cannot take int() of Tracer<i64[]>: {BATCH}",
                VALUE,
            ),
            "item": (
                lambda: vmap(lambda x: x.item())(X),
                f"vmap cannot take item() of Tracer<f64[]>: {BATCH}",
                VALUE,
            ),
            "nonzero": (
                lambda: vmap(lambda x: np.nonzero(x > 0)[0])(np.eye(3)),
                f"vmap cannot find the true elements of Tracer<bool[3]>: {BATCH}",
                "Use np.where(mask, x, other), or multiply by the mask, or loop over the batch in"
                " Python.",
            ),
            "index": (
                lambda: vmap(lambda i: [1.0, 2.0, 3.0][i])(np.arange(3)),
                f"vmap cannot use as a Python index Tracer<i64[]>: {BATCH}",
                "Use np.take, or an integer array as index, or loop over the batch in Python.",
            ),
        },
    ),
    "writing to an argument or captured array": Row(
        (RuntimeError, TypeError),
        {
            "argument": (
                lambda: grad(item_of_argument)(X),
                not_written("Tracer<f64[3]>", "an argument of item_of_argument"),
                COPY,
            ),
            "argument under vmap": (
                lambda: vmap(item_of_argument)(np.eye(3)),
                not_written("Tracer<f64[3]>", "an argument of item_of_argument"),
                COPY,
            ),
            "argument under jit": (
                lambda: jit(added_to_argument)(X),
                not_written("Tracer<f64[3]>", "an argument of added_to_argument"),
                COPY,
            ),
            "view of an argument": (
                lambda: jvp(view_of_argument, (X,), (X,)),
                not_written("Tracer<f64[1,2]>", "an argument of view_of_argument"),
                COPY,
            ),
            "argument as out=": (
                lambda: grad(lambda x: np.sum(np.add(x, 1.0, out=x)))(X),
                not_written("Tracer<f64[3]>", "an argument of <lambda>"),
                COPY,
            ),
            "captured array": (
                lambda: grad(item_of_capture)(X),
                "Tracer<f64[]> would be stored in an ndarray as a constant, its derivative lost.",
                "Make the array in the function: np.zeros_like(x), or tracer.numpy.zeros.",
            ),
            "captured array as out=": (
                lambda: grad(lambda x: np.sum(np.add(x, 1.0, out=TABLE)))(X),
                "traced values cannot be written to an ndarray of shape (3,): they would become"
                " constants.",
                "Write to a traced copy: np.array(y) made in the function, or np.zeros_like(x).",
            ),
        },
    ),
    "leaked tracer": Row(
        (RuntimeError, errors.LeakedTracerError),
        {
            "argument": (
                lambda: leaked() + 1,
                "Tracer<f64[]> escaped from <lambda>, whose trace has ended (the tracer was an"
                " argument of <lambda>).",
                ESCAPED,
            ),
        },
    ),
    "a NumPy function that is not traced": Row(
        (TypeError, NotImplementedError, errors.UntracedFunctionError),
        {
            "function": (
                lambda: grad(lambda x: np.sum(np.packbits(x)))(X),
                "np.packbits is not traced.",
                f"Nearest that is: {nearest('np.packbits')}.",
            ),
            "ufunc": (
                lambda: grad(np.frexp)(1.0),
                "np.frexp is not traced.",
                f"Nearest that is: {nearest('np.frexp')}.",
            ),
        },
    ),
}

CASES = [(row, name) for row in ROWS for name in ROWS[row].cases]


@pytest.mark.parametrize(("row", "name"), CASES, ids=lambda x: x)
def test_row(row, name, figures):
    call, gist, way_out = ROWS[row].cases[name]
    with pytest.raises(Exception) as caught:
        call()
    check_says(caught.value, __file__, gist, way_out)
    for kind in ROWS[row].types:
        assert isinstance(caught.value, kind)
        with pytest.raises(kind):
            call()
    figures.cover("contract: rows of the table of errors", {row})
    figures.add("contract: whole messages of errors")


def test_what_cannot_be_written_is_as_it_was():
    np.testing.assert_array_equal(X, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(TABLE, [0.0, 1.0, 2.0])


def test_bad_dims_are_type_errors_too():
    for call in (
        lambda: vmap(np.add, "a")(X, X),
        lambda: vmap(np.add, (0, 0.5))(X, X),
        lambda: vmap(np.sin, out_dims="a")(X),
        lambda: vmap(lambda x, y: x)(X, "text"),
    ):
        with pytest.raises(TypeError):
            call()


def test_an_axis_out_of_range_is_an_index_error_too():
    with pytest.raises(IndexError):
        vmap(np.sin, out_dims=2)(X)


def test_a_trace_of_shapes_has_no_values():
    with pytest.raises(errors.ConcretizationError) as caught:
        trace(branch, "f64[]")
    check_says(
        caught.value,
        __file__,
        "trace cannot choose a branch by the value of Tracer<bool[]>: the function is traced with"
        " shapes only.",
        "Use np.where(condition, a, b), or call trace with arrays.",
    )


def test_every_class_is_caught_as_its_table_says():
    """No class of errors is without a builtin type that users know."""
    classes = [
        x for x in vars(errors).values() if isinstance(x, type) and x.__module__ == errors.__name__
    ]
    for cls in classes:
        if issubclass(cls, Exception) and not issubclass(cls, Warning):
            assert issubclass(cls, RuntimeError | ValueError | TypeError | IndexError), cls
