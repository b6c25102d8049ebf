"""Which parts of the warehouse are proven: what stands there is what this code makes of these logs.

Belongs here: the rule, over a graph and the outcomes of builds, as pure functions. Does not belong
here: where the proof is kept (state), what it is a proof of (its basis, there too).

A build gives the same rows for the same code and loads. So a node is proven when it was built well
over parents that were proven, and stays so when a parent is built once more over the same basis.
What is built over a parent that is not proven is not proven either, and neither is what failed.

One kind of model comes out differently each time, equal only up to the names of what it found (the
components of a graph). Each of its builds is a draw of its own; a node over several such models, or
over one by several ways, is proven only when all of it goes back to the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

# A node that is proven, and the draws that it goes back to: model -> number of the build.
Draws = Mapping[str, int]
Proven = Mapping[str, Draws]

GOOD = frozenset({"success", "pass", "warn"})
SKIPPED = "skipped"
_BUILT = frozenset({"model", "seed", "snapshot", "test"})
_REPEATABLE = frozenset({"table", "view", "incremental", "seed", "snapshot", "ephemeral", "test"})


@dataclass(frozen=True)
class Graph:
    """What dbt builds and checks.

    Attributes:
        parents: each node and the nodes that it reads.
        live: nodes that hold no rows of their own: they show what their parents hold now.
        unbuilt: nodes that are only a part of the SQL of others.
        drawn: nodes whose rows depend on more than what they read.
        required: what has to be proven before anything is published: every model and seed, and
            every check that blocks.
    """

    parents: Mapping[str, tuple[str, ...]]
    live: frozenset[str] = frozenset()
    unbuilt: frozenset[str] = frozenset()
    drawn: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()


def graph_of(manifest: Mapping[str, Any]) -> Graph:
    """The graph of dbt's manifest. Unit tests look at the SQL and at no rows: they prove none."""
    nodes = {
        name: node for name, node in manifest["nodes"].items() if node["resource_type"] in _BUILT
    }
    kind = {name: (node.get("config") or {}).get("materialized") for name, node in nodes.items()}
    unbuilt = frozenset(name for name in nodes if kind[name] == "ephemeral")
    return Graph(
        parents={
            name: tuple(parent for parent in node["depends_on"].get("nodes", ()) if parent in nodes)
            for name, node in nodes.items()
        },
        live=frozenset(name for name in nodes if kind[name] == "view") | unbuilt,
        unbuilt=unbuilt,
        drawn=frozenset(
            name
            for name, node in nodes.items()
            if node["resource_type"] == "model" and kind[name] not in _REPEATABLE
        ),
        required=frozenset(
            name
            for name, node in nodes.items()
            if name not in unbuilt
            and (
                node["resource_type"] != "test"
                or str((node.get("config") or {}).get("severity", "error")).lower() == "error"
            )
        ),
    )


def after(graph: Graph, proven: Proven, outcomes: Mapping[str, str], number: int) -> Proven:
    """What is proven after a build.

    Args:
        graph: what there is.
        proven: what was proven before, on the same basis.
        outcomes: how each node that the build touched ended, in dbt's words; a node that began and
            has no end in any other. Nodes that were skipped are as they were.
        number: of this build; no two have the same.
    """
    found = dict(proven)
    for node in _parents_first(graph, outcomes):
        if outcomes[node] == SKIPPED:
            continue
        found.pop(node, None)
        draws = _agreed(graph, found, graph.parents[node])
        if outcomes[node] in GOOD and draws is not None:
            found[node] = {**draws, node: number} if node in graph.drawn else draws
    return found


def lacking(graph: Graph, proven: Proven) -> list[str]:
    """What is required and not proven, by name."""
    return sorted(name for name in graph.required if _draws(graph, proven, name) is None)


def _parents_first(graph: Graph, names: Iterable[str]) -> list[str]:
    wanted = {name for name in names if name in graph.parents}
    # By way of all nodes: two may hang together through one that was not built.
    order = TopologicalSorter(graph.parents).static_order()
    return [name for name in order if name in wanted]


def _draws(graph: Graph, proven: Proven, node: str) -> Draws | None:
    """The draws that a node goes back to; None when it is not proven."""
    if node not in graph.unbuilt and node not in proven:
        return None
    return _agreed(graph, proven, graph.parents[node]) if node in graph.live else proven[node]


def _agreed(graph: Graph, proven: Proven, nodes: Iterable[str]) -> Draws | None:
    """The draws of several nodes together; None when one is not proven, or two contradict."""
    together: dict[str, int] = {}
    for node in nodes:
        draws = _draws(graph, proven, node)
        if draws is None:
            return None
        for name, number in draws.items():
            if together.setdefault(name, number) != number:
                return None
    return together
