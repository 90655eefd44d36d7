"""The builder, the evaluator, the questions to the graph."""

from __future__ import annotations

import warnings

import networkx as nx
import numpy as np
import pytest
from tests.passes.becomes import program

from ir import graph, ops
from ir.build import Builder, substitute
from ir.errors import Miss
from ir.evaluate import Evaluator, evaluate
from ir.loc import Loc
from ir.passes.dce import dce
from ir.types import ArrayType
from ir.verify import verify

VECTOR = ArrayType("f64", (3,))
DIAMOND = """
(%0: f64[], %1: f64[])
  %2: f64[] = sin %0
  %3: f64[] = cos %2
  %4: f64[] = exp %2
  %5: f64[] = mul %3, %4
  %6: f64[] = neg %1
  return %5, %2
"""


def test_an_op_is_applied_by_calling_the_builder() -> None:
    b = Builder()
    x = b.param(VECTOR)
    y = b(ops.ReduceSum((0,)), x)
    p = verify(b.finish(y, x, name="total"))
    assert str(p) == (
        "program total(%0: f64[3]) {\n  %1: f64[] = reduce_sum[axes=(0,)] %0\n  return %1, %0\n}"
    )
    assert p.types == (VECTOR,)
    assert p.size() == 1


def test_several_results_come_as_a_tuple() -> None:
    b = Builder()
    x = b.param(VECTOR)
    body = program("(%0: f64[3])\n%1: f64[3] = sin %0\nreturn %1, %0")
    y, z = b(ops.Call(), x, bodies=(body,))
    assert b(ops.Check("x"), b(ops.Constant(True, "bool"))) == ()
    p = verify(b.finish(y, z))
    assert p.size() == 4


def test_locations_nest() -> None:
    b = Builder()
    x = b.param(VECTOR)
    with b.at(Loc("a.py", 1)):
        y = b(ops.Sin(), x)
        with pytest.raises(ZeroDivisionError), b.at(Loc("a.py", 2)):
            z = b(ops.Sin(), y)
            _ = 1 / 0
        z = b(ops.Sin(), z)
    w = b(ops.Sin(), z)
    assert [eq.loc.line for eq in b.finish(w).equations] == [1, 2, 1, 0]


def test_again_infers_only_where_a_type_differs() -> None:
    p = program("(%0: f64[3])\n%1: f64[3] = sin %0\nreturn %1")
    (eq,) = p.equations
    b = Builder()
    same, wide = b.param(VECTOR), b.param(VECTOR.batched(2))
    assert b.again(eq, eq.operands) == eq.results
    assert b.equations[-1] is eq
    assert b.again(eq, (same,))[0].type == VECTOR
    assert b.again(eq, (wide,))[0].type == VECTOR.batched(2)


def test_a_program_inlined_twice_shares_no_value() -> None:
    p = program(DIAMOND)
    b = Builder()
    xs = [b.param(ArrayType("f64", ())) for _ in range(2)]
    first, second = b.inline(p, xs), b.inline(p, xs)
    q = verify(b.finish(*first, *second))
    assert not {v for eq in q.equations[:5] for v in eq.results} & {
        v for eq in q.equations[5:] for v in eq.results
    }


def test_substitute() -> None:
    x, y = program(DIAMOND).params
    assert substitute((x, y, x), {x: y}) == (y, y, y)


def test_values_and_equations_are_equal_only_to_themselves() -> None:
    p, q = program(DIAMOND), program(DIAMOND)
    assert str(p) == str(q)
    assert p != q
    assert p.params[0] != q.params[0]
    assert p.equations[0] != q.equations[0]


def test_questions_to_the_graph() -> None:
    p = program(DIAMOND)
    x, y = p.params
    sin, cos, exp, mul, neg = (eq.result for eq in p.equations)
    assert graph.downstream(p, [sin]) == {sin, cos, exp, mul}
    assert graph.downstream(p, [y]) == {y, neg}
    assert graph.upstream(p, [cos]) == {cos, sin, x}
    assert graph.needed(p) == {0, 1, 2, 3}
    assert graph.producers(p)[mul] is p.equations[3]
    assert graph.use_counts(p) == {x: 1, y: 1, sin: 3, cos: 1, exp: 1, mul: 1, neg: 0}
    assert graph.last_uses(p) == [[x], [], [], [cos, exp], [y, neg]]
    assert graph.unread(p) == {4}
    assert not graph.unread(dce(p))


def test_the_dataflow_graph_is_networkxs() -> None:
    p = program(DIAMOND)
    g = graph.dataflow(p)
    assert set(g.edges) == {(0, 1), (0, 2), (1, 3), (2, 3), (3, graph.RESULTS), (0, graph.RESULTS)}
    assert nx.is_directed_acyclic_graph(g)
    effect = program("(%0: bool[])\n%1: bool[] = not %0\nguard %1\nreturn")
    assert set(graph.dataflow(effect).edges) == {(0, 1), (1, graph.RESULTS)}


def test_dot_names_every_equation() -> None:
    text = graph.dot(program(DIAMOND))
    assert text.startswith("digraph {")
    assert text.count("->") == 8
    for name in ("sin", "cos", "exp", "mul", "neg", "parameter 0"):
        assert name in text


def test_evaluate_runs_the_references() -> None:
    sin = np.sin(0.5)
    results = evaluate(program(DIAMOND), [np.array(0.5), np.array(1.0)])
    assert [float(y) for y in results] == [np.cos(sin) * np.exp(sin), sin]


def test_an_evaluator_runs_again_and_keeps_nothing() -> None:
    run = Evaluator(program(DIAMOND))
    assert run([np.array(0.5), np.array(1.0)]) == run([np.array(0.5), np.array(2.0)])


def test_evaluate_is_silent_about_nan() -> None:
    p = program("(%0: f64[])\n%1: f64[] = log %0\n%2: f64[] = div %1, %0\nreturn %2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (y,) = evaluate(p, [np.array(-1.0)])
    assert np.isnan(y)


def test_what_an_effect_raises_begins_with_the_users_line() -> None:
    b = Builder()
    x = b.param(ArrayType("bool", ()))
    with b.at(Loc("model.py", 14)):
        b(ops.Check("the index is out of range"), x)
    p = b.finish()
    assert evaluate(p, [np.array(True)]) == []
    with pytest.raises(IndexError, match=r"^model\.py:14: the index is out of range"):
        evaluate(p, [np.array(False)])


def test_a_guard_that_misses() -> None:
    p = program("(%0: bool[])\nguard[expected=False] %0\nreturn")
    assert evaluate(p, [np.array(False)]) == []
    with pytest.raises(Miss, match="another path than the one that was traced"):
        evaluate(p, [np.array(True)])
