"""``trace``: a function's program, from arrays or from shapes alone; and ``stop_gradient``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ir import ops
from ir.program import Program
from ir.types import DTYPES, ArrayType
from tracer import tree
from tracer.array import Tracer, as_read
from tracer.calls import bits, operand, outputs, traceable, type_of
from tracer.emit import emit
from tracer.errors import PromotionError, message
from tracer.promote import short
from tracer.questions import Questions
from tracer.tables import FUNCTIONS
from tracer.trace import Ended, Trace


@dataclass(frozen=True)
class ShapeDtype:
    """The shape and dtype of an array that is not there.

    >>> import numpy as np
    >>> from tracer import ShapeDtype
    >>> ShapeDtype((3,), np.float64).type
    ArrayType(dtype='f64', shape=(3,))
    """

    shape: tuple[int, ...]
    dtype: Any = np.float64

    @property
    def type(self) -> ArrayType:
        return ArrayType(short(self.dtype), tuple(self.shape))


def parsed(text: str) -> ArrayType:
    """``"f64[4,3]"`` as a type."""
    found = re.fullmatch(r"(\w+)\[([\d,\s]*)\]", text.strip())
    if not found or found[1] not in DTYPES:
        raise PromotionError(
            message(f"{text!r} is no type.", 'Write "f64[4,3]"; dtypes: ' + ", ".join(DTYPES) + ".")
        )
    return ArrayType(found[1], tuple([int(n) for n in found[2].split(",") if n.strip()]))


def trace(func: Callable[..., Any], *args: Any) -> Program:
    """The program of one call; its parameters are the array leaves of the arguments, in order.

    An argument, or a leaf of one, is an array, a float, a ShapeDtype, or a type as text. With
    shapes alone Python cannot ask for values (ConcretizationError). Large captured arrays are
    parameters after the others.

    >>> import numpy as np
    >>> from tracer import trace
    >>> print(trace(np.sin, "f64[3]"))
    program sin(%0: f64[3]) {
      %1: f64[3] = sin %0
      return %1
    }
    """
    leaves, treedef = tree.flatten(args)
    with Ended(Trace(func, "trace", Questions())) as running, running:
        given = [abstract(running, leaf) for leaf in leaves]
        made = func(*tree.unflatten(treedef, given))
        results = outputs(running, made, "trace").tracers
    program, _ = running.finish([x.value for x in results])
    return program


def abstract(running: Trace, leaf: Any) -> Any:
    """The leaf as a tracer; ints, bools and objects are left alone."""
    if isinstance(leaf, ShapeDtype):
        return Tracer(running, running.param(leaf.type))
    if isinstance(leaf, str):
        return Tracer(running, running.param(parsed(leaf)))
    if not traceable(leaf):
        return leaf
    source = operand(leaf)
    return Tracer(running, running.param(type_of(source), source), *bits(leaf))


def stop_gradient(x: Any) -> Any:
    """The same value, constant to every derivative; works on trees of arrays.

    >>> from tracer import grad, stop_gradient
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """

    def stopped(leaf: Any) -> Any:
        if not isinstance(leaf, Tracer) or not leaf.value.type.info.differentiable:
            return leaf
        made = emit(ops.StopGradient(), as_read(leaf))
        return Tracer(made.home, made.value, leaf.weak, leaf.scalar)

    return tree.tree_map(stopped, x)


FUNCTIONS["stop_gradient"] = stop_gradient
