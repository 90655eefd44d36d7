"""Who calls: Python code that names the function, or compiled code in its place.

Compiled extensions call ``np.empty`` too, have no frame of their own, and take what they get for an
ndarray. The instruction that the calling frame is at tells which function Python itself calls.
"""

from __future__ import annotations

import dis
import sys
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FrameType

LIBRARIES = sys.stdlib_module_names | {
    *("codegen", "ir", "tracer", "numpy", "scipy", "pandas", "sklearn", "matplotlib", "numba"),
    *("autograd", "jax", "torch", "optree", "networkx", "sympy"),
}
"""Packages whose code gets NumPy's own arrays: it hands them to compiled code."""

JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
NAMES = ("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_NAME", "LOAD_DEREF", "LOAD_GLOBAL")


def by_user(frame: FrameType, function: object, name: str) -> bool:
    """Whether the frame is no library's and calls the function, which is an attribute ``name``."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if package in LIBRARIES or frame.f_code.co_name == "<module>":  # what is imported now stays
        return False
    if has_compiled_parts(frame.f_code.co_filename):
        return False
    kind, callee = called(frame.f_code, frame.f_lasti)
    if kind in ATTRIBUTES:
        return callee == name
    if kind not in NAMES:
        return False
    found = frame.f_locals.get(callee, frame.f_globals.get(callee))
    return found is function


@lru_cache(maxsize=4096)
def has_compiled_parts(file: str) -> bool:
    """Whether the file is one of a package with extension modules, which it hands arrays to."""
    folder = Path(file).parent
    if not (folder / "__init__.py").exists():
        return False
    while (folder.parent / "__init__.py").exists():
        folder = folder.parent
    return any(any(folder.rglob(f"*{suffix}")) for suffix in EXTENSION_SUFFIXES)


@lru_cache(maxsize=4096)
def called(code: CodeType, offset: int) -> tuple[str, str]:
    """How the call at the offset got the function: the instruction, and the name in it.

    Walks back over the instructions that put the arguments on the stack; ("", "") where they
    branch.
    """
    before = [i for i in dis.get_instructions(code) if i.offset <= offset]
    call = before.pop() if before else None
    if call is None or call.opname not in ("CALL", "CALL_KW") or call.arg is None:
        return "", ""
    while before and before[-1].opname in ("PRECALL", "KW_NAMES"):
        before.pop()
    missing = call.arg + (call.opname == "CALL_KW")
    for instruction in reversed(before):
        if not missing and instruction.opname != "PUSH_NULL":
            return instruction.opname, str(instruction.argval)
        if instruction.opcode in JUMPS:
            break
        if missing:
            missing -= dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
    return "", ""
