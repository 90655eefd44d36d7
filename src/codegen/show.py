"""A plan as text: loops, what each computes, and where it is stored."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.buffers import Storage
from codegen.index import Axis
from codegen.items import Close, Effect, Item, Lead, Loop, Node, Open, Static
from codegen.plan import Plan
from codegen.strips import STRIP
from ir.program import Value


def show_plan(plan: Plan, storage: Storage) -> str:
    """The loop tree, a function a chunk, with storage and the bytes that a call needs."""
    names = {
        v: f"%{n}"
        for n, v in enumerate(
            (*plan.program.params, *(v for eq in plan.program.equations for v in eq.results))
        )
    }
    for item in plan.items:
        names.setdefault(item.value, f"copy of {names.get(item.eq.operands[0], '?')}")
    lines = [f"plan {plan.program.name}"]
    axes: dict[Axis, str] = {}
    for n, nodes in enumerate(storage.chunks):
        found = storage.regions[n]
        blocks = f", one of {found.blocks} blocks" if found else ""
        blocks += f", {STRIP} steps at a time" if found and len(found.loops) > 1 else ""
        lines.append(f"  function {n}{blocks}")
        lines += body(nodes, "    ", names, axes, storage)
    moved = sum(v.type.nbytes for v in (*plan.program.params, *plan.program.results))
    lines.append(f"  arguments and results {moved} bytes, workspace {storage.workspace} bytes")
    return "\n".join(lines)


def body(
    nodes: list[Node],
    indent: str,
    names: dict[Value, str],
    axes: dict[Axis, str],
    storage: Storage,
) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Loop):
            axes[node.axis] = f"i{len(axes)}"
            ahead = f", {node.ahead} ahead" if isinstance(node, Lead) else ""
            yield f"{indent}for {axes[node.axis]} in {node.axis.low}:{node.axis.high}{ahead}"
            yield from body(node.body, indent + "  ", names, axes, storage)
        else:
            yield indent + line(node, names, storage)


def line(item: Item, names: dict[Value, str], storage: Storage) -> str:
    name, op = names[item.value], item.eq.op.mnemonic
    if isinstance(item, Open):
        return f"open {name}"
    if isinstance(item, Effect):
        return f"{op} {name}"
    buffer = storage.buffers.get(item.value)
    where = "register" if buffer is None else f"{buffer.kind} {list(buffer.shape)}"
    if isinstance(item, Close):
        return f"close {name} -> {where}"
    kind = " unrolled" if isinstance(item, Static) else f" {type(item).__name__.lower()}"
    return f"{name} = {op}{kind if kind != ' compute' else ''} -> {where}"
