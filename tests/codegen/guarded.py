"""Compiled code on memory that ends at a page which nothing may touch: run as a script.

Arguments, results and workspace lie right before such a page, or right after one; arguments cannot
be written at all. One element too far ends the process. Prints how many calls came back, with
NumPy's results.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from codegen.engine import Compiled, compile_program
from codegen.runtime import ENTRY, pointers
from ir.op import Array
from tracer import grad, trace

PAGE = mmap.PAGESIZE
PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2
MAP_PRIVATE, MAP_ANONYMOUS = 2, 32
ROUNDS = 10

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(x: Array, at_end: bool, writable: bool = False) -> Array:
    """A copy that ends right before a forbidden page, or begins right after one."""
    pages = -(-max(x.nbytes, 1) // PAGE)
    size = (pages + 2) * PAGE
    start = libc.mmap(None, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    inner = start + PAGE
    first = inner + pages * PAGE - x.nbytes if at_end else inner
    raw = (ctypes.c_char * x.nbytes).from_address(first)
    made = np.frombuffer(raw, x.dtype).reshape(x.shape)
    made[...] = x
    for page in (start, inner + pages * PAGE):
        assert libc.mprotect(page, PAGE, PROT_NONE) == 0
    if not writable:
        assert libc.mprotect(inner, pages * PAGE, PROT_READ) == 0
    return made


def call(compiled: Compiled, args: tuple[Array, ...], at_end: bool) -> tuple[int, list[Array]]:
    """The status and the results of one call of the machine code itself."""
    given = [guarded(x, at_end) for x in args]
    types = [v.type for v in compiled.program.results]
    results = [guarded(np.zeros(t.shape, t.numpy), at_end, writable=True) for t in types]
    size = -(-compiled.workspace // 64) * 64
    workspace = guarded(np.zeros(size, np.uint8), at_end, writable=True)
    assert workspace.ctypes.data % 64 == 0
    main = ENTRY(compiled.main.address)
    region = compiled.main.region_address
    status = main(pointers(given), pointers(results), workspace.ctypes.data, region)
    return status, results


def run(f: Callable[..., Any], args: tuple[Array, ...], at_end: bool) -> Array:
    status, (result,) = call(compile_program(trace(f, *args)), args, at_end)
    assert status == 0
    return result


def some_shape(rng: np.random.Generator, rank: int) -> tuple[int, ...]:
    sizes = (1, 2, 3, 5, 8, 17, 31) if rank > 1 else (1, 3, 7, 16, 33, 100, 1023)
    return tuple(int(n) for n in rng.choice(sizes, rank))


def spots(rng: np.random.Generator, n: int, shape: tuple[int, ...]) -> Array:
    """Indices within the axis, counted from either end; the last and the first among them."""
    made = rng.integers(-n, n, shape)
    if made.size > 1:
        made.flat[0], made.flat[-1] = n - 1, -n
    return made


Case = tuple[Callable[..., Any], tuple[Array, ...]]


def gathers(rng: np.random.Generator) -> list[Case]:
    x, y = rng.normal(size=some_shape(rng, 1)), rng.normal(size=some_shape(rng, 2))
    i = spots(rng, len(x), some_shape(rng, 1))
    rows, columns = (spots(rng, n, (9,)) for n in y.shape)
    return [
        (lambda x, i: x[i], (x, i)),
        (lambda x, i: np.sum(np.sin(x[i]) * 2), (x, i)),
        (lambda x, i: grad(lambda x: np.sum(x[i] ** 2))(x), (x, i)),
        (lambda y, r, c: y[r, c], (y, rows, columns)),
        (lambda y, r: y[r] * 2, (y, rows)),
        (lambda y, c: np.take(y, c, axis=1), (y, columns)),
        (lambda y, r, c: grad(lambda y: np.sum(y[r, c] ** 3))(y), (y, rows, columns)),
        (lambda x, i: x[i.astype(np.int32)], (x.astype(np.float32), i)),
    ]


def slices(rng: np.random.Generator) -> list[Case]:
    x, y = rng.normal(size=some_shape(rng, 1)), rng.normal(size=some_shape(rng, 2))
    a, b = sorted(int(n) for n in rng.integers(0, len(x) + 1, 2))
    step = int(rng.choice([1, 2, 3]))
    return [
        (lambda x: x[a:b:step] * 2, (x,)),
        (lambda x: x[::-step] + 1, (x,)),
        (lambda x: x[1:] - x[:-1], (x,)),
        (lambda x: grad(lambda x: np.sum((x[1:] * x[:-1]) ** 2) + x[a - 1])(x), (x,)),
        (lambda y: y[:, ::-1] + y[::-1], (y,)),
        (lambda y: grad(lambda y: np.sum(y[1:, 1:] * y[:-1, :-1]))(y), (y,)),
        (lambda x: np.concatenate([x[b:], x[:b]]), (x,)),
        (lambda y: np.pad(y, 1) * 2, (y,)),
        (lambda x: x[:1] * 2, (x.astype(np.int32),)),
        (lambda x: ~x, (x > 0,)),
    ]


def reductions(rng: np.random.Generator) -> list[Case]:
    x, y = rng.normal(size=some_shape(rng, 1)), rng.normal(size=some_shape(rng, 2))
    whole = (x * 100).astype(np.int32)
    return [
        (np.sum, (x,)),
        (np.max, (x.astype(np.float32),)),
        (np.argmin, (x,)),
        (np.cumsum, (x,)),
        (lambda y: np.sum(y, axis=0), (y,)),
        (lambda y: np.max(y, axis=1), (y,)),
        (lambda y: np.mean(y.T * 2, axis=0), (y,)),
        (np.sum, (whole,)),
        (lambda x: np.any(x > 50), (whole,)),
        (lambda y: grad(lambda y: np.sum(np.log(np.sum(np.exp(y), axis=1))))(y), (y,)),
    ]


def products(rng: np.random.Generator) -> list[Case]:
    m, k, n = (int(s) for s in rng.choice([1, 2, 3, 5, 9, 16, 33], 3))
    x, y = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    return [
        (lambda x, y: x @ y, (x, y)),
        (lambda x, y: x @ y, (x.astype(np.float32), y.astype(np.float32))),
        (lambda x, y: y.T @ x.T, (x, y)),
        (lambda x: x @ x.T, (x,)),
        (lambda x, y: x @ y[:, 0], (x, y)),
        (lambda x, y: np.outer(x[0], y[0]), (x, y)),
        (lambda x, y: grad(lambda x: np.sum((x @ y) ** 2))(x), (x, y)),
        (lambda x, y: np.einsum("ij,jk->ki", x, y), (x, y)),
    ]


FAR = (8, -9, 10**6, -(10**6), 2**62, -(2**62), 2**63 - 1, -(2**63))


def out_of_bounds() -> int:
    """Far indices, of reads and of writes, are reported, and touch nothing on the way."""
    count = 0
    for f in (
        lambda x, i: x[i],
        lambda x, i: np.sum(x[i] * np.arange(3.0)),
        lambda x, i: grad(lambda x: np.sum(x[i] ** 2))(x),
    ):
        compiled = compile_program(trace(f, np.zeros(8), np.zeros(3, int)))
        for bad in FAR:
            for at_end in (True, False):
                status, _ = call(compiled, (np.ones(8), np.array([0, bad, 7])), at_end)
                assert status > 0
                count += 1
    return count


def main() -> None:
    count = 0
    for seed in range(ROUNDS):
        rng = np.random.default_rng(seed)
        for kind in (gathers, slices, reductions, products):
            for f, args in kind(rng):
                at_end = bool(rng.integers(4))
                want = f(*args)
                got = run(f, args, at_end)
                single = any(x.dtype == np.float32 for x in args)
                rtol = 1e-4 if single else 1e-11
                np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
                count += 1
    print(count + out_of_bounds())


def beyond() -> None:
    """What a read one element too far would do."""
    x = guarded(np.ones(3), at_end=True)
    print(ctypes.c_double.from_address(x.ctypes.data + x.nbytes).value)


if __name__ == "__main__":
    beyond() if sys.argv[1:] == ["beyond"] else main()
