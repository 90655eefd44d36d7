"""Random numbers under vmap: refused where they would be the same for each example in silence."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from numpy.random import normal

from tracer import errors, grad, jacfwd, jacrev, jit, vmap
from tracer.randomness import reached

X = np.ones(4)
RNG = np.random.default_rng(0)


def draw(x):
    return x + RNG.normal()


def through_another(x):
    def inner(y):
        return draw(y) * 2

    return inner(x)


class Noise:
    def __init__(self):
        self.rng = np.random.RandomState(0)

    def __call__(self, x):
        return x + self.rng.normal()

    def method(self, x):
        return x + self.rng.normal()


DRAWING = {
    "np.random": lambda x: x + np.random.rand(),
    "imported by name": lambda x: x + normal(),
    "a global generator": draw,
    "through another function": through_another,
    "a default": lambda x, rng=RNG: x + rng.normal(),
    "a closure": (lambda rng: lambda x: x + rng.normal())(np.random.default_rng(2)),
    "an object": Noise(),
    "a method": Noise().method,
    "a partial": partial(lambda rng, x: x + rng.normal(), np.random.default_rng(3)),
    "grad": grad(lambda x: x * RNG.normal()),
    "jit": jit(lambda x: x * RNG.normal()),
    "vmap": lambda x: vmap(draw, randomness="same")(x * X),
}


@pytest.mark.parametrize("name", DRAWING)
def test_draws_are_refused_unless_they_may_be_the_same(name):
    for transformed in (vmap(DRAWING[name]), vmap(DRAWING[name], randomness="different")):
        with pytest.raises(errors.RandomnessError, match="draws random numbers"):
            transformed(X)
    found = vmap(DRAWING[name], randomness="same")(X)
    np.testing.assert_array_equal(found, np.broadcast_to(found[0], found.shape))


def test_arguments_and_keywords_are_watched():
    f = lambda x, rng: x + rng.normal()
    with pytest.raises(errors.RandomnessError):
        vmap(f, (0, None))(X, RNG)
    with pytest.raises(errors.RandomnessError):
        vmap(f)(X, rng=RNG)


def test_what_does_not_draw_is_no_error():
    f = lambda x: np.random.rand() if x.ndim else x * len(str(RNG))
    assert vmap(f)(X).shape == (4,)
    noise = RNG.normal(size=4)
    np.testing.assert_array_equal(vmap(np.add)(X, noise), X + noise)
    seeded = lambda x: x + np.random.default_rng(7).normal()
    np.testing.assert_array_equal(vmap(seeded)(X), X + np.random.default_rng(7).normal())


def test_installed_packages_are_not_looked_into():
    """They would be searched at every call: all of SciPy, for a function that names one of it."""
    from scipy.optimize import minimize

    f = lambda x: x if x.ndim == 0 else minimize(x)
    assert not [*reached(f, [X])]
    assert RNG in [*reached(draw, [X])]


def test_the_first_draw_of_a_process():
    """NumPy loads numpy.random when it is first named."""
    program = (
        "import sys, numpy as np\n"
        "from tracer import errors, vmap\n"
        "assert vmap(np.sin)(np.zeros(2)).shape == (2,)\n"
        "assert 'numpy.random' not in sys.modules\n"
        "try:\n"
        "    vmap(lambda x: x + np.random.normal())(np.ones(2))\n"
        "except errors.RandomnessError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


def test_an_exception_is_not_replaced():
    def f(x):
        RNG.normal()
        raise KeyError

    with pytest.raises(KeyError):
        vmap(f)(X)


def test_a_jacobian_draws_once():
    for matrix in (jacfwd, jacrev):
        found = matrix(lambda x: x * RNG.normal())(X)
        np.testing.assert_array_equal(np.diag(found), np.full(4, found[0, 0]))
