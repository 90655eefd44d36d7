"""vmap: a leading batch axis on the mapped parameters and on all that depends on them."""

from __future__ import annotations

from collections.abc import Sequence

from ir import ops
from ir.build import Builder
from ir.errors import missing_rule
from ir.graph import downstream
from ir.ops.families import batched
from ir.passes.inline import inline_plain
from ir.program import Equation, Program, Value


def mapped_results(program: Program, mapped: Sequence[bool]) -> tuple[bool, ...]:
    """Which results depend on a mapped parameter."""
    moved = downstream(program, chosen(program, mapped))
    return tuple([v in moved for v in program.results])


def chosen(program: Program, mapped: Sequence[bool]) -> list[Value]:
    return [v for v, m in zip(program.params, mapped, strict=True) if m]


def vmap(program: Program, mapped: Sequence[bool], size: int) -> Program:
    """Every mapped value carries its batch axis first; the rest stay as they were.

    Results that depend on no mapped parameter are repeated.
    """
    program = inline_plain(program)
    moved = downstream(program, chosen(program, mapped))
    b = Builder()
    env: dict[Value, Value] = {}
    for v in program.params:
        env[v] = b.param(v.type.batched(size) if v in moved else v.type)
    for eq in program.equations:
        xs = tuple([env[v] for v in eq.operands])
        mask = [v in moved for v in eq.operands]
        if not any(mask[: eq.op.data]):
            made = b.again(eq, xs)
            env.update(zip(eq.results, made, strict=True))
            if isinstance(eq.op, ops.Constant):
                b.constants[made[0]] = eq.op
            continue
        rule = getattr(eq.op, "vmap", None)
        if eq.bodies:
            env.update(zip(eq.results, called(b, eq, size, xs, mask), strict=True))
            continue
        if rule is None:
            raise missing_rule(eq.op, "vmap", eq.loc)
        with b.at(eq.loc.through("vmap")):
            made = rule(b, size, xs, mask)
        env.update(zip(eq.results, made if isinstance(made, tuple) else (made,), strict=True))
    results = [batched(b, size, env[v], v in moved) for v in program.results]
    return b.finish(*results, name=f"{program.name}_vmap")


def called(
    b: Builder, eq: Equation, size: int, xs: Sequence[Value], mapped: Sequence[bool]
) -> tuple[Value, ...]:
    """A call that is kept: of its body over the batch."""
    bodies = tuple([vmap(body, mapped, size) for body in eq.bodies])
    with b.at(eq.loc.through("vmap")):
        return b(eq.op.over_batch(mapped, size), *xs, bodies=bodies)  # type: ignore[no-any-return]
