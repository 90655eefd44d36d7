"""What is being traced in this thread: traces and no_grad scopes, the youngest last."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from inspect import isgeneratorfunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union

from ir.program import Value

if TYPE_CHECKING:
    from tracer.trace import Trace


class Scope:
    """One entry into ``no_grad``: what is computed under it is constant to every derivative."""

    __slots__ = ("opener", "stopped")

    def __init__(self, opener: no_grad) -> None:
        self.opener = opener
        self.stopped: dict[Value, Value] = {}
        """Each value read under the scope, as the scope's equations read it."""


Entry = Union["Trace", Scope]
STACK: ContextVar[tuple[Entry, ...]] = ContextVar("tracer stack", default=())


def push(entry: Entry) -> None:
    STACK.set((*STACK.get(), entry))


def leave(trace: Trace) -> None:
    """Take off the trace, if it is there, and whatever was entered inside it and not left."""
    stack = STACK.get()
    if trace in stack:
        STACK.set(stack[: stack.index(trace)])


def close(opener: no_grad) -> None:
    """Take off the youngest scope of the opener, and no other: generators leave in any order.

    There is none when the trace that it was opened in has ended before the generator.
    """
    stack = STACK.get()
    for n in reversed(range(len(stack))):
        entry = stack[n]
        if isinstance(entry, Scope) and entry.opener is opener:
            STACK.set((*stack[:n], *stack[n + 1 :]))
            return


def scope_over(trace: Trace) -> Scope | None:
    """The outermost no_grad scope that was opened after the trace began."""
    stack = STACK.get()
    if not stack or stack[-1] is trace:
        return None
    later = stack[stack.index(trace) + 1 :] if trace in stack else ()
    return next((entry for entry in later if isinstance(entry, Scope)), None)


class no_grad:
    """Context manager and decorator: what is computed inside has no derivative.

    A transform obeys it inside its function, and ignores one that is open around it. Values are
    unchanged.

    >>> import numpy as np
    >>> from tracer import grad, no_grad
    >>> def f(x):
    ...     with no_grad():
    ...         c = x**2
    ...     return x - c
    >>> grad(f)(2.0)
    np.float64(1.0)
    """

    def __new__(cls, func: Callable[..., Any] | None = None) -> Any:
        made = super().__new__(cls)
        return made if func is None else made(func)

    def __enter__(self) -> None:
        push(Scope(self))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        close(self)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if isgeneratorfunction(func):
            return step_by_step(func)

        @wraps(func)
        def without_gradient(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return func(*args, **kwargs)

        return without_gradient


def step_by_step(func: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function whose steps run under no_grad, and not what runs between them."""

    @wraps(func)
    def without_gradient(*args: Any, **kwargs: Any) -> Any:
        steps = func(*args, **kwargs)
        step = partial(next, steps)
        while True:
            try:
                with no_grad():
                    item = step()
            except StopIteration as end:
                return end.value
            try:
                step = partial(steps.send, (yield item))
            except BaseException as error:
                step = partial(steps.throw, error)

    return without_gradient
