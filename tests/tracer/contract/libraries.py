"""The libraries that cases are run in: this one, torch.func, JAX and HIPS autograd."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
from tools.workloads.peers import Namespace


class AbsentError(Exception):
    """The library has nothing of the name."""


@dataclass(frozen=True)
class Library:
    """What a case is given: ``t.grad``, ``t.np.sin``, ``t.array([1.0, 2.0])``."""

    name: str
    version: str
    np: Any
    array: Callable[..., Any]
    arrays: tuple[type, ...]
    transforms: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name not in self.transforms:
            raise AbsentError(name)
        return self.transforms[name]


NAMES = (
    "grad", "grad_and_value", "value_and_grad", "vjp", "jvp", "linearize", "jacrev", "jacfwd",
    "jacobian", "hessian", "hvp", "vmap", "no_grad", "stop_gradient", "checkpoint",
)  # fmt: skip

DECORATING = (
    "grad", "grad_and_value", "value_and_grad", "jacrev", "jacfwd", "jacobian", "hessian", "vmap",
)  # fmt: skip


def numpy_array(data: Any, dtype: str = "float64") -> Any:
    return np.array(data, dtype)


def ours() -> Library:
    import tracer

    found = {name: getattr(tracer, name) for name in NAMES if hasattr(tracer, name)}
    found["draw"] = np.random.random
    return Library("tracer", "", np, numpy_array, (np.ndarray, np.generic), found)


def jitted() -> Library:
    """This library, where each function that a transform returns is compiled."""
    import tracer

    def compiled(transform: Any) -> Any:
        return lambda *args, **kwargs: tracer.jit(transform(*args, **kwargs))

    found = dict(ours().transforms)
    found |= {name: compiled(found[name]) for name in DECORATING}
    return Library("jit", "", np, numpy_array, (np.ndarray, np.generic), found)


def torch() -> Library:
    torch = importlib.import_module("torch")
    func = importlib.import_module("torch.func")
    utils = importlib.import_module("torch.utils.checkpoint")
    torch.set_default_dtype(torch.float64)
    xp = Namespace(torch, max=torch.amax, concatenate=torch.cat, transpose=torch.t)

    def array(data: Any, dtype: str = "float64") -> Any:
        return torch.tensor(data, dtype=getattr(torch, dtype))

    found = {name: getattr(func, name) for name in NAMES if hasattr(func, name)}
    found["no_grad"] = torch.no_grad
    found["draw"] = lambda: torch.rand(())
    found["stop_gradient"] = lambda x: x.detach()
    found["checkpoint"] = lambda f: lambda *xs: utils.checkpoint(f, *xs, use_reentrant=False)
    return Library("torch", torch.__version__, xp, array, (torch.Tensor,), found)


def jax() -> Library:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = importlib.import_module("jax.numpy")

    def vmap(func: Any, in_dims: Any = 0, out_dims: Any = 0, **more: Any) -> Any:
        return jax.vmap(func, in_dims, out_dims, **more)

    def array(data: Any, dtype: str = "float64") -> Any:
        return jnp.array(data, dtype)

    found = {name: getattr(jax, name) for name in NAMES if hasattr(jax, name)}
    found |= {"vmap": vmap, "stop_gradient": jax.lax.stop_gradient}
    return Library("jax", jax.__version__, jnp, array, (jax.Array, np.ndarray, np.generic), found)


def autograd() -> Library:
    """Its names for what is meant by ours; there is no batching."""
    ag = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")

    def array(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise AbsentError("trees of arrays")
        return x

    def vjp(func: Any, x: Any) -> Any:
        pull, out = ag.make_vjp(func)(array(x))
        return out, lambda ct: (pull(ct),)

    def jvp(func: Any, primals: Any, tangents: Any) -> Any:
        return ag.make_jvp(func)(*map(array, primals))(*tangents)

    given = SimpleNamespace(
        grad=lambda func, argnums=0: ag.grad(func, argnums),
        value_and_grad=lambda func, argnums=0: ag.value_and_grad(func, argnums),
        jacrev=lambda func, argnums=0: ag.jacobian(func, argnums),
        hessian=lambda func, argnums=0: ag.hessian(func, argnums),
        checkpoint=ag.checkpoint,
        vjp=vjp,
        jvp=jvp,
    )
    return Library(
        "autograd",
        version("autograd"),
        anp,
        numpy_array,
        (np.ndarray, np.generic),
        vars(given),
    )


PEERS: dict[str, Callable[[], Library]] = {"torch": torch, "jax": jax, "autograd": autograd}
