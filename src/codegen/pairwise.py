"""Long sums in blocks: the terms of a block are added in vector lanes, the blocks' sums in pairs.

The rounding error of a sum grows with the logarithm of the number of its blocks, and the blocks do
not depend on the number of threads. Higham, Accuracy and Stability of Numerical Algorithms, 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from math import gcd, prod
from typing import TYPE_CHECKING

from codegen.buffers import Buffer
from codegen.helper import Helper
from codegen.items import FoldStep, Item, Loop
from codegen.parallel import leaves
from codegen.registers import Register
from codegen.scalar import EmitKernel
from codegen.text import TYPES, Ends, Function, kind_of
from ir import ops
from ir.types import DTYPES

if TYPE_CHECKING:
    from codegen.vectors import Vector

CHAIN = 32
"""Terms of a block that are added one after the other, in each vector lane."""
LEVELS = 64
"""Places of unfinished sums: one for every bit of the number of blocks, behind that number."""


def is_sum(item: Item) -> bool:
    """Whether the item adds floats, in any order."""
    adds = getattr(item.eq.op, "pair", None) is ops.Add
    return isinstance(item, FoldStep) and adds and DTYPES[item.value.type.dtype].kind == "float"


Taken = tuple[Loop | None, int]
"""A loop of which several steps are taken at a time, and how many; None and 1 if there is none."""


def cut_at(step: FoldStep, taken: Taken) -> tuple[Loop, int] | None:
    """The loop of a long sum whose steps are grouped in blocks, and the steps of one block."""
    if not is_sum(step):
        return None
    lanes, width = taken
    loops = step.path[step.opens :]
    terms = [prod(loop.axis.extent for loop in loops[n:]) for n in range(len(loops) + 1)]
    most = CHAIN * max(width, 2)
    for n in reversed(range(len(loops))):
        if terms[n] <= most:
            continue
        if lanes not in loops[n + 1 :]:
            whole = width if lanes is loops[n] else 1
            return loops[n], max(most // terms[n + 1] // whole, 1) * whole
        # Inside a step: lanes that come to one term each time, and the terms that they leave.
        inner = loops.index(lanes)
        sums = prod(loop.axis.extent for loop in loops[n + 1 : inner])
        rest = loops[inner].axis.extent % width * terms[inner + 1]
        return loops[n], max(CHAIN // (sums * (1 + rest)), 1)
    return None


def long_sums(loop: Loop, vectors: Mapping[Loop, Vector]) -> dict[FoldStep, int]:
    """The sums that are cut into blocks at this loop, each with the steps of a block."""
    found = {}
    for item in leaves(loop):
        if isinstance(item, FoldStep):
            cut = cut_at(item, taken_around(item, vectors))
            if cut and cut[0] is loop:
                found[item] = cut[1]
    return found


def taken_around(item: Item, vectors: Mapping[Loop, Vector]) -> Taken:
    """The loop around the item of which several steps are taken at a time."""
    return next(((loop, vectors[loop].width) for loop in item.path if loop in vectors), (None, 1))


@contextmanager
def blocks(
    k: EmitKernel, loops: Sequence[Loop], steps: int, written: Set[Buffer] | None = None
) -> Iterator[None]:
    """A loop over blocks of the loops' steps; opened inside it, each runs over one block."""
    axis, f = loops[0].axis, k.f
    whole = k.ends_of(axis)
    low, high = whole.low, whole.high
    common = gcd(steps, whole.multiple)
    if isinstance(low, int) and isinstance(high, int):
        count: int | str = -(-(high - low) // steps)
    else:
        count = f(f"sub i64 {high}, {low}")
        count = f(f"udiv i64 {f(f'add i64 {count}, {steps - 1}')}, {steps}")
    with k.counted(0, count, written=written) as block:
        begin = f(f"add nsw i64 {f(f'mul nsw i64 {block}, {steps}')}, {low}")
        end = f(f"add nsw i64 {begin}, {steps}")
        if common < steps:
            end = f(f"call i64 @llvm.smin.i64(i64 {end}, i64 {high})")
        ends = Ends(begin, end, common, common)
        k.ends.update({loop.axis: ends for loop in loops})
        yield
    k.ends.update({loop.axis: whole for loop in loops})


class Pairwise:
    """The unfinished sums of one fold: the sums of 1, 2, 4, ... blocks, where there is one."""

    def __init__(self, k: EmitKernel, dtype: str) -> None:
        self.k, self.dtype = k, dtype
        self.place = k.f.alloca("i64", LEVELS + 1)
        k.f.do(f"store i64 0, ptr {self.place}")

    def add(self, x: Register) -> None:
        """Add the sum of one more block."""
        f, t = self.k.f, TYPES[self.dtype]
        name = helped(f, "pairwise", f"void @$name(ptr nocapture %sums, {t} %x)", ADD, t)
        f.do(f"call void @{name}(ptr {self.place}, {t} {x.name})")

    def total(self) -> Register:
        f, t = self.k.f, TYPES[self.dtype]
        name = helped(f, "pairwise.total", f"{t} @$name(ptr nocapture %sums)", TOTAL, t)
        total = f(f"call {t} @{name}(ptr {self.place})")
        return Register(self.k, total, kind_of(self.dtype))


def helped(f: Function, name: str, head: str, body: str, t: str) -> str:
    """The name of a function that the sums of modules call, for numbers of a type."""
    name = f"{name}.{t}"
    head = f"{head.replace('$name', name)} noinline nounwind willreturn memory(argmem: readwrite)"
    f.helpers[name] = Helper(name, head, body.replace("$t", t))
    return name


ADD = """\
entry:
  %blocks = load i64, ptr %sums
  %more = add i64 %blocks, 1
  store i64 %more, ptr %sums
  br label %level
level:
  %n = phi i64 [ 1, %entry ], [ %next, %carry ]
  %bits = phi i64 [ %blocks, %entry ], [ %rest, %carry ]
  %sum = phi $t [ %x, %entry ], [ %both, %carry ]
  %place = getelementptr i64, ptr %sums, i64 %n
  %taken = trunc i64 %bits to i1
  br i1 %taken, label %carry, label %store
carry:
  %old = load $t, ptr %place
  %both = fadd $t %old, %sum
  %next = add i64 %n, 1
  %rest = lshr i64 %bits, 1
  br label %level
store:
  store $t %sum, ptr %place
  ret void
"""
"""It adds in pairs, as a binary counter carries."""

TOTAL = """\
entry:
  %blocks = load i64, ptr %sums
  br label %level
level:
  %n = phi i64 [ 1, %entry ], [ %next, %step ]
  %bits = phi i64 [ %blocks, %entry ], [ %rest, %step ]
  %sum = phi $t [ 0.0, %entry ], [ %total, %step ]
  %left = icmp ne i64 %bits, 0
  br i1 %left, label %test, label %over
test:
  %taken = trunc i64 %bits to i1
  br i1 %taken, label %add, label %step
add:
  %place = getelementptr i64, ptr %sums, i64 %n
  %old = load $t, ptr %place
  %both = fadd $t %old, %sum
  br label %step
step:
  %total = phi $t [ %sum, %test ], [ %both, %add ]
  %next = add i64 %n, 1
  %rest = lshr i64 %bits, 1
  br label %level
over:
  ret $t %sum
"""
