"""Each setting is declared once; what reads it, refuses it and tells of it follows from that."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from orchestration import settings_page
from throughline import settings as module
from throughline.settings import (
    REPOSITORY,
    Declaration,
    SettingError,
    declarations,
    load_serving_settings,
    load_settings,
)

DECLARED = {setting.name: setting for setting in declarations({})}


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.env` of the test's own, in place of the checkout's; no variable is set."""
    for name in DECLARED:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    monkeypatch.setattr(module, "ENV_FILE", file)
    return file


def _now(name: str) -> Declaration:
    return next(setting for setting in declarations() if setting.name == name)


def test_the_readme_has_every_setting_as_it_is_declared() -> None:
    page = settings_page.PAGE.read_text(encoding="utf-8")
    assert settings_page.updated(page) == page, "run `python -m orchestration.settings_page`"
    for name in ("LANDING_DIR", "WAREHOUSE_DIR", "ENGINE", "API_KEY"):
        assert f"| `{name}` |" in page


def test_a_line_of_the_env_file_counts_and_a_variable_counts_before_it(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _now("DUCKDB_THREADS").origin == "default"
    env_file.write_text("DUCKDB_THREADS=7\nPUBLISHED_VERSIONS=5\nRUNS_KEPT=\n", encoding="utf-8")
    monkeypatch.setenv("PUBLISHED_VERSIONS", "9")
    found = load_settings()
    assert (found.threads, found.versions_kept, found.runs_kept) == (7, 9, 100)
    assert _now("DUCKDB_THREADS").origin == ".env"
    assert _now("PUBLISHED_VERSIONS").origin == "environment"
    assert _now("RUNS_KEPT").origin == "default"
    # Whoever names the variables names them all.
    assert load_settings({"RUNS_KEPT": "3"}).versions_kept == 3


def test_a_relative_path_of_the_env_file_starts_at_the_checkout_wherever_the_command_does(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("WAREHOUSE_DIR=data/w\nLANDING_DIR=/logs\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = load_settings()
    assert found.warehouse_dir == REPOSITORY / "data" / "w"
    assert found.dagster_home == REPOSITORY / "data" / "w" / "dagster"
    assert load_serving_settings().published_dir == REPOSITORY / "data" / "w" / "published"
    assert found.landing_dir == Path("/logs")
    # A variable's starts where the command does, as everywhere.
    monkeypatch.setenv("WAREHOUSE_DIR", "here")
    assert load_settings().warehouse_dir == tmp_path / "here"


def test_an_address_in_the_env_file_is_refused_as_one(env_file: Path) -> None:
    env_file.write_text("LANDING_DIR=s3://bucket/logs\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"^LANDING_DIR='s3://bucket/logs' is an address"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "0") for name, it in DECLARED.items() if "whole number" in it.takes),
        *((name, "many") for name, it in DECLARED.items() if "whole number" in it.takes),
        *((name, "yes") for name, it in DECLARED.items() if it.takes == "on or off"),
        *((name, "4 gigs") for name, it in DECLARED.items() if it.takes.startswith("a size")),
        ("SERVE_PORT", "65536"),
        ("ENGINE", "snowflake"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable_and_the_remedy(
    name: str, value: str
) -> None:
    with pytest.raises(SettingError) as caught:
        declarations({name: value})
    assert str(caught.value).startswith(f"{name}={value!r} is n")
    assert any(word in str(caught.value) for word in ("correct it", "write"))


def test_all_faults_are_told_at_once_and_nothing_that_only_follows_from_them() -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({"WAREHOUSE_DIR": "/a#b", "MEMORY_LIMIT": "lots"})
    assert [line.split("=")[0] for line in str(caught.value).splitlines()] == [
        "WAREHOUSE_DIR",
        "MEMORY_LIMIT",
    ]


def test_a_secret_is_shown_nowhere(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "open sesame")
    told = "\n".join(settings_page.lines(declarations()))
    assert "API_KEY = …  (environment)" in told
    assert "sesame" not in told + repr(load_serving_settings())


def test_the_page_fits_a_terminal_and_names_what_is_no_setting(env_file: Path) -> None:
    env_file.write_text("LANDNG_DIR=/logs\n", encoding="utf-8")
    told = list(settings_page.lines(declarations({})))
    assert [line for line in told if line.startswith("  ") and len(line) > 80] == []
    assert [line.split(" = ")[0] for line in told if " = " in line] == list(DECLARED)
    assert told[-1] == "No settings of Throughline, though .env names them: LANDNG_DIR"


def test_settings_do_not_change_under_a_run() -> None:
    settings = load_settings({})
    with pytest.raises(pydantic.ValidationError):
        settings.threads = 3  # type: ignore[misc]
    assert settings.replaced(threads=3).threads == 3
    with pytest.raises(TypeError, match="tread"):
        settings.replaced(treads=3)
