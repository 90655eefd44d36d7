"""``x[mask]`` where the mask varies: how many elements there are is not known, what they are is.

Elementwise functions of it, its reductions, and ``y[mask] = ...`` need no more than that; whatever
does asks for the mask, as any other question about a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.loc import user_loc
from tracer.array import Tracer
from tracer.concrete import UnknownValueError, concrete, index, varies
from tracer.emit import astype
from tracer.methods import Methods
from tracer.operators import Operators
from tracer.questions import python_value
from tracer.tables import FUNCTIONS, call_ufunc


class Compressed(Operators, Methods):
    """The elements of ``whole`` at which ``mask``, of its leading axes, is true."""

    __slots__ = ("mask", "settled", "whole")
    __array_priority__ = 1000.0

    def __init__(self, whole: Tracer, mask: Tracer) -> None:
        self.whole = whole
        self.mask = mask
        self.settled: Tracer | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.whole.dtype

    @property
    def ndim(self) -> int:
        return self.whole.ndim - self.mask.ndim + 1

    @property
    def size(self) -> Any:
        """How many elements there are: a traced number."""
        each = int(np.prod(self.whole.shape[self.mask.ndim :]))
        return np.sum(self.mask) * each

    def materialised(self) -> Tracer:
        """The elements as an array, which takes the mask's value: a guard, or an error."""
        if self.settled is None:
            places = python_value(self.mask, "nonzero").nonzero()
            self.settled = filled(self, 0)[places]
        return self.settled

    @property
    def shape(self) -> tuple[int, ...]:
        return self.materialised().shape

    def __len__(self) -> int:
        return len(self.materialised())

    def __iter__(self) -> Any:
        return iter(self.materialised())

    def __getitem__(self, key: Any) -> Any:
        return self.materialised()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.materialised(), name)

    def __repr__(self) -> str:
        return f"Compressed<{self.whole!r}[{self.mask!r}]>"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        return call_ufunc(ufunc, method, args, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found = FUNCTIONS.get(func)
        if found is None:
            return self.materialised().__array_function__(func, types, args, kwargs)
        return found(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.materialised().__array__(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self.materialised())


def settled(x: Any) -> Any:
    """What stands for an array as that array, in lists and tuples too; else as it is."""
    settle = getattr(type(x), "materialised", None)
    if settle is not None:
        return settle(x)
    if type(x) in (list, tuple):
        return type(x)([settled(item) for item in x])
    return x


def chosen(x: Tracer, key: Any) -> Compressed | None:
    """``x[key]`` for a mask whose value is not the same in every call; None for other keys."""
    if type(key) is not Tracer or key.dtype != bool or not key.ndim:
        return None
    if key.shape != x.shape[: key.ndim]:
        return None
    if varies(key) is None:
        try:
            concrete(key.home, key.value)
        except UnknownValueError:
            return Compressed(x, key)
        return None
    return Compressed(x, key)


def call(func: Any, entry: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """A function of the table with compressed operands among its arguments."""
    rule = REDUCTIONS.get(func)
    if rule is not None and len(args) == 1 and over_all(args[0], kwargs):
        return rule(args[0])
    mask = common_mask(args)
    elementwise = isinstance(func, np.ufunc) and func.signature is None
    if elementwise and mask is not None and not kwargs and all(map(fits, args)):
        return Compressed(entry(*[x.whole if type(x) is Compressed else x for x in args]), mask)
    if func in (np.matmul, np.dot) and mask is not None and not kwargs:
        x, y = args
        if type(x) is type(y) is Compressed and x.ndim == y.ndim == 1:
            return np.sum(x * y)
    return entry(*settled(tuple(args)), **{k: settled(x) for k, x in kwargs.items()})


def over_all(x: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a reduction is over all that was chosen."""
    given = {k: v for k, v in kwargs.items() if v is not None}
    return type(x) is Compressed and (not given or (given == {"axis": 0} and x.ndim == 1))


def common_mask(args: Sequence[Any]) -> Tracer | None:
    """The mask of all compressed operands, if it is one."""
    masks = [x.mask for x in args if type(x) is Compressed]
    return masks[0] if all(same(masks[0], m) for m in masks[1:]) else None


def same(x: Tracer, y: Tracer) -> bool:
    """Whether two masks are one value, or the same function of the same values."""
    if x.value is y.value:
        return True
    if x.home is not y.home:
        return False
    index(x.home)
    one, other = (x.home.producers.get(m.value) for m in (x, y))
    return bool(one and other and one.op is other.op and one.operands == other.operands)


def fits(x: Any) -> bool:
    """Whether an operand has one value for all the elements, or is one of the compressed."""
    return type(x) is Compressed or np.ndim(x) == 0


def assigned(y: Tracer, mask: Tracer, item: Any) -> Tracer | None:
    """The array with ``y[mask] = item`` done; None where the item's elements must be counted."""
    if type(item) is Compressed:
        if not same(item.mask, mask) or item.whole.shape != y.shape:
            return None
        item = item.whole
    elif np.ndim(item) > y.ndim - mask.ndim:
        return None
    wide = mask.reshape(mask.shape + (1,) * (y.ndim - mask.ndim))
    found: Tracer = astype(FUNCTIONS[np.where](wide, item, y), y.value.type.dtype)
    return found


def filled(x: Compressed, value: Any) -> Tracer:
    """The whole array, with the value where the mask does not hold."""
    wide = x.mask.reshape(x.mask.shape + (1,) * (x.whole.ndim - x.mask.ndim))
    found: Tracer = FUNCTIONS[np.where](wide, x.whole, x.dtype.type(value))
    return found


def total(x: Compressed) -> Any:
    return np.sum(filled(x, 0))


def product(x: Compressed) -> Any:
    return np.prod(filled(x, 1))


def mean(x: Compressed) -> Any:
    made = total(x) / x.size
    return made.astype(x.dtype) if x.dtype.kind == "f" else made


def variance(x: Compressed) -> Any:
    return mean((x - mean(x)) ** 2)


def deviation(x: Compressed) -> Any:
    return np.sqrt(variance(x))


def some(x: Compressed) -> Any:
    return np.any(filled(x, 0))


def every(x: Compressed) -> Any:
    return np.all(filled(x, 1))


def count(x: Compressed) -> Any:
    return np.count_nonzero(filled(x, 0))


def largest(x: Compressed) -> Any:
    return np.max(filled(not_empty(x, "maximum"), limits(x)[0]))


def smallest(x: Compressed) -> Any:
    return np.min(filled(not_empty(x, "minimum"), limits(x)[1]))


def limits(x: Compressed) -> tuple[Any, Any]:
    """The least and the largest value of the dtype."""
    if x.dtype.kind == "f":
        return -np.inf, np.inf
    if x.dtype.kind == "b":
        return False, True
    return np.iinfo(x.dtype).min, np.iinfo(x.dtype).max


def not_empty(x: Compressed, name: str) -> Compressed:
    """The same; the call raises NumPy's error where the mask chooses nothing."""
    held = FUNCTIONS[np.any](x.mask)
    trace = held.home
    trace.builder.loc = user_loc()
    gist = f"zero-size array to reduction operation {name} which has no identity."
    trace.builder(ops.Check(gist, "Test the mask with np.any first.", "ValueError"), held.value)
    return x


REDUCTIONS: dict[Any, Callable[[Compressed], Any]] = {
    np.sum: total,
    np.prod: product,
    np.mean: mean,
    np.var: variance,
    np.std: deviation,
    np.any: some,
    np.all: every,
    np.max: largest,
    np.min: smallest,
    np.count_nonzero: count,
    np.size: lambda x: x.size,
}
