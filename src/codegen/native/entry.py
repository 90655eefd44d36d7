"""The native entry: checks the arguments in place, allocates the results, calls the kernel.

Where anything is not as the signature says, control goes on to the next entry, and from the last
one to the object's ``fallback`` in Python, which traces and compiles what is new.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from codegen.lower import Module
from codegen.native import capi
from codegen.native.capi import dtype_numbers
from codegen.native.linkage import MISS, SIGNATURES, pointer
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
from codegen.text import Function

HEAD = "define ptr @entry(ptr %self, ptr %args, i64 %flags, ptr %names) nounwind {"
COUNT = (1 << 63) - 1
"""The bits of vectorcall's ``nargsf`` that count the positional arguments."""
ON_STACK = 16 * 1024
"""Bytes of the largest workspace that lies on the stack."""


class Entry:
    """Writes the entry of one signature."""

    def __init__(self, signature: Signature, workspace: int, effects: int) -> None:
        self.signature, self.workspace, self.effects = signature, workspace, effects
        self.f = Function("entry")
        self.f.head = HEAD
        self.called: dict[str, None] = {}
        self.constants: list[str] = []
        self.arrays: dict[int, str] = {}
        self.scalars: dict[int, tuple[str, ArrayResult]] = {}
        self.workspace_kept = ctypes.c_void_p()
        """Where the workspace is from call to call; it outlives the code."""
        self.cache = f"inttoptr (i64 {ctypes.addressof(self.workspace_kept)} to ptr)"
        self.pending: list[tuple[str, list[str]]] = []
        self.borrowed: list[str] = []
        """What lies in containers: another thread could drop it while this one computes."""

    def text(self) -> str:
        """The entry, what it refers to, and the global through which the next one is reached."""
        f = self.f
        self.arguments = f.alloca("ptr", max(self.signature.parameters, 1))
        self.results = f.alloca("ptr", max(self.signature.results, 1))
        self.count_arguments()
        for n, argument in enumerate((*self.signature.positional, *self.signature.named)):
            self.check(argument, self.load("ptr", "%args", 8 * n), inside=False)
        first = self.signature.parameters - len(self.signature.captured)
        for n, data in enumerate(self.signature.captured):
            self.pass_pointer(first + n, f"inttoptr (i64 {data} to ptr)")
        self.allocate(self.signature.result)
        scratch = self.take_workspace()
        self.run(scratch)
        found = self.build(self.signature.result)
        f.do(f"ret ptr {found}")
        self.failures()
        declared = [f"declare {SIGNATURES[name]}" for name in self.called]
        return "\n".join(
            ["@next = global ptr @miss", *self.misses(), *self.constants,
             f.text(), MISS, *declared]
        )  # fmt: skip

    def misses(self) -> list[str]:
        """For each guard and check, what a call goes on to that it ends."""
        if not self.effects:
            return []
        table = ", ".join(["ptr @miss"] * self.effects)
        return [f"@misses = global [{self.effects} x ptr] [{table}]"]

    # Small words of the emitted code.

    def load(self, type: str, base: str, offset: int) -> str:
        at = self.f(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base
        return self.f(f"load {type}, ptr {at}")

    def require(self, condition: str, otherwise: str = "miss") -> None:
        """Go on where the condition holds."""
        (good,) = self.f.fresh("good")
        self.f.do(f"br i1 {condition}, label %{good}, label %{otherwise}, !prof !0")
        self.f.label(good)

    def same(self, type: str, x: str, y: str | int) -> None:
        self.require(self.f(f"icmp eq {type} {x}, {y}"))

    def one_of(self, type: str, x: str, known: Sequence[str | int]) -> str:
        """Whether ``x`` is one of these."""
        bits = [self.f(f"icmp eq {type} {x}, {y}") for y in known]
        return reduce(lambda one, other: self.f(f"or i1 {one}, {other}"), bits)

    def call(self, name: str, *args: str) -> str:
        self.called[name] = None
        returns = SIGNATURES[name].split()[0]
        text = f"call {returns} @{name}({', '.join(args)})"
        if returns == "void":
            self.f.do(text)
            return ""
        return self.f(text)

    # Arguments.

    def count_arguments(self) -> None:
        """The right number of positional arguments, and just the expected names."""
        f, s = self.f, self.signature
        self.same("i64", f(f"and i64 %flags, {COUNT}"), len(s.positional))
        if not s.names:
            self.same("ptr", "%names", "null")
            return
        self.require(f("icmp ne ptr %names, null"))
        self.same("i64", self.load("i64", "%names", capi.SIZE), len(s.names))
        for n, name in enumerate(s.names):
            self.same("ptr", self.load("ptr", "%names", capi.TUPLE_ITEMS + 8 * n), pointer(name))

    def check(self, argument: Argument, x: str, inside: bool = True) -> None:
        """Leave the entry unless ``x`` is what the signature says; note where its data lies."""
        match argument:
            case ArrayArgument():
                self.check_array(argument, x)
                if inside:
                    self.borrowed.append(x)
            case ScalarArgument(number, cls):
                self.check_type(x, cls)
                if inside:
                    self.borrowed.append(x)
                self.pass_pointer(number, self.f(f"getelementptr i8, ptr {x}, i64 {capi.VALUE}"))
            case IntArgument(number):
                self.check_int(number, x)
            case BoolArgument(number):
                true, false = (
                    self.one_of("ptr", x, (pointer(b), pointer(np.bool_(b)))) for b in (True, False)
                )
                self.require(self.f(f"or i1 {true}, {false}"))
                place = self.f.alloca("i8")
                self.f.do(f"store i8 {self.f(f'zext i1 {true} to i8')}, ptr {place}")
                self.pass_pointer(number, place)
            case SameArgument(value):
                self.same("ptr", x, pointer(value))
            case SequenceArgument(cls, items):
                self.check_sequence(cls, items, x)
            case DictArgument(keys, items):
                self.check_dict(keys, items, x)

    def check_type(self, x: str, cls: type) -> None:
        self.same("ptr", self.load("ptr", x, capi.TYPE), pointer(cls))

    def check_array(self, argument: ArrayArgument, x: str) -> None:
        f, type = self.f, argument.type
        self.check_type(x, np.ndarray)
        self.same("i32", self.load("i32", x, capi.ARRAY_RANK), type.rank)
        flags = f(f"and i32 {self.load('i32', x, capi.ARRAY_FLAGS)}, {capi.CONTIGUOUS_ALIGNED}")
        self.same("i32", flags, capi.CONTIGUOUS_ALIGNED)
        dtype = self.load("ptr", x, capi.ARRAY_DTYPE)
        number = self.load("i32", dtype, capi.DTYPE_NUMBER)
        self.require(self.one_of("i32", number, dtype_numbers(type.numpy)))
        order = self.load("i8", dtype, capi.DTYPE_ORDER)
        self.require(f(f"icmp ne i8 {order}, {ord('>')}"))
        if type.rank:
            shape = self.load("ptr", x, capi.ARRAY_SHAPE)
            for d, n in enumerate(type.shape):
                self.same("i64", self.load("i64", shape, 8 * d), n)
        self.pass_pointer(argument.number, self.load("ptr", x, capi.ARRAY_DATA))

    def check_int(self, number: int, x: str) -> None:
        """An int that does not fit, or -1, whose meaning is checked, goes the longer way."""
        self.check_type(x, int)
        value = self.call("PyLong_AsLongLong", f"ptr {x}")
        self.require(self.f(f"icmp ne i64 {value}, -1"), "unfit")
        place = self.f.alloca("i64")
        self.f.do(f"store i64 {value}, ptr {place}")
        self.pass_pointer(number, place)

    def check_sequence(self, cls: type, items: tuple[Argument, ...], x: str) -> None:
        self.check_type(x, cls)
        self.same("i64", self.load("i64", x, capi.SIZE), len(items))
        base, start = x, capi.TUPLE_ITEMS
        if cls is list and items:
            base, start = self.load("ptr", x, capi.LIST_ITEMS), 0
        for n, item in enumerate(items):
            self.check(item, self.load("ptr", base, start + 8 * n))

    def check_dict(self, keys: tuple[Any, ...], items: tuple[Argument, ...], x: str) -> None:
        """Walk the dict: each key must be the very object that the traced call had there."""
        self.check_type(x, dict)
        place, key, value = (self.f.alloca(t) for t in ("i64", "ptr", "ptr"))
        self.f.do(f"store i64 0, ptr {place}")
        step = (f"ptr {x}", f"ptr {place}", f"ptr {key}", f"ptr {value}")
        for expected, item in zip(keys, items, strict=True):
            self.require(self.f(f"icmp ne i32 {self.call('PyDict_Next', *step)}, 0"))
            self.same("ptr", self.load("ptr", key, 0), pointer(expected))
            self.check(item, self.load("ptr", value, 0))
        self.same("i32", self.call("PyDict_Next", *step), 0)

    def pass_pointer(self, number: int, data: str) -> None:
        at = self.f(f"getelementptr ptr, ptr {self.arguments}, i64 {number}")
        self.f.do(f"store ptr {data}, ptr {at}")

    # Results.

    def leaves(self, result: Result) -> list[ArrayResult]:
        match result:
            case ArrayResult():
                return [result]
            case SequenceResult(_, items) | DictResult(_, items):
                return [leaf for item in items for leaf in self.leaves(item)]
        return []

    def allocate(self, result: Result) -> None:
        """New arrays, and room on the stack for what will become scalars."""
        for leaf in self.leaves(result):
            if leaf.scalar and not leaf.type.rank:
                data = self.f.alloca("i64")
                self.scalars[leaf.number] = data, leaf
            else:
                array = self.new_array(leaf)
                self.arrays[leaf.number] = array
                data = self.load("ptr", array, capi.ARRAY_DATA)
            at = self.f(f"getelementptr ptr, ptr {self.results}, i64 {leaf.number}")
            self.f.do(f"store ptr {data}, ptr {at}")

    def new_array(self, leaf: ArrayResult) -> str:
        shape = "null"
        if leaf.type.rank:
            shape = f"@shape{len(self.constants)}"
            sizes = ", ".join(f"i64 {n}" for n in leaf.type.shape)
            self.constants.append(f"{shape} = private constant [{leaf.type.rank} x i64] [{sizes}]")
        made = self.call(
            "PyArray_New", f"ptr {pointer(np.ndarray)}", f"i32 {leaf.type.rank}", f"ptr {shape}",
            f"i32 {leaf.type.numpy.num}", "ptr null", "ptr null", "i32 0", "i32 0", "ptr null",
        )  # fmt: skip
        self.require(self.f(f"icmp ne ptr {made}, null"), self.release_block())
        return made

    def release_block(self) -> str:
        """Where a failed allocation goes: give back what was made so far, and fail."""
        name = f"release{len(self.pending)}"
        self.pending.append((name, list(self.arrays.values())))
        return name

    def build(self, result: Result) -> str:
        """The object to return; the entry owns a reference to it."""
        match result:
            case ArrayResult(number):
                if number in self.arrays:
                    return self.arrays[number]
                data, leaf = self.scalars[number]
                dtype = pointer(leaf.type.numpy)
                return self.made("PyArray_Scalar", f"ptr {data}", f"ptr {dtype}", "ptr null")
            case KnownResult(value):
                self.call("Py_IncRef", f"ptr {pointer(value)}")
                return pointer(value)
            case SequenceResult(cls, items):
                made = self.call(
                    "PyTuple_New" if cls is tuple else "PyList_New", f"i64 {len(items)}"
                )
                base, start = made, capi.TUPLE_ITEMS
                if cls is list and items:
                    base, start = self.load("ptr", made, capi.LIST_ITEMS), 0
                for n, item in enumerate(items):
                    at = self.f(f"getelementptr i8, ptr {base}, i64 {start + 8 * n}")
                    self.f.do(f"store ptr {self.build(item)}, ptr {at}")
                return made
            case DictResult(keys, items):
                made = self.made("PyDict_New")
                for key, item in zip(keys, items, strict=True):
                    value = self.build(item)
                    self.call(
                        "PyDict_SetItem", f"ptr {made}", f"ptr {pointer(key)}", f"ptr {value}"
                    )
                    self.call("Py_DecRef", f"ptr {value}")
                return made

    def made(self, name: str, *args: str) -> str:
        """A new object; where there is no memory for it, the call ends with Python's exception."""
        found = self.call(name, *args)
        self.require(self.f(f"icmp ne ptr {found}, null"), "lost")
        return found

    # The call.

    def take_workspace(self) -> str:
        """Room for temporaries: on the stack, or kept from call to call if no other call has it."""
        if not self.workspace:
            return "null"
        if self.workspace <= ON_STACK:
            return self.f.alloca("i8", self.workspace)
        f = self.f
        kept = f(f"atomicrmw xchg ptr {self.cache}, ptr null acq_rel")
        fresh, ready = f.fresh("fresh", "ready")
        before = f.block
        f.do(f"br i1 {f(f'icmp eq ptr {kept}, null')}, label %{fresh}, label %{ready}")
        f.label(fresh)
        size = -(-self.workspace // 64) * 64
        made = self.call("aligned_alloc", "i64 64", f"i64 {size}")
        self.require(f(f"icmp ne ptr {made}, null"), self.release_block())
        here = f.block
        f.do(f"br label %{ready}")
        f.label(ready)
        return f(f"phi ptr [ {kept}, %{before} ], [ {made}, %{here} ]")

    def run(self, scratch: str) -> None:
        """Call the kernel; where a guard or check ends it, ``@misses`` tells how to go on."""
        f = self.f
        held = self.borrowed if self.signature.release else []
        for x in held:
            self.call("Py_IncRef", f"ptr {x}")
        thread = self.call("PyEval_SaveThread") if self.signature.release else ""
        status = f(f"call i32 @main(ptr {self.arguments}, ptr {self.results}, ptr {scratch})")
        if thread:
            self.call("PyEval_RestoreThread", f"ptr {thread}")
        for x in held:
            self.call("Py_DecRef", f"ptr {x}")
        if self.workspace > ON_STACK:
            swapped = f(f"cmpxchg ptr {self.cache}, ptr null, ptr {scratch} acq_rel monotonic")
            kept = f(f"extractvalue {{ ptr, i1 }} {swapped}, 1")
            free, done = f.fresh("free", "done")
            f.do(f"br i1 {kept}, label %{done}, label %{free}")
            f.label(free)
            self.call("free", f"ptr {scratch}")
            f.do(f"br label %{done}")
            f.label(done)
        self.status = status
        if self.effects:
            self.require(f(f"icmp eq i32 {status}, 0"), "failed")

    def failed(self) -> None:
        """Drop the results, and go on to what serves the other outcome: at first the fallback."""
        f = self.f
        f.label("failed")
        for array in self.arrays.values():
            self.call("Py_DecRef", f"ptr {array}")
        number = f(f"sub i32 {self.status}, 1")
        at = f(f"getelementptr ptr, ptr @misses, i32 {number}")
        self.hand_over(f(f"load atomic ptr, ptr {at} acquire, align 8"))

    def hand_over(self, following: str) -> None:
        """The same call, by another entry."""
        f = self.f
        found = f(f"musttail call ptr {following}(ptr %self, ptr %args, i64 %flags, ptr %names)")
        f.do(f"ret ptr {found}")

    def failures(self) -> None:
        """The ways out: another signature, an odd int, a guard or check, no memory."""
        f = self.f
        f.label("unfit")  # the fallback raises what is to be raised
        self.call("PyErr_Clear")
        f.do("br label %miss")
        f.label("lost")
        f.do("ret ptr null")
        if self.effects:
            self.failed()
        for name, arrays in self.pending:
            f.label(name)
            for array in arrays:
                self.call("Py_DecRef", f"ptr {array}")
            f.do("br label %unfit")
        f.label("miss")
        self.hand_over(f("load ptr, ptr @next"))
        self.called.update(dict.fromkeys(("PyObject_GetAttr", "PyObject_Vectorcall", "Py_DecRef")))


def with_entry(module: Module, signature: Signature, workspace: int, effects: int) -> Module:
    """The module with an entry to it; ``effects`` is how many guards and checks it has."""
    entry = Entry(signature, workspace, effects)
    text = f"{module.text}\n{entry.text()}"
    called = ((name, "") for name in entry.called)
    exports = (*module.exports, "entry", "next", *(["misses"] if effects else []))
    return Module(text, (*module.symbols, *called), exports, entry.workspace_kept)
