"""All workloads and all peers, by name."""

from __future__ import annotations

from collections.abc import Callable

from tools.workloads import WORKLOADS, branches, elementwise, matrices, models, physics
from tools.workloads.native import c_peer
from tools.workloads.peers import Peer, autograd_peer, jax_peer, numpy_peer, torch_peer

__all__ = ["PEERS", "WORKLOADS", "branches", "elementwise", "matrices", "models", "physics"]

PEERS: dict[str, Callable[[int], Peer]] = {
    "jax": jax_peer,
    "torch": torch_peer,
    "autograd": autograd_peer,
    "numpy": numpy_peer,
    "c": c_peer,
}
"""What ``--vs`` can name."""
