"""A replay builds what is chosen, and what hangs together with it, again; and gives what stood."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from harness import Pipeline
from typer.testing import CliRunner

from orchestration import cli, outcomes, run
from throughline.refreshing.selection import Selection, SelectionError


def contact(contact_id: str, day: int) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "started_at": f"2026-03-{day:02}T09:00:00Z",
        "ended_at": f"2026-03-{day:02}T09:10:00Z",
    }


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Two sources; a conversation of two contacts over midnight, and two of one."""
    found = Pipeline(tmp_path_factory.mktemp("replay"))
    found.write("shop", "contacts", [contact("c1", 1), contact("c2", 2), contact("c3", 5)])
    moved = {"from_contact_id": "c1", "to_contact_id": "c2", "requested_at": "2026-03-01T09:10:00Z"}
    found.write("shop", "transfers", [moved])
    found.write("cafe", "contacts", [contact("k1", 5)])
    found.run()
    return found


@pytest.mark.parametrize(
    ("chosen", "touched"),
    [
        (Selection(conversation="c2"), 2),
        (Selection(source="cafe"), 1),
        (Selection(first=date(2026, 3, 5)), 2),
    ],
    ids=str,
)
def test_a_replay_builds_what_is_chosen_again_and_gives_the_same(
    pipeline: Pipeline, chosen: Selection, touched: int
) -> None:
    before = pipeline.snapshot()
    pipeline.replay(chosen)
    assert pipeline.planned.startswith(f"What is new touches {touched} of 4 contacts")
    assert pipeline.is_refresh
    assert pipeline.snapshot() == before


def test_a_replay_of_nothing_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(SelectionError, match="no conversation is published of conversation nobody"):
        pipeline.replay(Selection(conversation="nobody"))
    # Nor does it leave anything behind.
    pipeline.replay(Selection(source="cafe"))


def test_what_nobody_published_is_no_failed_run(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "load_settings", lambda: pipeline.settings)
    assert run.main(chosen=Selection(source="nobody")) == run.CANNOT_START
    assert "no conversation is published of source nobody" in capsys.readouterr().err
    assert outcomes.read(pipeline.settings) is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Say what to replay"),
        (["--from", "monday"], "'monday' is no day"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "is after the last"),
    ],
)
def test_the_command_says_what_it_cannot_use(words: list[str], told: str) -> None:
    done = CliRunner().invoke(cli.app, ["replay", *words])
    assert done.exit_code == run.CANNOT_START
    assert told in done.output


def test_the_command_hands_over_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Selection] = []
    monkeypatch.setattr(run, "main", lambda *, chosen: given.append(chosen) or 0)
    words = ["--source", "shop", "--from", "2026-03-01", "--to", "2026-03-02"]
    assert CliRunner().invoke(cli.app, ["replay", *words]).exit_code == 0
    assert given == [Selection("shop", date(2026, 3, 1), date(2026, 3, 2))]
