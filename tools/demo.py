"""Trains a classifier of handwritten digits with native gradients of plain NumPy code.

A 64-32-10 perceptron under softmax cross-entropy learns scikit-learn's 8x8 digits by minibatches;
``jit(value_and_grad(loss))`` does the calculus. At the end: the accuracy on digits not trained
on (0.95 at least, or the exit code is 1), what a gradient costs natively, un-jitted and in HIPS
autograd, and the program that a small gradient became.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, or imported

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tools.examples.digits_loss import Array, Params, initial, logits, loss
from tracer import grad, jit, value_and_grad

ENOUGH = 0.95
Batch = tuple[Array, Array]


def digits(seed: int = 0) -> tuple[Batch, Batch]:
    """Images ``[n, 64]`` scaled to 0..1 and labels ``[n]``, to train on and to test on."""
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(
        images / 16, labels, test_size=0.25, random_state=seed, stratify=labels
    )
    return (split[0], split[2]), (split[1], split[3])


def minibatches(data: Batch, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """The data in a new order, in batches of one size; targets are one-hot ``[size, 10]``."""
    images, labels = data
    order = rng.permutation(len(images))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield images[chosen], np.eye(10)[labels[chosen]]


def train(
    data: Batch, epochs: int, size: int, rate: float, console: Console, seed: int = 0
) -> Params:
    """Gradient descent with momentum 0.9 on minibatches."""
    rng = np.random.default_rng(seed)
    step = jit(value_and_grad(loss))
    params = initial(seed)
    speed = tuple(np.zeros_like(p) for p in params)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("training", total=epochs)
        for epoch in range(epochs):
            losses = []
            for images, targets in minibatches(data, size, rng):
                value, slopes = step(params, images, targets)
                speed = tuple(0.9 * v - rate * g for v, g in zip(speed, slopes, strict=True))
                params = tuple(p + v for p, v in zip(params, speed, strict=True))  # type: ignore[assignment]
                losses.append(value)
            shown = f"epoch {epoch + 1:>3}  loss {np.mean(losses):.4f}"
            progress.update(task, advance=1, description=shown)
    return params


def accuracy(params: Params, data: Batch) -> float:
    """The fraction of images whose likeliest digit is the true one."""
    images, labels = data
    return float(np.mean(np.argmax(logits(params, images), axis=1) == labels))


# --- what a gradient costs --------------------------------------------------------------------


def autograd_gradient() -> Callable[..., Any] | None:
    """The same gradient by HIPS autograd, if it is installed."""
    try:
        import autograd
        import autograd.numpy as anp
    except ImportError:
        return None

    def same_loss(params: Any, images: Any, targets: Any) -> Any:
        w1, b1, w2, b2 = params
        z = anp.dot(anp.tanh(anp.dot(images, w1) + b1), w2) + b2
        z = z - anp.max(z, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - anp.sum(z * targets, axis=1))

    found: Callable[..., Any] = autograd.grad(same_loss)
    return found


def microseconds(call: Callable[[], Any], rounds: int = 7, seconds: float = 0.05) -> float:
    """The median over rounds of the mean time of a call, after one call that is not counted."""
    call()
    started = time.perf_counter()
    call()
    count = max(1, int(seconds / (time.perf_counter() - started)))
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(count):
            call()
        taken.append((time.perf_counter() - started) / count)
    return 1e6 * statistics.median(taken)


def costs(params: Params, batch: Batch) -> Table:
    """A table of the time that one gradient of the loss takes, each way that agrees with jit."""
    ways: dict[str, Callable[..., Any]] = {
        "jit(grad(loss))": jit(grad(loss)),
        "grad(loss)": grad(loss),
    }
    peer = autograd_gradient()
    if peer is not None:
        ways["HIPS autograd"] = peer
    wanted = ways["jit(grad(loss))"](params, *batch)
    taken = {}
    for name, way in ways.items():
        for found, want in zip(way(params, *batch), wanted, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12, err_msg=name)
        taken[name] = microseconds(partial(way, params, *batch))
    native = taken["jit(grad(loss))"]
    table = Table("gradient of the loss", "us a call", "ratio", title=f"batch of {len(batch[0])}")
    for name, us in taken.items():
        table.add_row(name, f"{us:,.1f}", f"{us / native:.1f}")
    if peer is None:
        table.caption = "HIPS autograd is not installed"
    return table


def small_gradient() -> str:
    """The optimised program of a small gradient."""

    def energy(x: Array) -> Any:
        return np.sum(np.exp(-x * x))

    return str(jit(grad(energy)).lower(np.ones(4)).ir)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, test, time; 0 if the classifier is good enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64, help="images in a minibatch")
    parser.add_argument("--rate", type=float, default=0.1, help="the learning rate")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    console = Console(highlight=False)

    trained_on, tested_on = digits(given.seed)
    params = train(trained_on, given.epochs, given.batch, given.rate, console, given.seed)
    batch = next(minibatches(trained_on, given.batch, np.random.default_rng(given.seed)))
    console.print(costs(params, batch))
    console.print("np.sum(np.exp(-x * x)): its gradient, as compiled")
    console.print(small_gradient(), markup=False)
    found = accuracy(params, tested_on)
    passed = found >= ENOUGH
    console.print(
        f"test accuracy {found:.4f} on {len(tested_on[0])} digits"
        + ("" if passed else f": less than {ENOUGH}")
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
