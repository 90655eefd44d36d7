"""Results that are other arrays transposed or reshaped: computed right in the result's buffer."""

from __future__ import annotations

from codegen.index import Axis, Index, along
from codegen.inlining import Inlining
from codegen.kernels.views import stored
from ir import ops
from ir.graph import producers
from ir.program import Program, Value

Order = tuple[int, ...]


def claimed(program: Program, inlined: Inlining, orders: dict[Value, Order]) -> dict[Value, Value]:
    """For each such result the stored value, whose order in memory is put in ``orders`` where its
    own will not do."""
    claims: dict[Value, Value] = {}
    made_by = producers(program)
    for v in program.results:
        shaped = v
        while (eq := inlined.get(shaped)) is not None and isinstance(eq.op, ops.Reshape):
            (shaped,) = eq.operands
        axes = [Axis(0, n) for n in shaped.type.shape]
        found = stored(shaped, tuple(map(along, axes)), inlined)
        if found is None or not v.type.size or found[0].type.size != v.type.size:
            continue
        under, order = found[0], in_order(found[1], axes)
        taken = under in claims.values() or under in program.results
        if under not in made_by or taken or v in claims or order is None:
            continue
        natural = order == tuple(range(len(order)))
        if not natural and hasattr(made_by[under].op, "update"):
            continue
        if not natural:
            orders[under] = order
        claims[v] = under
    return claims


def in_order(at: tuple[Index, ...], axes: list[Axis]) -> Order | None:
    """The dimensions of an array, read at ``at``, in the order in which the axes run over them.

    None unless each axis of several steps runs over a dimension of its own, and none is left.
    """
    places = {along(axis): n for n, axis in enumerate(axes) if axis.extent > 1}
    spots = [-1 if isinstance(i, int) else places.get(i, -2) for i in at]
    if -2 in spots or sorted(n for n in spots if n >= 0) != sorted(places.values()):
        return None
    return tuple(sorted(range(len(at)), key=lambda d: spots[d]))
