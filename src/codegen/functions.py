"""The named scalar functions of the element language, as LLVM instructions.

Each is written for single numbers and for vectors alike: a ``Kind`` says which. A function of the C
library is called by a name of our own, which the engine binds to the library's address: LLVM knows
``log`` and would treat it by its own rules. A vector is given to glibc's vector library in pieces
of the widths that it has, or number by number where it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegen.text import Function, Kind, kind_of
from ir.types import DTYPES

Emit = Callable[[Function, Kind, tuple[str, ...]], str]
FUNCTIONS: dict[str, tuple[Emit, int, str | None]] = {}
"""Name to (how it is emitted, its weight, the result's dtype where it is not the operands')."""


def function(name: str, weight: int = 1, returns: str | None = None) -> Callable[[Emit], Emit]:
    def declare(emit: Emit) -> Emit:
        FUNCTIONS[name] = (emit, weight, returns)
        return emit

    return declare


def binary(name: str, on_float: str, on_int: str) -> None:
    """An instruction of two operands, one for floats and one for integers."""

    @function(name)
    def emit(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
        how = f.freedom(on_float) if kind.is_float else on_int
        made = f(f"{how} {kind.t} {xs[0]}, {xs[1]}")
        if how == "fmul contract":
            f.products[made] = xs[0], xs[1], False
        return made


binary("add", "fadd", "add")
binary("sub", "fsub", "sub")
binary("mul", "fmul", "mul")
binary("and", "and", "and")
binary("or", "or", "or")
binary("xor", "xor", "xor")


def comparison(name: str, on_float: str, on_int: str) -> None:
    @function(name, returns="bool")
    def emit(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
        relation = on_int.replace("s", "u") if kind.dtype == "bool" else on_int
        how = f"fcmp {on_float}" if kind.is_float else f"icmp {relation}"
        return f(f"{how} {kind.t} {xs[0]}, {xs[1]}")


comparison("equal", "oeq", "eq")
comparison("not_equal", "une", "ne")
comparison("less", "olt", "slt")
comparison("less_equal", "ole", "sle")
comparison("greater", "ogt", "sgt")
comparison("greater_equal", "oge", "sge")


def call(f: Function, name: str, kind: Kind, xs: tuple[str, ...], *flags: str) -> str:
    """A call of one of LLVM's own functions; some take bits of i1 behind their operands."""
    given = ", ".join([*(f"{kind.t} {x}" for x in xs), *(f"i1 {flag}" for flag in flags)])
    taken = ", ".join([*(kind.t for _ in xs), *("i1" for _ in flags)])
    f.declares[f"declare {kind.t} @llvm.{name}.{kind.suffix}({taken})"] = None
    return f(f"call {kind.t} @llvm.{name}.{kind.suffix}({given})")


def intrinsic(name: str, llvm: str, weight: int = 1) -> None:
    """A function that LLVM has as an intrinsic for floats."""

    @function(name, weight)
    def emit(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
        return call(f, llvm, kind, xs)


for name, llvm_name in (
    ("floor", "floor"), ("ceil", "ceil"), ("trunc", "trunc"), ("rint", "rint"),
    ("copysign", "copysign"),
):  # fmt: skip
    intrinsic(name, llvm_name)
intrinsic("sqrt", "sqrt", 8)


@function("neg")
def neg(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    if kind.is_float:
        made = f(f"{f.freedom('fneg')} {kind.t} {xs[0]}")
        f.negatives[made] = xs[0]
        if xs[0] in f.products:
            x, y, negated = f.products[xs[0]]
            f.products[made] = x, y, not negated
        return made
    return f(f"sub {kind.t} {kind.number(0)}, {xs[0]}")


@function("not")
def complement(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    return f(f"xor {kind.t} {xs[0]}, {kind.number(True if kind.dtype == 'bool' else -1)}")


@function("abs")
def magnitude(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    if kind.is_float:
        return call(f, "fabs", kind, xs)
    return call(f, "abs", kind, xs, "false")


@function("sign", 2)
def sign(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x,), t = xs, kind.t
    zero, one, minus = (kind.number(n) for n in (0, 1, -1))
    above = f(f"{'fcmp ogt' if kind.is_float else 'icmp sgt'} {t} {x}, {zero}")
    below = f(f"{'fcmp olt' if kind.is_float else 'icmp slt'} {t} {x}, {zero}")
    rest = zero
    if kind.is_float:
        rest = f(f"select {kind.bit} {f(f'fcmp uno {t} {x}, {x}')}, {t} {x}, {t} {zero}")
    rest = f(f"select {kind.bit} {below}, {t} {minus}, {t} {rest}")
    return f(f"select {kind.bit} {above}, {t} {one}, {t} {rest}")


@function("is_finite", 2, returns="bool")
def is_finite(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    size = magnitude(f, kind, xs)
    return f(f"fcmp olt {kind.t} {size}, {kind.number(float('inf'))}")


def extremum(name: str, on_float: str, on_int: str, on_bool: str) -> None:
    @function(name)
    def emit(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
        if kind.dtype == "bool":
            return f(f"{on_bool} {kind.bit} {xs[0]}, {xs[1]}")
        return call(f, on_float if kind.is_float else on_int, kind, xs)


extremum("maximum", "maximum", "smax", "or")
extremum("minimum", "minimum", "smin", "and")


@function("div", 8)
def divide(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    return f(f"{f.freedom('fdiv')} {kind.t} {xs[0]}, {xs[1]}")


@dataclass(frozen=True)
class Division:
    """An integer division that never traps: by 0 and of the smallest by -1 it gives 0 or wraps."""

    f: Function
    kind: Kind
    x: str
    y: str

    def parts(self) -> tuple[str, str, str]:
        """Quotient towards zero, remainder, and whether the divisor is 0; NumPy's results."""
        f, kind, t = self.f, self.kind, self.kind.t
        zero = f(f"icmp eq {t} {self.y}, {kind.number(0)}")
        minus = f(f"icmp eq {t} {self.y}, {kind.number(-1)}")
        special = f(f"or {kind.bit} {zero}, {minus}")
        safe = f(f"select {kind.bit} {special}, {t} {kind.number(1)}, {t} {self.y}")
        quotient = f(f"sdiv {t} {self.x}, {safe}")
        remainder = f(f"srem {t} {self.x}, {safe}")
        negated = f(f"sub {t} {kind.number(0)}, {self.x}")
        quotient = f(f"select {kind.bit} {minus}, {t} {negated}, {t} {quotient}")
        quotient = f(f"select {kind.bit} {zero}, {t} {kind.number(0)}, {t} {quotient}")
        return quotient, remainder, zero

    def opposite(self, remainder: str) -> str:
        """Whether flooring moves the quotient: a remainder of the other sign than the divisor."""
        f, kind, t = self.f, self.kind, self.kind.t
        none = kind.number(0)
        left = f(f"icmp ne {t} {remainder}, {none}")
        signs = f(f"icmp slt {t} {f(f'xor {t} {remainder}, {self.y}')}, {none}")
        return f(f"and {kind.bit} {left}, {signs}")


@function("fmod", 20)
def fmod(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    if kind.is_float:
        return library_call(f, "fmod", kind, xs)
    return Division(f, kind, *xs).parts()[1]


@function("remainder", 8)
def remainder(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, kind.t
    if not kind.is_float:
        division = Division(f, kind, x, y)
        _, rest, _ = division.parts()
        moved = f(f"add {t} {rest}, {y}")
        return f(f"select {kind.bit} {division.opposite(rest)}, {t} {moved}, {t} {rest}")
    return float_divmod(f, kind, x, y)[1]


@function("floor_divide", 8)
def floor_divide(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, kind.t
    if not kind.is_float:
        division = Division(f, kind, x, y)
        quotient, rest, zero = division.parts()
        moved = f(f"sub {t} {quotient}, {kind.number(1)}")
        found = f(f"select {kind.bit} {division.opposite(rest)}, {t} {moved}, {t} {quotient}")
        return f(f"select {kind.bit} {zero}, {t} {kind.number(0)}, {t} {found}")
    return float_divmod(f, kind, x, y)[0]


def float_divmod(f: Function, kind: Kind, x: str, y: str) -> tuple[str, str]:
    """Python's divmod for floats, exact, with NumPy's results where the divisor is 0."""
    t, zero, one, half = kind.t, kind.number(0), kind.number(1), kind.number(0.5)
    rest = library_call(f, "fmod", kind, (x, y))
    left = f(f"fcmp une {t} {rest}, {zero}")
    crossed = f(
        f"xor {kind.bit} {f(f'fcmp olt {t} {y}, {zero}')}, {f(f'fcmp olt {t} {rest}, {zero}')}"
    )
    crossed = f(f"and {kind.bit} {left}, {crossed}")
    quotient = f(f"fdiv {t} {f(f'fsub {t} {x}, {rest}')}, {y}")
    quotient = f(
        f"select {kind.bit} {crossed}, {t} {f(f'fsub {t} {quotient}, {one}')}, {t} {quotient}"
    )
    moved = f(f"select {kind.bit} {crossed}, {t} {f(f'fadd {t} {rest}, {y}')}, {t} {rest}")
    signed = call(f, "copysign", kind, (zero, y))
    moved = f(f"select {kind.bit} {left}, {t} {moved}, {t} {signed}")
    whole = call(f, "floor", kind, (quotient,))
    above = f(f"fcmp ogt {t} {f(f'fsub {t} {quotient}, {whole}')}, {half}")
    whole = f(f"select {kind.bit} {above}, {t} {f(f'fadd {t} {whole}, {one}')}, {t} {whole}")
    ratio = f(f"fdiv {t} {x}, {y}")
    none = call(f, "copysign", kind, (zero, ratio))
    some = f(f"fcmp une {t} {quotient}, {zero}")
    whole = f(f"select {kind.bit} {some}, {t} {whole}, {t} {none}")
    by_zero = f(f"fcmp oeq {t} {y}, {zero}")
    not_a_number = f(f"fcmp uno {t} {rest}, {rest}")
    lost = f(f"select {kind.bit} {not_a_number}, {t} {rest}, {t} {moved}")
    whole = f(f"select {kind.bit} {not_a_number}, {t} {rest}, {t} {whole}")
    return f(f"select {kind.bit} {by_zero}, {t} {ratio}, {t} {whole}"), lost


@function("shift_left", 2)
def shift_left(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x, y), t, none = xs, kind.t, kind.number(0)
    fits = f(f"icmp ult {t} {y}, {kind.number(8 * DTYPES[kind.dtype].size)}")
    safe = f(f"select {kind.bit} {fits}, {t} {y}, {t} {none}")
    return f(f"select {kind.bit} {fits}, {t} {f(f'shl {t} {x}, {safe}')}, {t} {none}")


@function("shift_right", 2)
def shift_right(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, kind.t
    last = kind.number(8 * DTYPES[kind.dtype].size - 1)
    fits = f(f"icmp ult {t} {y}, {last}")
    safe = f(f"select {kind.bit} {fits}, {t} {y}, {t} {last}")
    return f(f"ashr {t} {x}, {safe}")


LIBRARY = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "cbrt": "cbrt", "erf": "erf", "erfc": "erfc",
    "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "pow": "pow", "arctan2": "atan2", "hypot": "hypot",
    "fmod": "fmod",
}  # fmt: skip
"""Our function to the C library's, for float64; float32's has an ``f`` behind it."""

SPECIAL = {"erfinv": "erfinv"}
"""Our function to that of scipy.special.cython_special, which computes in float64."""


BEHIND = {
    "logistic": "exp", "remainder": "fmod", "floor_divide": "fmod",
    **{name: name for name in (*LIBRARY, *SPECIAL)},
}  # fmt: skip
"""The library's function that one of ours calls, if it calls one."""

TWO_OPERANDS = ("pow", "arctan2", "hypot", "fmod")


def operand_count(name: str) -> int:
    """How many numbers a library function takes."""
    return 2 if name in TWO_OPERANDS else 1


def library_call(f: Function, name: str, kind: Kind, xs: tuple[str, ...]) -> str:
    """A call of the C library's function, or of its vector variants on pieces of the operands."""
    if kind.lanes == 1:
        f.uses[name, kind.dtype] = None
        return one_call(f, symbol(name, kind.dtype), kind, xs)
    width, callee = 1, ""
    for variant in f.variants(name, kind.dtype):
        if width < variant.lanes <= kind.lanes:
            width, callee = variant.lanes, variant.symbol
    if width == 1:
        f.uses[name, kind.dtype] = None
        return number_by_number(f, symbol(name, kind.dtype), kind, xs)
    f.vectors[callee] = None
    part = kind_of(kind.dtype, width)
    f.declares[f"declare {part.t} @{callee}({', '.join([part.t] * len(xs))}) #0"] = None
    pieces = [f.pieces(x, kind, width) for x in xs]
    return f.joined([one_call(f, callee, part, at) for at in zip(*pieces, strict=True)], part)


def one_call(f: Function, callee: str, kind: Kind, xs: tuple[str, ...]) -> str:
    f.calls += 1
    return f(f"call {kind.t} @{callee}({', '.join(f'{kind.t} {x}' for x in xs)}) #0")


def number_by_number(f: Function, callee: str, kind: Kind, xs: tuple[str, ...]) -> str:
    """A vector of what a scalar function gives for each of the operands' numbers."""
    single, made = kind_of(kind.dtype), "poison"
    for lane in range(kind.lanes):
        numbers = tuple([f(f"extractelement {kind.t} {x}, i32 {lane}") for x in xs])
        found = one_call(f, callee, single, numbers)
        made = f(f"insertelement {kind.t} {made}, {single.t} {found}, i32 {lane}")
    return made


def symbol(name: str, dtype: str) -> str:
    """The name under which a module knows a library function."""
    return f"tracer.{name}.{dtype}"


def from_library(name: str) -> None:
    @function(name, 20)
    def emit(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
        return library_call(f, name, kind, xs)


for name in LIBRARY:
    if name != "fmod":
        from_library(name)


@function("erfinv", 20)
def erfinv(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    (x,) = xs
    wide = kind_of("f64", kind.lanes)
    if kind.dtype == "f64":
        return library_call(f, "erfinv", kind, xs)
    found = library_call(f, "erfinv", wide, (f(f"fpext {kind.t} {x} to {wide.t}"),))
    return f(f"fptrunc {wide.t} {found} to {kind.t}")


def falling(f: Function, kind: Kind, x: str) -> str:
    """``exp(-abs(x))``"""
    return FUNCTIONS["exp"][0](f, kind, (neg(f, kind, (magnitude(f, kind, (x,)),)),))


@function("logistic", 29)
def logistic(f: Function, kind: Kind, xs: tuple[str, ...]) -> str:
    """``1 / (1 + exp(-x))``, for x < 0 as ``exp(x) / (1 + exp(x))``, which may be denormal."""
    one, t = kind.number(1), kind.t
    size = f.negatives.get(
        xs[0], xs[0]
    )  # or that of -x, of which the small exponential is the same
    small = f.once(("exp(-|x|)", size), lambda: falling(f, kind, size))
    below = f(f"fcmp olt {t} {xs[0]}, {kind.number(0)}")
    above = f(f"select {kind.bit} {below}, {t} {small}, {t} {one}")
    return f(f"fdiv {t} {above}, {f(f'fadd {t} {one}, {small}')}")


def convert(f: Function, x: str, old: Kind, dtype: str) -> str:
    """Elements in another dtype, as NumPy's ``astype`` on this machine converts them."""
    if old.dtype == dtype:
        return x
    new = kind_of(dtype, old.lanes)
    s, t, kinds = old.t, new.t, (DTYPES[old.dtype].kind, DTYPES[dtype].kind)
    if dtype == "bool":
        how = "fcmp une" if kinds[0] == "float" else "icmp ne"
        return f(f"{how} {s} {x}, {old.number(0)}")
    if old.dtype == "bool":
        return f(f"{'uitofp' if kinds[1] == 'float' else 'zext'} {s} {x} to {t}")
    if kinds == ("float", "float"):
        return f(f"{'fpext' if old.dtype == 'f32' else 'fptrunc'} {s} {x} to {t}")
    if kinds == ("int", "int"):
        return f(f"{'sext' if old.dtype == 'i32' else 'trunc'} {s} {x} to {t}")
    if kinds[1] == "float":
        return f(f"sitofp {s} {x} to {t}")
    bits = 8 * DTYPES[dtype].size - 1
    fits = f(f"fcmp oge {s} {x}, {old.number(-(2.0**bits))}")
    fits = f(f"and {old.bit} {fits}, {f(f'fcmp olt {s} {x}, {old.number(2.0**bits)}')}")
    safe = f(f"select {old.bit} {fits}, {s} {x}, {s} {old.number(0)}")
    made = f(f"fptosi {s} {safe} to {t}")
    return f(f"select {old.bit} {fits}, {t} {made}, {t} {new.number(-(2**bits))}")
