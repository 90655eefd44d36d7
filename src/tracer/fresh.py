"""Arrays of constants that a traced function makes, ready to take traced values.

NumPy computes with them at once, as it does outside a trace: nothing of that is in the program.
The first traced value that is written turns an array, and all views of it, into tracers.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import get_ident
from typing import Any
from weakref import ref

import numpy as np

from ir.loc import located, user_frame
from ir.passes.fold import LIMIT
from ir.program import Value
from ir.types import SHORT, type_of
from tracer import tables
from tracer.array import Cell, Tracer, untraced
from tracer.compressed import Compressed
from tracer.emit import lift, owner, tracers_in
from tracer.memory import Memory, Place, outside
from tracer.methods import Methods
from tracer.operators import InPlace, Operators
from tracer.trace import Trace, youngest

Line = tuple[str, int]


class Shelf:
    """What a fresh array and its views share: the memory, and where and when it was made."""

    __slots__ = ("born", "line", "members", "mould")

    def __init__(self, mould: np.ndarray, line: Line) -> None:
        self.mould = mould
        self.born = youngest()
        self.line = line
        self.members: list[ref[Fresh]] = []


class Held:
    """Where on a shelf a fresh array is."""

    __slots__ = ("memory", "mould")

    def __init__(self, shelf: Shelf, mould: np.ndarray) -> None:
        self.memory = shelf
        self.mould = mould


class Fresh(Operators, InPlace, Cell):
    """An ndarray of constants, until a traced value is written to it; then it is a Tracer."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def __init__(self, shelf: Shelf, mould: np.ndarray) -> None:
        self.store = Held(shelf, mould)
        shelf.members.append(ref(self))

    def __repr__(self) -> str:
        return repr(self.store.mould)

    def __str__(self) -> str:
        return str(self.store.mould)

    def __format__(self, spec: str) -> str:
        return format(self.store.mould, spec)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        seen = self.store.mould.view()
        seen.flags.writeable = False
        return np.array(seen, dtype) if copy else np.asarray(seen, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if any_traced((args, kwargs)):
            return tables.call_ufunc(ufunc, method, args, kwargs)
        made = getattr(ufunc, method)(*plain(args), **plain(kwargs))
        return remade(made, args, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not any_traced((args, kwargs)):
            return remade(func(*plain(args), **plain(kwargs)), args, kwargs)
        found = tables.FUNCTIONS.get(func)
        if found is None:
            raise untraced(func)
        return found(*args, **kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return tables.FUNCTIONS["namespace"]()

    def __getitem__(self, key: Any) -> Any:
        trace = owner(key)
        if trace is not None:
            return lift(trace, self)[key]
        return remade(self.store.mould[plain(key)], self)

    def __setitem__(self, key: Any, item: Any) -> None:
        if any_traced((key, item)):
            self.traced(owner(key, item.mask if type(item) is Compressed else item))
            tables.FUNCTIONS["setitem"](self, key, item)
        else:
            self.store.mould[plain(key)] = plain(item)

    def __len__(self) -> int:
        return len(self.store.mould)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __bool__(self) -> bool:
        return bool(self.store.mould)

    def __int__(self) -> int:
        return int(self.store.mould)

    def __float__(self) -> float:
        return float(self.store.mould)

    def __complex__(self) -> complex:
        return complex(self.store.mould)

    def __index__(self) -> int:
        return self.store.mould.__index__()  # type: ignore[no-any-return]

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.store.mould.__reduce_ex__(protocol)

    @property
    def flat(self) -> Any:
        return tables.FUNCTIONS["flat"](self)

    @flat.setter
    def flat(self, items: Any) -> None:
        tables.FUNCTIONS["flat"](self)[:] = items

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(np.ndarray, name) and hasattr(Methods, name):
            return getattr(Methods, name).__get__(self)
        found = getattr(self.store.mould, name)
        if not callable(found):
            return remade(found, self)

        def method(*args: Any, **kwargs: Any) -> Any:
            if any_traced((args, kwargs)):
                x = self.traced(None) if name in WRITING else lift(of(args, kwargs), self)
                return getattr(x, name)(*args, **kwargs)
            return remade(found(*plain(args), **plain(kwargs)), self, args, kwargs)

        return method

    def materialised(self) -> np.ndarray:
        """A copy as an ndarray."""
        return self.store.mould.copy()  # type: ignore[no-any-return]

    def constant(self, trace: Trace) -> Value:
        """The array as it is now, as a value of the trace."""
        mould = self.store.mould
        if mould.size > LIMIT:
            bits = np.ascontiguousarray(mould).view(f"u{mould.itemsize}").ravel()
            if bits[0] == bits[-1] and (bits == bits[0]).all():
                number = mould.flat[0].item()
                return trace.number(number, type_of(mould).dtype, mould.shape)
        return trace.capture(mould)

    def traced(self, writer: Trace | None) -> Tracer:
        """Itself as a tracer of the trace that it was made in, like all views of its memory."""
        shelf: Shelf = self.store.memory
        home = shelf.born
        late = writer is not None and (home is None or writer.level > home.level)
        if home is None or late or not home.active or home.thread != get_ident():
            raise outside(located(*shelf.line), self, writer or home)
        whole = Fresh(Shelf(shelf.mould, shelf.line), shelf.mould)
        root = Tracer(home, whole.constant(home))
        memory = Memory(root, shelf.mould, "", home.level)
        for member in [m() for m in shelf.members]:
            if member is not None:
                become(member, memory)
        return self  # type: ignore[return-value]


WRITING = ("fill", "put", "sort", "partition", "itemset")


def of(*given: Any) -> Trace:
    found = owner(given)
    assert found is not None
    return found


def become(member: Fresh, memory: Memory) -> None:
    """The fresh array is a tracer from now on, to be read anew."""
    place = Place(memory, member.store.mould)
    place.seen = -1
    member.home = memory.home
    member.value = Value(type_of(place.mould))
    member.weak = member.scalar = False
    member.store = place
    member.__class__ = Tracer  # type: ignore[assignment]


def any_traced(x: Any) -> bool:
    """Whether there is a traced value in it."""
    if type(x) is Compressed or any(True for _ in tracers_in(x)):
        return True
    if isinstance(x, dict):
        x = list(x.values())
    return isinstance(x, list | tuple) and any(map(any_traced, x))


def plain(x: Any) -> Any:
    """With ndarrays in the place of fresh arrays, which share their memory."""
    if type(x) is Fresh:
        return x.store.mould
    if type(x) in (list, tuple):
        return type(x)([plain(item) for item in x])
    if type(x) is dict:
        return {name: plain(item) for name, item in x.items()}
    return x


def arrays_in(x: Any) -> Iterator[Any]:
    """The arrays in an argument, fresh ones and others."""
    if isinstance(x, Fresh | np.ndarray):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from arrays_in(item)
    elif isinstance(x, dict):
        yield from arrays_in(list(x.values()))


def user_line() -> Line:
    """The user's line, for an array that is made there."""
    frame = user_frame()
    return frame.f_code.co_filename, frame.f_lineno


def remade(made: Any, *given: Any, line: Line = ("", 0)) -> Any:
    """What NumPy made of the arguments: an array as a fresh one, or as the view that it is."""
    if isinstance(made, list | tuple):
        parts = [remade(x, *given, line=line) for x in made]
        return type(made)(*parts) if hasattr(made, "_fields") else type(made)(parts)
    if type(made) is not np.ndarray or made.dtype not in SHORT:
        return made
    for x in arrays_in(given):
        if isinstance(x, Fresh):
            if made is x.store.mould:
                return x
            if np.may_share_memory(made, x.store.memory.mould):
                return Fresh(x.store.memory, made)
            line = line if line[0] else x.store.memory.line
        elif made is x or np.may_share_memory(made, x):
            return made
    own = made if made.base is None and made.flags.forc else np.array(made, order="K")
    return Fresh(Shelf(own, line), own)
