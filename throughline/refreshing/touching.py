"""Which conversations new rows touch, and which rows of the public models those are.

Belongs here: what sets a conversation off, from the rows of loads that the marts do not show yet.
Does not belong here: what hangs together with it (ties), the rows that are built then (working).

The result is what it has to be or more: a conversation too many is built anew and is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from throughline import engine
from throughline.engine.sql import sql
from throughline.refreshing import selection, ties
from throughline.refreshing.declared import Merged

_NAMED = sql(
    "create or replace temp table touched as @{new}",
    new=" union ".join(
        sql(
            "select @{holder} as thing from raw.@{log} where load_no > $shown",
            log=log,
            holder=holder,
        )
        for log, holder in ties.HOLDERS.items()
    ),
)

# An agent's kind and group show on each of the agent's contacts. A record that only says what the
# last one said changes nothing: most sources deliver all agents every day.
_OF_AGENTS = sql(
    """
    insert into touched
    with versions as (
        select
            source,
            agent_id,
            load_no,
            @{content} as content,
            lag(@{content}) over (
                partition by source, agent_id, valid_from, local_times & 1
                order by load_no, row_id
            ) as earlier_content
        from raw.agents
    ),
    changed as (
        select distinct source, agent_id from versions
        where load_no > $shown and content is distinct from earlier_content
    )
    select @{here}
    from live.marts.contacts as contacts
    semi join changed on contacts.source = changed.source and contacts.agent_id = changed.agent_id
    """,
    here=ties.contact("source", "contact_id"),
    content="hash(agent_kind, display_name, group_id, group_name, updated_at, local_times)",
)

# What the current records date (int_sources__dated): the newest event of a source says who waits.
_EVENTS = {
    "contacts": ("started_at", "answered_at", "ended_at"),
    "transfers": ("requested_at",),
    "messages": ("sent_at",),
    "ratings": ("answered_at",),
    "transactions": ("occurred_at",),
}


def find(
    connection: duckdb.DuckDBPyConnection,
    models: Mapping[str, Merged],
    shown: int,
    chosen: selection.Selection,
) -> None:
    """Find all that rows of loads above `shown` touch, and what somebody has chosen beside that.

    Args:
        connection: the warehouse for writing, its ties up to date, with the public models attached
            as `live`.
        models: the models that are merged, by name.
        shown: the newest load that the public models show.
        chosen: what is built again though nothing new touches it.

    Makes the temporary tables `touched` (thing), `gone` (the conversations that give way:
    conversation_id, conversation_started_at), `gone_<model>` (the places, in `live`, of the rows
    that give way) and `kept_events` (`int_sources__dated` without them).

    Raises:
        ties.TooFarError: what hangs together is too long a chain.
        selection.SelectionError: something was chosen, and no contact is of it.
    """
    connection.execute(_NAMED, {"shown": shown})
    connection.execute(_OF_AGENTS, {"shown": shown})
    if not chosen.is_empty:
        _add_chosen(connection, chosen)
    connection.execute("delete from touched where thing is null")
    ties.reach(connection)
    _find_rows(connection, models)
    while _add_expiring(connection):
        ties.reach(connection)
        _find_rows(connection, models)


def _add_chosen(connection: duckdb.DuckDBPyConnection, chosen: selection.Selection) -> None:
    query, values = selection.contacts(chosen, "live")
    added = connection.execute(
        sql(
            "insert into touched select @{here} from (@{contacts})",
            here=ties.contact("source", "contact_id"),
            contacts=query,
        ),
        values,
    ).fetchone()
    if added is None or not added[0]:
        raise selection.nobody(chosen)


def find_around(connection: duckdb.DuckDBPyConnection, models: Mapping[str, Merged]) -> None:
    """Find all that hangs together with what the temporary table `touched` holds, as `find` does.

    Raises:
        ties.TooFarError: it is too long a chain.
    """
    ties.reach(connection)
    _find_rows(connection, models)


def _find_rows(connection: duckdb.DuckDBPyConnection, models: Mapping[str, Merged]) -> None:
    """Make `gone`, `gone_<model>` and `kept_events` from `touched`."""
    connection.execute(
        sql(
            """
            create or replace temp table gone as
            select distinct conversation_id, conversation_started_at
            from live.marts.contacts where @{holds}
            """,
            holds=models["contacts"].holds,
        )
    )
    connection.execute(
        "create or replace temp table starts as select distinct conversation_started_at from gone"
    )
    for name, model in models.items():
        if not model.is_by_row:
            continue
        columns = f"rowid as place, {model.start or 'null::timestamp'} as start"
        if name in _EVENTS:
            columns += f", source, changed_load_no as load_no, {_newest(_EVENTS[name])} as event_at"
        connection.execute(
            sql(
                "create or replace temp table gone_@{name} as @{rows}",
                name=name,
                rows=model.touched_rows(columns),
            )
        )
    _keep_events(connection)


def _newest(columns: tuple[str, ...]) -> str:
    """SQL of the newest of some times, nulls left out."""
    return f"greatest({', '.join(columns)})" if len(columns) > 1 else columns[0]


def _keep_events(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `kept_events`: `int_sources__dated` over the rows that stay.

    Only where a row that gives way was the newest of its load, the others of that load are read.
    """
    connection.execute(
        sql(
            """
            create or replace temp table lowered as
            select distinct dated.source, dated.load_no
            from live.intermediate.int_sources__dated as dated
            inner join (@{gone}) as gone
                on dated.source = gone.source and dated.load_no = gone.load_no
            where gone.event_at >= dated.event_at
            """,
            gone=" union all ".join(
                sql("select source, load_no, event_at from gone_@{name}", name=name)
                for name in _EVENTS
            ),
        )
    )
    others = " union all ".join(
        sql(
            """
            select source, changed_load_no as load_no, max(@{event}) as event_at
            from live.marts.@{table}
            where
                changed_load_no in (select load_no from lowered)
                and rowid not in (select place from gone_@{table})
            group by source, changed_load_no
            """,
            event=_newest(events),
            table=table,
        )
        for table, events in _EVENTS.items()
    )
    connection.execute(
        sql(
            """
            create or replace temp table kept_events as
            select dated.source, dated.load_no, dated.event_at
            from live.intermediate.int_sources__dated as dated
            anti join lowered on dated.source = lowered.source and dated.load_no = lowered.load_no
            union all
            select source, load_no, max(event_at) as event_at
            from (@{others}) as others
            semi join lowered using (source, load_no)
            where event_at is not null
            group by source, load_no
            """,
            others=others,
        )
    )


def _add_expiring(connection: duckdb.DuckDBPyConnection) -> bool:
    """Add waiting conversations whose end may come, go or move; whether there are any.

    By which load one expired follows from the newest events of its source. What they will be is not
    known before the models are built, but it lies between two limits: what stays alone, and that
    with every event that any version of a touched record dates.
    """
    versions = " union all ".join(
        sql(
            # A wall clock reading is never further from UTC.
            """
            select source, load_no, max(@{event}) + interval 26 hours as event_at
            from raw.@{table} where @{holder} in (from touched) group by source, load_no
            """,
            event=_newest(_EVENTS[table]),
            table=table,
            holder=holder,
        )
        for table, holder in ties.HOLDERS.items()
    )
    connection.execute(
        sql(
            """
            create or replace temp table limits as
            with events as (
                select 'least' as kind, source, load_no, event_at from kept_events
                union all
                select 'most', source, load_no, event_at from kept_events
                union all
                select 'most', source, load_no, max(event_at) from (@{versions}) as versions
                where event_at is not null
                group by source, load_no
            ),
            newest as (
                select
                    kind,
                    source,
                    load_no,
                    max(event_at) over (partition by kind, source order by load_no) as event_at
                from events
            )
            select kind, source, event_at, min(load_no) as load_no
            from newest
            group by kind, source, event_at
            """,
            versions=versions,
        )
    )
    connection.execute(
        sql(
            """
            create or replace temp table expiring as
            with suspended as (
                select conversation_id, started_at, source, expired_load_no, expires_at
                from live.marts.conversations
                where expires_at is not null
            ),
            moved as (
                select suspended.conversation_id, suspended.started_at
                from suspended
                cross join (values ('least'), ('most')) as kinds (kind)
                asof left join limits
                    on suspended.source = limits.source
                    and kinds.kind = limits.kind
                    and suspended.expires_at <= limits.event_at
                where suspended.expired_load_no is distinct from limits.load_no
            )
            select @{here} as thing
            from live.marts.contacts as contacts
            semi join moved
                on contacts.conversation_started_at = moved.started_at
                and contacts.conversation_id = moved.conversation_id
            except
            select thing from touched
            """,
            here=ties.contact("source", "contact_id"),
        )
    )
    connection.execute("insert into touched from expiring")
    return bool(engine.one(connection, "select count(*) from expiring"))
