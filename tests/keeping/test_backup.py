"""A backup holds what cannot be made again; a machine that is lost comes back from it as it was.

The real models, on small logs, with a clock that stands still: what is loaded again later then
has the time that it would have had.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import Pipeline, Row, contact, transfer
from typer.testing import CliRunner

from orchestration import cli
from throughline.engine import files, locks
from throughline.keeping import backup as backing_up
from throughline.keeping import catalogue, raw_tables, restore
from throughline.keeping.catalogue import BackupError
from throughline.landing import ledger
from throughline.published import manifest as versions
from throughline.publishing import id_ledger, verification

KEYS = '{"dashboard": {"sha256": "ab", "created_at": ""}}'


class Machine:
    """A pipeline with a registry, keys, and a folder for backups elsewhere."""

    def __init__(self, home: Path) -> None:
        self.pipeline = Pipeline(home / "machine", sources=[{"source": "shop", "currency": "EUR"}])
        # What is restored is built as a whole; that a refresh gives the same is shown elsewhere.
        self.pipeline.settings = self.pipeline.settings.replaced(refreshes=False)
        self.settings = self.pipeline.settings
        self.keys = self.settings.warehouse_dir / "serving" / "keys.json"
        self.backups = home / "backups"
        self.told: list[str] = []

    def more(self, number: int) -> None:
        """A delivery that joins two published conversations, and adds one."""
        old, new = f"c{number - 1}", f"c{number}"
        self.pipeline.write("shop", "contacts", [contact(f"d{number}", 20 + number)])
        self.pipeline.write("shop", "transfers", [transfer(old, new, number)])
        self.pipeline.run()

    def back_up(self) -> backing_up.Backup:
        return backing_up.back_up(
            self.settings, self.backups, keys_file=self.keys, tell=self.told.append
        )

    def restore(self, folder: Path | None = None, *, replace: bool = False) -> restore.Restored:
        return restore.restore(
            self.settings,
            folder or self.backups,
            keys_file=self.keys,
            replace=replace,
            tell=self.told.append,
        )

    def lose(self) -> None:
        shutil.rmtree(self.settings.warehouse_dir)
        shutil.rmtree(self.settings.registry_dir)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that has published once; the clock of its records stands still."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ledger, "now", lambda: datetime(2026, 3, 3))
    machine = Machine(tmp_path_factory.mktemp("running"))
    machine.pipeline.write(
        "shop", "contacts", [contact(f"c{number}", number) for number in (1, 2, 3)]
    )
    machine.pipeline.run()
    files.write(machine.keys, KEYS, mode=0o600)
    yield machine
    patch.undo()


def raw(machine: Machine) -> dict[str, list[Any]]:
    with machine.pipeline.connect() as connection:
        return {
            name: connection.table(f"raw.{name}").fetchall()
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'raw' order by all"
            ).fetchall()
            if name not in {"landing_files"}
        }


def published(pipeline: Pipeline) -> dict[str, list[Row]]:
    """What readers get, but which run loaded a file."""
    return {
        name: [{key: value for key, value in row.items() if key != "run_id"} for row in rows]
        for name in pipeline.public_models()
        for rows in [pipeline.published(name)]
    }


def test_a_machine_that_is_lost_comes_back_and_goes_on_as_if_nothing_had_happened(
    running: Machine,
) -> None:
    machine, pipeline = running, running.pipeline
    made = machine.back_up()
    before, version = raw(machine), pipeline.manifest()["data_version"]
    # Without the loss: more logs, a merge of published conversations among them.
    machine.more(2)
    assert pipeline.manifest()["data_version"] != version
    without = published(pipeline)

    machine.lose()
    done = machine.restore()

    assert done.backup == made.folder
    assert raw(machine) == before
    assert pipeline.manifest()["data_version"] == version
    assert {row["contact_id"] for row in pipeline.published("marts.contacts")} == {"c1", "c2", "c3"}
    assert machine.keys.read_text(encoding="utf-8") == KEYS
    assert machine.keys.stat().st_mode & 0o777 == 0o600
    assert "shop" in (machine.settings.registry_dir / "sources.csv").read_text(encoding="utf-8")
    publication = versions.current(machine.settings)
    assert publication is not None
    assert verification.problems(machine.settings, publication, tell=lambda line: None) == []
    assert id_ledger.is_whole(machine.settings)
    # The files are found in the ledger, though the disk is another: nothing is loaded twice.
    pipeline.run()
    assert not pipeline.taken_over
    assert published(pipeline) == without
    assert len(pipeline.query("from raw.contacts")) == 4


def test_a_backup_writes_what_is_new_and_shares_the_rest(running: Machine) -> None:
    shutil.rmtree(running.backups, ignore_errors=True)
    first = running.back_up()
    again = running.back_up()
    old = {file.path: file for file in first.holds.files}
    # What no load and no publication changes is one file on the disk.
    for name in old:
        if name.startswith(("published/", "raw/contacts", "raw/published_ids", "registry/")):
            assert (first.folder / name).samefile(again.folder / name), name
    assert again.new_bytes < first.new_bytes / 2
    running.more(3)
    third = running.back_up()
    [contacts] = [table for table in third.holds.tables if table.name == "contacts"]
    assert len(contacts.parts) == 2
    assert (third.folder / contacts.parts[0].path).samefile(first.folder / contacts.parts[0].path)
    assert contacts.rows == len(running.pipeline.query("from raw.contacts"))
    # The ledger of ids has a part more, and its first one is shared.
    [ids] = [table for table in third.holds.tables if table.name == "published_ids"]
    assert len(ids.parts) == 2
    for backup in (first, again, third):
        restore.check(backup.folder)


def test_the_newest_backups_stay_and_a_draft_of_a_killed_one_goes(running: Machine) -> None:
    shutil.rmtree(running.backups, ignore_errors=True)
    few = running.settings.replaced(backups_kept=2)
    (running.backups / ".draft-killed" / "raw").mkdir(parents=True)
    made = [
        backing_up.back_up(few, running.backups, keys_file=running.keys, tell=print)
        for _ in range(3)
    ]
    assert made[-1].removed == (made[0].folder.name,)
    assert sorted(running.backups.iterdir()) == [one.folder for one in made[1:]]


def test_raw_rows_that_came_in_among_older_ones_are_written_again(running: Machine) -> None:
    """As an upgrade of the raw tables might do, or a ledger of ids that was taken over."""
    shutil.rmtree(running.backups, ignore_errors=True)
    running.back_up()
    with duckdb.connect(str(running.settings.warehouse_file)) as connection:
        connection.execute("insert into raw.published_ids values ('shop:x', 'shop', 'x', 1)")
    try:
        made = running.back_up()
    finally:
        with duckdb.connect(str(running.settings.warehouse_file)) as connection:
            connection.execute("delete from raw.published_ids where contact_id = 'x'")
    [ids] = [table for table in made.holds.tables if table.name == "published_ids"]
    found = duckdb.sql(
        "select count(*) from read_parquet($files)",
        params={"files": [str(made.folder / part.path) for part in ids.parts]},
    ).fetchall()
    assert found == [(ids.rows,)]
    assert len(ids.parts) == 1


def test_rows_of_a_publication_that_has_not_come_about_are_written_again(running: Machine) -> None:
    """A failed publication takes back what it had recorded, and the next one records other rows."""
    shutil.rmtree(running.backups, ignore_errors=True)
    file = str(running.settings.warehouse_file)
    for name in ("draft", "final"):
        with duckdb.connect(file) as connection:
            connection.execute("delete from raw.id_merges where publication_no = 999")
            connection.execute(
                "insert into raw.id_merges by name select $name as old_conversation_id,"
                " 999 as publication_no",
                {"name": name},
            )
        made = running.back_up()
    with duckdb.connect(file) as connection:
        connection.execute("delete from raw.id_merges where publication_no = 999")
    [merges] = [table for table in made.holds.tables if table.name == "id_merges"]
    files_of = [str(made.folder / part.path) for part in merges.parts]
    found = duckdb.sql(
        "select old_conversation_id from read_parquet($files) where publication_no = 999",
        params={"files": files_of},
    ).fetchall()
    assert found == [("final",)]


def test_many_small_parts_become_one(running: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(running.backups, ignore_errors=True)
    first = running.back_up()
    monkeypatch.setattr(raw_tables, "MAX_PARTS", 1)
    made = running.back_up()
    [contacts] = [table for table in made.holds.tables if table.name == "contacts"]
    [part] = contacts.parts
    assert not (made.folder / part.path).samefile(first.folder / part.path)
    restore.check(made.folder)


# --- what is refused


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "told"),
    [(_flip, "checksum differs"), (_cut, "were written"), (Path.unlink, "No such file")],
)
@pytest.mark.parametrize("name", ["raw/contacts", "published/versions", catalogue.NAME])
def test_a_damaged_backup_names_the_file_and_touches_nothing(
    running: Machine, tmp_path: Path, name: str, damage: Callable[[Path], None], told: str
) -> None:
    made = running.back_up()
    copy = tmp_path / "copy"
    shutil.copytree(made.folder, copy)
    victim = next(path for path in sorted(copy.rglob("*")) if path.is_file() and name in str(path))
    damage(victim)
    before = sorted(running.settings.warehouse_dir.rglob("*"))
    with pytest.raises(BackupError, match=str(victim) if victim.exists() else "no backup|damaged"):
        running.restore(copy, replace=True)
    if name != catalogue.NAME:
        with pytest.raises(BackupError, match=told):
            restore.check(copy)
    assert sorted(running.settings.warehouse_dir.rglob("*")) == before


def test_what_is_there_is_not_overwritten_unless_told_and_then_moved_aside(
    running: Machine,
) -> None:
    running.back_up()
    with pytest.raises(BackupError, match=r"is not empty \(.*published.*--replace"):
        running.restore()
    mine = running.settings.registry_dir / "sources.csv"
    kept = mine.read_text(encoding="utf-8")
    mine.write_text("source,time_zone\nother,UTC\n", encoding="utf-8")
    before = raw(running)
    done = running.restore(replace=True)
    assert raw(running) == before
    assert mine.read_text(encoding="utf-8") == kept
    asides = {path.name.split("Z-")[-1] for path in done.aside}
    assert "sources.csv" in asides
    [folder] = [path for path in done.aside if path.is_dir()]
    assert (folder / "warehouse.duckdb").exists()
    for path in done.aside:
        files.remove(path)


def test_a_registry_of_another_kind_is_not_overwritten_unless_told(running: Machine) -> None:
    running.back_up()
    away = running.settings.replaced(warehouse_dir=running.backups.parent / "elsewhere")
    mine = running.settings.registry_dir / "sources.csv"
    kept = mine.read_bytes()
    mine.write_text("source,time_zone\nother,UTC\n", encoding="utf-8")
    try:
        with pytest.raises(BackupError, match=r"sources.csv is not as in the backup.*--replace"):
            restore.restore(
                away, running.backups, keys_file=running.keys, replace=False, tell=print
            )
    finally:
        mine.write_bytes(kept)
    assert not away.warehouse_dir.exists()


def test_backups_of_another_warehouse_are_not_pushed_out(running: Machine, tmp_path: Path) -> None:
    """A machine that was set up anew, whose nightly backup comes before the restoration."""
    running.back_up()
    other = Machine(tmp_path)
    other.pipeline.write("shop", "contacts", [contact("z1", 1)])
    other.pipeline.land()
    other.backups = running.backups
    with pytest.raises(BackupError, match=r"of another warehouse.*restore it first"):
        other.back_up()


def test_a_published_file_that_is_damaged_is_not_backed_up_as_if_it_were_whole(
    running: Machine,
) -> None:
    shutil.rmtree(running.backups, ignore_errors=True)
    publication = versions.current(running.settings)
    assert publication is not None
    victim = running.settings.published_dir / publication.database
    kept = victim.read_bytes()
    _flip(victim)
    try:
        with pytest.raises(
            BackupError, match=f"{victim} is not as it was written: `throughline run`"
        ):
            running.back_up()
    finally:
        victim.write_bytes(kept)
        victim.chmod(0o444)
    assert list(running.backups.iterdir()) == []


def test_a_full_disk_leaves_the_backups_before_and_says_what_to_do(
    running: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = running.back_up()
    there = sorted(running.backups.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catalogue, "write", full)
    with pytest.raises(BackupError, match=r"disk of .* is full: make room.*BACKUPS_KEPT"):
        running.back_up()
    assert sorted(running.backups.iterdir()) == there
    restore.check(made.folder)


def test_a_backup_waits_for_a_run_and_a_restoration_does_not(
    running: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "WAIT_SECONDS", 0)
    with locks.held(running.settings, "run", wait_seconds=0):
        for does in (running.back_up, lambda: running.restore(replace=True)):
            with pytest.raises(locks.LockTimeout):
                does()


# --- the commands


@pytest.fixture
def typed(running: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    for name, value in {
        "WAREHOUSE_DIR": running.settings.warehouse_dir,
        "LANDING_DIR": running.settings.landing_dir,
        "REGISTRY_DIR": running.settings.registry_dir,
        "API_KEYS_FILE": running.keys,
    }.items():
        monkeypatch.setenv(name, str(value))
    return lambda *words: CliRunner().invoke(cli.app, list(words))


def test_the_commands_say_what_they_did_and_what_is_not_in_a_backup(
    running: Machine, typed: Callable[..., Any]
) -> None:
    made = typed("backup", str(running.backups))
    assert made.exit_code == 0, made.output
    assert "Backed up to" in made.output
    assert "Not in it: .env" in made.output
    checked = typed("restore", str(running.backups), "--check")
    assert checked.exit_code == 0
    assert "is whole" in checked.output
    refused = typed("restore", str(running.backups))
    assert refused.exit_code == 1
    assert "is not empty" in refused.output
    assert typed("backup", "s3://bucket/backups").exit_code == 2
    inside = typed("backup", str(running.settings.warehouse_dir / "backups"))
    assert inside.exit_code == 1
    assert "would be lost with it" in inside.output
    nothing = typed("restore", str(running.settings.landing_dir))
    assert nothing.exit_code == 1
    assert "holds no backup" in nothing.output
