"""The check of files before a load: what a path is taken for, and what is left behind.

Belongs here: places, verdicts, the screen. Does not belong here: what is wrong with a file
(`test_malformed_input` compares every kind of it with a load).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from landing_zone import LandingZone

from orchestration.check_files import main, render
from throughline.landing.checking import Findings, NotCheckable, Verdict, check_files

GOOD = "contact_id,started_at\nc1,2026-03-01T10:00:00Z\n"
BAD = "contact_id,started_at,device\nc1,yesterday,phone\n,2026-03-01T10:00:00Z,\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is no landing directory of the settings."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def put(folder: Path, path: str, content: str = GOOD) -> Path:
    """Write a file below a folder."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, encoding="utf-8")
    return target


def paths(findings: Findings) -> list[str]:
    return [file.path for file in findings.files]


@pytest.mark.parametrize(
    ("checked", "place"),
    [
        ("", ""),
        ("acme", "acme"),
        ("acme/contacts", "acme/contacts"),
        ("acme/contacts/project_id=101", "acme/contacts/project_id=101"),
        ("acme/contacts/project_id=101/a.csv", "acme/contacts/project_id=101/a.csv"),
    ],
)
def test_a_path_says_by_itself_what_it_is_wherever_it_lies(
    checked: str, place: str, zone: LandingZone, elsewhere: Path
) -> None:
    for folder in (zone.settings.landing_dir, elsewhere):
        put(folder, "acme/contacts/project_id=101/a.csv")
        found = check_files(zone.settings, folder / checked)
        assert found.place == place
        assert paths(found) == ["acme/contacts/project_id=101/a.csv"]
        assert found.is_clean
        [file] = found.files
        assert (file.source, file.log, file.format, file.rows_loaded) == (
            "acme",
            "contacts",
            "csv",
            1,
        )


def test_what_a_path_does_not_say_is_said_beside_it(zone: LandingZone, elsewhere: Path) -> None:
    file = put(elsewhere, "export.csv")
    with pytest.raises(NotCheckable, match="--log, one of contacts, transfers"):
        check_files(zone.settings, file)
    assert paths(check_files(zone.settings, file, log="contacts")) == ["source/contacts/export.csv"]
    told = check_files(zone.settings, file, log="contacts", source="acme")
    assert paths(told) == ["acme/contacts/export.csv"]
    whole = check_files(zone.settings, elsewhere, log="contacts", source="acme")
    assert paths(whole) == ["acme/contacts/export.csv"]


def test_what_is_said_beside_a_path_counts_more_than_what_it_says(
    zone: LandingZone, elsewhere: Path
) -> None:
    file = put(elsewhere, "acme/messages/project_id=101/a.csv")
    assert not check_files(zone.settings, file).is_clean
    found = check_files(zone.settings, file, log="contacts", source="other")
    assert paths(found) == ["other/contacts/project_id=101/a.csv"]
    assert found.is_clean
    assert paths(check_files(zone.settings, elsewhere / "acme", source="other")) == [
        "other/messages/project_id=101/a.csv"
    ]


@pytest.mark.parametrize(
    ("path", "options", "told"),
    [
        ("nowhere", {}, "there is nothing at"),
        ("", {}, "holds no file that a run would read"),
        ("", {"log": "calls"}, "there is no log 'calls'"),
        ("", {"source": "../acme"}, "is no source name"),
    ],
)
def test_what_cannot_be_checked_is_said_with_what_to_do(
    path: str, options: dict[str, str], told: str, zone: LandingZone, elsewhere: Path
) -> None:
    put(elsewhere, "acme/contacts/a.csv.part")
    with pytest.raises(NotCheckable, match=told):
        check_files(zone.settings, elsewhere / path, **options)


def test_a_check_leaves_nothing_behind(
    zone: LandingZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "temporary"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    zone.write("acme/contacts/a.csv", BAD)
    before = sorted(zone.settings.landing_dir.rglob("*"))

    check_files(zone.settings, zone.settings.landing_dir)

    assert not zone.settings.warehouse_dir.exists()
    assert list(scratch.iterdir()) == []
    assert sorted(zone.settings.landing_dir.rglob("*")) == before
    # Nor does it count as seen: a run loads the file, and rejects the same.
    assert zone.land("contacts")["contacts"].rows_rejected == 2


def test_rows_of_one_reason_are_counted_and_the_first_of_them_named(zone: LandingZone) -> None:
    zone.write(
        "acme/contacts/a.csv",
        "contact_id,started_at\n" + "".join(f"c{number},soon\n" for number in range(1, 6)),
    )
    [file] = check_files(zone.settings, zone.settings.landing_dir, examples=2).files
    [found] = file.rejected
    assert (found.rows, found.examples) == (5, [(1, "soon"), (2, "soon")])
    assert file.verdict is Verdict.LOADS
    assert file.is_rejected


def test_the_content_of_another_file_is_called_so(zone: LandingZone) -> None:
    for path in ("acme/contacts/a.csv", "acme/contacts/b.csv", "acme/contacts/day=1/c.csv"):
        zone.write(path, GOOD)
    found = check_files(zone.settings, zone.settings.landing_dir)
    assert [(file.path, file.verdict) for file in found.files] == [
        ("acme/contacts/a.csv", Verdict.LOADS),
        ("acme/contacts/b.csv", Verdict.REPEATS),
        # What its folder says makes it another content, as it does for a run.
        ("acme/contacts/day=1/c.csv", Verdict.LOADS),
    ]
    assert found.is_clean


def test_a_file_that_keeps_changing_is_said_to(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("acme/contacts/a.csv", GOOD)
    monkeypatch.setattr("throughline.landing.loading.is_unchanged", lambda file, content: False)
    [file] = check_files(zone.settings, zone.settings.landing_dir).files
    assert file.verdict is Verdict.CHANGING


def test_small_files_are_read_together_and_told_apart(zone: LandingZone) -> None:
    for number in range(30):
        bad = ",2026-03-01\n" if number == 7 else ""
        zone.write(f"acme/contacts/{number:02}.csv", GOOD.replace("c1", f"c{number}") + bad)
    found = check_files(zone.settings, zone.settings.landing_dir)
    assert [file.path for file in found.files if file.is_rejected] == ["acme/contacts/07.csv"]


def test_the_screen_says_what_is_wrong_and_what_would_load(zone: LandingZone) -> None:
    zone.write("acme/contacts/project_id=101/a.csv", BAD)
    zone.write("acme/contacts/b.csv", GOOD)
    zone.write("acme/calls/c.csv", GOOD)
    zone.write("acme/messages/d.csv", GOOD)
    found = check_files(zone.settings, zone.settings.landing_dir)
    told = " ".join(render(found).split())
    for part in (
        "read as a landing directory: 4 files, 3 rows",
        "A run would reject 2 whole files: acme/calls/c.csv There is no log 'calls'.",
        "acme/messages/d.csv The required columns sent_at, author_kind of messages are missing",
        "acme/contacts/project_id=101/a.csv: 2 of 2 rows",
        "started_at is not an ISO 8601 timestamp: row 1 'yesterday'. Write it as",
        "contact_id is missing: row 2. Give every record its contact_id",
        "acme/contacts csv, 2 files, 1 row not of the log, kept in extra: device",
        "What is rejected stops nothing else",
    ):
        assert part in told
    assert "Nothing would be rejected." not in told


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [(GOOD, [], 0), (BAD, [], 1), (GOOD, ["--source", "Acme"], 2), ("", ["--log", "messages"], 0)],
)
def test_the_exit_status_says_whether_anything_would_be_rejected(
    content: str,
    options: list[str],
    status: int,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(elsewhere, "acme/contacts/a.csv", content)
    assert main([str(elsewhere / "acme"), *options]) == status
    told = capsys.readouterr()
    assert (told.err != "") == (status == 2)


def test_as_json_everything_is_there(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(elsewhere, "acme/contacts/a.csv", BAD)
    put(elsewhere, "acme/calls/b.csv")
    assert main([str(elsewhere / "acme"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["is_clean"], document["place"]) == (False, "acme")
    unrecognised, file = document["files"]
    assert unrecognised["verdict"] == "rejected"
    assert "There is no log 'calls'" in unrecognised["reason"]
    assert file["unknown_columns"] == {"device": 0}
    assert file["rejected"][0] == {
        "column": "started_at",
        "reason": "started_at is not an ISO 8601 timestamp",
        "remedy": "Write it as 2026-03-29T14:05:00+02:00",
        "rows": 1,
        "examples": [[1, "yesterday"]],
    }


def test_the_screen_stays_one_screen(zone: LandingZone) -> None:
    for number in range(60):
        zone.write(f"acme/calls/{number}.csv", GOOD)
        zone.write(f"source_{number}/contacts/{number}.csv", BAD)
    lines = render(check_files(zone.settings, zone.settings.landing_dir)).splitlines()
    assert len(lines) < 100
    assert "  and 54 more files: --json has all" in lines


def test_folders_of_links_are_followed_as_a_run_follows_them(
    zone: LandingZone, elsewhere: Path
) -> None:
    put(elsewhere, "kept/a.csv")
    linked = elsewhere / "acme" / "contacts"
    linked.parent.mkdir()
    linked.symlink_to(elsewhere / "kept")
    assert paths(check_files(zone.settings, linked)) == ["acme/contacts/a.csv"]
