"""What the folders of the landing zone say, what is passed over, and what cannot be entered.

Belongs here: `key=value` folders, marker files, links and closed folders. Does not belong here:
what is inside a file.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from landing_zone import LandingZone

from throughline import landing
from throughline.landing import arrivals, files

AT = "2026-03-01T10:00:00Z"
CONTACT = f"contact_id,started_at\nc1,{AT}\n"


def test_a_folder_fills_the_column_that_its_files_lack(zone: LandingZone) -> None:
    zone.write("acme/contacts/project_id=101/channel=Face%20to%20face/a.csv", CONTACT)
    zone.write("acme/contacts/project_id=__HIVE_DEFAULT_PARTITION__/b.csv", CONTACT + "\n")

    zone.land()

    assert zone.rows("select project_id, channel, extra from raw.contacts order by row_id") == [
        {"project_id": "101", "channel": "Face to face", "extra": None},
        {"project_id": None, "channel": None, "extra": None},
    ]


def test_a_column_in_the_file_wins_and_the_difference_is_counted(zone: LandingZone) -> None:
    zone.write(
        "acme/contacts/project_id=101/a.csv",
        f"contact_id,started_at,project_id\nc1,{AT},101\nc2,{AT},7\nc3,{AT},\n",
    )

    summary = zone.land("contacts")["contacts"]

    assert summary.rows_unlike_folder == 2
    assert zone.rows("select project_id from raw.contacts order by row_id") == [
        {"project_id": "101"},
        {"project_id": "7"},
        {"project_id": None},
    ]
    assert [load["rows_unlike_folder"] for load in zone.loads()] == [2]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_folder_may_say_what_is_required(name: str, zone: LandingZone) -> None:
    rows = [{"contact_id": c, "answered_at": AT, "score": s} for c, s in (("c1", 5), ("c2", 9))]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = zone.write(f"acme/ratings/question=csat/{name}", text)
    if not name.endswith("jsonl"):
        table = duckdb.read_json(io.StringIO(text), format="newline_delimited")
        (table.write_csv if name.endswith("csv") else table.write_parquet)(str(path))

    zone.land("ratings")

    assert zone.rows("select contact_id, question from raw.ratings") == [
        {"contact_id": "c1", "question": "csat"}
    ]
    [rejected] = zone.rejected()
    assert (rejected["row_no"], rejected["column_name"]) == (2, "score")


def test_a_folder_of_no_column_goes_into_extra_and_is_counted(zone: LandingZone) -> None:
    zone.write("acme/contacts/day=2026-03-01/a.csv", f"contact_id,started_at,mood\nc1,{AT},good\n")
    zone.write("acme/contacts/day=2026-03-01/mood=bad/b.csv", CONTACT.replace("c1", "c2"))

    zone.land()

    assert [
        json.loads(row["extra"])
        for row in zone.rows("select extra from raw.contacts order by row_id")
    ] == [
        {"mood": "good", "day": "2026-03-01"},
        {"day": "2026-03-01", "mood": "bad"},
    ]
    assert [json.loads(load["unknown_columns"]) for load in zone.loads()] == [
        {"day": 1, "mood": 1},
        {"day": 1, "mood": 1},
    ]


def test_equal_files_in_folders_that_say_different_things_are_two_files(zone: LandingZone) -> None:
    for project in ("101", "102"):
        zone.write(f"acme/contacts/project_id={project}/part-0.csv", CONTACT)
    zone.write("acme/contacts/project_id=101/copy.csv", CONTACT)

    summary = zone.land("contacts")["contacts"]

    assert (summary.files_loaded, summary.files_unchanged) == (2, 1)
    assert zone.rows("select project_id from raw.contacts order by row_id") == [
        {"project_id": "101"},
        {"project_id": "102"},
    ]
    again = zone.land("contacts")["contacts"]
    assert (again.files_loaded, again.files_unchanged) == (0, 3)


def test_a_folder_outside_of_a_log_says_nothing(zone: LandingZone) -> None:
    zone.write("acme/contacts/=7/project_id/a.csv", CONTACT)

    zone.land()

    assert zone.rows("select project_id, extra from raw.contacts") == [
        {"project_id": None, "extra": None}
    ]


def test_the_marks_of_programs_that_write_tables_are_passed_over(zone: LandingZone) -> None:
    zone.write("acme/contacts/part-0.csv", CONTACT)
    for name in ("_SUCCESS", "_committed_771", "_started_771", "_metadata", "_common_metadata"):
        zone.write(f"acme/contacts/{name}", b"PAR1")
    zone.write("acme/_SUCCESS", "")

    zone.land()

    assert [load["path"] for load in zone.loads()] == ["acme/contacts/part-0.csv"]
    assert not _anything_new(zone)


def _anything_new(zone: LandingZone) -> bool:
    with zone.connected() as connection:
        return landing.anything_new(connection, zone.settings)


def test_a_link_round_in_a_circle_is_a_rejected_path_and_stops_nothing(zone: LandingZone) -> None:
    folder = zone.write("acme/contacts/a.csv", CONTACT).parent
    (folder / "round").symlink_to("about")
    (folder / "about").symlink_to("round")
    (zone.settings.landing_dir / "self").symlink_to("self")

    zone.land()

    loads = zone.loads()
    assert [load["path"] for load in loads if load["status"] == "loaded"] == ["acme/contacts/a.csv"]
    rejected = {load["path"]: load["reason"] for load in loads if load["status"] == "rejected"}
    assert set(rejected) == {"acme/contacts/about", "acme/contacts/round", "self"}
    assert all("leads round in a circle. Remove the link" in text for text in rejected.values())
    assert len(zone.loads()) == len(loads)
    assert not _anything_new(zone)


def test_a_folder_that_may_not_be_read_is_a_rejected_path_and_stops_nothing(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("acme/contacts/a.csv", CONTACT)
    closed = zone.settings.landing_dir / "acme/contacts/closed"
    closed.mkdir()
    link = zone.settings.landing_dir / "acme/contacts/link"
    link.symlink_to(closed)
    # Whoever runs the tests may be allowed everything, so the system's answer is put in its place.
    whole = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path, self.is_dir = entry.name, entry.path, self._is_dir
            self._entry = entry

        def _is_dir(self) -> bool:
            if self.path == str(link):
                raise PermissionError(13, "Permission denied", self.path)
            return self._entry.is_dir()

    def scandir(path: Path) -> Iterator[Entry]:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return map(Entry, whole(path))

    monkeypatch.setattr(files.os, "scandir", scandir)

    zone.land()

    rejected = {load["path"]: load["reason"] for load in zone.loads() if load["reason"]}
    assert set(rejected) == {"acme/contacts/closed", "acme/contacts/link"}
    assert all("cannot be read (Permission denied)" in text for text in rejected.values())
    assert "or remove the link" in rejected["acme/contacts/link"]
    assert zone.rows("select count(*) as n from raw.contacts") == [{"n": 1}]


def test_the_sensor_sees_what_landing_sees(zone: LandingZone) -> None:
    path = zone.write("acme/contacts/a.csv", CONTACT)
    before = arrivals.signature(zone.settings)
    zone.write("acme/contacts/_SUCCESS", "")
    zone.write("acme/contacts/b.csv.part", CONTACT)
    (path.parent / "round").symlink_to("round")
    after = arrivals.signature(zone.settings)
    assert after != before, "a path that is rejected is news"
    zone.write("acme/contacts/.hidden/b.csv", CONTACT)
    assert arrivals.signature(zone.settings) == after
    zone.write("acme/contacts/c.csv", CONTACT)
    assert arrivals.signature(zone.settings) != after
