"""The digit classifier's loss: a 64-32-10 perceptron under softmax cross-entropy.

Every stage of its gradient, for a batch of 16 images::

    python tools/ir_dump.py tools/examples/digits_loss.py:loss \\
        '(f64[64,32],f64[32],f64[32,10],f64[10])' 'f64[16,64]' 'f64[16,10]' \\
        --jit-of-grad --show ir,graph,plan,llvm,asm
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Params = tuple[Array, Array, Array, Array]


def logits(params: Params, images: Array) -> Array:
    """Unnormalised log-probabilities ``[batch, 10]`` of images ``[batch, 64]``."""
    w1, b1, w2, b2 = params
    hidden: Array = np.tanh(images @ w1 + b1)
    return hidden @ w2 + b2


def loss(params: Params, images: Array, targets: Array) -> Any:
    """The mean cross-entropy of the predictions with one-hot ``targets`` ``[batch, 10]``."""
    z = logits(params, images)
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(z * targets, axis=1))


def initial(seed: int = 0) -> Params:
    """Weights of variance 1 / fan-in, and biases of zero."""
    rng = np.random.default_rng(seed)
    w1 = rng.normal(0, 1 / 8, (64, 32))
    w2 = rng.normal(0, 1 / np.sqrt(32), (32, 10))
    return w1, np.zeros(32), w2, np.zeros(10)
