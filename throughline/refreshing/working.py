"""The working set: the raw rows of what is touched, in a warehouse of their own that dbt builds.

Belongs here: making it, and telling dbt of it. Does not belong here: what is touched (touching),
what becomes of the result (merging).

The layout, below `Settings.working_dir`, which is gone when a refresh has ended:

    warehouse.duckdb    raw: the rows of touched conversations; kept: what stays, and what gives way
    outgoing.duckdb     the public models of these conversations, as dbt built them
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from throughline import engine, landing
from throughline.engine.sql import sql
from throughline.refreshing import selection, ties, touching
from throughline.refreshing.declared import Merged, declared
from throughline.settings import Settings

# Taken whole: small, and looked at as a whole.
_WHOLE = ("agents", "loads", "delays", "publications", "id_merges", "restatements")
# Taken by whose they are.
_TOUCHED = {**ties.HOLDERS, "published_ids": ties.contact("source", "contact_id")}
# The tables of which dbt is shown the rows that stay (`with_kept`), each with those that do not.
_SHOWN = {
    "marts.contacts": "where rowid not in (select place from kept.gone_contacts)",
    "marts.conversations": "where rowid not in (select place from kept.gone_conversations)",
    # Days that are touched are built whole, which the model knows.
    "metrics.contact_metrics": "",
    "metrics.conversation_metrics": "",
}


@dataclass(frozen=True)
class WorkingSet:
    """What a refresh builds.

    Attributes:
        contacts: of the public models, how many stand in touched conversations now.
        all_contacts: how many there are.
        rows: raw rows that dbt reads, by log.
        basis: of code and registry.
    """

    contacts: int
    all_contacts: int
    rows: Mapping[str, int]
    basis: str


def make(
    settings: Settings,
    manifest: Mapping[str, Any],
    *,
    shown: int,
    basis: str,
    chosen: selection.Selection,
) -> WorkingSet:
    """Find out what is touched, and make the working set.

    Args:
        settings: where things are. Nothing has the warehouse open.
        manifest: dbt's.
        shown: the newest load that the public models show.
        basis: of code and registry.
        chosen: what is built again though nothing new touches it.

    Raises:
        ties.TooFarError: a full build is quicker.
        selection.SelectionError: something was chosen, and no contact is of it.
    """
    models = {model.name: model for model in declared(manifest)}
    with engine.connect(settings, settings.warehouse_file) as connection:
        ties.bring_up_to_date(connection)
        engine.attach(connection, settings.outgoing_file, "live")
        touching.find(connection, models, shown, chosen)
        rows = extract(connection, settings, models)
        return WorkingSet(
            engine.one(connection, "select count(*) from gone_contacts"),
            engine.one(connection, "select count(*) from live.marts.contacts"),
            rows,
            basis,
        )


def extract(
    connection: duckdb.DuckDBPyConnection, settings: Settings, models: Mapping[str, Merged]
) -> dict[str, int]:
    """Make the files of a working set from what `touching` has found; raw rows by log.

    Args:
        connection: one that has the raw tables, and the public models as `live`.
        settings: where the working set goes.
        models: the models that are merged, by name; without any, all raw rows are taken.
    """
    remove(settings)
    settings.working_dir.mkdir(parents=True)
    file = settings.working_dir / settings.warehouse_file.name
    with engine.connect(settings, file) as working:
        landing.prepare(working)
    engine.attach(connection, file, "working", "read_write")
    rows = {}
    conditions = {
        **dict.fromkeys(_WHOLE, "true"),
        **{table: f"{holder} in (from touched)" for table, holder in _TOUCHED.items()},
    }
    for table, condition in conditions.items():
        copied = connection.execute(
            sql(
                "insert into working.raw.@{table} by name from raw.@{table} where @{condition}",
                table=table,
                condition=condition if models else "true",
            )
        ).fetchone()
        assert copied is not None
        rows[table] = copied[0]
    if models:
        _keep(connection, models)
    connection.execute("detach working")
    return rows


def _keep(connection: duckdb.DuckDBPyConnection, models: Mapping[str, Merged]) -> None:
    """Make the schema `kept` of the working set."""
    connection.execute("create schema working.kept")
    for name, model in models.items():
        if model.is_by_row:
            connection.execute(
                sql(
                    "create table working.kept.gone_@{name} as"
                    " select place, start::date as day from gone_@{name}",
                    name=name,
                )
            )
    connection.execute("create table working.kept.int_sources__dated as from kept_events")
    connection.execute(_PLACED)
    connection.execute(_DAYS)


_PLACED = """
    create table working.kept.int_contacts__placed as
    with contacts as (
        from live.marts.contacts where rowid in (select place from gone_contacts)
    ),
    conversations as (
        from live.marts.conversations where rowid in (select place from gone_conversations)
    ),
    gone_contacts_placed as (
        select
            contacts.source,
            contacts.started_on,
            conversations.closed_on,
            conversations.is_waiting,
            -count(*) as contacts
        from contacts
        inner join conversations using (conversation_id)
        group by all
    )
    select source, started_on, closed_on, is_waiting, sum(contacts)::bigint as contacts
    from (
        from live.intermediate.int_contacts__placed
        union all by name
        from gone_contacts_placed
    )
    group by all
    having sum(contacts) <> 0
"""
_DAYS = """
    create table working.kept.days as
    with days as (
        select started_on as day, false as is_touched from live.metrics.contact_metrics
        union
        select closed_on, false from live.metrics.conversation_metrics
        union
        select started_on, true from live.marts.contacts
        where rowid in (select place from gone_contacts)
        union
        select closed_on, true from live.marts.conversations
        where rowid in (select place from gone_conversations) and is_closed
    )
    select day, bool_or(is_touched) as is_touched from days group by day
"""


def environment(settings: Settings) -> dict[str, str]:
    """The variables by which dbt builds the working set, over those of the settings."""
    return {
        "THROUGHLINE_WAREHOUSE_FILE": str(settings.working_dir / settings.warehouse_file.name),
        "THROUGHLINE_OUTGOING_FILE": str(settings.working_dir / settings.outgoing_file.name),
        "THROUGHLINE_LIVE_FILE": str(settings.outgoing_file),
        "THROUGHLINE_WORKING_SET": "touched",
    }


def show_what_stays(connection: duckdb.DuckDBPyConnection, live: str) -> None:
    """Give dbt's connection the rows that stay, in the schema `kept` of the working set.

    Args:
        connection: dbt's, to the working set.
        live: the file of the public models.
    """
    engine.attach(connection, Path(live), "live")
    for table, condition in _SHOWN.items():
        connection.execute(
            sql(
                "create or replace view kept.@{name} as from live.@{table} @{condition}",
                name=table.partition(".")[2],
                table=table,
                condition=condition,
            )
        )


def remove(settings: Settings) -> None:
    """Remove the working set, whoever left it."""
    shutil.rmtree(settings.working_dir, ignore_errors=True)
