"""A ufunc on tracers: NumPy's promotion and broadcasting made explicit, then a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from ir.types import DTYPES
from tracer import compressed
from tracer.array import Tracer
from tracer.compressed import Compressed
from tracer.emit import astype, broadcast, broadcast_shapes, emit, lift, owner, tag
from tracer.errors import PromotionError, UntracedFunctionError, message
from tracer.numpy.views import separate
from tracer.promote import Tag, resolve, short
from tracer.tables import UFUNCS, numpy_name
from tracer.trace import check_alive

Rule = Op | Callable[..., Any]

ARITHMETIC = {
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.floor_divide,
    np.remainder,
    np.power,
    np.negative,
    np.positive,
    np.absolute,
}
"""What Python's own numbers have operators for: of two of them the result is one of them."""


class Elementwise:
    """A ufunc on tracers, by the kind of dtype that its loop works in.

    Without any tracer among the operands it is the ufunc itself.
    """

    def __init__(self, ufunc: Any, **rules: Rule):
        self.ufunc = ufunc
        self.rules = rules
        self.weak = ufunc in ARITHMETIC
        self.same: dict[str, Op | None] = {}

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        if len(xs) == 2 and not kwargs:
            x, y = xs
            if type(x) is Tracer and not x.weak:
                if type(y) is Tracer:
                    if x.home is y.home and x.value.type == y.value.type and not y.weak:
                        made = self.quick(x, y)
                        if made is not None:
                            return made
                elif type(y) is float and x.value.type.info.kind == "float":
                    type_ = x.value.type
                    y = Tracer(x.home, x.home.number(y, type_.dtype, type_.shape))
                    made = self.quick(x, y)
                    if made is not None:
                        return made
        return self.general(xs, kwargs)

    def quick(self, x: Tracer, y: Tracer) -> Tracer | None:
        """Two operands of one type in one trace, and a loop that is an op of that type."""
        type_ = x.value.type
        try:
            op = self.same[type_.dtype]
        except KeyError:
            op = self.same[type_.dtype] = self.direct(type_.dtype)
        if op is None:
            return None
        home = x.home
        check_alive(x)
        if y.store is not None:
            check_alive(y)
        if x.home is not home or y.home is not home:
            return None
        return Tracer(home, home.emit(op, x.value, y.value), scalar=not type_.shape)

    def direct(self, dtype: str) -> Op | None:
        rule = self.rules.get(DTYPES[dtype].kind)
        ins, _ = resolve(self.ufunc, *[dtype] * self.ufunc.nin)
        return rule if isinstance(rule, Op) and set(ins) == {dtype} else None

    def general(self, xs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if Compressed in map(type, xs):
            return compressed.call(self.ufunc, self, xs, kwargs)
        trace = owner(*xs)
        if trace is None:
            return self.ufunc(*xs, **kwargs)
        dtype = self.options(kwargs)
        given: list[Any] = [x if type(x) in (int, float) else lift(trace, x) for x in xs]
        tags: list[Tag] = [type(x) if type(x) in (int, float) else tag(x) for x in given]
        weak = self.weak and all(isinstance(t, type) for t in tags)
        ins, outs = resolve(self.ufunc, *decided(tags), dtype=dtype, **casting(kwargs))
        shape = broadcast_shapes(*[x.shape for x in given if type(x) is Tracer])
        operands = [
            broadcast(astype(x, d), shape)
            if type(x) is Tracer
            else Tracer(trace, trace.number(x, d, shape))
            for x, d in zip(given, ins, strict=True)
        ]
        made = self.apply(operands)
        several = isinstance(made, tuple)
        done = [
            separate(finished(y, out, weak), operands)
            for y, out in zip(made if several else (made,), outs, strict=True)
        ]
        return tuple(done) if several else done[0]

    def apply(self, operands: Sequence[Tracer]) -> Any:
        kind = operands[0].value.type.info.kind
        rule = self.rules.get(kind)
        if rule is None:
            raise PromotionError(
                message(
                    f"{numpy_name(self.ufunc)} of {operands[0].value.type.dtype} is not traced.",
                    "Convert to float with .astype(float) first.",
                )
            )
        return emit(rule, *operands) if isinstance(rule, Op) else rule(*operands)

    def options(self, kwargs: dict[str, Any]) -> str | None:
        """``dtype=``, the one keyword of a ufunc that is traced."""
        left = {k: v for k, v in kwargs.items() if k not in ("dtype", "casting", "order", "subok")}
        if left and not (left.keys() == {"where"} and left["where"] is True):
            raise UntracedFunctionError(
                message(
                    f"{numpy_name(self.ufunc)} does not take {next(iter(left))}= on traced arrays.",
                    "Use np.where on its result.",
                )
            )
        dtype = kwargs.get("dtype")
        return None if dtype is None else short(dtype)


def casting(kwargs: dict[str, Any]) -> dict[str, str]:
    return {"casting": kwargs["casting"]} if "casting" in kwargs else {}


def decided(tags: list[Tag]) -> list[Tag]:
    """Python numbers alone are int64 and float64; beside arrays they follow those."""
    if all(isinstance(t, type) for t in tags):
        return ["f64" if t is float else "i64" for t in tags]
    return tags


def finished(y: Tracer, dtype: str, weak: bool) -> Tracer:
    """A fresh tracer of the loop's result dtype; ufuncs give scalars at rank 0."""
    y = astype(y, dtype)
    return Tracer(y.home, y.value, weak, not y.shape)


def elementwise(ufunc: Any, *names: str, **rules: Rule) -> None:
    """Enter a ufunc: ``number`` stands for int and float, ``any`` for bool too."""
    if "any" in rules:
        rules = {"bool": rules["any"], "number": rules.pop("any")} | rules
    if "number" in rules:
        rules = {"int": rules["number"], "float": rules.pop("number")} | rules
    UFUNCS[ufunc] = Elementwise(ufunc, **rules)


class Named(Elementwise):
    """A ufunc of scipy.special, recognised by its name: importing scipy is slow."""

    def __init__(self, name: str, nin: int, rule: Rule):
        self.name, self.nin = name, nin
        super().__init__(np.exp if nin == 1 else np.logaddexp, float=rule)

    def general(self, xs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if owner(*xs) is None:
            import scipy.special  # noqa: PLC0415  (slow to import)

            return getattr(scipy.special, self.name)(*xs, **kwargs)
        return super().general(xs, kwargs)


class Power(Elementwise):
    """``x ** n``: a fixed whole n is repeated multiplication, and has no logarithm in it."""

    def __call__(self, *xs: Any, **kwargs: Any) -> Any:
        x, n = xs
        fixed = isinstance(n, int | float | np.number) or (
            isinstance(n, np.ndarray) and not n.shape
        )
        if kwargs or not fixed or type(x) is not Tracer:
            return super().__call__(*xs, **kwargs)
        check_alive(x)
        tag_n: Tag = type(n) if type(n) in (int, float) else str(short(np.asarray(n).dtype))
        ins, outs = resolve(np.power, *decided([tag(x), tag_n]))
        if DTYPES[ins[0]].kind == "int" and n < 0:
            raise ValueError(
                message(
                    "integers to negative integer powers are not allowed.",
                    "Use x.astype(float) ** n.",
                )
            )
        made = fixed_power(astype(x, ins[0]), float(n))
        if made is None:
            return super().__call__(*xs)
        weak = x.weak and isinstance(tag_n, type)
        return separate(finished(made, outs[0], weak), [x])


def fixed_power(x: Tracer, n: float) -> Tracer | None:
    """``x ** n`` without a call to pow, where NumPy's result is the same."""
    if n == 0.5 and not x.scalar:
        return emit(ops.Sqrt(), x)
    if not abs(n) <= 64 or n != int(n):
        return None
    if n == 0:
        return Tracer(x.home, x.home.number(1, x.value.type.dtype, x.shape))
    return x if n == 1 else emit(ops.IntegerPow(int(n)), x)
