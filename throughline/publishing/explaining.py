"""Why cells of the reports differ: the conversations behind them, and what became of these.

Belongs here: from changed cells to causes. Does not belong here: finding the cells (comparing),
what the causes are called (published.restatements).

The marts say which conversations changed since, and by what: rows of new loads belong to them. Each
is placed into the cells that count it now or counted it before, so a cell that changed has those
that bear on it. The work follows what changed, not what there is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from throughline import engine
from throughline.engine.sql import literal, named, sql
from throughline.published.restatements import FIRST_FOR, MOST_CELLS, OF_ALL, OF_CONVERSATIONS

# Each dimension with the column that holds its value, as macros/reports.sql has them.
_OF_CONTACTS: Mapping[str, str] = {
    "all": "null",
    "source": "contacts.source",
    "project": "contacts.project_id",
    "channel": "contacts.channel",
    "agent": "contacts.agent_id",
    "agent_kind": "contacts.agent_kind",
    "group": "contacts.group_id",
}
_OF_CONVERSATIONS: Mapping[str, str] = {
    "all": "null",
    "source": "conversations.source",
    "project": "conversations.project_id",
    "channel": "conversations.channel",
    "automation_level": "conversations.automation_level",
}
_SHARED: Mapping[str, str] = {"agent": "contacts.agent_id", "group": "contacts.group_id"}
_WITHIN_SOURCE = ("source", "project", "agent", "group")


@dataclass(frozen=True)
class Since:
    """What was published when the first of the two sets was.

    Attributes:
        publication_no: its publication.
        last_load_no: the newest load in it.
        changed: of `definition` and `registry`, those that are not what they were.
    """

    publication_no: int
    last_load_no: int
    changed: Collection[str] = ()


def explain(connection: duckdb.DuckDBPyConnection, before: str, after: str, since: Since) -> None:
    """Put the cells of `changed_cells` into `restated`, each with its cause, or their sum.

    Args:
        connection: one that has both sets and these two temporary tables.
        before: the database of the first set.
        after: the database of the other.
        since: what was published when the first was.
    """
    connection.execute(_EMPTY)
    _find_evidence(connection, before, after, since)
    for database, chosen in ((after, "conversations_after"), (before, "conversations_before")):
        _place(connection, database, chosen)
    _find_causes(connection, before, after, since)


_EMPTY = """
    create or replace temporary table evidence (conversation_id varchar, cause varchar);
    create or replace temporary table placed (
        report varchar, day date, dimension varchar, dimension_value varchar, source varchar,
        conversation_id varchar
    );
"""


def _find_evidence(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, since: Since
) -> None:
    """Collect the conversations that changed, each cause of it once, and what they were before."""
    marts = ("contacts", "transfers", "messages", "ratings", "transactions", "conversations")
    names = {name: (after, "marts", name) for name in (*marts, "conversation_merges")}
    names["conversations_before"] = (before, "marts", "conversations")
    names["ids_before"] = (before, "marts", "conversation_ids")
    connection.execute(
        named(
            """
            insert into evidence
            select new_conversation_id, 'merge' from {conversation_merges}
            where publication_no > $publication_no
            union
            select conversation_id, case when first_load_no > $load_no then 'late_contact'
                else 'correction' end
            from {contacts} where changed_load_no > $load_no
            union
            select conversation_id, 'transfer' from {transfers}
            where changed_load_no > $load_no and conversation_id is not null
            union
            select conversation_id, 'message' from {messages}
            where changed_load_no > $load_no and conversation_id is not null
            union
            select conversation_id, 'rating' from {ratings}
            where changed_load_no > $load_no and conversation_id is not null
            union
            select conversation_id, 'transaction' from {transactions}
            where changed_load_no > $load_no and conversation_id is not null
            union
            select expired.conversation_id, 'expiry'
            from {conversations} as expired
            join {conversations_before} as former using (conversation_id)
            where former.is_waiting and expired.close_reason = 'expired'
            """,
            **names,
        ),
        {"publication_no": since.publication_no, "load_no": since.last_load_no},
    )
    connection.execute(
        named(
            """
            create or replace temporary table conversations_after as
            select conversations.conversation_id, conversations.conversation_id as stands_for
            from {conversations} as conversations
            where conversation_id in (select conversation_id from evidence);

            create or replace temporary table conversations_before as
            select distinct ids.conversation_id, contacts.conversation_id as stands_for
            from {contacts} as contacts
            join {ids_before} as ids
                -- By the number first, which is read much faster than the ids.
                on ids.id_hash
                    = cast(concat('0x', substr(md5(contacts.contact_id), 1, 15)) as bigint)
                and ids.id = contacts.contact_id
                and ids.source = contacts.source
            where contacts.conversation_id in (select conversation_id from evidence)
            """,
            **names,
        )
    )


def _place(connection: duckdb.DuckDBPyConnection, database: str, conversations: str) -> None:
    """Place conversations into the rows of the reports that count them, day by day."""
    names: dict[str, str | tuple[str, ...]] = {
        "contacts": (database, "marts", "contacts"),
        "conversations": (database, "marts", "conversations"),
        "chosen": conversations,
    }
    for report, day, dimensions in (
        ("contacts_report", "contacts.started_on", _OF_CONTACTS),
        ("statistical_report", "conversations.closed_on", _OF_CONVERSATIONS),
        ("statistical_report", "conversations.closed_on", _SHARED),
    ):
        placed = ", ".join(
            sql(
                "{'dimension': @{name}, 'dimension_value': cast(@{column} as varchar),"
                " 'source': @{source}}",
                name=literal(name),
                column=column,
                source="conversations.source" if name in _WITHIN_SOURCE else "null",
            )
            for name, column in dimensions.items()
        )
        of_contacts = dimensions is not _OF_CONVERSATIONS
        connection.execute(
            named(
                sql(
                    """
                    insert into placed
                    select distinct
                        $report, day, place.dimension, place.dimension_value, place.source,
                        stands_for
                    from (
                        select @{day} as day, chosen.stands_for, unnest([@{placed}]) as place
                        from {conversations} as conversations
                        join {chosen} as chosen using (conversation_id)
                        @{join}
                    )
                    where day is not null
                        and (not $is_shared or place.dimension_value is not null)
                    """,
                    day=day,
                    placed=placed,
                    join="join {contacts} as contacts using (conversation_id)"
                    if of_contacts
                    else "",
                ),
                **names,
            ),
            {"report": report, "is_shared": dimensions is _SHARED},
        )


# --- why ------------------------------------------------------------------------------------------


def _find_causes(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, since: Since
) -> None:
    """Give each cell its cause, and put the cells, or what stands for them, into `restated`."""
    connection.execute(
        sql(
            """
            create or replace temporary table behind as
            select
                cells.report, cells.period_grain, cells.period_start, cells.dimension,
                cells.dimension_value, cells.source, evidence.cause,
                count(distinct placed.conversation_id) as conversations
            from (
                select distinct
                    report, period_grain, period_start, dimension, dimension_value, source
                from changed_cells
            ) as cells
            join placed
                on placed.report = cells.report
                and cast(date_trunc(cells.period_grain, placed.day) as date) = cells.period_start
                and placed.dimension = cells.dimension
                and placed.dimension_value is not distinct from cells.dimension_value
                and placed.source is not distinct from cells.source
            join evidence on evidence.conversation_id = placed.conversation_id
            group by all;

            create or replace temporary table explained as
            with known as (
                select
                    cells.*,
                    arg_min(
                        {'cause': behind.cause, 'conversations': behind.conversations},
                        case when @{comes_first} then -1
                        else list_position(@{order}, behind.cause) end
                    ) as main
                from changed_cells as cells
                left join behind
                    on behind.report = cells.report
                    and behind.period_grain = cells.period_grain
                    and behind.period_start = cells.period_start
                    and behind.dimension = cells.dimension
                    and behind.dimension_value is not distinct from cells.dimension_value
                    and behind.source is not distinct from cells.source
                group by all
            )

            select
                known.* exclude (main),
                coalesce(main.cause, $otherwise) as cause,
                main.conversations
            from known
            """,
            comes_first=" or ".join(
                f"(behind.cause = {literal(cause)} and cells.measure like {literal(pattern)})"
                for cause, patterns in FIRST_FOR.items()
                for pattern in patterns
            ),
            order="[" + ", ".join(literal(cause) for cause in OF_CONVERSATIONS) + "]",
        ),
        {"otherwise": _otherwise(connection, before, after, since)},
    )
    newest = named("select max(loaded_at) from {arrivals}", arrivals=(after, "marts", "arrivals"))
    connection.execute(
        """
        insert into restated
        with counted as (
            select
                *,
                count(*) over (partition by report) <= $most
                    or (dimension = 'all' and period_grain = 'month') as is_told
            from explained
        )

        select
            $newest, report, period_grain, period_start, dimension, dimension_value, source,
            measure, from_value, to_value, was_provisional, cause, conversations, 1
        from counted
        where is_told

        union all

        select
            $newest, report, null, null, null, null, null, measure, null, null, was_provisional,
            cause, null, count(*)
        from counted
        where not is_told
        group by report, measure, was_provisional, cause
        """,
        {"newest": engine.one(connection, newest), "most": MOST_CELLS},
    )


def _otherwise(connection: duckdb.DuckDBPyConnection, before: str, after: str, since: Since) -> str:
    """Why a cell changed behind which no conversation did."""
    for cause in OF_ALL:
        if cause in since.changed:
            return cause
    differ = named(
        """
        with agents as (
            select source, agent_id, agent_kind, group_id, valid_from, -1 as times from {old}
            union all
            select source, agent_id, agent_kind, group_id, valid_from, 1 from {new}
        )

        select count(*)
        from (
            select agent_id from agents
            group by source, agent_id, agent_kind, group_id, valid_from
            having sum(times) <> 0
        )
        """,
        old=(before, "marts", "agents"),
        new=(after, "marts", "agents"),
    )
    return "agent" if engine.one(connection, differ) else "correction"
