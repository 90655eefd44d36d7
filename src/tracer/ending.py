"""The end of the interpreter, while threads are in C++ code that calls Python.

Until 3.14, CPython ends a daemon thread where it next asks for the interpreter's lock, by unwinding
its stack; C++ functions there end the process with an error instead. So the end waits until no
thread is in such code, and who would enter it then waits for good.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from functools import wraps
from threading import Lock, get_ident
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = 1.0
"""Seconds that the end waits at most, for functions of the user's that do not come back."""

INSIDE: list[int] = []
"""For each call that is going on, its thread."""

ENDING: list[int] = []
"""The thread that ends the interpreter, once it does."""


def kept_whole(func: Callable[P, R]) -> Callable[P, R]:
    """The function, which no thread is ended in."""

    @wraps(func)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        here = get_ident()
        INSIDE.append(here)
        try:
            if ENDING and here not in ENDING:
                wait_for_good(here)
            return func(*args, **kwargs)
        finally:
            INSIDE.remove(here)

    return call


def wait_for_good(thread: int) -> None:
    """Wait as no thread that counts as inside, and without the interpreter's lock."""
    INSIDE.remove(thread)
    never = Lock()
    never.acquire()
    never.acquire()


@atexit.register
def end() -> None:
    """Let no other thread in, and wait for those that are."""
    here, patience = get_ident(), time.monotonic() + PATIENCE
    ENDING.append(here)
    while any(thread != here for thread in INSIDE) and time.monotonic() < patience:
        time.sleep(0.0005)


def forked() -> None:
    """In a child process: the other threads are gone."""
    here = get_ident()
    INSIDE[:] = [thread for thread in INSIDE if thread == here]


os.register_at_fork(after_in_child=forked)
