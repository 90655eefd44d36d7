"""LLVM text to machine code that is called on arrays, and freed when it is dropped."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import llvmlite.binding as llvm

from codegen import runtime
from codegen.kernels.contraction import CALLS
from codegen.lower import Module, lower
from codegen.memory import Storage, store
from codegen.plan import Plan
from codegen.planner import make_plan
from codegen.show import show_plan
from codegen.target import Target, address, host, vector_address
from ir.op import Array
from ir.passes.pipeline import COMPILE, run
from ir.program import Program
from ir.verify import verify

LIBRARIES = 32
"""Libraries in one LLJIT instance: an instance gives its memory back only when it is closed."""

STRAIGHT = 10_000
"""Lines of LLVM from which a module is optimised at a lower level: long straight-line code gains
little from the rest, and pays most for it."""

LOCK = threading.RLock()
NAMES = count()


class Generation:
    """An LLJIT instance and the libraries in it; closed when the last of them is dropped."""

    current: Generation | None = None

    def __init__(self, target: Target) -> None:
        self.jit = llvm.create_lljit_compiler(target.machine(), use_jit_link=False)
        self.left = LIBRARIES

    @classmethod
    def take(cls, target: Target) -> Generation:
        """The instance that the next library goes in."""
        if cls.current is None or not cls.current.left:
            cls.current = Generation(target)
        cls.current.left -= 1
        return cls.current


@dataclass(frozen=True)
class Code:
    """Machine code in memory; lives as long as this object."""

    generation: Generation
    tracker: Any
    entry: int
    executed: int

    @classmethod
    def link(cls, binary: bytes, module: Module, target: Target) -> Code:
        library = llvm.JITLibraryBuilder().add_object_img(binary).export_symbol("main")
        counts = "@executed = " in module.text
        if counts:
            library.export_symbol("executed")
        for name, pointer in imports(module, target):
            library.import_symbol(name, pointer)
        with LOCK:
            generation = Generation.take(target)
            tracker = library.link(generation.jit, f"library{next(NAMES)}")
        return cls(generation, tracker, tracker["main"], tracker["executed"] if counts else 0)

    def __del__(self, at_exit: Callable[[], bool] = sys.is_finalizing) -> None:
        """Unload the library before the instance that holds it can go; a process that ends
        takes both along."""
        if not at_exit():
            with LOCK:
                self.tracker.close()


def imports(module: Module, target: Target) -> list[tuple[str, int]]:
    """The addresses of what the module calls."""
    found = []
    for name, dtype in module.symbols:
        found.append((f"tracer.{name}.{dtype}", address(name, dtype)))
        if name not in CALLS:
            variants = target.vector_variants(name, dtype)
            found += [(variant.symbol, vector_address(variant.symbol)) for variant in variants]
    return found


def optimise(text: str, target: Target) -> Any:
    """The parsed, verified and optimised module."""
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=1 if is_long(text) else 3)
    tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(target.machine(), tuning)
    passes = builder.getModulePassManager()
    passes.run(parsed, builder)
    llvm.NewPassManager._dispose(passes)  # ModulePassManager inherits a _dispose that does nothing
    passes.detach()
    return parsed


def is_long(text: str) -> bool:
    return text.count("\n") > STRAIGHT


class Compiled:
    """A program as machine code, called on arrays of its parameters' types."""

    def __init__(self, program: Program, count: bool = False) -> None:
        self.target = host()
        self.program = program
        plan: Plan = make_plan(program)
        storage: Storage = store(plan)
        self.plan = show_plan(plan, storage)
        self.module = lower(plan, storage, self.target, count)
        self.workspace = storage.workspace
        with LOCK:
            machine = self.target.machine(fast_compile=is_long(self.module.text))
            binary = machine.emit_object(optimise(self.module.text, self.target))
        self.code = Code.link(binary, self.module, self.target)
        self.run = runtime.caller(self.code.entry, program, storage.workspace)

    def __call__(self, *arrays: Array) -> list[Array]:
        """One fresh array for each result; raises what a failing check says."""
        return self.run(arrays)

    @property
    def ir(self) -> Program:
        """The program that was compiled, after all passes."""
        return self.program

    @property
    def llvm(self) -> str:
        """The module as it was emitted."""
        return self.module.text

    @cached_property
    def optimised(self) -> str:
        """The module after LLVM's passes."""
        with LOCK:
            return str(optimise(self.module.text, self.target))

    @cached_property
    def asm(self) -> str:
        """The machine code, as assembly."""
        with LOCK:
            found = self.target.machine().emit_assembly(optimise(self.module.text, self.target))
        return str(found)

    def executed(self) -> int:
        """The work counted so far by an instrumented build."""
        return runtime.read_counter(self.code.executed)


def compile_program(program: Program, count: bool = False) -> Compiled:
    """Clean the program up and make machine code of it.

    ``count`` makes an instrumented build, which adds up the work it executes.
    """
    return Compiled(verify(run(program, COMPILE)), count)
