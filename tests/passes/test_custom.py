"""Calls with rules of their own: what each pass does to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ir import ops
from ir.build import Builder
from ir.errors import RuleError
from ir.evaluate import evaluate
from ir.loc import Loc
from ir.op import REGISTRY
from ir.parser import ParseError, parse_program
from ir.passes.cse import cse
from ir.passes.custom import JvpRule, VjpRule
from ir.passes.fold import fold
from ir.passes.inline import inline, inline_bodies, inline_plain
from ir.passes.jvp import jvp
from ir.passes.linearize import linearize
from ir.passes.remat import REMAT
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.program import Program
from ir.types import ArrayType
from ir.verify import verify

BODY = """
program body(%0: f64[3], %1: f64[]) {
  %2: f64[3] = broadcast[shape=(3,), dims=()] %1
  %3: f64[3] = mul %0, %2
  return %3
}"""
BOTH = """
program rule(%0: f64[3], %1: f64[], %2: f64[3]) {
  %3: f64[3] = broadcast[shape=(3,), dims=()] %1
  %4: f64[3] = mul %0, %3
  %5: f64[3] = neg %2
  return %4, %5
}"""
FORWARD = """
program forward(%0: f64[3], %1: f64[]) {
  %2: f64[3] = broadcast[shape=(3,), dims=()] %1
  %3: f64[3] = mul %0, %2
  return %3, %2
}"""
BACKWARD = """
program backward(%0: f64[3], %1: f64[3]) {
  %2: f64[3] = mul %0, %1
  %3: f64[3] = mul %2, %1
  return %3
}"""
LOC = Loc("mine.py", 7)
X, Y = np.array([1.0, 2.0, 3.0]), np.array(5.0)


def made(text: str, asked: list[str]) -> Callable[[], Program]:
    """The program of the text, noting that it was asked for."""

    def make() -> Program:
        program = parse_program(text)
        asked.append(program.name)
        return program

    return make


def called(kind: str) -> tuple[Program, list[str]]:
    """A program that calls the body once, by a rule of the kind; and what the rule was asked."""
    asked: list[str] = []
    b = Builder()
    x, y = b.param(ArrayType("f64", (3,))), b.param(ArrayType("f64", ()))
    rules = {
        "jvp": JvpRule("f", LOC, (True, False), made(BOTH, asked)),
        "vjp": VjpRule(
            "f", LOC, (True, False), (x.type,), made(FORWARD, asked), made(BACKWARD, asked)
        ),
        "remat": REMAT,
    }
    with b.at(LOC):
        (z,) = b(ops.CustomCall(rules[kind]), x, y, bodies=(parse_program(BODY),))
    return verify(b.finish(b(ops.Exp(), z))), asked


KINDS = ("jvp", "vjp", "remat")
each = pytest.mark.parametrize("kind", KINDS)
ALONG_X = (True, False)


@each
def test_a_call_means_its_body_and_asks_nothing(kind: str) -> None:
    p, asked = called(kind)
    want = np.exp(X * 5)
    for q in (p, inline(p), inline_plain(p), inline_bodies(p), cse(p), fold(p)):
        np.testing.assert_array_equal(evaluate(verify(q), [X, Y])[0], want)
    assert asked == []
    assert "custom_call" not in str(inline(p)) + str(inline_bodies(p))
    assert str(inline_plain(p)) == str(p)


def test_jvp_puts_the_rule_in_the_place_of_the_call() -> None:
    p, asked = called("jvp")
    q = verify(jvp(p, ALONG_X))
    assert (
        str(q)
        == """program program_jvp(%0: f64[3], %1: f64[], %2: f64[3]) {
  %3: f64[3] = broadcast[shape=(3,), dims=()] %1
  %4: f64[3] = mul %0, %3
  %5: f64[3] = neg %2
  %6: f64[3] = reshape[shape=(3,)] %4
  %7: f64[3] = exp %6
  %8: f64[3] = mul %5, %7
  return %7, %8
}"""
    )
    assert q.results[0] is p.results[0]
    assert asked == ["rule"]
    jvp(p, ALONG_X)
    assert asked == ["rule"]


def test_vjp_puts_each_half_in_its_place() -> None:
    p, asked = called("vjp")
    q = verify(vjp(p, ALONG_X))
    ct = np.array([1.0, -1.0, 2.0])
    pulled = ct * np.exp(X * 5)
    np.testing.assert_allclose(evaluate(q, [X, Y, ct])[1], 5 * pulled * pulled, rtol=1e-15)
    assert asked == ["forward", "backward"]


def test_the_linear_map_of_a_reverse_rule_is_not_run() -> None:
    p, _ = called("vjp")
    _, linear = linearize(p, ALONG_X)
    assert "custom_tangent[map=f, residuals=1]" in str(linear)
    for run in (inline_plain, inline, lambda q: evaluate(q, [X, X, X])):
        with pytest.raises(RuleError) as refused:
            run(linear)
        assert str(refused.value).startswith("mine.py:7: forward mode meets f")
    assert "custom_tangent" in str(inline_bodies(linear))


def test_checkpointing_reads_its_operands_behind_a_barrier() -> None:
    p, _ = called("remat")
    forward, linear = linearize(p, ALONG_X)
    assert "custom_call" in str(forward)
    assert [v.type.shape for v in linear.params] == [(3,), (), (3,), (3,)]
    q = verify(vjp(p, ALONG_X))
    assert str(q).count("barrier") == 2
    ct = np.array([1.0, -1.0, 2.0])
    plain = vjp(inline(p), ALONG_X)
    for a, b in zip(evaluate(q, [X, Y, ct]), evaluate(plain, [X, Y, ct]), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(
        evaluate(verify(jvp(p, ALONG_X)), [X, Y, ct]),
        evaluate(jvp(inline(p), ALONG_X), [X, Y, ct]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@each
@pytest.mark.parametrize("mask", [(True, False), (False, True), (True, True)])
def test_over_a_batch(kind: str, mask: tuple[bool, bool]) -> None:
    p, asked = called(kind)
    wide = verify(vmap(p, mask, 2))
    assert asked == []
    xs = [np.stack([v, v + 1]) if m else v for v, m in zip((X, Y), mask, strict=True)]
    rows = [[v[n] if m else v for v, m in zip(xs, mask, strict=True)] for n in range(2)]
    want = [evaluate(p, row)[0] for row in rows]
    np.testing.assert_array_equal(evaluate(wide, xs)[0], np.stack(want))
    ct = np.arange(6.0).reshape(2, 3)
    _, bar = evaluate(verify(vjp(wide, ALONG_X)), [*xs, ct])
    one = vjp(p, ALONG_X)
    bars = np.stack([evaluate(one, [*row, ct[n]])[1] for n, row in enumerate(rows)])
    np.testing.assert_allclose(bar, bars if mask[0] else bars.sum(0), rtol=1e-15)


def test_a_tangent_that_the_rule_does_not_know_is_refused() -> None:
    for kind in ("jvp", "vjp"):
        p, _ = called(kind)
        with pytest.raises(RuleError, match="a derivative reaches a value that the rule of f"):
            jvp(p, (True, True))


def test_opaque_ops_have_no_text_that_is_read() -> None:
    p, _ = called("jvp")
    assert "custom_call[rule=f]" in str(p)
    with pytest.raises(ParseError, match="no op is called custom_call"):
        parse_program(str(p))
    opaque = (ops.CustomCall, ops.CustomTangent, ops.Callback, ops.Held)
    assert all(cls.opaque and cls.mnemonic not in REGISTRY for cls in opaque)
    assert not any(cls.opaque for cls in REGISTRY.values())


def test_a_callback_is_not_folded() -> None:
    class Once:
        types = (ArrayType("f64", ()),)
        calls = 0

        def __call__(self, x: np.ndarray) -> tuple[np.ndarray]:
            self.calls += 1
            return (x,)

    once = Once()
    b = Builder()
    (y,) = b(ops.Callback(once), b(ops.Constant(1.0)))  # type: ignore[arg-type]
    p = b.finish(y)
    assert str(fold(p)) == str(p)
    assert once.calls == 0
    assert evaluate(p, []) == [1.0]
