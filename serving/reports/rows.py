"""The table of a question as a query, for files.

Belongs here: the rows and columns that an export of a report has. Does not belong here: formats,
how a figure is shown (`reading`).
"""

from __future__ import annotations

from serving.queries.directory import NAMES, name_of
from serving.queries.table import Table
from serving.reports.question import Question


def shown(asked: Question) -> Table:
    """The rows of a question's table, with those that are too many to show.

    The key and the currency come with every export, the measures are those of the column set.
    """
    kind = asked.kind
    key = asked.subject
    dimension = asked.dimension if asked.is_split else key.dimension
    columns = [f"report.{measure.column}" for measure in kind.columns(asked.columns)]
    flags = ["is_provisional", "settles_at"]
    if kind.name == "statistics":
        flags.insert(0, "is_additive")
    name = "cast(null as varchar)"
    if dimension in NAMES:
        name = name_of(dimension, "report.source", "report.dimension_value")
        name = f"coalesce({name}, report.dimension_value)"
    values = {"grain": asked.grain, "dimension": dimension, "last": asked.last}
    if asked.is_split:
        where = "report.period_start = $last and ($source is null or report.source = $source)"
        values["source"] = asked.source or None
    else:
        where = (
            "report.period_start between $first and $last"
            " and report.source is not distinct from $source"
            " and report.dimension_value is not distinct from $value"
        )
        values |= {"first": asked.first, "source": key.source, "value": key.value}
    return Table(
        name=kind.name,
        sql=f"""
            select
                report.period_grain,
                report.period_start,
                report.dimension,
                report.source,
                report.dimension_value,
                {name} as dimension_name,
                {", ".join(f"report.{flag}" for flag in flags)},
                {", ".join(columns)},
                report.currency
            from reports.{kind.model} as report
            where report.period_grain = $grain and report.dimension = $dimension and {where}
        """,
        values=values,
        order=("period_start", "source", "dimension_value"),
    )
