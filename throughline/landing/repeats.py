"""How many loaded rows repeat a business key that was there already, and how late others came.

Belongs here: counting for the ledger. Does not belong here: choosing the version that wins, and
what the delays say of a source, which dbt does.

The count runs once per log and run, over all new loads together. Keys are compared by a 64-bit
hash first, which is one aggregation over numbers; only rows whose hash occurs twice are compared
by their real key, so the count is exact whatever the hashes do. A time in a key counts as the
instant that it means, as it does for dbt.

The first row of a key is the one that brought its record: how long after the event its load came is
counted here, where the first rows are known anyway. It never changes: no later load makes another
row the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from throughline.engine.sql import Bindings, identifier, sql
from throughline.landing.logs import Log

# Hashes that are aggregated at once; more would not fit into a memory limit of a few GB.
_HASHES_AT_ONCE = 40_000_000
# Delays are counted by the hour for two days, by the day for a month, by the month beyond: each is
# rounded up, and an event after its load has none.
_HOURS = """
    case
        when hours <= 0 then 0
        when hours <= 48 then hours
        when hours <= 720 then ceil(hours / 24) * 24
        else ceil(hours / 720) * 720
    end
"""


@dataclass(frozen=True)
class Counts:
    """What some loads of a log brought.

    Attributes:
        repeats: rows whose key an earlier row has, by load number; a load without any may be left
            out.
        delays: of the other rows (load number, hours from the event to the load, rounded up, rows);
            empty for a log without events.
    """

    repeats: Mapping[int, int]
    delays: Sequence[tuple[int, int, int]]


def count(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    load_nos: Sequence[int],
    time_zones: Mapping[str, str],
) -> Counts:
    """Count the rows of some loads whose business key an earlier row has, and how late others came.

    Args:
        connection: the warehouse.
        log: the log that all the loads belong to.
        load_nos: the loads; all other loads of the log count as history.
        time_zones: by source, the zone in which its clocks are read; UTC where there is none.
    """
    rows = _Rows.of(log, time_zones)
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
        return Counts({}, [])
    connection.execute("create or replace temporary table repeated_hashes (hash ubigint not null)")
    connection.execute(
        "create or replace temporary table repeated_rows (load_no bigint, row_id bigint)"
    )
    try:
        _find_repeated_hashes(connection, log, rows, values, new_rows, all_rows)
        _find_repeated_rows(connection, log, rows, values)
        return Counts(_repeats(connection), _delays(connection, log, rows, values))
    finally:
        connection.execute("drop table if exists repeated_hashes")
        connection.execute("drop table if exists repeated_rows")


@dataclass(frozen=True)
class _Rows:
    """The rows of a log, the times of its key in UTC: a relation, and the values bound in it."""

    relation: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, log: Log, time_zones: Mapping[str, str]) -> _Rows:
        raw = sql("raw.@{log}", log=log.name)
        key = {*log.key_with, *log.fallback_key, log.event}
        instants = [(name, bit) for name, bit in log.timestamp_bits.items() if name in key]
        if not instants or not time_zones:
            return cls(raw, {})
        bindings = Bindings()
        cases = " ".join(
            f"when {bindings.bind(source)} then {bindings.bind(zone)}"
            for source, zone in sorted(time_zones.items())
        )
        zone = f"case source {cases} end"
        replaced = ", ".join(
            f"case when local_times & {bit} = 0 then {name} "
            f"else coalesce(timezone('UTC', timezone({zone}, {name})), {name}) end as {name}"
            for name, bit in instants
        )
        relation = sql("(select * replace (@{replaced}) from @{raw})", replaced=replaced, raw=raw)
        return cls(relation, bindings.values)


def _find_repeated_hashes(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    rows: _Rows,
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
                from (select @{hashed} as hash from @{rows} where @{relevant})
                where hash % @{passes} = @{number}
                group by hash
                having count(*) > 1
                """,
                hashed=hashed,
                rows=rows.relation,
                relevant=relevant,
                passes=str(passes),
                number=str(number),
            ),
            {**rows.values, **(values if is_small_part else {})},
        )
    if is_small_part:
        connection.execute(
            sql(
                """
                insert into repeated_hashes
                select distinct hash
                from (
                    select @{hashed} as hash from @{rows}
                    where load_no not in (select unnest($loads))
                )
                where hash in (
                    select @{hashed} from @{rows} where load_no in (select unnest($loads))
                )
                """,
                hashed=hashed,
                rows=rows.relation,
            ),
            {**rows.values, **values},
        )


def _find_repeated_rows(
    connection: duckdb.DuckDBPyConnection, log: Log, rows: _Rows, values: dict[str, list[int]]
) -> None:
    """Collect the rows of the new loads that are not the first with their key."""
    keys = ", ".join(_key(log))
    connection.execute(
        sql(
            """
            insert into repeated_rows
            with candidates as (
                select row_id, load_no, row(@{keys}) as key
                from @{rows}
                where @{hashed} in (select hash from repeated_hashes)
            ),

            firsts as (
                select min(row_id) as row_id from candidates group by key
            )

            select load_no, row_id
            from candidates
            where load_no in (select unnest($loads))
                and row_id not in (select row_id from firsts)
            """,
            keys=keys,
            rows=rows.relation,
            hashed=_hash(log),
        ),
        {**rows.values, **values},
    )


def _repeats(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    found = connection.execute("select load_no, count(*) from repeated_rows group by load_no")
    return {int(load_no): int(rows) for load_no, rows in found.fetchall()}


def _delays(
    connection: duckdb.DuckDBPyConnection, log: Log, rows: _Rows, values: dict[str, list[int]]
) -> list[tuple[int, int, int]]:
    if log.event is None:
        return []
    return [
        (int(load_no), int(hours), int(records))
        for load_no, hours, records in connection.execute(
            sql(
                """
                with firsts as (
                    select
                        load_no,
                        ceil(
                            (epoch_us(loads.loaded_at) - epoch_us(records.@{event})) / 3600000000.0
                        ) as hours
                    from @{rows} as records
                    join raw.loads using (load_no)
                    where load_no in (select unnest($loads))
                        and row_id not in (select row_id from repeated_rows)
                )

                select load_no, cast(@{hours} as integer) as hours, count(*)
                from firsts
                group by all
                order by all
                """,
                event=identifier(log.event),
                rows=rows.relation,
                hours=_HOURS,
            ),
            {**rows.values, **values},
        ).fetchall()
    ]


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
