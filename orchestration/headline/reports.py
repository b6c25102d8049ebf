"""Both reports side by side, how they agree, and one exchange as both count it.

Belongs here: choosing a few published figures. Does not belong here: computing any measure; every
figure is read from the published file as the reports give it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.wording import (
    Row,
    beside,
    clipped,
    duration,
    nps,
    number,
    pair,
    rate,
    sales,
    share,
    span,
    wrapped,
)

_COLUMN = 39
# A month with less than this share of the busiest month's contacts is a thin tail, such as the last
# tickets of an old export: true, and not what someone wants to see first.
_THIN_MONTH = 0.1

_MONTHS = """
    select contacts.*
    from reports.contacts_report as contacts
    where contacts.dimension = 'all' and contacts.period_grain = 'month'
    order by contacts.period_start
"""
_STATISTICS = """
    from reports.statistical_report
    where dimension = 'all' and period_grain = 'month' and period_start = $month
"""
_NEWEST_DAY = """
    select greatest(
        (
            select max(period_start) from reports.contacts_report
            where dimension = 'all' and period_grain = 'day'
        ),
        (
            select max(period_start) from reports.statistical_report
            where dimension = 'all' and period_grain = 'day'
        )
    ) as newest_day
"""
_RECONCILED = """
    select
        sum(contacts_report_contacts)::bigint as in_contacts_report,
        sum(statistical_report_contacts)::bigint as in_statistical_report,
        sum(still_open)::bigint as still_open,
        sum(waiting)::bigint as waiting,
        sum(closed_in_later_period + closed_in_earlier_period)::bigint as closed_elsewhere,
        sum(started_in_earlier_period + started_in_later_period)::bigint as started_elsewhere,
        sum(unexplained)::bigint as unexplained
    from reports.reconciliation
    where period_grain = 'month' and period_start = $month
"""
_ALL_TIME = """
    select
        count(*) as contacts,
        count(*) filter (where contact_no = 1) as conversations,
        count(*) filter (where contact_no > 1 and is_transferred_in) as by_transfer
    from marts.contacts
"""
# An ordinary exchange that shows the point: short, complete, between two known agents, a bot first
# where there is one. The id at the end makes the choice the same every time.
_EXAMPLE = """
    from marts.conversations
    where is_closed and contact_count between 2 and 3 and missing_contact_count = 0
        and is_transferred
    order by
        contact_count, agent_count = 2 desc, is_escalated desc, csat_score is not null desc,
        is_answered desc, started_at desc, conversation_id
    limit 1
"""
_EXAMPLE_CONTACTS = """
    select contacts.*, agents.display_name
    from marts.contacts as contacts
    left join (
        select source, agent_id, max(display_name) as display_name
        from marts.agents
        group by source, agent_id
    ) as agents
        on contacts.source = agents.source and contacts.agent_id = agents.agent_id
    where contacts.conversation_id = $conversation_id
    order by contacts.contact_no
"""


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    result = connection.execute(query, values)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def reports(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
    months = _rows(connection, _MONTHS)
    if not months:
        return [["No contact has landed yet: put logs into LANDING_DIR and run again."]]
    newest_day = _rows(connection, _NEWEST_DAY)[0]["newest_day"]
    contacts, is_complete = _month_to_show(months, newest_day)
    month = contacts["period_start"]
    found = _rows(connection, _STATISTICS, {"month": month})
    title = f"{month:%B %Y}, {'a whole month' if is_complete else 'so far'}"
    left = _statistics(found[0]) if found else [("conversations", "0")]
    right = _contacts(contacts)
    height = max(len(left), len(right))
    left += [("", "")] * (height - len(left))
    right += [("", "")] * (height - len(right))
    # Millions of ratings take more room than a column has: both grow, and stay a table.
    width = max(_COLUMN, *(len(name) + 2 + len(value) for name, value in left + right))
    lines = [
        title,
        "",
        beside("STATISTICAL REPORT", "CONTACTS REPORT", width),
        beside("counts conversations, by closing day", "counts contacts, by starting day", width),
        beside("-" * width, "-" * width, width),
        *(
            beside(pair(*a, width), pair(*b, width), width)
            for a, b in zip(left, right, strict=True)
        ),
    ]
    return [lines, _reconciled(connection, month)]


def _month_to_show(months: Sequence[Row], newest_day: date) -> tuple[Row, bool]:
    """The newest month that is over and not thin; else the newest that is not thin."""
    busy = max(month["contacts"] for month in months) * _THIN_MONTH
    full = [month for month in months if month["contacts"] >= busy]
    for month in reversed(full):
        if _last_day(month["period_start"]) <= newest_day:
            return month, True
    return full[-1], False


def _last_day(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _statistics(row: Row) -> list[tuple[str, str]]:
    conversations = row["conversations"]
    return [
        ("conversations", number(conversations)),
        ("contacts in them", number(row["contacts"])),
        ("answered", share(row["answered"], conversations)),
        ("transferred", share(row["transferred"], conversations)),
        ("fully automated", share(row["fully_automated"], conversations)),
        ("first human reply, median", duration(row["first_reply_median_seconds"])),
        ("picked up, median", duration(row["pickup_median_seconds"])),
        ("resolution, median", duration(row["resolution_median_seconds"])),
        ("CSAT, 4 or 5", rate(row["csat_positive"], row["csat_responses"])),
        ("NPS", nps(row)),
        ("transactions", sales(row)),
    ]


def _contacts(row: Row) -> list[tuple[str, str]]:
    contacts = row["contacts"]
    return [
        ("contacts", number(contacts)),
        ("still open", number(row["open"])),
        ("answered", share(row["answered"], contacts)),
        ("transferred out", share(row["transferred_out"], contacts)),
        ("snoozed", share(row["snoozed"], contacts)),
        ("first reply, mean", duration(row["first_reply_mean_seconds"])),
        ("response, mean", duration(row["response_mean_seconds"])),
        ("duration, mean (AHT)", duration(row["duration_mean_seconds"])),
        # Credited to every respondent who answered, so there are more answers than on the left.
        ("CSAT, as credited", rate(row["csat_positive"], row["csat_responses"])),
        ("messages sent", number(row["messages_sent"])),
        ("transactions", sales(row)),
    ]


def _reconciled(connection: duckdb.DuckDBPyConnection, month: date) -> list[str]:
    row = _rows(connection, _RECONCILED, {"month": month})[0]
    if row["in_contacts_report"] is None:
        return []
    causes = [
        ("-", row["still_open"], "in conversations still open"),
        ("-", row["waiting"], "in conversations that wait"),
        ("-", row["closed_elsewhere"], "in conversations closed in another month"),
        ("+", row["started_elsewhere"], "started in another month"),
        ("-", row["unexplained"], "UNEXPLAINED"),
    ]
    parts = [
        f"{number(row['in_contacts_report'])} contacts started",
        *(f"{sign} {number(count)} {cause}" for sign, count, cause in causes if count),
        f"= {number(row['in_statistical_report'])} contacts in the conversations closed",
    ]
    verdict = "do NOT agree" if row["unexplained"] else "agree"
    return [f"The two {verdict}:", *wrapped(parts)]


def all_time(connection: duckdb.DuckDBPyConnection) -> list[str]:
    row = _rows(connection, _ALL_TIME)[0]
    if not row["contacts"]:
        return []
    by_transfer = row["by_transfer"]
    other = row["contacts"] - row["conversations"] - by_transfer
    parts = [
        f"{number(row['conversations'])} conversations",
        f"+ {number(by_transfer)} contacts after a transfer",
        f"+ {number(other)} continued otherwise (a snooze, a shared reference)",
        f"= {number(row['contacts'])} contacts",
    ]
    return ["All time:", *wrapped(parts)]


def example(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = _rows(connection, _EXAMPLE)
    if not found:
        return []
    conversation = found[0]
    contacts = _rows(
        connection, _EXAMPLE_CONTACTS, {"conversation_id": conversation["conversation_id"]}
    )
    lines = [
        "The same exchange in both (times in UTC):",
        "  1 conversation  "
        + clipped(conversation["conversation_id"], 30)
        + f"  {span(conversation['started_at'], conversation['closed_at'])}",
    ]
    for contact in contacts:
        name = contact["display_name"] or contact["agent_id"] or "nobody"
        kind = contact["agent_kind"]
        who = f"{name} ({kind})" if kind and kind.lower() != name.lower() else name
        count = f"{len(contacts)} contacts" if contact["contact_no"] == 1 else ""
        reason = f"  {contact['end_reason']}" if contact["end_reason"] else ""
        lines.append(
            f"  {count:<14}  {clipped(who, 30):<30}"
            f"  {span(contact['started_at'], contact['ended_at'])}{reason}".rstrip()
        )
    lines[1] = _aligned(lines[1])
    return lines


def _aligned(line: str) -> str:
    """The conversation's line with its times under those of its contacts."""
    start, _, rest = line.removeprefix("  1 conversation  ").partition("  ")
    return f"  1 conversation  {start:<30}  {rest}"
