"""The libraries compared: how each takes arrays, differentiates, batches and waits."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from tools.workloads import Array, Workload
from tools.workloads.derive import Function, Transforms

Tree = Any
Call = Callable[[], Any]


class Namespace:
    """A library's array functions, some of them replaced."""

    def __init__(self, base: Any, **more: Any) -> None:
        self.base = base
        self.more = more

    def __getattr__(self, name: str) -> Any:
        return self.more[name] if name in self.more else getattr(self.base, name)


@dataclass(frozen=True)
class Bound:
    """A function and arguments, ready to be timed.

    ``run`` calls ``function`` on them and waits; ``results`` makes NumPy arrays of what it returns;
    ``idle`` is a call that does nothing, whose time is taken off; ``loop`` makes many calls without
    returning to Python.
    """

    run: Call
    results: Callable[[Any], list[Array]]
    function: Any = None
    given: tuple[Tree, ...] = ()
    idle: Call | None = None
    loop: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Peer:
    """A library that is there.

    ``derived(workload)`` is a fresh function, which was never called; ``give`` and ``take`` convert
    arrays, outside the clock; ``wait`` ends a call whose result is not there yet. ``compiles`` says
    that first calls compile, ``value_only`` that there are no derivatives; ``forget`` drops what
    was derived of functions before, which a first call would find if they were the same.
    """

    name: str
    version: str
    derived: Callable[[Workload], Any]
    give: Callable[[Array], Any] = lambda x: x
    take: Callable[[Any], Array] = np.asarray
    wait: Callable[[Any], Any] | None = None
    forget: Callable[[], None] | None = None
    compiles: bool = False
    value_only: bool = False

    def takes_part(self, workload: Workload) -> bool:
        return self.name not in workload.without and (workload.value or not self.value_only)

    def bind(self, workload: Workload, args: tuple[Tree, ...], like: Sequence[Array]) -> Bound:
        """A call on the arguments, converted; ``like`` has the shapes of the results to come."""
        given = tuple([mapped(self.give, x) for x in args])
        function = self.derived(workload)
        idle = partial(empty, *given) if workload.net else None
        run = self.waiting(partial(function, *given))
        return Bound(run, self.results, function, given, idle)

    def waiting(self, run: Call) -> Call:
        wait = self.wait
        return run if wait is None else lambda: wait(run())

    def results(self, made: Any) -> list[Array]:
        return [self.take(x) for x in leaves(made)]


def empty(*args: Any) -> None:
    """The Python function that does nothing."""


def leaves(tree: Tree) -> list[Any]:
    if isinstance(tree, tuple | list):
        return [x for part in tree for x in leaves(part)]
    return [tree]


def mapped(f: Callable[[Any], Any], tree: Tree) -> Tree:
    return tuple(map(f, tree)) if isinstance(tree, tuple) else f(tree)


def bound(workload: Workload, xp: Any) -> Function:
    return lambda *args: workload.function(xp, *args)


def with_numpy() -> Any:
    return Namespace(np, erf=importlib.import_module("scipy.special").erf)


def composed(lib: Any) -> Transforms:
    """Of a library in which any transform can be applied to any other's function."""
    return Transforms(
        grad=lib.grad,
        value_and_grad=lib.value_and_grad,
        pointwise=lambda f, argnums=0: lib.vmap(lib.grad(f, argnums)),
        vmap=lib.vmap,
        jvp=lib.jvp,
        jacrev=lib.jacrev,
        jacfwd=lib.jacfwd,
        hessian=lib.hessian,
    )


def tracer_peer(threads: int) -> Peer:
    tracer = importlib.import_module("tracer")
    tracer.set_num_threads(threads)
    of, xp = composed(tracer), with_numpy()

    def derived(w: Workload) -> Function:
        return tracer.jit(w.derive(of, bound(w, xp)))  # type: ignore[no-any-return]

    forget = importlib.import_module("tracer.run").TABLE.clear
    return Peer("tracer", version("tracer"), derived, forget=forget, compiles=True)


def jax_peer(threads: int) -> Peer:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = importlib.import_module("jax.numpy")
    of, xp = composed(jax), Namespace(jnp, erf=jax.scipy.special.erf)

    def derived(w: Workload) -> Function:
        return jax.jit(w.derive(of, bound(w, xp)))  # type: ignore[no-any-return]

    def wait(made: Any) -> Any:  # jax.block_until_ready takes a microsecond to look at one array
        return jax.block_until_ready(made) if isinstance(made, tuple) else made.block_until_ready()

    return Peer("jax", jax.__version__, derived, jnp.asarray, wait=wait, compiles=True)


def torch_peer(threads: int) -> Peer:
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    xp = Namespace(torch, max=torch.amax, erf=torch.erf)

    def value_and_grad(f: Function) -> Function:
        return lambda *args: torch.func.grad_and_value(f)(*args)[::-1]

    of = composed(Namespace(torch.func, value_and_grad=value_and_grad))

    def derived(w: Workload) -> Function:
        return w.derive(of, bound(w, xp))

    return Peer("torch", torch.__version__, derived, torch.from_numpy, lambda x: x.numpy())


def autograd_peer(threads: int) -> Peer:
    autograd = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    xp = Namespace(anp, erf=importlib.import_module("autograd.scipy.special").erf)

    def jvp(f: Function, primals: Any, tangents: Any) -> Any:
        return autograd.make_jvp(f)(*primals)(*tangents)

    def by_columns(f: Function) -> Function:
        def columns(x: Any, *more: Any) -> Any:
            along = autograd.make_jvp(f)(x, *more)
            return np.stack([along(e)[1] for e in np.eye(len(x))], axis=1)

        return columns

    def no_vmap(*args: Any) -> Any:
        raise NotImplementedError("autograd has no vmap")

    of = Transforms(
        grad=autograd.grad,
        value_and_grad=autograd.value_and_grad,
        pointwise=autograd.elementwise_grad,
        vmap=no_vmap,
        jvp=jvp,
        jacrev=autograd.jacobian,
        jacfwd=by_columns,
        hessian=autograd.hessian,
    )
    return Peer("autograd", version("autograd"), lambda w: w.derive(of, bound(w, xp)))


def numpy_peer(threads: int) -> Peer:
    """NumPy has no derivatives: the function's value alone."""
    xp = with_numpy()
    return Peer("numpy", np.__version__, lambda w: bound(w, xp), value_only=True)
