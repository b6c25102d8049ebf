"""What dbt has read of the project, brought up to date when it has to be.

Belongs here: parsing only when something has changed, and what the manifest says of a node. Does
not belong here: the metrics in it (published.metrics), what a build made of it (report).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from throughline.building import fingerprints, process
from throughline.building.report import Report, failure
from throughline.engine import files, locks
from throughline.settings import Settings

# What is read of a parsed project: by Dagster and publishing, and by `mf`.
MANIFESTS = ("manifest.json", "semantic_manifest.json")


def ensure_manifest(settings: Settings) -> Path:
    """dbt's manifest, parsed again only when something that it depends on has changed.

    Raises:
        BuildError: the project does not parse.
    """
    if not _is_current(settings, fingerprints.dbt_fingerprint(settings)):
        with brought_up_to_date(settings) as is_current:
            if not is_current:
                report = Report()
                parsing = process.start(settings, ["parse"], settings.dbt_target_dir)
                if (status := process.follow(parsing, report.take)) != 0:
                    raise failure(settings, report, status)
    return settings.dbt_target_dir / "manifest.json"


def _is_current(settings: Settings, fingerprint: str) -> bool:
    stamp = settings.dbt_target_dir / "manifest.stamp"
    return (
        stamp.exists()
        and stamp.read_text(encoding="utf-8", errors="replace") == fingerprint
        and not damaged_manifests(settings.dbt_target_dir)
    )


def damaged_manifests(folder: Path) -> list[str]:
    """The names of the manifests of a folder that are not there or are no JSON object."""
    damaged = []
    for name in MANIFESTS:
        try:
            is_whole = isinstance(json.loads((folder / name).read_bytes()), dict)
        except (OSError, ValueError):
            is_whole = False
        if not is_whole:
            damaged.append(name)
    return damaged


@contextmanager
def brought_up_to_date(settings: Settings) -> Iterator[bool]:
    """Around the parsing: no other process does the same. Gives whether it is current already."""
    with locks.held(settings, "manifest", wait_seconds=300):
        fingerprint = fingerprints.dbt_fingerprint(settings)
        if _is_current(settings, fingerprint):
            yield True
            return
        stamp = settings.dbt_target_dir / "manifest.stamp"
        stamp.unlink(missing_ok=True)
        yield False
        files.write(stamp, fingerprint)


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest as dbt wrote it, brought up to date first."""
    content: dict[str, Any] = json.loads(ensure_manifest(settings).read_bytes())
    place_tests(content)
    return content


def place_tests(manifest: dict[str, Any]) -> None:
    """Give each test its description as a check and, where it reads several models, its model.

    That is the one that is built last. Without it Dagster shows such a test as a remark in the log
    and not as a check. A test that names its model itself, by `meta.dagster.ref`, is left alone.
    """
    nodes: dict[str, Any] = manifest["nodes"]
    depth: dict[str, int] = {}

    def steps_to(name: str) -> int:
        if name not in nodes:
            return 0
        if name not in depth:
            depth[name] = 1 + max(
                map(steps_to, nodes[name]["depends_on"].get("nodes", [])), default=0
            )
        return depth[name]

    for node in nodes.values():
        if node["resource_type"] != "test":
            continue
        node.setdefault("meta", {}).setdefault("description", _checked(node) or None)
        if node.get("attached_node"):
            continue
        models = [name for name in node["depends_on"]["nodes"] if name in nodes]
        meta = node["config"].setdefault("meta", {}).setdefault("dagster", {})
        if len(node["depends_on"]["nodes"]) > 1 and models and "ref" not in meta:
            last = max(models, key=lambda name: (steps_to(name), name))
            meta["ref"] = {"name": nodes[last]["name"]}


def public_models(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(schema, table) of every model that readers may use, in order of name."""
    return sorted(
        (node["schema"], node["name"]) for node in manifest["nodes"].values() if is_public(node)
    )


def is_public(node: Mapping[str, Any]) -> bool:
    """Whether a node is a model that readers may use: then it is published."""
    return node.get("resource_type") == "model" and node.get("access") == "public"


def described(node: Mapping[str, Any]) -> str:
    """What a dbt node says it is: its description, or else the comment that its SQL opens with."""
    if node.get("description"):
        return str(node["description"])
    if node["resource_type"] == "seed":
        return f"The rows of {Path(node['original_file_path']).name}."
    comment = re.match(r"(?:\s|\{\{.*?\}\})*((?:--[^\n]*\n)+)", node.get("raw_code") or "", re.S)
    lines = comment.group(1).splitlines() if comment else []
    return " ".join(line.removeprefix("--").strip() for line in lines)


def _checked(test: Mapping[str, Any]) -> str:
    """What a test says holds: its own description, or else a sentence from what it is given."""
    if test.get("description") or not test.get("test_metadata"):
        return described(test)
    given = test["test_metadata"]["kwargs"]
    column = given.get("column_name")
    match test["test_metadata"]["name"]:
        case "unique_key":
            return f"No two rows have the same {', '.join(given['columns'])}."
        case "never_null":
            return f"Never null: {', '.join(given['columns'])}."
        case "unique":
            return f"No two rows have the same {column}."
        case "not_null":
            return f"Never null: {column}."
        case "accepted_values":
            return (
                f"{column}, where it is not null, is one of {', '.join(map(str, given['values']))}."
            )
        case "relationships":
            model = given["to"].removeprefix("ref('").removesuffix("')")
            return f"Every {column} that is not null is a {given['field']} of {model}."
    return ""
