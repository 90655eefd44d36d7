"""Plan to LLVM module: one function a chunk, and one that calls them in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from codegen.blocks import run_block
from codegen.choosing import choose
from codegen.emit import Emitter
from codegen.functions import operand_count, symbol
from codegen.items import Effect, HostCall, Loop, Node
from codegen.kernels.contraction import CALLS
from codegen.memory import Buffer, Storage
from codegen.parallel import Region
from codegen.plan import PASSED, Plan
from codegen.scalar import EmitKernel
from codegen.target import Target
from codegen.text import MEMORY, TYPES, Function, Helper, number
from codegen.vectors import Vector
from ir.ops import Literal

BLOCK = ("i64 %low", "i64 %high", "i64 %block")
"""What a region's function takes besides pointers: which steps, and the block's number."""
SHARE = ("tracer.share", "")
"""The pool's function, as an imported symbol."""


@dataclass(frozen=True)
class Module:
    """LLVM text with an entry function ``main(arguments, results, workspace) -> status``."""

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


def lower(
    plan: Plan, storage: Storage, target: Target, count: bool = False, fastmath: bool = False
) -> Module:
    """The module of a plan; ``count`` makes it add up the work it executes and
    its loads and stores, in ``@executed``."""
    functions = [
        chunk(
            Function(f"chunk{n}", count, fastmath, target.vector_variants),
            nodes,
            found,
            plan,
            storage,
            {} if count else choose(nodes, found, plan, storage, target),
        )
        for n, (nodes, found) in enumerate(zip(storage.chunks, storage.regions, strict=True))
    ]
    shared = any(f.region for f in functions) and not count
    uses = dict.fromkeys(use for f in functions for use in f.function.uses)
    helpers = {name: x for f in functions for name, x in f.function.helpers.items()}.values()
    own = count or fastmath
    parts = [
        f'target triple = "{target.triple}"',
        *literals(plan),
        *(["@executed = global [2 x i64] zeroinitializer"] if count else []),
        *(f.function.text() for f in functions),
        *(x.text("internal ") if own else x.declaration for x in helpers),
        *(task(f) for f in functions if f.region),
        entry(functions, shared),
        *declarations(uses, [*(f.function for f in functions), *(helpers if own else ())]),
    ]
    vectors = dict.fromkeys(symbol for f in functions for symbol in f.function.vectors)
    symbols = (*uses, *([SHARE] if shared else []))
    exports = ("main", "executed") if count else ("main",)
    shares = () if own else tuple(helpers)
    return Module("\n".join(parts), symbols, exports, tuple(vectors), fastmath, shares)


def module_of(helper: Helper, triple: str) -> Module:
    """A module of a shared function alone."""
    called = dict.fromkeys([*ALWAYS, *helper.declares])
    parts = [f'target triple = "{triple}"', helper.text(), *called]
    return Module("\n".join(parts), (), (helper.name,))


@dataclass
class Chunk:
    """A function, and the buffers that its parameters point to."""

    function: Function
    parameters: dict[Buffer, str]
    region: Region | None
    """What the function runs one block of, if it is a region."""
    guarded: bool
    """Whether a guard can end it."""
    calls_back: bool
    """Whether it calls Python: not where a check has failed before, and pointers escape to it."""


def chunk(
    f: Function,
    nodes: list[Node],
    found: Region | None,
    plan: Plan,
    storage: Storage,
    vectors: dict[Loop, Vector],
) -> Chunk:
    """The function of some top-level nodes; it takes pointers to the buffers that it touches."""
    calls_back = any(isinstance(node, HostCall) for node in nodes)
    guarded = calls_back or any(isinstance(node, Effect) and node.eq.op.ends for node in nodes)
    made = Chunk(f, {}, found, guarded, calls_back)
    rows: dict[Buffer, str] = {}

    def pointer(buffer: Buffer) -> str:
        if buffer.kind == "literal":
            return f"@literal{buffer.number}"
        if buffer.kind == "row":
            if buffer not in rows:
                rows[buffer] = f.alloca(MEMORY[buffer.dtype], prod(buffer.shape))
            return rows[buffer]
        place = region(buffer)
        if place not in made.parameters:
            made.parameters[place] = f"%a{len(made.parameters)}"
        base = made.parameters[place]
        if place.kind == "workspace":
            return f(f"getelementptr inbounds i8, ptr {base}, i64 {buffer.offset}")
        return base

    status = f.alloca("i32")
    f.do(f"store i32 {PASSED}, ptr {status}")
    k = EmitKernel(f, plan.inlined, storage.buffers, pointer, exact=plan.exact)
    emitter = Emitter(k, status, storage.partials, vectors)
    if found is None:
        emitter.nodes(nodes)
    else:
        run_block(emitter, found)
    f.settle()
    f.do(f"ret i32 {f(f'load i32, ptr {status}')}")
    facts = "noalias" if calls_back else "noalias nocapture"
    pointers = [f"ptr {facts} {name}" for name in made.parameters.values()]
    args = ", ".join([*pointers, *(BLOCK if found else ())])
    f.head = f"define internal i32 @{f.name}({args}) noinline nounwind {{"
    return made


def task(made: Chunk) -> str:
    """The function that runs the numbered block of a region: ``(context, block)``."""
    found = made.region
    assert found is not None
    axis = found.loops[0].axis
    f = Function(f"{made.function.name}.task")
    f.head = f"define internal void @{f.name}(ptr %context, i64 %block) nounwind {{"
    args = []
    for n in range(len(made.parameters)):
        at = slot(f, "%context", n)
        args.append(f"ptr {f(f'load ptr, ptr {at}')}")
    low = f(f"mul i64 %block, {found.step}")
    low = f(f"add i64 {low}, {axis.low}")
    high = f(f"add i64 {low}, {found.step}")
    high = f(f"call i64 @llvm.smin.i64(i64 {high}, i64 {axis.high})")
    args += [f"i64 {low}", f"i64 {high}", "i64 %block"]
    f(f"call i32 @{made.function.name}({', '.join(args)})")
    f.do("ret void")
    return f.text()


def slot(f: Function, table: str, n: int) -> str:
    """The address of the n-th pointer in a table."""
    return f(f"getelementptr ptr, ptr {table}, i64 {n}")


def region(buffer: Buffer) -> Buffer:
    """What a chunk takes a pointer to: a slot of its own, or all the small ones together."""
    if buffer.kind == "slot" and buffer.nbytes <= 8:
        return Buffer("workspace", 0, "bool", (), ())
    if buffer.kind == "slot":
        return Buffer("slot", 0, "bool", (), (), buffer.offset)
    return Buffer(buffer.kind, buffer.number, "bool", (), ())


def entry(chunks: list[Chunk], shared: bool) -> str:
    """Loads the pointers, calls the chunks, and returns the first number of their statuses.

    Regions are handed to the pool if ``shared``; else their blocks run one after the other.
    """
    f = Function("main")
    f.head = "define i32 @main(ptr %arguments, ptr %results, ptr %workspace) nounwind {"
    pointers: dict[Buffer, str] = {}

    def pointer(place: Buffer) -> str:
        if place.kind in ("slot", "workspace"):
            return f(f"getelementptr i8, ptr %workspace, i64 {place.offset}")
        table = "%arguments" if place.kind == "param" else "%results"
        return f(f"load ptr, ptr {slot(f, table, place.number)}")

    total = str(PASSED)
    for made in chunks:
        args = []
        for place in made.parameters:
            if place not in pointers:
                pointers[place] = pointer(place)
            args.append(f"ptr {pointers[place]}")
        if made.region is not None:
            run_region(f, made, args, shared)
            continue
        if made.calls_back and total != str(PASSED):
            leave_if_failed(f, total)
        status = f(f"call i32 @{made.function.name}({', '.join(args)})")
        if made.guarded:
            leave_if_missed(f, status)
        total = f(f"call i32 @llvm.umin.i32(i32 {total}, i32 {status})")
    passed = f(f"icmp eq i32 {total}, {PASSED}")
    f.do(f"ret i32 {f(f'select i1 {passed}, i32 0, i32 {total}')}")
    return f.text()


def leave_if_failed(f: Function, total: str) -> None:
    """A check's number ends the call before Python is called."""
    on, off = f.fresh("on", "off")
    f.branch(f(f"icmp eq i32 {total}, {PASSED}"), on, off)
    f.label(off)
    f.do(f"ret i32 {total}")
    f.label(on)


def leave_if_missed(f: Function, status: str) -> None:
    """A guard's number comes negated from its chunk, and ends the call."""
    on, off = f.fresh("on", "off")
    f.branch(f(f"icmp sgt i32 {status}, 0"), on, off)
    f.label(off)
    f.do(f"ret i32 {f(f'sub i32 0, {status}')}")
    f.label(on)


def run_region(f: Function, made: Chunk, args: list[str], shared: bool) -> None:
    """Put the pointers in a table and run every block with it."""
    assert made.region is not None
    table = f.alloca("ptr", max(len(args), 1))
    for n, arg in enumerate(args):
        f.do(f"store {arg}, ptr {slot(f, table, n)}")
    job, blocks = f"@{made.function.name}.task", made.region.blocks
    if shared:
        f.do(f"call void @{SHARE[0]}(ptr {job}, ptr {table}, i64 {blocks})")
        return
    with f.loop(0, blocks) as block:
        f.do(f"call void {job}(ptr {table}, i64 {block})")


def literals(plan: Plan) -> list[str]:
    """Small constant arrays, in the module."""
    lines = []
    for n, eq in enumerate(plan.literals.values()):
        op = eq.op
        assert isinstance(op, Literal)
        memory = MEMORY[op.dtype]
        as_int = op.dtype == "bool"
        values = ", ".join(
            f"{memory} {int(v) if as_int else number(v, op.dtype)}" for v in op.values
        )
        lines.append(
            f"@literal{n} = private constant [{len(op.values)} x {memory}] [{values}], align 64"
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
