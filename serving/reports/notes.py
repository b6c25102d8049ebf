"""What has to be said about a report: in sentences, in the reader's language.

Belongs here: notes on a period, on amounts, on what is compared, on how the rows are to be read.
Does not belong here: names (`naming`), figures (`figures`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time

from serving import i18n
from serving.i18n import gettext, ngettext
from serving.reports import measures, periods
from serving.reports.figures import money_note, open_contacts
from serving.reports.measures import SHARED
from serving.reports.naming import subject_label
from serving.reports.question import ALL
from serving.reports.reading import Reading
from serving.reports.shown import Gap
from serving.snapshot import Row


def days(reading: Reading) -> str:
    """Whose days the periods are made of."""
    key, moment = reading.question.subject, datetime.combine(reading.question.last, time())
    rows = reading.snapshot.rows(
        """
        select distinct time_zone from marts.projects
        where ($source is null or source = $source)
            and ($project is null or project_id = $project)
        order by time_zone
        """,
        {
            "source": key.source,
            "project": key.value if key.dimension == "project" else None,
        },
    )
    zones = [i18n.zone_label(row["time_zone"], moment) for row in rows]
    if not zones:
        return gettext("Days are those of each project’s time zone.")
    return gettext("Days are those of each project’s time zone: %(zones)s.") % {
        "zones": ", ".join(zones)
    }


def comparison(reading: Reading, previous: Row | None) -> str:
    """With what the period is compared, and what is not; empty where a note says it."""
    question, before = reading.question, reading.before
    if not reading.extent.is_complete(question.grain, question.last):
        return ""
    period = i18n.period(question.grain, before)
    if previous is None:
        return gettext("Not compared: %(period)s has no data.") % {"period": period}
    if before < reading.first_day:
        return gettext(
            "Changes are against %(period)s, of which the data hold only %(first)s to %(last)s,"
            " so counts and sums are not compared; rates change in percentage points (pp)."
        ) % {
            "period": period,
            "first": i18n.day(reading.first_day),
            "last": i18n.day(periods.last_day(question.grain, before)),
        }
    return gettext("Changes are against %(period)s; rates change in percentage points (pp).") % {
        "period": period
    }


def period_notes(reading: Reading, shown: Row | None) -> Iterable[str]:
    question, extent = reading.question, reading.extent
    if not extent.is_complete(question.grain, question.last):
        yield gettext("This period is not over: the data reach to %(day)s. It is not compared.") % {
            "day": i18n.day(extent.newest)
        }
    elif question.last < reading.first_day <= periods.last_day(question.grain, question.last):
        yield gettext("The data begin on %(day)s: this period is not a whole one.") % {
            "day": i18n.day(reading.first_day)
        }
    still_open = open_contacts(shown)
    if still_open:
        yield ngettext(
            "Provisional: %(count)s contact of this period is still open and can change the"
            " figures.",
            "Provisional: %(count)s contacts of this period are still open and can change the"
            " figures.",
            still_open,
        ) % {"count": i18n.number(still_open)}
    elif shown and shown.get("is_provisional"):
        yield _why_provisional(shown)


def _why_provisional(shown: Row) -> str:
    settles_at: datetime | None = shown["settles_at"]
    if settles_at is None:
        return gettext("Provisional: more of this period can come and change the figures.")
    return gettext(
        "Provisional: more of this period can come and change the figures. Going by how late it"
        " came so far, they settle on %(moment)s UTC."
    ) % {"moment": i18n.moment(settles_at)}


def money_notes(reading: Reading, shown: Row | None) -> Iterable[str]:
    if money_note(reading.kind.measures["revenue"], shown):
        yield (
            gettext(
                "Amounts are in several currencies and have no sum: choose a project to see"
                " its revenue."
            )
            if shown and shown["revenue"] is None
            else gettext("The logs do not say in which currency the amounts are.")
        )


def gap(reading: Reading, linked: bool) -> Gap:
    question, key = reading.question, reading.question.subject
    found = reading.snapshot.row(
        f"""
        select
            min(period_start) as first,
            max(period_start) as last,
            max(period_start) filter (period_start <= $last) as before
        from reports.{reading.kind.model}
        where period_grain = $grain
            and dimension = $dimension
            and source is not distinct from $source
            and dimension_value is not distinct from $value
        """,
        {
            "grain": question.grain,
            "last": question.last,
            "dimension": key.dimension,
            "source": key.source,
            "value": key.value,
        },
    )
    subject = subject_label(reading, key)
    if found is None or found["first"] is None:
        text = gettext("%(subject)s: no data in any period.") % {"subject": subject}
        everything = question.address(
            dimension=ALL, source="", project="", value="", first="", last=""
        )
        return Gap(text, gettext("Show all sources"), everything if linked else None)
    nearest = found["before"] or found["first"]
    return Gap(
        gettext("%(subject)s: data from %(first)s to %(last)s.")
        % {
            "subject": subject,
            "first": i18n.period(question.grain, found["first"]),
            "last": i18n.period(question.grain, found["last"]),
        },
        gettext("Show %(period)s") % {"period": i18n.period(question.grain, nearest)},
        question.address(first="", last=nearest) if linked else None,
    )


def remarks(reading: Reading) -> Iterable[str]:
    """What has to be known to read the table."""
    question = reading.question
    if reading.snapshot.scope.is_bound:
        yield gettext(
            "Your key reads %(names)s. What is published over more than that is not shown:"
            " figures by channel, for one, or over several of them together."
        ) % {
            "names": ", ".join((*reading.snapshot.scope.sources, *reading.snapshot.scope.projects))
        }
    if reading.kind.name == "statistics" and question.dimension in SHARED:
        yield gettext(
            "These rows do not add up: a conversation counts for every respondent and group"
            " that took part in it."
        )
    chosen = reading.kind.columns(question.columns)
    if any(measure.is_percentile for measure in chosen):
        yield gettext(
            "Medians and percentiles come from the conversations of each period. They neither"
            " add up nor average."
        )


def crossing(reading: Reading) -> str:
    question = reading.question
    if not question.is_crossed:
        return ""
    text = (
        gettext(
            "The report has no rows by %(dimension)s within one project, so the table shows"
            " periods. The log can be filtered by both."
        )
        if question.project
        else gettext(
            "The report has no rows by %(dimension)s within one source, so the table shows"
            " periods. The log can be filtered by both."
        )
    )
    named = measures.DIMENSIONS_IN_A_SENTENCE[question.dimension]
    return text % {"dimension": gettext(named)}


def crossing_link(reading: Reading) -> str | None:
    question = reading.question
    if not question.is_crossed:
        return None
    return reading.link(question.last, question.scope, None)
