"""Which columns a column of a model comes from, read from the SQL that dbt has compiled.

Belongs here: the reading, and keeping what was read for the next run. Does not belong here: how it
is shown (orchestration/defs), the edges between models (dbt's manifest).

A model whose SQL and whose parents' columns are as before is taken from the file: a build of a part
has no SQL of the rest. What has changed, a hundredth of a second a model, is read while dbt goes on
building, in the order in which it built them, so that the columns of a model's parents are known
from their own SQL.
"""

from __future__ import annotations

import hashlib
import json
import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from throughline.engine import files
from throughline.settings import Settings

# (schema, table)
Table = tuple[str, str]
# Each column of a model, with the (schema, table, column) that it comes from.
Columns = dict[str, list[tuple[str, str, str]]]


def file_of(settings: Settings) -> Path:
    """Where what was read is kept."""
    return settings.warehouse_dir / "dbt" / "lineage.json"


def read(sql: str, parents: Mapping[Table, Iterable[str]], dialect: str = "duckdb") -> Columns:
    """Which columns each column of a query comes from.

    Args:
        sql: a query, tables with their schemas.
        parents: the columns of each table that it reads.
        dialect: of the query: the name of the engine.

    Returns:
        Each column of the query, in its order, with the columns of tables that it is made of,
        sorted. None where that cannot be known, as over a file; empty when the SQL is one that the
        parser does not know.
    """
    # A tenth of a second, which a run that changes nothing does not spend.
    import sqlglot
    from sqlglot.lineage import lineage

    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (name, table), columns in parents.items():
        # Of what type they are makes no difference to where they come from.
        schema.setdefault(name, {})[table] = dict.fromkeys(columns, "text")
    # It warns of each part of a query whose columns it is not told.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        query = sqlglot.parse_one(sql, dialect=dialect)
        # Two databases, one name for each table.
        for one in query.find_all(sqlglot.exp.Table):
            one.set("catalog", None)
    except sqlglot.errors.SqlglotError:
        return {}
    try:
        # Trimming copies the whole query for each column, only to show it: nine tenths of the time.
        found = lineage(None, query, schema, dialect=dialect, trim_selects=False)
    except sqlglot.errors.SqlglotError:
        # A file that the query reads has columns that nobody is told: its own have names all the
        # same, and what is built on them can be read.
        names = getattr(query, "named_selects", [])
        return {} if "*" in names else {name: [] for name in names}
    return {column: sorted(_origins(node)) for column, node in found.items()}


def _origins(node: Any) -> set[tuple[str, str, str]]:
    from sqlglot import exp

    found, seen, open_nodes = set(), set(), [node]
    while open_nodes:
        one = open_nodes.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        open_nodes += one.downstream
        if isinstance(one.expression, exp.Table) and one.expression.db:
            column = one.name.rpartition(".")[2]
            found.add((one.expression.db, one.expression.name, column))
    return found


class Reader:
    """Reads the models of one build beside it, in a thread of its own.

    Args:
        settings: where what was read is kept.
        manifest: dbt's.
        target: where the build writes what it compiles.
    """

    def __init__(self, settings: Settings, manifest: Mapping[str, Any], target: Path) -> None:
        self._file = file_of(settings)
        self._dialect = settings.engine
        self._nodes = {**manifest["nodes"], **manifest.get("sources", {})}
        self._target = target
        self._kept = _kept(self._file)
        self._read: dict[str, dict[str, Any]] = {}
        self._built: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def built(self, node: str) -> None:
        """Hear that dbt has built a node."""
        if self._nodes.get(node, {}).get("resource_type") == "model":
            self._built.put(node)

    def result(self) -> dict[Table, Columns]:
        """What is known of each model, after the last was built. Keeps it for the next build."""
        self._built.put(None)
        self._thread.join()
        known = {name: one for name, one in self._kept.items() if name in self._nodes}
        whole = {**known, **self._read}
        if whole != self._kept:
            files.write(self._file, json.dumps(whole))
        return {
            self._table(name): {
                column: [(schema, table, origin) for schema, table, origin in origins]
                for column, origins in one["columns"].items()
            }
            for name, one in whole.items()
        }

    def _work(self) -> None:
        while (name := self._built.get()) is not None:
            node = self._nodes[name]
            compiled = self._target / "compiled" / node["package_name"] / node["original_file_path"]
            try:
                sql = compiled.read_text(encoding="utf-8")
            except OSError:
                continue
            parents = {
                self._table(parent): self._columns(parent)
                for parent in node["depends_on"]["nodes"]
                if parent in self._nodes
            }
            told = json.dumps([sql, sorted((*table, *found) for table, found in parents.items())])
            digest = hashlib.sha256(told.encode()).hexdigest()
            kept = self._kept.get(name, {})
            if kept.get("digest") != digest or not kept["columns"]:
                self._read[name] = {"digest": digest, "columns": self._told(name, sql, parents)}

    def _told(self, name: str, sql: str, parents: Mapping[Table, list[str]]) -> Columns:
        found = read(sql, parents, self._dialect)
        if self._is_its_sql(name):
            return found
        # Each column of the table is made of all that the SQL asks for.
        origins = sorted({origin for triples in found.values() for origin in triples})
        return dict.fromkeys(self._nodes[name]["columns"], origins)

    def _is_its_sql(self, name: str) -> bool:
        """Whether a table is what its SQL says; not where the project makes it in rounds."""
        materialized = (self._nodes[name].get("config") or {}).get("materialized", "view")
        return materialized in {"table", "view", "incremental"}

    def _table(self, name: str) -> Table:
        node = self._nodes[name]
        return node["schema"], node.get("alias") or node.get("identifier") or node["name"]

    def _columns(self, name: str) -> list[str]:
        found = self._read.get(name) or self._kept.get(name)
        if found:
            return list(found["columns"])
        node = self._nodes[name]
        return list((node.get("config") or {}).get("column_types") or node.get("columns") or {})


def _kept(file: Path) -> dict[str, dict[str, Any]]:
    try:
        content: dict[str, dict[str, Any]] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content
