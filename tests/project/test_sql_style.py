"""What a model may be written in: SQL that a second engine reads, and little Jinja.

Belongs here: words that may not stand in SQL, and how files open. Does not belong here: layout,
which the SQL linter judges.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from project_files import DBT_PROJECT, sql_files

ENGINES = DBT_PROJECT / "macros/engine"
OTHER_MACROS = sorted(DBT_PROJECT.glob("macros/*.sql"))

# The same rows must give the same marts whenever they are built.
CLOCKS_AND_CHANCE = r"""
    current_timestamp | current_date | current_time | localtimestamp | getdate\( | now\( | today\(
    | run_started_at | random\( | rand\( | uuid\( | gen_random_uuid
"""
# Spelled differently elsewhere, or not there at all. macros/engine is the one place for them.
ONE_ENGINE_ONLY = r"""
    :: | \bqualify\b | \basof\b | \busing\s+key\b | \bilike\b | \bsemi\s+join\b | \banti\s+join\b
    | \bignore\s+nulls\b | \bfilter\s*\( | \bexclude\s*\( | \bgroup\s+by\s+all\b
    | \border\s+by\s+all\b | \bwith\s+recursive\b | \bpivot\b | \bunpivot\b | \bdistinct\s+on\b
    | \bepoch_\w*\( | \bepoch\( | \bto_timestamp\( | \bstrftime\( | \bstrptime\( | \bdate_diff\(
    | \bdatediff\( | \bdate_part\( | \bdate_trunc\( | \btimezone\( | \bage\( | \bat\s+time\s+zone\b
    | \barg_m(?:in|ax)\( | \bm(?:in|ax)_by\( | \bany_value\( | \bquantile\w*\( | \bpercentile\w*\(
    | \bmedian\( | \bmode\( | \blist\( | \blist_\w+\( | \barray\w*\( | \bcollect_\w+\( | \bunnest\(
    | \bexplode\( | \bgenerate_series\( | \bstring_agg\( | \blistagg\( | \bgroup_concat\(
    | \bregexp_\w+\( | \bjson\w*\( | \bto_json\( | \bget_json_object\( | \bstruct_\w+\( | \bmap\(
    | \bhash\( | \bxxhash64\( | \bread_\w+\( | \btry_cast\( | \bhugeint\b | \bubigint\b
"""
# What Jinja is for: refs and keys, types and dates that dbt spells for each engine, our own macros.
FROM_DBT = {
    "config", "ref", "source", "var",
    "dbt.type_string", "dbt.date_trunc", "dbt.dateadd", "dbt.generate_series",
}  # fmt: skip


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![.\w])(?:{pattern})", re.VERBOSE | re.IGNORECASE)


def _code(path: Path) -> str:
    """The SQL without its comments."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"--.*", "", text)


def _own_macros() -> set[str]:
    return {
        name
        for path in DBT_PROJECT.glob("macros/**/*.sql")
        for name in re.findall(r"\{%-?\s*macro (\w+)\(", path.read_text(encoding="utf-8"))
    }


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", sql_files(), ids=_name)
def test_sql_knows_neither_the_time_nor_chance(path: Path) -> None:
    assert _words(CLOCKS_AND_CHANCE).findall(_code(path)) == []


@pytest.mark.parametrize("path", [*sql_files(), *OTHER_MACROS], ids=_name)
def test_sql_of_one_engine_stands_in_one_file(path: Path) -> None:
    found = _words(ONE_ENGINE_ONLY).findall(_code(path))
    assert [word for word in found if word.removesuffix("(") not in _own_macros()] == []


def _macros(file: str) -> set[str]:
    text = (ENGINES / file).read_text(encoding="utf-8")
    return set(re.findall(r"\{%-?\s*macro (\w+)\(", text))


def test_each_engine_has_a_variant_of_each_macro_and_without_one_its_name_is_said() -> None:
    text = (ENGINES / "dispatch.sql").read_text(encoding="utf-8")
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", text))
    assert dispatched
    for engine in ("duckdb", "spark"):
        assert {f"{engine}__{name}" for name in dispatched} - _macros(f"{engine}.sql") == set()
    for name in dispatched:
        assert f"{{{{ lacks_variant('{name}') }}}}" in text, name
    assert len(re.findall(r"macro default__", text)) == len(dispatched)
    defaults = {
        path.name
        for path in DBT_PROJECT.glob("macros/**/*.sql")
        if "macro default__" in path.read_text(encoding="utf-8")
    }
    assert defaults == {"dispatch.sql"}


@pytest.mark.parametrize("path", [*sql_files(), *OTHER_MACROS], ids=_name)
def test_no_model_asks_which_engine_it_runs_on(path: Path) -> None:
    asked = re.findall(r"target\.(?:type|name)|'ENGINE'|adapter\.type\(", _code(path))
    assert asked == []


@pytest.mark.parametrize("path", sql_files(), ids=_name)
def test_identifiers_need_no_quotes(path: Path) -> None:
    outside_jinja = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", _code(path), flags=re.DOTALL)
    assert re.findall(r'"[^"]*"|`[^`]*`', outside_jinja) == []


@pytest.mark.parametrize("path", sorted(DBT_PROJECT.glob("models/**/*.sql")), ids=_name)
def test_select_star_only_takes_in_a_whole_relation(path: Path) -> None:
    """In imports, and in the arms of a union of steps that name their columns."""
    code = _code(path)
    for match in re.finditer(r"select\s+(?:\w+\.)?\*", code):
        rest = code[match.end() :]
        is_import = re.match(r"\s*(?:,[^;]*?)?\s*from \{\{ (?:ref|source)\(", rest)
        before = code[: match.start()].rstrip().endswith("union all")
        is_arm = re.match(r"\s*from \w+\s*(?:union all|\)|$)", rest) and (
            before or re.match(r"\s*from \w+\s+union all", rest)
        )
        is_whole = not match.group().count(".")
        assert is_whole, f"{match.group()} in {path.name}"
        assert is_import or is_arm, f"select *{rest[:60]!r} in {path.name}"


@pytest.mark.parametrize("path", sorted(DBT_PROJECT.glob("models/**/*.sql")), ids=_name)
def test_jinja_is_for_refs_keys_and_macros_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    called = re.findall(r"\{\{-?\s*([\w.]+)\s*\(", text)
    assert len(called) == text.count("{{")
    assert set(called) - FROM_DBT - _own_macros() == set()
    assert "{%" not in text


@pytest.mark.parametrize("path", sorted(DBT_PROJECT.glob("models/staging/**/*.sql")), ids=_name)
def test_staging_joins_and_filters_nothing(path: Path) -> None:
    assert re.findall(r"\b(?:join|where|group by|distinct|union)\b", _code(path)) == []


@pytest.mark.parametrize("path", sorted(DBT_PROJECT.glob("tests/*.sql")), ids=_name)
def test_a_test_of_the_data_opens_by_saying_what_it_catches(path: Path) -> None:
    """Or, where it only warns, what it shows."""
    text = path.read_text(encoding="utf-8")
    warns = "severity='warn'" in text
    first = next(line for line in text.splitlines() if line and not line.startswith("{{"))
    assert first.startswith("-- Shows " if warns else "-- Catches ")
