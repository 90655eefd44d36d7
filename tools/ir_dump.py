"""Any function at any stage on its way to machine code.

``python tools/ir_dump.py MODULE_OR_FILE:FUNCTION TYPE... --through vjp,cse --show ir,plan``
traces the function on arguments of the types, runs the passes, and prints each stage: every
equation with the pass that made it, ``+`` if that was the last one and ``~`` if the last one gave
it other operands, and below them, after ``-``, the equations that the last one removed. Two runs
print the same bytes (``--time`` apart).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import shutil
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, or imported

import tracer
from codegen.engine import Compiled
from ir.graph import dot
from ir.passes.jvp import jvp
from ir.passes.linearize import linearize
from ir.passes.pipeline import CLEANUP, COMPILE, Pass, Stage, run
from ir.passes.transpose import transpose
from ir.passes.vjp import vjp
from ir.passes.vmap import vmap
from ir.printer import print_program
from ir.program import Equation, Program
from tools.spec import SpecError, argument, listed, load, named

BATCH = 8
"""How many examples the pass ``vmap`` batches."""


def forward(program: Program) -> Program:
    """The first half of linearize: results and residuals."""
    return linearize(program)[0]


def linear(program: Program) -> Program:
    """The second half of linearize: residuals and tangents to tangents."""
    return linearize(program)[1]


def backward(program: Program) -> Program:
    """The linear half transposed: residuals and cotangents to cotangents."""
    first, second = linearize(program)
    return transpose(second, len(first.results) - len(program.results))


def batched(program: Program) -> Program:
    """``vmap`` over every parameter."""
    return vmap(program, [True] * len(program.params), BATCH)


PASSES: dict[str, tuple[Pass, ...]] = {
    **{step.__name__: (step,) for step in (jvp, forward, linear, backward, vjp)},
    "vmap": (batched,),
    **{step.__name__: (step,) for step in (*CLEANUP, *COMPILE)},
    "cleanup": CLEANUP,
    "compile": COMPILE,
}
"""What ``--through`` can name; each name stands for one pass or several."""

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": tracer.grad,
    "value_and_grad": tracer.value_and_grad,
    "vmap": tracer.vmap,
}
"""What is applied to the function before it is traced; ``vmap`` over axis 0 of each argument."""

REFUSALS = ("tracer.errors", "ir.errors")
"""Where the errors are defined whose message says all there is to say."""

CODE = ("plan", "llvm", "optimised", "asm")
SHOWN = ("ir", "graph", *CODE)


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    spec: str
    types: tuple[str, ...]
    transforms: tuple[str, ...]
    argnums: tuple[int, ...]
    through: tuple[str, ...]
    show: tuple[str, ...]
    out: Path | None
    timed: bool


# --- the stages -------------------------------------------------------------------------------


def transformed(request: Request) -> Callable[..., Any]:
    """The function with the transforms applied, the first named innermost."""
    func = load(request.spec)
    for name in request.transforms:
        wrap = TRANSFORMS[name]
        only = request.argnums[0] if len(request.argnums) == 1 else request.argnums
        func = wrap(func) if name == "vmap" else wrap(func, only)
    return func


# --- the stages -------------------------------------------------------------------------------


def stages(request: Request) -> list[Stage]:
    """The traced program, then the program after each pass."""
    func = transformed(request)
    args = [argument(text) for text in request.types]
    check_count(func, args, request.spec)
    if request.timed:
        importlib.import_module("networkx")  # a second import costs nothing, and no pass is blamed
    started = time.perf_counter()
    traced = tracer.trace(func, *args)
    found = [Stage("trace", traced, time.perf_counter() - started, traced.equations, ())]
    steps = [step for name in request.through for step in PASSES[name]]
    run(traced, steps, watch=found.append, check=True)
    return [replace(s, name="vmap") if s.name == "batched" else s for s in found]


def check_count(func: Callable[..., Any], args: Sequence[Any], spec: str) -> None:
    try:
        inspect.signature(func).bind(*args)
    except TypeError as error:
        raise SpecError(f"{spec} does not take {len(args)} arguments: {error}") from None
    except ValueError:  # a ufunc, whose signature Python cannot see
        return


@dataclass(frozen=True)
class Change:
    """What a pass did: equations it made, those it gave other operands, those it took away."""

    made: frozenset[Equation]
    rewired: dict[Equation, Equation]
    gone: tuple[Equation, ...]


def change(stage: Stage) -> Change:
    """Equations with the op, the line and the types of a removed one are that one, rewired."""
    old: dict[Any, deque[Equation]] = defaultdict(deque)
    for eq in stage.removed:
        old[likeness(eq)].append(eq)
    rewired = {eq: old[likeness(eq)].popleft() for eq in stage.added if old[likeness(eq)]}
    made = frozenset(eq for eq in stage.added if eq not in rewired)
    kept = set(rewired.values())
    return Change(made, rewired, tuple(eq for eq in stage.removed if eq not in kept))


def likeness(eq: Equation) -> Any:
    return eq.op, eq.loc, tuple(v.type for v in eq.results), eq.bodies


def makers(found: Sequence[Stage], changes: Sequence[Change]) -> dict[Equation, str]:
    """The pass that made each equation; one that was rewired keeps its maker."""
    made_by: dict[Equation, str] = {}
    for stage, changed in zip(found, changes, strict=True):
        for eq in changed.made:
            made_by[eq] = eq.loc.via[-1] if stage is found[0] and eq.loc.via else stage.name
        made_by.update({eq: made_by[old] for eq, old in changed.rewired.items()})
    return made_by


def text(stage: Stage, changed: Change, made_by: dict[Equation, str]) -> str:
    """The program: ``+`` marks what the pass made, ``~`` what it gave other operands."""
    width = max(map(len, made_by.values()), default=0)

    def mark(eq: Equation) -> str:
        sign = "+" if eq in changed.made else "~" if eq in changed.rewired else " "
        return f"{sign} {made_by[eq]:<{width}}"

    marks = {eq: mark(eq) for eq in stage.program.equations}
    return print_program(stage.program, locs=True, mark=marks)


def removed(stage: Stage, changed: Change, before: Program) -> Iterator[str]:
    """The equations that the pass took away, named as in the program before."""
    if changed.gone:
        yield f"removed by {stage.name}, in the names of the stage before:"
    shown = print_program(before, locs=True, mark=dict.fromkeys(changed.gone, "-"))
    yield from (line for line in shown.splitlines() if line.startswith("-"))


def heading(n: int, stage: Stage, changed: Change, before: Program | None, timed: bool) -> str:
    """``2 cse: 41 -> 33 equations (+0 ~4 -8)``"""
    counts = f"{len(stage.program.equations)} equations"
    if before is not None:
        counts = f"{len(before.equations)} -> {counts}"
        counts += f" (+{len(changed.made)} ~{len(changed.rewired)} -{len(changed.gone)})"
    took = f" in {1000 * stage.seconds:.2f} ms" if timed else ""
    return f"== {n} {stage.name}: {counts}{took}"


def dump(request: Request) -> Iterator[str]:
    """The lines that the request asks for."""
    found = stages(request)
    changes = [change(stage) for stage in found]
    made_by = makers(found, changes)
    before: Program | None = None
    for n, (stage, changed) in enumerate(zip(found, changes, strict=True)):
        yield heading(n, stage, changed, before, request.timed)
        if "ir" in request.show:
            yield text(stage, changed, made_by)
            if before is not None:
                yield from removed(stage, changed, before)
        before = stage.program
    if "graph" in request.show:
        yield from graph(found, request.out)
    wanted = [s for s in request.show if s in CODE]
    if wanted:
        yield from code(found[-1].program, wanted, request.timed)


def graph(found: Sequence[Stage], out: Path | None) -> Iterator[str]:
    """The last stage's graph in Graphviz's language, or every stage's written to ``out``."""
    if out is None:
        yield "== graph"
        yield dot(found[-1].program)
        return
    out.mkdir(parents=True, exist_ok=True)
    for n, stage in enumerate(found):
        file = out / f"{stage.program.name}.{n}.{stage.name}.dot"
        file.write_text(dot(stage.program) + "\n")
        yield f"== graph: {file.name}{drawn(file)}"


def drawn(file: Path) -> str:
    """The graph as a picture, if Graphviz is there."""
    program = shutil.which("dot")
    if program is None:
        return " (no SVG: Graphviz's dot is not on the PATH)"
    picture = file.with_suffix(".svg")
    subprocess.run([program, "-Tsvg", str(file), "-o", str(picture)], check=True)
    return f", {picture.name}"


def code(program: Program, wanted: Sequence[str], timed: bool) -> Iterator[str]:
    """Stages below the IR, of a program that has been through the passes of ``compile``."""
    started = time.perf_counter()
    compiled = Compiled(program)
    if timed:
        yield f"== codegen in {1000 * (time.perf_counter() - started):.2f} ms"
    for name in wanted:
        yield f"== {name}"
        yield str(getattr(compiled, name)).rstrip()


# --- the command line -------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="ir_dump.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = made.add_argument
    add("spec", metavar="MODULE_OR_FILE:FUNCTION")
    add("types", metavar="TYPE", nargs="*", help="f64[4,3], a tuple (f64[3],f64[]), or a number")
    add("--through", default="", metavar="PASSES", help="in order, of: " + ", ".join(PASSES))
    add("--show", default="ir", metavar="STAGES", help="of: " + ", ".join(SHOWN))
    for name in TRANSFORMS:
        flag = "--" + name.replace("_", "-")
        help = f"apply {name} to the function; transforms apply in the order given"
        add(flag, dest="transforms", action="append_const", const=name, help=help)
    add("--argnums", default="0", help="the arguments that grad differentiates, as 0 or 0,1")
    add("--jit-of-grad", action="store_true", help="all that jit(grad(f)) does to f")
    add("--time", action="store_true", help="how long each stage took")
    add("--out", type=Path, metavar="DIR", help="write graphs there, as DOT and SVG")
    return made


def request(argv: Sequence[str] | None) -> Request:
    """The command line as a request; SpecError says what is wrong with it."""
    given = parser().parse_args(argv)
    through = named(listed(given.through), [*PASSES], "pass")
    show = named(listed(given.show), SHOWN, "stage")
    transforms = tuple(given.transforms or ())
    if given.jit_of_grad:
        transforms = (*transforms, "grad")
    if given.jit_of_grad or (set(show) & set(CODE) and through[-1:] != ("compile",)):
        through = (*through, "compile")
    try:
        argnums = tuple(int(n) for n in listed(given.argnums))
    except ValueError:
        raise SpecError(f"--argnums {given.argnums!r} is not 0 or 0,1") from None
    return Request(
        given.spec, tuple(given.types), transforms, argnums, through, show, given.out, given.time
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print what the command line asks for; 2 and a sentence if it cannot be."""
    try:
        for line in dump(request(argv)):
            print(line)
    except BrokenPipeError:
        return 0
    except Exception as error:
        if not isinstance(error, SpecError) and type(error).__module__ not in REFUSALS:
            raise
        print(f"ir_dump: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
