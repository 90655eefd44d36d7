"""pure_callback: calls of functions that cannot be traced, when the program runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir.loc import Loc, user_loc
from ir.op import Array
from ir.ops import Callback
from ir.types import ArrayType
from tracer import tree
from tracer.abstract import ShapeDtype, parsed
from tracer.array import Tracer
from tracer.calls import Call, bits
from tracer.emit import lift, owner
from tracer.errors import CallbackError, message
from tracer.promote import short
from tracer.stack import STACK


class Host:
    """A Python function with the arguments of one call: from arrays to arrays of known types."""

    def __init__(
        self,
        func: Callable[..., Any],
        call: Call,
        treedef: tree.TreeDef,
        types: Sequence[ArrayType],
        loc: Loc,
    ) -> None:
        self.func, self.treedef, self.types, self.loc = func, treedef, tuple(types), loc
        self.arguments = call.treedef
        self.places = [a.position for a in call.arguments]
        self.scalars = [bits(a.leaf)[1] for a in call.arguments]
        self.untraced = [None if n in self.places else x for n, x in enumerate(call.leaves)]

    def __repr__(self) -> str:
        return str(getattr(self.func, "__name__", type(self.func).__name__))

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        leaves = list(self.untraced)
        for place, x, scalar in zip(self.places, arrays, self.scalars, strict=True):
            leaves[place] = x[()] if scalar and not np.shape(x) else np.asarray(x)
        args, kwargs = tree.unflatten(self.arguments, leaves)
        around = STACK.set(())  # for the function nothing is being traced
        try:
            return self.checked(self.func(*args, **kwargs))
        finally:
            STACK.reset(around)

    def checked(self, made: Any) -> tuple[Array, ...]:
        """What the function returned, if it is what was promised."""
        leaves = tree.matched(made, self.treedef)
        if leaves is None and isinstance(made, tuple):
            leaves = tree.matched(tuple(made), self.treedef)  # a named tuple, as NumPy's are
        if leaves is None:
            given = tree.shown(tree.structure(made))
            wanted = f"one of structure {tree.shown(self.treedef)}"
            raise self.wrong(f"a result of structure {given}", wanted)
        return tuple([self.fitted(x, t) for x, t in zip(leaves, self.types, strict=True)])

    def fitted(self, x: Any, type_: ArrayType) -> Array:
        """A result as an array; a Python number fits every type of rank 0."""
        if isinstance(x, bool | int | float) and not isinstance(x, np.generic) and not type_.shape:
            return np.asarray(x, type_.numpy)
        if not isinstance(x, np.ndarray | np.generic):
            raise self.wrong(type(x).__name__, str(type_))
        array = np.asarray(x)
        if array.shape != type_.shape or array.dtype.newbyteorder("=") != type_.numpy:
            raise self.wrong(f"{array.dtype} of shape {array.shape}", str(type_))
        return array

    def wrong(self, given: str, wanted: str) -> CallbackError:
        return CallbackError(
            message(
                f"pure_callback: {self!r} returned {given}, and {wanted} was promised.",
                "Return the shapes and dtypes that result_shape_dtypes says.",
                self.loc,
            )
        )

    def batched(self, mapped: Sequence[bool], size: int) -> Looped:
        return Looped(self, mapped, size)


class Looped:
    """A function over a batch: called once for each example."""

    def __init__(self, one: Host | Looped, mapped: Sequence[bool], size: int) -> None:
        self.one, self.mapped, self.size = one, tuple(mapped), size
        self.types: tuple[ArrayType, ...] = tuple([t.batched(size) for t in one.types])

    def __repr__(self) -> str:
        return f"{self.one!r} of {self.size}"

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        results = [np.empty(t.shape, t.numpy) for t in self.types]
        for n in range(self.size):
            xs = [np.array(x[n]) if m else x for x, m in zip(arrays, self.mapped, strict=True)]
            for whole, y in zip(results, self.one(*xs), strict=True):
                whole[n] = y
        return tuple(results)

    def batched(self, mapped: Sequence[bool], size: int) -> Looped:
        return Looped(self, mapped, size)


def pure_callback(
    func: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    vmap_method: str = "loop",
    **kwargs: Any,
) -> Any:
    """``func(*args, **kwargs)``, called when the program runs and not while it is traced.

    For functions that cannot be traced: of other libraries, or Python that works on numbers.
    ``result_shape_dtypes`` says what func returns, as a pytree of ShapeDtype, or of anything with a
    shape and a dtype. func is given arrays, which are its own, and scalars where there were
    scalars. It must depend on nothing else and have no effects: it is called as often as the
    program needs its result, which may be never. Compiled code calls it with the interpreter's
    lock held; exceptions reach the caller unchanged. Under ``vmap`` it is called once for each
    example. It has no derivative: call it in a function made by custom_jvp or custom_vjp.

    Raises CallbackError (a RuntimeError and TypeError) where func returns something else.

    >>> import math
    >>> import numpy as np
    >>> from tracer import ShapeDtype, custom_jvp, grad, jit, pure_callback
    >>> @custom_jvp
    ... def lgamma(x):
    ...     return pure_callback(math.lgamma, ShapeDtype(()), x)
    >>> @lgamma.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return lgamma(x), dx * (np.log(x) - 1 / (2 * x))
    >>> jit(grad(lgamma))(10.0)
    np.float64(2.252585092994046)
    """
    if vmap_method != "loop":
        raise CallbackError(
            message(f"pure_callback: vmap_method={vmap_method!r} is unknown.", 'Use "loop".')
        )
    call = Call(args, kwargs)
    leaves, treedef = tree.flatten(result_shape_dtypes)
    types = [promised(leaf) for leaf in leaves]
    host = Host(func, call, treedef, types, user_loc())
    operands = [a.operand for a in call.arguments]
    trace = owner(operands)
    if trace is None:
        made: Sequence[Any] = host(*[np.array(x) for x in operands])
        return tree.unflatten(treedef, [x.copy() if x.shape else x[()] for x in made])
    values = trace.emit(Callback(host), *[lift(trace, x).value for x in operands])
    made = [Tracer(trace, v, scalar=not v.type.shape) for v in values]
    return tree.unflatten(treedef, made)


def promised(leaf: Any) -> ArrayType:
    """The type of one result."""
    if isinstance(leaf, ShapeDtype):
        return leaf.type
    if isinstance(leaf, str):
        return parsed(leaf)
    if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        return ArrayType(short(leaf.dtype), tuple(leaf.shape))
    raise CallbackError(
        message(
            f"pure_callback: result_shape_dtypes holds {leaf!r}, which has no shape and dtype.",
            "Use ShapeDtype(shape, dtype).",
        )
    )
