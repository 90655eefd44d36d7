"""jit: a function traced once for each signature, compiled, and called as native code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from inspect import signature as signature_of
from threading import RLock
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.native.base import enable, native_base
from ir.op import exact
from ir.program import Program
from ir.types import ArrayType
from tracer import tree
from tracer.array import Tracer
from tracer.calls import Output, bits, border, operand, outputs, traceable, type_of
from tracer.emit import owner
from tracer.errors import PromotionError, StaticArgumentError, message
from tracer.native import native_signature
from tracer.promote import short
from tracer.run import inlined, swept
from tracer.trace import Operand, Trace

if TYPE_CHECKING:
    from codegen.engine import Compiled


@dataclass(frozen=True)
class Static:
    """An argument that is part of the signature, by type and equality."""

    value: Any

    @property
    def key(self) -> Any:
        return told_apart(self.value)


def told_apart(x: Any) -> Any:
    """A hashable key of a static value: a float and NumPy's, a tuple and a named one differ."""
    if isinstance(x, tuple):
        return type(x), tuple(map(told_apart, x))
    if isinstance(x, np.generic):
        return type(x), x.dtype, x.tobytes()
    if isinstance(x, complex):
        return type(x), exact(x.real), exact(x.imag)
    return type(x), exact(x)


@dataclass
class Variant:
    """What one signature was traced to."""

    program: Program
    output: Output
    returned: list[Any]
    """The output's leaves: tracers, or what the function returned untraced."""

    captured: list[Operand]
    compiled: Compiled | None = None
    held: list[np.ndarray] = field(default_factory=list)
    """The captured arrays as compiled code reads them."""

    def result(self, results: Sequence[Operand]) -> Any:
        made = iter(results)
        leaves = [
            border(next(made), False, x.scalar) if isinstance(x, Tracer) else untraced(x)
            for x in self.returned
        ]
        return tree.unflatten(self.output.treedef, leaves)


def untraced(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


class Jitted(native_base()):  # type: ignore[misc]
    """A function that runs as native code; made by ``jit``.

    A call whose signature was compiled before goes to its native entry; ``__call__`` serves the
    others, and the calls that native entries leave to Python.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        static_argnums: Sequence[int],
        static_argnames: Sequence[str],
        fastmath: bool,
    ) -> None:
        attributes = getattr(func, "__dict__", {})
        self.__dict__.update({k: x for k, x in attributes.items() if not hasattr(Jitted, k)})
        update_wrapper(self, func, updated=())
        self.func = func
        numbers, names = both_ways(func, static_argnums, static_argnames)
        self.static_argnums = numbers
        self.static_argnames = names
        self.fastmath = fastmath
        self.variants: dict[Any, Variant] = {}
        self.lock = RLock()
        """Held while compiling; a signal handler may call the function then."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Trace and compile if the signature is new, then run the compiled code."""
        leaves, treedef = self.flat(args, kwargs)
        if any(isinstance(x, Tracer) for x in leaves):
            return self.func(*args, **kwargs)
        variant = self.variant(leaves, treedef)
        arrays = [native(x) for x in leaves if not isinstance(x, Static)]
        if owner(variant.captured) is not None:
            values = inlined(variant.program, [*arrays, *variant.captured])
            return variant.result(values)
        compiled = variant.compiled or self.compile(variant, leaves, treedef)
        return variant.result(compiled(*arrays, *variant.held))

    fallback = __call__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A jitted method: ``self`` is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        """Copied and pickled as functions are: by name, which must lead back to this object."""
        name: str = getattr(self, "__qualname__", repr(self))
        return name

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The stages of the compilation for these arguments: ``ir plan llvm asm program``."""
        leaves, treedef = self.flat(args, kwargs)
        variant = self.variant(leaves, treedef)
        compiled = variant.compiled or self.compile(variant, leaves, treedef)
        return Lowered(variant.program, compiled)

    def flat(self, args: Any, kwargs: Any) -> tuple[list[Any], tree.TreeDef]:
        """The leaves, static arguments wrapped as one leaf each."""
        count = len(args)
        static = {n % count for n in self.static_argnums if -count <= n < count}
        marked = tuple([Static(x) if n in static else x for n, x in enumerate(args)])
        named = {k: Static(x) if k in self.static_argnames else x for k, x in kwargs.items()}
        leaves, treedef = tree.flatten((marked, named))
        return [x if numeric(x) else as_static(x) for x in leaves], treedef

    def variant(self, leaves: list[Any], treedef: tree.TreeDef) -> Variant:
        """The trace for the signature of these leaves, made if it is new."""
        key = treedef, tuple([signature(x) for x in leaves])
        try:
            found = self.variants.get(key)
        except TypeError as error:
            raise StaticArgumentError(
                message(
                    f"jit: an argument is neither an array nor hashable ({error}).",
                    "Pass arrays in tuples, lists or dicts, and other things hashable.",
                )
            ) from None
        if found is None:
            found = self.trace(leaves, treedef)
            if owner(found.captured) is None:
                found = self.variants.setdefault(key, found)  # of two threads, the first
        return found

    def trace(self, leaves: list[Any], treedef: tree.TreeDef) -> Variant:
        with Trace(self.func, "jit") as running:
            given = [
                x.value
                if isinstance(x, Static)
                else Tracer(running, running.param(abstract(x)), *bits(x))
                for x in leaves
            ]
            args, kwargs = tree.unflatten(treedef, given)
            made = self.func(*args, **kwargs)
            returned, out_def = tree.flatten(made)
            alive = [x for x in returned if isinstance(x, Tracer)]
            results = outputs(running, alive, "jit").tracers
        program, captured = running.finish([x.value for x in results])
        return Variant(swept(program), Output(out_def, results), returned, captured)

    def compile(self, variant: Variant, leaves: list[Any], treedef: tree.TreeDef) -> Compiled:
        from codegen.engine import compile_program  # noqa: PLC0415  (loads LLVM)

        with self.lock:
            if variant.compiled is not None:
                return variant.compiled
            variant.held = [native(x) for x in variant.captured]
            signature = None
            if native_base() is not object:
                signature = native_signature(
                    treedef,
                    leaves,
                    variant.output.treedef,
                    variant.returned,
                    variant.program,
                    variant.held,
                )
            compiled = compile_program(variant.program, signature=signature)
            if variant.compiled is None:  # or a call from within was first
                variant.compiled = compiled
                if signature is not None:
                    compiled.enter(self)
        return variant.compiled


enable(Jitted)


@dataclass(frozen=True)
class Lowered:
    """What a jitted function became: the traced program and each stage after it, as text."""

    program: Program
    compiled: Compiled

    @property
    def ir(self) -> str:
        """The optimised program."""
        return str(self.compiled.ir)

    @property
    def plan(self) -> str:
        """The loops and where each value is stored."""
        return self.compiled.plan

    @property
    def llvm(self) -> str:
        """LLVM's intermediate language."""
        return self.compiled.llvm

    @property
    def asm(self) -> str:
        """The host's assembly."""
        return self.compiled.asm


def both_ways(
    func: Callable[..., Any], numbers: Sequence[int], names: Sequence[str]
) -> tuple[frozenset[int], frozenset[str]]:
    """Static arguments by place and by name, each completed from the other where func tells."""
    try:
        parameters = list(signature_of(func).parameters.values())
    except (TypeError, ValueError):
        return frozenset(numbers), frozenset(names)
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_place = {places[n] for n in numbers if -len(places) <= n < len(places)}
    by_name = {n for n, name in enumerate(places) if name in names}
    return frozenset(numbers) | by_name, frozenset(names) | by_place


def numeric(x: Any) -> bool:
    """Whether a leaf is traced: arrays, NumPy scalars and Python's numbers."""
    return isinstance(x, bool | int) or (not isinstance(x, Static) and traceable(x))


def as_static(x: Any) -> Static:
    if isinstance(x, np.ndarray):
        short(x.dtype)  # says which dtypes are traced
    return x if isinstance(x, Static) else Static(x)


def signature(x: Any) -> Any:
    """What decides whether a leaf needs another trace."""
    return x.key if isinstance(x, Static) else (abstract(x), bits(x))


def abstract(x: Any) -> ArrayType:
    """The type that a leaf is traced with."""
    return type_of(number(x))


def number(x: Any) -> Any:
    """A Python int as int64 on every platform; others as they are."""
    if isinstance(x, int) and not isinstance(x, bool):
        if not -(2**63) <= x < 2**63:
            raise PromotionError(
                message(
                    f"jit: the int {x} does not fit in 64 bits.",
                    "Pass it as a float, or name the argument in static_argnums.",
                )
            )
        return np.int64(x)
    return operand(x)


def native(x: Any) -> Any:
    """The leaf as compiled code reads it: C-contiguous, aligned, native; a copy if it must be."""
    array = np.asarray(number(x))
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, order="C", copy=True)


def jit(
    func: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    fastmath: bool = False,
    debug: bool | None = None,
) -> Any:
    """The function as native code, compiled when first called with new shapes or dtypes.

    Arrays and numbers are traced; other arguments, and those that ``static_argnums`` and
    ``static_argnames`` name, are part of the signature and must be hashable. Results have the
    types, shapes and dtypes that ``func`` returns, and own their memory; arguments are never
    written. ``fastmath`` and ``debug`` are accepted, and change nothing yet.

    Side effects of ``func`` happen when it is traced, and captured arrays are as they were then.

    >>> import numpy as np
    >>> from tracer import jit
    >>> jit(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    np.float64(5.0)
    """
    argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    if func is None:
        return lambda f: Jitted(f, argnums, names, fastmath)
    return Jitted(func, argnums, names, fastmath)
