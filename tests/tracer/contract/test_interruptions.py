"""Several threads, exceptions of the user's, Ctrl-C: right answers, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tracer import (
    grad,
    hessian,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    no_grad,
    trace,
    value_and_grad,
    vjp,
    vmap,
)
from tracer.stack import STACK

X = np.array([0.5, -1.0, 2.0])


def f(x):
    return np.sum(np.sin(x) * x**2)


def slope(x):
    return np.cos(x) * x**2 + 2 * x * np.sin(x)


def curvature(x):
    return np.diag(-np.sin(x) * x**2 + 4 * x * np.cos(x) + 2 * np.sin(x))


def branching(x):
    return np.sum(np.sin(x) * x**2) if np.sum(x) > 0 else -np.sum(x)


COMPILED = jit(vmap(grad(f)))

TRANSFORMED = {
    "grad": (grad(f), slope),
    "value_and_grad": (lambda x: value_and_grad(f)(x)[1], slope),
    "vjp": (lambda x: vjp(f, x)[1](1.0)[0], slope),
    "jvp": (lambda x: jvp(f, (x,), (x,))[1], lambda x: slope(x) @ x),
    "linearize": (lambda x: linearize(f, x)[1](x), lambda x: slope(x) @ x),
    "jacrev": (jacrev(f), slope),
    "jacfwd": (jacfwd(f), slope),
    "hessian": (hessian(f), curvature),
    "vmap": (lambda x: vmap(grad(f))(np.stack([x, x]))[1], slope),
    "jit": (jit(grad(f)), slope),
    "jit of vmap": (lambda x: COMPILED(np.stack([x, x]))[0], slope),
    "jit with a branch": (
        jit(grad(branching)), lambda x: slope(x) if np.sum(x) > 0 else -np.ones(x.shape),
    ),
    "new jits": (lambda x: jit(f)(x), f),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMED)
def test_from_several_threads_at_once(name):
    """The same function, first called by all of them at once, with several shapes and signs."""
    call, expected = TRANSFORMED[name]
    together = threading.Barrier(4)

    def work(k):
        together.wait(timeout=60)
        for n in range(6):
            x = np.linspace(0.5, 2.0, 2 + n % 3) * (-1) ** (n + k)
            np.testing.assert_allclose(call(x), expected(x), rtol=1e-12, atol=1e-14)
        return STACK.get()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4), timeout=120)) == [()] * 4


class Mine(Exception):
    pass


def raising(x):
    y = np.sin(x) * 2
    raise Mine(y.shape)


def raising_inside(x):
    with no_grad():
        return grad(lambda y: raising(y * x))(x) + x


CALLS = {
    "grad": lambda g: grad(g)(X),
    "value_and_grad": lambda g: value_and_grad(g)(X),
    "vjp": lambda g: vjp(g, X),
    "jvp": lambda g: jvp(g, (X,), (X,)),
    "linearize": lambda g: linearize(g, X),
    "jacrev": lambda g: jacrev(g)(X),
    "jacfwd": lambda g: jacfwd(g)(X),
    "hessian": lambda g: hessian(g)(X),
    "vmap": lambda g: vmap(g)(X),
    "jit": lambda g: jit(g)(X),
    "trace": lambda g: trace(g, X),
    "jit of grad": lambda g: jit(grad(g))(X),
    "vmap of grad": lambda g: vmap(grad(g))(X),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("function", [raising, raising_inside])
def test_an_exception_reaches_the_user_unchanged(name, function):
    raised = []

    def noted(x):
        try:
            return function(x)
        except Mine as error:
            raised.append(error)
            raise

    with pytest.raises(Mine) as caught:
        CALLS[name](noted)
    assert caught.value is raised[0]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[0].filename == frames[-1].filename == __file__
    assert (frames[-1].name, frames[-1].line) == ("raising", "raise Mine(y.shape)")
    assert STACK.get() == ()
    assert grad(np.sin)(0.0) == 1.0


def test_a_jitted_function_works_after_it_has_raised():
    fail = [True]

    @jit
    def g(x):
        if fail[0]:
            raise Mine
        return x * 2

    for _ in range(2):
        with pytest.raises(Mine):
            g(3.0)
    fail[0] = False
    assert g(3.0) == 6.0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
@pytest.mark.parametrize("name", CALLS)
def test_what_ends_programs_leaves_nothing_behind(name, kind):
    def interrupted(x):
        with no_grad():
            raise kind

    with pytest.raises(kind):
        CALLS[name](interrupted)
    assert STACK.get() == ()
    np.testing.assert_allclose(grad(f)(X), slope(X))


def test_an_interrupted_compilation_is_done_again(monkeypatch):
    from codegen import engine

    compile_program, fail = engine.compile_program, [KeyboardInterrupt, MemoryError, None]

    def interrupted(*args, **kwargs):
        error = fail.pop(0)
        if error is not None:
            raise error
        return compile_program(*args, **kwargs)

    monkeypatch.setattr(engine, "compile_program", interrupted)
    compiled = jit(grad(f))
    for error in (KeyboardInterrupt, MemoryError):
        with pytest.raises(error):
            compiled(X)
        assert STACK.get() == ()
    for _ in range(2):
        np.testing.assert_allclose(compiled(X), slope(X))
    assert fail == []


INTERRUPTED = """
import signal
import numpy as np
from tracer import grad, hessian, jit, vmap

def f(x):
    total = 0.0
    for _ in range(30):
        total = np.sin(x * total) + x**2
    return np.sum(total) if np.sum(x) > 0 else np.sum(x)

x = np.array([0.5, 1.0])
batched = vmap(grad(lambda x: np.sin(x) ** 2))
calls = [grad(f), lambda x: jit(grad(f))(x), hessian(f), batched, jit(f)]
expected = [call(x) for call in calls]
zeros, interrupted = np.zeros, 0

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, stop)
for n in range(40):
    call = calls[n % len(calls)]
    if n % len(calls) == 4:
        call = calls[4] = jit(f)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-4 * 1.2**n)
            call(x)
        finally:  # which the signal may interrupt as well: it comes once
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
    assert np.zeros is zeros
    np.testing.assert_allclose(call(x), expected[n % len(calls)])
assert interrupted
print("all right")
"""


def test_interrupts_at_any_time():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "all right\n", done.stderr


def test_ctrl_c_in_a_traced_function():
    """A real signal, in a process of its own."""
    program = (
        "import signal, numpy as np\n"
        "from tracer import grad, jit, vmap\n"
        "from tracer.stack import STACK\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def f(x):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    return x\n"
        "zeros = np.zeros\n"
        "for call in (grad(f), jit(f), jit(grad(f)), grad(jit(f))):\n"
        "    try:\n"
        "        call(1.0)\n"
        "    except KeyboardInterrupt:\n"
        "        assert STACK.get() == ()\n"
        "        assert np.zeros is zeros\n"
        "        assert grad(np.sin)(0.0) == 1.0\n"
        "        print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "interrupted\n" * 4, done.stderr
