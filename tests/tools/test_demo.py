"""The demo trains, compares, and says by its exit code whether the classifier is good."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("rich")


def test_the_demo_ends_with_a_good_classifier(capsys):
    from tools.demo import main

    assert main([]) == 0
    shown = capsys.readouterr().out
    assert "test accuracy 0.9" in shown
    assert "jit(grad(loss))" in shown
    assert "program energy(%0: f64[4]) {" in shown


def test_a_bad_classifier_is_a_failure(capsys):
    from tools.demo import main

    assert main(["--epochs", "1", "--rate", "1e-9"]) == 1
    assert "less than 0.95" in capsys.readouterr().out
