"""NumPy's own promotion, asked once for each case and remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ir.types import DTYPES, SHORT, short_dtype
from tracer.errors import PromotionError, message, untraced_dtype

Tag = str | type
"""A dtype's short name, or ``int`` or ``float`` for a Python number (NEP 50)."""

SUPPORTED = ", ".join(str(row.numpy) for row in DTYPES.values())


@lru_cache(maxsize=4096)
def loop(
    ufunc: np.ufunc, *tags: Tag, dtype: str | None = None, casting: Any = "same_kind"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dtypes that the ufunc converts its operands to, and those of its results."""
    given = [t if isinstance(t, type) else DTYPES[t].numpy for t in tags]
    options: dict[str, Any] = {"casting": casting}
    if dtype is not None:
        results = [DTYPES[dtype].numpy] * ufunc.nout
        options["signature"] = (*[None] * ufunc.nin, *results)
    found = ufunc.resolve_dtypes((*given, *[None] * ufunc.nout), **options)
    names = tuple([SHORT[d] for d in found])
    return names[: ufunc.nin], names[ufunc.nin :]


def resolve(
    ufunc: np.ufunc, *tags: Tag, dtype: str | None = None, casting: str = "same_kind"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``loop``, with errors that name the user's line."""
    try:
        return loop(ufunc, *tags, dtype=dtype, casting=casting)
    except KeyError as unknown:
        made = unknown.args[0]
        gist = f"np.{ufunc.__name__} of {shown(tags)} gives {made}, which is not traced"
        raise untraced_dtype(
            made, f"{gist} (traced: {SUPPORTED}).", "Convert an operand with .astype first."
        ) from None
    except TypeError as error:
        gist = f"np.{ufunc.__name__} does not take {shown(tags)} ({str(error).splitlines()[0]})"
    raise PromotionError(
        message(f"{gist} (traced: {SUPPORTED}).", "Convert an operand with .astype first.")
    )


def shown(tags: tuple[Tag, ...]) -> str:
    return " and ".join(f"Python {t.__name__}" if isinstance(t, type) else t for t in tags)


@lru_cache(maxsize=4096)
def common(*tags: Tag) -> str:
    """The dtype that arrays of these dtypes go together in: ``np.result_type``."""
    samples: list[Any] = [t(0) if isinstance(t, type) else DTYPES[t].numpy for t in tags]
    return short_dtype(np.result_type(*samples))


def short(dtype: Any) -> str:
    """The short name of a dtype as users write it: ``float``, ``np.int32``, ``"f4"``."""
    found = np.dtype(dtype)
    try:
        return short_dtype(found)
    except TypeError:
        raise untraced_dtype(
            found, f"dtype {found} is not traced (traced: {SUPPORTED}).", "Use one of these."
        ) from None
