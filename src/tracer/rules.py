"""A user's derivative rules as programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ir.program import Program, Value
from ir.types import ArrayType
from tracer import tree
from tracer.array import Tracer
from tracer.calls import bits
from tracer.emit import lift
from tracer.site import Site, fitted, leaves_like, wrong
from tracer.trace import Trace

Function = Callable[..., Any]


def zero_or(
    running: Trace, x: Any, type: ArrayType, rule: Any, what: str, weak: bool = False
) -> Value:
    """A tangent or cotangent of the type; None is zero."""
    if x is None:
        return running.number(0, type.dtype, type.shape)
    return fitted(running, x, type, rule, what, weak)


def outputs(running: Trace, site: Site, made: Any, rule: Any) -> list[Value]:
    """The function's own outputs, as a rule gives them."""
    leaves = leaves_like(made, site.returned, rule, "an output")
    types = zip(leaves, site.result_types, strict=True)
    return [fitted(running, x, t, rule, "an output") for x, t in types]


def pair(made: Any, rule: Any, what: str) -> tuple[Any, Any]:
    if not (isinstance(made, tuple | list) and len(made) == 2):
        raise wrong(rule, f"returned {type(made).__name__}, not a pair.", f"Return {what}.")
    return made[0], made[1]


def jvp_program(site: Site, rule: Function) -> Program:
    """``(operands, tangents) -> (outputs, their tangents)``."""
    with site.opened(rule) as running:
        operands = [site.param(running, n) for n in range(len(site.types))]
        tangents = [
            Tracer(running, running.param(t), *look) if has else None
            for t, has, look in zip(site.types, site.has_tangent, site.looks, strict=False)
        ]
        nondiff, primals = site.split(site.arguments(operands))
        _, given = site.split(site.arguments(tangents, untraced=False))
        made = rule(*nondiff, primals, given)
        out, moved = pair(made, rule, "(primal_out, tangent_out)")
        ys = outputs(running, site, out, rule)
        leaves = zip(leaves_like(moved, site.returned, rule, "a tangent"), site.result_types,
                     strict=True)  # fmt: skip
        dys = [
            zero_or(running, x, t, rule, "a tangent") for x, t in leaves if t.info.differentiable
        ]
    return site.closed(running, [*ys, *dys], rule)


class Halves:
    """A rule for reverse mode: the forward half says what the backward half is given."""

    def __init__(self, site: Site, fwd: Function, bwd: Function) -> None:
        self.site, self.fwd, self.bwd = site, fwd, bwd
        self.residuals: list[Any] = []
        self.treedef: tree.TreeDef

    def forward(self) -> Program:
        """``operands -> (outputs, operands kept, residuals)``."""
        site, rule = self.site, self.fwd
        with site.opened(rule) as running:
            operands = [site.param(running, n) for n in range(len(site.types))]
            out, residuals = pair(rule(*site.arguments(operands)), rule, "(output, residuals)")
            ys = outputs(running, site, out, rule)
            leaves, self.treedef = tree.flatten(residuals)
            self.residuals = [lift(running, x) if isinstance(x, Tracer) else x for x in leaves]
            kept = [operands[n].value for n in site.kept]
            made = [x.value for x in self.residuals if isinstance(x, Tracer)]
        return site.closed(running, [*ys, *kept, *made], rule)

    def backward(self) -> Program:
        """``(operands kept, residuals, cotangents) -> the arguments' cotangents``."""
        site, rule = self.site, self.bwd
        with site.opened(rule) as running:
            operands: list[Any] = [None] * len(site.types)
            for n in site.kept:
                operands[n] = site.param(running, n)
            residuals = [self.residual(running, x) for x in self.residuals]
            cts = [
                Tracer(running, running.param(t), *look) if t.info.differentiable else None
                for t, look in zip(site.result_types, site.result_looks, strict=True)
            ]
            nondiff, _ = site.split(site.arguments(operands))
            given = tree.unflatten(self.treedef, residuals), tree.unflatten(site.returned, cts)
            bars = self.bars(running, rule(*nondiff, *given))
        self.residuals = []
        return site.closed(running, bars, rule)

    def residual(self, running: Trace, x: Any) -> Any:
        """A residual as the backward half sees it, of the same value."""
        if not isinstance(x, Tracer):
            return x
        return Tracer(running, running.param(x.value.type, x), *bits(x))

    def bars(self, running: Trace, made: Any) -> list[Value]:
        """One cotangent for each operand that is differentiated."""
        site, rule = self.site, self.bwd
        numbers = [n if has else None for n, has in enumerate(site.has_tangent)]
        _, wanted = site.split(site.arguments(numbers, untraced=False))
        if not (isinstance(made, tuple | list) and len(made) == len(wanted)):
            shown = (
                f"{len(made)} of them" if isinstance(made, tuple | list) else type(made).__name__
            )
            raise wrong(
                rule,
                f"must return a tuple with one cotangent for each of the {len(wanted)}"
                f" differentiable arguments of {site.name}, and returned {shown}.",
                "Return (x_bar,) for one argument; None stands for zero.",
            )
        found: dict[int, Value] = {}
        for entry, argument in zip(made, wanted, strict=True):
            places, structure = tree.flatten(argument)
            blank = entry is None
            leaves = [None] * len(places) if blank else leaves_like(
                entry, structure, rule, "a cotangent"
            )  # fmt: skip
            for n, x in zip(places, leaves, strict=True):
                if n is not None:
                    weak, _ = site.looks[n]
                    found[n] = zero_or(running, x, site.types[n], rule, "a cotangent", weak)
        return [found[n] for n, has in enumerate(site.has_tangent) if has]


def summed(terms: Sequence[Any], structure: Any) -> Any:
    """The sum of trees of one structure, leaf by leaf; None where there is nothing to sum."""
    total: list[Any] | None = None
    for term in terms:
        leaves = tree.leaves(term)
        total = leaves if total is None else [a + b for a, b in zip(total, leaves, strict=True)]
    return tree.tree_map(lambda _: None, structure) if total is None else tree.unflatten(
        tree.structure(structure), total
    )  # fmt: skip
