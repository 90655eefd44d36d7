"""Cases of writes in place, to arrays that the function makes."""

from __future__ import annotations

from tests.tracer.contract.outcome import Case, case

V, W = [0.5, -1.5, 2.0], [3.0, 0.25, -1.0]
M = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]
SHARED = "an argument is not written to, whatever the transform"


def item(t, x):
    y = x * 1.0
    y[0] = x[1] ** 2
    y[-1] = 3.0
    return y


def piece(t, x):
    y = t.np.zeros_like(x)
    y[1:] = x[:-1] * x[1:]
    return y


def augmented(t, x):
    y = x * x
    y += x
    y *= 2.0
    y[0] += x[2]
    y[1:] -= x[:-1]
    return y


def overlapping(t, x):
    y = x * 1.0
    y[1:] += y[:-1] * 2.0
    return y


def view(t, x):
    y = x * 1.0
    v = y[1:]
    v[0] = x[0] * 5.0
    v *= x[0]
    return y + v[0]


def second_name(t, x):
    y = x * 1.0
    z = y
    z[0] = x[1] * x[2]
    return y


def reshaped(t, x):
    y = x * 1.0
    m = y.reshape(3, 1)
    m[1] = x[0] * 7.0
    m.T[0, 2] = x[1]
    return y * y


def recurrence(t, x):
    y = t.np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, 3):
        y[i] = y[i - 1] * x[i] + x[0]
    return y


def mask(t, x):
    y = x * x - 1.0
    y[x > 0] = 0.5
    return y * x


def indices(t, x):
    y = x * 1.0
    y[t.array([2, 0], "int64")] = x[:2] ** 2
    return y


def zeros(t, x):
    y = t.np.zeros(3)
    y[0] = x[0] * x[1]
    y[1:] = x[1:]
    return y


def rows(t, x):
    y = t.np.zeros((2, 3))
    y[0] = x
    y[1] = x * x
    y[:, 1] = 0.0
    return y.sum(0)


def to_argument(t, x):
    x[0] = 1.0
    return x


FUNCTIONS = {
    f.__name__: f
    for f in (item, piece, augmented, overlapping, view, second_name, reshaped, recurrence, mask,
              indices, zeros, rows)
}  # fmt: skip
KEPT = "what the derivative of an overwritten value needs is kept"
BATCHED = "what vmap maps may be written to an array that it does not map"


def of_function(name: str) -> dict[str, Case]:
    f = FUNCTIONS[name]
    total = lambda t: lambda x: (f(t, x) ** 2).sum()
    plain = {"torch": BATCHED} if name in ("zeros", "rows") else {}
    if name == "mask":
        plain = {"torch": "vmap writes where a mask of each example says"}
    back = {"torch": KEPT} if name == "recurrence" else {}
    return {
        f"{name}: grad": case(lambda t: t.grad(total(t))(t.array(V)), **back),
        f"{name}: hessian": case(lambda t: t.hessian(total(t))(t.array(V)), **back),
        f"{name}: jvp": case(lambda t: t.jvp(lambda x: f(t, x), (t.array(V),), (t.array(W),))),
        f"{name}: jacrev": case(lambda t: t.jacrev(lambda x: f(t, x))(t.array(V)), **back),
        f"{name}: vmap": case(lambda t: t.vmap(lambda x: f(t, x))(t.array([V, W])), **plain),
        f"{name}: vmap of grad": case(
            lambda t: t.vmap(t.grad(total(t)))(t.array([V, W])), **plain, **back
        ),
    }


CASES = {
    **{key: found for name in FUNCTIONS for key, found in of_function(name).items()},
    "to an argument: vmap": case(
        lambda t: t.vmap(lambda x: to_argument(t, x))(t.array([V, W])), torch=SHARED
    ),
    "to an argument: grad": case(lambda t: t.grad(lambda x: to_argument(t, x).sum())(t.array(V))),
    "to a copy of an argument: grad": case(
        lambda t: t.grad(lambda x: to_argument(t, x * 1.0).sum())(t.array(V))
    ),
}
