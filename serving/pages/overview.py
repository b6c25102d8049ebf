"""`/`: the last complete month in both reports, how they go together, and what is new.

Belongs here: what the first page shows. Does not belong here: the reports' figures
(`serving.reports`), the log.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from serving import conversation_queries as queries
from serving import labels
from serving.conversation_queries import Key, directory
from serving.filters import Filter
from serving.reports import periods, question
from serving.reports.measures import KINDS
from serving.reports.reading import Reader
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
            reports.append(
                {"report": Reader(snapshot, extent, asked).report(), "address": asked.address()}
            )
        example = _example(snapshot, asked.last, periods.last_day("month", asked.last))
    return page(
        request,
        "overview.html",
        section="overview",
        reports=reports,
        example=example,
        open=_open(snapshot),
        newest=_newest(snapshot),
        fresh=_fresh(snapshot),
        findings=_findings(snapshot),
        names=directory(snapshot),
        labels=labels,
        address=queries.address,
        open_link="/conversations?" + Filter(flags={"closed": False}).query(),
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
    return {"conversation": row, "contacts": queries.contacts(snapshot, key)}


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
        where not is_closed
        order by started_at, conversation_id
        limit {LISTED}
        """
    )
    return {"count": rows[0]["open_count"] if rows else 0, "rows": rows}


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
