"""Laws of products with constants: signs and powers of two go into the constant."""

from __future__ import annotations

from math import frexp, isfinite

from ir.build import Builder
from ir.op import Op
from ir.ops import Constant, Mul, Neg
from ir.passes.laws import Term, law
from ir.program import Value


def scaled(b: Builder, by: float, x: Term) -> Value:
    """The product with a constant."""
    made: Value = b(Mul(), b(Constant(by, x.type.dtype, x.type.shape)), x.value)
    return made


def factors(x: Term, y: Term) -> tuple[float, Term] | None:
    """The constant of a product of floats, and the other factor; None if there is none."""
    for one, other in ((x, y), (y, x)):
        number = one.number()
        if number is not None and x.type.info.kind == "float":
            return float(number), other
    return None


def is_power_of_two(number: float) -> bool:
    """Whether it is 1, 2, 4, ... or the negative of one: products with it are exact."""
    return abs(number) >= 1 and abs(frexp(number)[0]) == 0.5


@law(Neg, of=Mul)
def negated_product(b: Builder, op: Op, x: Term) -> Value | None:
    """-(c * x) = (-c) * x"""
    match x:
        case Term(Mul(), (u, v)) if found := factors(u, v):
            return scaled(b, -found[0], found[1])
    return None


@law(Mul, of=Neg)
def product_of_negated(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """c * (-x) = (-c) * x"""
    match factors(x, y):
        case c, Term(Neg(), (z,)):
            return scaled(b, -c, z)
    return None


@law(Mul, of=Mul)
def power_of_two(b: Builder, op: Op, x: Term, y: Term) -> Value | None:
    """c * (d * x) = (c * d) * x for powers of two d and their negatives, where neither c nor d is
    below 1: d * x is exact, and is infinite only where the whole is"""
    found = factors(x, y)
    if found is None:
        return None
    c, rest = found
    match rest:
        case Term(Mul(), (u, v)) if inner := factors(u, v):
            d, z = inner
            if abs(c) >= 1 and is_power_of_two(d) and isfinite(c * d):
                both = x.type.numpy.type(c * d)
                return scaled(b, float(both), z) if isfinite(both) else None
    return None
