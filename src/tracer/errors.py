"""Each misuse, as a class that both torch-style and JAX-style ``except`` clauses catch.

Every message begins with the user's ``file:line``, shows that line, and ends with the way out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy._core._exceptions import UFuncTypeError

from ir.loc import Loc, user_loc


class TracerWarning(UserWarning):
    """Something works, but probably not as meant: a derivative is dropped, say."""


class TransformError(RuntimeError):
    """A transform was asked for something that it cannot give."""


class NonScalarOutputError(TransformError, TypeError):
    """The function under ``grad`` did not return one number."""


class DifferentiableTypeError(TransformError, ValueError, TypeError):
    """A derivative was asked with respect to integers or bools, or of them."""


class DifferentiableLeafError(ValueError, TypeError):
    """A differentiated argument holds something that is no array."""


class AuxError(TransformError, TypeError):
    """``has_aux=True``, and the function did not return a pair."""


class OutputError(TransformError, TypeError):
    """A function returned something that is no array, or nothing."""


class CotangentError(TransformError, ValueError):
    """Cotangents do not fit the function's outputs."""


class TangentError(TransformError, ValueError, TypeError):
    """Tangents do not fit the primals."""


class ArgnumsError(TransformError, ValueError, TypeError):
    """``argnums`` does not name positional arguments of the call."""


class VmapError(ValueError):
    """``in_dims``, ``out_dims`` or the mapped sizes do not fit."""


class DimsTypeError(VmapError, TypeError):
    """``in_dims`` or ``out_dims`` holds what is no axis, or an argument what has none."""


class OutDimsRangeError(VmapError, IndexError):
    """An output has no axis where ``out_dims`` wants its batch axis."""


class BatchOutputError(OutputError, VmapError):
    """A function under ``vmap`` returned something that is no array."""


class RandomnessError(RuntimeError):
    """``randomness`` is none of the known modes."""


class SubclassError(TypeError):
    """An array of a subclass whose arithmetic is not that of ndarray."""


class MissingRuleError(TransformError, AttributeError):
    """A custom_jvp or custom_vjp function is called before its derivative is defined."""


class RuleOutputError(TransformError, TypeError, ValueError):
    """The rule of a custom function returned what does not fit the function."""


class ClosureError(TransformError, TypeError):
    """The rule of a custom function uses a traced value that is no argument of the function."""


class ModuleError(TransformError, AttributeError, ValueError):
    """Parameters that are not those of the module, or modules that are not alike."""


class CallbackError(TransformError, TypeError):
    """A function called by pure_callback returned something else than was promised."""


class KeywordError(TypeError):
    """An argument of a custom function has no position."""


class ConcretizationError(RuntimeError, TypeError):
    """Python asked for a value that is not known while tracing."""


class MutationError(RuntimeError, TypeError):
    """An argument, or an array from outside of the function, would have to change in place."""


class ReadOnlyError(MutationError, ValueError):
    """A write through a view that NumPy makes read-only."""


class EscapeError(RuntimeError, TypeError):
    """A traced value was about to become a constant in silence."""


class LeakedTracerError(RuntimeError):
    """A tracer is used outside the call, or the thread, that made it."""


class UntracedFunctionError(TypeError, NotImplementedError):
    """A NumPy function, or one of its arguments, that is not traced."""


class PromotionError(TypeError):
    """NumPy's result dtype is none that the IR knows, or there is none."""


class CastingError(PromotionError, UFuncTypeError):
    """What a ufunc gives cannot be cast to the dtype of its ``out``, by NumPy's rules."""

    def __init__(self, text: str) -> None:
        TypeError.__init__(self, text)

    __str__ = TypeError.__str__


class ComplexError(PromotionError, TransformError):
    """Complex numbers, which are not traced."""


class ShapeError(ValueError):
    """Shapes that do not go together."""


class AxisError(ValueError, IndexError):
    """An axis that the array does not have."""


class BoundsError(IndexError):
    """An index outside the array, or one that NumPy does not understand."""


class StaticArgumentError(ValueError, TypeError):
    """An argument of a jitted function that is neither an array nor hashable."""


def untraced_dtype(
    dtype: Any, gist: str, way_out: str = "Convert with .astype first."
) -> PromotionError:
    """The error for a dtype that is not traced."""
    if np.dtype(dtype).kind == "c":
        return ComplexError(message(gist, "Keep real and imaginary parts in arrays of their own."))
    return PromotionError(message(gist, way_out))


def message(gist: str, way_out: str, loc: Loc | None = None) -> str:
    """``file:line: gist``, the source line, the way out."""
    return (user_loc() if loc is None else loc).says(gist, way_out)
