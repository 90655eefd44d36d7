"""The dump shows any function at any stage, the same at every run, and refuses clearly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools.ir_dump import PASSES, main

ROOT = Path(__file__).parents[2]
DIGITS = (
    "tools/examples/digits_loss.py:loss",
    "(f64[64,32],f64[32],f64[32,10],f64[10])",
    "f64[16,64]",
    "f64[16,10]",
)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def dumped(capsys, *argv):
    assert main(argv) == 0
    return capsys.readouterr().out


def refused(capsys, *argv):
    assert main(argv) == 2
    return capsys.readouterr().err


def test_marks_say_what_each_pass_did(capsys, tmp_path):
    (tmp_path / "model.py").write_text(
        "import numpy as np\n\n\ndef f(x):\n    np.cos(x)\n    return np.sum(x * x + x * x)\n"
    )
    shown = dumped(capsys, f"{tmp_path}/model.py:f", "f64[3]", "--through", "dce,cse")
    assert [" ".join(line.split()) for line in shown.splitlines()] == [
        "== 0 trace: 5 equations",
        "program f(%0: f64[3]) {",
        "+ trace %1: f64[3] = cos %0 # model.py:5",
        "+ trace %2: f64[3] = mul %0, %0 # model.py:6",
        "+ trace %3: f64[3] = mul %0, %0 # model.py:6",
        "+ trace %4: f64[3] = add %2, %3 # model.py:6",
        "+ trace %5: f64[] = reduce_sum[axes=(0,)] %4 # model.py:6",
        "return %5",
        "}",
        "== 1 dce: 5 -> 4 equations (+0 ~0 -1)",
        "program f(%0: f64[3]) {",
        "trace %1: f64[3] = mul %0, %0 # model.py:6",
        "trace %2: f64[3] = mul %0, %0 # model.py:6",
        "trace %3: f64[3] = add %1, %2 # model.py:6",
        "trace %4: f64[] = reduce_sum[axes=(0,)] %3 # model.py:6",
        "return %4",
        "}",
        "removed by dce, in the names of the stage before:",
        "- %1: f64[3] = cos %0 # model.py:5",
        "== 2 cse: 4 -> 3 equations (+0 ~1 -1)",
        "program f(%0: f64[3]) {",
        "trace %1: f64[3] = mul %0, %0 # model.py:6",
        "~ trace %2: f64[3] = add %1, %1 # model.py:6",
        "trace %3: f64[] = reduce_sum[axes=(0,)] %2 # model.py:6",
        "return %3",
        "}",
        "removed by cse, in the names of the stage before:",
        "- %2: f64[3] = mul %0, %0 # model.py:6",
    ]


def test_the_digits_loss_at_every_stage(capsys):
    shown = dumped(capsys, *DIGITS, "--jit-of-grad", "--show", "ir,graph,plan,llvm,optimised,asm")
    for part in ("trace", "dce", "graph", "plan", "llvm", "optimised", "asm"):
        assert f"{part}:" in shown or f"== {part}\n" in shown, part
    assert "digraph {" in shown
    assert "<- jvp <- transpose" in shown
    assert "tanh" in shown
    assert str(ROOT) not in shown


@pytest.mark.parametrize("flag", [[], ["--show", "ir,plan,llvm,asm"]])
def test_two_runs_print_the_same_bytes(flag):
    def run(seed):
        return subprocess.run(
            [sys.executable, "tools/ir_dump.py", *DIGITS, "--jit-of-grad", *flag],
            capture_output=True,
            check=True,
            env=dict(os.environ, PYTHONHASHSEED=seed),
        ).stdout

    first = run("1")
    assert len(first) > 10_000
    assert run("2") == first


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_in_the_table_runs(capsys, name):
    shown = dumped(capsys, "numpy:sin", "f64[3]", "--through", name)
    assert shown.count("== ") == 1 + len(PASSES[name])


def test_transforms_apply_in_the_order_given(capsys):
    per_example = dumped(capsys, "numpy:prod", "f64[4,3]", "--grad", "--vmap")
    assert "<- jvp <- transpose <- vmap" in per_example
    whole = dumped(capsys, "numpy:sum", "f64[4,3]", "--grad")
    assert "broadcast[shape=(4, 3), dims=()]" in whole
    both = dumped(capsys, "numpy:dot", "f64[3]", "f64[3]", "--grad", "--argnums", "0,1")
    assert both.count("return %") == 1
    assert ", %" in both.split("return ")[1]
    assert "value" not in dumped(capsys, "numpy:dot", "f64[3]", "f64[3]", "--value-and-grad")[:20]


def test_times_only_when_asked(capsys):
    assert " ms" not in dumped(capsys, "numpy:sin", "f64[3]", "--through", "vjp,cleanup")
    timed = dumped(capsys, "numpy:sin", "f64[3]", "--through", "vjp", "--time", "--show", "asm")
    assert timed.count(" ms\n") == timed.count("== ") - 1


def test_graphs_are_written(capsys, tmp_path):
    out = tmp_path / "graphs"
    dumped(capsys, "numpy:sin", "f64[3]", "--through", "vjp", "--show", "graph", "--out", str(out))
    files = sorted(f.name for f in out.iterdir() if f.suffix == ".dot")
    assert files == ["sin.0.trace.dot", "sin_vjp.1.vjp.dot"]
    assert (out / files[1]).read_text().startswith("digraph {")


def test_an_svg_where_graphviz_is(capsys, tmp_path, monkeypatch):
    fake = tmp_path / "dot"
    fake.write_text('#!/bin/sh\ncp "$2" "$4"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    shown = dumped(capsys, "numpy:sin", "f64[3]", "--show", "graph", "--out", str(tmp_path / "out"))
    assert "sin.0.trace.dot, sin.0.trace.svg" in shown
    assert (tmp_path / "out" / "sin.0.trace.svg").is_file()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["numpy.sin", "f64[3]"], "names no function: write module:function"),
        (["no_such_module:f"], "there is no module no_such_module"),
        (["no_such_file.py:f"], "there is no file no_such_file.py"),
        (["tools/examples/digits_loss.py:los"], "has no los; it has"),
        (["numpy:pi"], "is a float, and not a function"),
        (["numpy:sin", "f99[3]"], "no dtype is called f99"),
        (["numpy:sin", "f64[3"], "is no argument: line 1, column 4"),
        (["numpy:sin", "f64[3]", "--through", "dse"], "there is no pass 'dse'; there are jvp"),
        (["numpy:sin", "f64[3]", "--show", "mlir"], "there is no stage 'mlir'; there are ir"),
        (["numpy:sin", "f64[3]", "--grad"], "grad needs a function that returns a scalar"),
        (["numpy:sum", "f64[3]", "--grad", "--argnums", "x"], "--argnums 'x' is not 0 or 0,1"),
        (["numpy:sum", "f64[3]", "--grad", "--argnums", "2"], "Got argnum=2"),
        ([DIGITS[0], "f64[3]"], "does not take 1 arguments: missing"),
        (["numpy:matmul", "f64[3,2]", "f64[3,2]"], "do not fit"),
    ],
)
def test_a_bad_request_is_refused_in_a_sentence(capsys, argv, said):
    message = refused(capsys, *argv)
    assert message.startswith("ir_dump: ")
    assert said in message
    assert "Traceback" not in message
