"""The charts of a report over its periods.

Belongs here: which series a chart has. Does not belong here: drawing (`charts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from serving import i18n
from serving.i18n import gettext
from serving.reports import periods
from serving.reports.charts import Chart, Series, as_float
from serving.reports.figures import cell
from serving.reports.measures import ChartPlan
from serving.reports.naming import measure_label
from serving.reports.reading import Reading
from serving.snapshot import Row


def charts_of(reading: Reading, trend: Mapping[date, Row], linked: bool) -> tuple[Chart, ...]:
    question = reading.question
    starts = list(periods.between(question.grain, question.first, question.last))
    if len(starts) < 2 or not any(start in trend for start in starts):
        return ()
    made = (_chart(reading, plan, starts, trend, linked) for plan in reading.kind.charts)
    return tuple(chart for chart in made if chart)


def _chart(
    reading: Reading,
    plan: ChartPlan,
    starts: Sequence[date],
    trend: Mapping[date, Row],
    linked: bool,
) -> Chart | None:
    question = reading.question
    chosen = [reading.kind.measures[name] for name in plan.columns]
    title, currency = gettext(plan.title), None
    if chosen[0].kind == "money":
        currencies = {
            row["currency"] for start, row in trend.items() if row["transactions"] and start
        }
        if len(currencies) != 1 or None in currencies:
            return None
        currency = currencies.pop()
        title = f"{title} ({currency})"
    series = []
    for measure in chosen:
        values, behind = [], []
        for start in starts:
            row = trend.get(start)
            nothing = 0.0 if measure.kind == "count" else None
            values.append(as_float(row[measure.column]) if row else nothing)
            behind.append(cell(reading, measure, row, start, question.subject, linked).link)
        series.append(
            Series(
                measure_label(reading, measure.column),
                tuple(values),
                tuple(behind),
                plan.kind == "bar",
            )
        )
    if not any(value is not None for each in series for value in each.values):
        return None
    return Chart(
        title,
        chosen[0],
        tuple(i18n.short_period(question.grain, start) for start in starts),
        tuple(i18n.period(question.grain, start) for start in starts),
        tuple(series),
        frozenset(
            place
            for place, start in enumerate(starts)
            if not reading.extent.is_complete(question.grain, start)
        ),
        currency,
    )
