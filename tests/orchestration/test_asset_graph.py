"""What exists, for Dagster: the graph, its checks, and how small its entry is."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from asset_graph import SNAPSHOT, render

from throughline import landing
from throughline.building.manifest import place_tests, read_manifest
from throughline.settings import REPOSITORY

DESCRIBED = {"raw", "registry", "reference", "marts", "reports", "published"}


def test_the_asset_graph_is_the_one_that_was_reviewed(definitions: Any) -> None:
    assert render(definitions) == SNAPSHOT.read_text(encoding="utf-8"), (
        "the graph has changed: `make snapshot`, and review the difference"
    )


def test_every_asset_has_an_owner_a_group_a_kind_and_a_description(definitions: Any) -> None:
    bare = [
        spec.key.to_user_string()
        for spec in definitions.resolve_all_asset_specs()
        if not (spec.owners and spec.group_name and spec.kinds)
        or (spec.group_name in DESCRIBED and not spec.description)
    ]
    assert not bare


def test_the_group_of_an_asset_is_the_folder_of_its_model_or_its_schema(definitions: Any) -> None:
    models = REPOSITORY / "dbt_project" / "models"
    folders = {file.stem: file.relative_to(models).parts[0] for file in models.rglob("*.sql")}
    for spec in definitions.resolve_all_asset_specs():
        schema, table = spec.key.path
        assert spec.group_name == folders.get(table, schema) or schema in {
            "raw",
            "registry",
            "published",
        }
    groups = {spec.group_name for spec in definitions.resolve_all_asset_specs()}
    assert groups == {*folders.values(), "raw", "reference", "registry", "published"}


def test_the_owner_of_an_asset_is_a_group_of_dbt_and_its_tag_says_who_may_read_it(
    definitions: Any,
) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.owners in (["team:warehouse"], ["team:reporting"]), spec.key
        is_public = spec.group_name in {"marts", "metrics", "reports", "published"}
        assert spec.tags["access"] == ("public" if is_public else "private"), spec.key


def test_every_asset_that_is_built_leads_to_the_line_that_builds_it(definitions: Any) -> None:
    steps = {key for step in definitions.resolve_asset_graph().assets_defs for key in step.keys
             if step.is_executable}  # fmt: skip
    for spec in definitions.resolve_all_asset_specs():
        if spec.key not in steps:
            continue
        references = spec.metadata["dagster/code_references"].code_references
        assert references, spec.key
        for reference in references:
            lines = Path(reference.file_path).read_text(encoding="utf-8").splitlines()
            assert 1 <= reference.line_number <= len(lines), reference
            if reference.file_path.endswith(".yml"):
                # Two models have a name of their own in dbt: their seeds have the table's.
                named = lines[reference.line_number - 1].strip().removeprefix("- name: ")
                assert named in {spec.key.path[-1], f"listed_{spec.key.path[-1]}"}


def test_every_column_of_a_raw_log_says_what_it_means(definitions: Any) -> None:
    for spec in definitions.resolve_all_asset_specs():
        if spec.group_name == "raw" and spec.key.path[-1] in landing.LOGS:
            columns = spec.metadata["dagster/column_schema"].columns
            assert len(columns) > 5
            assert all(column.description for column in columns), spec.key


def test_what_every_run_brings_is_late_after_the_hours_of_the_setting(definitions: Any) -> None:
    late = {
        spec.key.to_user_string(): spec.freshness_policy.fail_window.to_timedelta()
        for spec in definitions.resolve_all_asset_specs()
        if spec.freshness_policy
    }
    assert set(late) == {f"raw/{log}" for log in landing.LOGS} | {"published/throughline"}
    assert set(late.values()) == {timedelta(hours=30)}


def test_every_data_test_of_dbt_is_an_asset_check(definitions: Any) -> None:
    from throughline.settings import load_settings

    manifest = read_manifest(load_settings())
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    assert tests
    assert not tests - checks


def test_every_check_says_what_it_checks(definitions: Any) -> None:
    said = {
        check.name: check.description or ""
        for step in definitions.resolve_asset_graph().assets_defs
        for check in step.check_specs
    }
    assert not [name for name, description in said.items() if not description]
    assert said["unique_key_conversation_ids_source__id__id_kind"] == (
        "No two rows have the same source, id, id_kind."
    )
    assert said["never_null_agents_agent_id__source__is_current"] == (
        "Never null: agent_id, source, is_current."
    )
    assert said["accepted_values_ratings_question__csat__nps__comment"] == (
        "question, where it is not null, is one of csat, nps, comment."
    )
    assert said["relationships_ratings_conversation_id__conversation_id__ref_conversations_"] == (
        "Every conversation_id that is not null is a conversation_id of conversations."
    )
    assert said["assert_reports_reconcile"].startswith("Catches a contact that one report counts")


def test_a_check_of_numbers_says_which() -> None:

    accepted = {
        "resource_type": "test",
        "test_metadata": {
            "name": "accepted_values",
            "kwargs": {"column_name": "level", "values": [1, 2]},
        },
        "attached_node": "model.throughline.any",
    }
    place_tests({"nodes": {"test": accepted}})
    assert accepted["meta"] == {"description": "level, where it is not null, is one of 1, 2."}


def test_every_step_queues_for_the_one_writer(definitions: Any) -> None:
    for step in definitions.resolve_asset_graph().assets_defs:
        if step.is_executable:
            # Only what is published is copied: nobody has to wait for the copies.
            reads_warehouse = step.op.name != "published__copies"
            assert step.op.pools == ({"duckdb"} if reads_warehouse else set()), step.op.name


def test_the_publication_waits_for_every_public_model_and_all_models_are_one_step(
    definitions: Any,
) -> None:
    graph = definitions.resolve_asset_graph()
    published = graph.get(dg.AssetKey(["published", "throughline"]))
    marts = {
        spec.key
        for spec in definitions.resolve_all_asset_specs()
        if spec.group_name in {"marts", "reports"} and not spec.key.path[-1].startswith("int_")
    }
    assert marts <= published.parent_keys
    builders = {
        step.op.name
        for step in graph.assets_defs
        for key in step.keys
        if key.path[0] in {"staging", "intermediate", "marts", "metrics", "reports"}
    }
    assert builders == {"warehouse"}


def test_the_entry_is_at_most_fifteen_lines_and_pure_modules_do_not_import_dagster() -> None:
    folder = REPOSITORY / "orchestration"
    entry = (folder / "definitions.py").read_text(encoding="utf-8")
    assert len(entry.splitlines()) <= 15
    speak_dagster = {"definitions.py", "instance.py", "run.py"}
    for path in folder.rglob("*.py"):
        if path.parent.name == "defs" or path.name in speak_dagster:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert not any(name.split(".")[0].startswith("dagster") for name in names), path


def test_nothing_imports_a_private_module_of_dagster() -> None:
    for path in (REPOSITORY / "orchestration").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "dagster._" not in text, path
        assert "dagster_dbt._" not in text, path
