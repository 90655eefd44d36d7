"""The machine that code is made for, and the library functions that it has."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import cache
from glob import glob
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from codegen.functions import LIBRARY, SPECIAL, operand_count

WIDTHS = {"avx512f": ("e", 64), "avx2": ("d", 32), "sse4.2": ("b", 16)}
"""CPU feature to the letter of the vector ABI and the bytes of a vector."""

NO_VECTOR = ("fmod", *SPECIAL)


@dataclass(frozen=True)
class VectorVariant:
    """A function of glibc's vector library: several elements at once."""

    lanes: int
    symbol: str


@dataclass(frozen=True)
class Target:
    """A triple, a CPU and its features, and the addresses of library functions."""

    triple: str
    cpu: str
    features: tuple[str, ...]

    def machine(self, level: int = 1) -> Any:
        """LLVM's target machine, for JIT code; ``level`` is 0 to 3, as of ``-O``."""
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(
            cpu=self.cpu,
            features=",".join(f"+{name}" for name in self.features),
            opt=level,
            reloc="pic",
            codemodel="jitdefault",
            jit=True,
        )

    @property
    def vector_bytes(self) -> int:
        """Bytes of a vector register."""
        return max(
            [width for name, (_, width) in WIDTHS.items() if name in self.features], default=16
        )

    def vector_variants(self, name: str, dtype: str) -> list[VectorVariant]:
        """The vector versions of a library function that this machine can run."""
        found: list[VectorVariant] = []
        operands = operand_count(name)
        size = 4 if dtype == "f32" else 8
        if name in NO_VECTOR:
            return found
        for feature, (letter, width) in WIDTHS.items():
            if feature in self.features:
                c_name = LIBRARY[name] + ("f" if dtype == "f32" else "")
                lanes = width // size
                symbol = f"_ZGV{letter}N{lanes}{'v' * operands}_{c_name}"
                if vector_address(symbol):
                    found.append(VectorVariant(lanes, symbol))
        return found


@cache
def host() -> Target:
    """The machine that this process runs on."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = tuple(sorted(name for name, on in llvm.get_host_cpu_features().items() if on))
    return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


@cache
def vector_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libmvec.so.1")
    except OSError:
        return None


@cache
def vector_address(symbol: str) -> int:
    """The address of a vector function; 0 where there is none."""
    return address_in(vector_library(), symbol)


def address_in(library: ctypes.CDLL | None, symbol: str) -> int:
    try:
        return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
    except AttributeError:
        return 0


@cache
def math_library() -> ctypes.CDLL:
    return ctypes.CDLL(ctypes.util.find_library("m"))


@cache
def address(name: str, dtype: str) -> int:
    """The address of a scalar library function: C's, scipy's, or the BLAS's."""
    if name in LIBRARY:
        return address_in(math_library(), LIBRARY[name] + ("f" if dtype == "f32" else ""))
    if name in SPECIAL:
        return special_address(SPECIAL[name])
    return blas_address(("s" if dtype == "f32" else "d") + name)


def special_address(name: str) -> int:
    """The float64 version of a function in scipy.special's C interface."""
    from scipy.special import cython_special  # noqa: PLC0415  (slow to import)

    for key, capsule in cython_special.__pyx_capi__.items():
        signature = capsule_name(capsule)
        if key in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}") and signature.startswith(
            b"double (double"
        ):
            return capsule_address(capsule, signature)
    raise RuntimeError(f"scipy.special has no {name} for float64")


def capsule_name(capsule: Any) -> bytes:
    """The C signature that Cython gives a capsule as its name."""
    get = ctypes.pythonapi.PyCapsule_GetName
    get.restype, get.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return bytes(get(capsule))


def capsule_address(capsule: Any, name: bytes) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(capsule, name))


@cache
def own_blas() -> ctypes.CDLL | None:
    """The OpenBLAS that comes with NumPy, with 64-bit integers, if one does."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    return next((ctypes.CDLL(path) for path in glob(f"{folder}/libscipy_openblas64_*")), None)


def blas_address(name: str) -> int:
    """A BLAS function: NumPy's own, which is loaded already, else the one that SciPy is built on.

    SciPy's takes 32-bit integers: the low half of what it is passed, on a little-endian machine.
    """
    found = address_in(own_blas(), f"scipy_{name}_64_") if own_blas() else 0
    if found:
        return found
    from scipy.linalg import cython_blas  # noqa: PLC0415  (slow to import)

    capsule = cython_blas.__pyx_capi__[name]
    return capsule_address(capsule, capsule_name(capsule))
