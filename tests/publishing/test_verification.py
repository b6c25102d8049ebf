"""Published files that were changed, moved or lost: found, and written again.

Belongs here: what is seen cheaply, what by checksum, when, and what the next publish makes of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fake_warehouse
import pytest

from serving.copies import CopyError, write
from throughline.published import copies
from throughline.published import manifest as versions
from throughline.publishing import publish as publishing
from throughline.publishing import verification
from throughline.settings import Settings


@pytest.fixture
def published(settings: Settings) -> Settings:
    """One version, published."""
    publishing.publish(settings, run_id="first")
    return settings


def problems(settings: Settings, *, full: bool = False) -> list[str]:
    current = versions.current(settings)
    assert current is not None
    return verification.problems(settings, current, full=full)


def reads(settings: Settings) -> list[str]:
    """What a look tells of: one line when it reads every file, none when it does not."""
    current = versions.current(settings)
    assert current is not None
    told: list[str] = []
    verification.problems(settings, current, tell=told.append)
    return told


def change(path: Path, at: int, *, keep_time: bool = False) -> None:
    """Turn one byte of a file around, in place: its size stays."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)
        stream.seek(at)
        stream.write(bytes([byte[0] ^ 0xFF]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def age(settings: Settings, **by: float) -> None:
    """Let the last full comparison be so long ago."""
    path = settings.warehouse_dir / "verified.json"
    content = json.loads(path.read_text())
    content["verified_at"] = (datetime.now(UTC) - timedelta(**by)).isoformat()
    path.write_text(json.dumps(content))


def parquet(settings: Settings) -> Path:
    return settings.published_dir / "parquet" / "marts" / "conversations" / "2026-03-01.parquet"


def test_what_was_just_published_is_right_and_is_not_read_again(published: Settings) -> None:
    assert problems(published) == []
    assert reads(published) == []
    assert problems(published, full=True) == []


@pytest.mark.parametrize("keep_time", [False, True], ids=["touched", "time set back"])
@pytest.mark.parametrize(
    "file",
    [
        "throughline.duckdb",
        "parquet/marts/conversations/2026-03-01.parquet",
        "parquet/marts/messages.parquet",
    ],
)
def test_a_file_changed_in_place_with_its_size_is_found_and_written_again(
    published: Settings, file: str, keep_time: bool
) -> None:
    path = published.published_dir / file
    before = path.read_bytes()
    change(path, len(before) // 2, keep_time=keep_time)

    [problem] = problems(published)
    assert "does not match its checksum" in problem

    done = publishing.publish(published, run_id="again")
    assert done.mended == (problem,)
    assert problems(published, full=True) == []
    assert fake_warehouse.read_generations(published.published_file) == {0}
    assert fake_warehouse.leftovers(published) == []
    if file.endswith(".parquet"):
        assert path.read_bytes() == before
    assert publishing.publish(published, run_id="third").mended == ()


def test_a_reader_of_the_damaged_file_keeps_it_while_it_is_written_again(
    published: Settings,
) -> None:
    change(parquet(published), 100)
    with parquet(published).open("rb") as reader:
        publishing.publish(published, run_id="again")
        assert os.fstat(reader.fileno()).st_ino != parquet(published).stat().st_ino
        assert reader.read()


def test_a_manifest_changed_under_both_its_names_is_found(published: Settings) -> None:
    current = versions.current(published)
    assert current is not None
    for path in (
        published.published_dir / "manifest.json",
        published.published_dir / current.version_path / "manifest.json",
    ):
        text = path.read_text().replace('"row_count": 100', '"row_count": 900')
        path.unlink()
        path.write_text(text)
    [problem] = problems(published)
    assert f"does not describe version {current.data_version}" in problem


def test_all_files_are_read_once_a_day(published: Settings) -> None:
    age(published, hours=23)
    assert reads(published) == []
    age(published, hours=25)
    assert len(reads(published)) == 1
    assert reads(published) == []
    # A clock that went back says nothing of when it was.
    age(published, hours=-25)
    assert len(reads(published)) == 1


def test_a_look_in_passing_reads_nothing_and_sees_what_can_be_seen(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("throughline.engine.files.sha256", fail)
    current = versions.current(published)
    assert current is not None
    age(published, hours=25)
    assert verification.look_right(published, current)
    change(parquet(published), 100)
    assert not verification.look_right(published, current)
    parquet(published).unlink()
    assert not verification.look_right(published, current)


def test_a_change_that_the_system_hides_is_found_by_the_daily_look(published: Settings) -> None:
    change(published.published_file, 70_000)
    current = versions.current(published)
    assert current is not None
    # As if the disk itself had lost a bit: nothing that the system says of the file differs.
    verification.record(published, current, datetime.now(UTC))
    assert problems(published) == []
    age(published, hours=25)
    assert "does not match its checksum" in problems(published)[0]
    assert "does not match its checksum" in problems(published, full=True)[0]


def test_a_copy_elsewhere_is_read_once_and_then_known(published: Settings, tmp_path: Path) -> None:
    shutil.copytree(published.warehouse_dir, tmp_path / "elsewhere", symlinks=True)
    elsewhere = fake_warehouse.settings_of(tmp_path / "elsewhere")
    assert len(reads(elsewhere)) == 1
    assert reads(elsewhere) == []
    assert problems(elsewhere) == []
    # The current file is a copy there, no hard link; it is looked at as well.
    change(elsewhere.published_file, 70_000)
    assert problems(elsewhere) == [f"{elsewhere.published_file} does not match its checksum"]


@pytest.mark.parametrize("record", [None, "", "[]", '{"verified_at": "yesterday"}'])
def test_without_a_record_that_can_be_read_everything_is_read(
    published: Settings, record: str | None
) -> None:
    path = published.warehouse_dir / "verified.json"
    path.unlink()
    if record is not None:
        path.write_text(record)
    assert len(reads(published)) == 1
    assert reads(published) == []


def _remove_version(settings: Settings) -> None:
    shutil.rmtree(next((settings.published_dir / "versions").iterdir()))


def _remove_versions(settings: Settings) -> None:
    shutil.rmtree(settings.published_dir / "versions")


def _remove_database(settings: Settings) -> None:
    settings.published_file.unlink()


def _remove_manifest(settings: Settings) -> None:
    (settings.published_dir / "manifest.json").unlink()


def _remove_version_manifest(settings: Settings) -> None:
    next(settings.published_dir.glob("versions/*/manifest.json")).unlink()


def _remove_link(settings: Settings) -> None:
    (settings.published_dir / "parquet").unlink()


def _remove_all(settings: Settings) -> None:
    shutil.rmtree(settings.published_dir)


LOSSES = [
    _remove_version,
    _remove_versions,
    _remove_database,
    _remove_manifest,
    _remove_version_manifest,
    _remove_link,
    _remove_all,
]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__.strip("_"))
def test_whatever_is_lost_is_written_again(
    published: Settings, lose: Callable[[Settings], None]
) -> None:
    lose(published)
    current = versions.current_or_none(published)
    assert current is None or verification.problems(published, current)
    assert copies.are_due(published) == (current is not None)

    publishing.publish(published, run_id="again")

    assert problems(published, full=True) == []
    assert fake_warehouse.read_generations(published.published_file) == {0}
    assert fake_warehouse.leftovers(published) == []


@pytest.mark.parametrize("lose", [_remove_version, _remove_versions, _remove_all])
def test_copies_of_what_is_lost_say_what_to_do(
    published: Settings, lose: Callable[[Settings], None]
) -> None:
    lose(published)
    published.published_dir.mkdir(exist_ok=True)
    with pytest.raises(CopyError):
        write(published)


def test_a_folder_of_copies_without_a_file_is_enough(published: Settings) -> None:
    """Logs without a complete day, week or month give no report to copy."""
    current = versions.current(published)
    assert current is not None
    assert copies.are_due(published)
    for kind in (copies.REPORTS, copies.EXPORTS):
        (published.published_dir / kind / current.data_version).mkdir(parents=True)
    assert not copies.are_due(published)


def test_a_file_that_cannot_be_read_is_a_problem_and_no_crash(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> str:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("throughline.engine.files.sha256", fail)
    [problem] = problems(published, full=True)
    assert problem.endswith("cannot be read: Input/output error")


def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("WAREHOUSE_DIR", str(settings.warehouse_dir))
    return verification.main()


def test_the_command_names_each_fault_of_each_kept_version_and_its_status_says_so(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    former = versions.current(published)
    assert former is not None
    fake_warehouse.build(published, 1)
    publishing.publish(published, run_id="second")
    assert command(published, monkeypatch) == 0
    assert "matches its checksum" in capsys.readouterr().out

    damaged = published.published_dir / former.database
    change(damaged, 70_000)
    change(parquet(published), 100)
    assert command(published, monkeypatch) == 1
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith(str(damaged)) for line in said)
    assert any("2026-03-01.parquet does not match" in line for line in said)

    publishing.publish(published, run_id="third")
    damaged.unlink()
    shutil.rmtree(damaged.parent)
    assert command(published, monkeypatch) == 0


def test_the_command_says_when_nothing_is_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(settings, monkeypatch) == 1
    assert "run `make run`" in capsys.readouterr().err
