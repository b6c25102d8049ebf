"""Each file once, whole or not at all, in a fixed order; nothing lost and nothing silent.

Belongs here: what the loader keeps and does over several runs. Does not belong here: formats.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landing_zone import AT_REST, LandingZone, compressed, csv_text

from throughline import landing
from throughline.building import quality
from throughline.landing import files, loading, opening
from throughline.landing.inserting import Insertion
from throughline.settings import REPOSITORY

HEADER = ("contact_id", "started_at", "agent_id")
AT = "2026-03-01T10:00:00Z"


def contacts(*ids: str) -> str:
    return csv_text(HEADER, *((contact_id, AT, "a1") for contact_id in ids))


def test_a_file_loads_once_whatever_it_is_called(zone: LandingZone) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1", "c2"))
    zone.land()
    assert zone.land()["contacts"].files_unchanged == 1
    path.rename(path.with_name("b.csv"))
    summary = zone.land()["contacts"]
    assert (summary.files_seen, summary.files_unchanged, summary.files_loaded) == (1, 1, 0)
    os.utime(path.with_name("b.csv"), (AT_REST + 9, AT_REST + 9))
    assert zone.land()["contacts"].files_unchanged == 1

    assert len(zone.loads()) == 1
    assert zone.rows("select count(*) as n from raw.contacts") == [{"n": 2}]


def test_the_same_bytes_load_again_for_another_source_and_log(zone: LandingZone) -> None:
    content = csv_text(
        ("contact_id", "transaction_id", "started_at", "occurred_at", "amount"),
        ("c1", "t1", AT, AT, "5"),
    )
    for folder in ("acme/contacts", "bolt/contacts", "acme/transactions"):
        zone.write(f"{folder}/a.csv", content)

    zone.land()

    loads = zone.loads()
    assert [(load["source"], load["log"], load["rows_loaded"]) for load in loads] == [
        ("acme", "contacts", 1),
        ("bolt", "contacts", 1),
        ("acme", "transactions", 1),
    ]
    assert len({load["content_sha256"] for load in loads}) == 1


def test_a_changed_file_is_a_new_file_and_all_versions_stay(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1"))
    zone.land()
    zone.write("acme/contacts/a.csv", contacts("c1", "c2"))
    summary = zone.land()["contacts"]

    assert (summary.files_loaded, summary.rows_repeated) == (1, 1)
    assert zone.rows("select contact_id, load_no from raw.contacts order by row_id") == [
        {"contact_id": "c1", "load_no": 1},
        {"contact_id": "c1", "load_no": 2},
        {"contact_id": "c2", "load_no": 2},
    ]


def test_load_numbers_follow_log_then_source_then_path(zone: LandingZone) -> None:
    for path in ("zeta/contacts/a.csv", "acme/contacts/z/a.csv", "acme/contacts/b.csv"):
        zone.write(path, contacts(path))
    zone.write("acme/transfers/a.csv", csv_text(("from_contact_id", "requested_at"), ("c1", AT)))

    zone.land()

    assert [(load["load_no"], load["path"], load["run_id"]) for load in zone.loads()] == [
        (1, "acme/contacts/b.csv", "test"),
        (2, "acme/contacts/z/a.csv", "test"),
        (3, "zeta/contacts/a.csv", "test"),
        (4, "acme/transfers/a.csv", "test"),
    ]


def test_a_rejected_row_is_kept_whole_with_its_place_and_the_remedy(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1") + "c2,2026-02-30,a2\n" + "c3,x\n")

    zone.land()

    impossible, short = zone.rejected()
    assert (impossible["path"], impossible["source"], impossible["log"]) == (
        "acme/contacts/a.csv",
        "acme",
        "contacts",
    )
    assert (impossible["row_no"], impossible["column_name"]) == (2, "started_at")
    assert impossible["value"] == "2026-02-30"
    assert "does not exist" in impossible["reason"]
    assert "Correct it" in impossible["remedy"]
    assert json.loads(impossible["row"]) == {
        "contact_id": "c2",
        "started_at": "2026-02-30",
        "agent_id": "a2",
    }
    assert (short["row_no"], short["column_name"], short["row"]) == (3, None, "c3,x")


def test_a_rejected_file_says_what_to_do_and_is_not_tried_again(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", "id,started_at\nc1,2026-03-01\n")
    assert zone.land()["contacts"].files_rejected == 1
    again = zone.land()["contacts"]
    assert (again.files_rejected, again.files_unchanged) == (0, 1)
    zone.write("acme/contacts/copy.csv", "id,started_at\nc1,2026-03-01\n")
    assert zone.land()["contacts"].files_rejected == 0

    (load,) = zone.loads()
    assert load["status"] == "rejected"
    assert "contact_id" in load["reason"]
    assert "'id', 'started_at'" in load["reason"]
    assert "Add or rename the column" in load["reason"]


def test_repeats_are_counted_within_a_file_and_against_the_past(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1", "c2", "c1", "c1"))
    zone.write("acme/contacts/b.csv", contacts("c2", "c3", "c3"))
    zone.write("bolt/contacts/a.csv", contacts("c1"))
    assert zone.land("contacts")["contacts"].rows_repeated == 4
    zone.write("acme/contacts/c.csv", contacts("c1", "c4"))
    assert zone.land("contacts")["contacts"].rows_repeated == 1

    assert [load["rows_repeated"] for load in zone.loads()] == [2, 2, 0, 1]


@pytest.mark.parametrize(
    ("log", "records", "repeated"),
    [
        ("transfers", [("from_contact_id", "requested_at", "to_contact_id", "transfer_id"),
            ("c1", AT, "c2", ""), ("c1", AT, "c2", ""), ("c1", AT, "", ""), ("c1", AT, "", ""),
            ("c1", AT, "c2", "t1"), ("c9", AT, "c8", "t1")], 3),
        ("messages", [("contact_id", "sent_at", "author_kind", "message_id", "body"),
            ("c1", AT, "bot", "", "hi"), ("c1", AT, "bot", "", "hi"), ("c1", AT, "bot", "", "ho"),
            ("c1", AT, "bot", "m1", "hi"), ("c2", AT, "bot", "m1", "he")], 2),
        ("ratings", [("contact_id", "question", "answered_at", "rating_id", "score"),
            ("c1", "csat", AT, "", "3"), ("c1", "csat", AT, "", "4"), ("c1", "nps", AT, "", "4")],
            1),
        ("transactions", [("transaction_id", "occurred_at", "amount"),
            ("t1", AT, "1"), ("t1", AT, "2"), ("t2", AT, "2")], 1),
        ("agents", [("agent_id", "valid_from"), ("a1", ""), ("a1", ""), ("a1", AT), ("a1", AT)], 2),
    ],
    ids=["transfers", "messages", "ratings", "transactions", "agents"],
)  # fmt: skip
def test_each_log_has_its_own_business_key(
    log: str, records: list[tuple[str, ...]], repeated: int, zone: LandingZone
) -> None:
    zone.write(f"acme/{log}/a.csv", csv_text(*records))

    summary = zone.land(log)[log]

    assert zone.rejected() == []
    assert summary.rows_repeated == repeated


@pytest.mark.parametrize(
    ("log", "head", "record"),
    [
        ("transfers", "from_contact_id,requested_at", "c1,{}"),
        ("messages", "contact_id,sent_at,author_kind,body", "c1,{},bot,hi"),
        ("ratings", "contact_id,question,answered_at,score", "c1,csat,{},3"),
        ("agents", "agent_id,valid_from", "a1,{}"),
    ],
)
def test_a_repeat_is_known_by_its_instant_and_not_by_how_its_clock_was_written(
    log: str, head: str, record: str, tmp_path: Path
) -> None:
    registry = tmp_path / "registry"
    registry.mkdir()
    (registry / "sources.csv").write_text("source,time_zone\nparis,Europe/Paris\n")
    zone = LandingZone(tmp_path, REGISTRY_DIR=str(registry))
    # The second is the first once more; the third only looks like it.
    times = ["2026-11-02 11:00:30", "2026-11-02T10:00:30Z", "2026-11-02T11:00:30Z"]
    for source in ("paris", "else"):
        lines = [head, *(record.format(time) for time in times)]
        zone.write(f"{source}/{log}/a.csv", "\n".join(lines))
        zone.land(log)
        zone.write(f"{source}/{log}/b.csv", "\n".join([*lines[:2], *lines]))
        zone.land(log)

    repeats = [(load["source"], load["rows_repeated"]) for load in zone.loads()]
    # Without a zone it is UTC, so that the third is the first.
    assert repeats == [("paris", 1), ("paris", 4), ("else", 1), ("else", 4)]


def test_repeats_do_not_depend_on_how_many_hashes_fit_at_once(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"c{number % 70}" for number in range(100)]
    zone.write("acme/contacts/a.csv", contacts(*ids))
    monkeypatch.setattr("throughline.landing.repeats._HASHES_AT_ONCE", 7)
    assert zone.land("contacts")["contacts"].rows_repeated == 30
    # A small file against a large history takes another way.
    zone.write("acme/contacts/b.csv", contacts("c1", "new", "new"))
    assert zone.land("contacts")["contacts"].rows_repeated == 2


def test_colliding_hashes_are_not_repeats(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throughline.landing.repeats._hash", lambda log: "cast(7 as ubigint)")
    zone.write("acme/contacts/a.csv", contacts("c1", "c2", "c1"))

    assert zone.land("contacts")["contacts"].rows_repeated == 1


def test_a_run_that_died_before_counting_repeats_is_made_up_for(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1", "c1"))
    zone.land()
    with zone.connected() as connection:
        connection.execute("update raw.loads set rows_repeated = null")

    zone.land()

    assert [load["rows_repeated"] for load in zone.loads()] == [1]


def test_rows_that_would_get_lost_stop_the_run_and_leave_nothing(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1", "c2"))
    whole = Insertion.insert_rows

    def lossy(self: Any, *arguments: Any) -> int:
        rows = whole(self, *arguments)
        self.connection.execute("delete from raw.contacts where contact_id = 'c2'")
        return rows

    monkeypatch.setattr(Insertion, "insert_rows", lossy)

    with pytest.raises(landing.ConservationError, match=r"acme/contacts/a\.csv: 2 rows were read"):
        zone.land("contacts")

    assert zone.loads() == []
    assert zone.rows("select count(*) as n from raw.contacts") == [{"n": 0}]


@pytest.mark.parametrize(
    "failure",
    [
        duckdb.IOException("IO Error: Could not write file: No space left on device"),
        duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block"),
        duckdb.TransactionException("TransactionContext Error: Failed to commit"),
    ],
    ids=["disk", "memory", "commit"],
)
def test_a_full_disk_or_memory_is_not_the_files_fault(
    failure: duckdb.Error, zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1"))
    with monkeypatch.context() as patched:

        def insert_rows(self: Insertion) -> int:
            raise failure

        patched.setattr(Insertion, "insert_rows", insert_rows)
        with pytest.raises(landing.LandingError, match="make room on the disk or raise MEMORY"):
            zone.land("contacts")
    assert zone.loads() == []

    assert zone.land("contacts")["contacts"].files_loaded == 1


def test_a_scratch_directory_without_room_is_a_clear_error(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("acme/contacts/a.csv.gz", compressed(contacts("c1").encode(), "gz"))

    def unpack_stream(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(opening, "_unpack_stream", unpack_stream)
    with pytest.raises(landing.LandingError, match=r"cannot be unpacked into .* make room there"):
        zone.land("contacts")
    assert zone.loads() == []


def test_a_warehouse_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    zone = LandingZone(tmp_path, WAREHOUSE_DIR=str(tmp_path / "file" / "warehouse"))
    with pytest.raises(landing.LandingError, match=r"WAREHOUSE_DIR=.* cannot be written"):
        landing.connect(zone.settings)


def change_while_loading(
    monkeypatch: pytest.MonkeyPatch, path: Path, contents: list[str], stamp: float | None = None
) -> None:
    """Write the next of the contents into the file each time that its rows have been inserted."""
    whole = Insertion.insert_rows

    def insert_rows(self: Any, *arguments: Any) -> int:
        rows = whole(self, *arguments)
        if contents:
            path.write_text(contents.pop(0))
            if stamp is not None:
                os.utime(path, (stamp, stamp))
        return rows

    monkeypatch.setattr(Insertion, "insert_rows", insert_rows)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1"))
    change_while_loading(monkeypatch, path, [contacts("c1", "c2"), contacts("c1", "c2", "c3")])

    summary = zone.land("contacts")["contacts"]

    assert (summary.files_loaded, summary.rows_loaded, summary.files_deferred) == (1, 3, 0)
    assert len(zone.loads()) == 1


def test_a_file_that_keeps_changing_waits_for_the_next_run(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c0"))
    zone.write("acme/contacts/b.csv", contacts("b1"))
    change_while_loading(monkeypatch, path, [contacts(f"c{number}") for number in range(3)])

    summary = zone.land("contacts")["contacts"]

    assert (summary.files_deferred, summary.files_loaded) == (1, 1)
    assert zone.land("contacts")["contacts"].files_loaded == 1
    rows = zone.rows("select contact_id from raw.contacts order by row_id")
    assert [row["contact_id"] for row in rows] == ["b1", "c2"]


def test_a_change_that_the_file_system_hides_is_noticed(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1"))
    change_while_loading(monkeypatch, path, [contacts("c2")], stamp=AT_REST)
    # The stamp of a file system whose clock stands still: same size, times and inode.
    fixed = files.Stamp(len(contacts("c1")), 1, time.time_ns(), 1)
    monkeypatch.setattr(files.Stamp, "of", classmethod(lambda cls, result: fixed))

    zone.land("contacts")

    assert [row["contact_id"] for row in zone.rows("select contact_id from raw.contacts")] == ["c2"]


def test_a_compressed_file_that_is_completed_after_it_was_read_loads(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compressed(contacts("c1").encode(), "gz")
    path = zone.write("acme/contacts/a.csv.gz", whole[:-4])
    unpack = opening._unpack

    def slow_unpack(*arguments: Any) -> Any:
        result = unpack(*arguments)
        path.write_bytes(whole)
        return result

    monkeypatch.setattr(opening, "_unpack", slow_unpack)
    zone.land("contacts")
    # What was rejected is the part that was there, so that the whole is new.
    assert zone.land("contacts")["contacts"].rows_loaded == 1


def test_a_file_that_goes_away_waits_for_the_next_run(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1"))
    monkeypatch.setattr(loading, "_clear_workspace", lambda settings: path.unlink(missing_ok=True))

    summary = zone.land("contacts")["contacts"]

    assert (summary.files_deferred, summary.files_rejected) == (1, 0)


def test_a_fresh_file_is_looked_at_again_until_its_stamp_can_be_trusted(zone: LandingZone) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1"))
    zone.land("contacts")
    # Same size, and put back to the same times: only the bytes differ, and the change is recent.
    path.write_text(contacts("c2"))
    os.utime(path, (AT_REST, AT_REST))

    assert zone.land("contacts")["contacts"].files_loaded == 1


KILLED = """
    import os, sys
    from throughline import landing
    from throughline.landing.inserting import Insertion
    from throughline.settings import load_settings

    settings = load_settings()
    stop_at = sys.argv[1]

    def stop(self, *arguments):
        result = whole(self, *arguments)
        if stops.pop() == "now":
            print("ready", flush=True)
            sys.stdin.read()
        return result

    whole = getattr(Insertion, stop_at)
    stops = ["now", "later"]
    setattr(Insertion, stop_at, stop)
    connection = landing.connect(settings)
    landing.prepare(connection)
    landing.land_log(connection, settings, "contacts")
"""


@pytest.mark.parametrize("stop_at", ["insert_rows", "insert_rejected", "_counts"])
def test_a_killed_run_leaves_each_file_whole_or_not_at_all(stop_at: str, zone: LandingZone) -> None:
    for name in ("a", "b", "c"):
        many = contacts(*(f"{name}{number}" for number in range(3000)))
        zone.write(f"acme/contacts/{name}.csv", many + "bad,never,x\n")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), stop_at],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, **zone.settings.environment(), "PYTHONPATH": python_path()},
    )
    # The first file is committed, the second is in the middle.
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()

    assert [(load["path"], load["rows_loaded"]) for load in zone.loads()] == [
        ("acme/contacts/a.csv", 3000)
    ]
    assert zone.rows("select distinct load_no from raw.contacts") == [{"load_no": 1}]
    assert len(zone.rejected()) == 1

    summary = zone.land("contacts")["contacts"]
    assert (summary.files_loaded, summary.rows_loaded, summary.rows_rejected) == (2, 6000, 2)
    assert [load["load_no"] for load in zone.loads()] == [1, 2, 3]
    assert [load["rows_repeated"] for load in zone.loads()] == [0, 0, 0]


def python_path() -> str:
    return os.pathsep.join(path for path in (str(REPOSITORY), os.environ.get("PYTHONPATH")) if path)


def test_files_that_are_not_there_yet_are_left_alone(zone: LandingZone) -> None:
    for path in (
        "acme/contacts/.hidden.csv",
        "acme/contacts/a.csv.tmp",
        "acme/contacts/b.PART",
        ".trash/contacts/a.csv",
        "acme/contacts/.staging/a.csv",
    ):
        zone.write(path, contacts("c1"))
    with zone.connected() as connection:
        assert not landing.anything_new(connection, zone.settings)

    assert zone.land()["contacts"].files_seen == 0
    assert zone.loads() == []


def test_unrecognised_files_are_recorded_once(zone: LandingZone) -> None:
    zone.write("acme/calls/a.csv", "x")
    zone.write("README.md", "read me")
    (zone.settings.landing_dir / "acme/contacts").mkdir(parents=True)
    (zone.settings.landing_dir / "acme/contacts/gone.csv").symlink_to("nowhere.csv")
    with zone.connected() as connection:
        found = landing.reject_unrecognised(connection, zone.settings, "run")
        assert [(file.path, file.source, file.log) for file in found] == [
            ("README.md", "", ""),
            ("acme/calls/a.csv", "acme", "calls"),
        ]
        assert landing.reject_unrecognised(connection, zone.settings) == []
        assert landing.anything_new(connection, zone.settings)
        summary = landing.land_log(connection, zone.settings, "contacts")
        assert summary.files_rejected == 1
        assert landing.land_log(connection, zone.settings, "contacts").files_rejected == 0
        assert not landing.anything_new(connection, zone.settings)

    assert {load["path"]: load["status"] for load in zone.loads()} == {
        "README.md": "rejected",
        "acme/calls/a.csv": "rejected",
        "acme/contacts/gone.csv": "rejected",
    }
    assert all(load["reason"] for load in zone.loads())


def test_links_to_folders_are_followed_but_never_in_circles(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1"))
    (zone.settings.landing_dir / "bolt").symlink_to("acme")
    (zone.settings.landing_dir / "acme/contacts/again").symlink_to("..")

    zone.land()

    assert [(load["path"], load["status"]) for load in zone.loads()] == [
        ("acme/contacts/a.csv", "loaded"),
        ("bolt/contacts/a.csv", "loaded"),
    ]


def test_a_bad_file_leaves_the_connection_as_it_was(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.json", "[" + json.dumps({"contact_id": "c1", "started_at": AT}))
    zone.write("acme/contacts/b.csv", contacts("c1") + "broken\n")
    with zone.connected() as connection:
        landing.land_log(connection, zone.settings, "contacts")
        setting = "select current_setting('disabled_optimizers')"
        assert connection.execute(setting).fetchone() == ("",)


def test_a_missing_landing_directory_is_a_clear_error(zone: LandingZone) -> None:
    zone.settings.landing_dir.rmdir()
    with (
        zone.connected() as connection,
        pytest.raises(landing.LandingError, match=r"LANDING_DIR=.* is not a directory: create it"),
    ):
        landing.land_log(connection, zone.settings, "contacts")


def test_anything_new_looks_at_stamps_only(zone: LandingZone) -> None:
    path = zone.write("acme/contacts/a.csv", contacts("c1"))
    assert landing.anything_new(None, zone.settings)
    zone.land()
    assert not landing.anything_new(None, zone.settings)
    os.utime(path, (AT_REST + 1, AT_REST + 1))
    assert landing.anything_new(None, zone.settings)
    zone.land()
    assert not landing.anything_new(None, zone.settings)
    zone.write("acme/transfers/new.csv", "")
    assert landing.anything_new(None, zone.settings)


def test_anything_new_works_before_the_first_run_has_prepared_the_warehouse(
    zone: LandingZone,
) -> None:
    landing.connect(zone.settings).close()
    assert not landing.anything_new(None, zone.settings)
    zone.write("acme/contacts/a.csv", contacts("c1"))
    assert landing.anything_new(None, zone.settings)


def test_a_warehouse_in_use_is_waited_for_and_then_a_clear_error(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.connect(zone.settings).close()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; held = duckdb.connect(sys.argv[1]); "
            "print('ready', flush=True); sys.stdin.read()",
            str(zone.settings.warehouse_file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    try:
        monkeypatch.setattr("throughline.landing.database.LOCK_PATIENCE_SECONDS", 0.5)
        with pytest.raises(landing.LandingError, match="another process has the warehouse"):
            landing.connect(zone.settings)
        # A run is on, so there is nothing to start.
        assert not landing.anything_new(None, zone.settings)
    finally:
        holder.communicate(b"")
    landing.connect(zone.settings).close()


def test_preparing_twice_changes_nothing(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1"))
    zone.land()
    with zone.connected() as connection:
        landing.prepare(connection)

    assert len(zone.loads()) == 1
    state = ("publications", "published_ids", "id_merges", "restatements")
    tables = zone.rows("select table_name from duckdb_tables() where schema_name = 'raw'")
    assert {row["table_name"] for row in tables} == {
        *landing.LOGS,
        *("loads", "delays", "landing_files", "rejected_rows", "day_counts"),
        *state,
    }


def test_a_warehouse_of_an_older_version_gets_the_columns_that_it_lacks(zone: LandingZone) -> None:
    head = "contact_id,sent_at,author_kind,is_note\n"
    zone.write("acme/messages/a.csv", head + "c1,2026-03-01,agent,yes\nc2,2026-03-01,agent,no\n")
    zone.land()
    with zone.connected() as connection:
        # So an older version left it: it knew no such columns, and kept what files had of them.
        connection.execute("alter table raw.messages drop column is_private")
        connection.execute(
            "update raw.messages set extra = replace(extra, 'is_note', 'is_private')"
        )
        connection.execute("alter table raw.loads drop column placeholder_times")
    zone.write("acme/messages/b.csv", head.replace("note", "private") + "c3,2026-03-01,agent,1\n")
    zone.land()

    rows = zone.rows("select contact_id, is_private from raw.messages order by row_id")
    assert [tuple(row.values()) for row in rows] == [("c1", True), ("c2", False), ("c3", True)]
    assert [load["placeholder_times"] for load in zone.loads()] == [0, 0]


def test_rows_of_an_older_version_get_what_landing_does_today(zone: LandingZone) -> None:
    zone.write(
        "acme/contacts/a.csv",
        "contact_id;started_at;ended_at;tags\n"
        "c1;2026-03-01;2026-03-02;a,b\nc2;2026-03-01;2026-03-02;\nc3;2026-03-01;;\n",
    )
    zone.land()
    with zone.connected() as connection:
        for table in ("loads", *landing.LOGS):
            connection.execute(f"alter table raw.{table} drop column placeholder_times")
        connection.execute("update raw.contacts set tags = 'a,b' where contact_id = 'c1'")
        connection.execute("update raw.contacts set tags = '[5]' where contact_id = 'c2'")
        far = [datetime(9999, 12, 31, 23, 59, 59)]
        connection.execute("update raw.contacts set ended_at = ? where contact_id = 'c2'", far)
        connection.execute("update raw.contacts set started_at = ? where contact_id = 'c3'", far)
    zone.land()

    rows = zone.rows("select contact_id, ended_at, tags, placeholder_times from raw.contacts")
    assert [tuple(row.values()) for row in rows] == [
        ("c1", datetime(2026, 3, 2), '["a","b"]', 0),
        ("c2", None, '["5"]', 4),
    ]
    [rejected] = zone.rejected()
    assert (rejected["row_no"], rejected["column_name"]) == (3, "started_at")
    assert (rejected["path"], rejected["value"]) == ("acme/contacts/a.csv", "9999-12-31 23:59:59")
    assert json.loads(rejected["row"])["contact_id"] == "c3"
    [load] = zone.loads()
    counts = ("rows_read", "rows_loaded", "rows_rejected", "placeholder_times")
    assert [load[name] for name in counts] == [3, 2, 1, 2]


def test_times_that_stand_for_none_are_a_finding_with_their_files(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", "contact_id,started_at,ended_at\nc1,2026-03-01,9999-12-31\n")
    zone.write("acme/contacts/b.csv", contacts("c2"))
    zone.land()

    with zone.connected() as connection:
        far = quality.placeholder_times(connection, "contacts")
        none = quality.placeholder_times(connection, "messages")
    assert (far.count, far.rows) == (1, [("acme/contacts/a.csv", 1, 1)])
    assert "1 times before 1970-01-02, or not before 2200-01-01" in far.message
    assert (none.count, none.rows) == (0, [])


def test_the_ledger_refuses_the_same_content_twice(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1"))
    zone.land()
    with zone.connected() as connection, pytest.raises(duckdb.ConstraintException):
        connection.execute("insert into raw.loads select * from raw.loads")


def test_progress_names_log_file_and_rows(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1", "c2"))
    zone.write("acme/contacts/b.csv", contacts("c3"))
    said: list[str] = []
    with zone.connected() as connection:
        landing.land_log(connection, zone.settings, "contacts", progress=said.append)

    assert said[0].startswith("contacts: file 1 of 2, acme/contacts/a.csv")
    assert "2 rows so far" in said[1]


def test_nothing_stays_in_the_scratch_directory(zone: LandingZone) -> None:
    zone.write("acme/contacts/a.csv", contacts("c1") + "broken\n")
    zone.write("acme/contacts/[b].csv", contacts("c2"))
    zone.write("acme/contacts/c.csv.gz", b"no gzip")
    left = zone.settings.scratch_dir / "landing" / "unpacked.csv"
    left.parent.mkdir(parents=True)
    left.write_text("of a killed run")

    zone.land("contacts")

    assert [path for path in zone.settings.scratch_dir.rglob("*") if path.is_file()] == []


def test_landing_does_not_import_dagster() -> None:
    code = "import sys, throughline.landing; sys.exit('dagster' in sys.modules)"
    completed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": python_path()},
        check=False,
    )
    assert completed.returncode == 0


def test_each_record_is_counted_by_the_load_that_brought_it_first(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the hours from its event to the load, rounded up; what repeats or corrects it is not."""
    loaded = {"at": datetime(2026, 3, 2, 12, 0)}
    monkeypatch.setattr("throughline.landing.ledger.now", lambda: loaded["at"])
    first = csv_text(
        ("contact_id", "started_at"),
        ("c1", "2026-03-02T11:30:00Z"),
        ("c2", "2026-03-02T10:59:59Z"),
        ("c2", "2026-03-02T10:30:00Z"),
        ("after", "2026-03-02T12:30:00Z"),
    )
    second = csv_text(
        ("contact_id", "started_at"),
        ("c1", "2026-03-01T00:00:00Z"),
        ("late", "2026-02-27T12:00:01Z"),
        ("later", "2025-12-31T00:00:00Z"),
    )
    zone.write("acme/contacts/a.csv", first)
    zone.write("acme/agents/a.csv", csv_text(("agent_id",), ("a1",)))
    zone.land()
    loaded["at"] = datetime(2026, 3, 3, 12, 0)
    zone.write("acme/contacts/b.csv", second)
    zone.land()

    delays = zone.rows("select load_no, hours, records from raw.delays order by all")
    assert [tuple(row.values()) for row in delays] == [
        (1, 0, 1),
        (1, 1, 1),
        (1, 2, 1),
        (3, 96, 1),
        (3, 2160, 1),
    ]
