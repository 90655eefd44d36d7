"""The named scalar functions of the element language, as LLVM instructions.

A function of the C library is called by a name of our own, which the engine binds to the library's
address: LLVM knows ``log`` and would treat it by its own rules. Where glibc's vector library has
the function, the call carries the name of its vector variants, and the loop vectoriser uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegen.text import TYPES, Function, number
from ir.types import DTYPES

Emit = Callable[[Function, str, tuple[str, ...]], str]
FUNCTIONS: dict[str, tuple[Emit, int, str | None]] = {}
"""Name to (how it is emitted, its weight, the result's dtype where it is not the operands')."""


def function(name: str, weight: int = 1, returns: str | None = None) -> Callable[[Emit], Emit]:
    def declare(emit: Emit) -> Emit:
        FUNCTIONS[name] = (emit, weight, returns)
        return emit

    return declare


def is_float(dtype: str) -> bool:
    return DTYPES[dtype].kind == "float"


def binary(name: str, on_float: str, on_int: str) -> None:
    """An instruction of two operands, one for floats and one for integers."""

    @function(name)
    def emit(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
        how = f.freedom(on_float) if is_float(dtype) else on_int
        return f(f"{how} {TYPES[dtype]} {xs[0]}, {xs[1]}")


binary("add", "fadd", "add")
binary("sub", "fsub", "sub")
binary("mul", "fmul", "mul")
binary("and", "and", "and")
binary("or", "or", "or")
binary("xor", "xor", "xor")


def comparison(name: str, on_float: str, on_int: str) -> None:
    @function(name, returns="bool")
    def emit(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
        relation = on_int.replace("s", "u") if dtype == "bool" else on_int
        how = f"fcmp {on_float}" if is_float(dtype) else f"icmp {relation}"
        return f(f"{how} {TYPES[dtype]} {xs[0]}, {xs[1]}")


comparison("equal", "oeq", "eq")
comparison("not_equal", "une", "ne")
comparison("less", "olt", "slt")
comparison("less_equal", "ole", "sle")
comparison("greater", "ogt", "sgt")
comparison("greater_equal", "oge", "sge")


def call(f: Function, name: str, dtype: str, xs: tuple[str, ...], extra: str = "") -> str:
    t = TYPES[dtype]
    return f(f"call {t} @{name}({', '.join(f'{t} {x}' for x in xs)}{extra})")


def intrinsic(name: str, llvm: str, weight: int = 1) -> None:
    """A function that LLVM has as an intrinsic for floats."""

    @function(name, weight)
    def emit(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
        return call(f, f"llvm.{llvm}.{DTYPES[dtype].name}", dtype, xs)


for name, llvm_name in (
    ("floor", "floor"), ("ceil", "ceil"), ("trunc", "trunc"), ("rint", "rint"),
    ("copysign", "copysign"),
):  # fmt: skip
    intrinsic(name, llvm_name)
intrinsic("sqrt", "sqrt", 8)


@function("neg")
def neg(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    t = TYPES[dtype]
    return f(f"{f.freedom('fneg')} {t} {xs[0]}") if is_float(dtype) else f(f"sub {t} 0, {xs[0]}")


@function("not")
def complement(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    return f(f"xor {TYPES[dtype]} {xs[0]}, -1") if dtype != "bool" else f(f"xor i1 {xs[0]}, true")


@function("abs")
def magnitude(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    if is_float(dtype):
        return call(f, f"llvm.fabs.{dtype}", dtype, xs)
    return call(f, f"llvm.abs.{dtype}", dtype, xs, ", i1 false")


@function("sign", 2)
def sign(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x,), t = xs, TYPES[dtype]
    zero, one, minus = (number(n, dtype) for n in (0, 1, -1))
    above = f(f"{'fcmp ogt' if is_float(dtype) else 'icmp sgt'} {t} {x}, {zero}")
    below = f(f"{'fcmp olt' if is_float(dtype) else 'icmp slt'} {t} {x}, {zero}")
    rest = zero
    if is_float(dtype):
        rest = f(f"select i1 {f(f'fcmp uno {t} {x}, {x}')}, {t} {x}, {t} {zero}")
    rest = f(f"select i1 {below}, {t} {minus}, {t} {rest}")
    return f(f"select i1 {above}, {t} {one}, {t} {rest}")


@function("is_finite", 2, returns="bool")
def is_finite(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    size = magnitude(f, dtype, xs)
    return f(f"fcmp olt {TYPES[dtype]} {size}, {number(float('inf'), dtype)}")


def extremum(name: str, on_float: str, on_int: str, on_bool: str) -> None:
    @function(name)
    def emit(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
        if dtype == "bool":
            return f(f"{on_bool} i1 {xs[0]}, {xs[1]}")
        return call(f, f"llvm.{on_float if is_float(dtype) else on_int}.{dtype}", dtype, xs)


extremum("maximum", "maximum", "smax", "or")
extremum("minimum", "minimum", "smin", "and")


@function("div", 8)
def divide(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    return f(f"{f.freedom('fdiv')} {TYPES[dtype]} {xs[0]}, {xs[1]}")


@dataclass(frozen=True)
class Division:
    """An integer division that never traps: by 0 and of the smallest by -1 it gives 0 or wraps."""

    f: Function
    dtype: str
    x: str
    y: str

    def parts(self) -> tuple[str, str, str]:
        """Quotient towards zero, remainder, and whether the divisor is 0; NumPy's results."""
        f, t = self.f, TYPES[self.dtype]
        zero = f(f"icmp eq {t} {self.y}, 0")
        minus = f(f"icmp eq {t} {self.y}, -1")
        special = f(f"or i1 {zero}, {minus}")
        safe = f(f"select i1 {special}, {t} 1, {t} {self.y}")
        quotient = f(f"sdiv {t} {self.x}, {safe}")
        remainder = f(f"srem {t} {self.x}, {safe}")
        negated = f(f"sub {t} 0, {self.x}")
        quotient = f(f"select i1 {minus}, {t} {negated}, {t} {quotient}")
        quotient = f(f"select i1 {zero}, {t} 0, {t} {quotient}")
        return quotient, remainder, zero

    def opposite(self, remainder: str) -> str:
        """Whether flooring moves the quotient: a remainder of the other sign than the divisor."""
        f, t = self.f, TYPES[self.dtype]
        left = f(f"icmp ne {t} {remainder}, 0")
        signs = f(f"icmp slt {t} {f(f'xor {t} {remainder}, {self.y}')}, 0")
        return f(f"and i1 {left}, {signs}")


@function("fmod", 20)
def fmod(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    if is_float(dtype):
        return library_call(f, "fmod", dtype, xs)
    return Division(f, dtype, *xs).parts()[1]


@function("remainder", 8)
def remainder(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, TYPES[dtype]
    if not is_float(dtype):
        division = Division(f, dtype, x, y)
        _, rest, _ = division.parts()
        moved = f(f"add {t} {rest}, {y}")
        return f(f"select i1 {division.opposite(rest)}, {t} {moved}, {t} {rest}")
    return float_divmod(f, dtype, x, y)[1]


@function("floor_divide", 8)
def floor_divide(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, TYPES[dtype]
    if not is_float(dtype):
        division = Division(f, dtype, x, y)
        quotient, rest, zero = division.parts()
        moved = f(f"sub {t} {quotient}, 1")
        found = f(f"select i1 {division.opposite(rest)}, {t} {moved}, {t} {quotient}")
        return f(f"select i1 {zero}, {t} 0, {t} {found}")
    return float_divmod(f, dtype, x, y)[0]


def float_divmod(f: Function, dtype: str, x: str, y: str) -> tuple[str, str]:
    """Python's divmod for floats, exact, with NumPy's results where the divisor is 0."""
    t, zero, one, half = TYPES[dtype], number(0, dtype), number(1, dtype), number(0.5, dtype)
    rest = library_call(f, "fmod", dtype, (x, y))
    left = f(f"fcmp une {t} {rest}, {zero}")
    crossed = f(f"xor i1 {f(f'fcmp olt {t} {y}, {zero}')}, {f(f'fcmp olt {t} {rest}, {zero}')}")
    crossed = f(f"and i1 {left}, {crossed}")
    quotient = f(f"fdiv {t} {f(f'fsub {t} {x}, {rest}')}, {y}")
    quotient = f(f"select i1 {crossed}, {t} {f(f'fsub {t} {quotient}, {one}')}, {t} {quotient}")
    moved = f(f"select i1 {crossed}, {t} {f(f'fadd {t} {rest}, {y}')}, {t} {rest}")
    signed = call(f, f"llvm.copysign.{dtype}", dtype, (zero, y))
    moved = f(f"select i1 {left}, {t} {moved}, {t} {signed}")
    whole = call(f, f"llvm.floor.{dtype}", dtype, (quotient,))
    above = f(f"fcmp ogt {t} {f(f'fsub {t} {quotient}, {whole}')}, {half}")
    whole = f(f"select i1 {above}, {t} {f(f'fadd {t} {whole}, {one}')}, {t} {whole}")
    ratio = f(f"fdiv {t} {x}, {y}")
    none = call(f, f"llvm.copysign.{dtype}", dtype, (zero, ratio))
    some = f(f"fcmp une {t} {quotient}, {zero}")
    whole = f(f"select i1 {some}, {t} {whole}, {t} {none}")
    by_zero = f(f"fcmp oeq {t} {y}, {zero}")
    not_a_number = f(f"fcmp uno {t} {rest}, {rest}")
    lost = f(f"select i1 {not_a_number}, {t} {rest}, {t} {moved}")
    whole = f(f"select i1 {not_a_number}, {t} {rest}, {t} {whole}")
    return f(f"select i1 {by_zero}, {t} {ratio}, {t} {whole}"), lost


@function("shift_left", 2)
def shift_left(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, TYPES[dtype]
    width = 8 * DTYPES[dtype].size
    fits = f(f"icmp ult {t} {y}, {width}")
    safe = f(f"select i1 {fits}, {t} {y}, {t} 0")
    return f(f"select i1 {fits}, {t} {f(f'shl {t} {x}, {safe}')}, {t} 0")


@function("shift_right", 2)
def shift_right(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x, y), t = xs, TYPES[dtype]
    last = 8 * DTYPES[dtype].size - 1
    fits = f(f"icmp ult {t} {y}, {last}")
    safe = f(f"select i1 {fits}, {t} {y}, {t} {last}")
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


TWO_OPERANDS = ("pow", "arctan2", "hypot", "fmod")


def operand_count(name: str) -> int:
    """How many numbers a library function takes."""
    return 2 if name in TWO_OPERANDS else 1


def library_call(f: Function, name: str, dtype: str, xs: tuple[str, ...]) -> str:
    """A call of the C library's function, marked so that the module declares what it needs."""
    t = TYPES[dtype]
    args = ", ".join(f"{t} {x}" for x in xs)
    f.uses[name, dtype] = None
    return f(f"call {t} @{symbol(name, dtype)}({args}) #{attributes(name, dtype)}")


def symbol(name: str, dtype: str) -> str:
    """The name under which a module knows a library function."""
    return f"tracer.{name}.{dtype}"


def attributes(name: str, dtype: str) -> int:
    """The number of the attribute group that holds the function's vector variants."""
    return 2 * [*LIBRARY, *SPECIAL].index(name) + (dtype == "f32")


def from_library(name: str) -> None:
    @function(name, 20)
    def emit(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
        return library_call(f, name, dtype, xs)


for name in LIBRARY:
    if name != "fmod":
        from_library(name)


@function("erfinv", 20)
def erfinv(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    (x,) = xs
    wide = x if dtype == "f64" else f(f"fpext float {x} to double")
    found = library_call(f, "erfinv", "f64", (wide,))
    return found if dtype == "f64" else f(f"fptrunc double {found} to float")


@function("logistic", 29)
def logistic(f: Function, dtype: str, xs: tuple[str, ...]) -> str:
    """``1 / (1 + exp(-x))``, for x < 0 as ``exp(x) / (1 + exp(x))``, which may be denormal."""
    one, t = number(1, dtype), TYPES[dtype]
    small = FUNCTIONS["exp"][0](f, dtype, (neg(f, dtype, (magnitude(f, dtype, xs),)),))
    below = f(f"fcmp olt {t} {xs[0]}, {number(0, dtype)}")
    above = f(f"select i1 {below}, {t} {small}, {t} {one}")
    return f(f"fdiv {t} {above}, {f(f'fadd {t} {one}, {small}')}")


def convert(f: Function, x: str, old: str, new: str) -> str:
    """An element in another dtype, as NumPy's ``astype`` on this machine converts it."""
    if old == new:
        return x
    s, t, kinds = TYPES[old], TYPES[new], (DTYPES[old].kind, DTYPES[new].kind)
    if new == "bool":
        return f(f"fcmp une {s} {x}, 0.0" if kinds[0] == "float" else f"icmp ne {s} {x}, 0")
    if old == "bool":
        return f(f"{'uitofp' if kinds[1] == 'float' else 'zext'} i1 {x} to {t}")
    if kinds == ("float", "float"):
        return f(f"{'fpext' if old == 'f32' else 'fptrunc'} {s} {x} to {t}")
    if kinds == ("int", "int"):
        return f(f"{'sext' if old == 'i32' else 'trunc'} {s} {x} to {t}")
    if kinds[1] == "float":
        return f(f"sitofp {s} {x} to {t}")
    bits = 8 * DTYPES[new].size - 1
    fits = f(f"fcmp oge {s} {x}, {number(-(2.0**bits), old)}")
    fits = f(f"and i1 {fits}, {f(f'fcmp olt {s} {x}, {number(2.0**bits, old)}')}")
    safe = f(f"select i1 {fits}, {s} {x}, {s} {number(0, old)}")
    return f(f"select i1 {fits}, {t} {f(f'fptosi {s} {safe} to {t}')}, {t} {-(2**bits)}")
