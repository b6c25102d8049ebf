"""The rules of docs/decisions/0005-metrics.md that no golden scenario pins."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from harness import Pipeline


def _rows(built: Pipeline, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    with duckdb.connect(str(built.settings.published_file), read_only=True) as connection:
        found = connection.execute(sql, list(parameters))
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _statistics(built: Pipeline, source: str, grain: str = "week") -> dict[str, Any]:
    (row,) = _rows(
        built,
        "select * from reports.statistical_report where dimension = 'source'"
        " and dimension_value = ? and period_grain = ?",
        source,
        grain,
    )
    return row


def _contacts(built: Pipeline, source: str) -> dict[str, Any]:
    (row,) = _rows(
        built,
        "select * from reports.contacts_report where dimension = 'source'"
        " and dimension_value = ? and period_grain = 'week'",
        source,
    )
    return row


@pytest.mark.parametrize("source", ["rule_currencies", "rule_currencies_inside"])
def test_amounts_in_several_currencies_have_no_sum(built: Pipeline, source: str) -> None:
    statistics, contacts = _statistics(built, source), _contacts(built, source)
    assert statistics["transactions"] == contacts["transactions"] == 2
    assert statistics["revenue"] is None
    assert statistics["average_order_value"] is None
    assert statistics["currency"] is None
    assert contacts["revenue"] is None
    assert contacts["currency"] is None


def test_a_refund_lowers_the_revenue_and_is_no_purchase(built: Pipeline) -> None:
    statistics, contacts = _statistics(built, "rule_refunds"), _contacts(built, "rule_refunds")
    assert (statistics["transactions"], statistics["refunds"]) == (1, 2)
    assert (statistics["converted"], statistics["converted_share"]) == (1, 0.5)
    assert statistics["revenue"] == statistics["average_order_value"] == -40
    assert (contacts["transactions"], contacts["revenue"]) == (1, -40)


def test_the_median_of_a_week_comes_from_its_rows_and_not_from_its_days(built: Pipeline) -> None:
    days = _rows(
        built,
        "select first_reply_median_seconds as median from reports.statistical_report"
        " where dimension = 'source' and dimension_value = 'rule_medians'"
        " and period_grain = 'day' order by period_start",
    )
    assert [day["median"] for day in days] == [20, 1000]
    # Of 10, 20, 30 and 1,000. The median of the days' medians would be 510.
    assert _statistics(built, "rule_medians")["first_reply_median_seconds"] == 25


def test_the_handling_time_of_a_conversation_includes_its_bots(built: Pipeline) -> None:
    assert _statistics(built, "rule_handling")["handle_mean_seconds"] == 660
    assert _rows(
        built,
        "select handle_seconds, human_handle_seconds from marts.conversations"
        " where source = 'rule_handling'",
    ) == [{"handle_seconds": 660, "human_handle_seconds": 600}]


def test_nps_is_in_points_of_a_hundred_answers(built: Pipeline) -> None:
    statistics = _statistics(built, "rule_nps")
    assert (statistics["nps_promoters"], statistics["nps_detractors"]) == (1, 2)
    assert statistics["nps_responses"] == 4
    assert statistics["nps"] == -25


def test_a_conversation_whose_last_contact_is_snoozed_waits_and_counts_nowhere_yet(
    built: Pipeline,
) -> None:
    assert _rows(
        built,
        "select is_closed, is_waiting, close_reason from marts.conversations"
        " where source = 'rule_snoozed'",
    ) == [{"is_closed": False, "is_waiting": True, "close_reason": None}]
    assert not _rows(
        built,
        "select * from reports.statistical_report where dimension_value = 'rule_snoozed'",
    )
    assert _contacts(built, "rule_snoozed")["snoozed"] == 1
    assert _rows(
        built,
        "select still_open, waiting, unexplained from reports.reconciliation"
        " where source = 'rule_snoozed' and period_grain = 'day'",
    ) == [{"still_open": 0, "waiting": 1, "unexplained": 0}]


def test_a_pick_up_is_no_first_reply(built: Pipeline) -> None:
    statistics = _statistics(built, "rule_pickup")
    assert (statistics["first_reply_count"], statistics["pickup_count"]) == (1, 1)
    assert statistics["first_reply_median_seconds"] == statistics["first_reply_p90_seconds"] == 120
    assert statistics["pickup_median_seconds"] == statistics["pickup_p90_seconds"] == 6


def test_a_contact_without_a_reply_is_unanswered_even_when_the_visitor_wrote_nothing(
    built: Pipeline,
) -> None:
    contacts = _contacts(built, "rule_unanswered")
    assert (contacts["contacts"], contacts["answered"], contacts["unanswered"]) == (2, 1, 1)
    assert contacts["messages_received"] == 0
