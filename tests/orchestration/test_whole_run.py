"""`make run` on a copy of the repository, without a network: what it leaves, and what stops it.

The figures that come out are the golden tests' business.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from folders import make_settings, write_log

from throughline.published.copies import are_due
from throughline.settings import REPOSITORY, Settings

CONTACTS = """contact_id,started_at,ended_at,agent_id,agent_kind
1,2026-11-01T10:00:00Z,2026-11-01T10:05:00Z,bot,bot
2,2026-11-01T10:05:10Z,2026-11-01T10:15:00Z,anna,human
3,2026-02-30T10:00:00Z,,anna,human
2,2026-11-01T10:05:10Z,2026-11-01T10:15:00Z,anna,human
"""
TRANSFERS = "from_contact_id,to_contact_id,requested_at\n1,2,2026-11-01T10:05:00Z\n"
FAILING_TEST = "-- Finds a row, always.\nselect conversation_id from {{ ref('conversations') }}\n"


def without_network() -> list[str]:
    """A prefix under which a command has no network; empty where the kernel does not allow it."""
    prefix = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    return prefix if subprocess.run([*prefix, "true"], check=False).returncode == 0 else []


class Copy:
    """A copy of the repository, and one warehouse that its `make run` fills."""

    def __init__(self, home: Path) -> None:
        self.root = home / "repository"
        shutil.copytree(
            REPOSITORY,
            self.root,
            ignore=lambda folder, names: {
                name
                for name in names
                if name.startswith(".")
                or name in {"sample_logs", "target", "__pycache__"}
                or (name == "tests" and Path(folder) == REPOSITORY)
            },
        )
        self.settings: Settings = make_settings(home)
        self.prefix = without_network()

    def run(
        self, *, command: tuple[str, ...] = ("run",), **more: str
    ) -> subprocess.CompletedProcess[str]:
        """The command that `make` calls."""
        dead = "http://127.0.0.1:9"
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "orchestration", *command],
            cwd=self.root,
            env={
                **os.environ,
                **self.settings.environment(),
                **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), dead),
                **more,
            },
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def published(self) -> dict[str, Any]:
        """The manifest that readers see."""
        path = self.settings.published_dir / "manifest.json"
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    found = Copy(tmp_path_factory.mktemp("whole"))
    write_log(found.settings, "shop", "contacts", "a.csv", CONTACTS)
    write_log(found.settings, "shop", "transfers", "a.csv", TRANSFERS)
    write_log(found.settings, "shop", "kontacts", "a.csv", CONTACTS)
    return found


@pytest.fixture(scope="module")
def first(copy: Copy) -> subprocess.CompletedProcess[str]:
    done = copy.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def instance(copy: Copy, first: subprocess.CompletedProcess[str]) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(copy.settings.dagster_home)) as found:
        yield found


def test_a_run_says_what_it_does_and_no_more(first: subprocess.CompletedProcess[str]) -> None:
    assert "contacts: 1 new files" in first.stdout
    assert "1 rows rejected" in first.stdout
    assert len(first.stdout.splitlines()) < 100
    assert not first.stderr


def test_a_second_run_with_nothing_new_is_quick_and_changes_nothing(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    before = copy.published()
    begun = time.monotonic()
    again = copy.run()
    assert again.returncode == 0, again.stderr
    assert time.monotonic() - begun < 15
    assert "Nothing new" in again.stdout
    assert copy.published() == before


def test_a_run_ends_with_what_its_checks_warn_of_and_one_with_nothing_new_says_it_again(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    def warnings(said: str) -> str:
        block = said[said.index("\nWarnings: ") :]
        return block[: block.index("\n\n")]

    told = warnings(first.stdout)
    assert "checks warn, and stopped nothing:" in told
    assert "raw.contacts  rejected_rows: 1\n" in told
    assert "raw.contacts  unrecognised_files: 1\n    1 files belong to no log\n" in told
    assert warnings(copy.run().stdout) == told


def test_a_landing_zone_that_was_emptied_is_said_by_a_run_with_nothing_new(
    copy: Copy, first: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    done = copy.run(LANDING_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Warning: the landing zone {tmp_path} is empty, and files were loaded" in done.stdout
    assert "Nothing new" in done.stdout


def test_the_status_after_a_run_has_the_version_and_needs_nobody(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    done = copy.run(command=("status", "--json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found, manifest = json.loads(done.stdout), copy.published()
    assert found["attention"] == []
    assert found["version"]["data_version"] == manifest["data_version"]
    assert found["version"]["contacts"] == 2
    assert found["waiting"] == []
    assert found["last_run"]["failed"] is False
    assert sum(one["rows"] for one in found["rejected"]) == 1
    assert found["warnings"]


def test_sqlalchemy_reflects_every_published_column_with_its_comment(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    engine = sqlalchemy.create_engine(
        f"duckdb:///{copy.settings.published_file}", connect_args={"read_only": True}
    )
    inspector = sqlalchemy.inspect(engine)
    for model in copy.published()["models"]:
        found = inspector.get_columns(model["name"], schema=model["schema"])
        assert [column["name"] for column in found] == [
            column["name"] for column in model["columns"]
        ]
        assert [column["name"] for column in found if not column["comment"]] == []
    engine.dispose()


def test_the_build_is_the_work_of_the_dbt_that_read_the_project(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    [log] = copy.settings.dbt_target_dir.glob("warehouse-*/dbt.log")
    text = log.read_text(encoding="utf-8")
    assert "PASS" in text
    assert "artial parsing" not in text, "the project was read again"
    assert not list(copy.settings.warehouse_dir.glob("dbt/waiting"))
    assert not (copy.root / "dbt_project" / "target").exists(), "a run writes into no checkout"


def test_the_run_is_in_the_history_that_the_user_interface_shows(
    instance: dg.DagsterInstance,
) -> None:
    [run] = instance.get_runs()
    assert run.job_name == "refresh"
    assert run.status == dg.DagsterRunStatus.SUCCESS


def test_a_materialization_of_a_raw_log_says_what_was_loaded(instance: dg.DagsterInstance) -> None:
    event = instance.get_latest_materialization_event(dg.AssetKey(["raw", "contacts"]))
    assert event is not None
    assert event.asset_materialization is not None
    facts = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert facts["files"] == 1
    assert facts["rows"] == 3
    assert facts["rejected"] == 1
    assert facts["duplicates"] == 1
    assert facts["bytes"] == len(CONTACTS.encode())
    assert facts["seconds"] >= 0
    assert facts["dagster/row_count"] == 3
    names = [column.name for column in facts["dagster/column_schema"].columns]
    assert {"contact_id", "source", "row_id"} <= set(names)


def test_a_materialization_of_a_mart_has_its_row_count_and_columns(
    instance: dg.DagsterInstance,
) -> None:
    event = instance.get_latest_materialization_event(dg.AssetKey(["marts", "conversations"]))
    assert event is not None
    assert event.asset_materialization is not None
    facts = event.asset_materialization.metadata
    assert facts["dagster/row_count"].value == 1
    schema = facts["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert "conversation_id" in [column.name for column in schema.columns]


def _evaluation(instance: dg.DagsterInstance, asset: list[str], name: str) -> Any:
    [record] = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(asset), name), limit=1
    )
    assert record.event is not None
    assert record.event.dagster_event is not None
    return record.event.dagster_event.asset_check_evaluation_data


def test_bad_input_is_a_warning_with_sample_rows(instance: dg.DagsterInstance) -> None:
    rejected = _evaluation(instance, ["raw", "contacts"], "rejected_rows")
    assert not rejected.passed
    assert rejected.severity == dg.AssetCheckSeverity.WARN
    assert "2026-02-30" in str(rejected.metadata["sample"].value)

    unknown = _evaluation(instance, ["raw", "contacts"], "unrecognised_files")
    assert not unknown.passed
    assert "kontacts" in str(unknown.metadata["sample"].value)


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        (["raw", "contacts"], "nothing_lost"),
        (["raw", "contacts"], "freshness"),
        (["raw", "ratings"], "rejected_rows"),
        (["marts", "graph_quality"], "cycle"),
        (["marts", "graph_quality"], "rejected_link"),
    ],
)
def test_what_is_well_passes(instance: dg.DagsterInstance, asset: list[str], name: str) -> None:
    assert _evaluation(instance, asset, name).passed


def test_a_setting_that_cannot_be_used_ends_the_run_at_once(copy: Copy) -> None:
    done = copy.run(MEMORY_LIMIT="plenty")
    assert done.returncode == 2
    assert "MEMORY_LIMIT='plenty' is not a size" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_landing_zone_that_is_not_there_ends_the_run_at_once(copy: Copy, tmp_path: Path) -> None:
    done = copy.run(LANDING_DIR=str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_in_the_registry_ends_the_run_at_once(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    path = copy.settings.registry_dir / "sources.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good + "shop,Mars/Base,,,\n", encoding="utf-8")
    try:
        done = copy.run()
    finally:
        path.write_text(good, encoding="utf-8")
    assert done.returncode == 2
    assert "sources.csv, row 2, column time_zone: 'Mars/Base' is no time zone" in done.stderr


def test_a_published_file_that_changed_in_place_is_written_again_though_nothing_is_new(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    before = copy.published()
    [model] = [one for one in before["models"] if one["name"] == "contacts"]
    file = copy.settings.published_dir / model["parquet"]["files"][0]["path"]
    right = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(right[:-1] + b"?")
    done = copy.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Written again, because {file} does not match its checksum" in done.stdout
    assert file.read_bytes() == right
    assert copy.published()["data_version"] == before["data_version"]
    assert copy.published()["publication_no"] > before["publication_no"]


def test_a_failed_copy_fails_its_own_step_and_the_version_stands(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    published = copy.settings.published_dir
    before = (published / "manifest.json").read_bytes()
    shutil.rmtree(published / "exports")
    (published / "exports").write_text("in the way", encoding="utf-8")
    try:
        failed = copy.run()
    finally:
        (published / "exports").unlink()
    assert failed.returncode == 1
    assert "Step published__copies failed" in failed.stderr
    assert "The new version is published all the same" in failed.stderr
    assert (published / "manifest.json").read_bytes() == before
    again = copy.run()
    assert again.returncode == 0, again.stderr
    assert not are_due(copy.settings)
    assert (published / "exports" / "latest" / "contacts.csv").exists()


def test_a_blocking_check_that_fails_stops_the_publication_and_says_which(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    before = copy.published()
    check = copy.root / "dbt_project" / "tests" / "assert_that_fails.sql"
    check.write_text(FAILING_TEST, encoding="utf-8")
    try:
        failed = copy.run()
    finally:
        check.unlink()
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "assert_that_fails" in failed.stderr
    assert "last published version" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.splitlines()) < 20
    assert copy.published() == before
    with dg.DagsterInstance.from_config(str(copy.settings.dagster_home)) as instance:
        [latest] = instance.get_runs(limit=1)
        assert latest.status == dg.DagsterRunStatus.FAILURE
        publication = instance.get_latest_materialization_event(
            dg.AssetKey(["published", "throughline"])
        )
        assert publication is not None
        assert publication.run_id != latest.run_id
