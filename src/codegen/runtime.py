"""Arrays in, arrays out: calling compiled code on NumPy's buffers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ir.op import Array
from ir.program import Equation, Program

ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 4)
Caller = Callable[[Sequence[Array]], list[Array]]


@dataclass(frozen=True)
class Main:
    """``(arguments, results, workspace, region) -> status`` in memory, and the last of these: a
    task and its number of blocks, for code that serves every program of one region."""

    address: int
    region: ctypes.Array[ctypes.c_int64] | None = None

    @property
    def region_address(self) -> int:
        """Where the region is described, or null."""
        return 0 if self.region is None else ctypes.addressof(self.region)


def caller(
    main: Main, program: Program, workspace: int, effects: Sequence[Equation] = ()
) -> Caller:
    """A Python function that runs the code on arrays of the program's types."""
    entry = ENTRY(main.address)
    types = [(v.type.shape, v.type.numpy) for v in program.results]
    expected = [(v.type.shape, v.type.numpy) for v in program.params]

    def call(arrays: Sequence[Array]) -> list[Array]:
        for array, (shape, dtype) in zip(arrays, expected, strict=True):
            fits = array.shape == shape and array.dtype == dtype and array.dtype.isnative
            if not (fits and array.flags.c_contiguous and array.flags.aligned):
                raise TypeError(
                    f"compiled code was given {array.dtype}{array.shape}, it takes a contiguous, "
                    f"aligned {dtype}{shape}"
                )
        results = [np.empty(shape, dtype) for shape, dtype in types]
        scratch = np.empty(workspace + 64, np.uint8) if workspace else None
        base = 0
        if scratch is not None:
            base = -(-scratch.ctypes.data // 64) * 64
        status = entry(pointers(arrays), pointers(results), base, main.region_address)
        if status:
            failed(effects[status - 1])
        return results

    return call


def pointers(arrays: Sequence[Array]) -> ctypes.Array[ctypes.c_void_p]:
    """The arrays' data, as C's array of pointers."""
    return (ctypes.c_void_p * max(len(arrays), 1))(*[a.ctypes.data for a in arrays])


def failed(eq: Equation) -> None:
    """Raise what the guard or check says."""
    raise eq.op.failure(eq.loc)


def read_counter(address: int) -> int:
    return ctypes.c_int64.from_address(address).value
