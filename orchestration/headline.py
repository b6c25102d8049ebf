"""What `make run` says at the end: both reports side by side, and where things are.

Belongs here: choosing and laying out a few published figures as plain text of at most 80 columns
(paths and commands may be longer: they are to be copied). Does not belong here: computing any
measure; every figure is read from the published file as the reports give it.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration import copies, locks, publishing
from orchestration.settings import Settings

WIDTH = 80
_COLUMN = 39
# A month with less than this share of the busiest month's contacts is a thin tail, such as the last
# tickets of an old export: true, and not what someone wants to see first.
_THIN_MONTH = 0.1

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rejection:
    """What landing could not take from one log, over all loads.

    Attributes:
        log: the log's name.
        rows: rejected rows in files that were loaded otherwise.
        files: files that were rejected whole.
    """

    log: str
    rows: int
    files: int


def render(settings: Settings, rejections: Sequence[Rejection] | None = None) -> str:
    """The text to show when a run has ended well.

    Args:
        settings: where the published file is.
        rejections: what landing rejected; read from the warehouse's ledger when not given.

    Returns:
        Lines of plain text, no colours, ready to print.

    Raises:
        duckdb.Error: the published file is there and is not what a run publishes.
        publishing.PublishError: its manifest cannot be read.
    """
    publication = publishing.current(settings)
    if publication is None:
        return "Nothing is published yet: `make run` publishes.\n"
    database = settings.published_dir / publication.database
    with duckdb.connect(str(database), read_only=True) as connection:
        blocks = [
            *_reports(connection),
            _all_time(connection),
            _example(connection),
        ]
    found = read_rejections(settings) if rejections is None else rejections
    blocks += [_rejected(found), _places(settings, publication), _next(settings)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def read_rejections(settings: Settings) -> list[Rejection] | None:
    """What landing rejected, per log; None when the warehouse is in use or not there.

    Opens the warehouse read-only for a moment, under its lock: do not hold that lock already.
    """
    if not settings.warehouse_file.exists():
        return None
    try:
        with (
            locks.warehouse(settings, wait_seconds=5),
            duckdb.connect(str(settings.warehouse_file), read_only=True) as connection,
        ):
            rows = connection.execute(_REJECTIONS).fetchall()
    except (locks.LockTimeout, duckdb.IOException, duckdb.CatalogException):
        return None
    return [Rejection(log, rows, files) for log, rows, files in rows]


_REJECTIONS = """
    select
        log,
        cast(coalesce(sum(rows_rejected) filter (where status = 'loaded'), 0) as bigint) as rows,
        cast(count(*) filter (where status = 'rejected') as bigint) as files
    from raw.loads
    group by log
    having rows > 0 or files > 0
    order by log
"""
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


# --- the reports ----------------------------------------------------------------------------------


def _reports(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
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
        _beside("STATISTICAL REPORT", "CONTACTS REPORT", width),
        _beside("counts conversations, by closing day", "counts contacts, by starting day", width),
        _beside("-" * width, "-" * width, width),
        *(
            _beside(_pair(*a, width), _pair(*b, width), width)
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
        ("conversations", _number(conversations)),
        ("contacts in them", _number(row["contacts"])),
        ("answered", _share(row["answered"], conversations)),
        ("transferred", _share(row["transferred"], conversations)),
        ("fully automated", _share(row["fully_automated"], conversations)),
        ("first human reply, median", _duration(row["first_reply_median_seconds"])),
        ("resolution, median", _duration(row["resolution_median_seconds"])),
        ("CSAT, 4 or 5", _rate(row["csat_positive"], row["csat_responses"])),
        ("NPS", _nps(row)),
        ("transactions", _sales(row)),
    ]


def _contacts(row: Row) -> list[tuple[str, str]]:
    contacts = row["contacts"]
    return [
        ("contacts", _number(contacts)),
        ("still open", _number(row["open"])),
        ("answered", _share(row["answered"], contacts)),
        ("transferred out", _share(row["transferred_out"], contacts)),
        ("snoozed", _share(row["snoozed"], contacts)),
        ("first reply, mean", _duration(row["first_reply_mean_seconds"])),
        ("duration, mean (AHT)", _duration(row["duration_mean_seconds"])),
        # Credited to every respondent who answered, so there are more answers than on the left.
        ("CSAT, as credited", _rate(row["csat_positive"], row["csat_responses"])),
        ("messages sent", _number(row["messages_sent"])),
        ("transactions", _sales(row)),
    ]


def _reconciled(connection: duckdb.DuckDBPyConnection, month: date) -> list[str]:
    row = _rows(connection, _RECONCILED, {"month": month})[0]
    if row["in_contacts_report"] is None:
        return []
    causes = [
        ("-", row["still_open"], "in conversations still open"),
        ("-", row["closed_elsewhere"], "in conversations closed in another month"),
        ("+", row["started_elsewhere"], "started in another month"),
        ("-", row["unexplained"], "UNEXPLAINED"),
    ]
    parts = [
        f"{_number(row['in_contacts_report'])} contacts started",
        *(f"{sign} {_number(count)} {cause}" for sign, count, cause in causes if count),
        f"= {_number(row['in_statistical_report'])} contacts in the conversations closed",
    ]
    verdict = "do NOT agree" if row["unexplained"] else "agree"
    return [f"The two {verdict}:", *_wrapped(parts)]


def _all_time(connection: duckdb.DuckDBPyConnection) -> list[str]:
    row = _rows(connection, _ALL_TIME)[0]
    if not row["contacts"]:
        return []
    by_transfer = row["by_transfer"]
    other = row["contacts"] - row["conversations"] - by_transfer
    parts = [
        f"{_number(row['conversations'])} conversations",
        f"+ {_number(by_transfer)} contacts after a transfer",
        f"+ {_number(other)} continued otherwise (a snooze, a shared reference)",
        f"= {_number(row['contacts'])} contacts",
    ]
    return ["All time:", *_wrapped(parts)]


def _example(connection: duckdb.DuckDBPyConnection) -> list[str]:
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
        + _clipped(conversation["conversation_id"], 30)
        + f"  {_span(conversation['started_at'], conversation['closed_at'])}",
    ]
    for contact in contacts:
        name = contact["display_name"] or contact["agent_id"] or "nobody"
        kind = contact["agent_kind"]
        who = f"{name} ({kind})" if kind and kind.lower() != name.lower() else name
        count = f"{len(contacts)} contacts" if contact["contact_no"] == 1 else ""
        reason = f"  {contact['end_reason']}" if contact["end_reason"] else ""
        lines.append(
            f"  {count:<14}  {_clipped(who, 30):<30}"
            f"  {_span(contact['started_at'], contact['ended_at'])}{reason}".rstrip()
        )
    lines[1] = _aligned(lines[1])
    return lines


def _aligned(line: str) -> str:
    """The conversation's line with its times under those of its contacts."""
    start, _, rest = line.removeprefix("  1 conversation  ").partition("  ")
    return f"  1 conversation  {start:<30}  {rest}"


# --- rejected rows, places, next steps ------------------------------------------------------------


def _rejected(rejections: Sequence[Rejection] | None) -> list[str]:
    if rejections is None:
        return []
    if not rejections:
        return ["Rejected: nothing."]
    lines = ["Rejected, and kept with the reason and the remedy:"]
    for one in rejections:
        counts = [
            _counted(one.rows, "row") if one.rows else "",
            _counted(one.files, "whole file") if one.files else "",
        ]
        lines.append(f"  {one.log:<14}  {', '.join(filter(None, counts))}")
    lines += [
        "  Where: the checks of the raw assets in `make ui`, or, while no run is on, the",
        "  tables raw.rejected_rows and raw.loads of the warehouse file.",
    ]
    return lines


def _places(settings: Settings, publication: publishing.Publication) -> list[str]:
    rows = sum(model.row_count for model in publication.models)
    copied = [
        f"  {_shown(settings.published_dir / name / copies.LATEST)}{os.sep}  {what}"
        for name, what in (
            (copies.REPORTS, "the two reports as HTML"),
            (copies.EXPORTS, "the log as CSV and Parquet"),
        )
        if (settings.published_dir / name / copies.LATEST).exists()
    ]
    return [
        f"Published: version {publication.data_version}, {len(publication.models)} tables,"
        f" {_number(rows)} rows, {publication.published_at:%d %B %Y %H:%M} UTC",
        f"  {_shown(settings.published_file)}",
        f"  {_shown(settings.published_dir / 'parquet')}{os.sep}<schema>{os.sep}<table>.parquet",
        f"  {_shown(settings.published_dir / 'manifest.json')}",
        *copied,
    ]


def _next(settings: Settings) -> list[str]:
    code = (
        f"import duckdb; duckdb.connect({str(_shown(settings.published_file))!r}, read_only=True)"
        ".sql('from marts.conversations limit 5').show()"
    )
    # Double quotes read better; they are safe unless the path holds what a shell would expand.
    quoted = shlex.quote(code) if set(code) & set('"$`\\!') else f'"{code}"'
    return [
        "Next:",
        f"  {_shown(Path(sys.executable))} -c {quoted}",
        "  make serve   the pages and the REST resource, at http://127.0.0.1:8000",
        "  make ui      Dagster in the browser: assets, checks, schedule",
        "  make test    all tests",
    ]


# --- words and numbers ----------------------------------------------------------------------------


def _beside(left: str, right: str, width: int) -> str:
    return f"{left:<{width}}  {right}".rstrip()


def _pair(name: str, value: str, width: int) -> str:
    return f"{name}{value:>{width - len(name)}}"


def _wrapped(parts: Sequence[str]) -> list[str]:
    """Terms of a sum on as few lines as fit."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 1 + len(part) <= WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(f"  {part}")
    return lines


def _number(value: int) -> str:
    return f"{value:,}"


def _counted(value: int, noun: str) -> str:
    return f"{_number(value)} {noun}{'' if value == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    """A count and its share: `320   32 %`; the share is absent over nothing."""
    return f"{_number(part)}  {_percent(part, whole):>5}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _rate(part: int, whole: int) -> str:
    return f"{_number(part)} of {_number(whole)}  {_percent(part, whole):>5}" if whole else "-"


def _nps(row: Row) -> str:
    return f"{row['nps']:+.0f} of {_number(row['nps_responses'])}" if row["nps_responses"] else "-"


def _sales(row: Row) -> str:
    if not row["transactions"] or row["revenue"] is None:
        return _number(row["transactions"])
    return f"{_number(row['transactions'])}  {row['revenue']:,.0f} {row['currency'] or ''}".rstrip()


def _duration(seconds: float | None) -> str:
    """Two units at most: `42 s`, `12 min 03 s`, `3 h 20 min`, `2 d 4 h`."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400:,} d {whole % 86_400 // 3600} h"


def _span(start: datetime, end: datetime | None) -> str:
    if end is None:
        return f"{start:%d %b %H:%M}, open"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%d %b %H:%M}"
    return f"{start:%d %b %H:%M}-{until}"


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _shown(path: Path) -> Path:
    """The path as typed from here, when it is below here. Links stay as they are."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
