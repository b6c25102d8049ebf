"""What a run shows at its end: the published figures, short, and right in every odd case."""

from __future__ import annotations

import subprocess
from datetime import date, datetime

import duckdb
import fake_warehouse
import pytest

from orchestration import headline, wording
from orchestration.headline import reports
from throughline.publishing import publish as publishing
from throughline.settings import Settings

TABLES = """
    create table reports.contacts_report as
    select
        grain as period_grain, start as period_start, 'all' as dimension, contacts,
        6::bigint as open, 90::bigint as answered, 40::bigint as transferred_out,
        3::bigint as snoozed, 70.0 as first_reply_mean_seconds,
        33.0 as response_mean_seconds, 500.0 as duration_mean_seconds,
        9::bigint as csat_positive, 12::bigint as csat_responses, 800::bigint as messages_sent,
        2::bigint as transactions, 30.5::decimal(38, 4) as revenue, 'EUR' as currency
    from (
        values
            ('month', date '2026-02-01', 1200::bigint),
            ('month', date '2026-03-01', 1300::bigint),
            ('month', date '2026-04-01', 700::bigint),
            ('day', date '2026-04-12', 7::bigint)
    ) as periods (grain, start, contacts);
    create table reports.statistical_report as
    select
        period_grain, period_start, dimension, contacts // 2 as conversations,
        contacts - 3 as contacts, 50::bigint as answered, 20::bigint as transferred,
        10::bigint as fully_automated, 42.0 as first_reply_median_seconds,
        6.0 as pickup_median_seconds, 12003.0 as resolution_median_seconds,
        6::bigint as csat_positive, 8::bigint as csat_responses, -12.5 as nps,
        8::bigint as nps_responses, 2::bigint as transactions,
        30.5::decimal(38, 4) as revenue, 'EUR' as currency
    from reports.contacts_report;
    create table reports.reconciliation as
    select
        'month' as period_grain, period_start, source,
        contacts as contacts_report_contacts, contacts - 3 as statistical_report_contacts,
        5::bigint as still_open, 4::bigint as waiting, 0::bigint as closed_in_later_period,
        0::bigint as closed_in_earlier_period, 2::bigint as started_in_earlier_period,
        0::bigint as started_in_later_period, 0::bigint as unexplained
    from reports.contacts_report cross join (values ('desk')) as sources (source)
    where period_grain = 'month';
    create table marts.contacts as
    select
        conversation_id || '/' || contact_no as contact_id, 'desk' as source, *
    from (
        values
            ('desk:1', 1::bigint, false, 'bot-1', 'bot', timestamp '2026-03-01 10:02:00',
             timestamp '2026-03-01 10:04:00', 'transfer'),
            ('desk:1', 2::bigint, true, 'a-7', 'human', timestamp '2026-03-01 10:04:00',
             timestamp '2026-03-01 10:21:00', 'close'),
            ('desk:2', 1::bigint, false, 'a-7', 'human', timestamp '2026-03-01 11:00:00',
             timestamp '2026-03-01 11:05:00', 'snooze'),
            ('desk:2', 2::bigint, false, null, null, timestamp '2026-03-02 11:00:00', null, null)
    ) as contacts (
        conversation_id, contact_no, is_transferred_in, agent_id, agent_kind, started_at, ended_at,
        end_reason
    );
    create table marts.conversations as
    select
        conversation_id, 'desk' as source, conversation_id as anchor_contact_id,
        conversation_id = 'desk:1' as is_closed, 2::bigint as contact_count,
        0::bigint as missing_contact_count, conversation_id = 'desk:1' as is_transferred,
        2::bigint as agent_count, true as is_escalated, null::double as csat_score,
        true as is_answered, timestamp '2026-03-01 10:02:00' as started_at,
        timestamp '2026-03-01 10:21:00' as closed_at
    from marts.contacts
    where contact_no = 1;
    create table marts.agents as
    select 'desk' as source, 'a-7' as agent_id, 'Zoé' as display_name;
"""


@pytest.fixture
def reported(settings: Settings) -> Settings:
    """A published warehouse that holds the two reports."""
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute("drop view reports.statistical_report; drop table marts.conversations")
        connection.execute(TABLES)
    models = {
        name: fake_warehouse.model(*name.split("."), order)
        for name, order in (
            ("reports.contacts_report", "period_start"),
            ("reports.reconciliation", "period_start"),
            ("marts.contacts", "conversation_id"),
        )
    }
    fake_warehouse.write_dbt_manifest(
        settings, **models, agents=fake_warehouse.model("marts", "agents", "agent_id")
    )
    publishing.publish(settings, run_id="first")
    return settings


def change(settings: Settings, statement: str) -> None:
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute(statement)
    publishing.publish(settings, run_id="again")


def figures(text: str) -> dict[str, list[str]]:
    """The table's lines: both measures' names to their values."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        for half in (line[:39], line[41:]):
            name, _, value = half.strip().partition("  ")
            if value:
                found.setdefault(name, []).append(" ".join(value.split()))
    return found


def test_the_last_whole_month_of_both_reports_stands_side_by_side(reported: Settings) -> None:
    text = headline.render(reported, [])

    assert text.startswith("March 2026, a whole month\n")
    table = figures(text)
    assert table["conversations"] == ["650"]
    assert table["contacts"] == ["1,300"]
    assert table["fully automated"] == ["10 2 %"]
    assert table["first human reply, median"] == ["42 s"]
    assert table["picked up, median"] == ["6 s"]
    assert table["resolution, median"] == ["3 h 20 min"]
    assert table["response, mean"] == ["33 s"]
    assert table["duration, mean (AHT)"] == ["8 min 20 s"]
    assert table["CSAT, 4 or 5"] == ["6 of 8 75 %"]
    assert table["transactions"] == ["2 30 EUR", "2 30 EUR"]


def test_figures_of_millions_do_not_touch_their_names(reported: Settings) -> None:
    change(
        reported,
        "update reports.statistical_report set csat_positive = 5708165, csat_responses = 7123456,"
        " transactions = 1234567, revenue = 123456789.5",
    )
    lines = headline.render(reported, []).splitlines()
    top = lines.index(next(line for line in lines if line.startswith("STATISTICAL REPORT")))
    table = lines[top : lines.index("", top)]

    assert any(line.startswith("CSAT, 4 or 5  5,708,165 of 7,123,456") for line in table)
    assert any(
        line.startswith("transactions  ") and "1,234,567  123,456,790 EUR" in line for line in table
    )
    right = table[0].index("CONTACTS REPORT")
    assert {line[right - 2 : right] for line in table} == {"  "}


def test_the_reports_are_reconciled_for_the_month_and_for_all_time(reported: Settings) -> None:
    text = " ".join(headline.render(reported, []).split())

    assert (
        "The two agree: 1,300 contacts started - 5 in conversations still open"
        " - 4 in conversations that wait"
        " + 2 started in another month = 1,297 contacts in the conversations closed"
    ) in text
    assert (
        "2 conversations + 1 contacts after a transfer"
        " + 1 continued otherwise (a snooze, a shared reference) = 4 contacts"
    ) in text


def test_one_exchange_is_shown_as_one_conversation_and_as_its_contacts(
    reported: Settings,
) -> None:
    lines = headline.render(reported, []).splitlines()

    start = lines.index("The same exchange in both (times in UTC):")
    assert [" ".join(line.split()) for line in lines[start + 1 : start + 4]] == [
        "1 conversation desk:1 01 Mar 10:02-10:21",
        "2 contacts bot-1 (bot) 01 Mar 10:02-10:04 transfer",
        "Zoé (human) 01 Mar 10:04-10:21 close",
    ]


def test_figures_fit_eighty_columns_and_carry_no_terminal_codes(reported: Settings) -> None:
    change(
        reported,
        "update marts.conversations set conversation_id = repeat('x', 200) where is_closed;"
        "update marts.contacts set conversation_id = repeat('x', 200), agent_id = repeat('y', 99)"
        " where conversation_id = 'desk:1';"
        "update reports.contacts_report set contacts = contacts * 1000000",
    )

    text = headline.render(reported, [headline.Rejection("contacts", 1234567, 3)])

    assert "\x1b" not in text
    figures_only = text.split("\nPublished: ")[0].splitlines()
    assert [line for line in figures_only if len(line) > wording.WIDTH] == []
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_thin_last_month_is_passed_over(reported: Settings) -> None:
    change(
        reported,
        "insert into reports.contacts_report by name select * replace"
        " (date '2026-05-01' as period_start, 3 as contacts) from reports.contacts_report"
        " where period_start = '2026-03-01';"
        "update reports.contacts_report set period_start = date '2026-05-31'"
        " where period_grain = 'day'",
    )

    assert headline.render(reported, []).startswith("April 2026, a whole month\n")


def test_without_a_whole_month_the_running_one_is_shown_as_such(reported: Settings) -> None:
    change(
        reported,
        "delete from reports.contacts_report"
        " where period_grain = 'month' and period_start < date '2026-04-01'",
    )

    assert headline.render(reported, []).startswith("April 2026, so far\n")


def test_a_rate_over_nothing_is_a_dash_and_not_zero(reported: Settings) -> None:
    change(
        reported,
        "update reports.statistical_report set csat_positive = 0, csat_responses = 0,"
        " nps = null, nps_responses = 0, first_reply_median_seconds = null, transactions = 0",
    )

    table = figures(headline.render(reported, []))
    assert table["CSAT, 4 or 5"] == ["-"]
    assert table["NPS"] == ["-"]
    assert table["first human reply, median"] == ["-"]
    assert table["transactions"] == ["0", "2 30 EUR"]


def test_an_unexplained_difference_is_said_aloud(reported: Settings) -> None:
    change(reported, "update reports.reconciliation set unexplained = 1")

    text = headline.render(reported, [])
    assert "The two do NOT agree:" in text
    assert "- 1 UNEXPLAINED" in text


def test_with_no_contact_at_all_the_text_says_what_to_do(reported: Settings) -> None:
    change(
        reported,
        "delete from reports.contacts_report; delete from reports.statistical_report;"
        "delete from reports.reconciliation; delete from marts.contacts;"
        "delete from marts.conversations",
    )

    text = headline.render(reported, [])
    assert text.startswith("No contact has landed yet")
    assert "The same exchange" not in text
    assert str(reported.published_file) in text


def test_rejections_are_read_from_the_ledger_and_counted_per_log(reported: Settings) -> None:
    with duckdb.connect(str(reported.warehouse_file)) as connection:
        connection.execute(
            "insert into raw.loads values"
            " (1, 'contacts', 'loaded', 2), (2, 'contacts', 'loaded', 1),"
            " (3, 'messages', 'rejected', null), (4, 'ratings', 'loaded', 0)"
        )

    text = headline.render(reported)

    assert headline.read_rejections(reported) == [
        headline.Rejection("contacts", 3, 0),
        headline.Rejection("messages", 0, 1),
    ]
    assert "  contacts        3 rows\n  messages        1 whole file\n" in text
    assert "raw.rejected_rows" in text
    assert "Rejected: nothing." in headline.render(reported, [])


def test_a_warehouse_in_use_costs_only_the_lines_on_rejections(
    reported: Settings, child: fake_warehouse.Child
) -> None:
    run = child("hold", reported)
    assert run.stdout is not None
    assert run.stdout.readline() == "held\n"

    text = headline.render(reported)

    assert text.startswith("March 2026")
    assert "Rejected" not in text


def test_the_suggested_command_runs_as_it_is_printed(
    reported: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reported.warehouse_dir.parent)
    text = headline.render(reported, [])

    command = text.split("Next:\n")[1].splitlines()[0]
    assert "'warehouse/published/throughline.duckdb'" in command
    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "desk:1" in shown.stdout


def test_before_the_first_publish_the_text_says_so(settings: Settings) -> None:
    assert headline.render(settings, []) == "Nothing is published yet: `make run` publishes.\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (86_399, "23 h 59 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


def test_an_exchange_over_midnight_shows_both_days() -> None:
    start, end = datetime(2026, 3, 1, 23, 50), datetime(2026, 3, 2, 0, 10)

    assert wording.span(start, end) == "01 Mar 23:50-02 Mar 00:10"
    assert wording.span(start, None) == "01 Mar 23:50, open"
    assert reports._last_day(date(2026, 12, 1)) == date(2026, 12, 31)
