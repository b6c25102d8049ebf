"""What the answers look like: the models that the OpenAPI document is made of.

Belongs here: names, types and meanings of what is answered. Does not belong here: making it.

Answers are not passed through these models: the tests compare every kind of answer with the OpenAPI
document instead, which forbids any member that is not described.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from serving.api.statistic import INDICATORS

LOCAL_TIME = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"
UTC_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$"
AgentKind = Literal["human", "expert", "bot", "system"] | None


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _local(description: str) -> Any:
    return Field(
        description=f"{description} On the project's clock.",
        pattern=LOCAL_TIME,
        examples=["2026-09-14 21:32:10"],
    )


def _utc(description: str) -> Any:
    return Field(
        description=f"{description} In UTC.", pattern=UTC_TIME, examples=["2026-09-15T01:32:10Z"]
    )


def _unknown(description: str) -> Any:
    return Field(description=f"{description} Always null: no log of this warehouse holds it.")


class Success(_Model):
    """How the request went."""

    status: Literal["success"]


class Problem(_Model):
    """What is wrong."""

    status: Literal["fail", "error"] = Field(
        description="`fail`: the request asks for what cannot be. `error`: anything else."
    )
    message: str = Field(description="What is wrong and, where it helps, the remedy.")


class Failure(_Model):
    """An answer without data."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"meta": {"status": "fail", "message": "Unknown 'conversation' with 'id' 42."}}
            ]
        },
    )

    meta: Problem


class Pagination(_Model):
    """Where a page stands."""

    page: int = Field(ge=1, description="This page.")
    pages: int = Field(ge=1, description="How many pages there are; 1 when there is nothing.")
    limit: int = Field(ge=1, le=100, description="How many items a page has.")
    count: int = Field(ge=0, description="How many items there are.")


class Item(_Model):
    """A conversation in a list."""

    id: str = Field(description="The current id.")
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")


class Contact(_Model):
    """A contact: the exchange between the visitor and one respondent."""

    contact_id: str
    seq: int = Field(ge=1, description="Its place in the conversation.")
    operator_id: str | None = Field(description="The respondent.")
    respondent_type: Literal["professional", "expert", "bot", "system"] | None = Field(
        description="The kind of respondent, in the platform's words."
    )
    agent_kind: AgentKind = Field(description="The kind of respondent, in the reports' words.")
    group_id: str | None
    started_at: str = _utc("Start.")
    answered_at: str | None = _utc("First reply.")
    ended_at: str | None = _utc("End; null while open.")
    end_reason: str | None = Field(description="`transfer`, `snooze`, `close` or `timeout`.")
    is_open: bool
    answered: bool = Field(description="Whether the respondent replied.")
    transferred_in: bool = Field(description="Whether a transfer opened it.")
    transferred_out: bool = Field(description="Whether it was transferred.")
    transfer_wait_seconds: float | None = Field(
        description="From the request of the transfer that opened it to its start."
    )
    duration_seconds: float | None
    first_reply_seconds: float | None
    sent_message_number: int | None = Field(description="Messages that the respondent sent.")
    received_message_number: int | None = Field(description="Messages that the visitor sent.")
    tag_list: list[str]
    conversation_ref: str | None = Field(description="The platform's own conversation id.")


class Transfer(_Model):
    """A transfer that was asked for."""

    transfer_id: str
    from_contact_id: str | None
    to_contact_id: str | None = Field(description="The contact that opened for it, if one did.")
    from_operator_id: str | None
    to_operator_id: str | None
    from_agent_kind: AgentKind
    to_agent_kind: AgentKind
    requested_at: str | None = _utc("When it was asked for.")
    kind: str | None = Field(description="`manual`, `bot_escalation` and so on.")
    target_kind: str | None = Field(description="`agent`, `group` or `bot`.")
    target_id: str | None
    outcome: Literal["accepted", "failed", "abandoned", "unknown"]
    wait_seconds: float | None = Field(description="From the request to the contact's start.")
    is_rejected_link: bool = Field(description="Whether it joins nothing.")
    rejection_reason: str | None


class Message(_Model):
    """A message, in the order of the conversation."""

    message_id: str
    seq: int = Field(ge=1, description="Its place in the conversation.")
    contact_id: str
    sent_at: str = _utc("When it was sent.")
    author_kind: str | None = Field(description="`visitor`, `agent`, `bot` or `system`.")
    author_id: str | None
    body: str | None
    content_type: str | None


class Rating(_Model):
    """An answer to a question of the satisfaction survey."""

    rating_id: str
    contact_id: str | None
    question: str | None = Field(description="`csat`, `nps` or `comment`.")
    score: float | None
    comment: str | None
    answered_at: str | None = _utc("When it was given.")
    is_counted: bool = Field(description="Whether it is the one that counts for its question.")


class Satisfaction(_Model):
    """What the visitor thought."""

    csat_score: float | None = Field(description="From 1 to 5.")
    nps_score: float | None = Field(description="From 0 to 10.")
    answers: list[Rating]


class Transaction(_Model):
    """A purchase."""

    transaction_id: str
    contact_id: str | None = Field(description="The contact that the log names.")
    visitor_uid: str | None
    occurred_at: str | None = _utc("When it happened.")
    amount: float | None
    currency: str | None
    credited_contact_id: str | None = Field(description="The contact of the last who replied.")
    credited_operator_id: str | None = Field(description="The last who replied.")


class AliasOf(_Model):
    """Another id that leads here."""

    id: str
    kind: Literal["contact", "former_conversation", "missing_contact"]
    since: str | None = _utc("Since when it leads here.")
    reason: str = Field(
        description="`contact`, `merged` (a former id) or `named_by_link` (a missing contact)."
    )


class Conversation(_Model):
    """A unified conversation: all contacts of one exchange, under one id.

    Ids are text, verbatim as the logs have them.
    """

    id: str = Field(description="The current id.", examples=["maison_lumiere:310001"])
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")
    channel: str | None
    visitor_uid: str | None
    visitor_id: str | None = Field(description="The same as `visitor_uid`.")
    website_id: str | None = Field(description="The project.")
    operator_id: str | None = Field(description="The last operator.")
    operator_ids: list[str] = Field(description="Every operator who took part, once, in order.")
    created_at: str = _local("Opening.")
    closed_at: str | None = _local("Closing; null while a contact is open.")
    operator_answered: bool = Field(description="Whether an operator, or a bot, answered.")
    operator_answer: bool = Field(description="The same as `operator_answered`.")
    operator_closed: bool = Field(description="Whether an operator closed it.")
    tag_list: list[str] = Field(description="The tags of its contacts.")
    history: str = Field(
        description=(
            "JSON arrays separated by commas: wrapped in `[` and `]` it is JSON. Each has a code"
            " (1 operator, 2 visitor, 3 notification, 5 link, 6 rich content of an operator, 7 of"
            " a visitor), a time on the project's clock, a text, and with the codes 1 and 2 the"
            " epoch in milliseconds. `OPERATOR_TRANSFER` stands where a contact is handed over,"
            " `OPERATOR_TAKEOVER` with an operator id where that operator takes over."
        ),
        examples=['[2,"2026-09-14 21:32:10","Hello",1789435930000]'],
    )
    waiting_list: None = _unknown("Whether it came through the waiting list.")
    waitinglist: None = _unknown("The same as `waiting_list`.")
    page_type: None = _unknown("The type of page.")
    skill_id: None = _unknown("The skill.")
    rule_id: None = _unknown("The targeting rule.")
    history_link: None = _unknown("A link to the history.")
    xmpp_id: None = _unknown("The XMPP id.")
    source: str = Field(description="The account of the platform that it comes from.")
    language: str | None
    time_zone: str | None = Field(description="The project's clock.")
    started_at: str = _utc("Opening.")
    ended_at: str | None = _utc("Closing; null while a contact is open.")
    changed_at: str = _utc("When a load last changed it.")
    is_open: bool
    close_reason: str | None = Field(description="How the last contact ended.")
    answered_by_human: bool
    automation_level: Literal["not_automated", "partially_automated", "fully_automated"]
    operator_path: list[str] = Field(description="The operators in order, one who returns again.")
    contact_count: int = Field(ge=1)
    missing_contact_count: int = Field(ge=0, description="Contacts that links name and no log has.")
    transfer_count: int = Field(ge=0, description="Accepted transfers.")
    transfer_request_count: int = Field(ge=0)
    contacts: list[Contact] = Field(description="In order.")
    transfers: list[Transfer] = Field(description="In the order in which they were asked for.")
    messages: list[Message] = Field(description="In order.")
    satisfaction: Satisfaction
    transaction_count: int = Field(ge=0)
    transaction_amount: float | None = Field(description="Null where currencies differ.")
    currency: str | None
    transactions: list[Transaction]
    aliases: list[AliasOf] = Field(description="Every other id that leads here.")


class ConversationList(_Model):
    """A page of conversations."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "meta": {"status": "success"},
                    "data": [
                        {
                            "id": "maison_lumiere:310001",
                            "_link": "/conversation/maison_lumiere:310001",
                        }
                    ],
                    "pagination": {"page": 1, "pages": 1, "limit": 20, "count": 1},
                }
            ]
        },
    )

    meta: Success
    data: list[Item] | list[Conversation] = Field(description="Conversations with `full=1`.")
    pagination: Pagination


class ConversationAnswer(_Model):
    """One conversation."""

    meta: Success
    data: Conversation


class ChangedConversation(_Model):
    """A conversation that is new or has changed."""

    type: Literal["conversation"]
    id: str
    source: str
    changed_at: str = _utc("When a load last changed it.")
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")


class Merge(_Model):
    """Two published conversations that turned out to be one."""

    type: Literal["merge"]
    old_id: str = Field(description="The id that became an alias.")
    new_id: str = Field(description="The id that stayed.")
    source: str
    merged_at: str = _utc("When it was found.")
    evidence: str = Field(
        description="`transfer`, `conversation_ref`, `previous_contact` or `policy`."
    )
    transfer_id: str | None = Field(description="The transfer that caused it, if one did.")
    link: str = Field(alias="_link", description="Where the conversation is now.")


class Place(_Model):
    """Where a reader of the changes stands."""

    limit: int = Field(ge=1, le=100)
    next: str = Field(description="The cursor to go on with, as `since`. It never expires.")
    has_more: bool = Field(description="Whether there is more now.")


class ChangeList(_Model):
    """What changed, the earliest first."""

    meta: Success
    data: list[ChangedConversation | Merge]
    pagination: Place


_figures: dict[str, Any] = {
    name: (float | None, Field(default=None, description=indicator.description))
    for name, indicator in INDICATORS.items()
}
Figures = create_model(
    "Figures",
    __base__=_Model,
    __doc__="Figures of the whole period: those asked for. A mean or rate over nothing is null.",
    **_figures,
)
FiguresOf = create_model(
    "FiguresOf",
    __base__=_Model,
    __doc__="Figures of one operator or group, of one slot of time, or of both.",
    id=(str | None, Field(default=None, description="The operator or group.")),
    source=(str | None, Field(default=None, description="Its source.")),
    date=(
        str | None,
        Field(default=None, description="`YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DD HH:00:00`."),
    ),
    **_figures,
)


class StatisticAnswer(_Model):
    """The platform's indicators."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "meta": {"status": "success"},
                    "data": [{"id": "9", "source": "maison_lumiere", "contact_number": 58}],
                }
            ]
        },
    )

    meta: Success
    data: Figures | list[FiguresOf] = Field(  # type: ignore[valid-type]
        description="An object; a list with `resource` or `granularity`."
    )
