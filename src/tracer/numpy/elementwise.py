"""The elementwise functions of NumPy, as a table of rules by kind of dtype."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np

from ir import ops
from ir.op import Op
from tracer.array import Tracer
from tracer.emit import emit, lift, number, owner, reshape, strong
from tracer.numpy.ufuncs import Named, Power, elementwise
from tracer.tables import UFUNCS


def where(condition: Tracer, x: Tracer, y: Tracer | float) -> Tracer:
    """The choice between operands of one type."""
    other = y if isinstance(y, Tracer) else number(x, y)
    return emit(ops.Select(), condition, x, other)


def same(x: Tracer) -> Tracer:
    return x


def truth(x: Tracer) -> Tracer:
    """Whether each element is true: not zero."""
    return x if x.value.type.dtype == "bool" else emit(ops.NotEqual(), x, number(x, 0))


def logical(op: Op) -> Callable[[Tracer, Tracer], Tracer]:
    return lambda x, y: emit(op, truth(x), truth(y))


def scaled(factor: float) -> Callable[[Tracer], Tracer]:
    return lambda x: x * factor


def known(answer: bool) -> Callable[[Tracer], Tracer]:
    """The same answer for every element."""
    return lambda x: number(x, answer, "bool")


def is_nan(x: Tracer) -> Tracer:
    return emit(ops.NotEqual(), x, x)


def is_inf(x: Tracer) -> Tracer:
    return emit(ops.Equal(), emit(ops.Abs(), x), number(x, float("inf")))


def sign_bit(x: Tracer) -> Tracer:
    return emit(ops.Less(), emit(ops.CopySign(), number(x, 1.0), x), number(x, 0))


def int_sign_bit(x: Tracer) -> Tracer:
    return emit(ops.Less(), x, number(x, 0))


def int_reciprocal(x: Tracer) -> Tracer:
    """``1 // x`` towards zero; of 0 what C gives for a float that is too large: the least int."""
    one = emit(ops.Equal(), emit(ops.Abs(), x), number(x, 1))
    least = number(x, int(np.iinfo(x.dtype).min))
    return where(one, x, where(emit(ops.Equal(), x, number(x, 0)), least, 0))


def reciprocal(x: Tracer) -> Tracer:
    return emit(ops.Div(), number(x, 1.0), x)


def extremum_ignoring_nan(op: Op) -> Callable[[Tracer, Tracer], Tracer]:
    def rule(x: Tracer, y: Tracer) -> Tracer:
        return where(is_nan(x), y, where(is_nan(y), x, emit(op, x, y)))

    return rule


def heaviside(x: Tracer, middle: Tracer) -> Tracer:
    step = where(emit(ops.Less(), x, number(x, 0)), number(x, 0.0), number(x, 1.0))
    step = where(emit(ops.Equal(), x, number(x, 0)), middle, step)
    return where(is_nan(x), x, step)


def div_mod(x: Tracer, y: Tracer) -> tuple[Tracer, Tracer]:
    return emit(ops.FloorDivide(), x, y), emit(ops.Remainder(), x, y)


def mod_f(x: Tracer) -> tuple[Tracer, Tracer]:
    whole = emit(ops.Trunc(), x)
    finite = emit(ops.CopySign(), emit(ops.Sub(), x, whole), x)
    return where(is_inf(x), emit(ops.CopySign(), number(x, 0.0), x), finite), whole


elementwise(np.add, number=ops.Add(), bool=ops.Or())
elementwise(np.subtract, number=ops.Sub())
elementwise(np.multiply, number=ops.Mul(), bool=ops.And())
elementwise(np.divide, float=ops.Div())
elementwise(np.floor_divide, number=ops.FloorDivide())
elementwise(np.remainder, number=ops.Remainder())
elementwise(np.fmod, number=ops.Fmod())
elementwise(np.divmod, number=div_mod)
elementwise(np.modf, float=mod_f)
elementwise(np.negative, number=ops.Neg())
elementwise(np.positive, number=same)
elementwise(np.conjugate, number=same)
elementwise(np.absolute, number=ops.Abs(), bool=same)
elementwise(np.fabs, float=ops.Abs())
elementwise(np.sign, number=ops.Sign())
elementwise(np.square, number=ops.IntegerPow(2))
elementwise(np.reciprocal, float=reciprocal, int=int_reciprocal)
elementwise(np.maximum, any=ops.Maximum())
elementwise(np.minimum, any=ops.Minimum())
elementwise(np.fmax, any=ops.Maximum(), float=extremum_ignoring_nan(ops.Maximum()))
elementwise(np.fmin, any=ops.Minimum(), float=extremum_ignoring_nan(ops.Minimum()))
elementwise(np.copysign, float=ops.CopySign())
elementwise(np.heaviside, float=heaviside)
elementwise(np.hypot, float=ops.Hypot())
elementwise(np.arctan2, float=ops.Arctan2())
elementwise(np.logaddexp, float=ops.LogAddExp())
elementwise(np.logaddexp2, float=ops.LogAddExp2())
elementwise(np.float_power, float=ops.Pow())
UFUNCS[np.power] = Power(np.power, float=ops.Pow())

ELEMENTARY: dict[Any, Op] = {
    np.exp: ops.Exp(),
    np.exp2: ops.Exp2(),
    np.expm1: ops.Expm1(),
    np.log: ops.Log(),
    np.log2: ops.Log2(),
    np.log10: ops.Log10(),
    np.log1p: ops.Log1p(),
    np.sqrt: ops.Sqrt(),
    np.cbrt: ops.Cbrt(),
    np.sin: ops.Sin(),
    np.cos: ops.Cos(),
    np.tan: ops.Tan(),
    np.arcsin: ops.Arcsin(),
    np.arccos: ops.Arccos(),
    np.arctan: ops.Arctan(),
    np.sinh: ops.Sinh(),
    np.cosh: ops.Cosh(),
    np.tanh: ops.Tanh(),
    np.arcsinh: ops.Arcsinh(),
    np.arccosh: ops.Arccosh(),
    np.arctanh: ops.Arctanh(),
}
for ufunc, op in ELEMENTARY.items():
    elementwise(ufunc, float=op)

for ufunc, factor in (
    (np.deg2rad, pi / 180),
    (np.radians, pi / 180),
    (np.rad2deg, 180 / pi),
    (np.degrees, 180 / pi),
):
    elementwise(ufunc, float=scaled(factor))

for ufunc, op in (
    (np.floor, ops.Floor()),
    (np.ceil, ops.Ceil()),
    (np.trunc, ops.Trunc()),
    (np.rint, ops.Rint()),
):
    elementwise(ufunc, float=op, int=same, bool=same)

for ufunc, op in (
    (np.equal, ops.Equal()),
    (np.not_equal, ops.NotEqual()),
    (np.less, ops.Less()),
    (np.less_equal, ops.LessEqual()),
    (np.greater, ops.Greater()),
    (np.greater_equal, ops.GreaterEqual()),
):
    elementwise(ufunc, any=op)

elementwise(np.logical_and, any=logical(ops.And()))
elementwise(np.logical_or, any=logical(ops.Or()))
elementwise(np.logical_xor, any=logical(ops.Xor()))
elementwise(np.logical_not, any=lambda x: emit(ops.Not(), truth(x)))
elementwise(np.bitwise_and, bool=ops.And(), int=ops.And())
elementwise(np.bitwise_or, bool=ops.Or(), int=ops.Or())
elementwise(np.bitwise_xor, bool=ops.Xor(), int=ops.Xor())
elementwise(np.invert, bool=ops.Not(), int=ops.Not())
elementwise(np.left_shift, int=ops.ShiftLeft())
elementwise(np.right_shift, int=ops.ShiftRight())
elementwise(np.isnan, float=is_nan, int=known(False), bool=known(False))
elementwise(np.isinf, float=is_inf, int=known(False), bool=known(False))
elementwise(np.isfinite, float=ops.IsFinite(), int=known(True), bool=known(True))
elementwise(np.signbit, float=sign_bit, int=int_sign_bit)


def logit(x: Tracer) -> Tracer:
    return emit(ops.Log(), x) - emit(ops.Log1p(), -x)


def times_log(log_of: Op) -> Callable[[Tracer, Tracer], Tracer]:
    """``x * log(y)``, 0 where x is 0 and y is not nan."""

    def rule(x: Tracer, y: Tracer) -> Tracer:
        nothing = emit(ops.And(), emit(ops.Equal(), x, number(x, 0)), emit(ops.Equal(), y, y))
        return where(nothing, number(x, 0.0), x * emit(log_of, where(nothing, number(y, 1.0), y)))

    return rule


def entropy(x: Tracer) -> Tracer:
    """``-x log x``, 0 at 0 and -inf below."""
    positive = emit(ops.Greater(), x, number(x, 0))
    safe = where(positive, x, 1.0)
    below = where(emit(ops.Equal(), x, number(x, 0)), number(x, 0.0), number(x, float("-inf")))
    return where(is_nan(x), x, where(positive, -safe * emit(ops.Log(), safe), below))


def normal_cdf(x: Tracer) -> Tracer:
    return emit(ops.Erfc(), x * -(0.5**0.5)) * 0.5


def log_expit(x: Tracer) -> Tracer:
    return -emit(ops.LogAddExp(), number(x, 0.0), -x)


SPECIAL: dict[str, tuple[int, Any]] = {
    "expit": (1, ops.Logistic()),
    "erf": (1, ops.Erf()),
    "erfc": (1, ops.Erfc()),
    "erfinv": (1, ops.Erfinv()),
    "logit": (1, logit),
    "entr": (1, entropy),
    "ndtr": (1, normal_cdf),
    "log_expit": (1, log_expit),
    "xlogy": (2, times_log(ops.Log())),
    "xlog1py": (2, times_log(ops.Log1p())),
    "exp2": (1, ops.Exp2()),
    "expm1": (1, ops.Expm1()),
    "log1p": (1, ops.Log1p()),
    "cbrt": (1, ops.Cbrt()),
}
UFUNCS.update({name: Named(name, nin, rule) for name, (nin, rule) in SPECIAL.items()})


def outer(ufunc: Any, x: Any, y: Any) -> Any:
    """``ufunc.outer``: every element of x with every element of y."""
    trace = owner(x, y)
    assert trace is not None
    a, b = strong(lift(trace, x)), strong(lift(trace, y))
    return UFUNCS[ufunc](reshape(a, a.shape + (1,) * b.ndim), b)


UFUNCS["outer"] = outer
