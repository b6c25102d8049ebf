"""The ways through the respondents.

Belongs here: which way conversations go, and who hands back to whom. Does not belong here: the
condition that a conversation went a way (`filters.transfers`).
"""

from __future__ import annotations

from serving.filters import to_conversation
from serving.filters.transfers import ACCEPTED, ENDS, collapsed_path
from serving.queries.transfers.question import MOST_ROWS, Question, where_of
from serving.snapshot import Row, Snapshot


def paths(snapshot: Snapshot, question: Question) -> list[Row]:
    """The ways through the respondents, and who hands back to whom.

    Over the conversations with an accepted transfer in the period. A way is the conversation's
    contacts in order at the wanted level, each repeat left out.

    Returns:
        Rows of three shapes, told apart by `level`: `all` (one row; `bounced` counts conversations
        in which an agent came back), `path` (source, path; the MOST_ROWS most frequent, with
        resolutions, resolution_median in seconds, csat_responses, csat_positive), `back` (source,
        path of three: from, to, and back; the MOST_ROWS most frequent). Each with conversations;
        `ways` of the last two says how many there are.
    """
    found = where_of(question)
    source = "conversations.source" if question.is_within_source else "cast(null as varchar)"
    step = ENDS[question.by].step
    return snapshot.rows(
        f"""
        with reached as (
            select
                {snapshot.mark} as conversation_no,
                any_value({source}) as source,
                any_value(conversations.started_at) as started_at,
                any_value(conversations.conversation_id) as conversation_id,
                any_value(conversations.is_bounced) as is_bounced,
                any_value(conversations.resolution_seconds) as resolution_seconds,
                any_value(conversations.is_csat_positive) as is_csat_positive
            from marts.transfers as transfers{to_conversation("transfers")}
            where {found.sql} and {ACCEPTED}
            group by {snapshot.mark}
        ),

        known as materialized (
            select
                reached.conversation_no,
                any_value(reached.source) as source,
                any_value(reached.is_bounced) as is_bounced,
                any_value(reached.resolution_seconds) as resolution_seconds,
                any_value(reached.is_csat_positive) as is_csat_positive,
                {collapsed_path(step)} as path
            from marts.contacts as contacts
            inner join reached
                on contacts.conversation_started_at = reached.started_at
                and contacts.conversation_id = reached.conversation_id
            group by reached.conversation_no
        ),

        walked as (
            select
                source,
                path,
                count(*) as conversations,
                count(resolution_seconds) as resolutions,
                quantile_cont(resolution_seconds, 0.5) as resolution_median,
                count(is_csat_positive) as csat_responses,
                count(*) filter (is_csat_positive) as csat_positive
            from known
            group by source, path
        ),

        frequent as (
            select
                *,
                count(*) over () as ways
            from walked
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

        handed_back as (
            select
                source,
                path[place:place + 2] as path,
                count(distinct conversation_no) as conversations
            from thirds
            where path[place] = path[place + 2]
            group by all
        ),

        returned as (
            select
                *,
                count(*) over () as ways
            from handed_back
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
        found.values,
    )
