"""jit: a function traced once for each signature, compiled, and called as native code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from threading import RLock
from time import perf_counter
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.native.base import enable, native_base
from ir.errors import Miss
from ir.program import Program
from tracer import tree
from tracer.array import Tracer
from tracer.calls import Output, bits, outputs
from tracer.compressed import settled
from tracer.emit import owner
from tracer.errors import StaticArgumentError, message
from tracer.explain import explained, warn_of_changes, warn_of_many
from tracer.native import native_signature
from tracer.out import has_out, written
from tracer.questions import Disputed, Questions
from tracer.run import inlined, swept
from tracer.signatures import (
    Static,
    abstract,
    as_static,
    both_ways,
    described,
    in_order,
    keyword_order,
    native,
    number,
    numeric,
    signature,
)
from tracer.trace import Ended, Operand, Trace
from tracer.variants import DISPUTES, LIMIT, Missed, Paths, Unserved, Variant, driven

if TYPE_CHECKING:
    from codegen.engine import Compiled


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
        debug: bool,
    ) -> None:
        attributes = getattr(func, "__dict__", {})
        self.__dict__.update({k: x for k, x in attributes.items() if not hasattr(Jitted, k)})
        update_wrapper(self, func, updated=())
        self.__dict__.setdefault("__name__", type(func).__name__)
        self.func = func
        numbers, names = both_ways(func, static_argnums, static_argnames)
        self.static_argnums = numbers
        self.static_argnames = names
        self.fastmath = fastmath
        self.takes_out = has_out(func)
        self.order = keyword_order(func)
        self.debug = debug
        self.signatures: dict[Any, Paths] = {}
        self.lock = RLock()
        """Held while compiling; a signal handler may call the function then."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Trace and compile if the signature or the path is new, then run the compiled code."""
        if "out" in kwargs and not self.takes_out:
            return written(self, args, kwargs)
        leaves, treedef = self.flat(args, kwargs)
        if any(isinstance(x, Tracer) for x in leaves):
            return self.func(*args, **kwargs)
        try:
            variant, results = self.served(leaves, treedef)
        except Unserved:
            return self.func(*args, **kwargs)
        return variant.result(results)

    fallback = __call__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A jitted method: ``self`` is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        """Copied and pickled as functions are: by name, which must lead back to this object."""
        name: str = getattr(self, "__qualname__", repr(self))
        return name

    @property
    def variants(self) -> list[Variant]:
        """What was traced so far, for every signature."""
        return [v for paths in self.signatures.values() for v in paths.variants]

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The stages of the compilation for these arguments: ``ir plan llvm asm program``.

        Where the function branches on values it is run, to find the path that they take.
        """
        leaves, treedef = self.flat(args, kwargs)
        paths = self.paths(leaves, treedef)
        first = paths.variants[0] if paths.variants else self.first(paths, leaves, treedef)
        variant = self.served(leaves, treedef)[0] if first.answers else first
        return Lowered(variant.program, self.compile(paths, variant, leaves, treedef))

    def explain(self) -> str:
        """What was compiled so far: signatures, their variants, and the guards that choose.

        >>> import numpy as np
        >>> from tracer import jit
        >>> absolute = jit(lambda x: x if x > 0 else -x)
        >>> absolute(-2.0), absolute(3.0)
        (np.float64(2.0), np.float64(3.0))
        >>> print(absolute.explain())  # doctest: +ELLIPSIS
        <lambda>: 1 signature
        (f64[],): 2 variants, 2 calls left to Python
          variant 1, traced in ... ms, compiled in ... ms
            <doctest ...>:1: if x > 0 was False
        ...
        """
        return explained(self.__name__, self.signatures)

    def flat(self, args: Any, kwargs: Any) -> tuple[list[Any], tree.TreeDef]:
        """The leaves, static arguments wrapped as one leaf each."""
        count = len(args)
        static = {n % count for n in self.static_argnums if -count <= n < count}
        marked = tuple([Static(x) if n in static else x for n, x in enumerate(args)])
        given = in_order(kwargs, self.order).items()
        named = {k: Static(x) if k in self.static_argnames else x for k, x in given}
        leaves, treedef = tree.flatten((marked, named))
        leaves = settled(leaves)
        return [x if numeric(x) else as_static(x) for x in leaves], treedef

    def paths(self, leaves: list[Any], treedef: tree.TreeDef) -> Paths:
        """The variants for the signature of these leaves."""
        key = treedef, tuple([signature(x) for x in leaves])
        try:
            found = self.signatures.get(key)
        except TypeError as error:
            raise StaticArgumentError(
                message(
                    f"jit: an argument is neither an array nor hashable ({error}).",
                    "Pass arrays in tuples, lists or dicts, and other things hashable.",
                )
            ) from None
        if found is None:
            statics = [x if isinstance(x, Static) else None for x in leaves]
            shown = ", ".join([described(x) for x in leaves])
            found = self.signatures.setdefault(key, Paths(statics, shown))
        return found

    def served(self, leaves: list[Any], treedef: tree.TreeDef) -> tuple[Variant, Sequence[Operand]]:
        """The variant whose guards hold for the leaves, and its results."""
        paths = self.paths(leaves, treedef)
        arrays = [native(x) for x in leaves if not isinstance(x, Static)]
        variant = paths.variants[0] if paths.variants else self.first(paths, leaves, treedef)
        missed: Missed = []
        while True:
            if owner(variant.captured) is not None:
                if variant.answers:
                    raise Unserved  # the guards belong in the surrounding trace
                return variant, inlined(variant.program, [*arrays, *variant.captured])
            compiled = self.compile(paths, variant, leaves, treedef)
            try:
                warn_of_changes(self.__name__, variant)
                return variant, compiled(*arrays, *variant.held)
            except Miss as miss:
                missed.append((variant, miss.place))
                following = variant.following.get(miss.place)
            variant = following or self.another(paths, missed, leaves, treedef)

    def first(self, paths: Paths, leaves: list[Any], treedef: tree.TreeDef) -> Variant:
        """The first variant of a signature, traced for these leaves."""
        found = self.trace(leaves, treedef, Questions())
        with self.lock:
            if owner(found.captured) is None:
                paths.variants = paths.variants or [found]  # of two threads, the first
                found = paths.variants[0]
        paths.missed += 1
        return found

    def another(
        self, paths: Paths, missed: Missed, leaves: list[Any], treedef: tree.TreeDef
    ) -> Variant:
        """A variant for the path of a call that none of the others serves."""
        paths.missed += 1
        if len(paths.variants) >= LIMIT[0]:
            if not paths.full:
                paths.full = True
                warn_of_many(self.__name__, missed[-1])
            raise Unserved
        variant, place = missed[-1]
        if variant.disputes[place] >= DISPUTES:
            raise Unserved
        try:
            found = self.trace(leaves, treedef, driven(missed))
        except Disputed:
            variant.disputes[place] += 1
            raise Unserved from None
        with self.lock:
            if place in variant.following:  # of two threads, the first
                return variant.following[place]
            found.before = variant, place
            variant.following[place] = found
            paths.variants.append(found)
        return found

    def trace(self, leaves: list[Any], treedef: tree.TreeDef, questions: Questions) -> Variant:
        """The path that the leaves take, unless the questions have answers already."""
        started = perf_counter()
        with Ended(Trace(self.func, "jit", questions)) as running, running:
            running.watched = [] if self.debug else None
            given = [
                x.value
                if isinstance(x, Static)
                else Tracer(running, running.param(abstract(x), np.asarray(number(x))), *bits(x))
                for x in leaves
            ]
            args, kwargs = tree.unflatten(treedef, given)
            made = self.func(*args, **kwargs)
            returned, out_def = tree.flatten(made)
            returned = settled(returned)
            alive = [x for x in returned if isinstance(x, Tracer)]
            results = outputs(running, alive, "jit").tracers
        program, captured = running.finish([x.value for x in results])
        output, answers = Output(out_def, results), questions.asked
        seconds = perf_counter() - started
        watched = running.watched or []
        return Variant(swept(program), output, returned, captured, answers, seconds, watched)

    def compile(
        self, paths: Paths, variant: Variant, leaves: list[Any], treedef: tree.TreeDef
    ) -> Compiled:
        if variant.compiled is not None:
            return variant.compiled
        from codegen.engine import compile_program  # noqa: PLC0415  (loads LLVM)

        with self.lock:
            if variant.compiled is not None:
                return variant.compiled
            variant.held = [native(x) for x in variant.captured]
            signature = None
            if native_base() is not object:
                signature = native_signature(
                    treedef,
                    paths.leaves(leaves),
                    variant.output.treedef,
                    variant.returned,
                    variant.program,
                    variant.held,
                    any_order=self.order is not None,
                )
            compiled = compile_program(variant.program, signature=signature, fastmath=self.fastmath)
            if variant.compiled is None:  # or a call from within was first
                variant.compiled = compiled
                if variant.before is not None:
                    variant.link()
                elif signature is not None and not self.debug:
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
    written. ``fastmath`` lets arithmetic be that of real numbers: terms in another order, divisions
    by multiplication, no nan and no infinity.

    ``jit(f)(x, out=y)`` writes the results to ``y``, an array or a tree of arrays like the result,
    and returns it, unless ``func`` has a parameter ``out`` itself. It raises ValueError or
    TypeError where structure, shape or dtype differ, or ``y`` is read-only or shares memory with
    itself; it may share memory with arguments.

    Side effects of ``func`` happen when it is traced, and captured arrays are as they were then;
    with ``debug`` each call, which is slower, warns of those that have been written to since.

    >>> import numpy as np
    >>> from tracer import jit
    >>> jit(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    np.float64(5.0)
    >>> y = np.empty(2)
    >>> jit(lambda x: x + 1)(np.zeros(2), out=y) is y
    True
    """
    argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    if func is None:
        return lambda f: Jitted(f, argnums, names, fastmath, bool(debug))
    return Jitted(func, argnums, names, fastmath, bool(debug))
