"""Derivatives, batching and native code for NumPy functions."""

from __future__ import annotations

from tracer.reverse import grad, grad_and_value, value_and_grad, vjp
from tracer.stack import no_grad

