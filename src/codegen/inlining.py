"""Which equations are computed where they are read, instead of being given loops of their own."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.index import Affine, Axis, Index
from codegen.windows import Window, inside
from ir import ops
from ir.graph import use_counts
from ir.ops.families import Elementwise
from ir.ops.indexing import Indexed
from ir.program import Equation, Program, Value

SMALL = 16
"""Elements of a value that is computed in straight-line code, in registers."""
DEEPEST = 32
"""Inlined equations between a read and what is stored."""


CHEAP = 8
"""Additions, products and the like that are computed again where a neighbour is read."""


class Inlining(dict[Value, Equation]):
    """The inlined equations of a program, by value, and what lies stored under each."""

    def __init__(self, program: Program, windows: Mapping[Value, Window]) -> None:
        super().__init__()
        self.windows = windows
        """Padded arrays of which a few rows at a time are kept."""
        self.led = inside(program, windows) if windows else set[Value]()
        """What is computed for their elements alone."""
        self.indexed = any(isinstance(eq.op, Indexed) for eq in program.equations)
        """Whether elements are read or written at places that are data."""
        self.again: dict[Value, Equation] = {}
        """Equations so cheap that a neighbour's element is computed again and not stored."""
        self.anew: dict[Value, Equation] = {}
        """Equations so cheap that other loops compute their elements too, where they read them."""
        self.weight: dict[Value, int] = {}
        """What an element costs to compute from what is stored; 0 of what is stored itself."""
        self.moved = moved(program)
        self.roots: dict[Value, tuple[Value, ...]] = {}
        self.waits: dict[Value, tuple[Value, ...]] = {}
        """The stored values that must be known before an inlined one is read, besides its own."""
        self.depth: dict[Value, int] = {}
        self.piecewise: set[Value] = set()
        self.read_once = read_once_elementwise(program)
        self.scattered = read_once_and_scattered(program) if self.indexed else set()
        self.overwritten = updates_of(program)
        self.saved = self.read_late(program) if self.overwritten else {}
        for eq in program.equations:
            if self.fits(eq):
                self.add(eq)
            elif isinstance(eq.op, POINTWISE):
                self.weigh(eq)

    def weigh(self, eq: Equation) -> None:
        """Note an elementwise equation that costs little from what is stored anyway.

        One that reads nothing stored is inlined: a few operations are less than a load.
        """
        below = [r for v in eq.operands for r in self.stored_under(v)]
        result = eq.result
        own = eq.op.work([v.type for v in eq.operands], [result.type])
        total = own // max(result.type.size, 1)
        total += sum([self.weight.get(v, 0) for v in {*below, *eq.operands}])
        self.weight[result] = 0 if total > CHEAP and result in self.moved else total
        if total > CHEAP:
            return None
        if not below:
            return self.add(eq)
        lasting = self.overwritten.keys().isdisjoint(below) and self.piecewise.isdisjoint(
            eq.operands
        )
        lasting = lasting and self.windows.keys().isdisjoint(below)
        if result.type.size > SMALL and lasting:
            self.again[result] = eq
        return None

    def where(self, v: Value, at: tuple[Index, ...], stored: bool = True) -> Equation | None:
        """The equation to compute the element from where it is read; None where it is stored.

        What is read for an element that is computed anew may be neither stored nor shifted.
        """
        found = self.get(v)
        if found is None and v in self.again and (not stored or is_shifted(at, v.type.shape)):
            return self.again[v]
        return self.anew.get(v) if found is None else found

    def add(self, eq: Equation) -> None:
        self[eq.result] = eq
        self.depth[eq.result] = 1 + max([self.depth.get(v, 0) for v in eq.operands], default=0)
        below = [r for v in eq.operands[: eq.op.data] for r in self.stored_under(v)]
        self.roots[eq.result] = tuple(dict.fromkeys(below))
        if waits := self.waited(eq):
            self.waits[eq.result] = waits
        if not below:
            self.weight.setdefault(eq.result, sum(self.weight.get(v, 0) for v in eq.operands))
        pieces = any(v in self.piecewise for v in eq.operands)
        if pieces or isinstance(eq.op, ops.Pad | ops.Concatenate):
            self.piecewise.add(eq.result)

    def waited(self, eq: Equation) -> tuple[Value, ...]:
        """The stored values that must be known before the equation is computed, besides those that
        it reads: what stands behind a barrier."""
        found = [w for v in eq.operands if v in self.waits for w in self.waits[v]]
        if eq.op.data is not None:
            found += [r for v in eq.operands[eq.op.data :] for r in self.stored_under(v)]
        return tuple(dict.fromkeys(found))

    def stored_under(self, v: Value) -> tuple[Value, ...]:
        """The stored values that reading ``v`` reads: itself unless it is inlined."""
        return self.roots.get(v, (v,))

    def fits(self, eq: Equation) -> bool:
        """Whether elements are computed where they are read: movement and constants cost nothing.

        So is an elementwise value over a piecewise map that one elementwise op reads: both are
        then split into the same pieces.
        """
        op = eq.op
        if not eq.operands and hasattr(op, "element"):  # it reads nothing
            return True
        if not self.windows.keys().isdisjoint(eq.results):
            return False
        pieces = not self.piecewise.isdisjoint(eq.operands)
        read_once = self.read_once.issuperset(eq.results)
        here = (pieces and read_once) or not self.scattered.isdisjoint(eq.results)
        if not op.movement and not here and self.led.isdisjoint(eq.results):
            return False
        if eq.result in self.saved:
            return False
        if isinstance(op, ops.Concatenate) and eq.result.type.size > SMALL:
            return False
        return max(self.depth.get(v, 0) for v in eq.operands) < DEEPEST

    def read_late(self, program: Program) -> dict[Value, Equation]:
        """Slices that are read when the next version may lie where they are cut from.

        They are stored before that is made, which takes less than a copy of the array.
        """
        last: dict[Value, int] = dict.fromkeys(program.results, len(program.equations))
        late: dict[Value, Equation] = {}
        for position in reversed(range(len(program.equations))):
            eq = program.equations[position]
            when = position
            if eq.op.movement or (eq.results and eq.results[0] in self.read_once):
                when = last.get(eq.result, position)
            gone = self.overwritten.get(eq.operands[0], when + 1) if eq.operands else when + 1
            if isinstance(eq.op, ops.Slice) and when >= gone:
                late[eq.result] = eq
                when = position
            for v in eq.operands:
                last[v] = max(last.get(v, 0), when)
        return late

    def last_reads(self, program: Program) -> dict[Value, int]:
        """Where each stored value is last read, through inlined equations too.

        A result is read after the last equation, and what is saved of an array before its update.
        """
        last = {eq.operands[0]: self.overwritten[eq.operands[0]] for eq in self.saved.values()}
        for position, eq in enumerate(program.equations):
            if eq.results and eq.results[0] in self.saved:
                continue
            if not eq.results or eq.results[0] not in self:
                last.update((r, position) for v in eq.operands for r in self.stored_under(v))
        for v in program.results:
            last.update(dict.fromkeys(self.stored_under(v), len(program.equations)))
        return last


def is_shifted(at: tuple[Index, ...], shape: tuple[int, ...]) -> bool:
    """Whether the index is other than one loop for each dimension, from its beginning on."""
    for i, n in zip(at, shape, strict=True):
        match i:
            case Affine(terms=((Axis(), 1),), constant=0):
                continue
            case _ if n > 1:
                return True
    return False


def updates_of(program: Program) -> dict[Value, int]:
    """Values whose memory a later version may take over, and where that is made."""
    first: dict[Value, int] = {}
    ours: set[Value] = set()
    kept = set(program.results)
    for position, eq in enumerate(program.equations):
        if hasattr(eq.op, "update") and eq.operands[0] in ours:
            first.setdefault(eq.operands[0], position)
        if eq.operands and not eq.op.movement:
            ours.update(eq.results)
    return {v: position for v, position in first.items() if v not in kept}


def moved(program: Program) -> set[Value]:
    """The values that are read at other places than their own: unless they are cheap, stored."""
    found: set[Value] = set()
    for eq in reversed(program.equations):
        shifts = eq.op.movement and not isinstance(
            eq.op, ops.Broadcast | ops.StopGradient | ops.Barrier
        )
        if shifts or (eq.op.movement and eq.result in found):
            found.update(eq.operands)
    return found


def read_once_elementwise(program: Program) -> set[Value]:
    """The elementwise values whose one reader is an elementwise equation."""
    uses = use_counts(program)
    pointwise = [eq for eq in program.equations if isinstance(eq.op, POINTWISE)]
    made = {eq.result for eq in pointwise}
    return {v for eq in pointwise for v in eq.operands if v in made and uses[v] == 1}


def read_once_and_scattered(program: Program) -> set[Value]:
    """What is computed of elements, and of gathered ones, to be added to zeros at places that are
    data, and has no other reader: it is computed there."""
    uses = use_counts(program)
    constants = {eq.result for eq in program.equations if isinstance(eq.op, ops.Constant)}
    found: set[Value] = set()
    for eq in reversed(program.equations):
        here = eq.results and eq.results[0] in found
        if here and (uses[eq.result] > 1 or not isinstance(eq.op, COMPUTED)):
            found.discard(eq.result)
        elif here and not isinstance(eq.op, ops.Gather):
            found.update(eq.operands)
        if isinstance(eq.op, ops.ScatterAdd) and eq.operands[0] in constants:
            found.add(eq.operands[1])
    return found - set(program.params)


POINTWISE = (Elementwise, ops.Select)
"""Ops whose elements are computed from the operands' at the same place."""
COMPUTED = (*POINTWISE, ops.Gather)
"""Ops that may be computed where what they give is added."""
