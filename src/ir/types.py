"""The type of an IR value: an element dtype and a fixed shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np


@dataclass(frozen=True)
class DType:
    """One row of the table of element types; every module asks it, none lists dtypes.

    ``kind`` is "bool", "int", "float", and leaves room for an opaque kind (a random key, a
    growable tape), whose elements no arithmetic reads.
    """

    name: str
    numpy: np.dtype[np.generic]
    kind: str

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def differentiable(self) -> bool:
        """Whether the elements form a vector space, so that tangents exist."""
        return self.kind == "float"


DTYPES: dict[str, DType] = {
    row.name: row
    for row in (
        DType("bool", np.dtype(np.bool_), "bool"),
        DType("i32", np.dtype(np.int32), "int"),
        DType("i64", np.dtype(np.int64), "int"),
        DType("f32", np.dtype(np.float32), "float"),
        DType("f64", np.dtype(np.float64), "float"),
    )
}
SHORT: dict[np.dtype[np.generic], str] = {row.numpy: row.name for row in DTYPES.values()}


class UnsupportedDTypeError(TypeError):
    """An array holds elements that no IR type describes."""


@dataclass(frozen=True)
class ArrayType:
    """``f64[4,3]``: what the verifier checks and the printer prints."""

    dtype: str
    shape: tuple[int, ...]

    @cached_property
    def hashed(self) -> int:
        return hash((self.dtype, self.shape))

    def __hash__(self) -> int:
        return self.hashed

    @property
    def rank(self) -> int:
        return len(self.shape)

    @cached_property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.info.size

    @property
    def info(self) -> DType:
        return DTYPES[self.dtype]

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return DTYPES[self.dtype].numpy

    def with_shape(self, shape: tuple[int, ...]) -> ArrayType:
        return ArrayType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> ArrayType:
        return ArrayType(dtype, self.shape)

    def batched(self, size: int) -> ArrayType:
        """The type with a leading batch axis."""
        return ArrayType(self.dtype, (size, *self.shape))

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def short_dtype(dtype: np.dtype[np.generic]) -> str:
    """The IR's name of a NumPy dtype, whatever its byte order."""
    try:
        return SHORT[dtype]
    except KeyError:
        native = dtype.newbyteorder("=")
        if native in SHORT:
            return SHORT[native]
    known = ", ".join(str(row.numpy) for row in DTYPES.values())
    raise UnsupportedDTypeError(f"dtype {dtype} is not supported (supported: {known})")


def type_of(array: np.ndarray | np.generic) -> ArrayType:
    """The type of an array; shapes and dtypes are NumPy's."""
    return ArrayType(short_dtype(array.dtype), array.shape)
