"""Whether the pipeline and the yardstick wrote the same: partition, rows, every column.

Belongs here: which tables and keys are compared, and how values may differ. Does not belong here:
running either of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from throughline.engine.sql import identifier, sql

KEYS = {
    "marts.conversations": ("conversation_id",),
    "marts.contacts": ("source", "contact_id"),
    "marts.transfers": ("source", "transfer_id"),
    "marts.messages": ("source", "message_id"),
    "marts.agents": ("source", "agent_id", "valid_from"),
    "marts.ratings": ("source", "rating_id"),
    "marts.transactions": ("source", "transaction_id"),
    "marts.conversation_ids": ("source", "id_kind", "id"),
    "marts.projects": ("source", "project_id"),
    "reports.statistical_report": (
        "period_grain",
        "period_start",
        "dimension",
        "source",
        "dimension_value",
    ),
    "reports.contacts_report": (
        "period_grain",
        "period_start",
        "dimension",
        "source",
        "dimension_value",
    ),
    "reports.reconciliation": ("period_grain", "period_start", "source"),
}
# When the two programs ran; and a hash of an id, which the same conversation may have another of.
LEFT_OUT = {"first_loaded_at", "changed_at", "changed_publication_no", "since", "id_hash"}
# Columns that hold a conversation id, here or there: compared by what the id stands for.
CONVERSATION_COLUMNS = {"conversation_id", "id"}


@dataclass(frozen=True)
class Difference:
    """What differs in one table: a sentence for people."""

    table: str
    text: str

    def __str__(self) -> str:
        return f"{self.table}: {self.text}"


def row_counts(database: Path) -> dict[str, int]:
    """Rows of each compared table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {table: _count(connection, table) for table in KEYS}


def differences(pipeline: Path, baseline: Path, memory_limit: str = "4GB") -> list[Difference]:
    """Compare what the pipeline published with what the yardstick wrote.

    Args:
        pipeline: the published DuckDB file.
        baseline: the yardstick's DuckDB file.
        memory_limit: DuckDB's memory limit.

    Returns:
        Every difference; empty when both are the same, up to the names of conversations, the time
        of loading, and the last digits of floating point.
    """
    found: list[Difference] = []
    with duckdb.connect(config={"memory_limit": memory_limit}) as connection:
        for name, database in (("here", pipeline), ("there", baseline)):
            connection.execute(
                sql("attach $file as @{name} (read_only)", name=name), {"file": str(database)}
            )
            # A conversation is called after the smallest id among its contacts.
            connection.execute(
                sql(
                    """
                    create temporary table names_@{name} as
                    select conversation_id, source || ':' || min(contact_id) as name
                    from @{name}.marts.contacts
                    group by conversation_id, source
                    """,
                    name=name,
                )
            )
        for table, keys in KEYS.items():
            found.extend(_table_differences(connection, table, keys))
    return found


def _table_differences(
    connection: duckdb.DuckDBPyConnection, table: str, keys: tuple[str, ...]
) -> list[Difference]:
    here, there = (_columns(connection, f"{side}.{table}") for side in ("here", "there"))
    found = [
        Difference(table, f"{name} is only in the pipeline's table")
        for name in here
        if name not in there
    ]
    rows = [_count(connection, f"{side}.{table}") for side in ("here", "there")]
    if rows[0] != rows[1]:
        found.append(Difference(table, f"{rows[0]:,} rows here, {rows[1]:,} rows there"))
    shared = [name for name in here if name in there and name not in LEFT_OUT]
    compared = [name for name in shared if name not in keys]
    row = connection.execute(
        sql(
            """
            select @{counts}
            from (@{here}) as here
            full join (@{there}) as there on @{condition}
            """,
            counts=", ".join(
                ["count(*) filter (here.found is null or there.found is null)"]
                + [f"count(*) filter ({_differs(name, here[name])})" for name in compared]
            ),
            here=_side("here", table, shared),
            there=_side("there", table, shared),
            condition=" and ".join(
                f"here.{identifier(key)} is not distinct from there.{identifier(key)}"
                for key in keys
            ),
        )
    ).fetchone()
    assert row is not None
    if row[0]:
        found.append(Difference(table, f"{row[0]:,} rows are in only one of the two"))
        return found
    found.extend(
        Difference(table, f"{name} differs in {count:,} rows")
        for name, count in zip(compared, row[1:], strict=True)
        if count
    )
    return found


def _side(side: str, table: str, columns: list[str]) -> str:
    """One side's rows, conversations under their canonical names."""
    values, joins = ["true as found"], []
    for name in columns:
        column, alias = identifier(name), identifier(f"names_of_{name}")
        if name in CONVERSATION_COLUMNS:
            values.append(f"coalesce({alias}.name, given.{column}) as {column}")
            joins.append(
                f"left join names_{side} as {alias} on {alias}.conversation_id = given.{column}"
            )
        else:
            values.append(f"given.{column}")
    return sql(
        "select @{values} from @{table} as given @{joins}",
        values=", ".join(values),
        table=f"{side}.{table}",
        joins=" ".join(joins),
    )


def _differs(name: str, kind: str) -> str:
    here, there = f"here.{identifier(name)}", f"there.{identifier(name)}"
    if kind != "DOUBLE":
        return f"{here} is distinct from {there}"
    return (
        f"({here} is null) <> ({there} is null)"
        f" or abs({here} - {there}) > 1e-6 * greatest(1, abs({here}))"
    )


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(sql("select count(*) from @{table}", table=table)).fetchone()
    assert row is not None
    return int(row[0])
