"""Arrays of more elements than 32 bits count: every index and size is computed in 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from tests.codegen.calls import natively

from tracer import jit

N = 2**31 + 9


def test_more_elements_than_an_int32_counts() -> None:
    """Untouched zeros take no memory; what lies behind the 2^31st is found, read and summed."""
    x = np.zeros(N, bool)
    x[[5, 2**31 - 1, 2**31 + 1, N - 2]] = True
    ends = jit(lambda x: (np.sum(x[-16:]), x[N - 2], x[N - 1], np.argmax(x[2**31 :])))
    total = jit(lambda x: np.sum(x))
    for _ in range(2):
        assert [int(y) for y in ends(x)] == [3, 1, 0, 1]
        assert total(x) == 4
    with natively():
        total(x)


@pytest.mark.parametrize("shape", [(2**16, 2**16 + 1), (3, 2**31 + 7), (2**33,)])
def test_broadcast_operands_of_any_size(shape: tuple[int, ...]) -> None:
    """Such an array is made of one number inside the function, and never lies in memory."""
    f = jit(lambda x, i: np.broadcast_to(x, shape).reshape(-1)[i])
    last = int(np.prod(shape)) - 1
    for _ in range(2):
        assert f(2.5, np.int64(last)) == 2.5
        with pytest.raises(IndexError):
            f(2.5, np.int64(last + 1))
