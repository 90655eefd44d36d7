"""vmap: a function of one example becomes a function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from typing import Any

import numpy as np

from ir import ops
from ir.build import Builder
from ir.passes.vmap import mapped_results
from ir.passes.vmap import vmap as vmap_pass
from ir.program import Program, Value
from tracer import tree
from tracer.argnums import is_int
from tracer.array import Tracer
from tracer.calls import Argument, Call, bits, border, distinct, outputs, traceable, type_of
from tracer.compressed import settled
from tracer.errors import (
    BatchOutputError,
    DimsTypeError,
    OutDimsRangeError,
    VmapError,
    message,
    untraced_dtype,
)
from tracer.jacobian import check_chunk
from tracer.randomness import Draws, check_randomness
from tracer.reverse import Function
from tracer.run import derive, swept
from tracer.trace import Ended, Trace
from tracer.variants import untraced

Dim = int | None


def in_axes(call: Call, in_dims: Any) -> list[Dim]:
    """The mapped axis of each leaf of the call; keywords and int leaves have none."""
    if not (in_dims is None or is_int(in_dims) or isinstance(in_dims, tuple | list)):
        raise wrong(
            f"in_dims should be int or tuple, got {type(in_dims).__name__}", IN_DIMS, DimsTypeError
        )
    dims = tuple(in_dims) if isinstance(in_dims, list) else in_dims
    if isinstance(dims, tuple) and len(dims) != len(call.args):
        raise wrong(
            f"in_dims has length {len(dims)}, and the call {len(call.args)} arguments", IN_DIMS
        )
    try:
        found = tree.broadcast_prefix(dims, call.args) if call.args else []
    except ValueError:
        raise wrong(
            f"in_dims={in_dims!r} does not have the structure of the arguments,"
            f" {tree.shown(tree.structure(call.args))}",
            IN_DIMS,
        ) from None
    keywords = [None] * (len(call.leaves) - len(found))
    return [
        axis_in(d, leaf, partial(leaf_name, call, n))
        for n, (d, leaf) in enumerate(zip(found, call.leaves, strict=False))
    ] + keywords


IN_DIMS = "in_dims is an int, None, or a tuple with one of these, or a tree of them, by argument."
OUT_DIMS = "out_dims is an int, None, or a tree of these like the output."


def wrong(gist: str, way_out: str, kind: type[VmapError] = VmapError) -> VmapError:
    return kind(message(f"vmap: {gist}.", way_out))


def axis_in(dim: Any, leaf: Any, name: Callable[[], str]) -> Dim:
    """The axis counted from the front."""
    if dim is None:
        return None
    if not is_int(dim):
        raise wrong(
            f"in_dims holds {dim!r}, which is neither an int nor None", IN_DIMS, DimsTypeError
        )
    if not traceable(leaf):
        if isinstance(leaf, np.ndarray | np.generic):
            raise untraced_dtype(
                leaf.dtype, f"vmap: {name()} holds {leaf.dtype}, which is not traced."
            )
        raise wrong(
            f"in_dims={dim} for {name()}, which is no array but {type(leaf).__name__}",
            "Use None in in_dims for what is not mapped.",
            DimsTypeError,
        )
    rank = np.ndim(leaf)
    if not -rank <= dim < rank:
        raise wrong(
            f"in_dims={dim} is out of range for {name()}, an array of {rank} axes",
            f"Axes run from {-rank} to {rank - 1}." if rank else "A number is not mapped: None.",
        )
    return int(dim) % rank


def batch_size(call: Call, dims: Sequence[Dim], axis_size: int | None) -> int:
    """The size that all mapped axes share."""
    sizes = {
        n: np.shape(leaf)[d]
        for n, (d, leaf) in enumerate(zip(dims, call.leaves, strict=True))
        if d is not None
    }
    if axis_size is not None:
        if not is_int(axis_size) or axis_size < 0:
            raise wrong(f"axis_size={axis_size!r} should be an int from 0", "Or None.")
        sizes[-1] = axis_size
    if not sizes and not dims:
        raise wrong("there are no inputs to map over", "Pass an array, or give axis_size.")
    if not sizes:
        raise wrong(
            "there are no inputs to map over: in_dims is None for all",
            "Map one, or give axis_size.",
        )
    if len(set(sizes.values())) > 1:
        named = [f"{'axis_size' if n < 0 else leaf_name(call, n)}: {s}" for n, s in sizes.items()]
        raise wrong(
            f"the mapped axes differ in size ({', '.join(named)})",
            "All mapped arguments must have the same size along their mapped axis.",
        )
    return int(next(iter(sizes.values())))


def leaf_name(call: Call, n: int) -> str:
    """Which argument a leaf is in, and where in it."""
    index = call.places[n]
    first = call.places.index(index)
    return f"argument {index}{tree.path(call.args[index or 0], n - first)}"


def out_axes(out_dims: Any, made: Any) -> list[Any]:
    """One entry of out_dims for each output.

    As pytrees match; a list stands for a tuple too, and a tuple of one entry for that entry.
    """
    forms = [out_dims]
    if isinstance(out_dims, tuple | list):
        forms += [tuple(out_dims), *out_dims[: len(out_dims) == 1]]
    for form in forms:
        with suppress(ValueError):
            found = tree.broadcast_prefix(form, made)
            break
    else:
        raise wrong(
            f"out_dims={out_dims!r} does not have the structure of the output,"
            f" {tree.shown(tree.structure(made))}",
            OUT_DIMS,
        )
    for d in found:
        if not (d is None or is_int(d)):
            raise wrong(
                f"out_dims holds {d!r}, which is neither an int nor None", OUT_DIMS, DimsTypeError
            )
    return found


def front(b: Builder, x: Value, axis: int) -> Value:
    """The axis moved first."""
    rank = x.type.rank
    perm = (axis, *[d for d in range(rank) if d != axis])
    return b(ops.Permute(perm), x) if axis else x


def back(b: Builder, x: Value, axis: int) -> Value:
    """The first axis moved to another place."""
    perm = list(range(1, x.type.rank))
    perm.insert(axis, 0)
    return b(ops.Permute(tuple(perm)), x) if axis else x


def mapped(
    program: Program, dims: Sequence[Dim], outs: Sequence[Dim], size: int
) -> tuple[Program, ...]:
    """The program over a batch whose axes are where in_dims and out_dims say.

    Results without a batch axis depend on nothing that is mapped: they are computed beside it.
    """
    batched = [d is not None for d in dims]
    on_axis = [n for n, d in enumerate(outs) if d is not None]
    alone = [n for n, d in enumerate(outs) if d is None]
    wide = vmap_pass(chosen(program, on_axis), batched, size)
    b = Builder()
    args = []
    for v, d in zip(wide.params, dims, strict=True):
        shape = list(v.type.shape)
        if d is not None:
            shape.insert(d, shape.pop(0))
        x = b.param(v.type.with_shape(tuple(shape)))
        args.append(x if d is None else front(b, x, d))
    made = dict(zip(on_axis, b.inline(wide, args), strict=True))
    if alone:
        pure = tuple([eq for eq in program.equations if eq.op.pure])
        one = swept(replace(chosen(program, alone), equations=pure))
        made.update(zip(alone, b.inline(one, args), strict=True))
    results = [made[n] if d is None else back(b, made[n], d) for n, d in enumerate(outs)]
    return (swept(b.finish(*results, name=f"vmap_{program.name}")),)


def chosen(program: Program, results: Sequence[int]) -> Program:
    """The program with only the results at these positions."""
    return replace(program, results=tuple([program.results[n] for n in results]))


def vmap(
    func: Function,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
    axis_size: int | None = None,
) -> Function:
    """A function over batches, from one over examples; no loop is run.

    ``in_dims`` says which axis of each argument is mapped: an int for all, or a tuple with one
    entry for each argument, None where it is not mapped, or trees of these. ``out_dims`` says
    where the batch axis goes in the outputs. Keywords are not mapped. ``chunk_size`` bounds how
    many examples are computed together. An output with None is not batched, and may be anything.
    With ``axis_size`` no argument needs to be mapped.

    Raises VmapError (a ValueError) where dims or sizes do not fit, RandomnessError (a RuntimeError)
    where func draws from a NumPy generator, unless ``randomness`` is "same".

    >>> import numpy as np
    >>> from tracer import vmap
    >>> vmap(np.dot, in_dims=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    check_chunk(chunk_size, "vmap")
    check_randomness(randomness, "vmap")

    @wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        call = Call(args, kwargs)
        dims = in_axes(call, in_dims)
        size = batch_size(call, dims, axis_size)
        with Draws(func, call.leaves, randomness):
            if chunk_size is not None and size > chunk_size:
                return in_chunks(func, call, dims, out_dims, size, chunk_size)
            return batched_call(func, call, dims, out_dims, size)

    return batched


def batched_call(func: Function, call: Call, dims: Sequence[Dim], out_dims: Any, size: int) -> Any:
    own = [dims[a.position] for a in call.arguments]
    with Ended(Trace(func, "vmap")) as trace, trace:
        tracers = [example(trace, a, d) for a, d in zip(call.arguments, own, strict=True)]
        made = call.run(func, tracers)
        places = out_axes(out_dims, made)
        leaves, treedef = tree.flatten(made)
        plain = {
            n: untraced(settled(x))
            for n, (x, d) in enumerate(zip(leaves, places, strict=True))
            if d is None and not isinstance(x, Tracer)
        }
        batched = [x for n, x in enumerate(leaves) if n not in plain]
        output = outputs(trace, batched, "vmap", BatchOutputError)
    program, captured = trace.finish([x.value for x in output.tracers])
    operands = [*[a.operand for a in call.arguments], *captured]
    flags: tuple[Dim, ...] = (*own, *[None] * len(captured))
    places = [d for n, d in enumerate(places) if n not in plain]
    depends = mapped_results(program, [d is not None for d in flags])
    outs = tuple(
        [axis_out(d, x, m) for d, x, m in zip(places, output.tracers, depends, strict=True)]
    )
    derived = derive(
        program, ("vmap", flags, outs, size), lambda: mapped(program, flags, outs, size)
    )
    results = distinct(derived.run(0, operands), operands)
    found = iter(
        [
            border(r, x.weak and d is None, x.scalar and d is None)
            for r, x, d in zip(results, output.tracers, outs, strict=True)
        ]
    )
    return tree.unflatten(
        treedef, [plain[n] if n in plain else next(found) for n in range(len(leaves))]
    )


def example(trace: Trace, argument: Argument, dim: Dim) -> Tracer:
    """What the function sees of an argument: one example of it; its value is not known."""
    type = type_of(argument.operand)
    if dim is None:
        return Tracer(trace, trace.param(type, argument.operand), *bits(argument.leaf))
    shape = type.shape[:dim] + type.shape[dim + 1 :]
    return Tracer(trace, trace.param(type.with_shape(shape)))


def axis_out(dim: Any, x: Tracer, depends: bool) -> Dim:
    if dim is None:
        if depends:
            raise wrong(
                f"out_dims is None for an output that is batched: {x!r}",
                "Give the place of its batch axis.",
            )
        return None
    rank = x.ndim + 1
    if not -rank <= dim < rank:
        raise OutDimsRangeError(
            message(
                f"vmap: out_dims={dim} is out of range for an output of {x.ndim} axes.",
                f"Axes run from {-rank} to {rank - 1}.",
            )
        )
    return int(dim) % rank


def in_chunks(
    func: Function, call: Call, dims: Sequence[Dim], out_dims: Any, size: int, chunk: int
) -> Any:
    """The batch in pieces, the outputs joined along their batch axes."""
    pieces = []
    for start in range(0, size, chunk):
        stop = min(start + chunk, size)
        leaves = [
            leaf if d is None else leaf[(*[slice(None)] * d, slice(start, stop))]
            for leaf, d in zip(call.leaves, dims, strict=True)
        ]
        args, kwargs = tree.unflatten(call.treedef, leaves)
        pieces.append(
            tree.flatten(batched_call(func, Call(args, kwargs), dims, out_dims, stop - start))
        )
    leaves, treedef = pieces[0]
    places = out_axes(out_dims, tree.unflatten(treedef, leaves))
    joined = [
        parts[0] if d is None else np.concatenate(parts, axis=d)
        for d, parts in zip(places, zip(*[p[0] for p in pieces], strict=True), strict=True)
    ]
    return tree.unflatten(treedef, joined)
