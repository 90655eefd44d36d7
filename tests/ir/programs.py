"""Random well-typed programs, and the inputs to run them on.

Every primitive has a recipe that picks operands it accepts from what is there already; the rarer
a primitive was so far, the likelier it comes next. Values are reused, so subexpressions repeat;
some are never read; constants are the ones that laws look for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir import ops
from ir.build import Builder
from ir.op import REGISTRY, Array, Op
from ir.ops.families import Elementwise
from ir.program import Program, Value
from ir.types import DTYPES, ArrayType
from ir.verify import verify

NUMBERS = ("int", "float")
ANY = ("bool", "int", "float")
Recipe = Callable[["Maker"], Any]


class Maker:
    """Grows one program. ``tame`` keeps to f64 and to what has a derivative almost everywhere."""

    def __init__(self, seed: int, counts: Counter[str], tame: bool = False, depth: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Builder()
        self.pool: list[Value] = []
        self.counts = counts
        self.tame = tame
        self.depth = depth

    # --- choices ---

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def shape(self, least: int = 0, most: int = 3) -> tuple[int, ...]:
        rank = int(self.rng.integers(least, most + 1))
        sizes = (1, 2, 3) if self.tame or self.chance(0.95) else (0, 1, 2)
        return tuple(int(n) for n in self.rng.choice(sizes, rank))

    def dtype(self, kinds: Sequence[str]) -> str:
        if self.tame and "float" in kinds:
            return "f64"
        weights = {"f64": 5, "f32": 2, "i64": 2, "i32": 1, "bool": 1}
        names = [d for d, n in weights.items() for _ in range(n) if DTYPES[d].kind in kinds]
        return str(self.pick(names))

    # --- values ---

    def some(self, kinds: Sequence[str] = NUMBERS, least: int = 0, axes: bool = False) -> Value:
        """A value of one of the kinds; ``axes`` asks for one without empty axes."""
        fits = [
            v for v in self.pool
            if v.type.info.kind in kinds and v.type.rank >= least and (v.type.size or not axes)
        ]  # fmt: skip
        if fits and self.chance(0.9):
            return self.pick(fits[-6:] if self.chance(0.7) else fits)  # type: ignore[no-any-return]
        shape = self.shape(least)
        shape = tuple(max(n, 1) for n in shape) if axes else shape
        return self.fresh(ArrayType(self.dtype(kinds), shape))

    def like(self, t: ArrayType) -> Value:
        """A value of the very type: one that is there, or a new one."""
        fits = [v for v in self.pool if v.type == t]
        if fits and self.chance(0.85):
            return self.pick(fits)  # type: ignore[no-any-return]
        return self.fresh(t)

    def fresh(self, t: ArrayType) -> Value:
        """A parameter, a constant that laws look for, or a number repeated."""
        if len(self.b.params) < 4 and self.chance(0.6):
            value = self.b.param(t)
        elif self.chance(0.7) or t.info.kind == "bool":
            numbers = (
                (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, np.nan, np.inf) if not self.tame else (0, 1, -1, 2)
            )
            value = self.add(ops.Constant(self.pick(numbers[:5] if t.dtype[0] == "i" else numbers),
                                          t.dtype, t.shape))  # fmt: skip
        else:
            one = self.like(ArrayType(t.dtype, ()))
            value = self.add(ops.Broadcast(t.shape, ()), one)
        if value not in self.pool:
            self.pool.append(value)
        return value

    def add(self, op: Op, *xs: Value, bodies: tuple[Program, ...] = ()) -> Any:
        self.counts[op.mnemonic] += 1
        made = self.b(op, *xs, bodies=bodies)
        self.pool += made if isinstance(made, tuple) else (made,)
        return made

    def step(self) -> None:
        names = TAME if self.tame else tuple(RECIPES)
        names = tuple(n for n in names if n != "call") if self.depth else names
        weights = np.array([1 / (1 + self.counts[n]) for n in names])
        RECIPES[str(self.rng.choice(names, p=weights / weights.sum()))](self)

    def program(self, steps: int) -> Program:
        self.pool.append(self.b.param(ArrayType(self.dtype(("float",)), self.shape())))
        for _ in range(steps):
            self.step()
        late = self.pool[-5:]
        if self.tame:
            late = [v for v in self.pool if v.type.dtype == "f64"][-5:]
        results = [self.pick(late) for _ in range(int(self.rng.integers(1, 4)))]
        return self.b.finish(*results)


def elementwise(cls: type[Elementwise]) -> Recipe:
    def make(m: Maker) -> None:
        op = cls(m.pick((0, 1, 2, 3, 5))) if cls is ops.IntegerPow else cls()  # type: ignore[call-arg]
        x = m.some(cls.kinds)
        m.add(op, x, *[m.like(x.type) for _ in range(cls.arity - 1)])

    return make


def copysign(m: Maker) -> None:
    """The sign of a number: that of nan is whatever the machine's function leaves."""
    x = m.some(ops.CopySign.kinds)
    y = m.like(x.type)
    m.add(ops.CopySign(), x, m.add(ops.Select(), m.add(ops.Equal(), y, y), y, x))


def select(m: Maker) -> None:
    x = m.some(ANY)
    m.add(ops.Select(), m.like(x.type.with_dtype("bool")), x, m.like(x.type))


def constant(m: Maker) -> None:
    m.add(ops.Constant(m.pick((0, -0.0, 1, -1, 2)), m.dtype(ANY), m.shape()))


def literal(m: Maker) -> None:
    dtype, shape = m.dtype(ANY), m.shape()
    n = int(np.prod(shape))
    m.add(ops.Literal(tuple(float(m.rng.integers(-2, 3)) for _ in range(n)), dtype, shape))


def iota(m: Maker) -> None:
    shape = m.shape(1)
    m.add(ops.Iota(m.dtype(NUMBERS), shape, int(m.rng.integers(len(shape)))))


def unit_arrays(m: Maker) -> None:
    """All but the first: products with a square of them are scalings, for finite numbers only."""
    shape = m.shape(1)
    places = int(np.prod(shape))
    m.add(ops.UnitArrays(m.dtype(NUMBERS), (max(places - 1, 1), *shape), int(places > 1)))


def convert(m: Maker) -> None:
    x, dtype = m.some(("float",) if m.tame else ANY), m.dtype(ANY)
    if x.type.info.kind == "float" and dtype[0] == "i":  # C defines only what fits
        zero, bound = (m.add(ops.Constant(n, x.type.dtype, x.type.shape)) for n in (0.0, 1000.0))
        x = m.add(ops.Select(), m.add(ops.IsFinite(), x), x, zero)
        x = m.add(ops.Maximum(), m.add(ops.Minimum(), x, bound), m.add(ops.Neg(), bound))
    m.add(ops.Convert(dtype), x)


def dot_general(m: Maker) -> None:
    x = m.some()
    order = [int(d) for d in m.rng.permutation(x.type.rank)]
    nb, nc = int(m.rng.integers(0, 2)), int(m.rng.integers(0, 3))
    batch, contract = tuple(order[:nb]), tuple(order[nb : nb + nc])
    free = m.shape(0, 1)
    shape = (*[x.type.shape[d] for d in (*contract, *batch)], *free)
    y = m.like(ArrayType(x.type.dtype, shape))
    c = len(contract)
    right = tuple(range(c)), tuple(range(c, c + len(batch)))
    m.add(ops.DotGeneral((contract, right[0]), (batch, right[1])), x, y)


def broadcast(m: Maker) -> None:
    x = m.some(ANY)
    rank = min(x.type.rank + int(m.rng.integers(0, 3)), 4)
    dims = tuple(sorted(int(d) for d in m.rng.choice(rank, x.type.rank, replace=False)))
    shape = [m.pick((1, 2, 3)) for _ in range(rank)]
    for d, n in zip(dims, x.type.shape, strict=True):
        shape[d] = n
    m.add(ops.Broadcast(tuple(shape), dims), x)


def permute(m: Maker) -> None:
    x = m.some(ANY, least=m.pick((0, 2)))
    m.add(ops.Permute(tuple(int(d) for d in m.rng.permutation(x.type.rank))), x)


def reshape(m: Maker) -> None:
    x = m.some(ANY)
    shapes = [(x.type.size,), (1, *x.type.shape), (*x.type.shape, 1), x.type.shape[::-1]]
    shapes.append(tuple(n for n in x.type.shape if n != 1))
    m.add(ops.Reshape(m.pick(shapes)), x)


def cut(m: Maker, shape: tuple[int, ...]) -> ops.Slice:
    """A slice that fits the shape; now and then everything, or nothing."""
    starts, sizes, strides = [], [], []
    for n in shape:
        size = int(m.rng.integers(0 if m.chance(0.1) else min(n, 1), n + 1))
        stride = m.pick((1, 1, -1, 2, -2)) if size > 1 else 1
        stride = stride if abs(stride) * (size - 1) < n else (1 if stride > 0 else -1)
        reach = abs(stride) * (size - 1) if size else 0
        low = int(m.rng.integers(0, n - reach)) if size else 0
        starts.append(low + reach if stride < 0 else low)
        sizes.append(size)
        strides.append(stride)
    return ops.Slice(tuple(starts), tuple(sizes), tuple(strides))  # type: ignore[no-any-return]


def slice_(m: Maker) -> None:
    x = m.some(ANY, least=1)
    m.add(cut(m, x.type.shape), x)


def slice_add(m: Maker) -> None:
    x = m.some()
    s = cut(m, x.type.shape)
    m.add(ops.SliceAdd(s.starts, s.strides), x, m.like(x.type.with_shape(s.sizes)))


def slice_update(m: Maker) -> None:
    x = m.some(ANY)
    s = cut(m, x.type.shape)
    m.add(ops.SliceUpdate(s.starts, s.strides), x, m.like(x.type.with_shape(s.sizes)))


def pad(m: Maker) -> None:
    x = m.some(ANY)
    before, after = (tuple(m.pick((0, 0, 1, 2)) for _ in x.type.shape) for _ in range(2))
    m.add(ops.Pad(before, after), x)


def concatenate(m: Maker) -> None:
    x = m.some(ANY, least=1)
    axis = int(m.rng.integers(x.type.rank))
    parts = [x]
    for _ in range(int(m.rng.integers(0, 4))):
        shape = list(x.type.shape)
        shape[axis] = m.pick((0, 1, 2))
        parts.append(m.like(x.type) if m.chance(0.5) else m.like(x.type.with_shape(tuple(shape))))
    m.add(ops.Concatenate(axis), *parts)


def places(m: Maker, x: Value) -> tuple[int, tuple[int, ...], list[Value]]:
    """A batch, axes, and an index operand for each of them."""
    batch = int(m.rng.integers(0, min(2, x.type.rank)))
    n = int(m.rng.integers(1, min(3, x.type.rank - batch + 1)))
    axes = m.rng.choice(np.arange(batch, x.type.rank), n, replace=False)
    shape = (*x.type.shape[:batch], *m.shape(0, 1))
    dtype = m.pick(("i64", "i32"))
    t = ArrayType(dtype, shape)
    made = [m.like(t) if m.chance(0.5) else indices(m, t) for _ in axes]
    return batch, tuple(sorted(int(a) for a in axes)), made


def indices(m: Maker, t: ArrayType) -> Value:
    numbers = tuple(int(i) for i in m.rng.integers(-1, 4, int(np.prod(t.shape))))
    return m.add(ops.Literal(numbers, t.dtype, t.shape))  # type: ignore[no-any-return]


def gather(m: Maker) -> None:
    x = m.some(ANY, least=1, axes=True)
    batch, axes, where = places(m, x)
    m.add(ops.Gather(axes, batch), x, *where)


def scatter(cls: type[ops.ScatterAdd | ops.ScatterUpdate], kinds: Sequence[str]) -> Recipe:
    def make(m: Maker) -> None:
        x = m.some(kinds, least=1, axes=True)
        batch, axes, where = places(m, x)
        op = cls(axes, batch)
        picked = op.picked(x.type, [i.type for i in where])
        m.add(op, x, m.like(x.type.with_shape(picked)), *where)

    return make


def reduction(cls: type[Op], kinds: Sequence[str], axes: bool) -> Recipe:
    def make(m: Maker) -> None:
        x = m.some(kinds, axes=axes)
        n = int(m.rng.integers(0, x.type.rank + 1))
        chosen = m.rng.choice(x.type.rank, n, replace=False) if n else ()
        m.add(cls(tuple(int(a) for a in chosen)), x)  # type: ignore[call-arg]

    return make


def along(cls: type[Op], kinds: Sequence[str], axes: bool) -> Recipe:
    def make(m: Maker) -> None:
        x = m.some(kinds, least=1, axes=axes)
        axis = int(m.rng.integers(x.type.rank))
        m.add(cls(axis, m.chance(0.5)) if cls is ops.CumSum else cls(axis), x)  # type: ignore[call-arg]

    return make


def call(m: Maker) -> None:
    inner = Maker(int(m.rng.integers(2**32)), m.counts, m.tame, m.depth + 1)
    body = inner.program(int(m.rng.integers(1, 4)))
    m.add(ops.Call(), *[m.like(t) for t in body.types], bodies=(body,))


def barrier(m: Maker) -> None:
    m.add(ops.Barrier(), m.some(ANY), m.some(ANY))


def effect(make_op: Callable[[], Op]) -> Recipe:
    def make(m: Maker) -> None:
        x = m.like(ArrayType("i64", ()))
        m.add(make_op(), m.add(ops.Equal(), x, x))

    return make


RECIPES: dict[str, Recipe] = {
    **{n: elementwise(cls) for n, cls in REGISTRY.items() if issubclass(cls, Elementwise)},
    "copysign": copysign, "select": select, "constant": constant, "literal": literal, "iota": iota,
    "unit_arrays": unit_arrays, "convert": convert,
    "dot_general": dot_general, "broadcast": broadcast, "permute": permute, "reshape": reshape,
    "slice": slice_, "slice_add": slice_add, "pad": pad, "concatenate": concatenate,
    "gather": gather, "call": call, "barrier": barrier, "slice_update": slice_update,
    "scatter_add": scatter(ops.ScatterAdd, NUMBERS),
    "scatter_update": scatter(ops.ScatterUpdate, ANY),
    "reduce_sum": reduction(ops.ReduceSum, NUMBERS, False),
    "reduce_prod": reduction(ops.ReduceProd, NUMBERS, False),
    "reduce_max": reduction(ops.ReduceMax, ANY, True),
    "reduce_min": reduction(ops.ReduceMin, ANY, True),
    "argmax": along(ops.ArgMax, ANY, True), "argmin": along(ops.ArgMin, ANY, True),
    "cumsum": along(ops.CumSum, NUMBERS, False),
    "guard": effect(lambda: ops.Guard()), "check": effect(lambda: ops.Check("never")),
}  # fmt: skip

WILD = {"arccosh", "arcsin", "arccos", "arctanh", "erfinv", "pow", "sinh", "cosh", "exp2", "guard"}
"""What leaves its domain, or grows beyond what a derivative can be compared at."""

TAME = tuple(n for n in RECIPES if n not in WILD)


def random_program(seed: int, counts: Counter[str], tame: bool = False) -> Program:
    """The program of a seed: 3 to 14 steps, verified."""
    maker = Maker(seed, counts, tame)
    return verify(maker.program(int(maker.rng.integers(3, 15))))


def random_inputs(program: Program, seed: int, tame: bool = False) -> list[Array]:
    """Plain numbers, or for some seeds special ones among them."""
    rng = np.random.default_rng(seed)
    return [draw(rng, t, tame) for t in program.types]


def draw(rng: np.random.Generator, t: ArrayType, tame: bool) -> Array:
    if t.info.kind == "bool":
        return np.asarray(rng.integers(0, 2, t.shape).astype(bool))
    if t.info.kind == "int":
        return np.asarray(rng.integers(-4, 5, t.shape).astype(t.numpy))
    if tame:
        return np.asarray(rng.uniform(0.5, 1.5, t.shape).astype(t.numpy))
    x = rng.normal(size=t.shape)
    if rng.random() < 0.3:
        odd = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-310, 1e300])
        x = np.where(rng.random(t.shape) < 0.4, rng.choice(odd, t.shape), x)
    with np.errstate(over="ignore"):
        return np.asarray(x).astype(t.numpy)
