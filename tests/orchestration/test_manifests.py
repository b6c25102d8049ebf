"""What dbt has read of the project serves every warehouse of the checkout.

dbt itself is replaced: what it reads is other tests' business, how often it is asked is this one's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folders import make_settings

from orchestration import registry, transform
from orchestration.settings import Settings


class Dbt:
    """Stands for dbt: counts how often it is asked to read the project, and writes what it does."""

    def __init__(self) -> None:
        self.asked = 0

    def start(
        self, settings: Settings, arguments: Sequence[str], target: Path, **_: Any
    ) -> subprocess.Popen[bytes]:
        """In place of `transform._start`."""
        assert list(arguments) == ["parse"]
        self.asked += 1
        target.mkdir(parents=True, exist_ok=True)
        for name in transform.MANIFESTS:
            (target / name).write_text(f"{name} {self.asked}", encoding="utf-8")
        return subprocess.Popen(["true"], stdout=subprocess.PIPE)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout's folder of manifests, elsewhere."""
    path = tmp_path / "checkout" / "target" / "manifests"
    monkeypatch.setattr(Settings, "manifests_dir", property(lambda _: path))
    return path


@pytest.fixture
def dbt(monkeypatch: pytest.MonkeyPatch) -> Dbt:
    found = Dbt()
    monkeypatch.setattr(transform, "_start", found.start)
    return found


def test_a_second_warehouse_takes_what_was_read_for_the_first(
    tmp_path: Path, kept: Path, dbt: Dbt
) -> None:
    first, second = (make_settings(tmp_path / name) for name in ("first", "second"))
    (second.registry_dir / "sources.csv").write_text("source\nanother\n", encoding="utf-8")
    assert transform.ensure_manifest(first).read_text(encoding="utf-8") == "manifest.json 1"
    assert transform.ensure_manifest(second).read_text(encoding="utf-8") == "manifest.json 1"
    assert transform.ensure_manifest(second).with_name("semantic_manifest.json").exists()
    assert dbt.asked == 1


def test_another_project_is_read_and_the_oldest_that_were_are_forgotten(
    tmp_path: Path, kept: Path, dbt: Dbt
) -> None:
    settings = make_settings(tmp_path / "first")
    for number in range(1, transform.MANIFESTS_KEPT + 3):
        transform.ensure_manifest(replace(settings, oversized_contacts=number))
        assert dbt.asked == number
    assert len(list(kept.iterdir())) == transform.MANIFESTS_KEPT
    assert (kept / registry.dbt_fingerprint(replace(settings, oversized_contacts=number))).is_dir()
    # Back to one that is kept, in the same warehouse.
    found = transform.ensure_manifest(replace(settings, oversized_contacts=number - 1))
    assert found.read_text(encoding="utf-8") == f"manifest.json {number - 1}"
    assert dbt.asked == number


@pytest.mark.parametrize("damage", ["half of it is gone", "nothing can be kept"])
def test_without_a_usable_copy_dbt_reads_the_project(
    tmp_path: Path, kept: Path, dbt: Dbt, damage: str
) -> None:
    first, second = (make_settings(tmp_path / name) for name in ("first", "second"))
    if damage == "nothing can be kept":
        kept.parent.mkdir(parents=True)
        kept.write_text("a file where a folder should be", encoding="utf-8")
    transform.ensure_manifest(first)
    if damage == "half of it is gone":
        (kept / registry.dbt_fingerprint(first) / "semantic_manifest.json").unlink()
    assert transform.ensure_manifest(second).read_text(encoding="utf-8") == "manifest.json 2"
    assert dbt.asked == 2
    if damage == "half of it is gone":
        third = make_settings(tmp_path / "third")
        assert transform.ensure_manifest(third).read_text(encoding="utf-8") == "manifest.json 2"
