"""What the outside may rely on: every column that the contract names, described, typed and tested.

Belongs here: the list of the contract's columns, and what holds for every model. Does not belong
here: names (test_naming.py) and values (tests/golden).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from project_files import Project, published

from throughline.refreshing import declared

# The contract, sections 4 and 5. A model may have more columns, and none fewer.
CONTRACT = {
    "marts.conversations": """
        conversation_id source visitor_id project_id channel language started_at closed_at
        is_closed is_waiting close_reason contact_count missing_contact_count human_contact_count
        bot_contact_count agent_count transfer_request_count transfer_count is_transferred
        is_escalated is_bounced first_agent_id last_agent_id agent_path automation_level
        is_answered is_answered_by_human first_visitor_message_at first_human_reply_at
        first_reply_seconds pickup_seconds resolution_seconds handle_seconds messages_sent_count
        messages_received_count csat_score nps_score transaction_count transaction_amount
        refund_count first_loaded_at changed_at extra
    """,
    "marts.contacts": """
        contact_id source conversation_id contact_no agent_id agent_kind is_human group_id
        visitor_id project_id channel started_at answered_at ended_at end_reason is_open is_answered
        is_transferred_in is_transferred_out previous_contact_id next_contact_id
        transfer_wait_seconds duration_seconds first_reply_seconds response_seconds_sum
        response_count closing_delay_seconds messages_sent_count messages_received_count
        csat_score transaction_amount extra
    """,
    "marts.transfers": """
        transfer_id source conversation_id from_contact_id to_contact_id from_agent_id
        to_agent_id requested_at kind target_kind target_id outcome is_completed wait_seconds
        is_rejected_link rejection_reason
    """,
    "marts.messages": """
        message_id conversation_id contact_id source sent_at message_no author_kind author_id
        body content_type is_private
    """,
    "marts.agents": """
        agent_id agent_kind display_name group_id group_name valid_from
    """,
    "marts.ratings": """
        rating_id conversation_id contact_id question answered_at score comment
    """,
    "marts.projects": """
        source project_id project_name time_zone currency
    """,
    "marts.sources": """
        source time_zone currency has_numeric_ids
    """,
    "marts.transactions": """
        transaction_id conversation_id contact_id visitor_id occurred_at amount currency
    """,
    "marts.conversation_ids": """
        id conversation_id since reason
    """,
    "marts.graph_quality": """
        code
    """,
    "reports.statistical_report": """
        period_grain period_start dimension dimension_value is_provisional settles_at
        conversations answered
        answered_by_human contacts contacts_per_conversation transferred transfer_rate transfers
        bounced bot_first escalated escalation_rate fully_automated automation_rate
        first_reply_count first_reply_median_seconds first_reply_p90_seconds pickup_count
        pickup_median_seconds pickup_p90_seconds resolution_median_seconds
        resolution_p90_seconds handle_mean_seconds csat_responses csat_positive csat_rate
        csat_mean nps_responses nps_promoters nps_detractors nps transactions refunds converted
        conversion_rate converted_share revenue average_order_value
    """,
    "reports.contacts_report": """
        period_grain period_start dimension dimension_value is_provisional settles_at
        contacts answered unanswered open
        transferred_in transferred_out transfer_out_rate snoozed closed duration_mean_seconds
        first_reply_mean_seconds response_mean_seconds closing_delay_mean_seconds messages_sent
        messages_received csat_responses csat_rate transactions revenue
    """,
    "reports.restatements": """
        publication_no report period_grain period_start dimension dimension_value source measure
        from_value to_value cause conversation_count
    """,
    "metrics.lateness": """
        source log record_count within_hour_rate within_day_rate within_week_rate within_month_rate
    """,
    "reports.reconciliation": """
        period_grain period_start source difference still_open waiting unexplained
    """,
}
# A measure and what it is a share or a mean of: the numerator, when it is none of the measures, and
# the denominator stand beside it.
MADE_OF = {
    "statistical_report": {
        "contacts_per_conversation": ("contacts", "conversations"),
        "transfer_rate": ("transferred", "conversations"),
        "escalation_rate": ("escalated", "bot_first"),
        "automation_rate": ("fully_automated", "conversations"),
        "first_reply_median_seconds": ("first_reply_count",),
        "first_reply_p90_seconds": ("first_reply_count",),
        "pickup_median_seconds": ("pickup_count",),
        "pickup_p90_seconds": ("pickup_count",),
        "resolution_median_seconds": ("resolution_count",),
        "resolution_p90_seconds": ("resolution_count",),
        "handle_mean_seconds": ("handle_seconds_sum", "handle_count"),
        "csat_rate": ("csat_positive", "csat_responses"),
        "csat_mean": ("csat_score_sum", "csat_responses"),
        "nps": ("nps_promoters", "nps_detractors", "nps_responses"),
        "conversion_rate": ("transactions", "conversations"),
        "converted_share": ("converted", "conversations"),
        "average_order_value": ("revenue", "transactions"),
    },
    "contacts_report": {
        "transfer_out_rate": ("transferred_out", "contacts"),
        "duration_mean_seconds": ("duration_seconds_sum", "duration_count"),
        "first_reply_mean_seconds": ("first_reply_seconds_sum", "first_reply_count"),
        "response_mean_seconds": ("response_seconds_sum", "response_count"),
        "closing_delay_mean_seconds": ("closing_delay_seconds_sum", "closing_delay_count"),
        "csat_rate": ("csat_positive", "csat_responses"),
    },
}
# A finding repeats when two pieces of evidence show it.
WITHOUT_A_KEY = {"graph_quality"}


@pytest.mark.parametrize("table", CONTRACT)
def test_a_public_model_has_every_column_of_the_contract(project: Project, table: str) -> None:
    schema, name = table.split(".")
    model = {model["alias"]: model for model in project.public.values()}[name]
    assert model["schema"] == schema
    assert set(CONTRACT[table].split()) - set(model["columns"]) == set()


@pytest.mark.parametrize("report", MADE_OF)
def test_every_rate_and_mean_stands_beside_what_it_is_made_of(
    project: Project, report: str
) -> None:
    columns = set(project.public[report]["columns"])
    measures = {
        name
        for name in columns
        if name.endswith(("_rate", "_share", "_mean", "_per_conversation"))
        or "_mean_" in name
        or "_median_" in name
        or "_p90_" in name
        or name in {"nps", "average_order_value"}
    }
    assert measures == set(MADE_OF[report])
    assert {part for parts in MADE_OF[report].values() for part in parts} - columns == set()


def test_every_public_model_keeps_an_enforced_contract_with_a_type_for_each_column(
    project: Project,
) -> None:
    for name, model in project.public.items():
        assert model["config"]["contract"]["enforced"], name
        untyped = [column for column in model["columns"].values() if not column["data_type"]]
        assert untyped == [], name


def test_every_public_model_says_how_it_is_published_and_no_other_does(project: Project) -> None:
    for name, model in project.models.items():
        told = published(model)
        if model["access"] != "public":
            assert told == {}, name
            continue
        withheld = told.get("except", [])
        assert set(withheld) - set(model["columns"]) == set(), name
        order = [term.split()[0] for term in told["order_by"]]
        assert order, name
        assert set(order) <= set(project.public[name]["columns"]), name
        # What belongs to conversations lies by the day on which they started.
        starts = [
            column
            for column in ("conversation_started_at", "started_at")
            if {column, "conversation_id"} <= set(model["columns"])
        ]
        assert told.get("by_day_of") == next(iter(starts), None), name


def test_every_public_table_says_by_what_a_refresh_replaces_its_rows(project: Project) -> None:
    manifest = {"nodes": project.models}
    assert declared.undeclared(manifest) == []
    by = {model.name: model.by for model in declared.declared(manifest)}
    assert set(by.values()) == {"contact", "conversation", "day", "period", "whole"}
    forgotten = {**project.models["messages"], "config": {"materialized": "table", "meta": {}}}
    assert declared.undeclared({"nodes": {"messages": forgotten}}) == ["messages"]


def test_what_is_not_published_is_read_by_the_steps_to_the_marts_alone(project: Project) -> None:
    """Metrics and reports could be made from the published files."""
    withheld = {
        column for model in project.models.values() for column in published(model).get("except", [])
    } - {column for model in project.public.values() for column in model["columns"]}
    assert "contact_key" in withheld
    for name, model in project.models.items():
        if model["group"] == "reporting":
            words = set(re.findall(r"\w+", model["raw_code"]))
            assert words & withheld == set(), name


def test_every_model_says_what_one_row_is(project: Project) -> None:
    assert [
        name
        for name, model in project.models.items()
        if not model["description"].startswith("One row per ")
    ] == []


def test_every_public_column_is_described(project: Project) -> None:
    assert [
        f"{name}.{column['name']}"
        for name, model in project.public.items()
        for column in model["columns"].values()
        if not column["description"].strip()
    ] == []


def test_every_public_model_has_a_key_that_a_test_holds_unique(project: Project) -> None:
    keyed = {
        test["attached_node"].split(".")[-1]
        for test in project.tests.values()
        if (test.get("test_metadata") or {}).get("name") == "unique_key"
    }
    assert set(project.public) - keyed == WITHOUT_A_KEY


def test_no_test_of_the_data_is_off_or_blunted(project: Project) -> None:
    for name, test in project.tests.items():
        config = test["config"]
        assert config["enabled"], name
        assert (config["warn_if"], config["error_if"]) == ("!= 0", "!= 0"), name
        assert config["limit"] is None, name
        assert config["where"] is None, name


def test_every_model_belongs_to_a_group_and_says_who_may_read_it(project: Project) -> None:
    for name, model in project.models.items():
        assert model["group"] in project.groups, name
        assert model["access"] in {"private", "public"}, name


def test_metrics_and_reports_read_public_models_only(project: Project) -> None:
    by_id = {model["unique_id"]: model for model in project.models.values()}
    reporting = [model for model in project.models.values() if model["group"] == "reporting"]
    assert {model["path"].split("/")[0] for model in reporting} == {
        "measures",
        "metrics",
        "reports",
    }
    for model in reporting:
        for parent in model["depends_on"]["nodes"]:
            read = by_id[parent]
            assert read["group"] == "reporting" or read["access"] == "public", model["name"]


def test_only_staging_reads_the_raw_tables_and_each_model_reads_one(project: Project) -> None:
    for name, model in project.models.items():
        sources = [node for node in model["depends_on"]["nodes"] if node.startswith("source.")]
        if name.startswith("stg_"):
            assert model["depends_on"]["nodes"] == sources, name
            assert len(sources) == 1, name
        else:
            assert sources == [], name


def test_ids_are_written_without_dictionaries_and_the_models_after_them_with(
    project: Project,
) -> None:
    def hooks(model: dict[str, Any], when: str) -> list[str]:
        return [hook["sql"] for hook in model["config"][when]]

    told = {name for name, model in project.models.items() if hooks(model, "pre-hook")}
    assert told == {"conversation_ids"}
    ids = project.models["conversation_ids"]
    assert hooks(ids, "pre-hook") == ["{{ try_dictionaries(false) }}"]
    assert hooks(ids, "post-hook") == ["{{ try_dictionaries(true) }}"]
