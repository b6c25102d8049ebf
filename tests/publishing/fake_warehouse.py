"""A small warehouse and dbt manifest of the tests' own, in generations that cannot be confused.

Belongs here: building generation N of the warehouse, and the child processes of the tests (a run
that holds the warehouse and publishes, a reader that loops), started as scripts of this module.
Does not belong here: expectations.

Generation N has `100 + N` conversations and as many other rows as the figures below say, and every
table carries N: a reader that sees two generations at once can tell.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from throughline.published.manifest import current
from throughline.publishing import publish as publishing
from throughline.settings import (
    PUBLISHED_ROW_GROUP_ROWS,
    PUBLISHED_STORAGE_VERSION,
    Settings,
    load_settings,
)

Child = Callable[..., "subprocess.Popen[str]"]

LEDGER = """
    create schema raw;
    create table raw.loads (
        load_no bigint, log varchar, status varchar, rows_rejected bigint
    );
    create table raw.publications (
        publication_no bigint, data_version varchar, run_id varchar, last_load_no bigint,
        published_at timestamp
    );
    create table raw.published_ids (
        conversation_id varchar, source varchar, contact_id varchar, publication_no bigint
    );
    create table raw.id_merges (
        old_conversation_id varchar, new_conversation_id varchar, source varchar,
        merged_at timestamp, evidence varchar, transfer_id varchar, publication_no bigint
    );
"""
GENERATION = """
    create schema if not exists intermediate;
    create schema if not exists outgoing.intermediate;
    create table if not exists outgoing.intermediate.int_conversation_ids__merged (
        old_conversation_id varchar, new_conversation_id varchar, source varchar,
        merged_at timestamp, evidence varchar, transfer_id varchar
    );
    create schema if not exists outgoing.marts;
    create schema if not exists outgoing.reports;
    create schema if not exists outgoing.metrics;
    create or replace table outgoing.marts.conversations as
    select
        'desk:' || number as conversation_id,
        'desk' as source,
        number::varchar as anchor_contact_id,
        timestamp '2026-03-01 08:00:00' + interval (number * 20) minute as started_at,
        $generation::integer as generation,
        ['bot', 'agent ' || (number % 7)] as agent_path,
        (number % 50)::decimal(18, 4) as transaction_amount,
        if(number % 3 = 0, null, 'Léa, d''accord « merci » ' || number) as note
    from range(100 + $generation) as numbers (number)
    order by number;
    create or replace table outgoing.marts.messages as
    select
        'not for readers' as secret,
        'desk:' || number // 20 as conversation_id,
        (number % 20)::integer as message_no,
        number as place,
        $generation::integer as generation,
        'Bonjour ' || hash(number) as body
    from range($messages) as numbers (number)
    order by conversation_id, message_no;
    create or replace table intermediate.int_secret as select 'not for readers' as body;
    create or replace table outgoing.marts.mart_private as select 'not for readers' as body;
    create or replace view outgoing.reports.statistical_report as
    select
        date '2026-03-01' as period_start,
        count(*) as conversations,
        any_value(generation) as generation
    from outgoing.marts.conversations;
"""


def settings_of(home: Path, **environ: str) -> Settings:
    """The settings of a warehouse in `home`."""
    return load_settings(
        {
            "WAREHOUSE_DIR": str(home),
            "DUCKDB_THREADS": "2",
            "MEMORY_LIMIT": "1GB",
            **environ,
        }
    )


def build(settings: Settings, generation: int, *, messages: int = 2000) -> None:
    """Make the warehouse hold this generation, as a whole dbt run would."""
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    new = not settings.warehouse_file.exists()
    settings.outgoing_file.unlink(missing_ok=True)
    with connect(settings) as connection:
        fill(connection, generation, messages=messages, new=new)
    if not (settings.dbt_target_dir / "manifest.json").exists():
        write_dbt_manifest(settings)


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both files for writing, as dbt opens them."""
    with duckdb.connect(str(settings.warehouse_file), config={"threads": 2}) as connection:
        connection.execute(
            f"attach '{settings.outgoing_file}' as outgoing"
            f" (storage_version '{PUBLISHED_STORAGE_VERSION}',"
            f" row_group_size {PUBLISHED_ROW_GROUP_ROWS})"
        )
        yield connection


def fill(
    connection: duckdb.DuckDBPyConnection, generation: int, *, messages: int = 2000, new: bool
) -> None:
    """Write this generation through an open connection."""
    if new:
        connection.execute(LEDGER)
    # By name: landing adds the columns that a warehouse lacks.
    connection.execute(
        "insert into raw.loads (load_no, log, status, rows_rejected)"
        " values ($1, 'contacts', 'loaded', 0)",
        [generation],
    )
    for statement in GENERATION.split(";"):
        if statement.strip():
            names = {"generation": generation, "messages": messages}
            used = {name: value for name, value in names.items() if f"${name}" in statement}
            connection.execute(statement, used or None)


def publish(*order_by: str, **more: list[str] | str) -> dict[str, Any]:
    """A model's configuration that says how it is published."""
    return {"meta": {"publish": {"order_by": list(order_by), **more}}}


def model(schema: str, name: str, *order_by: str, **overrides: Any) -> dict[str, Any]:
    """A model's node in dbt's manifest, as far as publishing reads it."""
    return {
        "resource_type": "model",
        "schema": schema,
        "name": name,
        "alias": name,
        "access": "public",
        "description": f'One row per thing in {name}. It isn\'t "more".',
        "columns": {},
        "config": publish(*(order_by or ("conversation_id",))),
        **overrides,
    }


def metric(description: str = "How many\n conversations closed.") -> dict[str, Any]:
    """A metric's node in dbt's manifest."""
    return {
        "name": "conversations",
        "label": "Conversations",
        "description": description,
        "type": "simple",
        "type_params": {
            "expr": "conversation_id",
            "metric_aggregation_params": {"agg": "count", "agg_params": {"percentile": None}},
        },
        "config": {
            "meta": {
                "grain": "conversation",
                "anchor": "closed_on",
                "unit": "conversations",
                "source": "the platform",
                "column": "statistical_report.conversations",
            }
        },
    }


def write_dbt_manifest(
    settings: Settings, counted: dict[str, Any] | None = None, **more: dict[str, Any]
) -> None:
    """dbt's manifest of the fake models, with private ones among them, and of one metric."""
    column = {
        "conversation_id": {
            "name": "conversation_id",
            "description": "The one id; it's `source:anchor`.",
        }
    }
    nodes = {
        "conversations": model(
            "marts",
            "conversations",
            columns=column,
            config=publish("started_at", "conversation_id", by_day_of="started_at"),
        ),
        "messages": model(
            "marts",
            "messages",
            config=publish("conversation_id", "message_no", **{"except": ["secret", "place"]}),
        ),
        "report": model(
            "reports",
            "statistical_report",
            "period_start",
            columns={"conversations": {"name": "conversations", "description": ""}},
        ),
        "private": model("marts", "mart_private", access="protected"),
        "intermediate": model("intermediate", "int_secret", access="private"),
        "merged": model("intermediate", "int_conversation_ids__merged", access="private"),
        "test": {"resource_type": "test", "schema": "marts", "name": "unique"},
        **more,
    }
    settings.dbt_target_dir.mkdir(parents=True, exist_ok=True)
    (settings.dbt_target_dir / "manifest.json").write_text(
        json.dumps({"nodes": nodes, "metrics": {"conversations": counted or metric()}}),
        encoding="utf-8",
    )


def leftovers(settings: Settings) -> list[str]:
    """What lies in `published/` beside what belongs there."""
    expected = {"versions", "parquet", "throughline.duckdb", "manifest.json", "ids"}
    return sorted(
        path.name for path in settings.published_dir.iterdir() if path.name not in expected
    )


def read_generations(database: Path) -> set[int]:
    """Every generation that a reader of one snapshot sees, over all its tables."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select generation from marts.conversations union select generation from marts.messages"
            " union select generation from reports.statistical_report"
            " union select count(*) - 100 from marts.conversations"
            " union select conversations - 100 from reports.statistical_report"
        ).fetchall()
    return {int(row[0]) for row in rows}


# --- child processes ------------------------------------------------------------------------------


def run_loop(home: Path, publishes: int, first: int) -> None:
    """Be a run again and again: hold the warehouse for writing, then publish a new generation."""
    settings = settings_of(home)
    for generation in range(first, first + publishes):
        with connect(settings) as connection:
            fill(connection, generation, new=False)
            print(f"writing {generation}", flush=True)
            time.sleep(0.15)
        publishing.publish(settings, run_id=f"run-{generation}")
        print(f"published {generation}", flush=True)


def hold(home: Path) -> None:
    """Hold the warehouse for writing until the file `stop` appears."""
    with duckdb.connect(str(settings_of(home).warehouse_file)):
        print("held", flush=True)
        while not (home / "stop").exists():
            time.sleep(0.02)


def run_until_stopped(home: Path) -> None:
    """Be such a run until the file `stop` appears beside the warehouse."""
    generation = 1000
    while not (home / "stop").exists():
        run_loop(home, 1, generation)
        generation += 1


def read_loop(home: Path) -> None:
    """Read the current snapshot and the version that the manifest names, until `stop` appears.

    Prints one JSON object: how often it read, and the generations in the order in which they
    came. Any failure or any mix of generations ends it with a traceback.
    """
    settings = settings_of(home)
    reads, seen = 0, []
    while not (home / "stop").exists():
        generations = read_generations(settings.published_file)
        assert len(generations) == 1, f"two generations at once: {generations}"
        seen.append(generations.pop())
        publication = current(settings)
        assert publication is not None
        published = settings.published_dir
        assert len(read_generations(published / publication.database)) == 1
        for one in publication.models:
            rows = duckdb.sql(
                "select count(*) from read_parquet($files)",
                params={"files": [str(published / file.path) for file in one.files]},
            ).fetchall()
            assert rows == [(one.row_count,)]
        reads += 1
    print(json.dumps({"reads": reads, "seen": seen}))


def publish_and_die(home: Path, step: int) -> None:
    """Publish, and be killed at the given step: a line of progress or a change of a file name."""
    countdown = step

    def tick(*_: object) -> None:
        nonlocal countdown
        countdown -= 1
        if countdown < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    system_replace = os.replace

    def replace(*names: Any) -> None:
        tick()
        system_replace(*names)
        tick()

    os.replace = replace  # type: ignore[assignment]
    publishing.publish(settings_of(home), run_id="killed", progress=tick)


def publish_with_file_limit(home: Path, limit: int) -> None:
    """Publish with a limit on the size of any file, which fails like a full disk."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    publishing.publish(settings_of(home), run_id="full-disk")


if __name__ == "__main__":
    command, path, *numbers = sys.argv[1:]
    globals()[command](Path(path), *(int(number) for number in numbers))
