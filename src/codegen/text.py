"""LLVM functions as text: a line an instruction, registers numbered, loops as context managers.

Text is several times faster to make than llvmlite's objects, and it is what gets parsed anyway.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ir.types import DTYPES
from ir.work import ACCESS

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


class Loops:
    """What LLVM is told of a module's loops: short ones are unrolled whole, long ones not at all.

    Left to itself it unrolls loops of ten steps or so, and then no longer makes vectors of them.
    """

    SHORT = 4

    def __init__(self) -> None:
        self.lines = ['!1 = !{!"llvm.loop.unroll.full"}', '!2 = !{!"llvm.loop.unroll.disable"}']

    def note(self, steps: int | None) -> str:
        """The metadata of one more loop, of so many steps if that is known."""
        name = f"!{len(self.lines) + 1}"
        short = steps is not None and steps <= self.SHORT
        self.lines.append(f"{name} = distinct !{{{name}, {'!1' if short else '!2'}}}")
        return name


class Function:
    """One LLVM function being written: ``f("fadd double", x, y)`` appends and names the result."""

    def __init__(
        self,
        name: str,
        loops: Loops | None = None,
        count_cost: bool = False,
        fastmath: bool = False,
    ) -> None:
        self.head = ""
        """The line that begins the function; set once its parameters are known."""
        self.name = name
        self.loops = loops or Loops()
        self.allocas: list[str] = []
        self.lines: list[str] = []
        self.block = "start"
        self.registers = 0
        self.blocks = 0
        self.cost = self.accesses = 0
        self.count_cost = count_cost
        self.fastmath = fastmath
        """Whether the user lets arithmetic be that of real numbers."""
        self.contract = False
        """Whether a product need not be rounded before it is added to a sum."""
        self.uses: dict[tuple[str, str], None] = {}
        self.helpers: dict[str, str] = {}
        """Functions that it calls and the module has to define, by name."""

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
        return name

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

    @contextmanager
    def loop(self, low: int | str, high: int | str) -> Iterator[str]:
        """Run the body for ``low, ..., high - 1``, of which there is at least one; the ends are
        numbers or registers."""
        body, done = self.fresh("loop", "done")
        before = self.block
        self.jump(body)
        head = len(self.lines)
        self.label(body)
        i = self.new()
        self.lines.append("")
        yield i
        following = self(f"add nuw nsw i64 {i}, 1")
        more = self(f"icmp slt i64 {following}, {high}")
        self.lines[head + 1] = (
            f"  {i} = phi i64 [ {low}, %{before} ], [ {following}, %{self.block} ]"
        )
        self.settle()
        steps = high - low if isinstance(low, int) and isinstance(high, int) else None
        note = self.loops.note(steps)
        self.do(f"br i1 {more}, label %{body}, label %{done}, !llvm.loop {note}")
        self.label(done)

    def choose(
        self,
        condition: str,
        then: Callable[[], str],
        otherwise: Callable[[], str],
        dtypes: list[str],
    ) -> str:
        """The value of the side that the condition picks; only that side runs.

        The sides say in ``dtypes`` what they give.
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
        return self(f"phi {TYPES[dtypes[0]]} {', '.join(values)}")

    def text(self) -> str:
        return "\n".join([self.head, "entry:", *self.allocas, "  br label %start", "start:",
                          *self.lines, "}"])  # fmt: skip
