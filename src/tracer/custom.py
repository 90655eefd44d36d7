"""custom_jvp and custom_vjp: functions with a derivative of the user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import update_wrapper
from inspect import signature
from types import MethodType
from typing import Any

from ir.loc import user_loc
from ir.ops import CustomCall
from ir.passes.custom import JvpRule, VjpRule
from ir.program import Value
from tracer import tree
from tracer.array import Tracer
from tracer.bodies import emitted, traced_body
from tracer.calls import Call, Output, border, outputs
from tracer.emit import lift, owner, tracers_in
from tracer.errors import KeywordError, MissingRuleError, message
from tracer.rules import Halves, jvp_program, summed
from tracer.site import Site, called
from tracer.trace import Operand, Trace

Function = Callable[..., Any]


class Custom(ABC):
    """A function that is traced to a call where tracers are among its arguments, and is an
    ordinary function otherwise."""

    kind = ""
    definition = ""

    def __init__(self, func: Function, nondiff_argnums: int | Sequence[int] = ()) -> None:
        update_wrapper(self, func)
        self.func = func
        listed = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums
        self.nondiff_argnums = tuple(listed)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A method: ``self`` is the first argument."""
        return self if instance is None else MethodType(self, instance)

    @abstractmethod
    def rules(self) -> tuple[Function, ...]:
        """The functions that the user gave as the rule; none if there are none."""

    @abstractmethod
    def rule(self, site: Site) -> Any:
        """The rule for one call."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = called(self.func)
        if not self.rules():
            raise MissingRuleError(
                message(
                    f"no derivative is defined for {name}, a {self.kind} function.",
                    f"Define it with {name}.{self.definition}.",
                )
            )
        given = positional(self.func, args, kwargs, self.kind)
        call = Call(given, {})
        count = len(given)
        nondiff = frozenset([n % count for n in self.nondiff_argnums if -count <= n < count])
        call.arguments = [
            a for a in call.arguments if a.index not in nondiff or isinstance(a.leaf, Tracer)
        ]
        if owner([a.operand for a in call.arguments]) is None:
            return self.func(*given)
        return self.traced(name, call, nondiff)

    def traced(self, name: str, call: Call, nondiff: frozenset[int]) -> Any:
        """The call as an equation of the youngest trace among its operands'."""
        found: list[Output] = []

        def returned(inner: Trace, made: Any) -> list[Tracer]:
            found.append(outputs(inner, made, self.kind))
            return found[0].tracers

        body, operands = traced_body(self.func, call, self.kind, returned)
        (output,) = found
        around = closed_over(self.rules(), operands)
        body = replace(body, params=(*body.params, *[Value(x.value.type) for x in around]))
        operands += around
        trace = owner(operands)
        assert trace is not None
        lifted = [lift(trace, x) for x in operands]
        rule = self.rule(Site(name, call, nondiff, output, operands, lifted))
        looks = zip(emitted(CustomCall(rule), body, lifted), output.tracers, strict=True)
        return tree.unflatten(output.treedef, [border(y, x.weak, x.scalar) for y, x in looks])


def positional(
    func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], kind: str
) -> tuple[Any, ...]:
    """All arguments by position, defaults included."""
    try:
        found = signature(func).bind(*args, **kwargs)
    except ValueError:  # a function written in C may not tell its arguments
        if not kwargs:
            return args
        raise keyword(func, next(iter(kwargs)), kind) from None
    found.apply_defaults()
    if found.kwargs:
        raise keyword(func, next(iter(found.kwargs)), kind)
    return found.args


def keyword(func: Function, name: str, kind: str) -> KeywordError:
    return KeywordError(
        message(
            f"{kind}: the argument {name} of {called(func)} has no position.",
            "A rule takes its arguments by position: make it positional, or close over it.",
        )
    )


def closed_over(functions: Sequence[Function], operands: Sequence[Operand]) -> list[Tracer]:
    """The tracers in the closures of the functions that are not among the operands."""
    known = {x.value for x in operands if isinstance(x, Tracer)}
    found: dict[Value, Tracer] = {}
    for func in functions:
        for cell in getattr(func, "__closure__", None) or ():
            try:
                inside = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            found.update({x.value: x for x in tracers_in(inside) if x.home.active})
    return [x for v, x in found.items() if v not in known]


class CustomJvp(Custom):
    """What ``custom_jvp`` makes."""

    kind = "custom_jvp"
    definition = "defjvp(rule)"
    jvp: Function | None = None

    def rules(self) -> tuple[Function, ...]:
        return () if self.jvp is None else (self.jvp,)

    def rule(self, site: Site) -> JvpRule:
        (jvp,) = self.rules()
        return JvpRule(site.name, user_loc(), site.has_tangent, lambda: jvp_program(site, jvp))

    def defjvp(self, rule: Function) -> Function:
        """Define the derivative: ``rule(primals, tangents) -> (output, output_tangent)``.

        Arguments that ``nondiff_argnums`` names come first. The rule must be linear in the
        tangents, made of traceable operations. Returns the rule, so it may be used as a decorator.
        """
        self.jvp = rule
        return rule

    def defjvps(self, *rules: Function | None) -> None:
        """Define the derivative argument by argument: ``rule(tangent, output, *primals)``.

        The output's tangent is the sum of what the rules return; None is the rule of an argument
        on which the output does not depend.
        """
        if self.nondiff_argnums:
            raise MissingRuleError(
                message(
                    "defjvps has one rule for each argument, and knows no nondiff_argnums.",
                    "Use defjvp.",
                )
            )

        def rule(primals: Any, tangents: Any) -> Any:
            out = self(*primals)
            terms = [f(t, out, *primals) for f, t in zip(rules, tangents, strict=True) if f]
            return out, summed(terms, out)

        self.jvp = rule


class CustomVjp(Custom):
    """What ``custom_vjp`` makes."""

    kind = "custom_vjp"
    definition = "defvjp(fwd, bwd)"
    halves: tuple[Function, ...] = ()

    def rules(self) -> tuple[Function, ...]:
        return self.halves

    def rule(self, site: Site) -> VjpRule:
        halves = Halves(site, *self.halves)
        types = [t for t in site.result_types if t.info.differentiable]
        return VjpRule(
            site.name, user_loc(), site.has_tangent, types, halves.forward, halves.backward
        )

    def defvjp(self, fwd: Function, bwd: Function) -> None:
        """Define the derivative: ``fwd(*args) -> (output, residuals)``, and
        ``bwd(residuals, ct)``, which gives a tuple with one cotangent for each argument.

        The arguments that ``nondiff_argnums`` names come first in ``bwd``, and get no cotangent.
        Residuals are any pytree; None as a cotangent is zero.
        """
        self.halves = (fwd, bwd)


def custom_jvp(func: Function | None = None, nondiff_argnums: int | Sequence[int] = ()) -> Any:
    """Give a function a derivative of your own, for forward and reverse mode.

    The rule is ``rule(primals, tangents) -> (output, output_tangent)``, as in JAX: tuples of what
    the function takes, with None as the tangent of what is no float. It is run only when a
    derivative is taken, so it may call the function; derivatives of the derivative are those of
    the rule. Arguments that ``nondiff_argnums`` names are given to the rule before the others.

    Raises MissingRuleError (a RuntimeError and AttributeError) where the function is called before
    a rule is defined, and RuleOutputError (a RuntimeError, TypeError and ValueError) where the
    rule returns other structures, shapes or dtypes than the function.

    >>> import numpy as np
    >>> from tracer import custom_jvp, grad
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return log1pexp(x), dx * (1 - 1 / (1 + np.exp(x)))
    >>> grad(log1pexp)(100.0)
    np.float64(1.0)
    """
    if func is None:
        return lambda f: CustomJvp(f, nondiff_argnums)
    return CustomJvp(func, nondiff_argnums)


def custom_vjp(func: Function | None = None, nondiff_argnums: int | Sequence[int] = ()) -> Any:
    """Give a function a derivative of your own, for reverse mode alone.

    ``fwd(*args)`` returns the output and residuals, any pytree; ``bwd(residuals, ct)`` returns a
    tuple with one cotangent for each argument, None for zero, as in JAX. Both are run only when a
    derivative is taken. Arguments that ``nondiff_argnums`` names are given to ``bwd`` before the
    others, and have no cotangent.

    Raises what ``custom_jvp`` raises, and a TypeError under forward mode.

    >>> import numpy as np
    >>> from tracer import custom_vjp, grad
    >>> @custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1.0, 1.0),))
    >>> grad(lambda x: 10.0 * clipped(x))(2.0)
    np.float64(1.0)
    """
    if func is None:
        return lambda f: CustomVjp(f, nondiff_argnums)
    return CustomVjp(func, nondiff_argnums)
