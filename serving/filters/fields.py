"""Every field of a filter, stated once.

Belongs here: the fields in the order of an address, with their options and conditions.
Does not belong here: how a field is declared (`declaring`), what is asked together and the address
(`filter`).

Conditions speak of the table `conversations` (an alias of marts.conversations), of `contacts` or
of `transfers`, as the field says. Days are the days of each conversation's own project, as in the
reports.
"""

# A call is a declaration here: it makes a field, and no value that two filters could share.
# ruff: noqa: RUF009

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from serving import labels
from serving.filters import transfers
from serving.filters.conditions import IS_ID, Condition, has_id, moment, where
from serving.filters.declaring import (
    CONTACT,
    MESSAGES,
    NOTHING,
    PATH,
    RESPONDENT,
    TAG,
    TRANSFER,
    Field,
    Option,
    bound,
    day,
    declared,
    flag,
    one,
    several,
)
from serving.i18n import mark
from serving.parameters import YES_NO, Parameter, score

HIGHEST_SCORE = 10
# What the log lists: conversations, or contacts, of which then each has to meet what is asked.
ROWS = {
    "conversations": Option(mark("Conversations")),
    "contacts": Option(mark("Contacts")),
}
PERIODS = {
    "opened": Option(mark("Opening"), "conversations.started_on"),
    "closed": Option(mark("Closing"), "conversations.closed_on"),
}
# Where a conversation stands; what is closed because it waited too long is closed.
STATUSES = {
    name: Option(labels.STATUSES[name], sql)
    for name, sql in (
        ("open", "not conversations.is_closed and not conversations.is_waiting"),
        ("waiting", "conversations.is_waiting"),
        ("closed", "conversations.is_closed"),
        ("expired", "conversations.close_reason = 'expired'"),
    )
}
NPS_CLASSES = {
    "promoter": Option(mark("Promoters (9–10)"), "conversations.nps_class = 'promoter'"),
    "passive": Option(mark("Passives (7–8)"), "conversations.nps_class = 'passive'"),
    "detractor": Option(mark("Detractors (0–6)"), "conversations.nps_class = 'detractor'"),
    "any": Option(mark("Any answer"), "conversations.nps_class is not null"),
}
# What a figure of the contacts report counts, as a condition on the contact.
CONTACT_STATES = {
    "any": Option(mark("any"), "true"),
    "answered": Option(mark("answered"), "contacts.is_answered"),
    "unanswered": Option(mark("unanswered"), "not contacts.is_answered"),
    "open": Option(mark("open"), "contacts.is_open"),
    "transferred_in": Option(mark("transferred in"), "contacts.is_transferred_in"),
    "transferred_out": Option(mark("transferred out"), "contacts.is_transferred_out"),
    "snoozed": Option(mark("snoozed"), "contacts.end_reason = 'snooze'"),
    "closed": Option(mark("closed"), "contacts.end_reason = 'close'"),
    "timed_out": Option(mark("timed out"), "contacts.end_reason = 'timeout'"),
    "rated": Option(mark("rated"), "contacts.csat_score is not null"),
    "satisfied": Option(mark("rated 4 or 5"), "contacts.is_csat_positive"),
    "converted": Option(mark("with a transaction"), "contacts.is_converted"),
    # What a mean of the report is taken over.
    "ended": Option(mark("ended"), "contacts.duration_seconds is not null"),
    "replied": Option(
        mark("with a first reply time"),
        "contacts.is_human and contacts.first_reply_seconds is not null",
    ),
    "delayed": Option(
        mark("with a closing delay"),
        "contacts.is_human and contacts.closing_delay_seconds is not null",
    ),
}


# A day of any zone lies within a day of UTC's; the table is in the order of started_at, so the
# second half of each reads a part of it alone. What closed by a day had started by then.
def _from(first: date, wanted: Fields) -> Condition:
    known = Condition(f"{PERIODS[wanted.on].sql} >= $first_day", {"first_day": first})
    if wanted.on == "closed":
        return known
    return where(
        [
            known,
            Condition(
                "conversations.started_at >= $first_moment", {"first_moment": moment(first, -1)}
            ),
        ]
    )


def _to(last: date, wanted: Fields) -> Condition:
    return Condition(
        f"{PERIODS[wanted.on].sql} <= $last_day and conversations.started_at < $last_moment",
        {"last_day": last, "last_moment": moment(last, 2)},
    )


def _contact_from(first: date, wanted: Fields) -> Condition:
    return Condition(
        "contacts.started_on >= $contact_first_day"
        " and contacts.started_at >= $contact_first_moment",
        {"contact_first_day": first, "contact_first_moment": moment(first, -1)},
    )


def _contact_to(last: date, wanted: Fields) -> Condition:
    return Condition(
        "contacts.started_on <= $contact_last_day"
        " and contacts.conversation_started_at < $contact_last_moment",
        {"contact_last_day": last, "contact_last_moment": moment(last, 2)},
    )


def _id(id: str, wanted: Fields) -> Condition:
    return has_id(Condition(IS_ID, {"id": id}))


def _tags(tags: tuple[str, ...], wanted: Fields) -> Condition:
    return Condition("list_has_any(contacts.tags, $tag)", {"tag": list(tags)})


def _transfer_from(end: str, wanted: Fields) -> Condition:
    return transfers.end_is(end, "transfer_from", wanted.transfer_by)


def _transfer_to(end: str, wanted: Fields) -> Condition:
    return transfers.end_is(end, "transfer_to", wanted.transfer_by)


def _transfer_target(target: str, wanted: Fields) -> Condition:
    return Condition(
        "transfers.target_kind || ':' || transfers.target_id = $transfer_target",
        {"transfer_target": target},
    )


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What is asked for; the default is all.

    The order of the fields is that of an address, whose names stand first in each. Days are both
    inclusive; where several values can be asked for, `-` stands for none.
    """

    rows: str = one("rows", mark("Rows"), ROWS, about=NOTHING, default="conversations")
    # Whether the period is of the opening or of the closing.
    on: str = one("on", mark("Period of"), PERIODS, about=NOTHING, default="opened")
    first_day: date | None = day("from", mark("First day"), _from)
    last_day: date | None = day("to", mark("Last day"), _to, since="from")

    source: tuple[str, ...] = several("source", mark("Source"), "conversations.source")
    project: tuple[str, ...] = several(
        "project", mark("Project"), "conversations.project_id", names="project"
    )
    channel: tuple[str, ...] = several(
        "channel", mark("Channel"), "conversations.channel", texts=labels.CHANNELS, any_case=True
    )
    language: tuple[str, ...] = several(
        "language", mark("Language of the conversation"), "conversations.language"
    )
    automation: tuple[str, ...] = several(
        "automation",
        mark("Automation"),
        "conversations.automation_level",
        texts=labels.AUTOMATION,
        is_closed=True,
    )
    visitor: tuple[str, ...] = several("visitor", mark("Visitor"), "conversations.visitor_id")

    answered: bool | None = flag("answered", mark("Answered"), "conversations.is_answered")
    answered_by_human: bool | None = flag(
        "answered_by_human", mark("Answered by a human"), "conversations.is_answered_by_human"
    )
    transferred: bool | None = flag(
        "transferred", mark("Transferred"), "conversations.is_transferred"
    )
    bounced: bool | None = flag(
        "bounced", mark("Came back to an agent"), "conversations.is_bounced"
    )
    bot_first: bool | None = flag("bot_first", mark("Begun by a bot"), "conversations.is_bot_first")
    escalated: bool | None = flag(
        "escalated",
        mark("Escalated from a bot"),
        "conversations.is_escalated_from_bot",
    )
    closed: bool | None = flag("closed", mark("Already closed"), "conversations.is_closed")
    rated: bool | None = flag(
        "rated", mark("With a CSAT score"), "conversations.csat_score is not null"
    )
    satisfied: bool | None = flag(
        "satisfied", mark("Rated 4 or 5"), "conversations.is_csat_positive"
    )
    converted: bool | None = flag(
        "converted", mark("With a transaction"), "conversations.is_converted"
    )
    refunded: bool | None = flag(
        "refunded", mark("With a refund"), "conversations.refund_count > 0"
    )
    waiting: bool | None = flag("waiting", mark("Waiting"), "conversations.is_waiting")
    # What a median or a mean of the report is taken over.
    first_reply: bool | None = flag(
        "first_reply",
        mark("With a first reply time"),
        "conversations.first_reply_seconds is not null",
    )
    pickup: bool | None = flag(
        "pickup", mark("With a pick-up time"), "conversations.pickup_seconds is not null"
    )
    resolution: bool | None = flag(
        "resolution",
        mark("With a resolution time"),
        "conversations.resolution_seconds is not null",
    )
    handled: bool | None = flag(
        "handled", mark("With a handling time"), "conversations.handle_seconds is not null"
    )

    status: str = one("status", mark("Status"), STATUSES)
    # Respondents and groups, one of which took part, and tags, one of which a contact carries.
    agents: tuple[str, ...] = several(
        "agent", mark("Agent"), "contacts.agent_id", about=RESPONDENT, names="agent"
    )
    groups: tuple[str, ...] = several(
        "group", mark("Group"), "contacts.group_id", about=RESPONDENT, names="group"
    )
    tags: tuple[str, ...] = several("tag", mark("Tag"), about=TAG, condition=_tags)

    score_min: float | None = bound(
        "score_min", mark("CSAT from"), score(HIGHEST_SCORE), "conversations.csat_score >="
    )
    score_max: float | None = bound(
        "score_max", mark("CSAT to"), score(HIGHEST_SCORE), "conversations.csat_score <="
    )
    nps: str = one("nps", mark("NPS"), NPS_CLASSES)
    # A conversation id of any time, or a contact id.
    id: str = one("id", mark("Conversation or contact id"), condition=_id)
    words: str = one("q", mark("Text"), about=MESSAGES)

    # Of one contact, whose project and channel may have left those of the conversation.
    contact_first_day: date | None = day(
        "contact_from", mark("A contact from"), _contact_from, about=CONTACT
    )
    contact_last_day: date | None = day(
        "contact_to", mark("A contact to"), _contact_to, about=CONTACT, since="contact_from"
    )
    contact_state: str = one("contact", mark("A contact"), CONTACT_STATES, about=CONTACT)
    contact_kinds: tuple[str, ...] = several(
        "contact_kind",
        mark("A contact with"),
        "contacts.agent_kind",
        about=CONTACT,
        texts=labels.AGENT_KINDS,
    )
    contact_projects: tuple[str, ...] = several(
        "contact_project",
        mark("A contact's project"),
        "contacts.project_id",
        about=CONTACT,
        names="project",
    )
    contact_channels: tuple[str, ...] = several(
        "contact_channel",
        mark("A contact's channel"),
        "contacts.channel",
        about=CONTACT,
        texts=labels.CHANNELS,
        any_case=True,
    )

    # Of one transfer: what its ends are, and what they have to be.
    transfer_by: str = one(
        "transfer_by",
        mark("Transfer between"),
        {name: Option(transfers.ENDS[name].label) for name in sorted(transfers.ENDS)},
        about=NOTHING,
        default="agent",
        qualifies=("transfer_from", "transfer_to", "path"),
    )
    transfer_from: str = one(
        "transfer_from",
        mark("Transfer from"),
        about=TRANSFER,
        condition=_transfer_from,
        names="end",
    )
    transfer_to: str = one(
        "transfer_to", mark("Transfer to"), about=TRANSFER, condition=_transfer_to, names="end"
    )
    transfer_first_day: date | None = day(
        "transfer_first_day",
        mark("Transfer asked for from"),
        lambda first, wanted: transfers.asked_from(first),
        about=TRANSFER,
    )
    transfer_last_day: date | None = day(
        "transfer_last_day",
        mark("Transfer asked for to"),
        lambda last, wanted: transfers.asked_to(last),
        about=TRANSFER,
        since="transfer_first_day",
    )
    # What became of it; accepted when not given. One accepted over a rejected link, which joins
    # nothing, is under `asked` alone.
    transfer_outcome: str = one(
        "transfer_outcome", mark("Transfer"), transfers.STATES, about=TRANSFER
    )
    transfer_kind: tuple[str, ...] = several(
        "transfer_kind",
        mark("Kind of transfer"),
        "transfers.kind",
        about=TRANSFER,
        texts=labels.TRANSFER_KINDS,
    )
    # `<target_kind>:<target_id>`, what it was addressed to.
    transfer_target: str = one(
        "transfer_target",
        mark("Transfer addressed to"),
        about=TRANSFER,
        condition=_transfer_target,
        names="target",
    )
    # Respondents in order, each as transfer_by says; whether a part of the way is enough.
    path: tuple[str, ...] = several(
        "path", mark("Path"), about=PATH, names="end", keeps_repeats=True
    )
    path_part: bool = declared(
        False,
        Field(
            Parameter("path_part", YES_NO, label=mark("Part of a path")),
            NOTHING,
            qualifies=("path",),
        ),
    )
