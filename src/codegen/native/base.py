"""A type whose instances are called through a native function that can be set and replaced."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from codegen.native.capi import HAVE_VECTORCALL, TABLE, TYPE_FLAGS, VECTORCALL, usable

SLOT_CALL, SLOT_MEMBERS, SLOT_DESCRIPTOR_GET = 50, 72, 54
MEMBER_SIZE, MEMBER_READONLY = 19, 1
TYPE_DESCRIPTOR_GET = 272
BASE_FLAGS = (1 << 10) | HAVE_VECTORCALL
"""May be a base class; its instances have a vectorcall function."""


class Slot(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int), ("function", ctypes.c_void_p)]


class Member(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class Spec(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(Slot)),
    ]


@cache
def native_base() -> type:
    """The base class for callables with a native entry; ``object`` where there can be none."""
    if not usable():
        return object
    members = (Member * 2)(
        Member(b"__vectorcalloffset__", MEMBER_SIZE, VECTORCALL, MEMBER_READONLY, None)
    )
    call = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p)
    slots = (Slot * 3)(
        Slot(SLOT_MEMBERS, ctypes.addressof(members)),
        Slot(SLOT_CALL, call),
    )
    spec = Spec(b"tracer.NativeCallable", TABLE + 8, 0, BASE_FLAGS, slots)
    make = ctypes.pythonapi.PyType_FromSpec
    make.restype, make.argtypes = ctypes.py_object, [ctypes.POINTER(Spec)]
    made: type = make(ctypes.byref(spec))
    KEPT.extend((members, slots, spec))
    return made


KEPT: list[Any] = []
"""What the type refers to, for the life of the process."""


def enable(cls: type) -> None:
    """Let the instances of a subclass be called natively; Python's ``__call__`` switched it off.

    An instance whose native function is not set is called through ``__call__`` all the same.
    """
    if native_base() is not object:
        flags = ctypes.c_uint64.from_address(id(cls) + TYPE_FLAGS)
        flags.value |= HAVE_VECTORCALL


def set_entry(callable_: Any, entry: int, table: int) -> None:
    """Call the object through the native function at ``entry``, which tries ``table`` first.

    The table that came first until now follows.
    """
    first = ctypes.c_void_p.from_address(id(callable_) + TABLE)
    ctypes.c_void_p.from_address(table).value = first.value
    first.value = table
    ctypes.c_void_p.from_address(id(callable_) + VECTORCALL).value = entry


def set_miss(misses: int, number: int, table: int) -> None:
    """Calls that the effect of that number (from 1) ends go on to the table."""
    ctypes.c_void_p.from_address(misses + 8 * (number - 1)).value = table


def free_workspace(kept: ctypes.c_void_p) -> None:
    """Give back the workspace that an entry has kept from call to call."""
    if kept.value:
        free = ctypes.CDLL(None).free
        free.argtypes, free.restype = [ctypes.c_void_p], None
        free(kept)
        kept.value = None
