"""How many loaded rows repeat a business key that was there already.

Belongs here: counting repeats for the ledger. Does not belong here: choosing the version that wins,
which dbt does.

The count runs once per log and run, over all new loads together. Keys are compared by a 64-bit
hash first, which is one aggregation over numbers; only rows whose hash occurs twice are compared
by their real key, so the count is exact whatever the hashes do.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from orchestration.landing.logs import Log
from orchestration.landing.sql import identifier, sql

# Hashes that are aggregated at once; more would not fit into a memory limit of a few GB.
_HASHES_AT_ONCE = 40_000_000


def count_repeats(
    connection: duckdb.DuckDBPyConnection, log: Log, load_nos: Sequence[int]
) -> dict[int, int]:
    """Count the rows of some loads whose business key an earlier row has.

    Args:
        connection: the warehouse.
        log: the log that all the loads belong to.
        load_nos: the loads; all other loads of the log count as history.

    Returns:
        Rows by load number; a load without any may be left out.
    """
    values = {"loads": list(load_nos)}
    counted = connection.execute(
        sql(
            "select count(*) filter (load_no in (select unnest($loads))), count(*) from raw.@{log}",
            log=log.name,
        ),
        values,
    ).fetchone()
    assert counted is not None
    new_rows, all_rows = int(counted[0]), int(counted[1])
    if not new_rows:
        return {}
    connection.execute("create or replace temporary table repeated_hashes (hash ubigint not null)")
    try:
        _find_repeated_hashes(connection, log, values, new_rows, all_rows)
        return _count_exactly(connection, log, values)
    finally:
        connection.execute("drop table if exists repeated_hashes")


def _find_repeated_hashes(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    values: dict[str, list[int]],
    new_rows: int,
    all_rows: int,
) -> None:
    """Collect the hashes of keys that may occur twice, at least once in a new load."""
    hashed = _hash(log)
    # A large history is only probed with the new hashes; otherwise all rows are grouped together.
    is_small_part = new_rows * 4 < all_rows
    relevant = "load_no in (select unnest($loads))" if is_small_part else "true"
    passes = -(-(new_rows if is_small_part else all_rows) // _HASHES_AT_ONCE)
    for number in range(passes):
        connection.execute(
            sql(
                """
                insert into repeated_hashes
                select hash
                from (select @{hashed} as hash from raw.@{log} where @{relevant})
                where hash % @{passes} = @{number}
                group by hash
                having count(*) > 1
                """,
                hashed=hashed,
                log=log.name,
                relevant=relevant,
                passes=str(passes),
                number=str(number),
            ),
            values if is_small_part else {},
        )
    if is_small_part:
        connection.execute(
            sql(
                """
                insert into repeated_hashes
                select distinct hash
                from (
                    select @{hashed} as hash from raw.@{log}
                    where load_no not in (select unnest($loads))
                )
                where hash in (
                    select @{hashed} from raw.@{log} where load_no in (select unnest($loads))
                )
                """,
                hashed=hashed,
                log=log.name,
            ),
            values,
        )


def _count_exactly(
    connection: duckdb.DuckDBPyConnection, log: Log, values: dict[str, list[int]]
) -> dict[int, int]:
    keys = ", ".join(_key(log))
    return {
        int(load_no): int(rows)
        for load_no, rows in connection.execute(
            sql(
                """
                with candidates as (
                    select row_id, load_no, row(@{keys}) as key
                    from raw.@{log}
                    where @{hashed} in (select hash from repeated_hashes)
                ),

                firsts as (
                    select min(row_id) as row_id from candidates group by key
                )

                select load_no, count(*)
                from candidates
                where load_no in (select unnest($loads))
                    and row_id not in (select row_id from firsts)
                group by load_no
                """,
                keys=keys,
                log=log.name,
                hashed=_hash(log),
            ),
            values,
        ).fetchall()
    }


def _key(log: Log) -> list[str]:
    """The parts of the business key; those of the fallback are null where the key is there."""
    parts = ["source", *(identifier(name) for name in (*log.key_with, log.key))]
    key = identifier(log.key)
    parts.extend(
        f"case when {key} is null then {identifier(name)} end" for name in log.fallback_key
    )
    return parts


def _hash(log: Log) -> str:
    whole = ", ".join(["source", *(identifier(n) for n in (*log.key_with, log.key))])
    if not log.fallback_key:
        return f"hash({whole})"
    fallback = ", ".join(["source", *(identifier(name) for name in log.fallback_key)])
    return (
        f"case when {identifier(log.key)} is not null then hash({whole}) else hash({fallback}) end"
    )
