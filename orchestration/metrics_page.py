"""`python -m orchestration.metrics_page`: writes the tables of docs/metrics.md from the YAML.

Belongs here: turning dbt's manifest into Markdown between the page's two marks.
Does not belong here: any definition (dbt_project/models/marts), the page's prose (the page itself).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration import generated
from throughline.building.manifest import read_manifest
from throughline.published.metrics import Metric, metrics
from throughline.settings import REPOSITORY, load_settings

PAGE = REPOSITORY / "docs" / "metrics.md"


def dimensions(manifest: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """(semantic model, what `mf query --group-by` takes for its metrics), by name."""
    found = []
    for model in manifest["semantic_models"].values():
        primary = model["primary_entity"] or next(
            entity["name"] for entity in model["entities"] if entity["type"] == "primary"
        )
        names = sorted(f"{primary}__{dimension['name']}" for dimension in model["dimensions"])
        found.append((model["name"], names))
    return sorted(found)


def render(manifest: Mapping[str, Any]) -> str:
    """The generated part of the page, as Markdown."""
    return "\n".join(_lines(metrics(manifest), dimensions(manifest)))


def updated(page: str, manifest: Mapping[str, Any]) -> str:
    """The page with its generated part as the manifest has it.

    Raises:
        ValueError: the page lacks one of its two marks.
    """
    return generated.replaced(page, "metrics_page", render(manifest))


def _lines(found: Sequence[Metric], grouping: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    counted = {
        "conversation": "closed conversations only, on the day they closed (`closed_on`)",
        "contact": "all contacts, on the day they started (`started_on`)",
    }
    for grain, what in counted.items():
        yield f"### Of the {grain}: {what}"
        yield ""
        yield "| metric | what it is | formula | unit | shown as | defined by |"
        yield "|---|---|---|---|---|---|"
        for metric in found:
            if metric.grain == grain:
                cells = [
                    f"`{metric.name}`",
                    metric.description,
                    f"`{metric.formula}`",
                    metric.unit,
                    f"`{metric.column}`",
                    metric.source,
                ]
                yield generated.row(*cells)
        yield ""
    yield "### What to group by"
    yield ""
    for model, names in grouping:
        yield f"- `{model}`: `metric_time`, " + ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(
        generated.main(
            "metrics_page", PAGE, lambda page: updated(page, read_manifest(load_settings()))
        )
    )
