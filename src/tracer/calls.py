"""A call of a transformed function: which leaves are traced, what comes out, and the border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ir.op import Array
from ir.program import Program, Value
from ir.types import SHORT, ArrayType
from tracer import tree
from tracer.array import Tracer, as_read
from tracer.compressed import settled
from tracer.emit import lift, refuse_subclass
from tracer.errors import OutputError, message
from tracer.trace import Ended, Operand, Trace, check_alive, youngest


def traceable(x: Any) -> bool:
    """Whether a leaf becomes a tracer: arrays, NumPy scalars and floats that the IR knows."""
    if isinstance(x, Tracer | float):
        return True
    x = settled(x)
    refuse_subclass(x)
    return isinstance(x, np.ndarray | np.generic) and x.dtype.newbyteorder("=") in SHORT


def operand(x: Any) -> Operand:
    """A traceable leaf as what a program runs on: native byte order, no subclass."""
    if isinstance(x, Tracer):
        check_alive(x)
        return x.snapshot()
    array = np.asarray(settled(x))
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def type_of(x: Operand) -> ArrayType:
    return x.value.type if isinstance(x, Tracer) else ArrayType(SHORT[x.dtype], x.shape)


def bits(x: Any) -> tuple[bool, bool]:
    """Whether a leaf is weak, and whether it is a scalar."""
    if isinstance(x, Tracer):
        return x.weak, x.scalar
    weak = isinstance(x, bool | int | float) and not isinstance(x, np.generic)
    return weak and not isinstance(x, bool), weak or isinstance(x, np.generic)


@dataclass
class Argument:
    """A leaf of the call that becomes a parameter of the program."""

    position: int
    leaf: Any
    operand: Operand
    index: int | None
    """The positional argument that the leaf is in; None for keywords."""


class Call:
    """The arguments of a call, flattened; int and bool leaves are left alone."""

    def __init__(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = tuple(args), kwargs
        leaves, self.treedef = tree.flatten((self.args, kwargs))
        self.leaves = settled(leaves)
        spans = [len(tree.leaves(x)) for x in self.args]
        index = [i for i, n in enumerate(spans) for _ in range(n)]
        self.places: list[int | None] = [*index, *[None] * (len(self.leaves) - len(index))]
        """For each leaf the positional argument that it is in; None for keywords."""
        self.arguments = [
            Argument(n, x, operand(x), i)
            for n, (x, i) in enumerate(zip(self.leaves, self.places, strict=True))
            if traceable(x)
        ]

    def run(self, func: Callable[..., Any], tracers: Sequence[Any]) -> Any:
        """The function on the tracers in the place of their leaves."""
        leaves = list(self.leaves)
        for argument, x in zip(self.arguments, tracers, strict=True):
            leaves[argument.position] = x
        args, kwargs = tree.unflatten(self.treedef, leaves)
        return func(*args, **kwargs)


@dataclass
class Output:
    """What a function returned, flattened: the program's results and how they look."""

    treedef: tree.TreeDef
    tracers: list[Tracer]

    def wrapped(self, results: Sequence[Operand]) -> Any:
        made = [wrap(r, x) for r, x in zip(results, self.tracers, strict=True)]
        return tree.unflatten(self.treedef, made)


@dataclass
class Traced:
    """A traced call: the program, what its parameters stand for, what it returns."""

    program: Program
    operands: list[Operand]
    output: Output
    aux: Aux | None
    name: str


def trace_call(
    func: Callable[..., Any],
    call: Call,
    kind: str,
    wrt: Sequence[bool] | None = None,
    has_aux: bool = False,
    split: Callable[[Any], tuple[Any, Any]] | None = None,
) -> Traced:
    """Run the function on tracers of the call's arguments, whose values Python may ask for."""
    with Ended(Trace(func, kind)) as trace, trace:
        tracers = []
        for n, argument in enumerate(call.arguments):
            value = trace.param(type_of(argument.operand), argument.operand)
            tracers.append(Tracer(trace, value, *bits(argument.leaf)))
            if wrt is not None and wrt[n]:
                trace.differentiated.add(value)
        made = call.run(func, tracers)
        made, aux = split(made) if split else (made, None)
        output = outputs(trace, made, kind)
        kept = Aux(trace, aux) if has_aux else None
        values = [x.value for x in output.tracers] + (kept.values if kept else [])
    program, captured = trace.finish(values, keeper=youngest() or trace)
    operands = [*[argument.operand for argument in call.arguments], *captured]
    return Traced(program, operands, output, kept, trace.name)


def outputs(trace: Trace, made: Any, kind: str, refusal: type[OutputError] = OutputError) -> Output:
    """The returned leaves as tracers of the trace; all must be arrays or numbers."""
    leaves, treedef = tree.flatten(made)
    tracers = []
    for x in leaves:
        known = isinstance(x, Tracer | np.ndarray | np.generic | bool | int | float)
        if not (known or hasattr(type(x), "materialised")):
            raise refusal(
                message(
                    f"{kind} expected {trace.name} to return arrays, got {type(x).__name__}.",
                    "Return arrays only; grad, vjp, jvp and jacobians take has_aux=True for more.",
                )
            )
        tracers.append(lift(trace, x))
    return Output(treedef, tracers)


class Aux:
    """A pytree of anything that a function returns beside its value."""

    def __init__(self, trace: Trace, aux: Any) -> None:
        leaves, self.treedef = tree.flatten(aux)
        self.leaves = settled(leaves)
        self.own = [
            n for n, x in enumerate(self.leaves) if isinstance(x, Tracer) and x.home is trace
        ]
        self.values: list[Value] = [as_read(self.leaves[n]).value for n in self.own]

    def filled(self, results: Sequence[Operand]) -> Any:
        """The aux with arrays where tracers of the finished trace were."""
        leaves = [x.copy() if isinstance(x, np.ndarray) else x for x in self.leaves]
        for n, result in zip(self.own, results, strict=True):
            leaves[n] = wrap(result, self.leaves[n])
        return tree.unflatten(self.treedef, leaves)


def wrap(result: Operand, like: Tracer) -> Any:
    """A result as the user gets it: a scalar where NumPy gives one."""
    return border(result, like.weak, like.scalar)


def border(result: Operand, weak: bool, scalar: bool) -> Any:
    if isinstance(result, Tracer):
        return Tracer(result.home, result.value, weak, scalar and not result.shape)
    return result[()] if scalar and not result.shape else owned(result)


def owned(array: Array) -> Array:
    """The array itself, or a copy of what is not the caller's alone."""
    own = array.base is None and array.flags.owndata and array.flags.writeable
    return array if own else np.array(array, order="C")


def distinct(results: Sequence[Operand], operands: Sequence[Operand]) -> list[Operand]:
    """Copies of the arrays that are also operands, or other results."""
    seen = {id(x) for x in operands}
    made: list[Operand] = []
    for x in results:
        fresh = x.copy() if isinstance(x, np.ndarray) and id(x) in seen else x
        seen.add(id(fresh))
        made.append(fresh)
    return made
