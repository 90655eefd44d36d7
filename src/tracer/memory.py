"""The memory of a traced array: its current value, the views of it, and who may write to it.

A write appends an update to the program, and binds the memory to what that gives. Views know the
memory, and no memory its views: one that was written to since is read anew when it is next used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import ops
from ir.loc import UNKNOWN, Loc
from ir.program import Value
from tracer.array import Tracer, as_read
from tracer.emit import owner
from tracer.errors import MutationError, ReadOnlyError, message
from tracer.layout import appended, route
from tracer.stack import scope_over
from tracer.tables import FUNCTIONS
from tracer.trace import Trace, birth, check_alive, leaked, traces


class Memory:
    """What an array and all views of it share.

    ``mould`` is an array without values that has their layout. ``born`` is the level of the
    youngest trace that ran when the memory was made, if it was made for a copy.
    """

    __slots__ = ("born", "first", "home", "mould", "value", "version", "whose")

    def __init__(self, x: Tracer, mould: np.ndarray, whose: str, born: int | None = None) -> None:
        self.home = x.home
        self.value = self.first = x.value
        self.version = 0
        self.mould = mould
        self.whose = whose
        self.born = born

    def write(self, region: np.ndarray, y: Value) -> None:
        """The value in the places of the region."""
        self.value = route(self.mould, region).write(self.home, self.value, y)
        self.version += 1

    def read(self, region: np.ndarray) -> Tracer:
        return Tracer(self.home, route(self.mould, region).read(self.home, self.value))


class Place:
    """Where in a memory a tracer's elements are. Under no_grad a view is made ``still``."""

    __slots__ = ("memory", "mould", "seen", "still")

    def __init__(self, memory: Memory, mould: np.ndarray, still: bool = False) -> None:
        self.memory = memory
        self.mould = mould
        self.seen = memory.version
        self.still = still

    def refresh(self, x: Tracer) -> None:
        """The tracer gets the value that its places have now."""
        memory = self.memory
        x.home = memory.home
        if not memory.home.active:
            raise leaked(x, "has ended")
        x.value = memory.read(self.mould).value
        if self.still and x.value.type.info.differentiable:
            x.value = appended(x.home, ops.StopGradient(), x.value)
        self.seen = memory.version


def blank(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.int8)


def located(x: Tracer) -> Place:
    """The tracer's place in memory; its own memory, if it was not written to nor viewed yet."""
    check_alive(x)
    if x.store is None:
        memory = Memory(x, blank(x.shape), whose(x))
        x.store = Place(memory, memory.mould)
    place: Place = x.store
    return place


def whose(x: Tracer) -> str:
    """Whose memory a tracer without a place has: nothing for one that the function made."""
    if x.value in x.home.hidden:
        return "an array from outside of"
    return "an argument of" if x.value in x.home.builder.params else ""


def own(x: Tracer) -> Tracer:
    """A copy of the tracer: what has the same value, and a memory of its own."""
    made = Tracer(x.home, x.value, False, x.scalar)
    levels = [trace.level for trace in traces()]
    memory = Memory(made, blank(x.shape), "", max(levels, default=None))
    made.store = Place(memory, memory.mould)
    return made


def copied(x: Tracer) -> Tracer:
    """As ``x.copy()``: under no_grad, constant to every derivative."""
    read = as_read(x)
    return read.snapshot() if x.scalar or x.weak else own(read)


FUNCTIONS["copied"] = copied


def view(x: Tracer, made: Tracer, take: Callable[[np.ndarray], Any]) -> Tracer:
    """What was read of x as a view of it, where NumPy's answer on x's mould is one."""
    if made.home is not x.home or x.scalar:
        return made if made is not x else own(made)
    place = located(x)
    mould = take(place.mould)
    if not np.may_share_memory(mould, place.memory.mould) and mould.size:
        return own(made) if made.value is x.value else made
    found = Tracer(made.home, made.value, scalar=made.scalar and not made.shape)
    still = place.still or scope_over(x.home) is not None
    found.store = Place(place.memory, mould, still)
    return found


def writable(x: Tracer, *written: Any) -> Place:
    """The place of an array that is about to be written to with what is given."""
    place = located(x)
    memory = place.memory
    if memory.whose:
        raise MutationError(
            message(
                f"{x!r} cannot be written to: its memory is that of {memory.whose}"
                f" {x.home.name}, which is not to change.",
                "Write to a copy: y = x.copy().",
            )
        )
    if not place.mould.flags.writeable:
        raise ReadOnlyError(
            message(
                f"{x!r} cannot be written to: the view is read-only.", "Write to a copy: x.copy()."
            )
        )
    writer = owner(written)
    if writer is not None and writer.level > memory.home.level:
        if not made_inside(memory, writer):
            raise outside(birth(Tracer(memory.home, memory.first)), x, writer)
        memory.value = writer.enter(Tracer(memory.home, memory.value))
        memory.home = writer
        memory.version += 1
    return place


def made_inside(memory: Memory, trace: Trace) -> bool:
    """Whether the memory was made while the trace ran."""
    if memory.born is not None:
        return memory.born >= trace.level
    since = trace.began.get(memory.home, 0)
    return any(memory.first in eq.results for eq in memory.home.builder.equations[since:])


def outside(loc: Loc | None, x: Any, trace: Trace | None) -> MutationError:
    """The refusal to write a value of an inner trace to an array from outside of it."""
    name, kind = (trace.name, trace.kind) if trace else ("a trace", "a transform")
    shown = f"an array of shape {x.shape}"
    made = "" if loc is None or loc is UNKNOWN else f" at {loc.head}: {loc.source}"
    return MutationError(
        message(
            f"{shown} was made outside of {name}{made}, and a value that"
            f" {kind} traces inside of it cannot be written there.",
            f"Make the array inside of {name}, or return the value from it.",
        )
    )


def target(x: Any, *written: Any) -> Tracer:
    """What a function writes to, as a tracer."""
    if type(x) is Tracer:
        return x
    become = getattr(type(x), "traced", None)
    if become is None:
        raise captured(x)
    return become(x, owner(written))  # type: ignore[no-any-return]


def captured(x: Any) -> MutationError:
    """The refusal to write traced values to an ndarray."""
    return MutationError(
        message(
            f"traced values cannot be written to an ndarray of shape {np.shape(x)}: they would"
            " become constants.",
            "Write to a traced copy: np.array(y) made in the function, or np.zeros_like(x).",
        )
    )
