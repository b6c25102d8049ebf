"""Who hands over to whom: the figures of `/transfers`, straight from the marts.

Belongs here: which transfers are asked about, and the aggregates over them. Does not belong here:
names, links, drawing (`pages.transfers`).

A transfer counts when it was accepted over a link that joins, as in the statistical report; it
belongs to the day on which it was asked for, in its project's time zone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from typing import Any

from serving import filters
from serving.filters import NONE, Condition, Filter
from serving.snapshot import Row, Snapshot

LEVELS = ("kind", "group", "agent")
MOST_NODES = 12
MOST_ROWS = 20
STEPS = 3  # Transfers of a conversation that are drawn one after the other.
OTHER = "\u0000"  # No id: a text of the logs holds no such character.


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        by: what hands over: `kind`, `group` or `agent`.
        first_day, last_day: days on which a transfer was asked for, inclusive.
        columns: wanted values with their names in filters.COLUMNS.
    """

    by: str
    first_day: date
    last_day: date
    columns: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def is_within_source(self) -> bool:
        """Whether an end of a transfer is an id, which says something within its source alone."""
        return self.by != "kind"

    def filter(self, **more: Any) -> Filter:
        """The log's filter for the conversations of these transfers, and more."""
        columns = {**dict(self.columns), **more.pop("columns", {})}
        return Filter(
            columns=columns,
            transfer_by=self.by,
            transfer_first_day=self.first_day,
            transfer_last_day=self.last_day,
            **more,
        )

    def closed(self, **more: Any) -> Filter:
        """The log's filter for the conversations that closed in the period, and more."""
        return Filter(
            on="closed",
            first_day=self.first_day,
            last_day=self.last_day,
            columns=dict(self.columns),
            **more,
        )


def _where(question: Question) -> Condition:
    """Which of `transfers`, each with its conversation, were asked for in the period."""
    days = filters.transfer_days(question.first_day, question.last_day, "conversations")
    terms = [*Filter(columns=dict(question.columns)).conditions(), *([days] if days else [])]
    return filters.where(terms)


def _asked(question: Question) -> Condition:
    """The CTE `asked`: one row per transfer asked for, with its ends at the wanted level."""
    where = _where(question)
    ends = {
        "kind": ("transfers.from_agent_kind", "transfers.to_agent_kind"),
        "agent": ("transfers.from_agent_id", "transfers.to_agent_id"),
        "group": ("from_contacts.group_id", "to_contacts.group_id"),
    }[question.by]
    joins = ""
    if question.by == "group":
        joins = """
        left join marts.contacts as from_contacts
            on transfers.source = from_contacts.source
            and transfers.from_contact_id = from_contacts.contact_id
        left join marts.contacts as to_contacts
            on transfers.source = to_contacts.source
            and transfers.to_contact_id = to_contacts.contact_id"""
    source = "transfers.source" if question.is_within_source else "cast(null as varchar)"
    return Condition(
        f"""asked as materialized (
        select
            {source} as source,
            -- Told apart faster than texts.
            conversations.rowid as conversation_no,
            transfers.transfer_id,
            transfers.requested_at,
            transfers.kind,
            transfers.target_kind,
            transfers.target_id,
            transfers.source as target_source,
            case
                when transfers.outcome = 'accepted' and transfers.is_rejected_link then 'set_aside'
                else transfers.outcome
            end as outcome,
            case when {filters.TRANSFER_ACCEPTED} then transfers.wait_seconds end as wait_seconds,
            coalesce({ends[0]}, '{NONE}') as from_end,
            coalesce({ends[1]}, '{NONE}') as to_end
        from marts.transfers as transfers
        inner join marts.conversations as conversations
            on transfers.conversation_started_at = conversations.started_at
            and transfers.conversation_id = conversations.conversation_id{joins}
        where {where.sql}
    )""",
        where.values,
    )


def transfers(snapshot: Snapshot, question: Question) -> list[Row]:
    """Requests and accepted transfers, counted in every way that the page shows.

    Returns:
        Rows told apart by `level`, each with transfers and conversations:
        `pair`: accepted ones by source, from_end and to_end. The MOST_NODES busiest ends keep their
        ids; the others are OTHER, with a null source and without conversations, which would count
        some twice.
        `step`: the same by `step` too, without conversations: a conversation's first, second and
        third transfer of the period, and STEPS + 1 for all later ones, without ends.
        `all`, `kind` (kind), `target` (source, target_kind, target_id): requests by outcome, which
        is `set_aside` for one accepted over a rejected link; with waits, wait_median and wait_p90
        (seconds) of those accepted. Of `all` one row has no outcome: the sum.
    """
    asked = _asked(question)
    return snapshot.rows(
        f"""
        with {asked.sql},

        accepted as (
            select
                *,
                row_number() over (
                    partition by conversation_no order by requested_at, transfer_id
                ) as step
            from asked
            where outcome = 'accepted'
        ),

        exact_pairs as materialized (
            select
                source,
                from_end,
                to_end,
                count(*) as transfers,
                count(distinct conversation_no) as conversations
            from accepted
            group by source, from_end, to_end
        ),

        ends as (
            select source, from_end as an_end, transfers from exact_pairs
            union all
            select source, to_end, transfers from exact_pairs
        ),

        busiest as materialized (
            select source, an_end
            from ends
            group by source, an_end
            order by sum(transfers) desc, source, an_end
            limit {MOST_NODES}
        ),

        exact_steps as (
            select
                least(step, {STEPS + 1}) as step,
                source,
                case when step <= {STEPS} then from_end else $other end as from_end,
                case when step <= {STEPS} then to_end else $other end as to_end,
                count(*) as transfers
            from accepted
            group by all
        ),

        counted as (
            select 'pair' as level, null as step, * from exact_pairs
            union all by name
            select 'step' as level, * from exact_steps
        ),

        named as (
            select
                counted.level,
                counted.step,
                case
                    when from_ends.an_end is not null or to_ends.an_end is not null
                    then counted.source
                end as source,
                coalesce(from_ends.an_end, $other) as from_end,
                coalesce(to_ends.an_end, $other) as to_end,
                counted.transfers,
                case
                    when from_ends.an_end is not null and to_ends.an_end is not null
                    then counted.conversations
                end as conversations
            from counted
            left join busiest as from_ends
                on counted.source is not distinct from from_ends.source
                and counted.from_end = from_ends.an_end
            left join busiest as to_ends
                on counted.source is not distinct from to_ends.source
                and counted.to_end = to_ends.an_end
        ),

        requests as (
            select
                case
                    when grouping(target_kind) = 0 then 'target'
                    when grouping(kind) = 0 then 'kind'
                    else 'all'
                end as level,
                target_source as source,
                target_kind,
                target_id,
                kind,
                outcome,
                count(*) as transfers,
                count(distinct conversation_no) as conversations,
                count(wait_seconds) as waits,
                quantile_cont(wait_seconds, [0.5, 0.9]) as wait
            from asked
            group by grouping sets (
                (),
                (outcome),
                (kind, outcome),
                (target_source, target_kind, target_id, outcome)
            )
        ),

        -- By the requests of all outcomes, whichever outcome a row is about.
        ranked as (
            select
                *,
                dense_rank() over (
                    partition by level order by requests desc, source, target_kind, target_id, kind
                ) as place
            from (
                select
                    *,
                    sum(transfers) over (
                        partition by level, source, target_kind, target_id, kind
                    ) as requests
                from requests
            )
        )

        select
            level,
            step,
            source,
            from_end,
            to_end,
            sum(transfers) as transfers,
            sum(conversations) as conversations
        from named
        group by all
        union all by name
        select
            level,
            source,
            target_kind,
            target_id,
            kind,
            outcome,
            transfers,
            conversations,
            waits,
            wait[1] as wait_median,
            wait[2] as wait_p90
        from ranked
        where place <= {MOST_ROWS}
        order by level, transfers desc, source, from_end, to_end, step, target_id, kind, outcome
        """,
        {**asked.values, "other": OTHER},
    )


def paths(snapshot: Snapshot, question: Question) -> list[Row]:
    """The ways through the respondents, and who hands back to whom.

    Over the conversations with an accepted transfer in the period. A way is the conversation's
    contacts in order at the wanted level, each repeat left out.

    Returns:
        Rows of three shapes, told apart by `level`: `all` (one row; `bounced` counts conversations
        in which an agent came back), `path` (source, path; the MOST_ROWS most frequent, with
        resolutions, resolution_median in seconds, csat_responses, csat_positive), `back` (source,
        path of three: from, to, and back; the MOST_ROWS most frequent). Each with conversations.
    """
    where = _where(question)
    source = "conversations.source" if question.is_within_source else "cast(null as varchar)"
    step = filters.PATH_STEPS[question.by]
    return snapshot.rows(
        f"""
        with reached as (
            select
                -- Told apart faster than texts.
                conversations.rowid as conversation_no,
                any_value({source}) as source,
                any_value(conversations.started_at) as started_at,
                any_value(conversations.conversation_id) as conversation_id,
                any_value(conversations.is_bounced) as is_bounced,
                any_value(conversations.resolution_seconds) as resolution_seconds,
                any_value(conversations.csat_score) as csat_score
            from marts.transfers as transfers
            inner join marts.conversations as conversations
                on transfers.conversation_started_at = conversations.started_at
                and transfers.conversation_id = conversations.conversation_id
            where {where.sql} and {filters.TRANSFER_ACCEPTED}
            group by conversations.rowid
        ),

        known as materialized (
            select
                reached.conversation_no,
                any_value(reached.source) as source,
                any_value(reached.is_bounced) as is_bounced,
                any_value(reached.resolution_seconds) as resolution_seconds,
                any_value(reached.csat_score) as csat_score,
                {filters.collapsed_path(step)} as path
            from marts.contacts as contacts
            inner join reached
                on contacts.conversation_started_at = reached.started_at
                and contacts.conversation_id = reached.conversation_id
            group by reached.conversation_no
        ),

        frequent as (
            select
                source,
                path,
                count(*) as conversations,
                count(resolution_seconds) as resolutions,
                quantile_cont(resolution_seconds, 0.5) as resolution_median,
                count(csat_score) as csat_responses,
                count(*) filter (csat_score >= 4) as csat_positive
            from known
            group by source, path
            order by conversations desc, source, path
            limit {MOST_ROWS}
        ),

        thirds as (
            select
                source,
                conversation_no,
                path,
                unnest(range(1, len(path) - 1)) as place
            from known
            where len(path) >= 3
        ),

        returned as (
            select
                source,
                path[place:place + 2] as path,
                count(distinct conversation_no) as conversations
            from thirds
            where path[place] = path[place + 2]
            group by all
            order by conversations desc, source, path
            limit {MOST_ROWS}
        )

        select 'all' as level, cast(null as varchar) as source, cast(null as varchar[]) as path,
            count(*) as conversations, count(*) filter (is_bounced) as bounced,
            cast(null as bigint) as resolutions, cast(null as double) as resolution_median,
            cast(null as bigint) as csat_responses, cast(null as bigint) as csat_positive
        from known
        union all by name
        select 'path' as level, * from frequent
        union all by name
        select 'back' as level, * from returned
        order by level, conversations desc, source, path
        """,
        where.values,
    )


def costs(snapshot: Snapshot, question: Question) -> dict[bool, Row]:
    """Conversations that closed in the period, transferred ones against the others.

    Returns:
        By whether they were transferred: conversations, handled (with an ended human contact),
        human_handle_mean, resolutions, resolution_median, first_replies, first_reply_median,
        csat_responses, csat_positive, csat_mean; times in seconds.
    """
    where = filters.where(question.closed().conditions())
    rows = snapshot.rows(
        f"""
        select
            is_transferred,
            count(*) as conversations,
            count(human_handle_seconds) as handled,
            avg(human_handle_seconds) as human_handle_mean,
            count(resolution_seconds) as resolutions,
            quantile_cont(resolution_seconds, 0.5) as resolution_median,
            count(first_reply_seconds) as first_replies,
            quantile_cont(first_reply_seconds, 0.5) as first_reply_median,
            count(csat_score) as csat_responses,
            count(*) filter (csat_score >= 4) as csat_positive,
            avg(csat_score) as csat_mean
        from marts.conversations as conversations
        where {where.sql}
        group by is_transferred
        """,
        where.values,
    )
    return {row["is_transferred"]: row for row in rows}


def earlier_legs(snapshot: Snapshot, question: Question) -> Row:
    """Human time in transferred conversations that closed in the period, before their last contact.

    Returns:
        conversations, earlier_seconds and all_seconds: of ended contacts with a human or an expert,
        null when there is none.
    """
    where = filters.where(question.closed(flags={"transferred": True}).conditions())
    found = snapshot.row(
        f"""
        select
            count(distinct contacts.conversation_id) as conversations,
            sum(contacts.duration_seconds)
                filter (contacts.contact_no < conversations.contact_count) as earlier_seconds,
            sum(contacts.duration_seconds) as all_seconds
        from marts.contacts as contacts
        inner join marts.conversations as conversations
            on contacts.conversation_started_at = conversations.started_at
            and contacts.conversation_id = conversations.conversation_id
        where contacts.agent_kind in ('human', 'expert')
            and contacts.duration_seconds is not null
            and {where.sql}
        """,
        where.values,
    )
    return found or {}


@dataclass(frozen=True)
class Answer:
    """All figures of a question; see the functions of the same names."""

    transfers: list[Row]
    paths: list[Row]
    costs: dict[bool, Row]
    earlier_legs: Row


MOST_ANSWERS = 50
_lock = threading.Lock()


def _answers(snapshot: Snapshot) -> OrderedDict[Question, Answer]:
    return OrderedDict()


def answer(snapshot: Snapshot, question: Question) -> Answer:
    """The figures of a question; a version's answers stay true, so the latest ones are kept."""
    with _lock:
        known = snapshot.once(_answers)
        if question in known:
            known.move_to_end(question)
            return known[question]
    made = Answer(
        transfers(snapshot, question),
        paths(snapshot, question),
        costs(snapshot, question),
        earlier_legs(snapshot, question),
    )
    with _lock:
        known[question] = made
        while len(known) > MOST_ANSWERS:
            known.popitem(last=False)
    return made
