"""The component step with scipy, from a table of edges in DuckDB to a table of labels in DuckDB.

Belongs here: that one step, as a program of its own. Does not belong here: where edges come from.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def label(database: Path, *, memory_limit: str, threads: int) -> dict[str, float]:
    """Write `labels` (node bigint, component bigint) from `edges` (node_a bigint, node_b bigint).

    Returns:
        Seconds to read the edges, to number the nodes, to find the components, to write the labels.
    """
    marks = [time.monotonic()]
    with duckdb.connect(
        str(database), config={"memory_limit": memory_limit, "threads": threads}
    ) as connection:
        edges = connection.execute("select node_a, node_b from edges").fetchnumpy()
        marks.append(time.monotonic())
        count = len(edges["node_a"])
        nodes, places = np.unique(
            np.concatenate([edges["node_a"], edges["node_b"]]), return_inverse=True
        )
        marks.append(time.monotonic())
        graph = coo_matrix(
            (np.ones(count, dtype=np.int8), (places[:count], places[count:])),
            shape=(len(nodes), len(nodes)),
        )
        _, labels = connected_components(graph, directed=False)
        marks.append(time.monotonic())
        connection.register("found", pa.table({"node": nodes, "component": labels}))
        connection.execute(
            "create table labels as select node, component::bigint as component from found"
        )
    marks.append(time.monotonic())
    names = ("reading edges", "numbering nodes", "components", "writing labels")
    return {name: end - begin for name, begin, end in zip(names, marks, marks[1:], strict=False)}


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: leaves the seconds of each step beside the database as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.scipy_components", description=__doc__)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(arguments)
    seconds = label(options.database, memory_limit=options.memory_limit, threads=options.threads)
    options.database.with_suffix(".json").write_text(json.dumps(seconds, indent=2) + "\n")


if __name__ == "__main__":
    main()
