"""One array in every way in which NumPy may lay it out in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ir.op import Array

Layout = Callable[[Array], Array]


def strided(x: Array) -> Array:
    """Every second element of every second row of a larger array."""
    made = np.full([2 * n for n in x.shape], x.flat[0])
    made[tuple([slice(None, None, 2)] * x.ndim)] = x
    return made[tuple([slice(None, None, 2)] * x.ndim)]


def reversed_(x: Array) -> Array:
    backwards = tuple([slice(None, None, -1)] * x.ndim)
    return x[backwards].copy()[backwards]


def read_only(x: Array) -> Array:
    made = x.copy()
    made.flags.writeable = False
    return made


def misaligned(x: Array) -> Array:
    """At an odd address."""
    raw = np.zeros(x.nbytes + 2 * x.itemsize, np.uint8)
    start = (1 - raw.ctypes.data) % x.itemsize
    made = np.frombuffer(raw.data, x.dtype, x.size, offset=start).reshape(x.shape)
    made[...] = x
    assert not made.flags.aligned or x.itemsize == 1
    return made


def from_bytes(x: Array) -> Array:
    """Over immutable memory, at an offset."""
    return np.frombuffer(b"\0" * 8 + x.tobytes(), x.dtype, offset=8).reshape(x.shape)


def swapped(x: Array) -> Array:
    """In the byte order that the machine does not have."""
    return x.astype(x.dtype.newbyteorder("S"))


def field(x: Array) -> Array:
    """A field of records that are 3 bytes longer than it."""
    records = np.zeros(x.shape, np.dtype([("gap", "V3"), ("value", x.dtype)]))
    records["value"] = x
    return records["value"]


def diagonal_of_larger(x: Array) -> Array:
    """Rows that overlap the rows before them in memory."""
    flat = x.ravel()
    step = flat.strides[0]
    return np.lib.stride_tricks.as_strided(flat, (len(flat) // 2, 2), (step, step))


LAYOUTS: dict[str, Layout] = {
    "plain": lambda x: x,
    "strided": strided,
    "reversed": reversed_,
    "fortran": np.asfortranarray,
    "transposed": lambda x: x.T,
    "swapped axes": lambda x: x.T.copy().T,
    "read-only": read_only,
    "misaligned": misaligned,
    "from bytes": from_bytes,
    "byte-swapped": swapped,
    "byte-swapped transposed": lambda x: swapped(x).T,
    "record field": field,
    "broadcast row": lambda x: np.broadcast_to(x[0], x.shape),
    "broadcast column": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "broadcast all": lambda x: np.broadcast_to(x[0, 0], x.shape),
    "column": lambda x: x[:, 1:2],
    "rows": lambda x: x[1:],
    "0-d": lambda x: x[0, 1, ...].copy(),
    "0-d view": lambda x: x[1, 2, ...],
    "0-d byte-swapped": lambda x: swapped(x)[1, 2, ...],
    "overlapping windows": diagonal_of_larger,
    "no rows": lambda x: x[:0],
    "no columns": lambda x: x[:, :0],
    "nothing": lambda x: np.zeros((0,), x.dtype),
}
