"""Every primitive, one class each, in families. Rules say ``ops.Mul()``; importing this fills the
registry."""

from ir.ops.arith import (
    Abs,
    Add,
    Ceil,
    CopySign,
    Div,
    Floor,
    FloorDivide,
    Fmod,
    IntegerPow,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Pow,
    Remainder,
    Rint,
    Sign,
    Sub,
    Trunc,
)
from ir.ops.compare import (
    And,
    Equal,
    Greater,
    GreaterEqual,
    IsFinite,
    Less,
    LessEqual,
    Not,
    NotEqual,
    Or,
    Select,
    ShiftLeft,
    ShiftRight,
    Xor,
)
from ir.ops.constants import Constant, Convert, Iota, Literal, StopGradient
from ir.ops.contract import DotGeneral
from ir.ops.control import Call, Check, Guard
from ir.ops.elementary import (
    Cbrt,
    Erf,
    Erfc,
    Erfinv,
    Exp,
    Exp2,
    Expm1,
    Hypot,
    Log,
    Log1p,
    Log2,
    Log10,
    Logistic,
    Sqrt,
)
from ir.ops.indexing import Gather, ScatterAdd, Slice, SliceAdd
from ir.ops.movement import Broadcast, Concatenate, Pad, Permute, Reshape
from ir.ops.reduce import ArgMax, ArgMin, ReduceMax, ReduceMin, ReduceProd, ReduceSum
from ir.ops.scan import CumSum
from ir.ops.trigonometry import (
    Arccos,
    Arccosh,
    Arcsin,
    Arcsinh,
    Arctan,
    Arctan2,
    Arctanh,
    Cos,
    Cosh,
    Sin,
    Sinh,
    Tan,
    Tanh,
)

__all__ = [name for name, found in list(globals().items()) if isinstance(found, type)]
