"""The two reports: figures as the models have them, and the conversations behind each figure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient

from serving import filters, i18n
from serving.filters import Filter
from serving.queries import log
from serving.reports import charts, links, measures, periods, question
from serving.reports import table as tables
from serving.reports.answer import report as answer
from serving.reports.definitions import definitions
from serving.reports.links import RowKey
from serving.reports.measures import CONTACTS, KINDS, STATISTICS, Kind
from serving.reports.periods import Extent
from serving.reports.question import Question
from serving.reports.reading import Reading
from serving.reports.reconciliation import CAUSES
from serving.reports.shown import Report
from serving.reports.table import MOST_ROWS
from serving.snapshot import Snapshot

# Measures of the statistical report that are a number of conversations.
CONVERSATIONS = {
    "conversations",
    "answered",
    "answered_by_human",
    "transferred",
    "bounced",
    "bot_first",
    "escalated",
    "fully_automated",
    "csat_responses",
    "csat_positive",
    "nps_responses",
    "nps_promoters",
    "nps_detractors",
    "converted",
}
# Those that add something up over the conversations behind them, and from which column.
ADDED_UP = {
    "contacts": "sum(contact_count)",
    "transfers": "sum(transfer_count)",
    "transactions": "sum(transaction_count)",
    "first_reply_count": "count(first_reply_seconds)",
    "pickup_count": "count(pickup_seconds)",
    "pickup_median_seconds": "median(pickup_seconds)",
    "pickup_p90_seconds": "quantile_cont(pickup_seconds, 0.9)",
    "resolution_count": "count(resolution_seconds)",
    "handle_count": "count(handle_seconds)",
    "first_reply_median_seconds": "median(first_reply_seconds)",
    "first_reply_p90_seconds": "quantile_cont(first_reply_seconds, 0.9)",
    "resolution_median_seconds": "median(resolution_seconds)",
    "resolution_p90_seconds": "quantile_cont(resolution_seconds, 0.9)",
    "handle_mean_seconds": "avg(handle_seconds)",
    "handle_seconds_sum": "sum(handle_seconds)",
    "csat_mean": "avg(csat_score)",
    "csat_score_sum": "sum(csat_score)",
    "contacts_per_conversation": "avg(contact_count)",
}
# Of the contacts report: what the contacts behind a figure add up to.
OF_CONTACTS = {
    **dict.fromkeys(
        (
            "contacts",
            "answered",
            "unanswered",
            "open",
            "transferred_in",
            "transferred_out",
            "snoozed",
            "closed",
            "timed_out",
            "csat_responses",
            "csat_positive",
        ),
        "count(*)",
    ),
    "duration_seconds_sum": "sum(duration_seconds)",
    "duration_count": "count(duration_seconds)",
    "duration_mean_seconds": "avg(duration_seconds)",
    "first_reply_seconds_sum": "sum(first_reply_seconds)",
    "first_reply_count": "count(first_reply_seconds)",
    "first_reply_mean_seconds": "avg(first_reply_seconds)",
    "response_seconds_sum": "sum(response_seconds_sum)",
    "response_count": "sum(response_count)",
    "response_mean_seconds": "sum(response_seconds_sum) / sum(response_count)",
    "closing_delay_seconds_sum": "sum(closing_delay_seconds)",
    "closing_delay_count": "count(closing_delay_seconds)",
    "closing_delay_mean_seconds": "avg(closing_delay_seconds)",
    "messages_sent": "sum(messages_sent_count)",
    "messages_received": "sum(messages_received_count)",
    "transactions": "sum(transaction_count)",
}
RATES = {
    "transfer_rate": ("transferred", "conversations"),
    "escalation_rate": ("escalated", "bot_first"),
    "automation_rate": ("fully_automated", "conversations"),
    "csat_rate": ("csat_positive", "csat_responses"),
    "converted_share": ("converted", "conversations"),
    "transfer_out_rate": ("transferred_out", "contacts"),
}


@pytest.fixture(autouse=True)
def english(client: TestClient) -> Iterator[None]:
    i18n.use("en")
    yield
    i18n.use("en")
    # A page remembers the language that an address asked for.
    client.cookies.clear()


@pytest.fixture(scope="module")
def extent(snapshot: Snapshot) -> Extent:
    found = periods.extent(snapshot)
    assert found is not None
    return found


def _ask(snapshot: Snapshot, extent: Extent, kind: str, query: str = "") -> Report:
    asked, problems = question.read(kind, parse_qsl(query), extent)
    assert not problems
    return answer(Reading(snapshot, extent, asked))


def _rows(snapshot: Snapshot, kind: Kind, grain: str, **more: Any) -> list[dict[str, Any]]:
    where = " and ".join(f"{name} = ${name}" for name in more)
    return snapshot.rows(
        f"select * from reports.{kind.model} where period_grain = $grain"
        + (f" and {where}" if where else "")
        + " order by all",
        {"grain": grain, **more},
    )


def _filter(link: str) -> Filter:
    parts = urlsplit(link)
    assert parts.path == "/conversations"
    found, problems = filters.read(parse_qsl(parts.query))
    assert not problems
    return found


def _behind(snapshot: Snapshot, wanted: Filter, expression: str) -> Any:
    joined = filters.where(wanted.conditions())
    return snapshot.value(
        f"select {expression} from marts.conversations as conversations where {joined.sql}",
        joined.values,
    )


def _contacts_behind(snapshot: Snapshot, wanted: Filter, expression: str) -> Any:
    """Over the contacts that meet what a link asks of contacts, in the conversations it finds."""
    joined = filters.where(wanted.conditions())
    terms, values = ["true"], dict(joined.values)
    for column, names in (
        ("contacts.agent_id", wanted.agents),
        ("contacts.group_id", wanted.groups),
        ("contacts.agent_kind", wanted.contact_kinds),
        ("contacts.project_id", wanted.contact_projects),
        ("contacts.channel", wanted.contact_channels),
    ):
        if names:
            terms.append(f"list_contains($of_{column[9:]}, coalesce({column}, '-'))")
            values[f"of_{column[9:]}"] = list(names)
    if wanted.contact_state:
        terms.append(filters.CONTACT_STATES[wanted.contact_state].sql)
    if wanted.contact_first_day:
        terms.append("contacts.started_on >= $contact_since")
        values["contact_since"] = wanted.contact_first_day
    if wanted.contact_last_day:
        terms.append("contacts.started_on <= $contact_until")
        values["contact_until"] = wanted.contact_last_day
    return snapshot.value(
        f"""
        select {expression}
        from marts.contacts as contacts
        where {" and ".join(terms)} and contacts.conversation_id in (
            select conversations.conversation_id
            from marts.conversations as conversations where {joined.sql}
        )
        """,
        values,
    )


def _struct(expressions: dict[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': {each}" for name, each in expressions.items()) + "}"


def _same(found: Any, wanted: Any) -> bool:
    return float(found) == pytest.approx(float(wanted), rel=1e-9)


# --- the conversations behind a figure ------------------------------------------------------------


def _samples(snapshot: Snapshot, kind: Kind) -> list[dict[str, Any]]:
    """Rows of every dimension, of a whole month and one that is not over, a week and a day."""
    rows = []
    for grain, start in (
        ("month", date(2026, 10, 1)),
        ("month", date(2026, 11, 1)),
        ("week", date(2026, 10, 5)),
        ("day", date(2026, 10, 7)),
    ):
        found = _rows(snapshot, kind, grain, period_start=start)
        # Of the many respondents some; of every other dimension all.
        rows += [row for row in found if row["dimension"] != "agent"]
        rows += [row for row in found if row["dimension"] == "agent"][::6]
    return rows


def _linked(kind: Kind, row: dict[str, Any]) -> dict[str, tuple[Filter, list[str]]]:
    """The measures with a figure by the address behind it; many have the same."""
    key = RowKey(row["dimension"], row["source"], row["dimension_value"])
    found: dict[str, tuple[Filter, list[str]]] = {}
    for name, measure in kind.measures.items():
        if measure.behind is None:
            continue
        wanted = links.behind(kind.name, row["period_grain"], row["period_start"], key, measure)
        address = links.address(wanted)
        if wanted is None or address is None:
            assert row["dimension"] == "automation_level"
            assert not row[name], (row, name)
        elif row[name] is not None:
            assert _filter(address) == wanted
            found.setdefault(address, (wanted, []))[1].append(name)
    return found


def test_behind_every_figure_of_the_statistical_report_are_the_conversations_it_counts(
    snapshot: Snapshot,
) -> None:
    checked = 0
    for row in _samples(snapshot, STATISTICS):
        for wanted, names in _linked(STATISTICS, row).values():
            expressions = {
                **{name: "count(*)" for name in names if name in CONVERSATIONS or name in RATES},
                **{name: ADDED_UP[name] for name in names if name in ADDED_UP},
            }
            if not expressions:
                continue
            found = _behind(snapshot, wanted, _struct(expressions))
            for name, value in found.items():
                if name in RATES:
                    assert value == row[RATES[name][0]], (row, name)
                    value /= row[RATES[name][1]]
                assert _same(value or 0, row[name]), (row, name)
                checked += 1
                measure = STATISTICS.measures[name]
                if row["dimension"] == "all" and measure.kind != "count":
                    # As many as stand beside the figure.
                    assert _behind(snapshot, wanted, "count(*)") == row[measure.over[0]], name
    assert checked > 3000


def test_behind_every_figure_of_the_contacts_report_are_the_contacts_it_counts(
    snapshot: Snapshot,
) -> None:
    checked = 0
    for row in _samples(snapshot, CONTACTS):
        for wanted, linked in _linked(CONTACTS, row).values():
            # Nothing is behind a figure of nought, such as the reply time of bots.
            names = [name for name in linked if row[name]]
            expressions = {
                **{name: "count(*)" for name in names if name in RATES},
                **{name: OF_CONTACTS[name] for name in names if name in OF_CONTACTS},
            }
            if not expressions:
                continue
            assert wanted.rows == "contacts"
            found = _contacts_behind(snapshot, wanted, _struct(expressions))
            for name, value in found.items():
                if name in RATES:
                    assert value == row[RATES[name][0]], (row, name)
                    value /= row[RATES[name][1]]
                assert _same(value or 0, row[name]), (row, name)
                checked += 1
    assert checked > 2000


@pytest.mark.parametrize("grain", periods.GRAINS)
def test_behind_every_cause_of_the_difference_are_the_contacts_it_explains(
    snapshot: Snapshot, grain: str
) -> None:
    found = 0
    for row in snapshot.rows(
        "select * from reports.reconciliation where period_grain = $grain", {"grain": grain}
    ):
        for name in CAUSES:
            wanted = links.cause(name, grain, row["period_start"], row["source"])
            if wanted is None:
                assert row[name] == 0, "the unexplained part is nothing"
                continue
            assert _contacts_behind(snapshot, wanted, "count(*)") == row[name], (row, name)
            assert log.count(snapshot, wanted)[1] == row[name], (row, name)
            found += row[name]
    assert found


def test_a_row_that_no_address_can_ask_for_has_no_link() -> None:
    for value in ("-", " 1", "x" * 201, ""):
        assert (
            links.behind("statistics", "day", date(2026, 10, 1), RowKey("channel", None, value))
            is None
        )
    missing = links.behind("contacts", "day", date(2026, 10, 1), RowKey("group", "a", None))
    assert missing is not None
    assert missing.groups == ("-",)


# --- what is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("grain", periods.GRAINS)
def test_the_headline_is_the_reports_row_of_the_last_complete_period(
    snapshot: Snapshot, extent: Extent, kind: str, grain: str
) -> None:
    report = _ask(snapshot, extent, kind, f"grain={grain}")
    last = report.question.last
    assert periods.last_day(grain, last) < extent.newest
    assert periods.last_day(grain, periods.moved(grain, last, 1)) >= extent.newest
    (row,) = _rows(snapshot, KINDS[kind], grain, dimension="all", period_start=last)
    for figure in report.figures:
        measure = KINDS[kind].measures[figure.column]
        assert figure.text == measure.show(row[figure.column], row["currency"])
        has_rows = measure.behind is not None and (row[figure.column] or figure.column == "nps")
        assert (figure.link is not None) == bool(has_rows)


def test_the_last_complete_period_is_told_by_the_data_and_not_by_the_clock() -> None:
    known = Extent(date(2026, 9, 14), date(2026, 11, 14))
    assert known.last_complete("month") == date(2026, 10, 1)
    assert known.last_complete("week") == date(2026, 11, 2)
    assert known.last_complete("day") == date(2026, 11, 13)
    # The newest day of a period has data, and nothing says yet that it is over.
    at_the_end = Extent(date(2026, 9, 14), date(2026, 10, 31))
    assert at_the_end.last_complete("month") == date(2026, 9, 1)
    assert Extent(date(2026, 9, 14), date(2026, 9, 20)).last_complete("month") is None
    assert Extent(date(2026, 9, 14), date(2026, 9, 14)).last_complete("day") is None


def test_a_day_after_the_publication_is_not_the_newest(snapshot: Snapshot) -> None:
    class Later:
        published_at = datetime(2026, 10, 10, 3, tzinfo=UTC)
        row = staticmethod(snapshot.row)

    found = periods.extent(Later())  # type: ignore[arg-type]
    assert found is not None
    assert found.newest == date(2026, 10, 10)


def test_a_period_that_is_not_over_is_marked_and_not_compared(
    snapshot: Snapshot, extent: Extent
) -> None:
    report = _ask(snapshot, extent, "statistics", "to=2026-11-01")
    assert report.is_incomplete
    assert not any(figure.change for figure in report.figures)
    assert any("not over" in note for note in report.notes)
    assert [line.is_incomplete for line in report.table.lines] == [True, False, False]
    assert all(chart.incomplete == {2} for chart in report.charts)
    report = _ask(snapshot, extent, "statistics", "to=2026-10-01")
    assert not report.is_incomplete
    assert not any(line.is_incomplete for line in report.table.lines)


def test_changes_are_in_per_cent_and_rates_in_points(snapshot: Snapshot, extent: Extent) -> None:
    before, last = (
        row
        for row in _rows(snapshot, STATISTICS, "week", dimension="all")
        if row["period_start"] in (date(2026, 10, 26), date(2026, 11, 2))
    )
    report = _ask(snapshot, extent, "statistics", "grain=week")
    found = {figure.column: figure for figure in report.figures}
    share = last["conversations"] / before["conversations"] - 1
    assert found["conversations"].change == f"{share:+.1%}".replace("-", "\u2212")
    assert found["conversations"].before == f"{before['conversations']:,}"
    points = (last["transfer_rate"] - before["transfer_rate"]) * 100
    assert found["transfer_rate"].change == f"{points:+.1f} pp".replace("-", "\u2212")
    assert report.comparison.startswith("Changes are against week 44, 26 Oct – 1 Nov 2026;")
    measure = STATISTICS.measures["conversations"]
    assert measure.show_change(5, 0) == i18n.NOTHING
    assert measure.show_change(None, 5) == i18n.NOTHING
    assert STATISTICS.measures["nps"].show_change(-3.5, 1) == "\u22124.5 points"


def test_counts_are_not_set_against_a_period_that_the_data_hold_a_part_of(
    snapshot: Snapshot, extent: Extent
) -> None:
    assert extent.first == date(2026, 9, 14)
    for kind in KINDS.values():
        report = _ask(snapshot, extent, kind.name)
        for figure in report.figures:
            measure = kind.measures[figure.column]
            if measure.is_total:
                assert not figure.change, figure
        compared = [figure for figure in report.figures if figure.change]
        assert {kind.measures[figure.column].kind for figure in compared} >= {"share", "seconds"}
        assert report.comparison.startswith(
            "Changes are against September 2026, of which the data hold only 14 Sept 2026 to"
            " 30 Sept 2026, so counts and sums are not compared"
        )
    # Of the first period itself: it is not whole, and there is nothing before it.
    report = _ask(snapshot, extent, "statistics", "to=2026-09-01")
    assert any("not a whole one" in note for note in report.notes)
    assert report.comparison == "Not compared: August 2026 has no data."
    assert not any(figure.change for figure in report.figures)


def test_the_first_day_of_a_subject_is_its_own(snapshot: Snapshot, extent: Extent) -> None:
    row = snapshot.row(
        "select source, dimension_value, min(period_start) as first from reports.contacts_report"
        " where dimension = 'agent' and period_grain = 'day' group by all"
        " having min(period_start) > $extent and month(min(period_start)) = 9"
        " order by 3 desc, 1, 2 limit 1",
        {"extent": extent.first},
    )
    assert row is not None
    report = _ask(
        snapshot,
        extent,
        "contacts",
        f"by=agent&source={row['source']}&value={row['dimension_value']}&to=2026-10-01",
    )
    assert i18n.day(row["first"]) in report.comparison


def test_what_a_figure_and_its_change_rest_on_stands_beside_them(
    snapshot: Snapshot, extent: Extent
) -> None:
    before, last = (
        row
        for row in _rows(snapshot, STATISTICS, "week", dimension="all")
        if row["period_start"] in (date(2026, 10, 26), date(2026, 11, 2))
    )
    report = _ask(snapshot, extent, "statistics", "grain=week")
    found = {figure.column: figure for figure in report.figures}
    for name, count in (
        ("nps", "nps_responses"),
        ("first_reply_median_seconds", "first_reply_count"),
        ("resolution_median_seconds", "resolution_count"),
    ):
        assert f"of {last[count]:,} " in found[name].base
        assert found[name].before_base == f"n\xa0=\xa0{before[count]:,}"
    for name, (part, whole) in RATES.items():
        if name in found:
            assert found[name].base == f"{last[part]:,} / {last[whole]:,}"
            assert found[name].before_base == f"{before[part]:,} / {before[whole]:,}"
    # Every figure that is no count of its own says it, in both reports.
    for kind in KINDS.values():
        for measure in kind.measures.values():
            assert measure.over or measure.kind == "count", measure
            assert set(measure.over) <= set(kind.measures), measure


def test_no_two_values_of_an_axis_are_called_alike() -> None:
    for kind in ("count", "share", "seconds", "number", "points", "money"):
        for language in i18n.LANGUAGES:
            i18n.use(language)
            for top in (0.0004, 0.02, 0.3, 1, 3, 7, 90, 100, 150, 250, 900, 5400, 90000, 2e6):
                for low in (0.0, -top / 3):
                    if kind in ("count", "seconds") and top < 1:
                        continue
                    series = charts.Series("a", (low, top), (None, None), is_bar=False)
                    chart = charts.Chart(
                        "t", measures.Measure("a", kind), ("a", "b"), ("a", "b"), (series,)
                    )
                    shown = chart.axis_labels
                    assert len(set(shown)) == len(shown), (kind, top, shown)
                    assert chart.options["throughline"]["axis"] == shown
    i18n.use("en")
    series = charts.Series("a", (0.0, 100.0), (None, None), is_bar=False)
    chart = charts.Chart("t", measures.Measure("a", "seconds"), ("a", "b"), ("a", "b"), (series,))
    assert [text.replace("\xa0", " ") for text in chart.axis_labels] == [
        "0",
        "30 s",
        "1 min",
        "1 min 30 s",
        "2 min",
    ]


def test_no_label_of_a_drawn_chart_is_cut_off(snapshot: Snapshot, extent: Extent) -> None:
    for language in i18n.LANGUAGES:
        i18n.use(language)
        for grain in periods.GRAINS:
            for kind in KINDS:
                for chart in _ask(snapshot, extent, kind, f"grain={grain}").charts:
                    for x, anchor, text in re.findall(
                        r'<text x="([\d.]+)"[^>]* text-anchor="(\w+)">([^<]*)<', str(chart.svg())
                    ):
                        # Wide letters of 11 pixels take less than 6.5 on average.
                        width = 6.5 * len(html.unescape(text))
                        left = float(x) - {"end": 1.0, "middle": 0.5}[anchor] * width
                        assert left >= 0, (text, x)
                        assert left + width <= charts.WIDTH, (text, x)


def test_a_rate_over_nothing_is_a_dash_and_never_nought(snapshot: Snapshot, extent: Extent) -> None:
    row = snapshot.row(
        "select * from reports.statistical_report where csat_rate is null"
        " and dimension = 'agent' and period_grain = 'day' order by all limit 1"
    )
    assert row is not None
    report = _ask(
        snapshot,
        extent,
        "statistics",
        f"grain=day&by=agent&source={row['source']}&value={row['dimension_value']}"
        f"&to={row['period_start']}",
    )
    (figure,) = (each for each in report.figures if each.column == "csat_rate")
    assert (figure.text, figure.link) == (i18n.NOTHING, None)


def test_a_project_or_a_source_feeds_headline_trend_and_table(
    snapshot: Snapshot, extent: Extent
) -> None:
    for kind in KINDS.values():
        for row in _rows(snapshot, kind, "month", dimension="project"):
            report = _ask(
                snapshot,
                extent,
                kind.name,
                f"to={row['period_start']}&columns=all&source={row['source']}"
                f"&project={row['dimension_value']}",
            )
            (line,) = (each for each in report.table.lines if each.is_shown)
            for measure, cell in zip(kind.measures.values(), line.cells, strict=True):
                assert cell.text == measure.show(row[measure.column], row["currency"])
            assert report.figures[0].text == i18n.number(row[kind.volume])
            for chart in report.charts:
                for series in chart.series:
                    assert len(series.values) == len(chart.labels)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_dimension_shows_the_reports_rows_in_order(
    snapshot: Snapshot, extent: Extent, kind: str
) -> None:
    for dimension in KINDS[kind].dimensions[1:]:
        report = _ask(snapshot, extent, kind, f"by={dimension}&columns=all")
        rows = _rows(
            snapshot,
            KINDS[kind],
            "month",
            dimension=dimension,
            period_start=report.question.last,
        )
        assert len(report.table.lines) == min(len(rows), MOST_ROWS)
        volume = KINDS[kind].volume
        place = list(KINDS[kind].measures).index(volume)
        shown = [int(line.cells[place].text.replace(",", "")) for line in report.table.lines]
        assert shown == sorted((row[volume] for row in rows), reverse=True)


def test_rows_can_be_sorted_by_any_column_and_empty_ones_come_last(
    snapshot: Snapshot, extent: Extent
) -> None:
    for direction in ("", "-"):
        report = _ask(
            snapshot, extent, "contacts", f"by=agent&sort={direction}first_reply_mean_seconds"
        )
        rows = _rows(
            snapshot, CONTACTS, "month", dimension="agent", period_start=report.question.last
        )
        values = sorted(
            (row["first_reply_mean_seconds"] for row in rows if row["first_reply_mean_seconds"]),
            reverse=bool(direction),
        )
        names = [column.column for column in report.table.columns]
        place = names.index("first_reply_mean_seconds")
        shown = [line.cells[place].text for line in report.table.lines]
        assert shown[: len(values)] == [i18n.duration(value) for value in values]
        assert set(shown[len(values) :]) == {i18n.NOTHING}
        assert report.table.columns[place].sorted == ("descending" if direction else "ascending")


def test_rows_too_many_to_show_are_counted_and_exported(
    client: TestClient, snapshot: Snapshot, extent: Extent, monkeypatch: Any
) -> None:
    everyone = _ask(snapshot, extent, "contacts", "by=agent").table.lines
    monkeypatch.setattr(tables, "MOST_ROWS", 5)
    table = _ask(snapshot, extent, "contacts", "by=agent").table
    assert [line.label for line in table.lines] == [line.label for line in everyone[:5]]
    assert table.left_out == len(everyone) - 5
    answer = client.get("/reports/contacts/export?format=jsonl&by=agent")
    assert len(answer.text.splitlines()) == len(everyone)


def test_a_source_narrows_the_dimensions_that_have_one(snapshot: Snapshot, extent: Extent) -> None:
    report = _ask(snapshot, extent, "statistics", "by=agent&source=harbor_telecom")
    rows = _rows(
        snapshot,
        STATISTICS,
        "month",
        dimension="agent",
        source="harbor_telecom",
        period_start=report.question.last,
    )
    assert len(report.table.lines) == len(rows)
    assert not report.crossing
    assert report.subject == "harbor_telecom"


def test_a_crossing_that_is_no_row_of_the_report_is_said_and_not_invented(
    snapshot: Snapshot, extent: Extent
) -> None:
    for query in (
        "by=channel&source=harbor_telecom&project=east",
        "by=channel&source=harbor_telecom",
    ):
        report = _ask(snapshot, extent, "statistics", query)
        assert "channel" in report.crossing
        assert report.table.caption.endswith("by period")
        assert report.crossing_link is not None
        count = _behind(snapshot, _filter(report.crossing_link), "count(*)")
        assert report.figures[0].text == i18n.number(count)


def test_rows_that_do_not_add_up_say_so(snapshot: Snapshot, extent: Extent) -> None:
    for dimension in STATISTICS.dimensions:
        (flag,) = {
            row["is_additive"] for row in _rows(snapshot, STATISTICS, "month", dimension=dimension)
        }
        report = _ask(snapshot, extent, "statistics", f"by={dimension}")
        assert any("do not add up" in remark for remark in report.remarks) is not flag


def test_provisional_rows_are_marked_with_their_open_contacts(
    snapshot: Snapshot, extent: Extent
) -> None:
    report = _ask(snapshot, extent, "contacts", "to=2026-11-01")
    rows = {
        i18n.period("month", row["period_start"]): row
        for row in _rows(snapshot, CONTACTS, "month", dimension="all")
    }
    assert [line.open for line in report.table.lines] == [
        rows[line.label]["open"] for line in report.table.lines
    ]
    assert any(note.startswith("Provisional: ") for note in report.notes)
    assert any(row["is_provisional"] for row in rows.values())


def test_revenue_has_its_currency_and_none_where_they_mix(
    snapshot: Snapshot, extent: Extent
) -> None:
    report = _ask(snapshot, extent, "statistics")
    (figure,) = (each for each in report.figures if each.column == "revenue")
    assert (figure.text, figure.note) == (i18n.NOTHING, "several currencies")
    assert not any("Revenue" in chart.title for chart in report.charts)
    row = snapshot.row(
        "select * from reports.statistical_report where dimension = 'project' and revenue > 0"
        " and period_grain = 'month' and period_start = date '2026-10-01' order by all limit 1"
    )
    assert row is not None
    report = _ask(
        snapshot, extent, "statistics", f"source={row['source']}&project={row['dimension_value']}"
    )
    (figure,) = (each for each in report.figures if each.column == "revenue")
    assert figure.text == i18n.money(row["revenue"], row["currency"])
    assert any(f"Revenue ({row['currency']})" == chart.title for chart in report.charts)


def test_the_two_reports_are_reconciled(snapshot: Snapshot, extent: Extent) -> None:
    for source in ("", "maison_lumiere"):
        report = _ask(snapshot, extent, "statistics", f"source={source}")
        rows = [
            row
            for row in snapshot.rows("select * from reports.reconciliation")
            if row["period_grain"] == "month"
            and row["period_start"] == report.question.last
            and source in ("", row["source"])
        ]
        total = {
            name: sum(row[name] for row in rows)
            for name in rows[0]
            if isinstance(rows[0][name], int)
        }
        shown = report.reconciliation
        assert shown is not None
        assert shown.sentence == (
            f"{total['statistical_report_conversations']:,} conversations"
            f" = {total['statistical_report_contacts']:,} contacts"
        )
        assert shown.difference == i18n.signed(total["difference"])
        assert {cause.name: cause.text for cause in shown.causes} == {
            name: i18n.signed(sign * total[name]) for name, (sign, _) in CAUSES.items()
        }
        assert sum(sign * total[name] for name, (sign, _) in CAUSES.items()) == total["difference"]
        assert shown.conversations_link is not None
        count = _behind(snapshot, _filter(shown.conversations_link), "count(*)")
        assert count == total["statistical_report_conversations"]


def test_every_measure_is_defined_and_its_definition_is_french_too(snapshot: Snapshot) -> None:
    figures = {
        "period_grain",
        "period_start",
        "dimension",
        "dimension_value",
        "source",
        "is_additive",
        "is_provisional",
        "settles_at",
        "currency",
    }
    for kind in KINDS.values():
        columns = {row["column_name"] for row in snapshot.rows(f"describe reports.{kind.model}")}
        assert set(kind.measures) == columns - figures
        english = definitions(snapshot, kind)
        assert [each.anchor for each in english] == [f"def-{name}" for name in kind.measures]
        i18n.use("fr")
        french = definitions(snapshot, kind)
        i18n.use("en")
        for each, other in zip(english, french, strict=True):
            assert each.description != other.description, each
            assert each.day != other.day
        catalog = i18n._translations("fr")
        for name in kind.measures:
            metric = snapshot.metrics[f"{kind.model}.{name}"]
            for text in (metric.label, metric.description, metric.unit):
                # A translation can be the same word; it has to be there.
                assert text in _known(catalog), text


def _known(catalog: Any) -> set[str]:
    found: set[str] = set()
    while catalog is not None:
        found.update(key for key in getattr(catalog, "_catalog", {}) if isinstance(key, str))
        catalog = catalog._fallback
    return found


# --- the address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "grain=week&by=agent&columns=times&sort=-handle_mean_seconds",
        "grain=day&from=2026-10-01&to=2026-10-31&source=bluewing_travel&project=2",
        "by=agent&source=bluewing_travel&value=1",
        "by=channel&value=-",
    ],
)
def test_an_address_comes_back_as_it_was(extent: Extent, query: str) -> None:
    asked, problems = question.read("statistics", parse_qsl(query), extent)
    assert not problems
    again, problems = question.read(
        "statistics", parse_qsl(urlsplit(asked.address()).query), extent
    )
    assert not problems
    assert again == asked


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("grain=year", "grain"),
        ("by=agent_kind", "by"),
        ("columns=none", "columns"),
        ("sort=revenu", "sort"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-12-01&to=2026-10-01", "from"),
        ("project=east", "project"),
        ("by=agent&value=1", "value"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_the_remedy(
    client: TestClient, query: str, name: str
) -> None:
    for path in ("/reports/statistics", "/reports/statistics/export"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 400
        assert f"{name} cannot be" in html.unescape(answer.text)


def test_a_form_that_names_a_project_leads_to_the_address_with_its_source(
    client: TestClient,
) -> None:
    answer = client.get("/reports/contacts?grain=week&scope=harbor_telecom/east&by=")
    assert answer.status_code == 303
    found = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert (found["source"], found["project"], found["grain"]) == ("harbor_telecom", "east", "week")


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_page_answers_for_every_dimension_and_grain(
    client: TestClient, kind: str, language: str
) -> None:
    for grain in periods.GRAINS:
        for dimension in KINDS[kind].dimensions:
            answer = client.get(
                f"/reports/{kind}?grain={grain}&by={dimension}&columns=all&lang={language}"
            )
            assert answer.status_code == 200
            assert "style=" not in answer.text
            assert len(re.findall("<h1", answer.text)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "from=0001-01-01&to=0001-01-01",
        "grain=week&from=9999-12-31&to=9999-12-31",
        "grain=day&from=0001-01-01",
        "source=%27%3B+drop+table&project=%00",
        "by=agent&source=nobody&value=%3Cscript%3Ealert(1)%3C/script%3E",
        "value=1",
        "project=1",
    ],
)
@pytest.mark.parametrize("kind", list(KINDS))
def test_no_address_breaks_a_page(client: TestClient, kind: str, query: str) -> None:
    answer = client.get(f"/reports/{kind}?{query}")
    assert answer.status_code == (400 if query in ("project=1", "value=1") else 200)
    assert "<script>alert" not in answer.text


def test_a_span_is_at_most_so_many_periods(extent: Extent) -> None:
    asked, _ = question.read("statistics", [("grain", "day"), ("from", "1970-01-01")], extent)
    assert len(list(periods.between("day", asked.first, asked.last))) == periods.LONGEST_SPAN


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "query",
    [
        "",
        "by=agent&columns=all",
        "by=agent&source=bluewing_travel",
        "source=harbor_telecom",
        "by=project",
        "by=group&sort=label",
        "grain=week&by=channel&value=chat&columns=all",
    ],
)
def test_an_export_has_the_rows_and_columns_that_are_shown(
    client: TestClient, snapshot: Snapshot, extent: Extent, kind: str, query: str
) -> None:
    answer = client.get(f"/reports/{kind}/export?format=jsonl&{query}")
    assert answer.status_code == 200
    assert f"throughline-{kind}-" in answer.headers["content-disposition"]
    rows = [json.loads(line) for line in answer.text.splitlines()]
    report = _ask(snapshot, extent, kind, query)
    measures = [KINDS[kind].measures[column.column] for column in report.table.columns]
    shown = sorted(tuple(cell.text for cell in line.cells) for line in report.table.lines)
    assert shown == sorted(
        tuple(measure.show(_number(row[measure.column]), row["currency"]) for measure in measures)
        for row in rows
    )
    if report.question.is_split and report.question.dimension in ("agent", "group", "project"):
        names = {row["dimension_name"] or "None stated" for row in rows}
        assert names == {line.label for line in report.table.lines}
    assert {row["dimension"] for row in rows} == {
        report.question.dimension if report.question.is_split else report.question.subject.dimension
    }


def _number(value: Any) -> Any:
    """An amount is text in JSON, so that no digit is lost."""
    return Decimal(value) if isinstance(value, str) else value


def test_an_export_in_no_known_format_is_refused(client: TestClient) -> None:
    assert client.get("/reports/statistics/export?format=pdf").status_code == 400


def test_links_of_the_page_are_those_of_the_figures(
    client: TestClient, snapshot: Snapshot, extent: Extent
) -> None:
    text = client.get("/reports/statistics?columns=all").text
    shown = {html.unescape(each) for each in re.findall(r'href="(/conversations\?[^"]+)"', text)}
    report = _ask(snapshot, extent, "statistics", "columns=all")
    wanted = {figure.link for figure in report.figures if figure.link}
    wanted |= {cell.link for line in report.table.lines for cell in line.cells if cell.link}
    assert len(wanted) > 20
    assert wanted <= shown


@pytest.mark.parametrize("query", ["", "by=channel", "by=automation_level", "grain=week&by=group"])
def test_the_log_counts_what_the_figure_says(
    client: TestClient, snapshot: Snapshot, extent: Extent, query: str
) -> None:
    report = _ask(snapshot, extent, "statistics", f"columns=volume&{query}")
    names = [column.column for column in report.table.columns]
    checked = 0
    for line in report.table.lines:
        for name, cell in zip(names, line.cells, strict=True):
            if name in (*CONVERSATIONS, "contacts") and cell.link:
                address = cell.link.replace("/conversations?", "/conversations/count?")
                answer = client.get(address, headers={"HX-Request": "true"})
                noun = "contact" if name == "contacts" else "conversation"
                assert re.search(rf"\b{cell.text} {noun}", answer.text), (line.label, name)
                checked += 1
    assert checked > 4


# --- the calendar, the axes -----------------------------------------------------------------------


def test_periods_at_the_ends_of_the_calendar_are_periods() -> None:
    for grain in periods.GRAINS:
        for day in (date.min, date.max):
            start = periods.start_of(grain, day)
            assert periods.last_day(grain, start) >= start
            assert periods.moved(grain, start, 500) >= start or day == date.max
            assert periods.moved(grain, start, -500) <= start or day == date.min
            assert list(periods.between(grain, start, start)) == [start]
    assert periods.moved("month", date(2026, 11, 1), 2) == date(2027, 1, 1)
    assert periods.moved("month", date(2026, 1, 1), -1) == date(2025, 12, 1)
    assert periods.last_day("month", date(2028, 2, 1)) == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [(0, 964, "count"), (0, 0, "count"), (0, 3, "count"), (-40, 60, "points"), (0, 0.37, "share")]
    + [(0, seconds, "seconds") for seconds in (0.4, 45, 119, 2056, 86400, 3e7)],
)
def test_an_axis_holds_its_values_with_few_round_steps(low: float, high: float, kind: str) -> None:
    found = charts.ticks(low, high, kind)
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 8
    if kind == "count":
        assert all(float(tick).is_integer() for tick in found)


def test_a_chart_and_its_drawing_have_the_same_values(snapshot: Snapshot, extent: Extent) -> None:
    report = _ask(snapshot, extent, "statistics", "grain=week")
    for chart in report.charts:
        options = chart.options
        drawing = str(chart.svg())
        for series, drawn in zip(chart.series, options["series"], strict=True):
            assert [point["value"] for point in drawn["data"]] == list(series.values)
            for period, value in zip(chart.periods, series.values, strict=True):
                if value is not None:
                    assert html.escape(f"{period} · {series.label}: {chart.show(value)}") in drawing


def test_a_report_over_an_empty_version_says_so(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(periods, "extent", lambda snapshot: None)
    answer = client.get("/reports/statistics")
    assert answer.status_code == 200
    assert "nothing to report on yet" in answer.text


def test_a_question_keeps_what_a_change_leaves(extent: Extent) -> None:
    asked = Question(STATISTICS, "month", date(2026, 9, 1), date(2026, 10, 1), "agent", "a")
    assert "by=agent" in asked.address(source="b")
    assert "source=b" in asked.address(source="b")
    assert "grain=week" in asked.at_grain("week", extent)
