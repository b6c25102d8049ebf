"""The registry is checked before a build, and each fault names its place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import REGISTRY
from harness import Pipeline

from throughline.building import fingerprints
from throughline.landing import registry
from throughline.settings import Settings

SOURCES, PROJECTS = REGISTRY["sources.csv"], REGISTRY["projects.csv"]
# A column that a registry of an earlier version has not got.
WAITING = SOURCES.replace("\n", ",waiting_days\n")

NUMERIC = SOURCES.replace("\n", ",numeric_ids\n")

FAULTS = [
    ("sources.csv", SOURCES + "Shop,,,,\n", 2, "source", "use only a-z"),
    ("sources.csv", SOURCES + "shop,Paris,,,\n", 2, "time_zone", "IANA name such as Europe/Paris"),
    ("sources.csv", SOURCES + "shop,,euro,,\n", 2, "currency", "three capital letters"),
    ("sources.csv", SOURCES + "shop,,,yes,\n", 2, "reject_visitor_mismatch", "true nor false"),
    ("sources.csv", SOURCES + "shop,,,,1.5\n", 2, "max_gap_days", "whole number"),
    ("sources.csv", SOURCES + "shop,,,,-3\n", 2, "max_gap_days", "whole number"),
    ("sources.csv", WAITING + "shop,,,,,-1\n", 2, "waiting_days", "leave it empty for 7"),
    ("sources.csv", WAITING + "shop,,,,,a week\n", 2, "waiting_days", "leave it empty for 7"),
    ("sources.csv", NUMERIC + "shop,,,,,yes\n", 2, "numeric_ids", "true nor false"),
    ("sources.csv", "source," + SOURCES + "shop,,,,,\n", 1, "*", "make it 'source,time_zone"),
    ("sources.csv", SOURCES + "shop,,,,\nshop,,,,\n", 3, "source", "stands in row 2 already"),
    ("sources.csv", SOURCES + "shop,,,\n", 2, "*", "4 values for 5 columns"),
    ("sources.csv", "source,zone\n", 1, "*", "make it 'source,time_zone"),
    ("sources.csv", "", 1, "*", "make it 'source,time_zone"),
    ("projects.csv", PROJECTS + "shop,,Shop,,\n", 2, "project_id", "is empty"),
    ("projects.csv", PROJECTS + "shop,1,,Mars/Base,\n", 2, "time_zone", "IANA name"),
    ("projects.csv", PROJECTS + "shop,1,,,\nshop,1,,,\n", 3, "project_id", "shop / 1"),
]


@pytest.mark.parametrize(("file", "text", "row", "column", "message"), FAULTS)
def test_a_fault_in_the_registry_names_file_row_column_and_remedy(
    settings: Settings, file: str, text: str, row: int, column: str, message: str
) -> None:
    (settings.registry_dir / file).write_text(text, encoding="utf-8")
    with pytest.raises(registry.RegistryError) as caught:
        registry.validate(settings)
    [fault] = caught.value.faults
    assert fault.file.endswith(file)
    assert (fault.row, fault.column) == (row, column)
    assert message in fault.message
    assert f"{file}, row {row}, column {column}: " in str(caught.value)


def test_all_faults_are_named_at_once(settings: Settings) -> None:
    (settings.registry_dir / "sources.csv").write_text(
        SOURCES + "Shop,Paris,euro,yes,x\n", encoding="utf-8"
    )
    (settings.registry_dir / "projects.csv").unlink()
    with pytest.raises(registry.RegistryError) as caught:
        registry.validate(settings)
    assert len(caught.value.faults) == 6


def test_a_registry_of_another_encoding_is_refused(settings: Settings) -> None:
    (settings.registry_dir / "projects.csv").write_bytes(
        PROJECTS.encode() + "shop,1,Café,,\n".encode("latin-1")
    )
    with pytest.raises(registry.RegistryError, match="save it as CSV in UTF-8"):
        registry.validate(settings)


def test_a_good_registry_passes_with_quotes_a_byte_order_mark_and_any_order_of_columns(
    settings: Settings,
) -> None:
    (settings.registry_dir / "sources.csv").write_bytes(
        b"\xef\xbb\xbftime_zone,source,currency,max_gap_days,reject_visitor_mismatch\r\n"
        b'Europe/Paris,shop,EUR,30,true\r\n\r\n"",other,,,\r\n'
    )
    (settings.registry_dir / "projects.csv").write_text(
        PROJECTS + 'shop,0044,"Shop, Paris",America/New_York,USD\n', encoding="utf-8"
    )
    registry.validate(settings)


def test_a_registry_may_leave_out_the_columns_that_came_later(settings: Settings) -> None:
    for text in (SOURCES + "shop,,,,\n", WAITING + "shop,,,,,\nbank,,,,,14\n"):
        (settings.registry_dir / "sources.csv").write_text(text, encoding="utf-8")
        registry.validate(settings)


def test_the_fingerprint_follows_the_registry_and_the_settings_that_count(
    settings: Settings,
) -> None:
    before = fingerprints.fingerprint(settings)
    assert fingerprints.fingerprint(settings) == before
    assert fingerprints.fingerprint(settings.replaced(threads=7, memory_limit="2GB")) == before
    assert fingerprints.fingerprint(settings.replaced(oversized_contacts=7)) != before
    (settings.registry_dir / "sources.csv").write_text(SOURCES + "shop,,,,\n", encoding="utf-8")
    assert fingerprints.fingerprint(settings) != before


def test_what_dbt_parses_does_not_follow_the_registry(
    settings: Settings,
) -> None:
    before = fingerprints.dbt_fingerprint(settings)
    (settings.registry_dir / "sources.csv").write_text(SOURCES + "shop,,,,\n", encoding="utf-8")
    assert fingerprints.dbt_fingerprint(settings) == before
    assert fingerprints.dbt_fingerprint(settings.replaced(unit_tests=True)) != before


def test_a_build_reads_the_registry_by_the_names_of_its_columns_and_not_by_their_places(
    tmp_path: Path,
) -> None:
    pipeline = Pipeline(tmp_path, sources=[{"source": "shop", "max_gap_days": "9"}])
    pipeline.land()
    read = "select source, max_gap_days, waiting_days from staging.stg_registry__sources"
    found = []
    for text in (
        # Without the column that came later, with it and in another order, and without it again.
        None,
        "waiting_days,max_gap_days,source,time_zone,currency,reject_visitor_mismatch\n3,9,shop,,,\n",
        SOURCES + "shop,,,,9\n",
    ):
        if text:
            path = pipeline.settings.registry_dir / "sources.csv"
            path.write_text(text, encoding="utf-8")
        pipeline.build(select=["stg_registry__sources"])
        found += [(row["max_gap_days"], row["waiting_days"]) for row in pipeline.query(read)]
    assert found == [(9, None), (9, 3), (9, None)]
