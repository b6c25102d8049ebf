"""Runs `baseline.sql`, the hand-written yardstick, as a program of its own.

Belongs here: the input views, the loop of the component search, the time of each step. Does not
belong here: the SQL of the marts and reports (`baseline.sql`), measuring memory (`processes.py`).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from throughline.engine.sql import identifier, sql
from throughline.landing.logs import LOGS, Kind, Log

SCRIPT = Path(__file__).with_name("baseline.sql")
VOCABULARY = Path(__file__).parent.parent / "dbt_project" / "seeds" / "codes.csv"

PREPARATION = """
set TimeZone = 'UTC';
create schema input;
create schema reference;
create schema work;
create schema marts;
create schema reports;
create macro work.seconds_since(earlier, later) as
    case
        when earlier > later then 0
        else (epoch_us(later) - epoch_us(earlier)) / 1e6
    end;
create table reference.sources (
    source varchar,
    time_zone varchar,
    currency varchar,
    reject_visitor_mismatch boolean,
    max_gap_days integer,
    waiting_days integer
);
create table reference.projects (
    source varchar,
    project_id varchar,
    project_name varchar,
    time_zone varchar,
    currency varchar
);
"""

# Each round hooks every node to the neighbour with the smallest hash of the round and contracts
# what was hooked. A node that is its own smallest stays.
HOOK = """
create table work.hooks_{number:d} as
select node, if(hash(best, {number:d}) < hash(node, {number:d}), best, node) as hooked_to
from (
    select node, arg_min(neighbour, hash(neighbour, {number:d})) as best
    from (
        select node_a as node, node_b as neighbour from {edges}
        union all
        select node_b, node_a from {edges}
    )
    group by node
);
create table work.edges_{number:d} as
select distinct
    least(hooks_a.hooked_to, hooks_b.hooked_to) as node_a,
    greatest(hooks_a.hooked_to, hooks_b.hooked_to) as node_b
from {edges} as edges
inner join work.hooks_{number:d} as hooks_a on hooks_a.node = edges.node_a
inner join work.hooks_{number:d} as hooks_b on hooks_b.node = edges.node_b
where hooks_a.hooked_to <> hooks_b.hooked_to;
"""
FOLLOW = """
create table work.followed as
select hooks.node, coalesce(components.component, hooks.hooked_to) as component
from work.hooks_{number:d} as hooks
left join work.components as components on components.node = hooks.hooked_to;
drop table work.components;
drop table work.hooks_{number:d};
alter table work.followed rename to components;
"""

# What one writes first: everything that a node reaches. On a chain of n that is n * n rows.
RECURSION = """
create table work.components as
with recursive reached as (
    select node_a as node, node_a as origin from work.edges
    union
    select node_b, node_b from work.edges
    union
    select neighbours.neighbour, reached.origin
    from reached
    inner join (
        select node_a as node, node_b as neighbour from work.edges
        union all
        select node_b, node_a from work.edges
    ) as neighbours on neighbours.node = reached.node
)
select node, min(origin) as component
from reached
group by node;
"""


def write_marts(
    landing: Path,
    registry: Path,
    database: Path,
    *,
    components: str,
    memory_limit: str,
    threads: int,
) -> dict[str, float]:
    """Write the marts and reports into a new DuckDB file.

    Args:
        landing: the logs, all of them Parquet.
        registry: the folder of sources.csv and projects.csv.
        database: the file to write; must not exist.
        components: `contraction` or `recursion`.
        memory_limit: DuckDB's memory limit.
        threads: DuckDB's threads.

    Returns:
        Seconds by step, in order.
    """
    seconds: dict[str, float] = {}
    with duckdb.connect(
        str(database),
        config={
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(database.with_suffix(".tmp")),
        },
    ) as connection:
        connection.execute(PREPARATION)
        connection.execute("set variable started = cast(now() as timestamp)")
        _read_reference(connection, registry)
        for log in LOGS.values():
            connection.execute(_input_view(connection, log, landing))
        for name, statements in _steps():
            began = time.monotonic()
            connection.execute(statements)
            seconds[name] = time.monotonic() - began
            if name == "edges":
                began = time.monotonic()
                if components == "recursion":
                    connection.execute(RECURSION)
                else:
                    _contract(connection)
                seconds["components"] = time.monotonic() - began
        began = time.monotonic()
        connection.execute("drop schema work cascade")
        connection.execute("drop schema input cascade")
        connection.execute("checkpoint")
        seconds["checkpoint"] = time.monotonic() - began
    return seconds


def _contract(connection: duckdb.DuckDBPyConnection) -> None:
    number, edges = 0, "work.edges"
    while True:
        number += 1
        connection.execute(HOOK.format(number=number, edges=edges))
        edges = f"work.edges_{number:d}"
        left = connection.execute(sql("select 1 from @{edges} limit 1", edges=edges)).fetchone()
        if left is None:
            break
    connection.execute(f"alter table work.hooks_{number:d} rename to components")
    connection.execute("alter table work.components rename hooked_to to component")
    for earlier in range(number - 1, 0, -1):
        connection.execute(FOLLOW.format(number=earlier))


def _steps() -> Iterator[tuple[str, str]]:
    """(name, statements) of each step of the script."""
    text = SCRIPT.read_text(encoding="utf-8")
    parts = re.split(r"^-- step: (.+)$", text, flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _read_reference(connection: duckdb.DuckDBPyConnection, registry: Path) -> None:
    connection.execute(
        "create table reference.codes as from read_csv($file, all_varchar = true)",
        {"file": str(VOCABULARY)},
    )
    for name in ("sources", "projects"):
        connection.execute(
            sql(
                "insert into reference.@{name} by name"
                " from read_csv($file, header = true, all_varchar = true)",
                name=name,
            ),
            {"file": str(registry / f"{name}.csv")},
        )


def _input_view(connection: duckdb.DuckDBPyConnection, log: Log, landing: Path) -> str:
    """A view of a log: every column of the contract, the source, and the place in the files."""
    files = sorted(str(path) for path in landing.glob(f"*/{log.name}/**/*.parquet"))
    read = "read_parquet([" + ", ".join(map(_literal, files)) + "], union_by_name = true)"
    given = (
        {row[0] for row in connection.execute(f"describe from {read}").fetchall()}
        if files
        else set()
    )
    columns = ", ".join(
        f"{identifier(column.name) if column.name in given else 'null'}::{_type(column.kind)}"
        f" as {identifier(column.name)}"
        for column in log.columns
    )
    if not files:
        return sql(
            "create view input.@{log} as select @{columns}, null::varchar as source,"
            " null::bigint as file_no, null::bigint as row_no where false",
            log=log.name,
            columns=columns,
        )
    return sql(
        "create view input.@{log} as select @{columns}, file_index::bigint as file_no,"
        " file_row_number as row_no,"
        " split_part(filename[@{start}:], '/', 1) as source from @{read}",
        log=log.name,
        columns=columns,
        start=str(len(str(landing)) + 2),
        read=read,
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _type(kind: Kind) -> str:
    return {
        Kind.INSTANT: "timestamp",
        Kind.SCORE: "double",
        Kind.AMOUNT: "decimal(18, 4)",
        Kind.BOOLEAN: "boolean",
    }.get(kind, "varchar")


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: writes the database and, beside it, the seconds of each step as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.baseline", description=__doc__)
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--components", choices=("contraction", "recursion"), required=True)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(arguments)
    seconds = write_marts(
        options.landing,
        options.registry,
        options.database,
        components=options.components,
        memory_limit=options.memory_limit,
        threads=options.threads,
    )
    options.database.with_suffix(".json").write_text(json.dumps(seconds, indent=2) + "\n")


if __name__ == "__main__":
    main()
