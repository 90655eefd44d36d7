"""One call of a custom function: what its rules are traced from when a derivative is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import ref

import numpy as np

from ir.build import Builder, substitute
from ir.loc import Loc, user_loc
from ir.ops import Held
from ir.ops.custom import Kept
from ir.program import Program, Value
from ir.types import ArrayType
from tracer import tree
from tracer.array import Tracer
from tracer.calls import Call, Output, bits
from tracer.compressed import settled
from tracer.emit import astype, lift
from tracer.errors import ClosureError, RuleOutputError, message
from tracer.trace import Ended, Operand, Trace


class Site:
    """The call's types, structure and untraced leaves, but no array and no tracer.

    Operands are the traced leaves of the arguments, then what the function finds around itself.
    """

    def __init__(
        self,
        name: str,
        call: Call,
        nondiff: frozenset[int],
        output: Output,
        operands: Sequence[Operand],
        lifted: Sequence[Tracer],
    ) -> None:
        self.name, self.nondiff, self.treedef = name, nondiff, call.treedef
        self.places = [a.position for a in call.arguments]
        self.untraced = [None if n in self.places else x for n, x in enumerate(call.leaves)]
        self.looks = [bits(a.leaf) for a in call.arguments]
        self.types = [x.value.type for x in lifted]
        self.values = [x.value for x in lifted]
        self.names = [x.value if isinstance(x, Tracer) else None for x in operands]
        around = [False] * (len(operands) - len(self.places))
        wanted = [a.index not in nondiff for a in call.arguments] + around
        self.has_tangent = [
            w and t.info.differentiable for w, t in zip(wanted, self.types, strict=True)
        ]
        self.kept = [n for n, a in enumerate(call.arguments) if a.index in nondiff]
        self.kept += range(len(self.places), len(operands))
        """Operands that the backward half of a rule has besides the residuals."""
        self.returned = output.treedef
        self.result_types = [x.value.type for x in output.tracers]
        self.result_looks = [(x.weak, x.scalar) for x in output.tracers]
        lifted[0].home.asked_later = True
        self.home = ref(lifted[0].home)

    @contextmanager
    def opened(self, rule: Callable[..., Any]) -> Iterator[Trace]:
        """A trace of the rule.

        It may use tracers of the trace that the call was in, which has ended by now, if they are
        operands of the call.
        """
        home = self.home()
        was_active = home is not None and home.active
        try:
            if home is not None:
                home.active = True
            with Ended(Trace(rule, "rule")) as running, running:
                running.asked_later = True
                yield running
        finally:
            if home is not None:
                home.active = was_active

    def param(self, running: Trace, n: int) -> Tracer:
        """The operand in the rule's trace; Python may ask for its value where the call's trace is
        still there."""
        home = self.home()
        source = Tracer(home, self.values[n]) if home is not None else None
        value = running.param(self.types[n], source)
        for name in (self.names[n], self.values[n]):
            if name is not None:
                running.entered[name] = value
        return Tracer(running, value, *(self.looks[n] if n < len(self.looks) else (False, False)))

    def arguments(self, traced: Sequence[Any], untraced: bool = True) -> tuple[Any, ...]:
        """The positional arguments with these as traced leaves; the other leaves, or None."""
        leaves = list(self.untraced) if untraced else [None] * len(self.untraced)
        for place, x in zip(self.places, traced, strict=False):
            leaves[place] = x
        args, _ = tree.unflatten(self.treedef, leaves)
        return tuple(args)

    def split(self, args: Sequence[Any]) -> tuple[list[Any], tuple[Any, ...]]:
        """The arguments that ``nondiff_argnums`` names, and the others."""
        first = [x for n, x in enumerate(args) if n in self.nondiff]
        return first, tuple([x for n, x in enumerate(args) if n not in self.nondiff])

    def closed(self, running: Trace, results: Sequence[Value], rule: Any) -> Program:
        """The rule's program; captured arrays become part of it."""
        hidden = set(running.hidden)
        inside = {v: p for v, p in running.entered.items() if p not in hidden}
        program, captured = running.finish(results, self.home())
        own = program.params[: len(program.params) - len(captured)]
        b = Builder()
        b.params = list(own)
        taken = [
            self.computed_again(b, x, inside, rule)
            if isinstance(x, Tracer)
            else b(Held(Kept(np.asarray(x))))
            for x in captured
        ]
        return b.finish(*b.inline(program, [*own, *taken]), name=program.name)

    def computed_again(self, b: Builder, x: Tracer, inside: dict[Value, Value], rule: Any) -> Value:
        """What the rule has found in a trace around it, computed from the operands."""
        missing, chain = {x.value} - inside.keys(), []
        for eq in reversed(x.home.builder.equations):
            if not missing.isdisjoint(eq.results):
                chain.append(eq)
                missing -= set(eq.results)
                missing |= set(eq.operands) - inside.keys()
        if missing:
            raise ClosureError(
                message(
                    f"the rule {called(rule)} of {self.name} uses {x!r}, a traced value of the"
                    f" function around that is no argument of {self.name}.",
                    f"Pass it to {self.name} as an argument.",
                    line_of(rule),
                )
            )
        for eq in reversed(chain):
            made = b.again(eq, substitute(eq.operands, inside))
            inside.update(zip(eq.results, made, strict=True))
        return inside[x.value]


def called(rule: Any) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__))


def line_of(rule: Any) -> Loc:
    """Where the rule is defined."""
    code = getattr(rule, "__code__", None)
    return Loc(code.co_filename, code.co_firstlineno) if code else user_loc()


def wrong(rule: Any, gist: str, way_out: str) -> RuleOutputError:
    return RuleOutputError(message(f"the rule {called(rule)} {gist}", way_out, line_of(rule)))


def leaves_like(made: Any, treedef: tree.TreeDef, rule: Any, what: str) -> list[Any]:
    """The leaves of what a rule returned, which must have the structure."""
    leaves = tree.matched(made, treedef)
    if leaves is None:
        given = tree.shown(tree.structure(made))
        raise wrong(
            rule,
            f"returned {what} of structure {given}, where {tree.shown(treedef)} is wanted.",
            f"Return {what} in the same containers.",
        )
    return leaves


def fitted(
    running: Trace, x: Any, type: ArrayType, rule: Any, what: str, weak: bool = False
) -> Value:
    """What a rule returned as a value of the type, which for ``weak`` values decides no dtype.

    A Python number fits every type of rank 0.
    """
    if isinstance(x, int | float) and not isinstance(x, bool | np.generic) and not type.shape:
        return running.number(x, type.dtype, ())
    x = settled(x)
    if not isinstance(x, Tracer | np.ndarray | np.generic | int | float):
        raise wrong(
            rule,
            f"returned {what} of type {x.__class__.__name__}, where {type} is wanted.",
            "Return arrays of the shapes and dtypes that belong there.",
        )
    made = lift(running, x)
    if (weak or made.weak) and made.value.type.info.kind == type.info.kind:
        made = astype(made, type.dtype)
    if made.value.type != type:
        raise wrong(
            rule,
            f"returned {what} of type {made.value.type}, where {type} is wanted.",
            "A tangent or cotangent has the shape and dtype of its value; convert with astype.",
        )
    return made.value
