"""Plan to LLVM module: ``main``, a function for each region, and more where a program is long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from codegen import memory
from codegen.blocks import run_block
from codegen.buffers import Buffer, Storage
from codegen.choosing import choose
from codegen.emit import Emitter
from codegen.functions import operand_count, symbol
from codegen.helper import Helper
from codegen.items import Effect, HostCall, Node
from codegen.kernels.contraction import CALLS
from codegen.parallel import Region, leaves, work
from codegen.plan import PASSED, Plan
from codegen.scalar import EmitKernel
from codegen.target import Target
from codegen.text import MEMORY, TYPES, Function, number
from ir.ops import Literal

MAIN = 256
"""How many times as much all regions do as the rest of a program, for that to be little."""
SHARE = ("tracer.share", "")
"""The pool's function, as an imported symbol."""


@dataclass(frozen=True)
class Module:
    """LLVM text with an entry function ``main(arguments, results, workspace, -) -> status``."""

    text: str
    symbols: tuple[tuple[str, str], ...]
    """The functions it calls, by name and dtype; those of Python and NumPy have none."""
    exports: tuple[str, ...]
    """The names whose addresses the engine needs."""
    vectors: tuple[str, ...] = ()
    """The functions of the vector library that it calls."""
    fastmath: bool = False
    """Whether LLVM may use the algebra of real numbers."""
    helpers: tuple[Helper, ...] = ()
    """The functions that it shares with other modules."""
    blocks: int = 0
    """Where the program is one region, how many blocks it has: the module is its task alone."""
    unoptimised: tuple[str, ...] = ()
    """Its functions in which LLVM's optimiser would find little to gain."""


def lower(
    plan: Plan, storage: Storage, target: Target, count: bool = False, fastmath: bool = False
) -> Module:
    """The module of a plan; ``count`` makes it add up the work it executes and
    its loads and stores, in ``@executed``."""
    writer = Writer(plan, storage, target, count, fastmath)
    functions = writer.written()
    uses = dict.fromkeys(use for f in functions for use in f.uses)
    helpers = {name: x for f in functions for name, x in f.helpers.items()}.values()
    own = count or fastmath
    parts = [
        f'target triple = "{target.triple}"',
        *literals(plan),
        *(["@executed = global [2 x i64] zeroinitializer"] if count else []),
        *(f.text() for f in functions),
        *(x.text("internal ") if own else x.declaration for x in helpers),
        *declarations(uses, [*functions, *(helpers if own else ())]),
    ]
    vectors = dict.fromkeys(symbol for f in functions for symbol in f.vectors)
    lone = writer.lone
    shared = not (lone or count) and any(storage.regions)
    return Module(
        "\n".join(parts),
        symbols=(*uses, *([SHARE] if shared else [])),
        exports=(functions[0].name, *(["executed"] if count else [])),
        vectors=tuple(vectors),
        fastmath=fastmath,
        helpers=() if own else tuple(helpers),
        blocks=lone.blocks if lone else 0,
        unoptimised=() if fastmath else tuple([f.name for f in writer.unoptimised()]),
    )


def module_of(helper: Helper, triple: str) -> Module:
    """A module of a shared function alone."""
    called = dict.fromkeys([*ALWAYS, *helper.declares])
    parts = [f'target triple = "{triple}"', helper.text(), *called]
    return Module("\n".join(parts), (), (helper.name,))


GIVEN = ("arguments", "results", "workspace")
"""What a call is given: tables of pointers to its arguments and results, and memory."""


class Writer:
    """Writes the functions of a plan: ``main``, one for each region, which runs a block of it, and
    one for each chunk of a long program."""

    def __init__(
        self, plan: Plan, storage: Storage, target: Target, count: bool, fastmath: bool
    ) -> None:
        self.plan, self.storage, self.target = plan, storage, target
        self.count, self.fastmath = count, fastmath
        self.functions: list[Function] = []
        self.tasks: list[Function] = []
        """Of the functions, those of regions."""
        self.chunks = list(zip(storage.chunks, storage.regions, strict=True))

    def function(self, name: str, head: str) -> Function:
        f = Function(name, self.count, self.fastmath, self.target.vector_variants)
        f.head = head
        self.functions.append(f)
        return f

    @property
    def lone(self) -> Region | None:
        """The region that is the whole program, if it is one, and no work is counted."""
        found = [r for nodes, r in self.chunks if nodes]
        return found[0] if len(found) == 1 and not self.count else None

    def written(self) -> list[Function]:
        """All functions; the first is the one that others call."""
        if self.lone:
            for n, (nodes, found) in enumerate(self.chunks):
                if found is not None:
                    self.task(n, nodes, found)
            return self.functions
        given = ", ".join([f"ptr %{name}" for name in GIVEN])
        main = self.function("main", f"define i32 @main({given}, ptr %region) nounwind {{")
        status = begun(main)
        place = pointers(main, {name: f"%{name}" for name in GIVEN})
        single = [node for nodes, found in self.chunks if found is None for node in nodes]
        short = sum(item.cost for node in single for item in leaves(node)) <= memory.WHOLE
        for n, (nodes, found) in enumerate(self.chunks):
            if found is not None:
                self.region(main, self.task(n, nodes, found), found)
            elif short:
                self.emitter(main, nodes, status, place, missed=1).nodes(nodes)
            else:
                self.chunk(main, n, nodes, status, given)
        main.settle()
        total = main(f"load i32, ptr {status}")
        passed = main(f"icmp eq i32 {total}, {PASSED}")
        main.do(f"ret i32 {main(f'select i1 {passed}, i32 0, i32 {total}')}")
        return self.functions

    @cached_property
    def minor(self) -> bool:
        """Whether ``main`` does little, as regions do nearly everything."""
        alone, shared = (
            sum(work(node) for nodes, r in self.chunks if (r is None) == own for node in nodes)
            for own in (True, False)
        )
        return MAIN * alone <= shared

    def unoptimised(self) -> list[Function]:
        """Of a program with regions, the functions that LLVM's optimiser would speed up little:
        those whose loops wait for libraries, and ``main`` where it does little."""
        found = [f for f in self.tasks if not f.busy]
        main = self.functions[0]
        if self.tasks and not self.lone and (self.minor or not main.busy):
            found.append(main)
        return found

    def emitter(
        self,
        f: Function,
        nodes: list[Node],
        status: str,
        pointer: Callable[[Buffer], str],
        found: Region | None = None,
        missed: int = -1,
    ) -> Emitter:
        plan, storage = self.plan, self.storage
        narrow = found is None and self.minor
        vectors = {} if self.count else choose(nodes, found, plan, storage, self.target, narrow)
        k = EmitKernel(f, plan.inlined, storage.buffers, pointer, exact=plan.exact)
        return Emitter(k, status, missed, storage.partials, vectors)

    def task(self, n: int, nodes: list[Node], found: Region) -> Function:
        """The function of a block of a region, ``(context, block)``."""
        linkage = "" if self.lone else "internal "
        f = self.function(
            f"task{n}", f"define {linkage}void @task{n}(ptr %context, i64 %block) nounwind {{"
        )
        self.tasks.append(f)
        tables = {
            name: f.first(f"load ptr, ptr {at(f, '%context', n)}") for n, name in enumerate(GIVEN)
        }
        low, high = found.shared
        f.do(f"%begun = mul i64 %block, {found.step}")
        f.do(f"%low = add i64 %begun, {low}")
        f.do(f"%end = add i64 %low, {found.step}")
        f.do(f"%high = call i64 @llvm.smin.i64(i64 %end, i64 {high})")
        run_block(self.emitter(f, nodes, "", pointers(f, tables, "%block"), found), found)
        f.settle()
        f.do("ret void")
        return f

    def region(self, main: Function, task: Function, found: Region) -> None:
        """The call that has all blocks run, by the pool unless work is counted."""
        context = main.alloca("ptr", len(GIVEN))
        for n, name in enumerate(GIVEN):
            main.do(f"store ptr %{name}, ptr {at(main, context, n)}")
        if not self.count:
            main.do(f"call void @{SHARE[0]}(ptr @{task.name}, ptr {context}, i64 {found.blocks})")
            return
        with main.loop(0, found.blocks) as block:
            main.do(f"call void @{task.name}(ptr {context}, i64 {block})")

    def chunk(self, main: Function, n: int, nodes: list[Node], status: str, given: str) -> None:
        """A function of its own, and its call; it gives the number of the first check that failed,
        or negated that of the guard that ended it."""
        f = self.function(
            f"chunk{n}", f"define internal i32 @chunk{n}({given}) noinline nounwind {{"
        )
        place = pointers(f, {name: f"%{name}" for name in GIVEN})
        own = begun(f)
        self.emitter(f, nodes, own, place).nodes(nodes)
        f.settle()
        f.do(f"ret i32 {f(f'load i32, ptr {own}')}")
        calls_back = any(isinstance(node, HostCall) for node in nodes)
        before = main(f"load i32, ptr {status}")
        if calls_back:  # not where a check has failed before
            leave_unless(main, f"icmp eq i32 {before}, {PASSED}", before)
        found = main(f"call i32 @{f.name}({given})")
        if calls_back or any(isinstance(node, Effect) and node.eq.op.ends for node in nodes):
            leave_unless(main, f"icmp sgt i32 {found}, 0", main(f"sub i32 0, {found}"))
        total = main(f"call i32 @llvm.umin.i32(i32 {before}, i32 {found})")
        main.do(f"store i32 {total}, ptr {status}")


def begun(f: Function) -> str:
    """Where the number of the first check that fails will be."""
    status = f.alloca("i32")
    f.do(f"store i32 {PASSED}, ptr {status}")
    return status


def leave_unless(f: Function, condition: str, status: str) -> None:
    on, off = f.fresh("on", "off")
    f.branch(f(condition), on, off)
    f.label(off)
    f.do(f"ret i32 {status}")
    f.label(on)


def at(f: Function, table: str, n: int) -> str:
    """The address of the n-th pointer in a table."""
    return f.first(f"getelementptr ptr, ptr {table}, i64 {n}")


def pointers(f: Function, given: Mapping[str, str], block: str = "0") -> Callable[[Buffer], str]:
    """What finds the address of a buffer in a function that has the tables, and runs a block; it is
    computed where the function begins, once."""
    known: dict[tuple[str, int, int], str] = {}

    def pointer(buffer: Buffer) -> str:
        if buffer.kind == "literal":
            return f"@literal{buffer.number}"
        place = buffer.kind, buffer.number, buffer.offset
        if place not in known:
            if buffer.kind == "row":
                known[place] = f.alloca(MEMORY[buffer.dtype], prod(buffer.shape))
            elif buffer.kind in ("slot", "own"):
                base = given["workspace"]
                known[place] = f.first(f"getelementptr i8, ptr {base}, i64 {buffer.offset}")
                if buffer.kind == "own":
                    own = f"[{buffer.nbytes} x i8], ptr {known[place]}, i64 {block}"
                    known[place] = f.first(f"getelementptr {own}")
            else:
                table = given["arguments" if buffer.kind == "param" else "results"]
                known[place] = f.first(f"load ptr, ptr {at(f, table, buffer.number)}")
        return known[place]

    return pointer


def literals(plan: Plan) -> list[str]:
    """Small constant arrays, in the module."""
    lines = []
    for n, eq in enumerate(plan.literals.values()):
        op = eq.op
        assert isinstance(op, Literal)
        t = MEMORY[op.dtype]
        as_int = op.dtype == "bool"
        values = ", ".join(f"{t} {int(v) if as_int else number(v, op.dtype)}" for v in op.values)
        lines.append(
            f"@literal{n} = private constant [{len(op.values)} x {t}] [{values}], align 64"
        )
    return lines


ALWAYS = (
    "declare i32 @llvm.umin.i32(i32, i32)",
    "declare i64 @llvm.smax.i64(i64, i64)",
    "declare i64 @llvm.smin.i64(i64, i64)",
    f"declare void @{SHARE[0]}(ptr, ptr, i64)",
    "attributes #0 = { nounwind willreturn memory(none) }",
)
"""What every module may call; library functions only compute."""


def declarations(
    uses: Iterable[tuple[str, str]], functions: Sequence[Function | Helper]
) -> Iterator[str]:
    """What the module calls."""
    yield from dict.fromkeys([*ALWAYS, *(line for f in functions for line in f.declares)])
    for name, dtype in uses:
        if name in CALLS:
            arguments = ", ".join(["ptr"] * CALLS[name])
            yield f"declare void @{symbol(name, dtype)}({arguments}) nounwind"
        else:
            t = TYPES[dtype]
            yield f"declare {t} @{symbol(name, dtype)}({', '.join([t] * operand_count(name))}) #0"
