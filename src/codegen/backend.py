"""What LLVM does with a module: parse, verify, a few passes, machine code."""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import Any

import llvmlite.binding as llvm

from codegen.lower import Module
from codegen.target import Target

CONTEXTS: list[Any] = []
MODULES = count()
SERVED = 32
"""Modules in one context."""


def context() -> Any:
    """The context of the next module: it keeps each constant and the metadata of each loop until it
    is dropped itself, so each serves so many modules."""
    if next(MODULES) % SERVED == 0 or not CONTEXTS:
        CONTEXTS[:] = [llvm.create_context()]
    return CONTEXTS[0]


def parse(text: str) -> Any:
    """The module, which LLVM has found to be sound."""
    parsed = llvm.parse_assembly(text, context())
    parsed.verify()
    return parsed


class Backend:
    """LLVM's passes and code generation for a target, kept: a new one for each module would cost
    as much as some passes, and LLVM leaks a KiB of each. To be used under the lock.

    More than these passes is not asked for: loops come with vectors, and what does not change in
    them is written before them. What other passes find takes longer to find than it saves, but for
    the algebra of real numbers, where the user lets them use it.
    """

    def __init__(self, target: Target, fastmath: bool) -> None:
        self.machine = target.machine()
        self.builder = llvm.create_pass_builder(self.machine, llvm.create_pipeline_tuning_options())
        self.passes = llvm.create_new_module_pass_manager()
        self.passes.add_sroa_pass()
        if fastmath:
            self.passes.add_reassociate_pass()
            self.passes.add_instruction_combine_pass()

    def optimised(self, module: Module) -> Any:
        """The parsed and verified module, with what lies on the stack in registers.

        Code generation is not to optimise the functions of which the module says that this would
        gain little: it takes about two thirds of the time for them then.
        """
        parsed = parse(module.text)
        self.passes.run(parsed, self.builder)
        for name in module.unoptimised:
            for attribute in ("noinline", "optnone"):
                parsed.get_function(name).add_function_attribute(attribute)
        return parsed


@cache
def backend(target: Target, fastmath: bool = False) -> Backend:
    return Backend(target, fastmath)
