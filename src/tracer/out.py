"""``jit(f)(x, out=y)``: results that are written to arrays of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.native.signature import Signature
from tracer import tree
from tracer.array import Tracer
from tracer.errors import MutationError, OutputError, PromotionError, ShapeError, message
from tracer.native import given_out
from tracer.variants import Unserved

if TYPE_CHECKING:
    from tracer.jit import Jitted

WORK = 100_000
"""Steps for which it is looked whether two strided arrays share an element."""


def has_out(func: Callable[..., Any]) -> bool:
    """Whether ``out`` is a parameter of the function itself, which is given it then."""
    try:
        return "out" in signature(func).parameters
    except (TypeError, ValueError):
        return False


def written(jitted: Jitted, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve a call with ``out=``: compute, copy, and let native calls like it write in place."""
    kwargs = dict(kwargs)
    out = kwargs.pop("out")
    if out is None:
        return jitted(*args, **kwargs)
    leaves, treedef = jitted.flat(args, kwargs)
    if any(isinstance(x, Tracer) for x in (*leaves, *tree.leaves(out))):
        raise MutationError(
            message(
                f"{jitted.__name__} cannot write to out= while it is traced.",
                "Use what the call returns, and give out= outside of jit, grad and vmap.",
            )
        )
    try:
        variant, results = jitted.served(leaves, treedef)
        made = variant.result(results)
    except Unserved:
        variant, made = None, jitted.func(*args, **kwargs)
    check(jitted.__name__, made, out)
    for target, result in zip(tree.leaves(out), tree.leaves(made), strict=True):
        np.copyto(target, result)
    if variant is not None and variant.compiled is not None and variant.before is None:
        native = native_out(variant.compiled.signature, out)
        if native is not None:
            variant.compiled.enter_out(jitted, native)
    return out


def native_out(known: Signature | None, out: Any) -> Signature | None:
    """The signature with such an ``out``; None where only Python can write to it."""
    if known is None or len(tree.leaves(out)) != known.results:
        return None  # some of them are no results of the program
    argument = given_out(out)
    return None if argument is None else replace(known, out=argument)


def check(name: str, made: Any, out: Any) -> None:
    """Refuse an ``out`` that the results do not fit."""
    results, wanted = tree.flatten(made)
    targets, given = tree.flatten(out)
    if wanted != given:
        raise OutputError(
            message(
                f"{name}: out is {shown(out)}, and the function returns {shown(made)}.",
                "Give out the structure of the result, with an array for each of its arrays.",
            )
        )
    for target, result in zip(targets, results, strict=True):
        fits(name, target, result)
    for one, other in combinations(targets, 2):
        if overlap(one, other):
            raise ValueError(
                message(
                    f"{name}: two arrays of out share memory.",
                    "Give an array of its own for each result.",
                )
            )


def fits(name: str, target: Any, result: Any) -> None:
    """Refuse an array that the result cannot be written to as it is."""
    if type(target) is not np.ndarray or not isinstance(result, np.ndarray | np.generic):
        kind = type(result if type(target) is np.ndarray else target).__name__
        raise OutputError(
            message(f"{name}: {kind} is no array of out=.", "Give NumPy arrays for arrays.")
        )
    way_out = f"Make it by np.empty({result.shape}, np.{result.dtype})."
    if target.shape != result.shape:
        gist = f"{name}: out has shape {target.shape}, the result {result.shape}."
        raise ShapeError(message(gist, way_out))
    if target.dtype.newbyteorder("=") != result.dtype:
        gist = f"{name}: out holds {target.dtype}, the result is {result.dtype}."
        raise PromotionError(message(gist, way_out))
    if not target.flags.writeable:
        raise ValueError(message(f"{name}: out is read-only.", "Give an array or a copy of it."))
    if inner_overlap(target):
        gist = f"{name}: elements of out share memory."
        raise ValueError(message(gist, "Give an array that no broadcasting has made."))


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays have an element in common, or may have where that is hard to tell."""
    if not np.may_share_memory(one, other):
        return False
    try:
        return np.shares_memory(one, other, max_work=WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def inner_overlap(x: np.ndarray) -> bool:
    """Whether two indices lead to one place, as in arrays that were broadcast."""
    step = x.itemsize
    for n, stride in sorted(zip(x.shape, x.strides, strict=True), key=lambda pair: abs(pair[1])):
        if n > 1 and abs(stride) < step:
            return x.size > 0
        step += abs(stride) * (n - 1)
    return False


def shown(x: Any) -> str:
    """The structure, a star for each leaf."""
    return str(tree.structure(x)).removeprefix("PyTreeSpec(").partition(", NoneIsLeaf")[0]
