"""Calls from native code back into Python."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ir.op import Array
from ir.ops.callback import RAISED
from ir.program import Equation
from ir.types import ArrayType

NATIVE = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p)
)
"""``(operands, results) -> status``, 0 if all went well; ctypes takes and gives back the GIL."""


def trampoline(eq: Equation) -> Any:
    """A native function that runs the equation's op on the buffers that it is given.

    Operands are copied: what the function keeps of them is its own. An exception is kept for
    whoever called the native code.
    """
    op = eq.op
    operands = [v.type for v in eq.operands]
    results = [v.type for v in eq.results]

    def run(reads: Any, writes: Any) -> int:
        try:
            xs = [view(reads[n], type).copy() for n, type in enumerate(operands)]
            for n, (type, y) in enumerate(zip(results, op.reference(*xs), strict=True)):
                view(writes[n], type)[...] = y
        except BaseException as error:
            RAISED.error = error
            return 1
        return 0

    return NATIVE(run)


def address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def view(pointer: int | None, type: ArrayType) -> Array:
    """The array that lies at the address."""
    if not type.size:
        return np.empty(type.shape, type.numpy)
    buffer = (ctypes.c_char * type.nbytes).from_address(pointer or 0)
    return np.ndarray(type.shape, type.numpy, memoryview(buffer))
