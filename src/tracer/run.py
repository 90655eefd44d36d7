"""A derived program on operands: evaluated on arrays, put into a trace on tracers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from ir.build import substitute
from ir.evaluate import Evaluator, runner
from ir.loc import UNKNOWN
from ir.op import Array, Op
from ir.ops import Held
from ir.passes.pipeline import paused_collector
from ir.program import Equation, Program, Value
from tracer.array import Tracer
from tracer.emit import lift, owner
from tracer.stack import scope_over
from tracer.trace import Operand, Trace

TABLE_PROGRAMS = 256
TABLE_EQUATIONS = 100_000


class Derived:
    """Programs derived from one traced program, and what runs them."""

    def __init__(self, programs: tuple[Program, ...]) -> None:
        self.programs = programs
        self.evaluators: dict[int, Evaluator] = {}
        self.size = sum(program.size() for program in programs)

    def run(self, which: int, operands: Sequence[Operand]) -> list[Operand]:
        """The results for the operands: arrays if all of them are, else tracers."""
        if owner(operands) is not None:
            return inlined(self.programs[which], operands)
        if which not in self.evaluators:
            with paused_collector():
                self.evaluators[which] = Evaluator(self.programs[which])
        return list(map(np.asarray, self.evaluators[which](operands)))  # type: ignore[arg-type]


class Table:
    """A bounded table of derived programs, the least recently used dropped first.

    It holds a number of programs, and of equations in all of them together.
    """

    def __init__(self, programs: int, equations: int) -> None:
        self.programs = programs
        self.equations = equations
        self.lock = Lock()
        self.kept: OrderedDict[Any, Derived] = OrderedDict()
        self.size = 0

    def get(self, key: Any, make: Callable[[], tuple[Program, ...]]) -> Derived:
        with self.lock:
            found = self.kept.get(key)
            if found is not None:
                self.kept.move_to_end(key)
                return found
        with paused_collector():
            made = Derived(make())
        with self.lock:
            found = self.kept.setdefault(key, made)  # of two threads, the first
            if found is made:
                self.size += made.size
            while len(self.kept) > 1 and self.full():
                self.size -= self.kept.popitem(last=False)[1].size
        return found

    def clear(self) -> None:
        """Forget every program."""
        with self.lock:
            self.kept.clear()
            self.size = 0

    def full(self) -> bool:
        return len(self.kept) > self.programs or self.size > self.equations


TABLE = Table(TABLE_PROGRAMS, TABLE_EQUATIONS)


def derive(program: Program, how: Any, make: Callable[[], tuple[Program, ...]]) -> Derived:
    """What ``make`` derives from the program, made once for equal programs and equal ``how``.

    Programs are equal when their equations are, lines included, so that an error never names the
    line of another function. What holds a rule made for one call is equal to nothing else.
    """
    if any(eq.op.opaque and not eq.op.reusable for eq in program.equations):
        with paused_collector():
            return Derived(make())
    return TABLE.get((how, structure(program)), make)


def structure(program: Program) -> tuple[Any, ...]:
    """A hashable key that says all that a program is, names apart."""
    place = {v: n for n, v in enumerate(program.params)}
    key: list[Any] = [program.types]
    for eq in program.equations:
        key += eq.op, eq.loc, len(eq.operands)
        key += [place[v] for v in eq.operands]
        key += [structure(body) for body in eq.bodies]
        for v in eq.results:
            place[v] = len(place)
    key += [place[v] for v in program.results]
    return tuple(key)


def inlined(program: Program, operands: Sequence[Operand]) -> list[Operand]:
    """The program's equations in the traces of its operands."""
    homes = {x.home for x in operands if isinstance(x, Tracer)}
    if len(homes) > 1:
        return spread(program, operands)
    (trace,) = homes
    held = {eq.results[0]: eq.op.kept for eq in program.equations if isinstance(eq.op, Held)}
    if held:
        rest = [eq for eq in program.equations if not isinstance(eq.op, Held)]
        program = Program((*program.params, *held), tuple(rest), program.results, program.name)
        operands = [*operands, *(kept.array for kept in held.values())]
    given = [lift(trace, x).value for x in operands]
    with paused_collector():
        values = trace.inline(program, given)
    return [Tracer(trace, v) for v in values]


def spread(program: Program, operands: Sequence[Operand]) -> list[Operand]:
    """Each equation in the youngest trace among its operands; on arrays alone it is computed.

    What has no operands is made where it is read.
    """
    env: dict[Value, Operand | Op] = dict(zip(program.params, operands, strict=True))
    for eq in program.equations:
        xs = [env[v] for v in eq.operands]
        trace = owner(xs)
        if not xs:
            env[eq.result] = eq.op
        elif trace is None:
            env.update(zip(eq.results, computed(eq, xs), strict=True))
        else:
            values = tuple([entered(trace, x) for x in xs])
            env.update(zip(eq.results, placed(trace, eq, values), strict=True))
    return [array(x) if isinstance(x, Op) else x for x in map(env.__getitem__, program.results)]


def array(x: Any) -> Array:
    return np.asarray(x.reference() if isinstance(x, Op) else x)


def computed(eq: Equation, xs: Sequence[Any]) -> list[Array]:
    with np.errstate(all="ignore"):
        made = runner(eq)(*map(array, xs))
    return list(map(np.asarray, made if isinstance(made, tuple) else (made,)))


def entered(trace: Trace, x: Any) -> Value:
    if isinstance(x, Held):
        return trace.capture(x.kept.array)
    return trace.constant(x) if isinstance(x, Op) else lift(trace, x).value


def placed(trace: Trace, eq: Equation, values: tuple[Value, ...]) -> list[Tracer]:
    """The equation in the trace, with the line it has."""
    scope = scope_over(trace)
    if scope is not None:
        values = trace.stopped(scope, values)
    fresh = tuple([Value(v.type) for v in eq.results])
    trace.builder.append(Equation(eq.op, values, fresh, eq.bodies, eq.loc))
    if scope is not None:
        scope.stopped.update(zip(fresh, fresh, strict=True))
    return [Tracer(trace, v) for v in fresh]


def swept(program: Program) -> Program:
    """Without the equations that no result and no effect depends on; needs no graph library."""
    read = set(program.results)
    kept = []
    for eq in reversed(program.equations):
        if not eq.op.pure or not read.isdisjoint(eq.results):
            read.update(eq.operands)
            kept.append(eq)
    return Program(program.params, tuple(kept[::-1]), program.results, program.name)


def bound(program: Program, values: dict[Value, Op]) -> Program:
    """Some parameters made by ops instead."""
    fresh = {v: Value(v.type) for v in values}
    made = [Equation(op, (), (fresh[v],), (), UNKNOWN) for v, op in values.items()]
    rest = [
        eq
        if fresh.keys().isdisjoint(eq.operands)
        else Equation(eq.op, substitute(eq.operands, fresh), eq.results, eq.bodies, eq.loc)
        for eq in program.equations
    ]
    return Program(
        tuple([v for v in program.params if v not in values]),
        (*made, *rest),
        substitute(program.results, fresh),
        program.name,
    )
