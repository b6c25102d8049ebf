"""What is written for Spark, and what it needs on a machine: without Spark.

Belongs here: files and sentences. Does not belong here: what Spark makes of them (tests/spark).
"""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import duckdb
import pytest
from harness import Pipeline, contact

from throughline.refreshing import builds
from throughline.settings import load_settings
from throughline.spark import exporting, requirements


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    made = Pipeline(
        tmp_path / "it's here",
        sources=[{"source": "acme", "time_zone": "Europe/Paris", "currency": ""}],
    )
    made.write("acme", "contacts", [contact("c1", 1), contact("c2", 2)])
    made.land()
    return made


def _exported(pipeline: Pipeline, table: str) -> list[tuple[object, ...]]:
    files = pipeline.settings.spark_dir / table / "*.parquet"
    with duckdb.connect() as connection:
        return connection.execute("from read_parquet($1)", [str(files)]).fetchall()


def test_each_load_is_written_once_whatever_comes_later(pipeline: Pipeline) -> None:
    settings = pipeline.settings
    assert exporting.export(settings) == 1
    [first] = (settings.spark_dir / "raw" / "contacts").glob("load_no=*.parquet")
    written = first.stat().st_mtime_ns
    pipeline.write("acme", "contacts", [contact("c3", 3)])
    pipeline.land()
    assert exporting.export(settings) == 1
    assert first.stat().st_mtime_ns == written
    assert len(_exported(pipeline, "raw/contacts")) == 3
    assert exporting.export(settings) == 0


def test_a_log_without_rows_has_its_columns_and_a_ledger_is_written_whole(
    pipeline: Pipeline,
) -> None:
    exporting.export(pipeline.settings)
    assert _exported(pipeline, "raw/transfers") == []
    assert len(_exported(pipeline, "raw/loads")) == 1
    assert not (pipeline.settings.spark_dir / "raw" / "landing_files").exists()


def test_another_load_under_the_same_number_takes_the_place_of_the_first(
    pipeline: Pipeline,
) -> None:
    """As in a warehouse that was made anew, or restored."""
    exporting.export(pipeline.settings)
    pipeline.settings.warehouse_file.unlink()
    for path in (pipeline.settings.landing_dir / "acme" / "contacts").iterdir():
        path.unlink()
    pipeline.write("acme", "contacts", [contact("other", 1)])
    pipeline.land()
    assert exporting.export(pipeline.settings) == 1
    assert [row[0] for row in _exported(pipeline, "raw/contacts")] == ["other"]


def test_a_file_that_was_begun_is_nobodys(pipeline: Pipeline) -> None:
    exporting.export(pipeline.settings)
    folder = pipeline.settings.spark_dir / "raw" / "contacts"
    (folder / "load_no=1.parquet").unlink()
    (folder / ".draft-1234").write_bytes(b"half")
    assert exporting.export(pipeline.settings) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "_exported.json",
        "load_no=1.parquet",
        "none.parquet",
    ]
    assert json.loads((folder / "_exported.json").read_bytes())["loads"].keys() == {"1"}


def test_the_registry_is_written_as_texts_with_the_columns_that_it_leaves_out(
    pipeline: Pipeline,
) -> None:
    exporting.export(pipeline.settings)
    [row] = _exported(pipeline, "registry/sources")
    assert row == ("acme", "Europe/Paris", None, None, None, None, None)


@pytest.fixture
def with_packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    there = {"dbt-spark": "1.11.0", "pyspark": "4.1.4"}

    def version(package: str) -> str:
        if package not in there:
            raise PackageNotFoundError(package)
        return there[package]

    monkeypatch.setattr(requirements, "version", version)
    return there


def _java(folder: Path, says: str) -> str:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return str(folder)


def test_spark_that_is_not_installed_is_said_with_the_command(
    with_packages: dict[str, str],
) -> None:
    del with_packages["pyspark"]
    with pytest.raises(requirements.SparkMissingError, match=r"pyspark.*run `make spark-setup`"):
        requirements.require(load_settings({"ENGINE": "spark"}))
    requirements.require(load_settings({"ENGINE": "duckdb"}))


@pytest.mark.usefixtures("with_packages")
def test_java_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(requirements.SparkMissingError, match="needs Java 17 or newer, and PATH"):
        requirements.require(load_settings({"ENGINE": "spark"}))


@pytest.mark.parametrize(
    ("says", "spark", "problem"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "4.1.4", ""),
        ('openjdk version "21" 2023-09-19', "4.1.4", ""),
        ('openjdk version "11.0.2" 2019-01-15', "4.1.4", "has Java 11"),
        ('openjdk version "11.0.2" 2019-01-15', "3.5.9", ""),
        ('java version "1.8.0_392"', "3.5.9", ""),
        ('java version "1.7.0_80"', "3.5.9", "needs Java 8 or newer.*has Java 7"),
        ("gij (GNU libgcj) version 4", "4.1.4", "no known version"),
    ],
)
def test_java_that_is_too_old_is_said(
    with_packages: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    spark: str,
    problem: str,
) -> None:
    with_packages["pyspark"] = spark
    monkeypatch.setenv("JAVA_HOME", _java(tmp_path, says))
    settings = load_settings({"ENGINE": "spark"})
    if not problem:
        requirements.require(settings)
        return
    with pytest.raises(requirements.SparkMissingError, match=problem):
        requirements.require(settings)


@pytest.mark.usefixtures("with_packages")
def test_a_folder_that_spark_cannot_name_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "a[b]"
    with pytest.raises(requirements.SparkMissingError, match=r"has '\[' in it.*choose a path"):
        requirements.require(load_settings({"ENGINE": "spark", "WAREHOUSE_DIR": str(folder)}))
    assert not os.path.lexists(folder)


def test_a_part_of_the_models_is_not_built_by_spark(pipeline: Pipeline) -> None:
    """What it would build on is gone with the last session."""
    settings = pipeline.settings.replaced(engine="spark")
    with pytest.raises(builds.PartError, match="select all of them"):
        builds.begin(settings, "run", everything=False, manifest=None)
    assert not (settings.warehouse_dir / "build.json").exists()
