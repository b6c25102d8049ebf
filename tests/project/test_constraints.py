"""Keys that the models declare, and the tests that hold them: one for each, and none undeclared.

Belongs here: that declaration and test say the same. Does not belong here: whether the keys hold
(dbt's tests, in each build), what a published file looks like (tests/publishing).
"""

from __future__ import annotations

from typing import Any

from project_files import Project


def _tests(project: Project, model: str, kind: str) -> list[dict[str, Any]]:
    return [
        node["test_metadata"]["kwargs"]
        for node in project.tests.values()
        if node.get("attached_node") == model
        and (node.get("test_metadata") or {}).get("name") == kind
    ]


def test_every_public_table_declares_the_key_that_a_test_holds(project: Project) -> None:
    for node in project.public.values():
        name = node["unique_id"]
        keys = [one for one in node["constraints"] if one["type"] in {"primary_key", "unique"}]
        tested = [list(one["columns"]) for one in _tests(project, name, "unique_key")]
        never_null = {
            column for one in _tests(project, name, "never_null") for column in one["columns"]
        }
        assert bool(keys) == bool(tested), f"{name}: a key is declared and held, or neither"
        for key in keys:
            assert key["columns"] in tested, f"{name}: no test holds {key}"
            if key["type"] == "primary_key":
                assert set(key["columns"]) <= never_null, f"{name}: a part of its key may be null"


def test_every_declared_reference_is_one_that_a_test_holds_and_the_other_way_round(
    project: Project,
) -> None:
    references = 0
    for node in project.public.values():
        name = node["unique_id"]
        declared = {
            (one["columns"][0], one["expression"])
            for one in node["constraints"]
            if one["type"] == "foreign_key"
        }
        tested = {
            (
                one["column_name"],
                "marts.{} ({})".format(
                    one["to"].removeprefix("ref('").removesuffix("')"), one["field"]
                ),
            )
            for one in _tests(project, name, "relationships")
        }
        assert declared == tested, name
        references += len(declared)
    assert references >= 6
