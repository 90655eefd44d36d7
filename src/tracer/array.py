"""Tracer: what a traced function sees in the place of an array."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np

from ir.program import Value
from tracer import tables, tree
from tracer.concrete import concrete, fixed
from tracer.errors import EscapeError, UntracedFunctionError, message
from tracer.methods import Methods
from tracer.operators import InPlace, Operators
from tracer.questions import python_value, refuse_item_assignment
from tracer.trace import Trace, check_alive


class Cell:
    """What a tracer holds."""

    __slots__ = ("__weakref__", "home", "scalar", "store", "value", "weak")
    home: Trace
    scalar: bool
    store: Any
    value: Value
    weak: bool


class Tracer(Operators, InPlace, Methods, Cell):
    """A value of a running trace; shapes, dtypes and results are NumPy's.

    ``weak`` marks a Python number (it does not decide a result's dtype), ``scalar`` what NumPy
    would give as a scalar rather than a 0-d array.
    """

    __slots__ = ()
    __array_priority__ = 1000.0

    def __init__(self, trace: Trace, value: Value, weak: bool = False, scalar: bool = False):
        self.home = trace
        self.value = value
        self.weak = weak
        self.scalar = scalar
        self.store = None

    def snapshot(self) -> Tracer:
        """The value that the array has now, whatever is written to it later."""
        return Tracer(self.home, self.value, self.weak, self.scalar)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.type.shape

    @property
    def ndim(self) -> int:
        return len(self.value.type.shape)

    @property
    def size(self) -> int:
        return self.value.type.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.type.numpy

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.value.type.nbytes

    def __repr__(self) -> str:
        return f"Tracer<{self.value.type}>"

    def __format__(self, spec: str) -> str:
        return format(python_value(self, "format")[()], spec) if spec else repr(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(message("len() of an unsized object.", "A 0-d array has no len."))
        return self.shape[0]

    def __iter__(self) -> Iterator[Tracer]:
        if not self.shape:
            raise TypeError(message("iteration over a 0-d array.", "Use it as a number."))
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __getitem__(self, key: Any) -> Tracer:
        found: Tracer = tables.GETITEM[0](self, key)
        return found

    def __setitem__(self, key: Any, item: Any) -> None:
        tables.FUNCTIONS["setitem"](self, key, item)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return tables.call_ufunc(ufunc, method, args, dict(kwargs))
        except UntracedFunctionError:
            constants = as_constants((args, kwargs))
            if constants is None:
                raise
        return getattr(ufunc, method)(*constants[0], **constants[1])

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            found = tables.LIKE.get(func) or tables.FUNCTIONS.get(func)
            if found is None:
                raise untraced(func)
            return found(*args, **kwargs)
        except UntracedFunctionError:
            constants = as_constants((args, kwargs))
            if constants is None:
                raise
        return func(*constants[0], **constants[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The value, of what depends on no argument; nothing else becomes a constant in silence."""
        check_alive(self)
        if fixed(self):
            return np.array(concrete(self.home, self.value), dtype)
        raise EscapeError(
            message(
                f"NumPy asks for the elements of {self!r} as constants here, so their derivative"
                " would be lost.",
                "Use the functions of tracer.numpy; np.array([...]) of traced values is called by"
                " that name.",
            )
        )

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                message(
                    f"the truth value of {self!r}, an array of {self.size} elements, is ambiguous.",
                    "Use .any() or .all().",
                )
            )
        return bool(python_value(self, "bool").item())

    def __float__(self) -> float:
        refuse_item_assignment(self)
        return float(python_value(self, "float").item())

    def __int__(self) -> int:
        refuse_item_assignment(self)
        return int(python_value(self, "int").item())

    def __complex__(self) -> complex:
        refuse_item_assignment(self)
        return complex(python_value(self, "complex").item())

    def __index__(self) -> int:
        refuse_item_assignment(self)
        if self.value.type.info.kind != "int" or self.shape:
            raise TypeError(
                message(f"{self!r} is no integer and cannot be an index.", "Use int(x).")
            )
        return int(python_value(self, "index").item())

    def __round__(self, ndigits: int | None = None) -> Any:
        return int(self.round()) if ndigits is None else self.round(ndigits)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        close = ", ".join(get_close_matches(name, dir(type(self)), n=3)) or "those of ndarray"
        raise AttributeError(
            message(f"{self!r} has no attribute {name!r}.", f"Nearest that it has: {close}.")
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            message(f"{self!r} cannot be pickled or copied: it is no data.", "Return the value.")
        )

    def __copy__(self) -> Tracer:
        return self.copy()  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self.copy()  # type: ignore[no-any-return]


def as_constants(x: Any) -> Any:
    """A tree of arguments with values for tracers; None unless none depends on an argument."""
    leaves, treedef = tree.flatten(x)
    tracers = [leaf for leaf in leaves if isinstance(leaf, Tracer)]
    if not all(map(fixed, tracers)):
        return None
    values = [constant(leaf) if isinstance(leaf, Tracer) else leaf for leaf in leaves]
    return tree.unflatten(treedef, values)


def constant(x: Tracer) -> Any:
    """The value of a tracer that depends on no argument, as NumPy gives it."""
    value = np.array(concrete(x.home, x.value))
    return value[()] if x.scalar else value


def as_read(x: Tracer) -> Tracer:
    """The tracer itself; under no_grad, what is constant to every derivative."""
    check_alive(x)
    value = x.home.read(x.value)
    return x if value is x.value else Tracer(x.home, value, x.weak, x.scalar)


def untraced(func: Any) -> UntracedFunctionError:
    """The error for a NumPy function without a table entry."""
    name = tables.numpy_name(func)
    return UntracedFunctionError(
        message(f"{name} is not traced.", f"Nearest that is: {tables.nearest(name)}.")
    )
