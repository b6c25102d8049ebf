"""What an older version of this package left in the raw tables, brought to what this one writes.

Belongs here: columns that came later, and values that are kept in another form today. Does not
belong here: the tables of a new warehouse (`database`).
"""

from __future__ import annotations

import duckdb

from throughline.engine.sql import identifier, sql
from throughline.landing.conversion import PLACEHOLDER_REMEDY, placeholder_reason
from throughline.landing.ledger import now
from throughline.landing.logs import LOGS, Kind, Log
from throughline.landing.macros import MACROS

_PLACEHOLDERS = "placeholder_times"


def upgrade(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the raw tables of an older version up to this one; all are there already.

    Of a column that the older version did not know, the values are in `extra`, and are taken over
    from there. Call it in a transaction.
    """
    present = {
        (str(table), str(column))
        for table, column in connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'raw'"
        ).fetchall()
    }
    for counter in (_PLACEHOLDERS, "rows_unlike_folder"):
        if ("loads", counter) not in present:
            _add(connection, "loads", counter, "bigint default 0")
    for log in LOGS.values():
        for column in log.columns:
            if (log.name, column.name) not in present:
                _add(connection, log.name, column.name, column.kind.sql_type)
                _take_over(connection, log, column.name, column.kind.sql_type)
        if (log.name, _PLACEHOLDERS) not in present:
            connection.execute(MACROS)
            _add(connection, log.name, _PLACEHOLDERS, "integer default 0")
            _take_out_placeholders(connection, log)
            _rewrite_lists(connection, log)


def _add(connection: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> None:
    connection.execute(
        sql(
            "alter table raw.@{table} add column @{name} @{kind}",
            table=identifier(table),
            name=identifier(name),
            kind=kind,
        )
    )


def _take_over(connection: duckdb.DuckDBPyConnection, log: Log, name: str, kind: str) -> None:
    connection.execute(
        sql(
            "update raw.@{log} "
            "set @{name} = try_cast(json_extract_string(extra, $pointer) as @{kind}) "
            "where extra is not null",
            log=log.name,
            name=identifier(name),
            kind=kind,
        ),
        {"pointer": f"/{name}"},
    )


def _take_out_placeholders(connection: duckdb.DuckDBPyConnection, log: Log) -> None:
    """Do with times far off what landing does: none where that may be, else the row is rejected."""
    for name, bit in log.timestamp_bits.items():
        if log.column(name).required:
            _reject(connection, log, name)
            continue
        connection.execute(
            sql(
                "update raw.@{log} "
                "set @{name} = null, placeholder_times = placeholder_times + @{bit} "
                "where not landing_is_real(@{name})",
                log=log.name,
                name=identifier(name),
                bit=str(bit),
            )
        )
    connection.execute(
        sql(
            """
            update raw.loads
            set placeholder_times = loads.placeholder_times + found.times
            from (
                select load_no, sum(bit_count(placeholder_times)) as times from raw.@{log}
                where placeholder_times <> 0
                group by load_no
            ) as found
            where loads.load_no = found.load_no
            """,
            log=log.name,
        )
    )


def _reject(connection: duckdb.DuckDBPyConnection, log: Log, name: str) -> None:
    fragments = {"log": log.name, "name": identifier(name)}
    connection.execute(
        sql(
            """
            insert into raw.rejected_rows
            select loads.load_no, loads.source, loads.log, loads.path, rows.row_id & 4294967295,
                $name, cast(rows.@{name} as varchar), $reason, $remedy,
                cast(to_json(rows) as varchar), $now
            from raw.@{log} as rows
            join raw.loads on rows.load_no = loads.load_no
            where not landing_is_real(rows.@{name})
            """,
            **fragments,
        ),
        {
            "name": name,
            "reason": placeholder_reason(name),
            "remedy": PLACEHOLDER_REMEDY,
            "now": now(),
        },
    )
    connection.execute(
        sql(
            """
            update raw.loads
            set rows_loaded = loads.rows_loaded - found.rejected,
                rows_rejected = loads.rows_rejected + found.rejected,
                placeholder_times = loads.placeholder_times + found.rejected
            from (
                select load_no, count(*) as rejected from raw.@{log}
                where not landing_is_real(@{name})
                group by load_no
            ) as found
            where loads.load_no = found.load_no
            """,
            **fragments,
        )
    )
    connection.execute(
        sql("delete from raw.@{log} where not landing_is_real(@{name})", **fragments)
    )


def _rewrite_lists(connection: duckdb.DuckDBPyConnection, log: Log) -> None:
    for column in log.columns:
        if column.kind is Kind.LIST:
            connection.execute(
                sql(
                    "update raw.@{log} set @{name} = landing_list(@{name}) "
                    "where @{name} is not null",
                    log=log.name,
                    name=identifier(column.name),
                )
            )
