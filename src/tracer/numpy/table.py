"""How an entry of the NumPy table is declared and called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

import numpy as np

from tracer import compressed
from tracer.array import Tracer
from tracer.compressed import Compressed
from tracer.emit import lift, owner
from tracer.errors import UntracedFunctionError, message
from tracer.fresh import plain
from tracer.numpy.out import stored
from tracer.numpy.views import apart, viewed
from tracer.tables import FUNCTIONS, UFUNCS, numpy_name

Rule = Callable[..., Any]
RuleT = TypeVar("RuleT", bound=Rule)


class Entry:
    """A NumPy function on tracers: lifts the array arguments, then asks its rule.

    Without any tracer among the arguments it is the NumPy function itself. The kinds of function:
    one that gives "views" where NumPy does; one that is NumPy's own code and "traces" as it is;
    one that "writes" to its arguments, and is given them as they are.
    """

    def __init__(
        self,
        func: Any,
        rule: Rule,
        arrays: tuple[str, ...],
        lists: tuple[str, ...],
        kind: str = "",
    ):
        update_wrapper(self, func, ("__name__", "__qualname__", "__doc__"), ())
        self.func = func
        self.rule = rule
        self.lists = frozenset(lists)
        self.lifted = frozenset((*arrays, *lists))
        given = inspect.signature(rule).parameters.values()
        self.names = [p.name for p in given if p.kind is not p.VAR_POSITIONAL]
        self.rest = next((p.name for p in given if p.kind is p.VAR_POSITIONAL), None)
        first = [p.name for p in given if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.order = first if self.rest else in_order(func, self.names)
        self.gives = "out" in in_order(func, [])
        self.views = kind == "views"
        self.traces = kind == "traces"
        self.writes = kind == "writes"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if Compressed in map(type, args):
            return compressed.call(self.func, self, args, kwargs)
        trace = owner(args, kwargs)
        if trace is None:
            return self.func(*args, **kwargs)
        if self.writes:
            return self.rule(*args, **kwargs)
        given = args, kwargs
        if self.rest is None:
            if len(args) > len(self.order):
                raise self.refusal("that many arguments")
            kwargs = dict(zip(self.order, args, strict=False)) | kwargs
            args = ()
        out = kwargs.pop("out", None)
        if out is not None and out is not NOT_GIVEN and self.gives:
            return stored(self.func, self(*args, **kwargs), out)
        kwargs = self.accepted(kwargs)
        names = [*self.order[: len(args)], *[self.rest] * (len(args) - len(self.order))]

        def ready(name: str | None, x: Any) -> Any:
            if name not in self.lifted or x is None or (self.traces and type(x) is Tracer):
                return plain(x)
            if name in self.lists:
                return [lift(trace, item) for item in x]
            return lift(trace, x)

        made = self.rule(
            *[ready(name, x) for name, x in zip(names, args, strict=False)],
            **{name: ready(name, x) for name, x in kwargs.items()},
        )
        if self.traces:
            return made
        return viewed(self.func, *given, made) if self.views else apart(made, *given)

    def accepted(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keywords that the rule takes; the others must be absent or as by default."""
        kept = {}
        for name, x in kwargs.items():
            if x is NOT_GIVEN:
                continue
            if name in self.names:
                kept[name] = x
            elif not (x is None or (name in IGNORED and x in IGNORED[name])):
                raise self.refusal(f"{name}=")
        return kept

    def refusal(self, what: str) -> UntracedFunctionError:
        taken = ", ".join(self.names) or "arrays"
        return UntracedFunctionError(
            message(
                f"{numpy_name(self.func)} does not take {what} on traced arrays.",
                f"It takes {taken}.",
            )
        )


def in_order(func: Any, names: list[str]) -> list[str]:
    """What the positional arguments are: NumPy's order, in which ``out`` has a place too."""
    try:
        known = [p.name for p in inspect.signature(func).parameters.values()]
    except (TypeError, ValueError):  # of older NumPy's compiled functions
        return names
    return known if set(names) <= set(known) else names


class OnTracers:
    """The table under NumPy's names, typed as what it is on tracers."""

    def __getattr__(self, name: str) -> Callable[..., Tracer]:
        func = getattr(np, name)
        return UFUNCS.get(func) or FUNCTIONS[func]


tnp = OnTracers()

NOT_GIVEN = inspect.signature(np.sum).parameters["keepdims"].default
"""What NumPy's own code passes for a keyword that was left out."""

IGNORED: dict[str, tuple[Any, ...]] = {
    "order": ("C", "K", "A"),
    "casting": ("same_kind", "unsafe", "safe"),
    "subok": (True, False),
    "copy": (True, False),
    "mode": ("raise",),
    "optimize": (True, False, "greedy", "optimal"),
    "like": (),
}
"""Keywords without a meaning here, and the values they may have."""


def implements(
    *funcs: Any, arrays: str = "", lists: str = "", kind: str = ""
) -> Callable[[RuleT], RuleT]:
    """Enter the rule for the functions; ``arrays`` and ``lists`` name what is lifted."""

    def enter(rule: RuleT) -> RuleT:
        for func in funcs:
            FUNCTIONS[func] = Entry(func, rule, tuple(arrays.split()), tuple(lists.split()), kind)
        return rule

    return enter
