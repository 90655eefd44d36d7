"""The signature of a traced call, as native entries take it."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from codegen.native.signature import (
    Argument,
    ArrayArgument,
    ArrayResult,
    BoolArgument,
    DictArgument,
    DictResult,
    IntArgument,
    KnownResult,
    Result,
    SameArgument,
    ScalarArgument,
    SequenceArgument,
    SequenceResult,
    Signature,
)
from ir.ops import Callback
from ir.program import Program
from ir.types import type_of
from ir.work import work
from tracer import tree
from tracer.array import Tracer
from tracer.tree import TreeDef, is_sequence

LONG = 150_000
"""Work from which a call takes about 50 microseconds and lets other threads run."""

PLAIN = (int, float, str, bytes, bool, type(None))
"""Immutable types whose objects can be returned again and again."""


class NotNative(Exception):
    """The call is of a kind that goes through Python."""


def native_signature(
    arguments: TreeDef,
    leaves: Sequence[Any],
    outputs: TreeDef,
    returned: Sequence[Any],
    program: Program,
    captured: Sequence[np.ndarray],
    any_order: bool = False,
) -> Signature | None:
    """What an entry needs to serve calls like this one; None where only Python can.

    What calls back into Python goes through Python: an exception must reach the caller, and an
    entry that fails has the call made again.
    """
    if calls_back(program):
        return None
    positional, keywords = arguments.children()
    numbers, given = count(), iter(leaves)
    try:
        args = tuple([argument(t, given, numbers) for t in positional.children()])
        named = tuple([argument(t, given, numbers) for t in keywords.children()])
        result = result_tree(outputs, iter(returned), count())
    except NotNative:
        return None
    return Signature(
        positional=args,
        names=tuple([sys.intern(str.__str__(name)) for name in keywords.entries()]),
        named=named,
        captured=tuple([x.ctypes.data for x in captured]),
        result=result,
        types=tuple([v.type for v in program.params]),
        results=len(program.results),
        release=work(program) > LONG,
        any_order=any_order,
    )


def calls_back(program: Program) -> bool:
    """Whether the program, or a body in it, calls a Python function."""
    return any(
        isinstance(eq.op, Callback) or any(map(calls_back, eq.bodies)) for eq in program.equations
    )


def argument(treedef: TreeDef, leaves: Iterator[Any], numbers: Iterator[int]) -> Argument:
    """The part of the signature for one argument, or one part of it."""
    if treedef.is_leaf():
        return leaf_argument(next(leaves), numbers)
    items = tuple([argument(t, leaves, numbers) for t in treedef.children()])
    if is_sequence(treedef.type):
        return SequenceArgument(treedef.type, items)
    keys = tuple(treedef.entries())
    if treedef.type is dict or (treedef.type is OrderedDict and all(type(k) is str for k in keys)):
        return DictArgument(treedef.type, keys, items)
    raise NotNative


def given_out(out: Any) -> Argument | None:
    """The arrays that results are written to; None where only Python can."""
    leaves, treedef = tree.flatten(out)
    if not all(x.dtype.isnative for x in leaves):
        return None
    try:
        return written(argument(treedef, iter(leaves), count()))
    except NotNative:
        return None


def written(x: Argument) -> Argument:
    """The same arrays, to be written."""
    if isinstance(x, ArrayArgument):
        return replace(x, written=True)
    assert isinstance(x, SequenceArgument | DictArgument)
    return replace(x, items=tuple(map(written, x.items)))


def leaf_argument(x: Any, numbers: Iterator[int]) -> Argument:
    """What stands for all leaves that are traced like this one: their plain class is served."""
    if isinstance(x, np.ndarray):
        return ArrayArgument(next(numbers), type_of(x))
    if isinstance(x, bool | np.bool_):
        return BoolArgument(next(numbers))
    if isinstance(x, np.generic):
        return ScalarArgument(next(numbers), type_of(x).numpy.type)
    if isinstance(x, float):
        return ScalarArgument(next(numbers), float)
    if isinstance(x, int):
        return IntArgument(next(numbers))
    return SameArgument(x.value)


def result_tree(treedef: TreeDef, leaves: Iterator[Any], numbers: Iterator[int]) -> Result:
    """How the results are put together to what the function returns."""
    if treedef.is_leaf():
        x = next(leaves)
        if isinstance(x, Tracer):
            return ArrayResult(next(numbers), x.value.type, x.scalar)
        if type(x) in PLAIN:
            return KnownResult(x)
        raise NotNative
    items = tuple([result_tree(t, leaves, numbers) for t in treedef.children()])
    if is_sequence(treedef.type):
        return SequenceResult(treedef.type, items)
    if treedef.type in (dict, OrderedDict):
        return DictResult(treedef.type, tuple(treedef.entries()), items)
    raise NotNative
