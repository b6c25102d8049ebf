"""`/`: the last complete month in both reports, how they go together, and what is new.

Belongs here: what the first page shows. Does not belong here: the reports' figures
(`serving.reports`), the log.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from serving import addresses, labels
from serving.filters import Filter
from serving.queries.conversation import contacts
from serving.queries.directory import directory
from serving.queries.ids import Key
from serving.reports import periods, question
from serving.reports.answer import report
from serving.reports.measures import KINDS
from serving.reports.reading import Reading
from serving.snapshot import Row, Snapshot
from serving.web import current_snapshot, page

router = APIRouter()

LISTED = 6


@router.get("/")
def overview(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The first page."""
    extent = periods.extent(snapshot)
    reports: list[dict[str, Any]] = []
    example = None
    if extent:
        for name in ("statistics", "contacts"):
            first = periods.start_of("month", extent.first)
            asked = question.usual(question.Question(KINDS[name], "month", first, first), extent)
            asked, _ = question.held_to(snapshot.scope, asked)
            reports.append(
                {"report": report(Reading(snapshot, extent, asked)), "address": asked.address()}
            )
        example = _example(snapshot, asked.last, periods.last_day("month", asked.last))
    return page(
        request,
        "overview.html",
        section="overview",
        reports=reports,
        example=example,
        open=_open(snapshot),
        waiting=_waiting(snapshot),
        newest=_newest(snapshot),
        fresh=_fresh(snapshot),
        findings=_findings(snapshot),
        names=directory(snapshot),
        labels=labels,
        address=addresses.conversation,
        open_link=addresses.log(Filter(status="open").query()),
        waiting_link=addresses.log(Filter(status="waiting").query()),
    )


def _example(snapshot: Snapshot, first: date, last: date) -> dict[str, Any] | None:
    """A conversation of the period that shows best what the two reports count."""
    row = snapshot.row(
        """
        select * from marts.conversations
        where closed_on between $first and $last
            and contact_count between 2 and 4
            and missing_contact_count = 0
            and is_transferred
        order by
            (bot_contact_count = 1 and human_contact_count = 2 and agent_count = 3) desc,
            facts_source = 'messages' desc,
            transfer_count = contact_count - 1 desc,
            csat_score is not null desc,
            started_at desc,
            conversation_id
        limit 1
        """,
        {"first": first, "last": last},
    )
    if row is None:
        return None
    key = Key(row["conversation_id"], row["started_at"])
    return {"conversation": row, "contacts": contacts(snapshot, key)}


_LISTED = """
    conversation_id, source, visitor_id, project_id, channel, time_zone, started_at, is_closed,
    contact_count, last_agent_id, automation_level
"""


def _open(snapshot: Snapshot) -> dict[str, Any]:
    """How many conversations are open, and those open for longest."""
    rows = snapshot.rows(
        f"""
        select {_LISTED}, count(*) over () as open_count
        from marts.conversations
        where not is_closed and not is_waiting
        order by started_at, conversation_id
        limit {LISTED}
        """
    )
    return {"count": rows[0]["open_count"] if rows else 0, "rows": rows}


def _waiting(snapshot: Snapshot) -> dict[str, Any]:
    """How many conversations wait, and those that wait for longest, by their last end."""
    rows = snapshot.rows(
        f"""
        with waiting as (
            select {_LISTED} from marts.conversations where is_waiting
        ),

        ends as (
            select
                contacts.conversation_started_at,
                contacts.conversation_id,
                max(contacts.ended_at) as waiting_since
            from marts.contacts as contacts
            inner join waiting
                on contacts.conversation_started_at = waiting.started_at
                and contacts.conversation_id = waiting.conversation_id
            group by contacts.conversation_started_at, contacts.conversation_id
        )

        select
            waiting.*,
            ends.waiting_since,
            count(*) over () as waiting_count
        from waiting
        left join ends
            on waiting.started_at = ends.conversation_started_at
            and waiting.conversation_id = ends.conversation_id
        order by ends.waiting_since, waiting.conversation_id
        limit {LISTED}
        """
    )
    return {"count": rows[0]["waiting_count"] if rows else 0, "rows": rows}


def _newest(snapshot: Snapshot) -> list[Row]:
    return snapshot.rows(
        f"""
        select {_LISTED} from marts.conversations
        order by started_at desc, conversation_id
        limit {LISTED}
        """
    )


def _fresh(snapshot: Snapshot) -> Row:
    """The newest moments of the data and its size, all moments in UTC."""
    found = snapshot.row(
        """
        select
            (select max(started_at) from marts.contacts) as newest_contact_at,
            (select max(changed_at) from marts.conversations) as newest_change_at,
            (select count(*) from marts.conversations) as conversations,
            (select count(*) from marts.contacts) as contacts,
            (select count(*) from marts.messages) as messages
        """
    )
    return found or {}


def _findings(snapshot: Snapshot) -> list[Row]:
    """Findings by code, with how many conversations they concern and one of them."""
    return snapshot.rows(
        """
        select
            code,
            count(*) as findings,
            count(distinct conversation_id) as conversations,
            min(conversation_id) as example
        from marts.graph_quality
        group by code
        order by findings desc, code
        """
    )
