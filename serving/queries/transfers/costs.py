"""What a transfer costs: transferred conversations against the others.

Belongs here: figures over the conversations that closed in the period. Does not belong here: how a
figure of a conversation is defined (the marts say that).
"""

from __future__ import annotations

from serving.filters import to_conversation, where
from serving.queries.transfers.question import Question
from serving.snapshot import Row, Snapshot


def costs(snapshot: Snapshot, question: Question) -> dict[bool, Row]:
    """Conversations that closed in the period, transferred ones against the others.

    Returns:
        By whether they were transferred: conversations, handled (with an ended human contact),
        human_handle_mean, resolutions, resolution_median, first_replies, first_reply_median,
        csat_responses, csat_positive, csat_mean; times in seconds.
    """
    found = where(question.closed().conditions())
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
            count(*) filter (is_csat_positive) as csat_positive,
            avg(csat_score) as csat_mean
        from marts.conversations as conversations
        where {found.sql}
        group by is_transferred
        """,
        found.values,
    )
    return {row["is_transferred"]: row for row in rows}


def earlier_legs(snapshot: Snapshot, question: Question) -> Row:
    """Human time in transferred conversations that closed in the period, before their last contact.

    Returns:
        conversations, earlier_seconds and all_seconds: of ended contacts with a human or an expert,
        null when there is none.
    """
    found = where(question.closed(transferred=True).conditions())
    row = snapshot.row(
        f"""
        select
            count(distinct contacts.conversation_id) as conversations,
            sum(contacts.duration_seconds)
                filter (contacts.contact_no < conversations.contact_count) as earlier_seconds,
            sum(contacts.duration_seconds) as all_seconds
        from marts.contacts as contacts{to_conversation("contacts")}
        where contacts.is_human
            and contacts.duration_seconds is not null
            and {found.sql}
        """,
        found.values,
    )
    return row or {}
