"""A signature as words in memory, which the native entry reads.

Nodes describe arguments and results, one after the other, parents before their parts. The first
word of each tells its kind, the others are as the comments at the kinds say.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from codegen.native import capi
from codegen.native.base import free_workspace
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
from codegen.runtime import Main

ARRAY = 0  # class, rank, two type numbers, flags that must be set, sizes
SCALAR = 1  # class
INT = 2  # class
BOOL = 3
SAME = 4  # object
TUPLE = 5  # class, count
LIST = 6  # class, count
DICT = 7  # class, count, keys
ORDERED = 8  # class, count, keys

NEW = 0
KNOWN = 1  # object
NEW_TUPLE = 2  # -, count
NEW_LIST = 3  # -, count
NEW_DICT = 4  # a dict of these keys, count, keys
NEW_ORDERED = 5  # -, count, keys
NEW_NAMED = 6  # class, count
NEW_SCALAR = 7  # dtype

SEQUENCES: dict[type, int] = {tuple: NEW_TUPLE, list: NEW_LIST}

HEADER = (
    "next",  # the table that is tried where this one does not fit, or null
    "main", "region",  # the kernel, and what it is told of a region
    "nodes",  # of the arguments
    "positional", "parameters", "results", "captures",  # how many there are of each
    "named", "names", "any_order",  # keywords: how many, their names, whether they may be permuted
    "out",  # the place among the keywords of what results are written to, or -1
    "captured",  # the data of the program's last parameters
    "leaves",  # for each result its rank, or -1 for a scalar, its sizes, its dtype
    "sizes",  # the bytes of each parameter and of each result
    "tree",  # the nodes of the result
    "misses",  # for each guard and check, the table that goes on where it ends a call, or null
    "workspace", "cache",  # its bytes, and where its address is from call to call
    "release",  # whether other threads may run meanwhile
)  # fmt: skip
OFFSET = {name: 8 * n for n, name in enumerate(HEADER)}
LEAF = 24
"""Bytes of what the header says of one result."""


class Table:
    """The words of one signature; they and what they point to live as long as this object."""

    def __init__(self, signature: Signature, main: Main, workspace: int, effects: int) -> None:
        self.signature = signature
        self.kept: list[Any] = [main]
        """What is referred to by address."""
        self.cache = ctypes.c_void_p()
        s = signature
        out = [] if s.out is None else [s.out]
        flat = leaves(s.result)
        given = [leaf.type for leaf in outs(s.out) or flat]
        sizes = [*[t.nbytes for t in s.types], *[t.nbytes for t in given]]
        sections: dict[str, list[int]] = {
            "nodes": [w for x in (*s.positional, *s.named, *out) for w in self.argument(x)],
            "names": [self.refer(name) for name in (*s.names, *(["out"] if out else []))],
            "captured": list(s.captured),
            "sizes": sizes,
            "tree": [] if out else self.result(s.result),
            "misses": [0] * effects,
        }
        shapes = [n for leaf in flat for n in leaf.type.shape]
        starts = np.cumsum([0, *[leaf.type.rank for leaf in flat]])[:-1]
        counts = {
            "main": main.address, "region": main.region_address,
            "positional": len(s.positional), "parameters": s.parameters,
            "results": s.results, "captures": len(s.captured),
            "named": len(sections["names"]), "any_order": int(s.any_order),
            "out": len(s.names) if out else -1, "workspace": workspace,
            "cache": ctypes.addressof(self.cache), "release": int(s.release),
        }  # fmt: skip
        place = len(HEADER)
        offsets = {}
        for name, words in sections.items():
            offsets[name] = place
            place += len(words)
        offsets["leaves"], offsets["shapes"] = place, place + 3 * len(flat)
        self.words = np.zeros(offsets["shapes"] + len(shapes), np.int64)
        self.address = self.words.ctypes.data
        sections["shapes"] = shapes
        sections["leaves"] = [
            w
            for leaf, start in zip(flat, starts, strict=True)
            for w in (
                -1 if leaf.bare else leaf.type.rank,
                self.address + 8 * (offsets["shapes"] + int(start)),
                self.refer(leaf.type.numpy),
            )
        ]
        for name, words in sections.items():
            self.words[offsets[name] : offsets[name] + len(words)] = words
            if name in OFFSET:
                counts[name] = self.address + 8 * offsets[name]
        for name, word in counts.items():
            self.words[OFFSET[name] // 8] = word
        self.misses = counts["misses"]
        freed = weakref.finalize(self.words, free_workspace, self.cache)
        freed.atexit = False

    def refer(self, x: Any) -> int:
        """The address of an object, which is kept alive."""
        self.kept.append(x)
        return id(x)

    def argument(self, x: Argument) -> list[int]:
        """The words of an argument and of its parts."""
        match x:
            case ArrayArgument(_, type, written):
                numbers = capi.dtype_numbers(type.numpy)
                flags = capi.CONTIGUOUS_ALIGNED | (capi.WRITEABLE if written else 0)
                known = [self.refer(np.ndarray), type.rank, numbers[0], numbers[-1], flags]
                return [ARRAY, *known, *type.shape]
            case ScalarArgument(_, cls):
                return [SCALAR, self.refer(cls)]
            case IntArgument():
                return [INT, self.refer(int)]
            case BoolArgument():
                return [BOOL]
            case SameArgument(value):
                return [SAME, self.refer(value)]
            case SequenceArgument(cls, items):
                kind = LIST if cls is list else TUPLE
                return [kind, self.refer(cls), len(items), *self.arguments(items)]
            case DictArgument(cls, keys, items):
                kind = ORDERED if cls is OrderedDict else DICT
                named = [self.refer(key) for key in keys]
                return [kind, self.refer(cls), len(items), *named, *self.arguments(items)]

    def arguments(self, items: Sequence[Argument]) -> list[int]:
        return [word for item in items for word in self.argument(item)]

    def result(self, x: Result) -> list[int]:
        """The words of a result and of its parts."""
        match x:
            case ArrayResult():
                return [NEW_SCALAR, self.refer(x.type.numpy)] if x.bare else [NEW]
            case KnownResult(value):
                return [KNOWN, self.refer(value)]
            case SequenceResult(cls, items):
                kind = SEQUENCES.get(cls, NEW_NAMED)
                parts = [word for item in items for word in self.result(item)]
                return [kind, self.refer(cls), len(items), *parts]
            case DictResult(cls, keys, items):
                kind = NEW_ORDERED if cls is OrderedDict else NEW_DICT
                named = [self.refer(key) for key in keys]
                parts = [word for item in items for word in self.result(item)]
                return [kind, self.refer(dict.fromkeys(keys)), len(items), *named, *parts]


def leaves(result: Result) -> list[ArrayResult]:
    """The arrays and NumPy scalars in a result, in their order."""
    match result:
        case ArrayResult():
            return [result]
        case SequenceResult(_, items) | DictResult(_, _, items):
            return [leaf for item in items for leaf in leaves(item)]
    return []


def outs(argument: Argument | None) -> list[ArrayArgument]:
    """The arrays that results are written to."""
    match argument:
        case ArrayArgument():
            return [argument]
        case SequenceArgument(_, items) | DictArgument(_, _, items):
            return [leaf for item in items for leaf in outs(item)]
    return []
