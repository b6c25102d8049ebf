"""What is public, and how it is published, as dbt's manifest has it from the models' YAML.

Belongs here: the declaration as a value, and refusing one that is not sound. Does not belong here:
what is made of it (draft, parquet).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from throughline.building.manifest import is_public
from throughline.published.manifest import PublishError
from throughline.published.metrics import Metric, metrics


@dataclass(frozen=True)
class PublicModel:
    """A public model as dbt's manifest describes it.

    Attributes:
        withheld: the columns that are not published (`publish: except` in the model's YAML).
        order_by: the order of its rows, as terms of SQL (`publish: order_by`). It is total: the
            bytes of a Parquet file hang on it.
        by_day_of: of a large model, the column (`publish: by_day_of`) with the start of the
            conversation: its Parquet files hold one UTC day each. None for a model of one file.
    """

    schema: str
    name: str
    description: str
    column_descriptions: Mapping[str, str]
    withheld: frozenset[str]
    order_by: tuple[str, ...]
    by_day_of: str | None = None

    @property
    def is_in_order_of_days(self) -> bool:
        """Whether its rows lie one day after the other, as far as they lie in their order."""
        return self.order_by[0] == self.by_day_of


def public(path: Path) -> tuple[tuple[PublicModel, ...], tuple[Metric, ...]]:
    """The models that dbt marks public, by schema and name, as their YAML says; the metrics.

    Raises:
        PublishError: no manifest, no public model, or one whose YAML does not say how it is
            published.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        nodes = [node for node in manifest["nodes"].values() if is_public(node)]
        definitions = tuple(metrics(manifest))
    except FileNotFoundError as error:
        raise PublishError(f"{path} is missing: build the models with dbt first") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise PublishError(f"{path} is not a dbt manifest: build the models again") from error
    if not nodes:
        raise PublishError(f"{path} names no model with access: public")
    models = [_public_model(node) for node in nodes]
    return tuple(sorted(models, key=lambda model: (model.schema, model.name))), definitions


def _public_model(node: Mapping[str, Any]) -> PublicModel:
    declared = (node["config"].get("meta") or {}).get("publish") or {}
    if unknown := declared.keys() - {"except", "order_by", "by_day_of"}:
        raise PublishError(f"{node['name']}.yml: publish has no {', '.join(sorted(unknown))}")
    if not declared.get("order_by"):
        raise PublishError(
            f"{node['name']} is public and its YAML does not say in which order it is published:"
            " add config: meta: publish: order_by"
        )
    return PublicModel(
        schema=node["schema"],
        name=node["name"],
        description=(node.get("description") or "").strip(),
        column_descriptions={
            name.lower(): (column.get("description") or "").strip()
            for name, column in (node.get("columns") or {}).items()
        },
        withheld=frozenset(declared.get("except", ())),
        order_by=tuple(declared["order_by"]),
        by_day_of=declared.get("by_day_of"),
    )
