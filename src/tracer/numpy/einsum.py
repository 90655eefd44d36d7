"""einsum: operands one after the other, each pair by one contraction."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.array import Tracer
from tracer.emit import broadcast, permute, promoted, strong
from tracer.errors import ShapeError, UntracedFunctionError, message
from tracer.numpy.indexing import diagonal
from tracer.numpy.products import contract
from tracer.numpy.table import implements, tnp

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@implements(np.einsum, arrays="operands")
def einsum(subscripts: Any, *operands: Tracer) -> Tracer:
    xs = [strong(x) for x in operands]
    if not isinstance(subscripts, str):
        raise UntracedFunctionError(
            message("einsum with lists of axes is not traced.", 'Use the string form: "ij,jk->ik".')
        )
    inputs, output = parsed(subscripts, xs)
    xs = promoted(xs)
    terms = [simple(x, labels) for x, labels in zip(xs, inputs, strict=True)]
    while len(terms) > 1:
        (x, left), (y, right) = terms[:2]
        later = output + "".join(labels for _, labels in terms[2:])
        terms[:2] = [joined(x, left, y, right, later)]
    x, labels = terms[0]
    x, labels = summed(x, labels, output)
    made = permute(x, [labels.index(c) for c in output])
    return Tracer(made.home, made.value, scalar=not made.shape)


def parsed(subscripts: str, xs: list[Tracer]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, ellipses written out."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(xs):
        raise wrong(subscripts, f"it names {len(inputs)} operands, and there are {len(xs)}")
    free = [c for c in LETTERS if c not in text]
    widths = [x.ndim - len(s) + 3 for s, x in zip(inputs, xs, strict=True) if "..." in s]
    dots = "".join(free[: max(widths, default=0)])
    full = []
    for s, x in zip(inputs, xs, strict=True):
        labels = s.replace("...", dots[len(dots) - (x.ndim - len(s) + 3) :] if "..." in s else "")
        if len(labels) != x.ndim:
            raise wrong(subscripts, f"{s!r} does not fit an operand of {x.ndim} axes")
        full.append(labels)
    if not arrow:
        counted = "".join(inputs).replace("...", "")
        right = "..." + "".join(sorted(c for c in set(counted) if counted.count(c) == 1))
    output = right.replace("...", dots)
    if len(set(output)) < len(output) or not set(output) <= set("".join(full)):
        raise wrong(subscripts, f"the result's labels {right!r} are not once each in the operands")
    return full, output


def wrong(subscripts: str, why: str) -> ShapeError:
    return ShapeError(message(f"einsum {subscripts!r}: {why}.", "One label for each axis."))


def simple(x: Tracer, labels: str) -> tuple[Tracer, str]:
    """Diagonals taken where a label is repeated."""
    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    message(
                        f"{c!r} is an axis of {x.shape[i]} and of {x.shape[j]} of {x!r}.",
                        "Axes of one label agree.",
                    )
                )
            x = diagonal(x, 0, i, j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + c
    return x, labels


def summed(x: Tracer, labels: str, needed: str) -> tuple[Tracer, str]:
    """The axes summed that nothing later names."""
    axes = tuple([d for d, c in enumerate(labels) if c not in needed])
    if not axes:
        return x, labels
    return tnp.sum(x, axes, dtype=x.dtype), "".join(c for c in labels if c in needed)


def joined(x: Tracer, left: str, y: Tracer, right: str, needed: str) -> tuple[Tracer, str]:
    """Two operands as one: shared labels that are needed later are batch, others are summed."""
    x, left = summed(x, left, right + needed)
    y, right = summed(y, right, left + needed)
    x, y = stretched(x, left, y, right), stretched(y, right, x, left)
    shared = [c for c in left if c in right]
    batch = [c for c in shared if c in needed]
    over = [c for c in shared if c not in needed]
    made = contract(
        x,
        y,
        (tuple([left.index(c) for c in over]), tuple([right.index(c) for c in over])),
        (tuple([left.index(c) for c in batch]), tuple([right.index(c) for c in batch])),
    )
    free = [c for c in left + right if c not in shared]
    return made, "".join([*batch, *free])


def stretched(x: Tracer, labels: str, y: Tracer, others: str) -> Tracer:
    """Axes of size 1 repeated where the other operand's axis is longer."""
    shape = tuple(
        [
            y.shape[others.index(c)] if n == 1 and c in others else n
            for c, n in zip(labels, x.shape, strict=True)
        ]
    )
    return broadcast(x, shape)
