"""The golden scenarios, all in one warehouse: each is a source of its own, and sources never mix.

Stage k of every scenario is loaded in run k. Every run is done twice, the second time with the same
files. Then everything is delivered again in other files, then everything is rebuilt. A second
warehouse gets all stages in one load.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest
from canonical import canonical, first_differences
from golden_stages import SCENARIOS, STAGES, golden_pipeline, write_stage
from harness import Pipeline, Row
from scenarios import REPORTS, Scenario, differences

Snapshot = dict[str, list[Row]]

ELSEWHERE = {"id_merges": "marts.conversation_merges"}


@dataclass
class Story:
    """What stood in the warehouse after each run; checksums are those of the Parquet files."""

    after: list[Snapshot] = field(default_factory=list)
    after_repeat: list[Snapshot] = field(default_factory=list)
    checksums: list[dict[str, str]] = field(default_factory=list)
    checksums_repeat: list[dict[str, str]] = field(default_factory=list)
    redelivered: Snapshot = field(default_factory=dict)
    redelivered_rows: int = 0
    rebuilt: Snapshot = field(default_factory=dict)
    rebuilt_checksums: dict[str, str] = field(default_factory=dict)
    publishing: list[str] = field(default_factory=list)
    published: Snapshot = field(default_factory=dict)
    orders: dict[str, tuple[list[Row], list[Row]]] = field(default_factory=dict)


def _checksums(pipeline: Pipeline) -> dict[str, str]:
    root = pipeline.settings.published_dir / "parquet"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.parquet"))
    }


def _snapshot(pipeline: Pipeline) -> Snapshot:
    return pipeline.snapshot()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    pipeline = golden_pipeline(tmp_path_factory.mktemp("golden"))
    told = Story()
    for stage in range(STAGES):
        write_stage(pipeline, stage, name=f"stage_{stage}", fmt="csv")
        pipeline.run()
        told.after.append(_snapshot(pipeline))
        told.checksums.append(_checksums(pipeline))
        pipeline.run()
        told.after_repeat.append(_snapshot(pipeline))
        told.checksums_repeat.append(_checksums(pipeline))
    pipeline.rebuild()
    told.rebuilt = _snapshot(pipeline)
    told.rebuilt_checksums = _checksums(pipeline)
    for stage in range(STAGES):
        told.redelivered_rows += write_stage(
            pipeline, stage, name=f"again_{stage}", fmt="jsonl.gz", backwards=True
        )
    pipeline.run()
    told.redelivered = _snapshot(pipeline)
    told.publishing = pipeline.told
    told.published = {name: pipeline.published(name) for name in pipeline.public_models()}
    for name in pipeline.public_models():
        order = ", ".join(pipeline.declared(name)["order_by"])
        told.orders[name] = pipeline.stored(name), pipeline.stored(name, f"{order}, rowid")
    return told


@pytest.fixture(scope="module")
def in_one_load(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    pipeline = golden_pipeline(tmp_path_factory.mktemp("golden_in_one_load"))
    for stage in range(STAGES):
        write_stage(pipeline, stage, name=f"stage_{stage}", fmt="jsonl")
    pipeline.run()
    return pipeline.snapshot()


def _of(snapshot: Snapshot, table: str, scenario: Scenario) -> list[Row]:
    """The rows of a table that belong to a scenario; a report's rows carry no source."""
    if table in REPORTS:
        return snapshot[f"reports.{table}"]
    schema = "reports" if table == "reconciliation" else "marts"
    rows = snapshot[ELSEWHERE.get(table, f"{schema}.{table}")]
    return [row for row in rows if row["source"] in scenario.sources]


def _problems(scenario: Scenario, stage: int, snapshot: Snapshot) -> list[str]:
    problems = []
    for block, rows in scenario.stages[stage].expect.items():
        actual = _of(snapshot, block.partition("(")[0], scenario)
        problems += differences(block, rows, actual, scenario.source)
    wanted = scenario.stages[stage].quality
    if wanted is not None:
        codes = {row["code"] for row in _of(snapshot, "graph_quality", scenario)}
        if not (wanted <= codes if wanted else not codes):
            problems.append(f"quality codes are {sorted(codes)} and should hold {sorted(wanted)}")
    return problems


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(story: Story, scenario: Scenario) -> None:
    problems = [
        f"stage {stage + 1}: {problem}"
        for stage in range(len(scenario.stages))
        for problem in _problems(scenario, stage, story.after[stage])
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("stage", range(STAGES))
def test_a_second_run_of_the_same_files_changes_no_row_and_no_published_byte(
    story: Story, stage: int
) -> None:
    assert not first_differences(story.after[stage], story.after_repeat[stage])
    assert story.checksums[stage]
    assert story.checksums[stage] == story.checksums_repeat[stage]


def test_a_rebuild_from_the_same_raw_tables_gives_byte_identical_marts(story: Story) -> None:
    assert not first_differences(story.after_repeat[-1], story.rebuilt)
    assert story.checksums_repeat[-1] == story.rebuilt_checksums


def test_identical_rows_delivered_again_in_other_files_change_no_mart(story: Story) -> None:
    def without_ledger(snapshot: Snapshot) -> Snapshot:
        return {table: rows for table, rows in snapshot.items() if table not in LEDGERS}

    assert story.redelivered_rows > 0
    assert not first_differences(without_ledger(story.rebuilt), without_ledger(story.redelivered))


# Tables about the loading itself may say that something came again.
LEDGERS = {"marts.arrivals"}


def test_all_stages_in_one_load_give_the_same_marts_up_to_naming(
    story: Story, in_one_load: Snapshot
) -> None:
    in_stages = {table: rows for table, rows in story.rebuilt.items() if table in in_one_load}
    assert not first_differences(canonical(in_stages), canonical(in_one_load))


def test_the_published_snapshot_holds_what_the_warehouse_holds(story: Story) -> None:
    in_warehouse = {table: story.redelivered[table] for table in story.published}
    assert not first_differences(in_warehouse, story.published)


def test_the_large_marts_are_published_as_they_stand(story: Story) -> None:
    assert "writing marts.contacts as Parquet" in story.publishing
    # A view has no rows of its own.
    assert [line for line in story.publishing if line.endswith("anew")] == [
        "writing reports.restatements anew"
    ]


def test_a_run_leaves_the_rows_of_sources_without_news_alone(story: Story) -> None:
    problems = []
    for earlier, later in zip(range(STAGES - 1), range(1, STAGES), strict=True):
        quiet = {
            source
            for scenario in SCENARIOS
            if later >= len(scenario.stages)
            for source in scenario.sources
        }
        for table in story.after[later]:
            before, after = (
                {
                    "rows": [row for row in snapshot[table] if row.get("source") in quiet],
                }
                for snapshot in (story.after[earlier], story.after[later])
            )
            problems += [
                f"run {later + 1}, {table}: {line}" for line in first_differences(before, after)
            ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("stage", range(STAGES))
def test_nothing_in_the_reconciliation_is_unexplained(story: Story, stage: int) -> None:
    rows = story.after[stage]["reports.reconciliation"]
    assert rows
    columns = [column for column in rows[0] if "unexplained" in column]
    assert columns
    assert [row for row in rows if any(row[column] != 0 for column in columns)] == []


def test_published_rows_lie_in_the_order_that_their_model_declares(story: Story) -> None:
    assert len(story.orders) > 10
    for table, (stored, ordered) in story.orders.items():
        assert stored, table
        assert stored == ordered, table


def test_every_row_says_when_its_conversation_opened(story: Story) -> None:
    opened = {
        row["conversation_id"]: row["started_at"] for row in story.published["marts.conversations"]
    }
    for table in story.orders:
        for row in story.published[table]:
            if "conversation_started_at" in row:
                expected = opened.get(row["conversation_id"])
                assert row["conversation_started_at"] == expected, (table, row)
