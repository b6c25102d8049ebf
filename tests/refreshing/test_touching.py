"""What new rows touch, where one might take too much or too little for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from canonical import first_differences
from harness import REPOSITORY, Pipeline, contact, transfer

from throughline.refreshing import touching


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def equals_rebuild(pipeline: Pipeline) -> None:
    assert pipeline.is_refresh, pipeline.planned
    refreshed, version = pipeline.snapshot(), pipeline.manifest()["data_version"]
    pipeline.rebuild()
    assert not first_differences(refreshed, pipeline.snapshot())
    assert pipeline.manifest()["data_version"] == version


def test_a_word_for_none_ties_no_records_together(pipeline: Pipeline) -> None:
    """Each log names what it does not know by a word: so do rows of before, and they stay."""
    for batch in range(2):
        names = [f"c{batch}{number}" for number in range(2)]
        pipeline.write(
            "shop",
            "contacts",
            [
                contact(name, 10 * batch + number, conversation_ref="NULL", visitor_id="NULL")
                for number, name in enumerate(names)
            ],
        )
        pipeline.write(
            "shop",
            "transfers",
            [
                transfer(name, "NULL", 30, transfer_id=f"t{name}", outcome="failed")
                for name in names
            ],
        )
        pipeline.write(
            "shop",
            "transactions",
            [
                {
                    "transaction_id": f"p{name}",
                    "contact_id": "NULL",
                    "occurred_at": "2026-03-02T10:00:00Z",
                    "amount": "5",
                }
                for name in names
            ],
        )
        pipeline.run()
    assert len(pipeline.table("marts.transfers")) == 4
    assert len(pipeline.table("marts.conversations")) == 4
    equals_rebuild(pipeline)


def test_events_are_what_the_models_take_for_one() -> None:
    """Where the models ask for another time, a refresh would miss who waits no longer."""
    model = REPOSITORY / "dbt_project/models/facts/int_sources__dated.sql"
    events = re.findall(r"(\w+_at) as event_at", model.read_text(encoding="utf-8"))
    read = [column for columns in touching._EVENTS.values() for column in columns]
    assert sorted(read) == sorted(events)
