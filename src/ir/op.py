"""What a primitive is: the datasheet that every op in ``ir.ops`` fills in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from threading import RLock
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform
from weakref import WeakValueDictionary

import numpy as np

from ir.program import Value
from ir.types import ArrayType

Array = np.ndarray[Any, Any]
EVERY = range(sys.maxsize)
"""``linear_in`` of an op that is linear in each of its operands, however many."""

Tangent = Value | None
OpT = TypeVar("OpT", bound="type[Op]")

REGISTRY: dict[str, type[Op]] = {}
INTEGERS = {int}
"""The types in most tuples: shapes, axes."""
MAKING = RLock()
"""Held while a new op enters its table: two threads that make equal ops get one."""


class Interned(type):
    """Makes equal ops one object, so that equality of ops is identity.

    The key holds floats by their bits and types by identity: 0.0, -0.0, nan, 1, 1.0 and True
    stay apart.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        interned: WeakValueDictionary[Any, Any] = cls.__dict__["interned"]
        if not (args or kwargs):
            try:
                return cls.__dict__["plain"]
            except KeyError:
                pass
        made = super().__call__(*args, **kwargs)
        made.canonicalise()
        found = interned.get(key_of(made))
        if found is None:
            for name in made.parameters:
                setattr(made, name, python(getattr(made, name)))
            with MAKING:
                found = interned.setdefault(key_of(made), made)
        if not (args or kwargs):
            cls.plain = found
        return found


def key_of(op: Any) -> tuple[Any, ...]:
    """What tells the op from others of its class."""
    return tuple([exact(getattr(op, name)) for name in op.parameters])


def python(x: Any) -> Any:
    """The field's value without NumPy's numbers."""
    if isinstance(x, tuple):
        return tuple(map(python, x))
    return x.item() if isinstance(x, np.generic) else x


def exact(x: Any) -> Any:
    """A hashable key that is equal only for the same value of the same type."""
    if isinstance(x, tuple):
        return (int, x) if set(map(type, x)) == INTEGERS else tuple(map(exact, x))
    if isinstance(x, float):
        return x.hex() if x == x else "nan"
    return type(x), x


@dataclass_transform(frozen_default=True, eq_default=False)
def primitive(mnemonic: str, *, opaque: bool = False) -> Callable[[OpT], OpT]:
    """Make the class an interned record of its parameters and register its name.

    An ``opaque`` op holds a Python object, which no text can name: it is not registered.
    """

    def declare(cls: OpT) -> OpT:
        cls.mnemonic = mnemonic
        cls.interned = WeakValueDictionary()
        cls.opaque = opaque
        if not opaque:
            REGISTRY[mnemonic] = cls
        made = dataclass(eq=False, repr=False)(cls)
        made.parameters = tuple([f.name for f in fields(made)])  # type: ignore[arg-type]
        return made  # type: ignore[return-value]

    return declare


class Op(metaclass=Interned):
    """A primitive together with its static parameters. Each slot is one rule or one fact."""

    mnemonic: ClassVar[str]
    interned: ClassVar[WeakValueDictionary[Any, Any]]
    parameters: ClassVar[tuple[str, ...]]
    """The names of its fields."""

    pure: ClassVar[bool] = True
    """False for an effect (guard, check): kept by dce, ordered by its place in the list."""

    opaque: ClassVar[bool] = False
    """Whether a field holds a Python object: the op has no text, and is not run by ``fold``."""

    reusable: ClassVar[bool] = False
    """Of an opaque op: whether what it holds serves more than one call."""

    commutative: ClassVar[bool] = False
    """Whether the two operands may change places; read by ``passes.cse``."""

    differentiable: ClassVar[bool] = True
    """False where the derivative is zero almost everywhere: such a result has no tangent."""

    linear_in: ClassVar[Sequence[int]] = ()
    """Operand positions that the op is linear in, together unless it is ``bilinear``."""

    bilinear: ClassVar[bool] = False
    """Whether it is linear in an operand only while the other is held fixed, as products are."""

    data: ClassVar[int | None] = None
    """How many operands the results are made of, if not all: the rest are only waited for."""

    cost: ClassVar[int] = 1
    """Weight of one element's arithmetic: 1 for add, 8 for a division, 20 for a call, 0 to move."""

    movement: ClassVar[bool] = False
    """Whether the op only moves elements: ``element`` is then an index map."""

    infer: ClassVar[Callable[..., Any]]
    """Operand types to result type(s); raises TypeRuleError. Read by the builder, the verifier."""

    reference: ClassVar[Callable[..., Any]]
    """What the op means, in NumPy. Read by ``ir.evaluate``, ``passes.fold`` and the tests."""

    element: ClassVar[Callable[..., Any]]
    """One element of the result, pulled, in the element language. Read by ``codegen``."""

    pair: ClassVar[type[Op]]
    """Of a fold: the op that makes one total of two parts' totals. Read by ``codegen``."""

    scan: ClassVar[Callable[..., Any]]
    """The running value along ``axis``, from the one before. Read by ``codegen``."""

    initial: ClassVar[Callable[..., Any]]
    """What a scan starts from. Read by ``codegen``."""

    update: ClassVar[Callable[..., Any]]
    """Where in operand 0 an element of operand 1 is added, and what. Read by ``codegen``."""

    overwrites: ClassVar[bool] = False
    """Of an update: whether the element takes the place of what is there, and is not added."""

    holds: ClassVar[Callable[..., bool]]
    """Of an effect: whether all is well with the operand's value. Read by ``evaluate``."""

    ends: ClassVar[bool]
    """Of an effect: whether a call ends at once where it fails, whatever else would fail before.
    Read by ``codegen``."""

    failure: ClassVar[Callable[..., BaseException]]
    """Of an effect: what is raised otherwise, at the user's line. Read by whoever runs programs."""

    jvp: ClassVar[Callable[..., Any]]
    """The result's tangent from the operands' tangents; None is zero. Read by ``passes.jvp``."""

    transpose: ClassVar[Callable[..., tuple[Tangent, ...]]]
    """Operand cotangents from the result's, for linear ops. Read by ``passes.transpose``."""

    accumulate: ClassVar[Callable[..., Value]]
    """The cotangent of operand 0 with the result's added in place. Read by ``passes.transpose``."""

    vmap: ClassVar[Callable[..., Any]]
    """The op with a leading batch axis on the mapped operands. Read by ``passes.vmap``."""

    pushforward: ClassVar[Callable[..., Sequence[Tangent]]]
    """Of a call with a rule of its own: appends what makes the equation's results, and gives their
    tangents. Read by ``passes.jvp``; other passes keep such a call as it is."""

    over_batch: ClassVar[Callable[..., Op]]
    """Of a call that passes keep: the op for its batched body. Read by ``passes.vmap``."""

    stands_for: ClassVar[Callable[..., Any]]
    """Of an op that stands for a program not made yet: that program. Read by ``passes.inline``."""

    def having(self, **changed: Any) -> Self:
        """The op with the given fields changed."""
        return replace(self, **changed)  # type: ignore[type-var]

    def canonicalise(self) -> None:
        """Bring the fields to their one canonical form; called once, by the constructor."""

    def work(self, operands: Sequence[ArrayType], results: Sequence[ArrayType]) -> int:
        """Weight of the whole op's arithmetic: its cost, once for each element of the result."""
        return self.cost * sum([type.size for type in results])

    def why_not(self, rule: str) -> str:
        """Why the op lacks a rule, in the words of its slots."""
        if rule == "transpose" and not self.linear_in:
            return "it is not linear in any operand"
        return "it is not differentiable" if not self.differentiable else "the rule is not written"

    def remedy(self, rule: str) -> str:
        """What a user may do who meets the lack of a rule."""
        return "Wrap the value in stop_gradient if no derivative is wanted there."

    def __str__(self) -> str:
        mine = fields(self)  # type: ignore[arg-type]
        shown = [f for f in mine if exact(f.default) != exact(getattr(self, f.name))]
        params = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
        return f"{self.mnemonic}[{params}]" if params else self.mnemonic

    def __repr__(self) -> str:
        return str(self)


def result_types(
    op: Op, *operands: ArrayType, bodies: tuple[Any, ...] = ()
) -> tuple[ArrayType, ...]:
    """The types that the op's rule gives, always as a tuple."""
    types = op.infer(*operands, bodies=bodies) if bodies else op.infer(*operands)
    return types if isinstance(types, tuple) else (types,)
