"""docs/landing.md is what the code reads, and its examples load as they stand.

Belongs here: the page and docs/examples. Does not belong here: the rules that the page shows.
"""

from __future__ import annotations

import pytest

from orchestration import landing_page
from throughline.landing import LOGS
from throughline.landing.checking import check_files
from throughline.landing.logs import Kind
from throughline.settings import load_settings


def test_the_landing_page_is_what_the_code_reads() -> None:
    page = landing_page.PAGE.read_text(encoding="utf-8")
    assert landing_page.updated(page, load_settings({})) == page, (
        "run `python -m orchestration.landing_page` and commit docs/landing.md"
    )


def test_a_page_without_its_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="put them back"):
        landing_page.updated("# Raw logs\n", load_settings({}))


def test_every_log_and_column_has_its_line_and_every_log_its_example() -> None:
    page = landing_page.PAGE.read_text(encoding="utf-8")
    for log in LOGS.values():
        section = page.partition(f"\n## {log.name}\n")[2].partition("\n## ")[0]
        for column in log.columns:
            [line] = [
                line
                for line in section.splitlines()
                if line.endswith(f"| {column.about} |") and f"`{column.name}`" in line
            ]
            assert ("required" in line) == column.required
        files = landing_page.examples(log)
        assert files
        assert all(path.read_text(encoding="utf-8").rstrip() in section for path in files)


def test_every_kind_of_value_that_is_converted_is_shown_as_landing_reads_it() -> None:
    shown = {LOGS[log].column(name).kind for log, name, _ in landing_page._SPELLINGS.values()}
    assert shown == set(Kind) - {Kind.CODE, Kind.TEXT}


def test_every_example_loads_without_a_rejected_row_or_an_unknown_name() -> None:
    found = check_files(load_settings({}), landing_page.EXAMPLES)
    assert found.is_clean
    assert {file.log for file in found.files} == set(LOGS)
    for file in found.files:
        assert file.rows_loaded > 0
        assert file.unknown_columns == {}
        assert (file.rows_repeated, file.rows_unlike_folder, file.placeholder_times) == (0, 0, 0)


def test_an_example_on_its_own_loads_as_well() -> None:
    for log in LOGS.values():
        for path in landing_page.examples(log):
            found = check_files(load_settings({}), path)
            assert [(file.log, file.rows_rejected) for file in found.files] == [(log.name, 0)]
