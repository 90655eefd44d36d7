"""Matrices of derivatives: jacrev, jacfwd, hessian, and products with the hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from math import prod
from typing import Any

from ir import ops
from ir.build import Builder
from ir.passes.inline import inline_plain
from ir.passes.simplify import simplify
from ir.passes.transpose import transpose
from ir.passes.vmap import vmap
from ir.program import Equation, Program, Value
from ir.types import ArrayType
from tracer import tree
from tracer.argnums import Argnums, every, is_int
from tracer.errors import VmapError, message
from tracer.forward import pushed
from tracer.point import Point, point_and_map
from tracer.randomness import check_randomness
from tracer.reverse import Function, gradients
from tracer.run import swept

Build = Callable[[Program, Sequence[bool], int, int | None], tuple[Program]]


@dataclass(frozen=True)
class Blocks:
    """How the blocks of a matrix are computed, and how many rows of them together."""

    build: Build
    chunk_size: int | None

    def __call__(self, program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program]:
        return self.build(program, wrt, outs, self.chunk_size)


def batched_rows(
    b: Builder, linear: Program, residuals: Sequence[Value], chunk_size: int | None
) -> list[Value]:
    """The linear program on every unit array of its last parameter."""
    unit = linear.params[-1].type
    size = max(1, min(chunk_size or unit.size, unit.size))
    chunks = []
    for start in range(0, max(1, unit.size), size):
        stop = min(start + size, unit.size)
        wide = vmap(linear, (*[False] * len(residuals), True), stop - start)
        ones = b(ops.UnitArrays(unit.dtype, (stop - start, *unit.shape), start))
        chunks.append(b.inline(wide, [*residuals, ones]))
    return [
        xs[0] if len(xs) == 1 else b(ops.Concatenate(0), *xs) for xs in zip(*chunks, strict=True)
    ]


def reverse_blocks(
    program: Program, wrt: Sequence[bool], outs: int, chunk_size: int | None
) -> tuple[Program]:
    """``x -> (y, aux, blocks)``: for each output the cotangents of its unit arrays, by argument.

    Each output goes back alone: zero cotangents of the others would meet infinite slopes.
    """
    forward, linear = point_and_map(program, wrt, outs)
    m = len(program.results)
    b = Builder()
    b.params = list(program.params)
    b.equations = list(forward.equations)
    blocks: list[Value] = []
    for k, out in enumerate(program.results[:outs]):
        one = replace(linear, results=linear.results[k : k + 1])
        back = swept(transpose(one, len(forward.results) - m))
        bars = batched_rows(b, back, forward.results[m:], chunk_size)
        blocks += [b(ops.Reshape((*out.type.shape, *v.type.shape[1:])), v) for v in bars]
    return (simplified(b.finish(*program.results, *blocks, name=f"jacrev_{program.name}")),)


def forward_blocks(
    program: Program, wrt: Sequence[bool], outs: int, chunk_size: int | None
) -> tuple[Program]:
    """As ``reverse_blocks``, from the tangents of each argument's unit arrays, one at a time."""
    program = inline_plain(program)
    m = len(program.results)
    b = Builder()
    b.params = list(program.params)
    there: set[Equation | Value] = set()
    columns: list[list[Value]] = []
    for n, v in enumerate(program.params):
        if not wrt[n]:
            continue
        forward, linear = point_and_map(program, [k == n for k in range(len(wrt))], outs)
        for eq in forward.equations:
            if eq not in there and not (eq.results and there.issuperset(eq.results)):
                b.equations.append(eq)
                there.update((eq, *eq.results))
        moved = batched_rows(b, linear, forward.results[m:], chunk_size)
        columns.append([output_major(b, dy, v.type) for dy in moved])
    blocks = [column[k] for k in range(outs) for column in columns]
    return (simplified(b.finish(*program.results, *blocks, name=f"jacfwd_{program.name}")),)


def simplified(program: Program) -> Program:
    """Without products with unit arrays: laws make scalings of them, whether it is compiled or not,
    so that their zeros meet no infinities here or there."""
    return swept(simplify(program))


def output_major(b: Builder, x: Value, inner: ArrayType) -> Value:
    """The leading axis moved last, and given the argument's shape; in the argument's dtype."""
    rank = x.type.rank
    last = b(ops.Permute((*range(1, rank), 0)), x)
    made: Value = b(ops.Reshape((*last.type.shape[:-1], *inner.shape)), last)
    return made if made.type.dtype == inner.dtype else b(ops.Convert(inner.dtype), made)


def matrix(
    func: Function,
    argnums: Argnums,
    has_aux: bool,
    transform: str,
    build: Build,
    chunk_size: int | None,
) -> Function:
    """The function that gives the matrix of derivatives; errors name the transform."""
    check_chunk(chunk_size, transform)
    blocks = Blocks(build, chunk_size)

    @wraps(func)
    def matrix_of(*args: Any, **kwargs: Any) -> Any:
        at = Point(func, args, kwargs, argnums, has_aux, transform, blocks)
        count = sum(at.wrt.flags)
        output = at.traced.output
        rows = [
            at.packed(at.rest[k * count : (k + 1) * count], x.scalar)
            for k, x in enumerate(output.tracers)
        ]
        found = tree.unflatten(output.treedef, rows)
        return (found, at.aux()) if has_aux else found

    return matrix_of


def check_chunk(chunk_size: int | None, transform: str) -> None:
    if chunk_size is not None and not (is_int(chunk_size) and chunk_size > 0):
        raise VmapError(
            message(f"{transform}: chunk_size={chunk_size!r} should be a positive int.", "Or None.")
        )


def jacrev(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """The matrix of derivatives, row by row in reverse mode: cheap for few outputs.

    For an output of shape ``s`` and an argument of shape ``t`` the block has shape ``s + t`` and
    the argument's dtype; the blocks have the structure of the output, and in it that of the
    arguments. ``chunk_size`` bounds how many rows are computed together, and so the memory that
    they need.

    >>> import numpy as np
    >>> from tracer import jacrev
    >>> jacrev(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return matrix(func, argnums, has_aux, "jacrev", reverse_blocks, chunk_size)


def jacfwd(
    func: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Function:
    """The matrix of derivatives, column by column in forward mode: cheap for few inputs.

    Shapes and structure are those of ``jacrev``. The function runs once, so that random numbers
    are the same for all columns whatever ``randomness`` says.

    >>> import numpy as np
    >>> from tracer import jacfwd
    >>> jacfwd(lambda x: x.sum())(np.array([1.0, 2.0]))
    array([1., 1.])
    """
    check_randomness(randomness, "jacfwd")
    return matrix(func, argnums, has_aux, "jacfwd", forward_blocks, chunk_size)


def jacobian(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    mode: str = "auto",
    chunk_size: int | None = None,
) -> Function:
    """The matrix of derivatives in the mode that is cheaper for the shapes of the call.

    ``mode`` is "auto", "reverse" or "forward"; shapes and structure are those of ``jacrev``.

    >>> import numpy as np
    >>> from tracer import jacobian
    >>> jacobian(lambda x: x * 2.0)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 2.]])
    """
    modes: dict[str, Build] = {
        "reverse": reverse_blocks,
        "forward": forward_blocks,
        "auto": cheaper_blocks,
    }
    if mode not in modes:
        raise ValueError(
            message(f"jacobian: mode={mode!r} is unknown.", f"Modes: {', '.join(modes)}.")
        )
    return matrix(func, argnums, has_aux, "jacobian", modes[mode], chunk_size)


def cheaper_blocks(
    program: Program, wrt: Sequence[bool], outs: int, chunk_size: int | None
) -> tuple[Program]:
    """Forward where there are fewer inputs than outputs."""
    columns = sum(prod(v.type.shape) for v, w in zip(program.params, wrt, strict=True) if w)
    rows = sum(prod(v.type.shape) for v in program.results[:outs])
    return (forward_blocks if columns < rows else reverse_blocks)(program, wrt, outs, chunk_size)


def hessian(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """The matrix of second derivatives: forward mode over reverse mode.

    Blocks have shape ``out.shape + in.shape + in.shape``; a tuple ``argnums`` gives a tuple of
    tuples.

    >>> import numpy as np
    >>> from tracer import hessian
    >>> hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    rows = matrix(func, argnums, has_aux, "hessian", reverse_blocks, chunk_size)
    return wraps(func)(matrix(rows, argnums, has_aux, "hessian", forward_blocks, chunk_size))


def hvp(func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The gradient of a scalar function and the product of its hessian with the tangents.

    >>> import numpy as np
    >>> from tracer import hvp
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([ 3., 12.]), array([6., 0.]))
    """
    single = isinstance(primals, tuple) and len(primals) == 1

    @wraps(func)
    def slope(*args: Any) -> Any:
        argnums = 0 if single else every(args, "hvp")
        return gradients(func, argnums, False, "hvp", args, {})[0]

    found: tuple[Any, Any] = pushed(slope, primals, tangents, False, False, "hvp")
    return found
