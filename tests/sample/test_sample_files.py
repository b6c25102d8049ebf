"""The committed sample is what the generator writes, is small, and shows every format."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seeds.generator.__main__ import SAMPLE_DIR, main
from seeds.generator.sample import Sample, make_sample, truth_dir_of, write_sample
from seeds.generator.stories import Period
from seeds.generator.world import LOGS, SOURCES
from tests.sample.conftest import Committed, table
from tests.sample.landing_reader import content_of, records_of

SMALL = ("--conversations", "60", "--days", "20")


def files_below(folder: Path) -> dict[str, Path]:
    """Path inside the folder -> file."""
    return {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }


def same_tools(path: Path, content: bytes) -> bool:
    """Whether the tools that compressed both are the same, so that bytes can be compared.

    Parquet names its writer; a zlib of another family (zlib-ng) compresses otherwise.
    """
    if path.suffix == ".parquet":
        writer = pq.ParquetFile(path).metadata.created_by.encode()
        return writer in content
    return path.suffix != ".gz" or "ng" not in zlib.ZLIB_RUNTIME_VERSION


def test_the_committed_sample_is_what_the_generator_writes(remade: Sample, tmp_path: Path) -> None:
    write_sample(remade, tmp_path / "logs", tmp_path / "truth")
    for folder, made in (
        (SAMPLE_DIR, tmp_path / "logs"),
        (truth_dir_of(SAMPLE_DIR), tmp_path / "truth"),
    ):
        committed_files, made_files = files_below(folder), files_below(made)
        assert sorted(committed_files) == sorted(made_files), "run `make sample` and commit"
        for name, path in committed_files.items():
            again = made_files[name]
            if same_tools(path, again.read_bytes()):
                assert again.read_bytes() == path.read_bytes(), f"{name}: run `make sample`"
            elif path.suffix == ".parquet":
                assert pq.read_table(again).equals(pq.read_table(path)), name
            else:
                assert content_of(again) == content_of(path), name


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    period = Period(dt.date(2026, 9, 15), 30)
    first, second = make_sample(120, period, 5), make_sample(120, period, 5)
    assert first == second
    assert make_sample(120, period, 6) != first


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for name, environment in (("a", {"PYTHONHASHSEED": "1"}), ("b", {"TZ": "Asia/Tokyo"})):
        subprocess.run(
            [sys.executable, "-m", "seeds.generator", *SMALL, "--out", str(tmp_path / name)],
            cwd=SAMPLE_DIR.parent.parent,
            env=environment,
            check=True,
            capture_output=True,
        )
    one, other = files_below(tmp_path / "a"), files_below(tmp_path / "b")
    assert sorted(one) == sorted(other)
    assert all(one[name].read_bytes() == other[name].read_bytes() for name in one)


def test_the_committed_sample_is_small() -> None:
    sizes = [path.stat().st_size for path in files_below(SAMPLE_DIR).values()]
    assert sum(sizes) < 2_000_000
    assert max(sizes) < 1_000_000


def test_the_landing_zone_holds_logs_only_and_every_log_of_every_source() -> None:
    folders = {tuple(name.split("/")[:2]) for name in files_below(SAMPLE_DIR)}
    assert folders == {(source.name, log) for source in SOURCES for log in LOGS}


def test_every_format_is_there() -> None:
    names = files_below(SAMPLE_DIR)
    formats = Counter(name.split("/")[-1].split(".", 1)[1] for name in names)
    assert set(formats) >= {
        "csv",
        "csv.gz",
        "csv.zst",
        "jsonl",
        "jsonl.zst",
        "jsonl.gz",
        "ndjson",
        "json",
        "parquet",
    }
    contents = [content_of(path) for name, path in names.items() if ".csv" in name]
    assert any(content.startswith(b"\xef\xbb\xbf") for content in contents)
    assert any(b"\r\n" in content for content in contents)


def test_every_file_of_the_landing_zone_holds_the_rows_that_the_truth_lists() -> None:
    listed = {
        row["path"]: int(row["rows"]) for row in table(truth_dir_of(SAMPLE_DIR) / "files.csv")
    }
    assert {name: len(records_of(path)) for name, path in files_below(SAMPLE_DIR).items()} == listed


def test_parquet_holds_utc_timestamps_and_text_ids() -> None:
    path = next(SAMPLE_DIR.glob("bluewing_travel/contacts/*.parquet"))
    columns = {column.name: column for column in pq.ParquetFile(path).schema}
    assert json.loads(columns["started_at"].logical_type.to_json())["isAdjustedToUTC"]
    assert columns["contact_id"].logical_type.type == "STRING"


def test_no_parquet_or_gzip_file_holds_the_time_at_which_it_was_made() -> None:
    for name, path in files_below(SAMPLE_DIR).items():
        if name.endswith(".gz"):
            assert path.read_bytes()[4:8] == b"\0\0\0\0"


def test_the_registry_rows_are_those_of_the_generators_world(committed: Committed) -> None:
    for source in SOURCES:
        row = committed.sources[source.name]
        assert row["time_zone"] == source.time_zone
        assert row["currency"] == source.currency
        assert row["reject_visitor_mismatch"] == str(source.reject_visitor_mismatch).lower()
        assert row["max_gap_days"] == str(source.max_gap_days or "")
        listed = [
            (row["project_id"], row["project_name"], row["time_zone"], row["currency"])
            for row in committed.projects
            if row["source"] == source.name
        ]
        assert listed == [
            (project.project_id, project.name, project.time_zone, project.currency)
            for project in source.projects
        ]


def test_bad_rows_come_only_when_asked_for(tmp_path: Path) -> None:
    arguments = [*SMALL, "--out", str(tmp_path / "logs")]
    assert main([*arguments, "--with-bad-rows"]) == 0
    last = sorted(tmp_path.glob("logs/maison_lumiere/contacts/*.csv"))[-1]
    with_bad = last.read_text().splitlines()
    assert main(arguments) == 0
    without = last.read_text().splitlines()
    assert with_bad[: len(without)] == without
    assert len(with_bad) == len(without) + 4
    assert {line.count(",") for line in with_bad[-4:]} == {without[0].count(",")}


def test_a_second_sample_replaces_the_first_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    out = tmp_path / "logs"
    main([*SMALL, "--out", str(out)])
    before = set(files_below(out))
    main(["--conversations", "60", "--days", "8", "--out", str(out)])
    main(["--conversations", "60", "--days", "8", "--out", str(tmp_path / "fresh")])
    assert set(files_below(out)) == set(files_below(tmp_path / "fresh"))
    assert before - set(files_below(out))


@pytest.mark.parametrize(
    ("first_day", "days"),
    [("2026-10-25", 1), ("2026-03-29", 1), ("2026-10-31", 2), ("2026-12-28", 9), ("2028-02-27", 4)],
)
def test_a_sample_of_any_period_can_be_made(first_day: str, days: int) -> None:
    sample = make_sample(75, Period(dt.date.fromisoformat(first_day), days), 3)
    assert sum(file.rows for file in sample.logs) > 75


def test_files_that_the_generator_did_not_write_are_never_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "logs" / "harbor_telecom" / "contacts" / "mine.csv"
    own.parent.mkdir(parents=True)
    own.write_text("contact_id,started_at\n")
    assert main([*SMALL, "--out", str(tmp_path / "logs")]) == 1
    assert "mine.csv was not written by the generator" in capsys.readouterr().err
    assert own.read_text() == "contact_id,started_at\n"
    assert list(files_below(tmp_path)) == ["logs/harbor_telecom/contacts/mine.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conversations", "10"], "give --out"),
        (["--with-bad-rows"], "give --out"),
        (["--seed", "1"], "give --out"),
        (["--contacts", "10"], "needs --out"),
        (["--contacts", "1", "--out", "x"], "too small"),
        (["--contacts", "many", "--out", "x"], "not a whole number"),
        (["--shape", "star", "--out", "x"], "add --contacts"),
        (["--messages-per-contact", "3", "--out", "x"], "add --contacts"),
        (["--contacts", "9", "--conversations", "9", "--out", "x"], "belong to the sample"),
        (
            ["--contacts", "9", "--shape", "star", "--messages-per-contact", "1", "--out", "x"],
            "makes no messages",
        ),
        (["--contacts", "9", "--source", "Ünfit", "--out", "x"], "use a-z"),
        (["--first-day", "2026-02-30", "--out", "x"], "not a day"),
        (["--days", "0", "--out", "x"], "too small"),
    ],
)
def test_arguments_that_cannot_mean_anything_are_refused_with_a_reason(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
