"""What every step shares: its place in the queue of writers, its owners, its way to say facts.

Belongs here: small helpers that speak Dagster. Does not belong here: definitions of assets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb

from orchestration import locks
from orchestration.settings import Settings
from orchestration.transform import TableFacts

POOL = "duckdb"
OWNERS = ["team:data"]

RETRIES = 3
RETRY_SECONDS = 20


@contextmanager
def sole_user(settings: Settings, run_id: str) -> Iterator[None]:
    """Around the body of a step: no other process of the pipeline has the warehouse open.

    A retry helps against one thing only: another program that has the file open and closes it.
    Anything else fails at once, with its own message.
    """
    locks.claim_life(settings, run_id)
    with locks.warehouse(settings):
        try:
            yield
        except duckdb.IOException as error:
            if "Could not set lock on file" not in str(error):
                raise
            raise try_again() from error


def try_again() -> dg.RetryRequested:
    """What a step raises when another program has the warehouse open."""
    return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS)


def table_metadata(facts: TableFacts | None) -> dict[str, Any]:
    """Row count and column schema under the names that Dagster's user interface knows."""
    if facts is None:
        return {}
    columns = [dg.TableColumn(name, kind) for name, kind in facts.columns]
    found: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    if facts.rows is not None:
        found["dagster/row_count"] = facts.rows
    return found


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[object]]
) -> dg.MetadataValue[Any]:
    """Rows as a table for people."""

    def cell(value: object) -> str:
        text = "" if value is None else " ".join(str(value).split())
        return (text if len(text) <= 120 else text[:119] + "…").replace("|", "\\|")

    lines = [header, ["---"] * len(header), *rows]
    return dg.MetadataValue.md(
        "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)
    )
