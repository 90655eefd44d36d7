"""LLVM functions as text: a line an instruction, registers numbered, loops as context managers.

Text is several times faster to make than llvmlite's objects, and it is what gets parsed anyway.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple, Union

from codegen.helper import Helper
from ir.types import DTYPES
from ir.work import ACCESS

Lines = list[Union[str, "Lines"]]
"""Instructions, and lists of those that are written there later."""

TYPES = {"bool": "i1", "i32": "i32", "i64": "i64", "f32": "float", "f64": "double"}
MEMORY = TYPES | {"bool": "i8"}
"""How an element lies in memory; a bool is a byte there and a bit in a register."""


def number(value: Any, dtype: str) -> str:
    """A number as LLVM writes it; floats by their bits."""
    kind = DTYPES[dtype].kind
    if kind == "bool":
        return "true" if value else "false"
    if kind == "int":
        return str(int(value))
    exact = float(DTYPES[dtype].numpy.type(value))
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"


class Kind:
    """What a register holds: a number of a dtype, or a vector of several."""

    __slots__ = (
        "alignment",
        "bit",
        "dtype",
        "in_memory",
        "is_float",
        "lanes",
        "memory",
        "suffix",
        "t",
    )

    def __init__(self, dtype: str, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        self.t = self.vector(TYPES[dtype])
        """The type in a register."""
        self.memory = self.vector(MEMORY[dtype])
        """The type in memory."""
        self.bit = self.vector("i1")
        """The type of a comparison."""
        self.suffix = dtype if lanes == 1 else f"v{lanes}{dtype}"
        """What LLVM's own functions have behind their names."""
        self.in_memory = "i8" if dtype == "bool" else dtype
        if lanes > 1:
            self.in_memory = f"v{lanes}{self.in_memory}"
        self.alignment = DTYPES[dtype].size
        """Of one number: vectors begin anywhere."""
        self.is_float = DTYPES[dtype].kind == "float"

    def vector(self, t: str) -> str:
        return t if self.lanes == 1 else f"<{self.lanes} x {t}>"

    def number(self, value: Any) -> str:
        """A constant, in every lane."""
        return self.every(number(value, self.dtype))

    def every(self, constant: str) -> str:
        """A constant as LLVM writes it, in every lane."""
        if self.lanes == 1:
            return constant
        return f"<{', '.join([f'{TYPES[self.dtype]} {constant}'] * self.lanes)}>"

    def listed(self, values: Sequence[Any]) -> str:
        """A constant for each lane."""
        t = TYPES[self.dtype]
        return f"<{', '.join([f'{t} {number(value, self.dtype)}' for value in values])}>"

    @property
    def all_set(self) -> str:
        """The mask of all lanes."""
        return f"<{', '.join(['i1 true'] * self.lanes)}>"


def picked(lanes: Sequence[int]) -> str:
    """The mask of a shuffle that picks these lanes."""
    return f"<{len(lanes)} x i32> <{', '.join([f'i32 {lane}' for lane in lanes])}>"


@cache
def kind_of(dtype: str, lanes: int = 1) -> Kind:
    return Kind(dtype, lanes)


HIDDEN = 'call i64 asm "", "=r,0"(i64 {})'
"""The same number, as one that LLVM cannot follow: what it would make of loops whose addresses are
sums of counters is as fast, and takes up to a third of its time (docs/decisions/0017)."""
HERE = nullcontext()
"""Where code is being written already."""
SHORT = 4
"""Steps of a loop that is written out step by step."""
WAIT = 32
"""Instructions that take no longer than a call of a library."""


class Ends(NamedTuple):
    """Where a loop begins and ends, in numbers or registers; what the number of its steps is a
    multiple of, and how many there are at least."""

    low: int | str
    high: int | str
    multiple: int
    least: int


class Function:
    """One LLVM function being written: ``f("fadd double", x, y)`` appends and names the result."""

    def __init__(
        self,
        name: str,
        count_cost: bool = False,
        fastmath: bool = False,
        variants: Callable[[str, str], Sequence[Any]] = lambda name, dtype: (),
    ) -> None:
        self.variants = variants
        """The vector versions that the machine has of a library function, by name and dtype."""
        self.head = ""
        """The line that begins the function; set once its parameters are known."""
        self.name = name
        self.allocas: list[str] = []
        """Memory on the stack and addresses, where the function begins."""
        self.lines: Lines = []
        self.before: list[Lines] = []
        """For each loop that is open, the lines right before it,"""
        self.spent: list[tuple[int, int]] = []
        """and what they spend, in an instrumented build."""
        self.level = 0
        """How many loops are around what is being written."""
        self.levels: dict[str, int] = {}
        """How many loops are around each register, where it is one at least."""
        self.block = "start"
        self.registers = 0
        self.blocks = 0
        self.cost = self.accesses = 0
        self.count_cost = count_cost
        self.fastmath = fastmath
        """Whether the user lets arithmetic be that of real numbers."""
        self.calls = 0
        """Calls of libraries that stand in it, and loops;"""
        self.loops = 0
        self.busy = False
        """whether some innermost loop has few such calls for what else it does."""
        self.contract = False
        """Whether a product need not be rounded before it is added to a sum."""
        self.uses: dict[tuple[str, str], None] = {}
        """Library functions of single numbers that it calls, by name and dtype."""
        self.vectors: dict[str, None] = {}
        """Vector functions that it calls, by symbol."""
        self.declares: dict[str, None] = {}
        """Declarations of what it calls, but for those functions of single numbers."""
        self.products: dict[str, tuple[str, str, bool]] = {}
        """Of products that need not be rounded before they are added to a sum: the factors, and
        whether it is the product negated."""
        self.negatives: dict[str, str] = {}
        """Of what a register is the negative."""
        self.known: dict[Any, tuple[Lines, str, str]] = {}
        """What was computed before, by what it is; the code that it stands in, and its register."""
        self.helpers: dict[str, Helper] = {}
        """Shared functions that it calls, by name."""

    def freedom(self, how: str) -> str:
        """An instruction of float arithmetic with the flags that say what LLVM may make of it.

        Only additions to a sum take a product as it is before rounding.
        """
        if self.fastmath:
            return f"{how} fast"
        return f"{how} contract" if self.contract and how in ("fmul", "fadd reassoc") else how

    def new(self) -> str:
        self.registers += 1
        return f"%r{self.registers}"

    def __call__(self, text: str) -> str:
        """Append an instruction that gives a value; its name."""
        name = self.new()
        self.lines.append(f"  {name} = {text}")
        if self.level:
            self.levels[name] = self.level
        return name

    def once(self, what: Any, make: Callable[[], str]) -> str:
        """What ``make`` computes, unless it was computed before in the same straight-line code."""
        lines, block, made = self.known.get(what, (None, "", ""))
        if lines is not self.lines or block != self.block:
            made = make()
            self.known[what] = self.lines, self.block, made
        return made

    def first(self, text: str) -> str:
        """An instruction where the function begins, behind those that came so before; its name."""
        name = self.new()
        self.allocas.append(f"  {name} = {text}")
        return name

    def level_of(self, *registers: str) -> int:
        """How many loops at least are around what is computed of these."""
        return max([self.levels.get(name, 0) for name in registers], default=0)

    def outside(self, level: int) -> AbstractContextManager[None]:
        """Write straight-line code where only so many of the open loops are around it."""
        return HERE if level >= self.level else self.moved(level)

    @contextmanager
    def moved(self, level: int) -> Iterator[None]:
        """Write right before the loop that so many are around."""
        kept = self.lines, self.level, (self.cost, self.accesses)
        self.lines, self.level = self.before[level], level
        self.cost, self.accesses = self.spent[level]
        try:
            yield
        finally:
            self.spent[level] = self.cost, self.accesses
            self.lines, self.level, (self.cost, self.accesses) = kept

    def do(self, text: str) -> None:
        """Append an instruction that gives nothing."""
        self.lines.append(f"  {text}")

    def spend(self, weight: int) -> None:
        """Count executed work, in an instrumented build."""
        self.cost += weight

    def reach(self) -> None:
        """Count a load or a store."""
        self.spend(ACCESS)
        self.accesses += 1

    def settle(self) -> None:
        """Before control leaves a block: add what it spends to the counters."""
        for n, spent in enumerate((self.cost, self.accesses)):
            if self.count_cost and spent:
                at = self(f"getelementptr i64, ptr @executed, i64 {n}")
                old = self(f"load i64, ptr {at}")
                self.do(f"store i64 {self(f'add i64 {old}, {spent}')}, ptr {at}")
        self.cost = self.accesses = 0

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def fresh(self, *kinds: str) -> list[str]:
        """New block names."""
        self.blocks += 1
        return [f"{kind}{self.blocks}" for kind in kinds]

    def jump(self, target: str) -> None:
        self.settle()
        self.do(f"br label %{target}")

    def branch(self, condition: str, then: str, otherwise: str) -> None:
        self.settle()
        self.do(f"br i1 {condition}, label %{then}, label %{otherwise}")

    def alloca(self, type: str, count: int = 1) -> str:
        """Stack memory for the whole call."""
        name = self.new()
        self.allocas.append(f"  {name} = alloca [{count} x {type}], align 64")
        return name

    def pieces(self, x: str, kind: Kind, width: int) -> list[str]:
        """A vector cut into vectors of ``width`` lanes."""
        if width == kind.lanes:
            return [x]
        if width == 1:
            return [self(f"extractelement {kind.t} {x}, i32 {n}") for n in range(kind.lanes)]
        return [
            self(f"shufflevector {kind.t} {x}, {kind.t} poison, {picked(range(n, n + width))}")
            for n in range(0, kind.lanes, width)
        ]

    def splat(self, x: str, kind: Kind) -> str:
        """A vector with the number in every lane."""
        one = self(f"insertelement {kind.t} poison, {TYPES[kind.dtype]} {x}, i64 0")
        everywhere = f"<{kind.lanes} x i32> zeroinitializer"
        return self(f"shufflevector {kind.t} {one}, {kind.t} poison, {everywhere}")

    def joined(self, parts: Sequence[str], kind: Kind) -> str:
        """Vectors of one kind, a power of two of them, one after the other."""
        while len(parts) > 1:
            both = picked(range(2 * kind.lanes))
            parts = [
                self(f"shufflevector {kind.t} {x}, {kind.t} {y}, {both}")
                for x, y in zip(parts[::2], parts[1::2], strict=True)
            ]
            kind = kind_of(kind.dtype, 2 * kind.lanes)
        return parts[0]

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Run the body where the bit is set."""
        body, done = self.fresh("some", "none")
        self.branch(condition, body, done)
        self.label(body)
        yield
        self.jump(done)
        self.label(done)

    @contextmanager
    def loop(self, low: int | str, high: int | str, by: int = 1) -> Iterator[str]:
        """Run the body for ``low, low + by, ...`` below ``high``, of which there is at least one;
        the ends are numbers or registers."""
        body, done = self.fresh("loop", "done")
        before = self.block
        self.loops += 1
        loops, calls, registers = self.loops, self.calls, self.registers
        self.settle()
        self.before.append([])
        self.spent.append((0, 0))
        self.lines.append(self.before[-1])
        self.level += 1
        self.do(f"br label %{body}")
        head = len(self.lines)
        self.label(body)
        i = self.new()
        self.levels[i] = self.level
        self.lines.append("")
        yield i
        waits = WAIT * (self.calls - calls) >= self.registers - registers
        self.busy |= self.loops == loops and not waits
        following = self(HIDDEN.format(self(f"add nuw nsw i64 {i}, {by}")))
        more = self(f"icmp slt i64 {following}, {high}")
        self.lines[head + 1] = (
            f"  {i} = phi i64 [ {low}, %{before} ], [ {following}, %{self.block} ]"
        )
        self.settle()
        self.do(f"br i1 {more}, label %{body}, label %{done}")
        self.label(done)
        with self.outside(self.level - 1):
            self.settle()
        self.before.pop()
        self.spent.pop()
        self.level -= 1

    def choose(
        self,
        condition: str,
        then: Callable[[], str],
        otherwise: Callable[[], str],
        kinds: list[Kind],
    ) -> str:
        """The value of the side that the condition picks; only that side runs.

        The sides say in ``kinds`` what they give.
        """
        yes, no, join = self.fresh("then", "else", "join")
        self.branch(condition, yes, no)
        values = []
        for block, side in ((yes, then), (no, otherwise)):
            self.label(block)
            value = side()
            values.append(f"[ {value}, %{self.block} ]")
            self.jump(join)
        self.label(join)
        return self(f"phi {kinds[0].t} {', '.join(values)}")

    def text(self) -> str:
        return f"{self.head}\n{self.body()}}}"

    def body(self) -> str:
        lines = ["entry:", *self.allocas, "  br label %start", "start:", *flat(self.lines), ""]
        return "\n".join(lines)


def plus(f: Function, x: int | str, n: int) -> str:
    """The number or register ``x + n``."""
    if isinstance(x, int):
        return str(x + n)
    return f(f"add nsw i64 {x}, {n}") if n else x


def flat(lines: Lines) -> Iterator[str]:
    """The lines in order, those before loops in their places."""
    for line in lines:
        if isinstance(line, str):
            yield line
        else:
            yield from flat(line)
