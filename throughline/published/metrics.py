"""The metrics as the YAML defines them, read from dbt's manifest.

Belongs here: one value per metric, for the page, the published manifest and the tests.
Does not belong here: any definition (dbt_project/models), how a page or a file shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One metric as the YAML defines it.

    Attributes:
        name: what `mf query --metrics` takes.
        label: what a chart shows.
        description: what it counts, in words.
        formula: over columns of the semantic model's mart, or over other metrics.
        grain: `conversation` or `contact`.
        anchor: the column of the mart whose day the figure belongs to.
        unit: of the figure.
        source: who defines it.
        column: `<model>.<column>` that shows it.
        numerator, denominator: metrics that a ratio is made of; empty for others.
        aggregation: of a metric over the rows of the mart: `count`, `sum`, `sum_boolean`, `min`,
            `max`, `median` or `percentile`; empty for one that is made of others.
        expression: what is aggregated, in SQL over columns of the mart; of a metric that is made of
            others and no ratio, SQL over their names.
    """

    name: str
    label: str
    description: str
    formula: str
    grain: str
    anchor: str
    unit: str
    source: str
    column: str
    numerator: str
    denominator: str
    # A version that an earlier release published lacks them.
    aggregation: str = ""
    expression: str = ""

    @property
    def of_a_row(self) -> str:
        """What one row of the mart adds, in SQL; the metric is the sum, or the `min` or `max`.

        Raises:
            ValueError: it is made of others, or of an order of the rows.
        """
        if self.aggregation == "count":
            return f"case when ({self.expression}) is not null then 1 else 0 end"
        if self.aggregation == "sum_boolean":
            return f"case when {self.expression} then 1 else 0 end"
        if self.aggregation in ("sum", "min", "max"):
            return self.expression
        raise ValueError(f"{self.name} is no sum over rows")


def metrics(manifest: Mapping[str, Any]) -> list[Metric]:
    """Every metric of dbt's manifest, in the order of the columns that show them.

    Raises:
        KeyError: a metric's `config.meta` lacks a field, or names a column that there is not.
    """
    found = []
    for node in manifest["metrics"].values():
        parameters, meta = node["type_params"], node["config"]["meta"]
        simple = parameters.get("metric_aggregation_params") or {}
        found.append(
            Metric(
                name=node["name"],
                label=node["label"],
                description=" ".join(node["description"].split()),
                formula=_formula(node),
                grain=meta["grain"],
                anchor=meta["anchor"],
                unit=meta["unit"],
                source=meta["source"],
                column=meta["column"],
                numerator=(parameters.get("numerator") or {}).get("name", ""),
                denominator=(parameters.get("denominator") or {}).get("name", ""),
                aggregation=simple.get("agg", ""),
                expression=" ".join(str(parameters.get("expr") or "").split()),
            )
        )
    # The manifest's own order changes when dbt parses only what has changed.
    places = {
        f"{node['name']}.{column}": (node["schema"] != "reports", node["name"], position)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for position, column in enumerate(node["columns"])
    }
    return sorted(found, key=lambda metric: places[metric.column])


def _formula(node: Mapping[str, Any]) -> str:
    parameters = node["type_params"]
    if node["type"] == "ratio":
        return f"{parameters['numerator']['name']} / {parameters['denominator']['name']}"
    expression = " ".join(str(parameters["expr"]).split())
    if node["type"] == "derived":
        return expression
    aggregation = parameters["metric_aggregation_params"]
    fraction = aggregation["agg_params"]["percentile"]
    return {
        "count": f"count({expression})",
        "sum": f"sum({expression})",
        "sum_boolean": f"count where {expression}",
        "min": f"min({expression})",
        "max": f"max({expression})",
        "median": f"median({expression})",
        "percentile": f"percentile({fraction}, {expression})",
    }[aggregation["agg"]]
