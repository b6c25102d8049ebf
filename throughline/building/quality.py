"""Questions to the warehouse whose answers are asset checks.

Belongs here: the queries behind the checks on raw logs and on the graph of contacts. Does not
belong here: claims about models (dbt's tests), anything of Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from throughline import engine
from throughline.engine.sql import identifier
from throughline.landing import LOGS
from throughline.landing.macros import BEHIND_LAST_REAL, FIRST_REAL

SAMPLE_ROWS = 20

# Contract, section 3.7, and negative durations; what each means for the one who reads it.
GRAPH_CODES = {
    "self_link": "A contact that is linked to itself; the link is ignored.",
    "cycle": "Contacts whose links lead round in a circle; they are one conversation.",
    "missing_contact": "A link that names a contact without a row; it still joins the others.",
    "several_accepted_targets": "A contact that handed over to more than one contact.",
    "several_origins": "A contact that more than one contact handed over to.",
    "overlap": "A contact that starts before the one it follows has ended.",
    "negative_gap": "A contact that starts before the transfer that led to it was requested.",
    "negative_duration": "A contact that ends before it starts.",
    "negative_first_reply": "A contact that its log says was answered before it started.",
    "message_outside_contact": "A contact with messages outside it; no duration counts them.",
    "message_under_several_contacts": "A contact with messages that came under others as well.",
    "shared_reference": "A reference that more than 3 visitors share; it still joins.",
    "reused_contact_id": "A contact whose id was used before; the newest is kept.",
    "oversized_component": "A conversation with more contacts than OVERSIZED_CONTACTS.",
    "rejected_link": "A link that the source's policy in the registry does not accept.",
}

# The checks of raw logs without which nothing is published, each with what it is called.
BLOCKING = {f"raw.{log}.nothing_lost": f"check nothing_lost of raw.{log}" for log in LOGS}


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        count: what was found; 0 is good.
        total: what it was looked for in, when that is known.
        header, rows: up to SAMPLE_ROWS of what was found.
        message: one sentence for people.
    """

    count: int
    message: str
    total: int | None = None
    header: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()


def _count(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = ()) -> int:
    return int(engine.one(connection, query, values) or 0)


def _sample(
    connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    cursor = connection.execute(query, values)
    header = tuple(column[0] for column in cursor.description or ())
    return header, cursor.fetchall()


def nothing_lost(connection: duckdb.DuckDBPyConnection, log: str) -> Finding:
    """Whether every row that was read was loaded or rejected, and every loaded one is there.

    Fails loudly where a loader drops rows; it does not say whether their values are right.
    """
    header, rows = _sample(
        connection,
        "select load_no, source, path, rows_read, rows_loaded, rows_rejected from raw.loads"
        " where log = ? and rows_read is distinct from rows_loaded + rows_rejected"
        " order by load_no limit 20",
        [log],
    )
    promised = _count(connection, "select sum(rows_loaded) from raw.loads where log = ?", [log])
    there = _count(connection, f"from {identifier('raw', log)} select count(*)")
    if rows:
        message = "files whose rows read are not rows loaded plus rows rejected"
    else:
        message = f"{there} rows are in the table, {promised} in the ledger"
    return Finding(len(rows) + abs(there - promised), message, there, header, rows)


def rejected_rows(connection: duckdb.DuckDBPyConnection, log: str) -> Finding:
    """The rows and files of a log that could not be loaded, newest first."""
    header, rows = _sample(
        connection,
        "select path, row_no, column_name, value, reason, remedy from raw.rejected_rows"
        " where log = ? order by load_no desc, row_no, column_name limit 20",
        [log],
    )
    files_header, files = _sample(
        connection,
        "select path, 0 as row_no, '(file)' as column_name, null as value, reason, null as remedy"
        " from raw.loads where log = ? and status = 'rejected' order by load_no desc limit 20",
        [log],
    )
    lost_rows = _count(connection, "select sum(rows_rejected) from raw.loads where log = ?", [log])
    lost_files = _count(
        connection,
        "select count(*) from raw.loads where log = ? and status = 'rejected'",
        [log],
    )
    read = _count(connection, "select sum(rows_read) from raw.loads where log = ?", [log])
    return Finding(
        lost_rows + lost_files,
        f"{lost_rows} rows and {lost_files} files were rejected",
        read,
        header or files_header,
        (files + rows)[:SAMPLE_ROWS],
    )


def placeholder_times(connection: duckdb.DuckDBPyConnection, log: str) -> Finding:
    """The files of a log with times so far off that they stand for "none", newest first."""
    header, rows = _sample(
        connection,
        "select path, placeholder_times, rows_read from raw.loads"
        " where log = ? and placeholder_times > 0 order by load_no desc limit 20",
        [log],
    )
    count = _count(connection, "select sum(placeholder_times) from raw.loads where log = ?", [log])
    return Finding(
        count,
        f"{count} times before {FIRST_REAL}, or not before {BEHIND_LAST_REAL}, were taken for none",
        None,
        header,
        rows,
    )


def unrecognised_files(connection: duckdb.DuckDBPyConnection, logs: Sequence[str]) -> Finding:
    """Files of the landing zone that belong to no log, and so were not loaded."""
    header, rows = _sample(
        connection,
        "select path, reason from raw.loads where not list_contains(?, coalesce(log, ''))"
        " order by load_no desc limit 20",
        [list(logs)],
    )
    count = _count(
        connection,
        "select count(*) from raw.loads where not list_contains(?, coalesce(log, ''))",
        [list(logs)],
    )
    return Finding(count, f"{count} files belong to no log", None, header, rows)


def stale_sources(
    connection: duckdb.DuckDBPyConnection, log: str, hours: int, now: datetime
) -> Finding:
    """The sources whose newest file of a log was loaded more than `hours` before `now` (UTC).

    A log that a source never sent is not stale: most sources have no ratings or transactions.
    """
    limit = now.replace(tzinfo=None) - timedelta(hours=hours)
    header, rows = _sample(
        connection,
        "select source, max(loaded_at) as newest_file_loaded_at from raw.loads"
        " where log = ? and status = 'loaded' group by source"
        " having max(loaded_at) < ? order by newest_file_loaded_at, source",
        [log, limit],
    )
    sources = _count(
        connection,
        "select count(distinct source) from raw.loads where log = ? and status = 'loaded'",
        [log],
    )
    message = f"{len(rows)} of {sources} sources brought no file in the last {hours} hours"
    return Finding(len(rows), message, sources, header, rows[:SAMPLE_ROWS])


def graph_findings(connection: duckdb.DuckDBPyConnection, code: str) -> Finding:
    """The rows of marts.graph_quality with a code."""
    count = _count(connection, "select count(*) from marts.graph_quality where code = ?", [code])
    header, rows = _sample(
        connection,
        "select * exclude (code) from marts.graph_quality where code = ? order by all limit 20",
        [code],
    )
    return Finding(count, GRAPH_CODES[code], None, header, rows)
