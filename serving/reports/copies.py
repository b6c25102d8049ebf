"""The two reports as files that stand alone: for a mail, an archive, a reader without a server.

Belongs here: which copies there are and what one holds. Does not belong here: when they are
written, where, and for how long they are kept (the pipeline decides).

A copy has no link to anything outside it and asks for nothing when it is opened: charts and styles
are inside. Its figures come the same way as those of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from serving import i18n, web
from serving.i18n import gettext
from serving.reports import charts, periods, question
from serving.reports.answer import report
from serving.reports.measures import KINDS, Kind
from serving.reports.notes import remarks
from serving.reports.periods import Extent
from serving.reports.question import Question
from serving.reports.reading import Reading
from serving.reports.shown import Table
from serving.reports.table import table
from serving.snapshot import Snapshot

# The dimensions that a copy shows beside the periods: few rows each, and nobody's own figures.
DIMENSIONS = ("source", "project", "channel", "group")


@dataclass(frozen=True)
class Section:
    """A table of a copy, under a title of its own."""

    title: str
    table: Table
    remarks: tuple[str, ...]


def copies(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The name and the HTML of each copy: both reports, each grain, each language.

    A grain without a complete period yet has none.
    """
    extent = periods.extent(snapshot)
    if extent is None:
        return
    for grain in periods.GRAINS:
        last = extent.last_complete(grain)
        if last is None:
            continue
        for kind in KINDS.values():
            for language in i18n.LANGUAGES:
                yield (
                    f"{kind.name}-{grain}-{period_code(grain, last)}.{language}.html",
                    render(snapshot, extent, kind, grain, language),
                )


def period_code(grain: str, start: date) -> str:
    """A period as a file's name has it: `2026-11-02`, `2026-W45` or `2026-10`."""
    if grain == "month":
        return f"{start:%Y-%m}"
    if grain == "week":
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02d}"
    return str(start)


def render(snapshot: Snapshot, extent: Extent, kind: Kind, grain: str, language: str) -> str:
    """One copy, over the usual periods of the grain up to the last complete one."""
    before = i18n.language()
    i18n.use(language)
    try:
        asked = question.usual(Question(kind, grain, extent.first, extent.newest), extent)
        return (
            web.environment()
            .get_template("report_copy.html")
            .render(
                kind=kind,
                report=report(Reading(snapshot, extent, asked), links_wanted=False),
                sections=list(_sections(snapshot, extent, asked)),
                snapshot=snapshot,
                legend=charts.legend,
                style=(web.STATIC / "report_copy.css").read_text(encoding="utf-8"),
            )
        )
    finally:
        i18n.use(before)


def _sections(snapshot: Snapshot, extent: Extent, asked: Question) -> Iterator[Section]:
    for each in asked.kind.sets:
        reading = Reading(snapshot, extent, replace(asked, columns=each.name))
        yield Section(
            gettext("%(columns)s, by period") % {"columns": gettext(each.label)},
            table(reading, links_wanted=False),
            tuple(remarks(reading)),
        )
    for dimension in DIMENSIONS:
        if dimension in asked.kind.dimensions:
            reading = Reading(snapshot, extent, replace(asked, dimension=dimension))
            shown = table(reading, links_wanted=False)
            yield Section(shown.caption, shown, tuple(remarks(reading)))
