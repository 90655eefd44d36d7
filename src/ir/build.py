"""Building programs one equation at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ir.loc import UNKNOWN, Loc
from ir.op import Op
from ir.program import Equation, Program, Value
from ir.types import ArrayType


class Builder:
    """``b(Mul(), x, y)`` appends an equation and returns its result, or a tuple of several."""

    def __init__(self) -> None:
        self.params: list[Value] = []
        self.equations: list[Equation] = []
        self.loc = UNKNOWN
        self.constants: dict[Value, Op] = {}
        """The op that made a value, for constants that whoever builds has noted."""

    def param(self, type: ArrayType) -> Value:
        self.params.append(Value(type))
        return self.params[-1]

    def __call__(self, op: Op, *operands: Value, bodies: tuple[Program, ...] = ()) -> Any:
        types = op.infer(*[x.type for x in operands], **({"bodies": bodies} if bodies else {}))
        if isinstance(types, tuple):
            results = tuple([Value(t) for t in types])
            self.equations.append(Equation(op, operands, results, bodies, self.loc))
            return results
        result = Value(types)
        self.equations.append(Equation(op, operands, (result,), bodies, self.loc))
        return result

    def append(self, eq: Equation) -> None:
        """Take over an equation whose operands are already this builder's."""
        self.equations.append(eq)

    def again(self, eq: Equation, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """The same equation on other operands: inferred anew only where a type differs."""
        if operands == eq.operands:
            self.equations.append(eq)
            return eq.results
        if all(x.type == y.type for x, y in zip(operands, eq.operands, strict=True)):
            results = tuple([Value(v.type) for v in eq.results])
            self.equations.append(Equation(eq.op, operands, results, eq.bodies, eq.loc))
            return results
        with self.at(eq.loc):
            made = self(eq.op, *operands, bodies=eq.bodies)
        return made if isinstance(made, tuple) else (made,)

    def at(self, loc: Loc) -> At:
        """Equations built inside carry ``loc``."""
        return At(self, loc)

    def inline(self, program: Program, args: Sequence[Value]) -> tuple[Value, ...]:
        """Append the program's equations, its parameters replaced by ``args``."""
        env: dict[Value, Value] = dict(zip(program.params, args, strict=True))
        for eq in program.equations:
            results = tuple([Value(v.type) for v in eq.results])
            operands = tuple([env[v] for v in eq.operands])
            self.equations.append(Equation(eq.op, operands, results, eq.bodies, eq.loc))
            env.update(zip(eq.results, results, strict=True))
        return tuple(env[v] for v in program.results)

    def finish(self, *results: Value, name: str = "program") -> Program:
        return Program(tuple(self.params), tuple(self.equations), results, name)


class At:
    """A place in the source that a builder is at for a while."""

    __slots__ = ("builder", "loc")

    def __init__(self, builder: Builder, loc: Loc) -> None:
        self.builder, self.loc = builder, loc

    def __enter__(self) -> None:
        self.swap()

    def __exit__(self, *raised: object) -> None:
        self.swap()

    def swap(self) -> None:
        self.builder.loc, self.loc = self.loc, self.builder.loc


def substitute(values: Sequence[Value], env: dict[Value, Value]) -> tuple[Value, ...]:
    return tuple([env.get(v, v) for v in values])
