"""Matrices of derivatives: jacrev, jacfwd, hessian, and products with the hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import Any

from ir import ops
from ir.build import Builder
from ir.passes.linearize import linearize
from ir.passes.transpose import transpose
from ir.passes.vmap import vmap
from ir.program import Program, Value
from ir.types import ArrayType
from tracer import tree
from tracer.argnums import Argnums, Wrt
from tracer.calls import Call, bits, border, distinct, trace_call
from tracer.errors import OutputError, RandomnessError, VmapError, message
from tracer.forward import jvp
from tracer.reverse import Function, float_outputs, grad, pair
from tracer.run import bound, derive, swept
from tracer.trace import Operand


def identity(b: Builder, type: ArrayType) -> Value:
    """A batch of all unit arrays of the type."""
    n = type.size
    rows, columns = (b(ops.Iota("i64", (n, n), axis)) for axis in (0, 1))
    ones = b(ops.Convert(type.dtype), b(ops.Equal(), rows, columns))
    made: Value = b(ops.Reshape((n, *type.shape)), ones)
    return made


def only(program: Program, kept: int, fixed: Sequence[Value]) -> Program:
    """All but one of the ``fixed`` parameters are zero."""
    return bound(
        program,
        {v: ops.Constant(0, v.type.dtype, v.type.shape) for n, v in enumerate(fixed) if n != kept},
    )


def batched_rows(b: Builder, linear: Program, residuals: Sequence[Value]) -> tuple[Value, ...]:
    """The linear program on every unit array of its last parameter."""
    unit = linear.params[-1].type
    wide = vmap(linear, (*[False] * len(residuals), True), unit.size)
    return b.inline(wide, [*residuals, identity(b, unit)])


def reverse_blocks(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, ...]:
    """``x -> (y, blocks)``: for each output the cotangents of its unit arrays, by argument."""
    forward, linear = linearize(program, wrt)
    m = len(program.results)
    back = transpose(linear, len(forward.results) - m)
    cts = back.params[len(forward.results) - m :]
    b = Builder()
    b.params = list(forward.params)
    made = b.inline(forward, forward.params)
    blocks: list[Value] = []
    for k in range(outs):
        bars = batched_rows(b, swept(only(back, k, cts)), made[m:])
        out = program.results[k].type.shape
        blocks += [b(ops.Reshape((*out, *v.type.shape[1:])), v) for v in bars]
    return (swept(b.finish(*made[:m], *blocks, name=f"jacrev_{program.name}")),)


def forward_blocks(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, ...]:
    """As ``reverse_blocks``, from the tangents of each argument's unit arrays."""
    forward, linear = linearize(program, wrt)
    m = len(program.results)
    tangents = linear.params[len(forward.results) - m :]
    b = Builder()
    b.params = list(forward.params)
    made = b.inline(forward, forward.params)
    columns: list[list[Value]] = []
    for n, v in enumerate(tangents):
        moved = batched_rows(b, swept(only(linear, n, tangents)), made[m:])
        columns.append([output_major(b, dy, v.type.shape) for dy in moved[:outs]])
    blocks = [columns[n][k] for k in range(outs) for n in range(len(tangents))]
    return (swept(b.finish(*made[:m], *blocks, name=f"jacfwd_{program.name}")),)


def output_major(b: Builder, x: Value, inner: tuple[int, ...]) -> Value:
    """The leading axis moved last, and given the argument's shape."""
    rank = x.type.rank
    last = b(ops.Permute((*range(1, rank), 0)), x)
    made: Value = b(ops.Reshape((*last.type.shape[:-1], *inner)), last)
    return made


def blocks(
    func: Function,
    argnums: Argnums,
    has_aux: bool,
    transform: str,
    make: Any,
    args: Any,
    kwargs: Any,
) -> Any:
    """The matrix of derivatives of one call."""
    call = Call(args, kwargs)
    wrt = Wrt(call, argnums, transform)
    traced = trace_call(
        func, call, transform, wrt.flags, has_aux, pair(transform) if has_aux else None
    )
    float_outputs(traced.output, transform)
    outs = len(traced.output.tracers)
    if not outs:
        raise OutputError(
            message(f"{transform} expected {traced.name} to return an array.", "Return one.")
        )
    flags = (*wrt.flags, *[False] * (len(traced.operands) - len(wrt.flags)))
    derived = derive(traced.program, (make, flags, outs), lambda: make(traced.program, flags, outs))
    results = distinct(derived.run(0, traced.operands), traced.operands)
    m, count = len(traced.program.results), sum(wrt.flags)
    found = [
        packed(wrt, results[m + k * count : m + (k + 1) * count], x.scalar)
        for k, x in enumerate(traced.output.tracers)
    ]
    matrix = tree.unflatten(traced.output.treedef, found)
    return (matrix, traced.aux.filled(results[outs:m])) if traced.aux else matrix


def packed(wrt: Wrt, row: Sequence[Operand], scalar: bool) -> Any:
    """The blocks of one output in the structure of the arguments."""
    made = [
        border(x, False, scalar and bits(leaf)[1])
        for x, leaf in zip(wrt.ordered(row), wrt.leaves, strict=True)
    ]
    return wrt.pack(made)


def check_chunk(chunk_size: int | None, transform: str) -> None:
    if chunk_size is not None and chunk_size <= 0:
        raise VmapError(
            message(f"{transform}: chunk_size={chunk_size} should be positive.", "Or None.")
        )


def jacrev(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """The matrix of derivatives, row by row in reverse mode: cheap for few outputs.

    For an output of shape ``s`` and an argument of shape ``t`` the block has shape ``s + t``; the
    blocks have the structure of the output, and in it that of the arguments. ``chunk_size`` is
    accepted; the rows are computed together.

    >>> import numpy as np
    >>> from tracer import jacrev
    >>> jacrev(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    check_chunk(chunk_size, "jacrev")

    @wraps(func)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        return blocks(func, argnums, has_aux, "jacrev", reverse_blocks, args, kwargs)

    return jacobian_of


def jacfwd(
    func: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Function:
    """The matrix of derivatives, column by column in forward mode: cheap for few inputs.

    Shapes and structure are those of ``jacrev``.

    >>> import numpy as np
    >>> from tracer import jacfwd
    >>> jacfwd(lambda x: x.sum())(np.array([1.0, 2.0]))
    array([1., 1.])
    """
    check_chunk(chunk_size, "jacfwd")
    check_randomness(randomness, "jacfwd")

    @wraps(func)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        return blocks(func, argnums, has_aux, "jacfwd", forward_blocks, args, kwargs)

    return jacobian_of


def check_randomness(randomness: str, transform: str) -> None:
    if randomness not in ("error", "different", "same"):
        raise RandomnessError(
            message(
                f"{transform}: randomness={randomness!r} is unknown.",
                'Use "error", "different" or "same".',
            )
        )


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
    check_chunk(chunk_size, "jacobian")
    modes = {"reverse": reverse_blocks, "forward": forward_blocks, "auto": cheaper_blocks}
    if mode not in modes:
        raise VmapError(
            message(f"jacobian: mode={mode!r} is unknown.", f"Modes: {', '.join(modes)}.")
        )

    @wraps(func)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        return blocks(func, argnums, has_aux, "jacobian", modes[mode], args, kwargs)

    return jacobian_of


def cheaper_blocks(program: Program, wrt: Sequence[bool], outs: int) -> tuple[Program, ...]:
    """Forward where there are fewer inputs than outputs."""
    columns = sum(prod(v.type.shape) for v, w in zip(program.params, wrt, strict=True) if w)
    rows = sum(prod(v.type.shape) for v in program.results[:outs])
    return (forward_blocks if columns < rows else reverse_blocks)(program, wrt, outs)


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
    rows = jacrev(func, argnums, has_aux=has_aux, chunk_size=chunk_size)
    return jacfwd(rows, argnums, has_aux, chunk_size=chunk_size)


def hvp(func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The gradient of a scalar function and the product of its hessian with the tangents.

    >>> import numpy as np
    >>> from tracer import hvp
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([ 3., 12.]), array([6., 0.]))
    """
    single = len(primals) == 1
    slope: Callable[..., Any] = grad(func, 0 if single else tuple(range(len(primals))))
    found: tuple[Any, Any] = jvp(slope, primals, tangents)
    return found
