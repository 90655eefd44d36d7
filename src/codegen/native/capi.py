"""Where CPython and NumPy keep what native code reads, and the addresses of what it calls."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

TYPE = 8
"""Offset of an object's type; below, offsets in the structs that their names begin with."""
VALUE = 16
"""Of the number in a float, and in NumPy's scalars."""
SIZE = 16
TUPLE_ITEMS = 24
LIST_ITEMS = 24
ARRAY_DATA, ARRAY_RANK, ARRAY_SHAPE, ARRAY_DTYPE, ARRAY_FLAGS = 16, 24, 32, 56, 64
DTYPE_ORDER, DTYPE_NUMBER = 26, 28
TYPE_FLAGS = 168
VECTORCALL = 16
"""Of the function that a callable of ours is called through."""
TABLE = 24
"""Of the table of the signature that this function tries first."""

CONTIGUOUS_ALIGNED = 0x101
WRITEABLE = 0x400
HAVE_VECTORCALL = 1 << 11

PYTHON = (
    "PyDict_Copy", "PyDict_GetItemWithError", "PyDict_Next", "PyDict_SetItem", "PyDict_Size",
    "PyErr_Clear", "PyErr_Occurred", "PyEval_RestoreThread", "PyEval_SaveThread", "PyIter_Next",
    "PyList_New", "PyLong_AsLongLong", "PyODict_New", "PyObject_Call", "PyObject_GetAttr",
    "PyObject_GetIter", "PyObject_SetItem", "PyObject_Vectorcall", "PyTuple_New",
    "PyUnicode_Compare", "Py_DecRef", "Py_IncRef",
)  # fmt: skip
"""Functions of Python's C API that entries call."""

NUMPY = {"PyArray_NewFromDescr": 94, "PyArray_Scalar": 60}
"""Functions of NumPy's C API, by their place in its table."""


@cache
def table() -> ctypes.Array[ctypes.c_void_p]:
    """NumPy's C API."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    umath: Any = import_module("numpy._core._multiarray_umath")
    pointer = get(umath._ARRAY_API, None)
    return (ctypes.c_void_p * 100).from_address(pointer)


@cache
def address(name: str) -> int:
    """The address of a function of Python's, NumPy's or C's."""
    if name in NUMPY:
        return int(table()[NUMPY[name]] or 0)
    library: Any = ctypes.pythonapi if name in PYTHON else ctypes.CDLL(None)
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


@cache
def dtype_numbers(dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The type numbers that mean this dtype: ``long`` and ``long long`` may be one."""
    codes = "?bBhHiIlLqQfdFD"
    return tuple(np.dtype(c).num for c in codes if np.dtype(c) == dtype)


def peek(address: int, kind: Any) -> Any:
    return kind.from_address(address).value


@cache
def usable() -> bool:
    """Whether every fact above holds in this process; each is checked on real objects."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    try:
        return all(check() for check in (array_fields, scalar_fields, containers, types_and_calls))
    except (AttributeError, ValueError, TypeError):
        return False


def array_fields() -> bool:
    array = np.zeros((3, 5, 7), np.float32)
    at = id(array)
    shape = (ctypes.c_int64 * 3).from_address(peek(at + ARRAY_SHAPE, ctypes.c_void_p))
    descr = peek(at + ARRAY_DTYPE, ctypes.c_void_p)
    swapped = np.dtype(">f8")
    return bool(
        peek(at + TYPE, ctypes.c_void_p) == id(np.ndarray) == table()[2]
        and peek(at + ARRAY_DATA, ctypes.c_void_p) == array.ctypes.data
        and peek(at + ARRAY_RANK, ctypes.c_int32) == 3
        and tuple(shape) == array.shape
        and descr == id(array.dtype)
        and peek(at + ARRAY_FLAGS, ctypes.c_int32) == array.flags.num
        and peek(descr + DTYPE_NUMBER, ctypes.c_int32) == array.dtype.num
        and peek(descr + DTYPE_ORDER, ctypes.c_char) == b"="
        and peek(id(swapped) + DTYPE_ORDER, ctypes.c_char) == b">"
    )


def scalar_fields() -> bool:
    return bool(
        peek(id(x := 1234.5) + VALUE, ctypes.c_double) == x
        and peek(id(y := np.float64(-2.5)) + VALUE, ctypes.c_double) == y
        and peek(id(z := np.float32(0.75)) + VALUE, ctypes.c_float) == z
        and peek(id(i := np.int64(-7)) + VALUE, ctypes.c_int64) == i
        and peek(id(j := np.int32(-9)) + VALUE, ctypes.c_int32) == j
    )


def containers() -> bool:
    items: tuple[Any, ...] = (object(), object())
    listed = list(items)
    first = peek(id(listed) + LIST_ITEMS, ctypes.c_void_p)
    return bool(
        peek(id(items) + SIZE, ctypes.c_int64) == 2 == peek(id(listed) + SIZE, ctypes.c_int64)
        and peek(id(items) + TUPLE_ITEMS + 8, ctypes.c_void_p) == id(items[1])
        and peek(first + 8, ctypes.c_void_p) == id(items[1])
    )


def types_and_calls() -> bool:
    flags = peek(id(int) + TYPE_FLAGS, ctypes.c_uint64)
    return flags == int.__flags__ and all(map(address, (*PYTHON, *NUMPY)))
