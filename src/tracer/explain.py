"""What a jitted function tells of itself: its signatures, variants and guards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from ir.loc import user_loc
from tracer.errors import TracerWarning
from tracer.variants import LIMIT, Paths, Variant


def explained(name: str, signatures: Mapping[Any, Paths]) -> str:
    """The text of ``f.explain()``."""
    lines = [f"{name}: {counted(len(signatures), 'signature')}"]
    for paths in signatures.values():
        python = ", further paths run as plain Python" if paths.full else ""
        lines.append(
            f"({paths.shown}): {counted(len(paths.variants), 'variant')},"
            f" {counted(paths.missed, 'call')} left to Python{python}"
        )
        for n, variant in enumerate(paths.variants, 1):
            lines += described(n, variant)
    return "\n".join(lines)


def described(n: int, variant: Variant) -> Iterator[str]:
    took = f"traced in {1e3 * variant.seconds:.1f} ms"
    if variant.compiled is not None:
        took += f", compiled in {1e3 * sum(variant.compiled.timings.values()):.1f} ms"
    yield f"  variant {n}, {took}"
    for answer in variant.answers:
        yield f"    {answer}"


def counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def warn_of_many(name: str, missed: tuple[Variant, int]) -> None:
    """One warning for a signature whose calls take ever new paths."""
    variant, place = missed
    loc = variant.answers[place].loc
    text = loc.says(
        f"{name} has taken {LIMIT[0]} paths through its branches on values: calls on further"
        " paths run as plain Python.",
        "Use np.where here, or make the value an array; tracer.set_max_variants allows more.",
    )
    warnings.warn_explicit(text, TracerWarning, loc.file, loc.line)


def warn_of_changes(name: str, variant: Variant) -> None:
    """A warning for each captured array that no longer holds what it held in the trace."""
    for array, then in variant.watched:
        if array.tobytes() != then.tobytes():
            loc = user_loc()
            text = loc.says(
                f"{name} has captured an array of shape {array.shape} that was written to since it"
                " was traced: compiled code has the values from then.",
                "Pass the array as an argument.",
            )
            warnings.warn_explicit(text, TracerWarning, loc.file, loc.line)
