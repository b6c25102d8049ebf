"""Copies of the reports and of the log: written by a run, whole, alone, dropped in time."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import published_sample
import pytest
from folders import make_settings

from orchestration import copies as orchestrated
from serving import copies, i18n
from serving.reports.measures import KINDS
from throughline.published.copies import are_due
from throughline.published.manifest import current
from throughline.settings import SettingError, Settings, load_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The warehouse that the normal run has filled with the sample; read it only."""
    sample = published_sample.of_all_workers(tmp_path_factory)
    assert "Copying the reports and the log" in sample.said
    return load_settings({"WAREHOUSE_DIR": str(sample.folder)})


@pytest.fixture
def copied(settings: Settings, tmp_path: Path) -> Settings:
    """The published folder once more, to be changed."""
    shutil.copytree(settings.published_dir, tmp_path / "warehouse" / "published", symlinks=True)
    return make_settings(tmp_path)


def _version(settings: Settings) -> str:
    now = current(settings)
    assert now is not None
    return now.data_version


def _reports(settings: Settings) -> list[Path]:
    return sorted((settings.published_dir / "reports" / _version(settings)).iterdir())


@pytest.fixture(scope="module")
def snapshot(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        yield connection


class Reading(HTMLParser):
    """What a copy holds: elements, what they point to, the headline's labels and values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.pointers: list[str] = []
        self.ids: set[str] = set()
        self.figures: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self._label = ""
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        found = dict(attrs)
        self.pointers += [
            str(value)
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster")
        ]
        self.ids.add(found.get("id") or "")
        assert not any(name.startswith("on") for name in found)
        if tag not in ("meta", "rect", "path", "circle", "br"):
            self._open.append((tag, found.get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("rect", "path", "circle"):
            return
        opened, _ = self._open.pop()
        assert opened == tag, (opened, tag)

    def handle_data(self, data: str) -> None:
        kind = self._open[-1][1] if self._open else ""
        if kind == "label":
            self._label = data
        elif kind == "value":
            self.figures[self._label] = data


def test_a_run_leaves_both_reports_for_a_day_a_week_and_a_month_in_both_languages(
    settings: Settings, snapshot: duckdb.DuckDBPyConnection
) -> None:
    newest = snapshot.execute(
        "select max(period_start) from reports.contacts_report where period_grain = 'day'"
    ).fetchone()
    assert newest is not None
    names = [path.name for path in _reports(settings)]
    assert len(names) == len(KINDS) * 3 * len(i18n.LANGUAGES)
    assert "statistics-month-2026-10.en.html" in names
    assert "contacts-week-2026-W45.fr.html" in names
    # The newest day has data and may get more: the one before is the last that is over.
    assert f"contacts-day-{newest[0].replace(day=newest[0].day - 1)}.en.html" in names


def test_the_latest_copies_are_where_they_always_are(settings: Settings) -> None:
    for kind in ("reports", "exports"):
        link = settings.published_dir / kind / "latest"
        assert link.readlink() == Path(_version(settings))
        assert list(link.iterdir())


def test_a_copy_names_nothing_outside_itself(settings: Settings) -> None:
    for path in _reports(settings):
        text = path.read_text(encoding="utf-8")
        found = Reading(text)
        assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(
            found.elements
        )
        assert all(each.startswith("#") for each in found.pointers)
        assert {each[1:] for each in found.pointers} <= found.ids
        assert "url(" not in text
        assert "@import" not in text
        assert not re.search(r"https?://", text)
        assert path.stat().st_size < 300_000, "small enough for a mail"
        assert path.name.split(".")[-2] in re.findall(r'<html lang="(\w+)"', text)


def test_the_figures_of_a_copy_are_those_of_the_report(
    settings: Settings, snapshot: duckdb.DuckDBPyConnection
) -> None:
    manifest = current(settings)
    assert manifest is not None
    labels = {metric.column: metric.label for metric in manifest.metrics}
    i18n.use("en")
    checked = 0
    for path in _reports(settings):
        name, grain, *period = path.name.split(".")[0].split("-")
        if ".en." not in path.name:
            continue
        kind, code = KINDS[name], "-".join(period)
        relation = snapshot.execute(
            f"select * from reports.{kind.model} where dimension = 'all' and period_grain = $grain"
            " and case $grain when 'month' then strftime(period_start, '%Y-%m')"
            " when 'week' then strftime(period_start, '%G-W%V')"
            " else strftime(period_start, '%Y-%m-%d') end = $code",
            {"grain": grain, "code": code},
        )
        columns = [column[0] for column in relation.description]
        (values,) = relation.fetchall()
        row = dict(zip(columns, values, strict=True))
        shown = Reading(path.read_text(encoding="utf-8")).figures
        for column in kind.headline:
            wanted = kind.measures[column].show(row[column], row["currency"])
            assert shown[labels[f"{kind.model}.{column}"]] == wanted, (path.name, column)
            checked += 1
    assert checked > 60


def test_the_exports_have_every_row_of_the_log(
    settings: Settings, snapshot: duckdb.DuckDBPyConnection
) -> None:
    folder = settings.published_dir / "exports" / "latest"
    assert sorted(path.name for path in folder.iterdir()) == [
        "contacts.csv",
        "contacts.parquet",
        "conversations.csv",
        "conversations.parquet",
    ]
    for name, key in (("conversations", "conversation_id"), ("contacts", "contact_id")):
        wanted = snapshot.execute(f"select source, {key} from marts.{name} order by all").fetchall()
        with duckdb.connect() as connection:
            found = connection.execute(
                f"select source, {key} from read_parquet($file) order by all",
                {"file": str(folder / f"{name}.parquet")},
            ).fetchall()
        assert found == wanted
        with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as opened:
            rows = [(row["source"], row[key]) for row in csv.DictReader(opened)]
        assert sorted(rows) == wanted


def test_a_browser_opens_a_copy_without_a_network_and_without_an_error(settings: Settings) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it (Debian: chromium)")
    # In a thread of its own: another file's browser may be on in this one.
    with ThreadPoolExecutor(1) as alone:
        alone.submit(_open_each, CHROMIUM, _reports(settings)).result()


def _open_each(chromium: str, copied_files: list[Path]) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for path in copied_files:
            context = browser.new_context(offline=True, viewport={"width": 390, "height": 800})
            page = context.new_page()
            asked: list[str] = []
            errors: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on(
                "console",
                lambda message, errors=errors: (
                    errors.append(message.text) if message.type == "error" else None
                ),
            )
            page.goto(path.as_uri())
            assert asked == [path.as_uri()]
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.locator("svg[role=img]").count() > 3
            if "month" in path.name:
                assert _serious(Axe().run(page).response) == []
            assert not errors
            context.close()
        browser.close()


def _serious(response: dict[str, Any]) -> list[str]:
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_the_same_version_is_copied_once(copied: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.published_dir.rglob("*")}
    done = copies.write(copied)
    assert done.files == ()
    assert {path: path.stat().st_mtime_ns for path in copied.published_dir.rglob("*")} == before


def test_only_the_first_version_of_a_day_is_copied_by_a_run(copied: Settings) -> None:
    published = copied.published_dir
    first = current(copied)
    assert first is not None
    # The next version, and the first is pruned: its copies stay, being the newest.
    shutil.move(published / first.version_path, published / "versions" / "0123456789abcdef")
    for later, is_due in ((timedelta(), False), (timedelta(days=1), True)):
        _republish(copied, first.published_at + later)
        assert are_due(copied) == is_due
        asked = orchestrated.write(copied, lambda _: None)
        assert bool(asked["files"]) == is_due
        for kind in ("reports", "exports"):
            newest = first.data_version if not is_due else "0123456789abcdef"
            assert (published / kind / "latest").readlink() == Path(newest)
            assert (published / kind / newest).is_dir()
    assert not are_due(copied)


def _republish(settings: Settings, published_at: datetime) -> None:
    """Let the content be that of another version, published then."""
    path = settings.published_dir / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    old, new = manifest["data_version"], "0123456789abcdef"
    text = json.dumps({**manifest, "published_at": published_at.isoformat()}).replace(old, new)
    path.unlink()
    path.write_text(text, encoding="utf-8")


def test_copies_go_with_their_version_and_what_a_kill_left_goes_too(copied: Settings) -> None:
    published = copied.published_dir
    kept = {}
    for kind in ("reports", "exports"):
        kept[kind] = {path.name for path in (published / kind).iterdir()}
        assert kept[kind] >= {_version(copied), "latest"}
        (published / kind / "0123456789abcdef").mkdir()
    (published / ".copying-1-dead").mkdir()
    (published / ".copying-1-dead" / "half.csv").write_text("half", encoding="utf-8")
    copies.write(copied)
    for kind in ("reports", "exports"):
        assert {path.name for path in (published / kind).iterdir()} == kept[kind]
    assert not list(published.glob(".copying-*"))


def test_a_copy_that_fails_leaves_nothing_half_done(
    copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = copied.published_dir
    shutil.rmtree(published / "exports")
    shutil.rmtree(published / "reports")

    def full(*arguments: object, **more: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(copies, "write_file", full)
    with pytest.raises(OSError, match="no space"):
        copies.write(copied)
    assert not (published / "exports").exists()
    assert not list(published.glob(".copying-*"))
    assert are_due(copied)
    # What was whole before the failure stays, and the next attempt makes the rest.
    monkeypatch.undo()
    done = copies.write(copied)
    assert {Path(name).parent.parent.name for name in done.files} == {"exports"}
    assert not are_due(copied)


def test_the_log_is_not_exported_where_it_is_switched_off(copied: Settings, tmp_path: Path) -> None:
    without = make_settings(tmp_path, SCHEDULED_EXPORTS="off")
    shutil.rmtree(copied.published_dir / "exports")
    shutil.rmtree(copied.published_dir / "reports")
    done = copies.write(without)
    assert {name.split("/")[0] for name in done.files} == {"reports"}
    assert not are_due(without)
    assert are_due(copied)


def test_a_switch_is_on_or_off(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="SCHEDULED_EXPORTS"):
        make_settings(tmp_path, SCHEDULED_EXPORTS="perhaps")


def test_before_the_first_publication_there_is_nothing_to_copy(tmp_path: Path) -> None:
    empty = make_settings(tmp_path)
    empty.published_dir.mkdir(parents=True)
    with pytest.raises(copies.CopyError, match="Nothing is published"):
        copies.write(empty)


def test_a_version_without_a_complete_period_has_its_copies_though_they_are_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or each run, and the sensor, would take them for emptied and build everything again.
    bare = make_settings(tmp_path, SCHEDULED_EXPORTS="off")
    (bare.published_dir / "versions" / "v1").mkdir(parents=True)

    class Current:
        data_version = "v1"
        database = "versions/v1/throughline.duckdb"
        published_at = datetime(2026, 11, 29, tzinfo=UTC)

    (bare.published_dir / Current.database).touch()
    monkeypatch.setattr(copies.versions, "current", lambda _: Current)
    monkeypatch.setattr(copies.versions, "current_or_none", lambda _: Current)
    monkeypatch.setattr(copies, "_write_reports", lambda *_: None)
    assert are_due(bare)
    assert copies.write(bare).files == ()
    assert not are_due(bare)
