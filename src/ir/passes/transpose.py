"""A linear program run backwards: ``(residuals, dx) -> dy`` to ``(residuals, ct) -> x_bar``."""

from __future__ import annotations

from collections.abc import Sequence

from ir import ops
from ir.build import Builder
from ir.errors import RuleError, missing_rule
from ir.graph import downstream
from ir.op import Tangent
from ir.ops.families import Elementwise, add_up, zeros
from ir.passes.inline import inline_bodies
from ir.program import Equation, Program, Value


def transpose(linear: Program, residuals: int) -> Program:
    """Map cotangents of the results to cotangents of the parameters after the ``residuals``.

    The cotangent of a value that is read in parts (slices, gathers) grows in place, in zeros that
    are made once, so reading n elements costs O(n) in reverse too. If the whole has a cotangent
    before, they grow in that; but one that was computed element by element is added to them.
    """
    linear = inline_bodies(linear)
    tangents = linear.params[residuals:]
    moved = downstream(linear, tangents)
    b = Builder()
    b.params = list(linear.params[:residuals])
    cts: dict[Value, Value] = {}
    in_parts: dict[Value, Value] = {}
    pointwise: set[Value] = set()
    masks = Masks(b)

    def add(v: Value, ct: Value) -> None:
        if v in cts:
            total = b(ops.Add(), cts[v], ct)
            masks.carry(total, cts[v], ct)
            ct = total
        if b.equations and isinstance(b.equations[-1].op, Elementwise):
            pointwise.update(b.equations[-1].results)
        cts[v] = ct

    def taken(v: Value) -> Tangent:
        part, whole = in_parts.pop(v, None), cts.pop(v, None)
        return add_up(b, (part, whole))

    for eq in linear.equations:
        if not moved.issuperset(eq.results):
            b.append(eq)
    for dy in linear.results:
        ct = b.param(dy.type)
        if dy in moved:
            add(dy, ct)
    for eq in reversed(linear.equations):
        with b.at(eq.loc.through("transpose")):
            found = [taken(v) for v in eq.results if v in moved]
            if not any(found):
                continue
            is_linear = [v in moved for v in eq.operands]
            in_place = getattr(eq.op, "accumulate", None)
            if in_place is not None:
                x = eq.operands[0]
                whole = x in cts and x not in in_parts and cts[x] not in pointwise
                growing = cts if whole else in_parts
                acc = growing.get(x) or zeros(b, x.type)
                growing[x] = in_place(b, acc, found[0], eq.operands)
                continue
            for n, v_bar in enumerate(pulled(b, eq, found, is_linear)):
                if is_linear[n] and v_bar is not None:
                    add(eq.operands[n], masks.guarded(eq, found, is_linear, n, v_bar))
    bars = [taken(v) or zeros(b, v.type) for v in tangents]
    return b.finish(*bars, name=f"{linear.name}_transposed")


class Masks:
    """Where cotangents are zero because ``select`` took the other branch.

    There a residual may be inf or nan (the slope of ``sqrt`` at 0 in ``where(x > 0, sqrt(x), 0)``),
    and zero times that must stay zero: the branch not taken never leaks.
    """

    def __init__(self, b: Builder) -> None:
        self.b = b
        self.taken: dict[Value, Value] = {}
        """The condition under which a cotangent may differ from zero."""

    def carry(self, ct: Value, *parts: Value) -> None:
        """The sum of cotangents under one condition is under it too."""
        conditions = {self.taken.get(part) for part in parts}
        if len(conditions) == 1 and (condition := conditions.pop()) is not None:
            self.taken[ct] = condition

    def guarded(
        self,
        eq: Equation,
        cts: Sequence[Tangent],
        is_linear: Sequence[bool],
        position: int,
        v_bar: Value,
    ) -> Value:
        """The cotangent of the operand at ``position``, zero where its condition does not hold."""
        (ct, *_) = cts
        if isinstance(eq.op, ops.Select):
            condition = eq.operands[0]
            self.taken[v_bar] = condition if position == 1 else self.b(ops.Not(), condition)
        elif ct in self.taken and isinstance(eq.op, Elementwise):
            condition = self.taken[ct]
            if not all(is_linear):
                v_bar = self.b(ops.Select(), condition, v_bar, zeros(self.b, v_bar.type))
            self.taken[v_bar] = condition
        return v_bar


def pulled(
    b: Builder, eq: Equation, found: list[Tangent], is_linear: Sequence[bool]
) -> Sequence[Tangent]:
    """The cotangents of the equation's operands."""
    rule = getattr(eq.op, "transpose", None)
    if rule is None:
        raise missing_rule(eq.op, "transpose", eq.loc)
    for position, moved in enumerate(is_linear):
        if moved and (position not in eq.op.linear_in or (eq.op.bilinear and all(is_linear))):
            raise RuleError(
                f"{eq.loc.excerpt()}\nthe jvp rule that made {eq.op.mnemonic} here let a tangent "
                f"reach operand {position}, in which it is not linear: mend that rule"
            )
    ct = found[0] if len(found) == 1 else found
    return rule(b, ct, eq.operands, is_linear)  # type: ignore[no-any-return]
