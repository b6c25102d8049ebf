"""The benchmark of the server asks every question of a real server; its times mean nothing here."""

from pathlib import Path

from bench import serving
from serving.snapshot import Snapshot


def test_every_question_is_answered_and_timed_beside_the_bare_query(
    warehouse: Path, snapshot: Snapshot
) -> None:
    report = serving.measure(warehouse, quick=True)
    contacts = snapshot.value("select count(*) from marts.contacts")
    assert report.contacts == contacts
    assert {timing.name.partition(",")[0] for timing in report.timings} == {
        "REST detail by id",
        "page of a detail by id",
        "log",
        "search",
    }
    assert all(timing.median > 0 and timing.bare_median > 0 for timing in report.timings)
    assert report.requests_per_second > 0
    assert {export.rows for export in report.exports} == {contacts, report.conversations}
    assert len(report.aims()) == 5
    shown = serving.text(report)
    assert "REST details a second" in shown
    assert "search p95" in shown
