"""Walks that stay in one version, and what becomes of them when it goes."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.snapshot import MANIFEST_NAME, NotKeptError, Snapshot, Versions
from serving.snapshot.kept import MOST_OPEN
from tests.serving.conftest import local_client
from throughline.settings import ServingSettings, load_serving_settings

LIST = "/api/2/conversation"


def _older(settings: ServingSettings, snapshot: Snapshot) -> str:
    [older] = [
        folder.name
        for folder in (settings.published_dir / "versions").iterdir()
        if folder.name != snapshot.version
    ]
    return older


def test_every_answer_names_its_version(client: TestClient, snapshot: Snapshot) -> None:
    for path in (LIST, f"{LIST}/00440001", "/api/2/changes", "/api/2/statistic", "/api/2/website"):
        answer = client.get(path)
        assert answer.json()["meta"]["version"] == snapshot.version
        assert answer.headers["x-data-version"] == snapshot.version


def test_a_walk_that_names_its_version_stays_in_it(
    client: TestClient, settings: ServingSettings, snapshot: Snapshot
) -> None:
    """The older one lacks the transfers, so it has more conversations."""
    older = _older(settings, snapshot)
    counts = {}
    for version in (older, snapshot.version, ""):
        found: list[str] = []
        page = 1
        while True:
            answer = client.get(f"{LIST}?version={version}&limit=100&page={page}").json()
            assert answer["meta"]["version"] == version or not version
            found += [item["id"] for item in answer["data"]]
            if answer["pagination"]["page"] == answer["pagination"]["pages"]:
                break
            page += 1
        assert len(set(found)) == answer["pagination"]["count"]
        counts[version] = len(found)
    assert counts[older] > counts[snapshot.version] == counts[""]
    one = client.get(f"{LIST}/310001?version={older}&source=maison_lumiere").json()
    assert one["meta"]["version"] == older
    assert one["data"]["transfers"] == []
    operators = client.get(f"/api/2/operator?version={older}").json()
    assert operators["meta"]["version"] == older


def test_a_walk_ends_though_a_publication_takes_pages_away(
    settings: ServingSettings, snapshot: Snapshot
) -> None:
    """`while page != pages`: what was page 30 of 30 is page 25 of 25 then."""
    with local_client(create_app(settings)) as client:
        older = _older(settings, snapshot)
        pages = client.get(f"{LIST}?version={older}").json()["pagination"]["pages"]
        now = client.get(f"{LIST}?page={pages + 7}").json()
        assert now["pagination"]["page"] == now["pagination"]["pages"]
        assert now["data"]


def test_a_version_that_is_gone_is_refused_with_those_that_are_kept(
    settings: ServingSettings, snapshot: Snapshot, tmp_path: Path
) -> None:
    older = _older(settings, snapshot)
    shutil.copytree(settings.published_dir, tmp_path / "published", symlinks=True)
    mine = load_serving_settings({"WAREHOUSE_DIR": str(tmp_path)})
    with local_client(create_app(mine)) as client:
        address = f"{LIST}?version={older}"
        assert client.get(address).json()["meta"]["status"] == "success"
        shutil.rmtree(tmp_path / "published" / "versions" / older)
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.json()["meta"] == {
            "status": "fail",
            "message": f"Version '{older}' is not kept. Kept are: {snapshot.version}. Begin again"
            " without 'version', or with one of these.",
        }
        assert client.get(LIST).json()["meta"]["status"] == "success"


@pytest.mark.parametrize("name", ["", "..", ".", "../versions", "a/b", "x", "\x00", "é"])
def test_a_name_of_no_version_opens_nothing(settings: ServingSettings, name: str) -> None:
    with pytest.raises(NotKeptError, match="is not kept"):
        Versions(settings).find(name)


def test_few_older_versions_are_open_at_a_time(
    settings: ServingSettings, snapshot: Snapshot, tmp_path: Path
) -> None:
    older = _older(settings, snapshot)
    versions_dir = tmp_path / "published" / "versions"
    for number in range(MOST_OPEN + 2):
        folder = versions_dir / f"v{number}"
        folder.mkdir(parents=True)
        source = settings.published_dir / "versions" / older
        for file in source.iterdir():
            if file.suffix == ".duckdb":
                shutil.copy(file, folder / file.name)
        manifest = json.loads((source / MANIFEST_NAME).read_text(encoding="utf-8"))
        manifest["data_version"] = folder.name
        manifest["database"]["path"] = f"versions/{folder.name}/throughline.duckdb"
        (folder / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    versions = Versions(load_serving_settings({"WAREHOUSE_DIR": str(tmp_path)}))
    seen = [weakref.ref(versions.find(f"v{number}")) for number in range(MOST_OPEN + 2)]
    gc.collect()
    alive = [each() is not None for each in seen]
    assert alive == [False, False, *[True] * MOST_OPEN]
    # Who still asks for one that was closed gets it again.
    assert versions.find("v0").version == "v0"


def test_a_day_stands_for_the_last_version_published_by_its_end(
    client: TestClient, settings: ServingSettings, snapshot: Snapshot
) -> None:
    versions = Versions(settings)
    assert [each.name for each in versions.kept()] == [snapshot.version, _older(settings, snapshot)]
    day = snapshot.published_at.date()
    asked = client.get(f"/api/2/statistic?version={day}").json()
    assert asked["meta"]["version"] == snapshot.version
    before = versions.kept()[-1].published_at.date() - timedelta(days=1)
    assert "is not kept" in client.get(f"{LIST}?version={before}").json()["meta"]["message"]


@pytest.mark.parametrize("kind", ["statistics", "contacts"])
def test_a_report_as_published_says_of_which_version_it_is(
    client: TestClient, settings: ServingSettings, snapshot: Snapshot, kind: str
) -> None:
    older = _older(settings, snapshot)
    answer = client.get(f"/reports/{kind}?version={older}")
    assert answer.headers["x-data-version"] == older
    assert "As published on" in answer.text
    assert f"<code>{older}</code>" in answer.text
    # Each of its addresses keeps to the version, but the one that leaves it.
    assert f"version={older}" in answer.text
    assert "/conversations?" not in answer.text
    now = client.get(f"/reports/{kind}")
    assert now.headers["x-data-version"] == snapshot.version
    assert "<strong>As published" not in now.text
    export = client.get(f"/reports/{kind}/export?version={older}")
    assert export.headers["x-data-version"] == older
    refused = client.get(f"/reports/{kind}?version=0000000000000000")
    assert refused.status_code == 400
    assert "0000000000000000" in refused.text
