"""One run of a Python function on tracers, and the program that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from ir import ops
from ir.build import Builder
from ir.errors import TypeRuleError
from ir.loc import Loc, user_loc
from ir.op import Array, Op
from ir.passes.fold import LIMIT, constant_of
from ir.program import Program, Value
from ir.types import ArrayType, type_of
from tracer.errors import EscapeError, LeakedTracerError, ShapeError, message
from tracer.stack import STACK, Scope, leave, push, scope_over

if TYPE_CHECKING:
    from tracer.array import Tracer
    from tracer.questions import Questions

Operand = Union["Tracer", Array]
"""What a program's parameter stands for when it is run or inlined."""

LEVELS = count()
"""Each trace gets the next: the younger of two is the inner one."""


HOOKS: list[tuple[Callable[[Trace], None], Callable[[Trace], None]]] = []
"""What is called when a trace begins, and when it ends: the second perhaps without the first, or
again."""


class Ended:
    """Around a trace: it ends, even where an interrupt comes just before it would, or meanwhile.

    >>> with Ended(Trace(abs, "trace")) as running, running:
    ...     pass
    >>> running.active
    False
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __enter__(self) -> Trace:
        return self.trace

    def __exit__(self, *_: object) -> None:
        self.trace.end()


class Trace:
    """Owns the equations of one function call; a context manager while the function runs, inside of
    one of ``Ended``.

    ``kind`` is the transform that traces. ``sources`` holds what parameters stand for, arrays or
    outer tracers; Python may ask for values that depend on no other parameter. What it is told is
    kept in ``questions``, if the program is to serve other arguments as well.
    """

    def __init__(
        self, func: Callable[..., Any], kind: str, questions: Questions | None = None
    ) -> None:
        self.name: str = getattr(func, "__name__", type(func).__name__)
        self.kind = kind
        self.builder = Builder()
        self.active = True
        self.ended = False
        self.thread = get_ident()
        self.level = next(LEVELS)
        self.questions = questions
        self.sources: dict[Value, Operand] = {}
        self.hidden: dict[Value, None] = {}
        self.entered: dict[Value, Value] = {}
        self.snapshots: dict[int, tuple[Array, Array, Value]] = {}
        self.numbers: dict[Any, Value] = {}
        self.constants: dict[Value, Op] = {}
        self.differentiated: set[Value] = set()
        self.known: dict[Value, Array] = {}
        self.producers: dict[Value, Any] = {}
        self.varying: dict[Value, Trace] = {}
        self.given: set[Value] = set()
        self.watched: list[tuple[Array, Array]] | None = None
        """Arrays met in this trace and those inside of it, as they were; None if no one asks."""
        self.placed: dict[tuple[Value, Trace], Value] = {}
        self.indexed = (0, 0)
        self.asked_later = False
        """Whether a rule that is traced when this trace has ended may ask for values of it."""
        self.inner: list[Trace] = []
        """Ended traces whose parameters stand for values of this one, and that are asked later."""
        self.began: dict[Trace, int] = {}
        """For each trace around this one, how many equations it had when this one began."""

    def __enter__(self) -> Trace:
        self.began = {trace: len(trace.builder.equations) for trace in traces()}
        for begin, _ in HOOKS:
            begin(self)
        push(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        escape = wrapped_escape(error)
        if escape is not None:
            raise escape from None

    def end(self) -> None:
        """Leave nothing behind, if there is still something."""
        if not self.ended:
            self.active = False
            leave(self)
            for _, end in HOOKS:
                end(self)
            self.ended = True

    def param(self, type: ArrayType, source: Operand | None = None) -> Value:
        """An explicit parameter; ``source`` is what it stands for, if Python may know."""
        value = self.builder.param(type)
        if source is not None:
            self.sources[value] = source
        return value

    def read(self, value: Value) -> Value:
        """The value; under no_grad, what is constant to every derivative.

        So what a function gives back unchanged (a copy, a reshape to the same shape) obeys too.
        """
        scope = scope_over(self)
        return value if scope is None else self.stopped(scope, (value,))[0]

    def enter(self, x: Tracer) -> Value:
        """A value of this trace that stands for the tracer: its own, or a hidden parameter."""
        if x.home is self:
            return x.value
        check_alive(x)
        if x.value not in self.entered:
            if x.home.level > self.level:
                raise leaked(x, "has not reached this older one")
            self.entered[x.value] = self.hide(x.value.type, x.snapshot())
        return self.entered[x.value]

    def hide(self, type: ArrayType, source: Operand) -> Value:
        value = self.builder.param(type)
        self.sources[value] = source
        self.hidden[value] = None
        return value

    def number(self, number: bool | int | float, dtype: str, shape: tuple[int, ...]) -> Value:
        """One number in every place of the shape."""
        key = (number, dtype, shape) if number else (str(number), dtype, shape)
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = self.constant(ops.Constant(number, dtype, shape))
        return found

    def constant(self, op: Op) -> Value:
        """The result of an op without operands, made once."""
        found = self.numbers.get(op)
        if found is None:
            self.builder.loc = user_loc()
            found = self.numbers[op] = self.builder(op)
            self.constants[found] = op
        return found

    def capture(self, array: Array) -> Value:
        """An array met while tracing: written out if small, else a hidden parameter."""
        type = type_of(array)
        for trace in traces():
            if trace.watched is not None:
                trace.watched.append((array, array.copy()))
        if type.size <= LIMIT:
            return self.constant(constant_of(np.asarray(array, type.numpy), type))
        kept = self.snapshots.get(id(array))
        if kept is not None and same_bytes(array, kept[1]):
            return kept[2]
        snapshot = np.array(array, type.numpy, order="C", copy=True, subok=False)
        value = self.hide(type, snapshot)
        self.snapshots[id(array)] = array, snapshot, value
        return value

    def emit(self, op: Op, *values: Value) -> Any:
        """Append an equation; under no_grad its operands are read through stop_gradient."""
        b = self.builder
        b.loc = user_loc()
        scope = scope_over(self)
        if scope is not None:
            values = self.stopped(scope, values)
        try:
            made = b(op, *values)
        except TypeRuleError as error:
            raise ShapeError(message(str(error), "Check the shapes and dtypes.", b.loc)) from None
        if scope is not None:
            made_here = made if isinstance(made, tuple) else (made,)
            scope.stopped.update(zip(made_here, made_here, strict=True))
        return made

    def stopped(self, scope: Scope, values: Sequence[Value]) -> tuple[Value, ...]:
        """The values as constants to every derivative, each made so once in the scope."""
        for v in values:
            if v not in scope.stopped:
                moves = v.type.info.differentiable and v not in self.constants
                fixed = self.builder(ops.StopGradient(), v) if moves else v
                scope.stopped[v] = scope.stopped[fixed] = fixed
        return tuple([scope.stopped[v] for v in values])

    def inline(self, program: Program, args: Sequence[Value]) -> tuple[Value, ...]:
        """Append the program's equations, inputs stopped under no_grad."""
        scope = scope_over(self)
        if scope is None:
            return self.builder.inline(program, args)
        made = self.builder.inline(program, self.stopped(scope, args))
        scope.stopped.update(zip(made, made, strict=True))
        return made

    def finish(
        self, results: Sequence[Value], keeper: Trace | None = None
    ) -> tuple[Program, list[Operand]]:
        """The program, and what its hidden parameters stand for; lets go of the user's arrays.

        If this trace is asked later, that is left to the ``keeper``, or to the trace around.
        """
        captured = [self.sources[v] for v in self.hidden]
        keeper = keeper or youngest()
        if self.asked_later and keeper is not None:
            keeper.asked_later = True
            if keeper is not self:
                keeper.inner.append(self)
        else:
            self.forget()
        return self.builder.finish(*results, name=identifier(self.name)), captured

    def forget(self) -> None:
        """Values are not asked for any more: let go of the arrays that they come from."""
        for kept in (
            self.sources,
            self.snapshots,
            self.known,
            self.producers,
            self.entered,
            self.varying,
            self.given,
            self.placed,
            self.began,
        ):
            kept.clear()
        for trace in self.inner:
            trace.forget()
        self.inner.clear()


def youngest() -> Trace | None:
    """The innermost trace that is running in this thread."""
    return next((entry for entry in reversed(STACK.get()) if isinstance(entry, Trace)), None)


def traces() -> list[Trace]:
    """The traces that run in this thread, the youngest last."""
    return [entry for entry in STACK.get() if isinstance(entry, Trace)]


def wrapped_escape(error: BaseException | None) -> EscapeError | None:
    """The EscapeError that NumPy has wrapped where it fills an array."""
    cause = error.__cause__ if type(error) is ValueError else None
    if isinstance(cause, EscapeError) and str(error).startswith("setting an array element"):
        return cause
    return None


def identifier(name: str) -> str:
    """The function's name as the IR's text can hold it."""
    return name if name.isidentifier() else "function"


def same_bytes(array: Array, snapshot: Array) -> bool:
    """Whether nothing was written to the array since the snapshot: nans and -0.0 count."""
    as_bits = f"u{snapshot.itemsize}"
    now = np.ascontiguousarray(array, snapshot.dtype)
    return np.array_equal(now.view(as_bits), snapshot.view(as_bits))


def check_alive(x: Tracer) -> None:
    """Refuse a tracer whose trace has ended or belongs to another thread."""
    if not x.home.active:
        raise leaked(x, "has ended")
    if x.home.thread != get_ident():
        raise leaked(x, "runs in another thread")
    if x.store is not None and x.store.seen != x.store.memory.version:
        x.store.refresh(x)


def leaked(x: Tracer, why: str) -> LeakedTracerError:
    loc = birth(x)
    made = f"made at {loc.head}: {loc.source}" if loc else f"an argument of {x.home.name}"
    return LeakedTracerError(
        message(
            f"{x!r} escaped from {x.home.name}, whose trace {why} (the tracer was {made}).",
            "Return the value from the function, with has_aux=True if it is not to be"
            " differentiated, instead of storing it.",
        )
    )


def birth(x: Tracer) -> Loc | None:
    """The line that made the tracer; None for a parameter."""
    for eq in x.home.builder.equations:
        if x.value in eq.results:
            return eq.loc
    return None
