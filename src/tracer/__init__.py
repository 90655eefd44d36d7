"""Derivatives, batching and native code for NumPy functions.

>>> import numpy as np
>>> from tracer import grad
>>> grad(lambda x: np.sum(np.sin(x)))(np.array([0.0, np.pi]))
array([ 1., -1.])
"""

from __future__ import annotations

from codegen.pool import get_num_threads, set_num_threads
from tracer import errors, numpy
from tracer.abstract import ShapeDtype, stop_gradient, trace
from tracer.batching import vmap
from tracer.callback import pure_callback
from tracer.checkpoint import checkpoint
from tracer.custom import custom_jvp, custom_vjp
from tracer.forward import jvp, linearize
from tracer.functional import (
    functional_call,
    module_state,
    stack_module_state,
    tree_stack,
)
from tracer.interpose import interpose
from tracer.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from tracer.jit import jit
from tracer.reverse import grad, grad_and_value, value_and_grad, vjp
from tracer.stack import no_grad
from tracer.variants import set_max_variants

__all__ = [
    "ShapeDtype",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "errors",
    "functional_call",
    "get_num_threads",
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "interpose",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "module_state",
    "no_grad",
    "numpy",
    "pure_callback",
    "set_max_variants",
    "set_num_threads",
    "stack_module_state",
    "stop_gradient",
    "trace",
    "tree_stack",
    "value_and_grad",
    "vjp",
    "vmap",
]
