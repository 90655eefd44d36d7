"""What transforms give: memory of the caller's own, slopes that do not meddle, empty batches."""

from __future__ import annotations

import threading
from itertools import count

import numpy as np
import pytest

from tracer import (
    errors,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    stop_gradient,
    trace,
    vjp,
    vmap,
)
from tracer.run import TABLE, Table
from tracer.trace import Trace

X = np.array([0.5, 1.0, 2.0])


def test_writing_to_a_result_does_not_change_the_linear_map():
    for f in (np.exp, lambda x: np.exp(x)[::-1], lambda x: np.exp(x).reshape(3, 1)):
        y, pull = vjp(f, X)
        ones = np.ones(y.shape)
        y[...] = 0
        np.testing.assert_array_equal(pull(ones)[0], np.exp(X))
    y, push = linearize(np.exp, X)
    y[:] = 0
    np.testing.assert_array_equal(push(np.ones(3)), np.exp(X))
    y, pull, aux = vjp(lambda x: (x * np.exp(x), np.exp(x)), X, has_aux=True)
    aux[:] = 0
    np.testing.assert_allclose(pull(np.ones(3))[0], (1 + X) * np.exp(X))


def test_a_cotangent_of_one_call_is_not_in_another():
    _, pull = vjp(lambda x: x, X)
    (first,) = pull(X)
    first[:] = 7
    np.testing.assert_array_equal(pull(X)[0], X)
    assert X[0] == 0.5


def root_beside(x):
    return x * 2.0, np.sqrt(x)


def test_an_infinite_slope_of_aux_stays_there():
    assert vjp(root_beside, 0.0, has_aux=True)[1](1.0) == (2.0,)
    assert jacrev(root_beside, has_aux=True)(0.0) == (2.0, 0.0)
    assert jacfwd(root_beside, has_aux=True)(0.0) == (2.0, 0.0)
    assert jvp(root_beside, (0.0,), (1.0,), has_aux=True) == (0.0, 2.0, 0.0)


def test_an_infinite_slope_stays_in_its_block():
    for matrix in (jacrev, jacfwd, jacobian):
        assert matrix(root_beside)(0.0) == (2.0, np.inf)
        assert matrix(lambda x, y: x * 2.0 + np.sqrt(y), (0, 1))(1.0, 0.0) == (2.0, np.inf)
        assert jit(matrix(root_beside))(0.0) == (2.0, np.inf)
    second = hessian(lambda x, y: x**2 + y**1.5, (0, 1))(1.0, 0.0)
    assert second == ((2.0, 0.0), (0.0, np.inf))


def test_forward_blocks_share_what_they_do_not_change():
    def f(x, y):
        return np.sin(x) * np.tanh(y), np.exp(x)

    a, b = jacfwd(f, (1, 0))(X, X), jacrev(f, (1, 0))(X, X)
    for one, two in zip(a, b, strict=True):
        for left, right in zip(one, two, strict=True):
            np.testing.assert_allclose(left, right)


def test_an_empty_batch():
    none = np.zeros((0, 3))
    assert vmap(np.sum)(none).shape == (0,)
    assert vmap(grad(lambda x: np.sum(x**2)))(none).shape == (0, 3)
    assert vmap(jacrev(np.sin))(none).shape == (0, 3, 3)
    assert vmap(lambda x: (x, 2.0), out_dims=(1, None))(none)[0].shape == (3, 0)
    assert vmap(lambda x, y: (np.sum(x), np.sin(y)), (0, None), (0, None))(none, 0.5)[1] == np.sin(
        0.5
    )
    assert vmap(lambda: 2.0, axis_size=0)().shape == (0,)


def test_outputs_that_are_not_mapped():
    def f(x, y):
        return {"a": x * y, "b": np.sin(y), "c": y}

    found = vmap(f, (0, None), {"a": 0, "b": None, "c": None})(X, 2.0)
    np.testing.assert_array_equal(found["a"], 2 * X)
    assert (found["b"], found["c"]) == (np.sin(2.0), 2.0)
    chunked = vmap(f, (0, None), {"a": 0, "b": None, "c": None}, chunk_size=2)(X, 2.0)
    np.testing.assert_array_equal(chunked["a"], 2 * X)
    assert (chunked["b"], chunked["c"]) == (np.sin(2.0), 2.0)


def test_lists_and_tuples_of_out_dims():
    for out in (0, [0, 0], [0, -1]):
        one, two = vmap(lambda x: [x, x], out_dims=out)(X)
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(vmap(lambda x: x, out_dims=(0,))(X), X)
    np.testing.assert_array_equal(vmap(lambda x: x[:, None], 1, (2,))(np.eye(3)).shape, (3, 1, 3))
    assert vmap(lambda x: ())(X) == ()
    with pytest.raises(errors.VmapError, match="structure of the output"):
        vmap(lambda x: x, out_dims=(0, 0))(X)


def test_python_numbers_are_tangents_and_cotangents_of_every_float():
    x = np.float32(1.0)
    assert vjp(np.sin, x)[1](1.0)[0].dtype == np.float32
    assert jvp(np.sin, (x,), (1.0,))[1].dtype == np.float32
    with pytest.raises(errors.CotangentError, match=r"type f64\[\], and sin returned f32"):
        vjp(np.sin, x)[1](np.float64(1.0))
    with pytest.raises(errors.TangentError, match=r"type f32\[\], its tangent f64"):
        jvp(np.sin, (x,), (np.float64(1.0),))


@pytest.mark.parametrize("transform", [hessian, jacfwd, jacobian])
def test_errors_name_the_transform_that_was_asked_for(transform):
    with pytest.raises(errors.ArgnumsError, match=f"{transform.__name__}: Got argnum=3"):
        transform(np.sum, 3)(X)


def test_errors_of_hvp():
    with pytest.raises(errors.TangentError, match="hvp expected tuples of primals and tangents"):
        hvp(lambda x: x**3, 3.0, 1.0)
    with pytest.raises(errors.TangentError, match="hvp: a primal has type"):
        hvp(np.sum, (X,), (X[:2],))
    with pytest.raises(errors.NonScalarOutputError, match="hvp needs a function"):
        hvp(np.sin, (X,), (X,))


def test_strict_jvp():
    assert jvp(lambda x: (x, x * 2), (1.0,), (1.0,), strict=True)[1] == (1.0, 2.0)
    for f in (
        lambda x: np.ones(3),
        lambda x: (x, 2.0),
        lambda x: x + 0 * np.floor(x) if 0 else 1.0,
    ):
        with pytest.raises(errors.TangentError, match="does not depend on the primals"):
            jvp(f, (1.0,), (1.0,), strict=True)


def test_an_exception_of_the_user_is_not_replaced():
    class Mine(Exception):
        pass

    def f(x):
        try:
            x.__array__()
        except errors.EscapeError as error:
            raise Mine from error

    with pytest.raises(Mine):
        grad(f)(X)


def test_captured_subclasses_are_refused():
    masked = np.ma.array(X, mask=[0, 1, 0])
    for f in (lambda x: np.sum(x * masked), lambda x: np.sum(np.add(x, masked))):
        with pytest.raises(errors.SubclassError, match="MaskedArray is not traced"):
            grad(f)(X)
    with pytest.raises(errors.SubclassError):
        vmap(lambda x: masked)(X)


def test_the_table_of_derived_programs_is_bounded_in_equations():
    numbers, table = count(), Table(programs=4, equations=100)
    program = Trace(np.sin, "test").builder.finish()
    for _ in range(10):
        table.get(next(numbers), lambda: (program,))
    assert len(table.kept) == 4

    def long(constant):
        def f(x):
            for _ in range(2000):
                x = np.sin(x) * constant
            return x

        return f

    for n in range(30):
        grad(long(1.0 + n))(0.5)
    assert TABLE.size <= TABLE.equations
    assert TABLE.size == sum(derived.size for derived in TABLE.kept.values())


def test_many_arguments_are_put_in_order_in_linear_time():
    given = [float(n) for n in range(20_000)]
    pull = vjp(lambda *xs: xs[0] * xs[-1], *given)[1]
    bars = pull(1.0)
    assert (bars[0], bars[1], bars[-1]) == (given[-1], 0.0, given[0])
    found = grad(lambda *xs: xs[0] * xs[-1], tuple(range(len(given)))[::-1])(*given)
    assert (found[0], found[-1]) == (given[0], given[-1])


def test_a_vjp_function_in_threads():
    _, pull = vjp(lambda x: np.exp(x) * x, X)
    expected, found = (1 + X) * np.exp(X), []

    def work():
        found.extend(pull(np.full(3, scale))[0] / scale for scale in (1.0, 2.0, 4.0))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 12
    for x in found:
        np.testing.assert_allclose(x, expected)


@pytest.mark.parametrize(
    "use",
    [
        stop_gradient,
        np.sin,
        np.copy,
        lambda x: x[...],
        lambda x: x.astype(float),
        lambda x: x.T,
        vmap(lambda x: x),
        grad(np.sum),
        lambda x: vjp(np.sin, X)[1](x),
        lambda x: jvp(np.sin, (X,), (x,)),
        lambda x: jit(lambda: x * 2)(),
        lambda x: grad(lambda y: x)(1.0),
    ],
)
def test_a_leaked_tracer_is_refused_everywhere(use):
    kept = []
    grad(lambda x: kept.append(x) or np.sum(x))(X)
    with pytest.raises(errors.LeakedTracerError, match="whose trace has ended"):
        use(kept[0])


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "?", ">f8", ">i4"])
def test_a_captured_array_is_taken_anew_when_its_bits_change(dtype):
    given = (np.arange(200).reshape(10, 20).T % 2).astype(dtype)

    def f(x):
        first = np.sum(x * given)
        again = np.sum(x * given)
        given[0, 0] = 1
        return first + again + np.sum(x * given)

    found = grad(f)(1.0)
    given[0, 0] = 0
    assert found == 3 * np.sum(given) + 1
    program = trace(lambda x: np.sum(x * given) + np.sum(x * given), 1.0)
    assert len(program.params) == 2


def test_zeros_of_either_sign_are_not_the_same_capture():
    zeros = np.zeros(100)

    def f(x):
        zeros[:] = 0.0
        first = np.sum(np.copysign(x, zeros))
        zeros[:] = -0.0
        return first - np.sum(np.copysign(x, zeros))

    assert f(2.0) == vjp(f, 2.0)[0] == 400.0
