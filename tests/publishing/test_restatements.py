"""What a publication says of the figures that it changed.

Belongs here: which cells are restated, from what to what and why, and that the record of it lasts.
Does not belong here: the reports themselves, pages and REST.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import Pipeline, Row

from throughline.published.manifest import Publication, current
from throughline.publishing import publish as publishing

CELLS = """
    select measure, from_value, to_value, cause, conversation_count
    from reports.restatements
    where report = $report and period_grain = 'day' and dimension = $dimension
        and period_start = $day and dimension_value is not distinct from $value
        and publication_no = (select max(publication_no) from reports.restatements)
"""


def contact(name: str, day: str, agent: str = "ann", **more: Any) -> Row:
    return {
        "contact_id": name,
        "started_at": f"{day}T10:00:00Z",
        "answered_at": f"{day}T10:01:00Z",
        "ended_at": f"{day}T10:10:00Z",
        "end_reason": "close",
        "agent_id": agent,
        "agent_kind": "human",
        "channel": "chat",
        "conversation_ref": "",
        **more,
    }


def _full(*_: object) -> None:
    raise OSError("the disk is full")


class Story:
    """One warehouse through several publications: what each of them restated."""

    def __init__(self, home: Path) -> None:
        self.pipeline = pipeline = Pipeline(home, sources=[{"source": "shop", "time_zone": "UTC"}])
        days = [f"2026-03-0{number}" for number in range(1, 8)]
        pipeline.write("shop", "contacts", [contact(f"k{day[-1]}", day) for day in days])
        pipeline.write("shop", "contacts", [contact("k1b", "2026-03-01", "bob")])
        pipeline.run()
        self.first = self.restatements()
        # Late on the 2nd; changed on the 3rd; rated on the 4th; bought on the 5th; of two published
        # conversations one, on the 1st. The 9th was not published before.
        pipeline.write(
            "shop",
            "contacts",
            [
                contact("late", "2026-03-02", "bob"),
                contact("k3", "2026-03-03", "bob", updated_at="2026-03-04T00:00:00Z"),
                contact("new", "2026-03-09"),
            ],
        )
        pipeline.write(
            "shop",
            "transfers",
            [
                {
                    "transfer_id": "t1",
                    "from_contact_id": "k1",
                    "to_contact_id": "k1b",
                    "requested_at": "2026-03-01T10:05:00Z",
                    "outcome": "accepted",
                }
            ],
        )
        pipeline.write(
            "shop",
            "ratings",
            [
                {
                    "contact_id": "k4",
                    "question": "csat",
                    "answered_at": "2026-03-04T11:00:00Z",
                    "score": "5",
                }
            ],
        )
        pipeline.write(
            "shop",
            "transactions",
            [
                {
                    "transaction_id": "p1",
                    "occurred_at": "2026-03-05T12:00:00Z",
                    "amount": "10",
                    "contact_id": "k5",
                }
            ],
        )
        pipeline.land()
        pipeline.build()
        self.failure = self.failed_publication()
        pipeline.publish()
        self.second = self.restatements()
        self.publication_no = self.publication().publication_no

    def failed_publication(self) -> str:
        """What is said when the disk is full right before the version is shown."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(publishing, "install", _full)
            with pytest.raises(OSError, match="full") as failure:
                self.pipeline.publish()
        return str(failure.value)

    def publication(self) -> Publication:
        publication = current(self.pipeline.settings)
        assert publication is not None
        return publication

    def restatements(self) -> list[Row]:
        """All that the published version has."""
        return self.asked("from reports.restatements")

    def asked(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        with duckdb.connect(str(self.pipeline.settings.published_file), read_only=True) as opened:
            found = opened.execute(query, values)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def cells(
        self, report: str, day: str, dimension: str = "all", value: str | None = None
    ) -> dict[str, tuple[Any, ...]]:
        """By measure: from, to, cause, conversations; as the newest publication has them."""
        values = {"report": report, "day": day, "dimension": dimension, "value": value}
        return {
            row["measure"]: (
                row["from_value"],
                row["to_value"],
                row["cause"],
                row["conversation_count"],
            )
            for row in self.asked(CELLS, values)
        }


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("restated"))


def test_a_first_publication_restates_nothing(story: Story) -> None:
    assert story.first == []


def test_a_cell_that_a_publication_changed_is_told_with_its_cause(story: Story) -> None:
    statistical = story.cells("statistical_report", "2026-03-02")
    assert statistical["conversations"] == (1, 2, "late_contact", 1)
    assert story.cells("contacts_report", "2026-03-02")["contacts"] == (1, 2, "late_contact", 1)
    assert story.cells("statistical_report", "2026-03-04")["csat_responses"] == (0, 1, "rating", 1)
    assert story.cells("statistical_report", "2026-03-04")["csat_rate"] == (None, 1, "rating", 1)
    revenue = story.cells("contacts_report", "2026-03-05")["revenue"]
    assert revenue == (0, 10, "transaction", 1)


def test_conversations_that_became_one_are_behind_the_cells_of_both(story: Story) -> None:
    cells = story.cells("statistical_report", "2026-03-01")
    assert cells["conversations"] == (2, 1, "merge", 1)
    assert cells["transferred"] == (0, 1, "merge", 1)


def test_a_row_that_is_gone_or_new_in_a_published_period_is_told_as_far_as_it_counts(
    story: Story,
) -> None:
    left = story.cells("contacts_report", "2026-03-03", "agent", "ann")
    assert left["contacts"] == (1, None, "correction", 1)
    came = story.cells("contacts_report", "2026-03-03", "agent", "bob")
    assert came["contacts"] == (None, 1, "correction", 1)
    assert "open" not in came
    # The whole is as it was.
    assert "contacts" not in story.cells("contacts_report", "2026-03-03")


def test_a_period_that_was_not_published_before_grows_and_is_not_restated(story: Story) -> None:
    assert {
        row["period_start"].isoformat() for row in story.second if row["period_grain"] == "day"
    } == {
        "2026-03-01",
        "2026-03-02",
        "2026-03-03",
        "2026-03-04",
        "2026-03-05",
    }
    month = [row for row in story.second if row["period_grain"] == "month"]
    assert month
    assert all(row["cell_count"] == 1 and not row["was_provisional"] for row in month)


def test_a_publication_that_failed_has_restated_nothing(story: Story) -> None:
    """What it recorded is found again by the next, once."""
    assert "full" in story.failure
    assert {row["publication_no"] for row in story.second} == {story.publication_no}
    keys = [tuple(row.values())[2:9] for row in story.second]
    assert len(keys) == len(set(keys))


def test_what_the_registry_changed_is_told_as_its_doing(story: Story) -> None:
    """Where it is fourteen hours later, what was on the 2nd is on the 3rd."""
    registry = story.pipeline.settings.registry_dir / "sources.csv"
    registry.write_text(
        registry.read_text(encoding="utf-8").replace("UTC", "Pacific/Kiritimati"), encoding="utf-8"
    )
    story.pipeline.build()
    story.pipeline.publish()
    cells = story.cells("contacts_report", "2026-03-03")
    assert cells["contacts"] == (1, 2, "registry", None)
    before = {row["publication_no"] for row in story.second}
    assert before < {row["publication_no"] for row in story.restatements()}


def test_what_is_restated_stays_when_the_warehouse_is_rebuilt_or_published_again(
    story: Story,
) -> None:
    version, rows = story.publication().data_version, story.restatements()
    assert len(rows) >= len(story.second)
    story.pipeline.publish()
    assert story.publication().data_version == version
    story.pipeline.rebuild()
    assert story.publication().data_version == version
    assert story.restatements() == rows
