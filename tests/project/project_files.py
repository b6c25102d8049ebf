"""The dbt project as the tests of it see it: its nodes and its files.

Belongs here: what more than one test module reads. Does not belong here: rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import REPOSITORY

DBT_PROJECT = REPOSITORY / "dbt_project"


@dataclass(frozen=True)
class Project:
    """The manifest of the dbt project, unit tests included, by kind of node."""

    models: dict[str, dict[str, Any]]
    tests: dict[str, dict[str, Any]]
    unit_tests: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def public(self) -> dict[str, dict[str, Any]]:
        """The models that readers may use, by name, with the columns that are published."""
        return {
            name: {
                **model,
                "columns": {
                    column: told
                    for column, told in model["columns"].items()
                    if column not in published(model).get("except", ())
                },
            }
            for name, model in self.models.items()
            if model["access"] == "public"
        }


def published(model: dict[str, Any]) -> dict[str, Any]:
    """What a model's YAML says of its publication."""
    told: dict[str, Any] = model["config"]["meta"].get("publish", {})
    return told


def sql_files() -> list[Path]:
    """Every model and every data test that is one."""
    return sorted([*DBT_PROJECT.glob("models/**/*.sql"), *DBT_PROJECT.glob("tests/*.sql")])
