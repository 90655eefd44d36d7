"""The libraries compared: how each takes arrays, differentiates and batches."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from tools.workloads import Array, Workload

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
class Peer:
    """A library that is there.

    ``gradient(workload)`` is its best way to differentiate; ``give`` and ``take`` convert arrays,
    outside the clock; ``wait`` ends a call whose result is not there yet.
    """

    name: str
    version: str
    gradient: Callable[[Workload], Callable[..., Any]]
    give: Callable[[Array], Any] = lambda x: x
    take: Callable[[Any], Array] = np.asarray
    wait: Callable[[Any], Any] = lambda x: x
    value_only: bool = False

    def call(self, workload: Workload, args: tuple[Tree, ...]) -> Call:
        """One gradient on the arguments, converted."""
        given = [mapped(self.give, x) for x in args]
        function, wait = self.gradient(workload), self.wait
        return lambda: wait(function(*given))

    def results(self, made: Any) -> list[Array]:
        leaves = made if isinstance(made, tuple | list) else (made,)
        return [self.take(x) for x in leaves]


def mapped(f: Callable[[Any], Any], tree: Tree) -> Tree:
    return tuple(map(f, tree)) if isinstance(tree, tuple) else f(tree)


def bound(workload: Workload, xp: Any) -> Callable[..., Any]:
    return lambda *args: workload.function(xp, *args)


def with_numpy() -> Any:
    return Namespace(np, erf=importlib.import_module("scipy.special").erf)


def tracer_peer() -> Peer:
    tracer = importlib.import_module("tracer")
    xp = with_numpy()

    def gradient(w: Workload) -> Any:
        found = tracer.grad(bound(w, xp))
        return tracer.jit(tracer.vmap(found) if w.mapped else found)

    return Peer("tracer", version("tracer"), gradient)


def jax_peer() -> Peer:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = importlib.import_module("jax.numpy")
    xp = Namespace(jnp, erf=jax.scipy.special.erf)

    def gradient(w: Workload) -> Any:
        found = jax.grad(bound(w, xp))
        return jax.jit(jax.vmap(found) if w.mapped else found)

    return Peer("jax", jax.__version__, gradient, jnp.asarray, np.asarray, jax.block_until_ready)


def torch_peer(threads: int) -> Peer:
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    xp = Namespace(torch, max=torch.amax, erf=torch.erf)

    def gradient(w: Workload) -> Any:
        found = torch.func.grad(bound(w, xp))
        return torch.func.vmap(found) if w.mapped else found

    return Peer("torch", torch.__version__, gradient, torch.from_numpy, lambda x: x.numpy())


def autograd_peer() -> Peer:
    autograd = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    xp = Namespace(anp, erf=importlib.import_module("autograd.scipy.special").erf)

    def gradient(w: Workload) -> Any:  # no vmap: the workloads that want one are elementwise
        return (autograd.elementwise_grad if w.mapped else autograd.grad)(bound(w, xp))

    return Peer("autograd", version("autograd"), gradient)


def numpy_peer() -> Peer:
    """NumPy has no derivatives: the function's value alone."""
    xp = with_numpy()
    return Peer("numpy", np.__version__, lambda w: bound(w, xp), value_only=True)


PEERS: dict[str, Callable[[int], Peer]] = {
    "jax": lambda threads: jax_peer(),
    "torch": torch_peer,
    "autograd": lambda threads: autograd_peer(),
    "numpy": lambda threads: numpy_peer(),
}
"""What ``--vs`` can name."""
