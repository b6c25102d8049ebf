"""How many rows of each log each day brought: counted once, when they are loaded.

Belongs here: the table `raw.day_counts`. Does not belong here: what is usual (building.usual).

Whoever asks what a usual day is would else read all rows of all logs in each run.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from throughline import engine
from throughline.engine.sql import identifier, sql
from throughline.landing.logs import Kind, Log

TABLE = """
create table if not exists raw.day_counts (
    load_no bigint not null,
    source varchar not null,
    log varchar not null,
    day date not null,
    rows bigint not null,
);
"""


def instant(log: Log) -> str | None:
    """The column that says when a record of a log happened; None where it says no such thing."""
    for column in log.columns:
        if column.kind is Kind.INSTANT and column.required:
            return column.name
    return None


def count(connection: duckdb.DuckDBPyConnection, log: Log, time_zones: Mapping[str, str]) -> None:
    """Count the rows of the loads that are not counted yet, those of a killed run included.

    A row counts for the day of what it tells of; a repeat and a new version count too.

    Args:
        connection: the warehouse.
        log: whose rows.
        time_zones: of the sources that have another one than UTC; days are theirs.
    """
    column = instant(log)
    if column is None:
        return
    newest = "select coalesce(max(load_no), 0) from raw.@{table} where log = $log"
    counted, loaded = (
        int(engine.one(connection, sql(newest, table=table), {"log": log.name}))
        for table in ("day_counts", "loads")
    )
    if loaded <= counted:
        return
    connection.execute(
        sql(
            """
            insert into raw.day_counts
            -- Zones differ by quarters of an hour, and there are far fewer of these than of rows.
            with quarters as (
                select load_no, source, count(*) as rows,
                    time_bucket(interval 15 minutes, @{instant}) as quarter
                from @{table}
                where load_no > $counted
                group by load_no, source, quarter
            ),

            zones as (select unnest($sources) as source, unnest($zones) as zone)

            select quarters.load_no, quarters.source, $log,
                cast(
                    timezone(coalesce(zones.zone, 'UTC'), timezone('UTC', quarter)) as date
                ) as day,
                sum(quarters.rows)
            from quarters
            left join zones on quarters.source = zones.source
            group by quarters.load_no, quarters.source, day
            order by quarters.load_no, quarters.source, day
            """,
            instant=identifier(column),
            table=identifier("raw", log.name),
        ),
        {
            "log": log.name,
            "counted": counted,
            "sources": list(time_zones),
            "zones": list(time_zones.values()),
        },
    )
