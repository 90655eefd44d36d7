"""Instrumented builds: how much work compiled code executes, and how much its program asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegen.engine import Compiled, compile_program
from ir.work import ACCESS, work
from tracer import jit
from tracer.jit import native


def counted(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Compiled, list[Any]]:
    """The function compiled with a counter, and its results for one call."""
    jitted = jit(f)
    leaves, treedef = jitted.flat(args, {})
    variant, _ = jitted.served(leaves, treedef)
    compiled = compile_program(variant.program, count=True)
    assert compiled.executed() == 0
    return compiled, compiled(*map(native, leaves), *variant.held)


def arithmetic_ratio(compiled: Compiled) -> float:
    """The same of arithmetic alone, without loads and stores."""
    program = compiled.program
    moved = sum(v.type.size for v in (*program.params, *program.results))
    executed = compiled.executed() - ACCESS * compiled.accesses()
    return executed / (work(program) - ACCESS * moved)


def ratio(compiled: Compiled) -> float:
    """Executed operations to those of the program that was compiled, after one call."""
    return compiled.executed() / work(compiled.program)
