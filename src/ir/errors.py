"""What can be wrong with a program or with the values it is run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ir.loc import Loc
    from ir.op import Op


class TypeRuleError(TypeError):
    """An op was applied to operands that its type rule does not accept."""


class VerifyError(AssertionError):
    """A pass produced a program that breaks an IR invariant."""


class RuleError(TypeError):
    """A transform met an op that lacks the rule it needs; the message names the user's line."""


class Miss(RuntimeError):
    """A guard of the program does not hold for the values it was run on."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


def require(condition: bool, op: Op, complaint: str, **facts: Any) -> None:
    """Raise a TypeRuleError that shows the facts unless the condition holds."""
    if not condition:
        shown = ", ".join(f"{name}={value}" for name, value in facts.items())
        raise TypeRuleError(f"{op.mnemonic}: {complaint} ({shown})")


def require_sizes(shape: tuple[int, ...], op: Op) -> None:
    """Raise a TypeRuleError if a size is negative."""
    if shape and min(shape) < 0:
        require(False, op, "a size is negative", shape=shape)


def missing_rule(op: Op, rule: str, loc: Loc) -> RuleError:
    """The error for an op without a rule: it names the line, the op, the reason and a way out."""
    return RuleError(
        f"{loc.excerpt()}\n{op.mnemonic} has no {rule} rule: {op.why_not(rule)}.\n{op.remedy(rule)}"
    )
