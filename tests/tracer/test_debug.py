"""jit(debug=True): captured arrays that were written to since the trace."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tracer import grad, jit
from tracer.errors import TracerWarning


@pytest.mark.parametrize("size", [2, 500])
def test_a_captured_array_that_was_written_to(size: int) -> None:
    table = np.ones(size)
    quiet = jit(lambda x: x * np.sum(table * x))
    watched = jit(grad(lambda x: x * np.sum(table * x)), debug=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quiet(2.0) == 4.0 * size
        assert watched(2.0) == watched(2.0) == 4.0 * size
        table[0] = 3.0
        assert quiet(2.0) == 4.0 * size
    with pytest.warns(TracerWarning, match=r"array of shape .* written to since") as caught:
        assert watched(2.0) == 4.0 * size
    assert caught[0].filename == __file__
    assert "Pass the array as an argument." in str(caught[0].message)
