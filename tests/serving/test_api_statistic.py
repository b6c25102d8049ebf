"""The statistic resource: the platform's indicators are the reports' figures."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from serving.api import statistic
from serving.api.parameters import Moment, Period
from serving.api.statistic import CONTACT, CONVERSATION, INDICATORS, Question
from serving.snapshot import Snapshot

PATH = "/api/2/statistic"
SEPTEMBER_ON = Period(Moment(datetime(2026, 9, 1), True), None)
SOME_DAYS = Period(Moment(datetime(2026, 10, 20), True), Moment(datetime(2026, 11, 2), True))


def _data(client: TestClient, **filters: object) -> Any:
    answer = client.get(
        PATH, params={f"filters[{name}]": str(value) for name, value in filters.items()}
    ).json()
    assert answer["meta"]["status"] == "success", answer
    return answer["data"]


def _refused(client: TestClient, **filters: object) -> str:
    answer = client.get(
        PATH, params={f"filters[{name}]": str(value) for name, value in filters.items()}
    ).json()
    assert answer["meta"]["status"] == "fail", answer
    return str(answer["meta"]["message"])


SINGLE: list[dict[str, Any]] = [
    {},
    {"source": "maison_lumiere"},
    {"websites": ("101",)},
    {"websites": ("1*", "west")},
    {"websites": ("101",), "source": "maison_lumiere"},
    {"channels": ("chat",)},
    {"channels": ("social",)},
    {"resource": "operator"},
    {"resource": "group"},
    {"resource": "operator", "resource_id": "9"},
    {"resource": "operator", "source": "harbor_telecom"},
]


@pytest.mark.parametrize("grain", [CONTACT, CONVERSATION])
@pytest.mark.parametrize("granularity", ["", "day", "month"])
@pytest.mark.parametrize("asked", SINGLE, ids=str)
def test_the_metric_models_and_the_rows_agree_wherever_both_can_answer(
    snapshot: Snapshot, asked: dict[str, Any], granularity: str, grain: str
) -> None:
    for period in (SEPTEMBER_ON, SOME_DAYS):
        question = Question(
            indicators=tuple(INDICATORS), period=period, granularity=granularity, **asked
        )
        assert question.dimension is not None
        models = statistic.totals(snapshot, question, grain)
        rows = statistic.totals(snapshot, question, grain, from_rows=True)
        assert models

        def by_key(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return sorted(
                found, key=lambda row: [str(row.get(n)) for n in ("id", "source", "date")]
            )

        assert by_key(models) == by_key(rows)


@pytest.mark.parametrize(
    "asked",
    [
        {"websites": ("101",), "channels": ("chat",)},
        {"websites": ("101",), "resource": "operator"},
        {"channels": ("chat",), "resource": "group"},
        {"channels": ("chat",), "source": "maison_lumiere"},
        {"granularity": "hour"},
    ],
    ids=str,
)
def test_what_is_no_row_of_the_metric_models_comes_from_the_rows(asked: dict[str, Any]) -> None:
    assert Question(indicators=("contact_number",), period=SOME_DAYS, **asked).dimension is None
    part_of_a_day = Period(Moment(datetime(2026, 10, 20, 8), False), SOME_DAYS.last)
    assert Question(indicators=("contact_number",), period=part_of_a_day).dimension is None


def test_the_indicators_are_the_figures_of_the_contacts_report(
    client: TestClient, snapshot: Snapshot
) -> None:
    for row in snapshot.rows(
        "select * from reports.contacts_report where dimension = 'agent' and period_grain = 'month'"
        " and period_start = date '2026-10-01' and dimension_value is not null"
    ):
        [found] = _data(
            client,
            resource="operator",
            resource_id=row["dimension_value"],
            source=row["source"],
            **{"from": "2026-10-01", "to": "2026-10-31"},
        )
        assert (found["id"], found["source"]) == (row["dimension_value"], row["source"])
        assert found["contact_number"] == row["contacts"]
        assert found["contact_unanswered_number"] == row["unanswered"]
        assert found["contact_sent_message_number"] == row["messages_sent"]
        assert found["contact_received_message_number"] == row["messages_received"]
        assert found["transaction_after_contact_number"] == row["transactions"]
        for name, column in (
            ("contact_duration", "duration_mean_seconds"),
            ("contact_answered_duration", "response_mean_seconds"),
            ("contact_answered_after_first_message_duration", "first_reply_mean_seconds"),
            ("contact_closed_after_last_message_duration", "closing_delay_mean_seconds"),
            ("transaction_after_contact_amount", "revenue"),
        ):
            wanted = row[column]
            assert found[name] == (None if wanted is None else pytest.approx(float(wanted))), name


def test_the_conversion_rate_is_that_of_the_statistical_report(
    client: TestClient, snapshot: Snapshot
) -> None:
    for row in snapshot.rows(
        "select * from reports.statistical_report where dimension = 'project'"
        " and period_grain = 'month' and period_start = date '2026-10-01'"
    ):
        found = _data(
            client,
            website_list=row["dimension_value"],
            source=row["source"],
            **{"from": "2026-10-01", "to": "2026-10-31"},
        )
        assert found["conversion_rate"] == pytest.approx(row["conversion_rate"])
        revenue = row["revenue"]
        assert found["transaction_amount_per_conversation"] == (
            None if revenue is None else pytest.approx(float(revenue) / row["conversations"])
        )


def test_a_combination_is_what_the_contacts_themselves_say(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = snapshot.row(
        "select count(*) as contacts, avg(duration_seconds) as duration,"
        " avg(first_reply_seconds) filter (where agent_kind in ('human', 'expert')) as first_reply"
        " from marts.contacts where project_id = '101' and channel = 'chat' and agent_id = '9'"
        " and source = 'maison_lumiere' and started_on between '2026-09-20' and '2026-11-05'"
    )
    assert row is not None
    [found] = _data(
        client,
        website_list="101",
        channel="chat",
        resource="operator",
        resource_id="9",
        source="maison_lumiere",
        **{"from": "2026-09-20", "to": "2026-11-05"},
    )
    assert found["contact_number"] == row["contacts"] > 0
    assert found["contact_duration"] == pytest.approx(row["duration"])
    first_reply = found["contact_answered_after_first_message_duration"]
    assert first_reply == pytest.approx(row["first_reply"])


def test_hours_and_days_and_months_are_slots_of_the_same_contacts(
    client: TestClient, snapshot: Snapshot
) -> None:
    expected: dict[str, int] = {}
    for row in snapshot.rows("select started_at, time_zone from marts.contacts"):
        local = row["started_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(row["time_zone"]))
        hour = local.strftime("%Y-%m-%d %H:00:00")
        expected[hour] = expected.get(hour, 0) + 1
    for granularity, length in (("hour", 19), ("day", 10), ("month", 7)):
        found = _data(client, indicators="contact_number", granularity=granularity)
        grouped = {
            slot: sum(count for _, count in group)
            for slot, group in itertools.groupby(
                sorted((hour[:length], count) for hour, count in expected.items()),
                key=lambda pair: pair[0],
            )
        }
        assert {row["date"]: row["contact_number"] for row in found} == grouped
        assert [row["date"] for row in found] == sorted(grouped)


def test_a_mean_over_nothing_is_null_and_a_count_is_0(client: TestClient) -> None:
    found = _data(client, website_list="nowhere")
    assert found["contact_number"] == found["transaction_after_contact_amount"] == 0
    assert found["contact_duration"] is found["conversion_rate"] is None
    assert found["cart_after_contact_amount"] is None


def test_amounts_of_several_currencies_have_no_sum(client: TestClient, snapshot: Snapshot) -> None:
    row = snapshot.row(
        "select list(distinct currency) as currencies from marts.transactions"
        " where credited_contact_id is not null"
    )
    assert row is not None
    assert len(row["currencies"]) > 1
    found = _data(client)
    assert found["transaction_after_contact_number"] > 0
    assert found["transaction_after_contact_amount"] is None


def test_the_deprecated_name_and_the_list_of_php_are_taken(client: TestClient) -> None:
    assert _data(client, website_id="101") == _data(client, website_list="101")
    listed = client.get(
        f"{PATH}?filters[indicators][0]=contact_number&filters[indicators][1]=contact_duration"
    ).json()["data"]
    assert listed == _data(client, indicators="contact_number,contact_duration")
    assert set(listed) == {"contact_number", "contact_duration"}


def test_a_period_of_a_year_is_taken(client: TestClient, snapshot: Snapshot) -> None:
    found = _data(client, **{"from": "2026-01-01", "to": "2026-12-31"})
    assert found["contact_number"] == snapshot.value("select count(*) from marts.contacts")
    today = snapshot.published_at.date()
    assert _data(client, **{"from": str(today + timedelta(days=300))})["contact_number"] == 0


def test_what_cannot_be_answered_says_why(client: TestClient) -> None:
    assert "no waiting queue" in _refused(client, indicators="contact_waiting_number")
    both = _refused(client, indicators="contact_waiting_number,presence_duration")
    assert both.startswith("Indicators 'contact_waiting_number', 'presence_duration' are not avail")
    assert "no waiting queue" in both
    assert "no presence" in both
    assert "satisfaction" in _refused(client, indicators="satisfaction_global_rate")
    assert _refused(client, indicators="contact_nmber").startswith(
        "Value of field 'indicators' is not valid."
    )
    assert "no skills" in _refused(client, resource="skill")
    assert "contact_type" in _refused(client, resource="contact_type")
    assert _refused(client, resource_id="9") == "Field 'resource' is missing."
    assert "exactly one indicator" in _refused(client, granularity="day")
    assert "'granularity' is not valid" in _refused(
        client, indicators="contact_number", granularity="week"
    )
    assert "not both" in _refused(client, website_id="1", website_list="2")
    assert "'to' is not valid" in _refused(client, **{"from": "2026-10-02", "to": "2026-10-01"})


def test_an_indicator_that_cannot_be_known_is_null_beside_one_that_can(client: TestClient) -> None:
    asked = ["contact_number", "contact_waiting_number", "contact_simultaneous_number"]
    given = {"indicators": ",".join(asked), "from": "2026-10-01", "to": "2026-10-31"}
    for more in ({}, {"resource": "operator"}):
        answer = client.get(
            "/api/2/statistic",
            params={f"filters[{name}]": value for name, value in {**given, **more}.items()},
        ).json()
        assert answer["meta"]["unavailable"] == {
            name: statistic.UNAVAILABLE_INDICATORS[name] for name in asked[1:]
        }
        rows = answer["data"] if more else [answer["data"]]
        assert rows
        for row in rows:
            assert row["contact_number"] > 0
            assert row["contact_waiting_number"] is row["contact_simultaneous_number"] is None
    alone = client.get("/api/2/statistic?filters[indicators]=contact_number").json()
    assert "unavailable" not in alone["meta"]


def test_every_documented_indicator_is_either_a_figure_or_refused_with_a_reason() -> None:
    assert not set(INDICATORS) & set(statistic.UNAVAILABLE_INDICATORS)
    assert len(INDICATORS) + len(statistic.UNAVAILABLE_INDICATORS) == 57
