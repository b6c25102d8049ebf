"""How the two reports go together in a period.

Belongs here: the causes of their difference, and the conversations behind each. Does not belong
here: the difference itself (`reports.reconciliation`, a model).
"""

from __future__ import annotations

from serving import i18n
from serving.i18n import gettext, ngettext
from serving.reports import links
from serving.reports.question import ALL
from serving.reports.reading import Reading
from serving.reports.shown import Cause, Reconciliation

CAUSES = {
    "still_open": (1, i18n.mark("Started in the period, conversation still open")),
    "waiting": (1, i18n.mark("Started in the period, conversation waiting")),
    "closed_in_later_period": (1, i18n.mark("Started in the period, conversation closed later")),
    "closed_in_earlier_period": (
        1,
        i18n.mark("Started in the period, conversation closed earlier"),
    ),
    "started_in_earlier_period": (
        -1,
        i18n.mark("Conversation closed in the period, contact started earlier"),
    ),
    "started_in_later_period": (
        -1,
        i18n.mark("Conversation closed in the period, contact started later"),
    ),
    "unexplained": (1, i18n.mark("Unexplained")),
}


def reconciliation(reading: Reading, linked: bool) -> Reconciliation | None:
    question = reading.question
    if question.subject.dimension not in (ALL, "source"):
        return None
    source = question.source or None
    row = reading.snapshot.row(
        """
        select
            count(*) as sources,
            cast(sum(contacts_report_contacts) as bigint) as contacts_report_contacts,
            cast(sum(statistical_report_conversations) as bigint) as conversations,
            cast(sum(statistical_report_contacts) as bigint) as contacts,
            cast(sum(difference) as bigint) as difference,
            cast(sum(still_open) as bigint) as still_open,
            cast(sum(waiting) as bigint) as waiting,
            cast(sum(closed_in_later_period) as bigint) as closed_in_later_period,
            cast(sum(closed_in_earlier_period) as bigint) as closed_in_earlier_period,
            cast(sum(started_in_earlier_period) as bigint) as started_in_earlier_period,
            cast(sum(started_in_later_period) as bigint) as started_in_later_period,
            cast(sum(unexplained) as bigint) as unexplained
        from reports.reconciliation
        where period_grain = $grain
            and period_start = $start
            and ($source is null or source = $source)
        """,
        {"grain": question.grain, "start": question.last, "source": source},
    )
    if row is None or not row["sources"]:
        return None

    def behind(report: str) -> str | None:
        if not linked:
            return None
        made = links.behind(report, question.grain, question.last, question.scope)
        return links.address(made)

    causes = []
    for name, (sign, label) in CAUSES.items():
        found = links.cause(name, question.grain, question.last, source)
        causes.append(
            Cause(
                name,
                gettext(label),
                i18n.signed(sign * row[name]),
                links.address(found) if linked and row[name] else None,
            )
        )
    return Reconciliation(
        gettext("%(conversations)s = %(contacts)s")
        % {
            "conversations": ngettext(
                "%(count)s conversation", "%(count)s conversations", row["conversations"]
            )
            % {"count": i18n.number(row["conversations"])},
            "contacts": ngettext("%(count)s contact", "%(count)s contacts", row["contacts"])
            % {"count": i18n.number(row["contacts"])},
        },
        i18n.number(row["contacts_report_contacts"]),
        i18n.signed(row["difference"]),
        behind("statistics"),
        behind("contacts"),
        tuple(causes),
    )
