"""The benchmark of the server asks every question of a real server; its times mean nothing here."""

import json
import subprocess
import sys
from pathlib import Path

from bench import serving
from serving.snapshot import Snapshot
from throughline.settings import REPOSITORY


def test_every_question_is_answered_and_timed_beside_the_bare_query(
    warehouse: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    numbers = tmp_path / "numbers.json"
    # A process of its own: in this one the snapshot is open with other options.
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving", str(warehouse), "--quick", "--json", str(numbers)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "REST details a second" in done.stdout, done.stderr
    assert "search p95" in done.stdout
    report = json.loads(numbers.read_text())
    contacts = snapshot.value("select count(*) from marts.contacts")
    assert report["contacts"] == contacts
    kinds = {timing["name"].partition(",")[0] for timing in report["timings"]}
    assert kinds == {"REST detail by id", "page of a detail by id", "log", "search"}
    assert all(timing["median"] > 0 and timing["bare_median"] > 0 for timing in report["timings"])
    assert report["requests_per_second"] > 0
    assert report["bare_requests_per_second"] > 0
    assert all(export["bare_seconds"] > 0 for export in report["exports"])
    assert {export["rows"] for export in report["exports"]} == {contacts, report["conversations"]}
    assert len(serving.Report(**{**report, "timings": [], "exports": []}).aims()) == 1
