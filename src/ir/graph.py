"""A program as a dataflow graph. The only module that speaks networkx.

Questions that one walk over the equation list answers are answered so: a networkx view of 30,000
equations takes thirty times as long as a sweep. The graphs are for what is a question to a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ir.program import Block, Equation, Program, Value

if TYPE_CHECKING:
    import networkx as nx

RESULTS = -1
"""The node that stands for the program's results and effects in a dataflow graph."""


def dataflow(block: Block) -> nx.DiGraph[int]:
    """Equations are nodes, by position; an edge runs from each producer to each reader.

    One more node, ``RESULTS``, reads what the block returns and every effect.
    """
    import networkx as nx  # noqa: PLC0415  (slow to import)

    position: dict[Value, int] = {}
    edges: list[tuple[int, int]] = []
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(block.equations)))
    graph.add_node(RESULTS)
    for n, eq in enumerate(block.equations):
        edges += [(position[v], n) for v in eq.operands if v in position]
        position.update(dict.fromkeys(eq.results, n))
        if not eq.op.pure:
            edges.append((n, RESULTS))
    edges += [(position[v], RESULTS) for v in block.results if v in position]
    graph.add_edges_from(edges)
    return graph


def ancestors(graph: nx.DiGraph[int]) -> set[int]:
    """Positions of the equations that a result or an effect depends on."""
    import networkx as nx  # noqa: PLC0415

    return set(nx.ancestors(graph, RESULTS))


def needed(block: Block) -> set[int]:
    """The same of a block; the rest is dead code."""
    return ancestors(dataflow(block))


def unread(block: Block) -> set[int]:
    """Positions of the equations that nothing reads and that have no effect; of dead code, if there
    is any, the last one is among them."""
    read = {v for eq in block.equations for v in eq.operands}.union(block.results)
    return {n for n, eq in enumerate(block.equations) if eq.op.pure and read.isdisjoint(eq.results)}


def merged(graph: nx.DiGraph[int], repeated: Mapping[int, int]) -> nx.DiGraph[int]:
    """The graph in which what reads a repeated equation reads the one that it repeats."""
    for n, first in repeated.items():
        graph.add_edges_from([(first, reader) for reader in graph.successors(n)])
    graph.remove_nodes_from(repeated)
    return graph


def upstream(block: Block, targets: Iterable[Value]) -> set[Value]:
    """Every value that the targets are computed from, the targets included."""
    found = set(targets)
    for eq in reversed(block.equations):
        if not found.isdisjoint(eq.results):
            found.update(eq.operands)
    return found


def downstream(block: Block, sources: Iterable[Value]) -> set[Value]:
    """Every value computed from the sources, the sources included."""
    found = set(sources)
    for eq in block.equations:
        if not found.isdisjoint(eq.operands[: eq.op.data]):
            found.update(eq.results)
    return found


def producers(block: Block) -> dict[Value, Equation]:
    """The equation that makes each value; parameters have none."""
    return {v: eq for eq in block.equations for v in eq.results}


def use_counts(block: Block) -> dict[Value, int]:
    """How often each value is read, by equations and as a result."""
    counts = dict.fromkeys(block.params, 0)
    for eq in block.equations:
        for v in eq.results:
            counts[v] = 0
        for v in eq.operands:
            counts[v] += 1
    for v in block.results:
        counts[v] += 1
    return counts


def readers(block: Block) -> dict[Value, list[Equation]]:
    """The equations that read each value, if any do."""
    found: dict[Value, list[Equation]] = {}
    for eq in block.equations:
        for v in dict.fromkeys(eq.operands):
            found.setdefault(v, []).append(eq)
    return found


def last_uses(block: Block) -> list[list[Value]]:
    """For each equation, the values that nothing reads after it; results are always read."""
    kept = set(block.results)
    dying: list[list[Value]] = []
    for eq in reversed(block.equations):
        fresh = [v for v in dict.fromkeys((*eq.operands, *eq.results)) if v not in kept]
        kept.update(fresh)
        dying.append(fresh)
    return dying[::-1]


def dot(program: Program) -> str:
    """The dataflow graph in Graphviz's language: equations labelled as printed, edges by type."""
    graph = dataflow(program)
    names = {n: eq.op.mnemonic for n, eq in enumerate(program.equations)}
    lines = ["digraph {", "  node [shape=box, fontname=monospace];"]
    for p, v in enumerate(program.params):
        lines.append(f'  p{p} [label="parameter {p}\\n{v.type}", shape=ellipse];')
    place = {v: f"p{p}" for p, v in enumerate(program.params)}
    for n, eq in enumerate(program.equations):
        shown = ", ".join(str(v.type) for v in eq.results)
        where = str(eq.loc).replace('"', "'")
        lines.append(f'  e{n} [label="{names[n]}\\n{shown}\\n{where}"];')
        lines += [f"  {place[v]} -> e{n};" for v in eq.operands if v in place]
        place.update(dict.fromkeys(eq.results, f"e{n}"))
    lines.append(f'  results [label="results ({graph.in_degree(RESULTS)})", shape=ellipse];')
    lines += [f"  {place[v]} -> results;" for v in program.results]
    return "\n".join([*lines, "}"])
