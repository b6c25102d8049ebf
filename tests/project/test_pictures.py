"""The pictures of the README are small, are shown, and are what the project is."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from harness import REPOSITORY

from orchestration import pictures
from throughline.building.manifest import ensure_manifest
from throughline.settings import Settings


@pytest.fixture(scope="module")
def manifest(settings: Settings) -> Any:
    """What dbt reads of the project."""
    return json.loads(ensure_manifest(settings).read_bytes())


def test_the_drawing_of_the_flow_is_what_the_models_read(manifest: Any) -> None:
    drawn = pictures.flow(manifest)
    ElementTree.fromstring(drawn)
    assert pictures.FLOW.read_text(encoding="utf-8") == drawn, (
        "run `python -m orchestration.pictures --flow` and commit docs/pictures/flow.svg"
    )


def test_a_folder_of_models_that_the_drawing_does_not_know_is_named(manifest: Any) -> None:
    nodes = {
        name: {**node, "path": f"elsewhere/{node['name']}.sql"}
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    with pytest.raises(KeyError, match="elsewhere"):
        pictures.flow({"sources": {}, "nodes": nodes})


def test_the_readme_opens_with_both_pictures_and_they_are_small() -> None:
    opening = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    for path in (pictures.CONVERSATION, pictures.FLOW):
        assert f"({path.relative_to(REPOSITORY)})" in opening
        assert path.stat().st_size < pictures.LARGEST_BYTES
    assert pictures.CONVERSATION.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
