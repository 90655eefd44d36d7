"""The architecture, as a test: who imports whom, what an import costs, how long a file is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("ir.types", "ir.loc", "ir.printer", "ir.errors", "ir.record"),
    ("ir.program", "ir.scalar"),
    ("ir.op",),
    ("ir.build", "ir.verify", "ir.graph", "ir.evaluate", "ir.work"),
    ("ir.ops",),
    ("ir.parser", "ir.passes"),
    ("codegen",),
    ("tracer",),
)
"""A module imports from its own layer and those above it in this list."""

SPEAKS = {"networkx": ("ir.graph",), "llvmlite": ("codegen",)}
"""The libraries that one module, or one package, speaks for."""

SLOW = ("networkx", "llvmlite", "scipy")
"""What ``import tracer`` must not pay for: 0.1 to 0.4 s each."""

LINES = 400


def modules() -> dict[str, Path]:
    """Every module's dotted name and its file."""
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()
each = pytest.mark.parametrize("name", MODULES)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer(name: str) -> int | None:
    """The number of the innermost layer that names the module; None for another library's."""
    for n, members in enumerate(LAYERS):
        if any(within(name, member) for member in members):
            return n
    return None


def imports(path: Path) -> Iterator[str]:
    """What a file imports when it runs, at the top or within a function."""
    tree = ast.parse(path.read_text())
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = str(node.module)
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from [n if n in MODULES else module for n in names]


def test_the_packages_are_there() -> None:
    assert {name.split(".")[0] for name in MODULES} == {"ir", "codegen", "tracer"}


@each
def test_every_module_has_a_layer(name: str) -> None:
    assert name == "ir" or layer(name) is not None, "name it in LAYERS"


@each
def test_imports_point_up_the_list(name: str) -> None:
    mine = layer(name)
    for target in imports(MODULES[name]):
        theirs = layer(target)
        if theirs is not None and mine is not None:
            assert theirs <= mine, f"{name} imports {target}, which is below it"


@each
def test_one_module_speaks_for_each_library(name: str) -> None:
    for target in imports(MODULES[name]):
        for library, speakers in SPEAKS.items():
            if within(target, library):
                assert any(within(name, s) for s in speakers), f"{name} imports {target}"


@each
def test_no_file_is_long(name: str) -> None:
    lines = len(MODULES[name].read_text().splitlines())
    assert lines <= LINES, f"{MODULES[name]} has {lines} lines"


@each
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text())), "no docstring"


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("package", ["ir", "codegen", "tracer"])
def test_every_module_imports_alone(package: str) -> None:
    """Each with none of ours loaded before it; other libraries are loaded once, for speed."""
    names = [name for name in MODULES if within(name, package)]
    fresh(
        "import importlib, sys\n"
        "import networkx, numpy, scipy.special, llvmlite.binding\n"
        f"for name in {names!r}:\n"
        "    for loaded in list(sys.modules):\n"
        "        if loaded.split('.')[0] in ('ir', 'codegen', 'tracer'):\n"
        "            del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )


@pytest.mark.parametrize("module", ["tracer", "ir.ops", "ir.passes.pipeline", "ir.parser"])
def test_an_import_loads_no_slow_library(module: str) -> None:
    loaded = fresh(
        f"import sys, {module}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    )
    assert not set(SLOW) & set(loaded.split())


def test_tracing_and_deriving_load_no_compiler() -> None:
    """Transforms that are not jitted work where LLVM is not loaded."""
    loaded = fresh(
        "import sys, numpy as np\n"
        "from tracer import grad\n"
        "assert grad(np.sin)(0.0) == 1.0\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert "llvmlite" not in loaded.split()


def test_every_public_name_is_there_and_documented() -> None:
    import tracer

    assert sorted(tracer.__all__) == sorted(set(tracer.__all__))
    for name in tracer.__all__:
        assert getattr(tracer, name).__doc__, f"tracer.{name} has no docstring"


PUBLIC = {
    "jit", "grad", "grad_and_value", "value_and_grad", "jvp", "vjp", "jacrev", "jacfwd", "hessian",
    "vmap", "no_grad", "stop_gradient", "trace",
}  # fmt: skip
"""What a user is promised; ``tracer.__all__`` may hold more."""


def test_what_is_promised_is_public() -> None:
    import tracer

    assert set(tracer.__all__) >= PUBLIC
