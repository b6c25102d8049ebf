"""What may be published after parts of the pipeline were run by hand, through Dagster's own assets.

One story, told by a process of its own: the incident in which a failed check was followed by one
model alone, and its neighbours. Every other order stands in test_proof, in milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from folders import make_settings, write_log

from throughline.settings import REPOSITORY

CONTACTS = """contact_id,started_at,ended_at,agent_id,agent_kind
1,2026-11-01T10:00:00Z,2026-11-01T10:05:00Z,bot,bot
2,2026-11-01T10:05:10Z,2026-11-01T10:15:00Z,anna,human
9,2026-11-02T10:05:10Z,2026-11-02T10:15:00Z,anna,human
"""
TRANSFERS = "from_contact_id,to_contact_id,requested_at\n1,2,2026-11-01T10:05:00Z\n"
LATER = "contact_id,started_at,ended_at,agent_id,agent_kind\n10,2026-11-03T10:00:00Z,,anna,human\n"

STORY = """
import json, sys
from pathlib import Path

import dagster as dg

from throughline import engine
from throughline.published.manifest import current
from throughline.building import quality
from throughline.building import state
from throughline.publishing import gate
from orchestration.definitions import defs
from throughline.settings import load_settings

settings = load_settings()
found = defs()
everything = [*found.assets, *found.asset_checks]
instance = dg.DagsterInstance.ephemeral()
Select = dg.AssetSelection
publication = Select.assets(dg.AssetKey(["published", "throughline"]))
agents = Select.assets(dg.AssetKey(["marts", "agents"])).without_checks()
whole = Select.all() - Select.assets(dg.AssetKey(["published", "copies"]))
told = {}


def run(title, selection):
    result = dg.materialize(
        everything, selection=selection, resources=dict(found.resources), instance=instance,
        raise_on_error=False,
    )
    built = state.read(settings)
    now = current(settings)
    told[title] = {
        "success": result.success,
        "lacks": gate.lacks(settings, quality.BLOCKING),
        "published": built is not None and built.published,
        "publication_no": now and now.publication_no,
        "failure": " ".join(
            str(event.step_failure_data.user_failure_data.description)
            for event in result.all_events
            if event.is_step_failure and event.step_failure_data.user_failure_data
        ),
    }


def change(statement):
    with engine.connect(settings, settings.warehouse_file) as connection:
        connection.execute(statement)


run("whole", whole)
run("one model of an up-to-date warehouse", agents)
[check] = [
    key
    for checks in everything
    for key in getattr(checks, "check_keys", ())
    if key.name == "assert_every_published_id_resolves"
]
run("one check of an up-to-date warehouse", Select.checks(check))
raw_check = dg.AssetCheckKey(dg.AssetKey(["raw", "contacts"]), "nothing_lost")
run("one check of the logs", Select.checks(raw_check))

# One id that leads to two conversations, which a blocking check finds.
for contact_id in ("1", "9"):
    change(f"insert into raw.published_ids values ('shop:x', 'shop', '{contact_id}', 1)")
run("a check that fails", whole)
run("the model alone", agents)
run("the publication after it", publication)
run("another check alone", Select.checks(raw_check))
run("the publication after that", publication)
change("delete from raw.published_ids where conversation_id = 'shop:x'")

Path(sys.argv[1]).rename(sys.argv[2])
run("raw alone", Select.groups("raw"))
run("one model over new logs", agents)
run("the publication over new logs", publication)
run("all of the new logs", whole)
print("TOLD" + json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    home = tmp_path_factory.mktemp("gate")
    settings = make_settings(home, SCHEDULED_EXPORTS="off")
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    write_log(settings, "shop", "transfers", "a.csv", TRANSFERS)
    later = home / "later.csv"
    later.write_text(LATER, encoding="utf-8")
    arrived = settings.landing_dir / "shop" / "contacts" / "b.csv"
    done = subprocess.run(
        [sys.executable, "-c", STORY, str(later), str(arrived)],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment(), "DAGSTER_HOME": _empty(home / "dagster")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    content: dict[str, dict[str, Any]] = json.loads(lines[0].removeprefix("TOLD"))
    return content


def _empty(folder: Path) -> str:
    folder.mkdir()
    return str(folder)


def test_a_whole_run_is_proven_and_published(told: dict[str, dict[str, Any]]) -> None:
    assert told["whole"]["success"], told["whole"]
    assert told["whole"]["lacks"] == []
    assert told["whole"]["published"]


@pytest.mark.parametrize(
    "title",
    [
        "one model of an up-to-date warehouse",
        "one check of an up-to-date warehouse",
        "one check of the logs",
    ],
)
def test_a_part_run_by_hand_leaves_the_warehouse_up_to_date(
    told: dict[str, dict[str, Any]], title: str
) -> None:
    assert told[title]["success"], told[title]
    assert told[title]["lacks"] == []
    assert told[title]["published"]
    assert told[title]["publication_no"] == told["whole"]["publication_no"]


def test_a_failed_check_followed_by_one_model_alone_publishes_nothing(
    told: dict[str, dict[str, Any]],
) -> None:
    assert not told["a check that fails"]["success"]
    assert told["the model alone"]["success"]
    assert not told["the publication after it"]["success"]
    assert told["the publication after it"]["publication_no"] == told["whole"]["publication_no"]
    wrong = "check assert_every_published_id_resolves has not passed"
    assert wrong in told["the publication after it"]["failure"]
    assert "Run `make run`" in told["the publication after it"]["failure"]
    assert told["another check alone"]["success"]
    assert not told["the publication after that"]["success"]


def test_new_logs_with_one_model_built_over_them_are_not_published(
    told: dict[str, dict[str, Any]],
) -> None:
    assert told["raw alone"]["success"], told["raw alone"]
    assert told["one model over new logs"]["success"], told["one model over new logs"]
    assert not told["the publication over new logs"]["success"]
    assert "has not passed" in told["the publication over new logs"]["failure"]
    before, after = told["the publication over new logs"], told["all of the new logs"]
    assert after["success"], after
    assert after["publication_no"] > before["publication_no"]
