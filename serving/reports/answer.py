"""The answer to a question about a report: its figures, trend, table, notes, ready to be shown.

Belongs here: putting the parts together. Does not belong here: the parts.
"""

from __future__ import annotations

from dataclasses import replace

from serving import i18n
from serving.i18n import gettext
from serving.reports.definitions import definitions
from serving.reports.figures import figure
from serving.reports.naming import subject_label
from serving.reports.notes import (
    comparison,
    crossing,
    crossing_link,
    days,
    gap,
    money_notes,
    period_notes,
    remarks,
)
from serving.reports.reading import Reading
from serving.reports.reconciliation import reconciliation
from serving.reports.shown import Report
from serving.reports.table import table
from serving.reports.trend import charts_of


def report(reading: Reading, *, links_wanted: bool = True) -> Report:
    """The answer.

    Args:
        links_wanted: whether figures lead to the log; a copy stands alone.
    """
    question, kind = reading.question, reading.kind
    trend = reading.trend
    shown, previous = trend.get(question.last), trend.get(reading.before)
    made = Report(
        question=question,
        title=gettext(kind.title),
        subject=subject_label(reading, question.subject),
        period=i18n.period(question.grain, question.last),
        is_incomplete=not reading.extent.is_complete(question.grain, question.last),
        comparison=comparison(reading, previous),
        days=days(reading),
        figures=tuple(
            figure(reading, kind.measures[name], shown, previous, links_wanted)
            for name in kind.headline
        ),
        charts=charts_of(reading, trend, links_wanted),
        table=table(reading, links_wanted=links_wanted),
        reconciliation=reconciliation(reading, links_wanted),
        notes=(*period_notes(reading, shown), *money_notes(reading, shown)),
        period_notes=tuple(period_notes(reading, shown)),
        gap=None if shown else gap(reading, links_wanted),
        remarks=tuple(remarks(reading)),
        crossing=crossing(reading),
        crossing_link=crossing_link(reading),
        definitions=definitions(reading.snapshot, kind),
        all_behind=reading.link(question.last, question.subject, None),
    )
    return made if links_wanted else replace(made, all_behind=None)
