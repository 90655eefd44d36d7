"""LLVM text to machine code that is called on arrays, and freed when it is dropped."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from time import perf_counter
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from codegen import pool, runtime
from codegen.backend import backend, parse
from codegen.helper import Helper
from codegen.items import HostCall
from codegen.lower import SHARE, Module, lower, module_of
from codegen.memory import store
from codegen.native import capi
from codegen.native import entry as native_entry
from codegen.native.base import set_entry, set_miss
from codegen.native.linkage import SIGNATURES
from codegen.native.signature import Signature
from codegen.native.table import Table
from codegen.planner import make_plan
from codegen.runtime import Main
from codegen.show import show_plan
from codegen.target import Target, address, host, vector_address
from ir.op import Array
from ir.passes.pipeline import COMPILE, paused_collector, run
from ir.program import Program
from ir.verify import verify

LIBRARIES = 32
"""Libraries in one LLJIT instance: an instance gives its memory back only when it is closed."""

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


class Code:
    """Machine code in memory; lives as long as this object."""

    def __init__(self, binary: bytes, module: Module, target: Target) -> None:
        library = llvm.JITLibraryBuilder().add_object_img(binary)
        for name in module.exports:
            library.export_symbol(name)
        for name, pointer in imports(module, target):
            library.import_symbol(name, pointer)
        with LOCK:
            generation = Generation.take(target)
            tracker = library.link(generation.jit, f"library{next(NAMES)}")
        self.addresses: dict[str, int] = {name: tracker[name] for name in module.exports}
        self.anchor = np.empty(0)
        """Dies with this object and not before: the collector, which clears weak references to a
        cycle of garbage before it runs the cycle's ``__del__`` methods, does not track arrays."""
        unloaded = weakref.finalize(self.anchor, unload, generation, tracker)
        unloaded.atexit = False


def unload(generation: Generation, tracker: Any) -> None:
    """Free a library; the instance that holds it may go last.

    A finalizer keeps both out of any cycle of garbage, whose order of collection is not ours.
    """
    with LOCK:
        tracker.close()
    del generation


def imports(module: Module, target: Target) -> list[tuple[str, int]]:
    """The addresses of what the module calls."""
    found = []
    for name, dtype in module.symbols:
        if (name, dtype) == SHARE:
            found.append((name, pool_address("share", target)))
            continue
        if not dtype:
            found.append((name, capi.address(name)))
            continue
        found.append((f"tracer.{name}.{dtype}", address(name, dtype)))
    found += [(x.name, helper_address(x, target)) for x in module.helpers]
    return found + [(symbol, vector_address(symbol)) for symbol in module.vectors]


HELPERS: dict[tuple[str, Target], Code] = {}
"""The functions that modules share: each is made when it is first needed, and stays."""


def helper_address(helper: Helper, target: Target) -> int:
    with LOCK:
        if (helper.name, target) not in HELPERS:
            HELPERS[helper.name, target] = code_of(module_of(helper, target.triple), target)
        return HELPERS[helper.name, target].addresses[helper.name]


def pool_address(name: str, target: Target) -> int:
    """A function of the pool, which is made when it is first needed."""
    with LOCK:
        if not pool.POOL:
            module = Module(pool.TEXT, tuple([(name, "") for name in pool.FUNCTIONS]), pool.EXPORTS)
            code = code_of(module, target)
            pool.start(code.addresses, code)
        return int(pool.POOL[0][name])


def code_of(module: Module, target: Target) -> Code:
    made = backend(target)
    return Code(made.machine.emit_object(made.optimised(module)), module, target)


ENTRY: list[Code] = []
"""The native entry's code, once it is made: it stays for the life of the process."""


def entry_address(target: Target) -> int:
    """The function that serves every native call.

    Passes would take 50 ms to save 6 ns a call, so there are none.
    """
    with LOCK:
        if not ENTRY:
            symbols = tuple([(name, "") for name in SIGNATURES])
            module = Module(native_entry.text(), symbols, ("entry",))
            binary = target.machine(level=0).emit_object(parse(module.text))
            ENTRY.append(Code(binary, module, target))
        return ENTRY[0].addresses["entry"]


class Compiled:
    """A program as machine code, called on arrays of its parameters' types."""

    def __init__(
        self,
        program: Program,
        count: bool = False,
        signature: Signature | None = None,
        fastmath: bool = False,
    ) -> None:
        self.timings: dict[str, float] = {}
        """Seconds that each part took: passes, plan, emit, optimise, codegen, link."""
        self.target = host()
        self.program = program
        self.signature = signature
        with paused_collector():
            with self.timed("plan"):
                plan = make_plan(program)
                storage = store(plan)
                self.plan = show_plan(plan, storage)
            self.workspace = storage.workspace
            with self.timed("emit"):
                self.module = lower(plan, storage, self.target, count, fastmath)
        with LOCK:
            with self.timed("optimise"):
                made = backend(self.target, fastmath)
                optimised = made.optimised(self.module)
            with self.timed("codegen"):
                binary = made.machine.emit_object(optimised)
        with self.timed("link"):
            self.code = Code(binary, self.module, self.target)
        self.natives = [item.native for item in plan.items if isinstance(item, HostCall)]
        """What the code calls, kept as long as the code."""
        self.effects = plan.effects
        self.main = self.made_main()
        self.table = None if signature is None else self.made_table(signature)
        self.written: list[Table] = []
        """The tables of calls with ``out=``."""
        self.run = runtime.caller(self.main, program, storage.workspace, plan.effects)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note how long the body takes."""
        start = perf_counter()
        yield
        self.timings[part] = perf_counter() - start

    def __call__(self, *arrays: Array) -> list[Array]:
        """One fresh array for each result; raises what a failing check says."""
        return self.run(arrays)

    def made_main(self) -> Main:
        """The function that runs the program, and what it is told of a region."""
        if not self.module.blocks:
            return Main(self.code.addresses["main"])
        (task,) = self.code.addresses.values()
        region = (ctypes.c_int64 * 2)(task, self.module.blocks)
        return Main(pool_address("lone", self.target), region)

    def made_table(self, signature: Signature) -> Table:
        """What the native entry reads to serve calls of a signature by this code."""
        return Table(signature, self.main, self.workspace, len(self.effects))

    def enter(self, callable_: Any) -> None:
        """Make this program the first that native calls of the object try."""
        if self.table is not None:
            set_entry(callable_, entry_address(self.target), self.table.address)

    def enter_out(self, callable_: Any, signature: Signature) -> None:
        """Let native calls with ``out=`` write there, if no guard or check can end them."""
        if not self.written and not self.effects:
            self.written.append(self.made_table(signature))
            set_entry(callable_, entry_address(self.target), self.written[-1].address)

    def go_on(self, number: int, other: Compiled) -> None:
        """Where the effect of that number ends a native call, the other program goes on."""
        if self.table is not None and other.table is not None:
            set_miss(self.table.misses, number, other.table.address)

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
            return str(backend(self.target, self.module.fastmath).optimised(self.module))

    @cached_property
    def asm(self) -> str:
        """The machine code, as assembly."""
        with LOCK:
            made = backend(self.target, self.module.fastmath)
            return str(made.machine.emit_assembly(made.optimised(self.module)))

    def executed(self) -> int:
        """The work counted so far by an instrumented build."""
        return runtime.read_counter(self.code.addresses["executed"])

    def accesses(self) -> int:
        """The loads and stores counted so far by an instrumented build, part of the work."""
        return runtime.read_counter(self.code.addresses["executed"] + 8)


def compile_program(
    program: Program,
    count: bool = False,
    signature: Signature | None = None,
    fastmath: bool = False,
) -> Compiled:
    """Clean the program up and make machine code of it.

    ``count`` makes an instrumented build, which adds up the work it executes; ``signature`` asks
    for a native entry, which takes and gives Python's objects; ``fastmath`` lets LLVM treat float
    arithmetic as that of real numbers.
    """
    start = perf_counter()
    with paused_collector():
        program = verify(run(program, COMPILE))
    passes = perf_counter() - start
    compiled = Compiled(program, count, signature, fastmath)
    compiled.timings = {"passes": passes, **compiled.timings}
    return compiled
