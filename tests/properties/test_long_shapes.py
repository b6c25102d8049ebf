"""A chain, a star and a circle of 100,000 contacts each, in one build."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from harness import Pipeline

SIZE = 100_000

# Ids run in no relation to the order of the links: neighbours are far apart by name. 48,271 and
# 100,000 have no common divisor, so every id comes once.
CONTACTS = """
    select
        printf('%06d', (number * 48271) % $size) as contact_id,
        strftime(
            timestamp '2026-01-01 00:00:00' + to_seconds(cast(number as bigint) * 60),
            '%Y-%m-%dT%H:%M:%SZ'
        ) as started_at,
        strftime(
            timestamp '2026-01-01 00:00:30' + to_seconds(cast(number as bigint) * 60),
            '%Y-%m-%dT%H:%M:%SZ'
        ) as ended_at,
        'close' as end_reason,
        'agent_' || (number % 50) as agent_id,
        'human' as agent_kind
    from range($size) as numbers (number)
"""
TRANSFERS = """
    select
        printf('%06d', (origin * 48271) % $size) as from_contact_id,
        printf('%06d', (target * 48271) % $size) as to_contact_id,
        strftime(
            timestamp '2026-01-01 00:00:00' + to_seconds(cast(target as bigint) * 60),
            '%Y-%m-%dT%H:%M:%SZ'
        ) as requested_at,
        'accepted' as outcome
    from (
        select
            case $shape when 'star' then 0 else number end as origin,
            (number + 1) % $size as target
        from range($size - case $shape when 'circle' then 0 else 1 end) as numbers (number)
    ) as links
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("long_shapes"), threads=2)
    with duckdb.connect() as connection:
        for shape in ("chain", "star", "circle"):
            for log, query in (("contacts", CONTACTS), ("transfers", TRANSFERS)):
                folder: Path = pipeline.settings.landing_dir / shape / log
                folder.mkdir(parents=True)
                values = {"size": SIZE} | ({"shape": shape} if log == "transfers" else {})
                connection.sql(query, params=values).write_parquet(str(folder / "all.parquet"))
    pipeline.run()
    return pipeline


@pytest.mark.parametrize("shape", ["chain", "star", "circle"])
def test_a_hundred_thousand_contacts_in_one_shape_are_one_conversation(
    pipeline: Pipeline, shape: str
) -> None:
    rows = pipeline.query(
        "select conversation_id, contact_count, missing_contact_count, transfer_count, agent_count,"
        " first_agent_id, last_agent_id from marts.conversations where source = ?",
        [shape],
    )
    assert rows == [
        {
            "conversation_id": f"{shape}:000000",
            "contact_count": SIZE,
            "missing_contact_count": 0,
            "transfer_count": SIZE if shape == "circle" else SIZE - 1,
            "agent_count": 50,
            "first_agent_id": "agent_0",
            "last_agent_id": "agent_49",
        }
    ]


@pytest.mark.parametrize("shape", ["chain", "star", "circle"])
def test_the_contacts_of_a_long_shape_are_numbered_by_their_start(
    pipeline: Pipeline, shape: str
) -> None:
    rows = pipeline.query(
        "select count(*) as contacts, count(distinct contact_no) as numbers,"
        " min(contact_no) as first, max(contact_no) as last,"
        " count(*) filter (where contact_no <> place) as misplaced"
        " from (select *, row_number() over (order by started_at) as place"
        " from marts.contacts where source = ?)",
        [shape],
    )
    assert rows == [{"contacts": SIZE, "numbers": SIZE, "first": 1, "last": SIZE, "misplaced": 0}]


def test_a_circle_of_any_length_is_reported(pipeline: Pipeline) -> None:
    rows = pipeline.query("select distinct source from marts.graph_quality where code = 'cycle'")
    assert rows == [{"source": "circle"}]
