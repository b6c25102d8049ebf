"""dbt reads the project when something that it depends on has changed, and else not.

dbt itself is replaced: what it reads is other tests' business, how often it is asked is this one's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from throughline.building import process
from throughline.building.manifest import MANIFESTS, brought_up_to_date, ensure_manifest
from throughline.settings import Settings


def said(number: int) -> str:
    """What the manifest holds that dbt wrote when it was asked for the nth time."""
    return f'{{"asked": {number}}}'


class Dbt:
    """Stands for dbt: counts how often it is asked to read the project, and writes what it does."""

    def __init__(self) -> None:
        self.asked = 0

    def start(
        self, settings: Settings, arguments: Sequence[str], target: Path, **_: Any
    ) -> subprocess.Popen[bytes]:
        """In place of `process.start`."""
        assert list(arguments) == ["parse"]
        self.asked += 1
        target.mkdir(parents=True, exist_ok=True)
        for name in MANIFESTS:
            (target / name).write_text(said(self.asked), encoding="utf-8")
        return subprocess.Popen(["true"], stdout=subprocess.PIPE)


@pytest.fixture
def dbt(monkeypatch: pytest.MonkeyPatch) -> Dbt:
    found = Dbt()
    monkeypatch.setattr(process, "start", found.start)
    return found


def test_dbt_reads_the_project_once_for_a_warehouse_and_whatever_the_registry_holds(
    settings: Settings, dbt: Dbt
) -> None:
    assert ensure_manifest(settings).read_text(encoding="utf-8") == said(1)
    (settings.registry_dir / "sources.csv").write_text("source\nanother\n", encoding="utf-8")
    manifest = ensure_manifest(settings)
    assert manifest.read_text(encoding="utf-8") == said(1)
    assert manifest.with_name("semantic_manifest.json").exists()
    assert dbt.asked == 1


def test_another_project_is_read(settings: Settings, dbt: Dbt) -> None:
    for number in (1, 2, 3):
        found = ensure_manifest(settings.replaced(oversized_contacts=number))
        assert found.read_text(encoding="utf-8") == said(number)
    assert dbt.asked == 3


def test_a_parse_that_was_killed_is_done_again(settings: Settings, dbt: Dbt) -> None:
    ensure_manifest(settings)

    with (
        pytest.raises(KeyboardInterrupt),
        brought_up_to_date(settings.replaced(oversized_contacts=1)),
    ):
        raise KeyboardInterrupt
    assert ensure_manifest(settings).read_text(encoding="utf-8") == said(2)
