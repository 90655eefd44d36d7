"""Every rule of every op against the table of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from tests.ir.same import same_arrays, same_program, ulps
from tests.ops.python_kernel import compute
from tests.ops.samples import COMPUTED, SAMPLES, Sample

from ir import ops
from ir.errors import RuleError
from ir.evaluate import evaluate
from ir.op import REGISTRY, Array, Op
from ir.ops.families import Elementwise
from ir.parser import parse_program
from ir.passes.inline import inline
from ir.passes.jvp import jvp
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.program import Program
from ir.types import type_of
from ir.verify import verify

COMPUTING = ("element", "scan", "update")
CONTROL = {ops.Call, ops.Guard, ops.Check}
STORED = {ops.Literal}
KERNELS: set[type[Op]] = set()
"""Ops that codegen computes by a kernel of its own, from the table of ``codegen.kernels``."""

EXACT = {
    ops.Neg, ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Abs, ops.Sign, ops.Floor, ops.Ceil, ops.Trunc,
    ops.Rint, ops.CopySign, ops.Sqrt, ops.FloorDivide, ops.Remainder, ops.Fmod, ops.IsFinite,
    ops.Select, ops.Constant, ops.Literal, ops.Iota, ops.Convert, ops.StopGradient,
    ops.Slice, ops.Gather, ops.Broadcast, ops.Permute, ops.Reshape, ops.Pad, ops.Concatenate,
    ops.ArgMax, ops.ArgMin, ops.IntegerPow, ops.SliceAdd, ops.ScatterAdd,
    ops.Barrier, ops.SliceUpdate, ops.ScatterUpdate, ops.UnitArrays,
}  # fmt: skip
"""Ops whose every float result is the reference's, bit for bit."""

UNSIGNED_ZEROS = {ops.Maximum, ops.Minimum, ops.ReduceMax, ops.ReduceMin}
"""Ops that may give either zero where 0.0 meets -0.0, as NumPy itself does."""

SUMS = {ops.ReduceSum, ops.ReduceProd, ops.CumSum, ops.DotGeneral}
"""Ops that may add or multiply in any order."""

each = pytest.mark.parametrize("s", SAMPLES, ids=str)
computed = pytest.mark.parametrize("s", COMPUTED, ids=str)
derivable = pytest.mark.parametrize("s", [s for s in COMPUTED if s.floats and s.smooth], ids=str)
floating = pytest.mark.parametrize(
    "s", [s for s in SAMPLES if s.smooth and any(t.info.kind == "float" for t in s.types)], ids=str
)
registered = pytest.mark.parametrize("cls", REGISTRY.values(), ids=REGISTRY)


def agrees(s: Sample, got: Array, want: Array, xs: Sequence[Array]) -> None:
    """As closely as ``docs/numerics.md`` says for the op."""
    cls = type(s.op)
    if cls in SUMS and want.dtype.kind == "f":
        close_sum(s.op, got, want, xs)
    elif cls in EXACT or want.dtype.kind != "f":
        same_arrays([got], [want], s)
    elif cls in UNSIGNED_ZEROS:
        same_arrays([got], [want], s, zeros=False)
    else:
        assert ulps(got, want) <= 4, f"{got}\nfor\n{want}"
        differ = (np.signbit(got) != np.signbit(want)) & (want == 0) & (got == 0)
        assert not differ.any(), f"a zero's sign, {got} for {want}: {s}"


def close_sum(op: Op, got: Array, want: Array, xs: Sequence[Array]) -> None:
    """Within ``4 eps n sum|x|``, n the number of terms; a product within that of its own size.

    The sign of a zero does not depend on the order, so it is the reference's.
    """
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    terms = max((x.size for x in xs), default=0)
    with np.errstate(all="ignore"):
        if isinstance(op, ops.ReduceProd):
            scale = np.abs(want)
        else:
            scale = np.asarray(op.reference(*map(np.abs, xs)))
        bound = 4 * np.finfo(want.dtype).eps * terms * scale
        good = (got == want) | (np.isnan(got) & np.isnan(want)) | (np.abs(got - want) <= bound)
    good &= (np.signbit(got) == np.signbit(want)) | (got != 0) | (want != 0)
    assert good.all(), f"{got}\nfor\n{want}"


def test_every_op_has_samples(figures: Any) -> None:
    assert {type(s.op) for s in SAMPLES} == set(REGISTRY.values())
    figures.add("op samples", len(SAMPLES))
    figures.cover("ops with samples", {s.op.mnemonic for s in SAMPLES})


def test_samples_have_names_of_their_own() -> None:
    names = [str(s) for s in SAMPLES]
    assert not {n for n in names if names.count(n) > 1}


@each
def test_infer_is_the_type_of_the_reference(s: Sample) -> None:
    results = evaluate(s.program, s.inputs())
    assert tuple(map(type_of, results)) == tuple(v.type for v in s.program.results)


@computed
def test_the_reference_leaves_its_operands_alone(s: Sample) -> None:
    xs = s.inputs()
    evaluate(s.program, xs)
    same_arrays(xs, s.inputs())


@registered
def test_one_slot_says_how_the_op_is_computed(cls: type[Op]) -> None:
    ways = [slot for slot in COMPUTING if hasattr(cls, slot)]
    elsewhere = [cls in table for table in (CONTROL, STORED, KERNELS)]
    assert len(ways) + sum(elsewhere) == 1, ways
    assert hasattr(cls, "scan") == hasattr(cls, "initial")


@pytest.mark.parametrize("s", [s for s in COMPUTED if type(s.op) not in STORED], ids=str)
def test_element_is_the_reference(s: Sample) -> None:
    xs = s.inputs()
    (want,) = evaluate(s.program, xs)
    agrees(s, compute(s.op, s.program.results[0].type, xs), np.asarray(want), xs)


@each
def test_text_round_trips(s: Sample) -> None:
    read = parse_program(str(s.program))
    assert str(read) == str(s.program)
    same_program(read, s.program)


# --- derivatives ------------------------------------------------------------------------------


def tangents(program: Program, seed: int) -> list[Array]:
    """A direction for each float parameter."""
    rng = np.random.default_rng(seed)
    types = [t for t in program.types if t.info.differentiable]
    return [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in types]


def moved(program: Program, xs: Sequence[Array], ts: Sequence[Array], by: float) -> list[Array]:
    steps = iter(ts)
    return [x + by * next(steps) if t.info.differentiable else x
            for x, t in zip(xs, program.types, strict=True)]  # fmt: skip


def slope(
    program: Program, xs: Sequence[Array], ts: Sequence[Array], h: float = 1e-3
) -> list[Array]:
    """The results' derivatives along ``ts`` by central differences of fourth order."""
    at = {n: evaluate(program, moved(program, xs, ts, n * h)) for n in (-2, -1, 1, 2)}
    kept = [i for i, v in enumerate(program.results) if v.type.info.differentiable]
    return [
        (8 * (at[1][i] - at[-1][i]) - (at[2][i] - at[-2][i])) / (12 * h) for i in kept
    ]  # fmt: skip


def close(got: Sequence[Array], want: Sequence[Array]) -> None:
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-7, atol=1e-8)


@derivable
@pytest.mark.parametrize("seed", [0, 1])
def test_jvp_is_the_finite_difference(s: Sample, seed: int) -> None:
    xs, ts = s.inputs(seed), tangents(s.program, seed)
    dys = evaluate(verify(jvp(s.program)), [*xs, *ts])[len(s.program.results) :]
    close(dys, slope(s.program, xs, ts))


@pytest.mark.parametrize("s", [s for s in COMPUTED if s.floats and s.smooth], ids=str)
def test_jvp_along_each_operand_alone(s: Sample) -> None:
    """A tangent that is symbolically zero is the same as one that is numerically zero."""
    xs, ts = s.inputs(), tangents(s.program, 0)
    floats = [n for n, t in enumerate(s.types) if t.info.differentiable]
    for n, t in zip(floats, ts, strict=True):
        alone = verify(jvp(s.program, [m == n for m in range(len(s.types))]))
        dys = evaluate(alone, [*xs, t])[len(s.program.results) :]
        others = [t if m == n else np.zeros_like(u) for m, u in zip(floats, ts, strict=True)]
        close(dys, evaluate(jvp(s.program), [*xs, *others])[len(s.program.results) :])


@floating
def test_vjp_is_the_adjoint_of_jvp(s: Sample) -> None:
    xs, ts, m = s.inputs(), tangents(s.program, 1), len(s.program.results)
    dys = evaluate(verify(jvp(s.program)), [*xs, *ts])[m:]
    cts = [np.asarray(np.random.default_rng(2).normal(size=y.shape)).astype(y.dtype) for y in dys]
    bars = evaluate(verify(vjp(s.program)), [*xs, *cts])[m:]
    assert [t.shape for t in bars] == [t.shape for t in ts]
    assert [t.dtype for t in bars] == [t.dtype for t in ts]
    pairs = [*zip(dys, cts, strict=True)], [*zip(ts, bars, strict=True)]
    left, right = (sum(float(np.vdot(a, b)) for a, b in side) for side in pairs)
    size = sum(float(np.vdot(np.abs(a), np.abs(b))) for a, b in pairs[0])
    exact = all(t.dtype != "f32" for t in (*s.types, *(v.type for v in s.program.results)))
    assert abs(left - right) <= (1e-10 if exact else 1e-4) * (1 + size)


@derivable
def test_second_order_is_the_finite_difference_of_vjp(s: Sample) -> None:
    once = vjp(s.program)
    xs, m = s.inputs(), len(s.program.results)
    cts = [np.random.default_rng(3).normal(size=t.shape) for t in once.types[len(xs) :]]
    ts = tangents(once, 4)
    found = evaluate(verify(jvp(once)), [*xs, *cts, *ts])[len(once.results) :]
    close(found, slope(once, [*xs, *cts], ts))
    assert m + sum(t.info.differentiable for t in s.types) == len(once.results)


@pytest.mark.parametrize("s", [s for s in COMPUTED if s.floats and s.smooth], ids=str)
def test_linear_in_tells_the_truth(s: Sample) -> None:
    xs = s.inputs()
    positions = [n for n in range(len(xs)) if n in s.op.linear_in]

    def scaled(by: float, rest: float) -> Callable[[int, Array], Array]:
        return lambda n, x: x * by if n in positions else x

    if s.op.bilinear:
        positions = positions[:1]
    if positions and all(s.types[n].info.differentiable for n in positions):
        (y,) = evaluate(s.program, xs)
        (doubled,) = evaluate(s.program, [scaled(2.0, 1.0)(n, x) for n, x in enumerate(xs)])
        np.testing.assert_allclose(doubled, 2 * y, rtol=1e-14)


# --- vmap -------------------------------------------------------------------------------------


@each
def test_vmap_under_every_mask_is_a_loop(s: Sample) -> None:
    size = 3
    n = len(s.types)
    for mask in product((False, True), repeat=n):
        if not hasattr(s.op, "vmap") and any(mask) and not s.bodies:
            with pytest.raises(RuleError):
                vmap(s.program, mask, size)
            continue
        both = zip(s.inputs(1), s.inputs(0, (size,)), mask, strict=True)
        xs = [many if m else one for one, many, m in both]
        got = evaluate(verify(vmap(s.program, mask, size)), xs)
        loop = [
            evaluate(s.program, [x[i] if m else x for x, m in zip(xs, mask, strict=True)])
            for i in range(size)
        ]
        for i, want in enumerate(loop):
            for y, part in zip(got, want, strict=True):
                one = [x[i] if m else x for x, m in zip(xs, mask, strict=True)]
                agrees(s, np.asarray(y[i]), np.asarray(part), one)


@each
def test_vmap_over_an_empty_batch(s: Sample) -> None:
    if s.types and (hasattr(s.op, "vmap") or s.bodies):
        xs = [x[:0] for x in s.inputs(0, (1,))]
        got = evaluate(verify(vmap(s.program, [True] * len(xs), 0)), xs)
        want = [v.type.batched(0) for v in s.program.results]
        assert [type_of(y) for y in got] == want


# --- the slots --------------------------------------------------------------------------------


@registered
def test_a_missing_rule_is_missing_for_a_reason_on_the_op(cls: type[Op]) -> None:
    has_bodies = cls is ops.Call
    has_operands = any(s.types for s in SAMPLES if type(s.op) is cls) and not has_bodies
    needed = {
        "jvp": cls.differentiable,
        "transpose": bool(cls.linear_in) and cls.differentiable and not hasattr(cls, "accumulate"),
        "vmap": has_operands and cls is not ops.Guard,
    }
    for rule, wanted in needed.items():
        assert hasattr(cls, rule) or not wanted, f"{cls.mnemonic} needs {rule}"
    if not cls.linear_in:
        assert not hasattr(cls, "transpose"), f"{cls.mnemonic}.transpose is never called"
        assert not hasattr(cls, "accumulate"), f"{cls.mnemonic}.accumulate is never called"
    if issubclass(cls, Elementwise) and not cls.differentiable:
        assert not hasattr(cls, "partials"), f"{cls.mnemonic}.partials is never called"


@registered
def test_why_not_never_says_that_a_rule_was_forgotten(cls: type[Op]) -> None:
    op = next(s.op for s in SAMPLES if type(s.op) is cls)
    for rule in ("jvp", "transpose", "vmap"):
        if not hasattr(op, rule) and not hasattr(op, "accumulate"):
            assert op.why_not(rule) != "the rule is not written"


@pytest.mark.parametrize("s", [s for s in COMPUTED if type(s.op).commutative], ids=str)
def test_commutative_operands_may_change_places(s: Sample) -> None:
    x, y = s.inputs()
    agrees(s, *(evaluate(s.program, p)[0] for p in ([x, y], [y, x])), [x, y])


@registered
def test_every_op_is_documented(cls: type[Op]) -> None:
    assert cls.__doc__
    assert cls.__doc__[0].isupper() or cls.__doc__[0] in "0123456789-`xe"


def test_a_call_means_its_body() -> None:
    for s in SAMPLES:
        if s.bodies:
            same_arrays(evaluate(inline(s.program), s.inputs()), evaluate(s.program, s.inputs()))
