"""What the tests of the dbt project share: its manifest.

Does not belong here: rules.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from project_files import Project

from throughline.building.manifest import ensure_manifest
from throughline.settings import Settings, load_settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A warehouse of its own, and dbt's unit tests switched on."""
    folder = tmp_path_factory.mktemp("project")
    settings = load_settings({"WAREHOUSE_DIR": str(folder), "UNIT_TESTS": "on"})
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    return settings


@pytest.fixture(scope="session")
def project(settings: Settings) -> Project:
    """The project as dbt reads it, from nothing."""
    manifest = json.loads(ensure_manifest(settings).read_bytes())

    def of_kind(kind: str) -> dict[str, dict[str, Any]]:
        return {
            node["name"]: node
            for node in manifest["nodes"].values()
            if node["resource_type"] == kind
        }

    return Project(
        models=of_kind("model"),
        tests=of_kind("test"),
        unit_tests={node["name"]: node for node in manifest["unit_tests"].values()},
        groups={node["name"]: node for node in manifest["groups"].values()},
    )
