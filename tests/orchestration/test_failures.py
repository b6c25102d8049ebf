"""What a run says and does when a disk, a folder, a file or a process fails it.

Whole runs that are killed, or that fill a disk, are test_kills' business.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from folders import make_settings, write_log

from orchestration import run
from orchestration.defs import checks, shared
from throughline import engine, landing
from throughline.building import (
    command,
    concerns,
    fingerprints,
    mending,
    process,
    state,
    tables,
    waiting,
)
from throughline.building.manifest import (
    MANIFESTS,
    damaged_manifests,
    ensure_manifest,
    read_manifest,
)
from throughline.building.report import BuildError, Report
from throughline.engine import remedies
from throughline.landing import arrivals, database
from throughline.published import copies
from throughline.published import manifest as versions
from throughline.publishing import space
from throughline.settings import REPOSITORY, SettingError, Settings, load_settings

CONTACTS = "contact_id,started_at\n1,2026-11-01T10:00:00Z\n"
OPENING = """
import sys, time
import duckdb

connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(120)
"""


def _main(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    """The command, in this process."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        return run.main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _load(settings: Settings) -> None:
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        for log in landing.LOGS:
            landing.land_log(connection, settings, log, run_id="test")


def _damage(path: Path, how: str) -> None:
    """Damage a DuckDB file as a disk or a copy would."""
    if not path.exists():
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table t as select md5(range::varchar) from range(100000)")
    size = path.stat().st_size
    if how == "cut off":
        os.truncate(path, size // 2)
    elif how == "empty":
        os.truncate(path, 0)
    else:
        with path.open("r+b") as file:
            file.seek({"overwritten at its head": 0, "overwritten behind it": 4096}[how])
            file.write(b"no database at all" * 500)


DAMAGES = ("cut off", "empty", "overwritten at its head", "overwritten behind it")


# --- a folder, a disk -----------------------------------------------------------------------------


def test_a_warehouse_folder_that_is_impossible_ends_the_run_with_its_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.warehouse_dir.write_text("a file where a folder should be", encoding="utf-8")
    impossible = make_settings(
        settings.warehouse_dir.parent, WAREHOUSE_DIR=str(settings.warehouse_dir / "below it")
    )
    assert _main(impossible, monkeypatch) == run.CANNOT_START
    said = capsys.readouterr().err
    assert f"WAREHOUSE_DIR='{impossible.warehouse_dir}' cannot be written (Not a dir" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (errno.EROFS, run.CANNOT_START, "cannot be written (Read-only file system)"),
        (errno.EACCES, run.CANNOT_START, "cannot be written (Permission denied)"),
        (errno.ENOSPC, run.FAILED, "is full. Make room"),
    ],
)
def test_a_warehouse_folder_that_takes_nothing_is_said_before_anything_else(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    status: int,
    said: str,
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    settings.warehouse_dir.mkdir()
    monkeypatch.setattr(run.tempfile, "TemporaryFile", refuse)
    # Nor can the story of the failure be written then.
    monkeypatch.setattr(Path, "write_text", refuse)
    assert _main(settings, monkeypatch) == status
    errors = capsys.readouterr().err
    assert said in errors
    assert str(settings.warehouse_dir) in errors


def test_a_crash_whose_story_cannot_be_written_tells_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    settings.warehouse_dir.mkdir()
    (settings.warehouse_dir / "logs").write_text("a file where a folder should be")
    monkeypatch.setattr(run, "run", crash)
    assert _main(settings, monkeypatch) == run.FAILED
    errors = capsys.readouterr().err
    assert "RuntimeError: nobody foresaw this" in errors
    assert "The whole story cannot be written" in errors
    assert "in crash" in errors, "the traceback"


@pytest.mark.parametrize(
    "failure",
    [
        "OSError: [Errno 28] No space left on device: 'x'",
        'IO Error: Could not write file "warehouse.duckdb": No space left on device',
        "[Errno 122] Disk quota exceeded",
    ],
)
def test_a_full_disk_is_said_with_what_makes_room(settings: Settings, failure: str) -> None:
    remedy = remedies.of(settings, failure)
    assert remedy is not None
    assert str(settings.warehouse_dir) in remedy
    assert "PUBLISHED_VERSIONS=3" in remedy
    assert remedies.of(settings, "check assert_that_fails found 3 rows") is None


def test_a_disk_that_is_full_is_named_whatever_the_failure_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.warehouse_dir.mkdir()
    usage = shutil.disk_usage(settings.warehouse_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    remedy = remedies.of(settings, "(sqlite3.OperationalError) disk I/O error")
    assert remedy is not None
    assert "is full. Make room" in remedy


def test_little_room_is_said_before_a_run_against_what_the_last_one_took(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.warehouse_dir.mkdir()
    assert space.warning(settings) is None, "nothing is published yet"
    version = settings.published_dir / "versions" / "v1"
    exports = settings.published_dir / copies.EXPORTS / "v1"
    for folder, size in ((version, 3_000_000), (exports, 2_000_000)):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
    settings.outgoing_file.touch()

    class Current:
        data_version = "v1"
        database_bytes = 3_000_000

    monkeypatch.setattr(versions, "current_or_none", lambda _: Current)
    room = {"free": 6_000_000}
    usage = shutil.disk_usage(settings.warehouse_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=room["free"]))
    assert space.warning(settings) is None
    room["free"] = 4_000_000
    assert space.warning(settings) == (
        "4 MB are free and the last run's publication took 5 MB: this run may fail. "
        + remedies.room(settings)
    )
    # What dbt builds needs room as well where it does not take the place of what it built before.
    room["free"] = 6_000_000
    settings.outgoing_file.unlink()
    assert "took 8 MB" in str(space.warning(settings))


# --- a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_warehouse_says_what_to_do(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    settings.warehouse_dir.mkdir()
    _damage(settings.warehouse_file, how)
    before = settings.warehouse_file.read_bytes()
    assert _main(settings, monkeypatch) == run.FAILED
    errors = capsys.readouterr().err
    assert f"{settings.warehouse_file} is damaged. Restore" in errors
    assert "move the file away and run again" in errors
    assert str(settings.landing_dir) in errors
    assert "Traceback" not in errors
    assert settings.warehouse_file.read_bytes() == before, "it is left for whoever mends it"


def test_damage_that_a_step_finds_says_the_same(settings: Settings) -> None:
    found = "Corrupt database file: computed checksum 1 does not match stored checksum 2 in block"
    assert remedies.of(settings, f"Step raw failed:\n    {found}") == remedies.damaged(settings)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_of_public_models_goes_with_one_line_and_is_built_again(
    settings: Settings, how: str
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    state.write(settings, state.BuildState(state.Basis("code", 1, ""), "run", published=True))
    assert state.read(settings) is not None
    _damage(settings.outgoing_file, how)
    assert mending.mend(settings) == ["outgoing.duckdb was damaged: it is built again"]
    assert not settings.outgoing_file.exists()
    assert state.read(settings) is None, "nothing new, it would be said otherwise"
    assert mending.mend(settings) == []
    assert not arrivals.anything_new(settings), "what is loaded stays loaded"


def test_a_sound_file_of_public_models_stays(settings: Settings) -> None:
    settings.warehouse_dir.mkdir()
    duckdb.connect(str(settings.outgoing_file)).close()
    assert mending.mend(settings) == []
    assert settings.outgoing_file.exists()


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("content", ["", '{"nodes": {', "[]", "\0\0\0"])
def test_what_dbt_has_read_is_read_again_where_it_is_damaged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    asked = []

    def parse(_: Settings, arguments: Any, target: Path, **__: Any) -> subprocess.Popen[bytes]:
        asked.append(arguments)
        target.mkdir(parents=True, exist_ok=True)
        for one in MANIFESTS:
            (target / one).write_text('{"nodes": {}}', encoding="utf-8")
        return subprocess.Popen(["true"], stdout=subprocess.PIPE)

    monkeypatch.setattr(process, "start", parse)
    ensure_manifest(settings)
    (settings.dbt_target_dir / name).write_text(content, encoding="utf-8")
    assert mending.mend(settings) == [f"dbt's {name} could not be read: dbt writes it again"]
    manifest = ensure_manifest(settings)
    assert len(asked) == 2
    assert json.loads(manifest.read_bytes()) == {"nodes": {}}
    assert damaged_manifests(manifest.parent) == []
    # Dagster loads it without having looked for damage.
    (settings.dbt_target_dir / name).write_text(content, encoding="utf-8")
    assert read_manifest(settings) == {"nodes": {}}


# --- a file that another program has open ---------------------------------------------------------


@pytest.fixture
def held(settings: Settings) -> Any:
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", OPENING, str(settings.warehouse_file)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "open"
    yield
    process.kill()
    process.wait()
    process.stdout.close()


ADVICE = ("read-only", "read_only", "duckdb.org")


def _is_ours(text: str, settings: Settings) -> None:
    assert f"Another program has {settings.warehouse_file} open:" in text
    assert f"point it to the published file instead: {settings.published_file}" in text
    assert not any(word in text.lower() for word in ADVICE), text


@pytest.mark.parametrize("opened_by", ["the pipeline", "a reader of the marts", "landing"])
def test_a_held_file_is_told_of_in_our_words_wherever_it_is_opened(
    settings: Settings, held: None, monkeypatch: pytest.MonkeyPatch, opened_by: str
) -> None:
    monkeypatch.setattr(database, "LOCK_PATIENCE_SECONDS", 0)
    ways = {
        "the pipeline": lambda: engine.connect(settings, settings.warehouse_file),
        "a reader of the marts": lambda: tables.connect_read_only(settings),
        "landing": lambda: landing.connect(settings),
    }
    with pytest.raises((duckdb.IOException, landing.LandingError)) as caught:
        ways[opened_by]()
    text = str(caught.value)
    assert str(settings.published_file) in text
    assert not any(word in text.lower() for word in ADVICE), text


@pytest.mark.parametrize("opened_by", ["landing", "a statement of its own"])
def test_the_last_of_the_tries_of_a_step_tells_it_in_our_words(
    settings: Settings, held: None, monkeypatch: pytest.MonkeyPatch, opened_by: str
) -> None:
    monkeypatch.setattr(database, "LOCK_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(shared, "RETRIES", 1)
    monkeypatch.setattr(shared, "RETRY_SECONDS", 0)
    tried = []

    @dg.asset
    def opens() -> None:
        tried.append(1)
        with shared.sole_user(settings, "a-run"):
            if opened_by == "landing":
                landing.connect(settings)
            # As a statement opens a second file: not by the one way that opens connections.
            duckdb.connect(str(settings.warehouse_file)).close()

    result = dg.materialize([opens], raise_on_error=False)
    assert len(tried) == 2
    [problem] = run.problems(result.all_events)
    assert problem.startswith("Step opens failed:")
    assert str(settings.published_file) in problem
    assert not any(word in problem.lower() for word in ADVICE), problem


def test_what_dbt_says_of_a_held_file_is_said_in_our_words(settings: Settings, held: None) -> None:
    with pytest.raises(duckdb.IOException) as caught:
        duckdb.connect(str(settings.warehouse_file))
    target = settings.dbt_target_dir
    target.mkdir(parents=True)
    report = Report(errors=[f"Runtime Error\n  {caught.value}"])
    error = BuildError(report.failures(settings, target, 2))
    assert error.is_lock_conflict
    _is_ours(str(error), settings)


# --- a process ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_dbt_that_was_killed_is_said_to_be_with_the_signal(
    settings: Settings, number: signal.Signals
) -> None:
    failures = Report().failures(settings, settings.dbt_target_dir, -number)
    assert len(failures) == 1
    assert f"killed by {number.name}" in failures[0]
    assert ("MEMORY_LIMIT" in failures[0]) == (number == signal.SIGKILL)


def test_a_dbt_that_ends_without_a_word_is_said_to_with_its_status(settings: Settings) -> None:
    failures = Report().failures(settings, settings.dbt_target_dir, 3)
    assert failures == ["dbt ended without a word, with status 3"]


def test_a_dbt_that_was_killed_while_it_waited_or_worked_is_told_from_one_that_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(_: Settings, arguments: Any, target: Path, **__: Any) -> subprocess.Popen[bytes]:
        target.mkdir(parents=True, exist_ok=True)
        for one in MANIFESTS:
            (target / one).write_text("{}", encoding="utf-8")
        code = f"import time; print({command.READY!r}, flush=True); time.sleep(60)"
        words = [sys.executable, "-c", code]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr(process, "start", start)
    monkeypatch.setattr(fingerprints, "dbt_fingerprint", lambda _: "fingerprint")
    beside: list[bool] = []
    with waiting.dbt_waiting(settings, lambda: beside.append(started[0].poll() is None)):
        assert beside == [True], "the caller has its own start while dbt reads the project"
        started[0].kill()
        # What the command gives that handed itself over, and knows no more.
        failures = Report().failures(settings, settings.dbt_target_dir, 2)
    assert len(failures) == 1
    assert "killed by SIGKILL" in failures[0]


# --- the landing zone -----------------------------------------------------------------------------


def test_a_landing_zone_that_held_files_and_is_empty_is_a_warning(settings: Settings) -> None:
    assert arrivals.emptied(settings) is None, "it never held any"
    path = write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    assert arrivals.emptied(settings) is None
    path.unlink()
    warning = arrivals.emptied(settings)
    assert warning is not None
    assert str(settings.landing_dir) in warning
    assert "mounted" in warning
    # The check asks while it has the warehouse open, with the public models beside it.
    duckdb.connect(str(settings.outgoing_file)).close()
    with tables.connect_read_only(settings) as connection:
        finding = checks._raw_finding(connection, settings, "contacts", checks.EMPTIED)
    assert (finding.count, finding.message) == (1, warning)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LANDING_DIR", "s3://bucket/logs", "an address of the scheme s3: none is supported"),
        ("WAREHOUSE_DIR", "gs://bucket/w", "an address of the scheme gs: none is supported"),
        ("REGISTRY_DIR", "https://host/x", "an address of the scheme https: none is supported"),
        ("LANDING_DIR", "file:///logs", "an address of the scheme file: none is supported"),
        ("WAREHOUSE_DIR", "/data/a b#c", "has '#' in it"),
        ("WAREHOUSE_DIR", "/data/p%20q", "has '%' in it"),
        ("WAREHOUSE_DIR", "/data/x?y", "has '?' in it"),
    ],
)
def test_a_path_that_cannot_be_used_is_named_with_its_setting(
    name: str, value: str, said: str
) -> None:
    with pytest.raises(SettingError, match=rf"^{name}=") as caught:
        load_settings({name: value})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "value", ["/data/a b", "/data/it's", "/data/é", "/data/$a;[b]*{c}&", "c:x"]
)
def test_any_other_name_of_a_folder_is_taken(value: str) -> None:
    assert load_settings({"WAREHOUSE_DIR": value}).warehouse_dir == Path(value).resolve()
    assert load_settings({"LANDING_DIR": f"{value}#?%"}).landing_dir.name.endswith("#?%")


# --- what checks warn of --------------------------------------------------------------------------


def _results(**passed: bool) -> list[dg.AssetCheckResult]:
    return [
        dg.AssetCheckResult(
            asset_key=["raw", "contacts"],
            check_name=name,
            passed=holds,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"found": 0 if holds else 3},
        )
        for name, holds in passed.items()
    ]


def _keep(settings: Settings, results: list[dg.AssetCheckResult], *, complete: bool) -> None:
    specs = [
        dg.AssetCheckSpec(name, asset=["raw", "contacts"], description=f"What {name} says.")
        for name in ("one", "two", "three")
    ]
    shared.keep_warnings(settings, "raw_checks", results, specs=specs, complete=complete)


def test_warnings_are_kept_until_their_check_passes(settings: Settings) -> None:
    def names() -> list[str]:
        return [concern.check for concern in concerns.read(settings)]

    assert names() == []
    _keep(settings, _results(one=False, two=False, three=True), complete=True)
    assert names() == ["one", "two"]
    assert concerns.read(settings)[0] == concerns.Concern(
        "raw.contacts", "one", 3, "What one says."
    )
    # A check that is run alone says nothing of the others.
    _keep(settings, _results(one=True), complete=False)
    assert names() == ["two"]
    # One that is gone from the code is forgotten when all are run.
    _keep(settings, _results(one=True), complete=True)
    assert names() == []
    (settings.warehouse_dir / "warnings.json").write_text("{damaged", encoding="utf-8")
    assert names() == []


def test_a_check_that_blocks_is_no_warning(settings: Settings) -> None:
    failed = dg.AssetCheckResult(asset_key=["raw", "contacts"], check_name="one", passed=False)
    _keep(settings, [failed], complete=True)
    assert concerns.read(settings) == []
