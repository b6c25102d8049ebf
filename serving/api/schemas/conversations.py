"""The models of conversations and of what changed.

Belongs here: names, types and meanings. Does not belong here: making a document (`document`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from serving.api.document import FROM_THE_LOG
from serving.api.schemas.frame import (
    AgentKind,
    Id,
    Model,
    Pagination,
    Success,
    Told,
    local,
    unknown,
    utc,
)


class Item(Model):
    """A conversation in a list."""

    id: str = Field(description="The current id.")
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")


class Contact(Model):
    """A contact: the exchange between the visitor and one respondent."""

    contact_id: Id
    seq: int = Field(ge=1, description="Its place in the conversation.")
    operator_id: Id | None = Field(description="The respondent.")
    respondent_type: Literal["professional", "expert", "bot", "system"] | None = Field(
        description="The kind of respondent, in the platform's words."
    )
    agent_kind: AgentKind = Field(description="The kind of respondent, in the reports' words.")
    group_id: Id | None
    started_at: str = utc("Start.")
    answered_at: str | None = utc("First reply.")
    ended_at: str | None = utc("End; null while open.")
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
    tag_list: list[Id]
    conversation_ref: Id | None = Field(description="The platform's own conversation id.")


class Transfer(Model):
    """A transfer that was asked for."""

    transfer_id: Id
    from_contact_id: Id | None
    to_contact_id: Id | None = Field(description="The contact that opened for it, if one did.")
    from_operator_id: Id | None
    to_operator_id: Id | None
    from_agent_kind: AgentKind
    to_agent_kind: AgentKind
    requested_at: str | None = utc("When it was asked for.")
    kind: str | None = Field(description="`manual`, `bot_escalation` and so on.")
    target_kind: str | None = Field(description="`agent`, `group` or `bot`.")
    target_id: Id | None
    outcome: Literal["accepted", "failed", "abandoned", "pending", "unknown"]
    wait_seconds: float | None = Field(description="From the request to the contact's start.")
    is_rejected_link: bool = Field(description="Whether it joins nothing.")
    rejection_reason: str | None


class Message(Model):
    """A message, in the order of the conversation."""

    message_id: Id
    seq: int = Field(ge=1, description="Its place in the conversation.")
    contact_id: Id
    sent_at: str = utc("When it was sent.")
    author_kind: str | None = Field(description="`visitor`, `agent`, `bot` or `system`.")
    author_id: Id | None
    body: str | None
    content_type: str | None
    is_private: bool = Field(description="A note among operators, which the visitor never sees.")


class Rating(Model):
    """An answer to a question of the satisfaction survey."""

    rating_id: Id
    contact_id: Id | None
    question: str | None = Field(description="`csat`, `nps` or `comment`.")
    score: float | None
    comment: str | None
    answered_at: str | None = utc("When it was given.")
    is_counted: bool = Field(description="Whether it is the one that counts for its question.")


class Satisfaction(Model):
    """What the visitor thought."""

    csat_score: float | None = Field(description="From 1 to 5.")
    nps_score: float | None = Field(description="From 0 to 10.")
    answers: list[Rating]


class Transaction(Model):
    """A purchase."""

    transaction_id: Id
    contact_id: Id | None = Field(description="The contact that the log names.")
    visitor_uid: str | None
    occurred_at: str | None = utc("When it happened.")
    amount: float | None
    currency: str | None
    credited_contact_id: Id | None = Field(description="The contact of the last who replied.")
    credited_operator_id: Id | None = Field(description="The last who replied.")


class AliasOf(Model):
    """Another id that leads here."""

    id: Id
    kind: Literal["contact", "former_conversation", "missing_contact"]
    since: str | None = utc("Since when it leads here.")
    reason: str = Field(
        description="`contact`, `merged` (a former id), `named_by_link` (a missing contact) or"
        " `named_by_former_link` (a missing contact whose link was taken back)."
    )


class Conversation(Model):
    """A unified conversation: all contacts of one exchange, under one id.

    Ids are text, verbatim as the logs have them; whole ones are numbers where the registry says so
    of their source. The conversation's own id has its source in front and is always a text.
    """

    id: str = Field(description="The current id.", examples=["maison_lumiere:310001"])
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")
    channel: str | None
    visitor_uid: str | None
    visitor_id: Id | None = Field(description="The same as `visitor_uid`.")
    website_id: Id | None = Field(description="The project.")
    operator_id: Id | None = Field(description="The last operator.")
    operator_ids: list[Id] = Field(description="Every operator who took part, once, in order.")
    created_at: str = local("Opening.")
    closed_at: str | None = local("Closing; null while a contact is open.")
    operator_answered: bool = Field(description="Whether an operator, or a bot, answered.")
    operator_answer: bool = Field(description="The same as `operator_answered`.")
    operator_closed: bool = Field(description="Whether an operator closed it.")
    tag_list: list[Id] = Field(description="The tags of its contacts.")
    history: str = Field(
        description=(
            "JSON arrays separated by commas: wrapped in `[` and `]` it is JSON. Each has a code"
            " (1 operator, 2 visitor, 3 notification, 5 link, 6 rich content of an operator, 7 of"
            " a visitor), a time on the clock that `meta` names, a text, and with the codes 1 and 2"
            " the epoch in milliseconds. `OPERATOR_TRANSFER` stands where a contact is handed over,"
            " `OPERATOR_TAKEOVER` with an operator id where that operator takes over."
        ),
        examples=['[2,"2026-09-14 21:32:10","Hello",1789435930000]'],
    )
    waiting_list: None = unknown("Whether it came through the waiting list.")
    waitinglist: None = unknown("The same as `waiting_list`.")
    page_type: None = unknown("The type of page.")
    skill_id: Id | None = Field(description=f"The skill. {FROM_THE_LOG}")
    rule_id: Id | None = Field(description=f"The targeting rule. {FROM_THE_LOG}")
    history_link: None = unknown("A link to the history.")
    xmpp_id: None = unknown("The XMPP id.")
    source: str = Field(description="The account of the platform that it comes from.")
    language: str | None
    time_zone: str | None = Field(description="The project's clock.")
    started_at: str = utc("Opening.")
    ended_at: str | None = utc("Closing; null while a contact is open or the conversation waits.")
    changed_at: str = utc("When a load last changed it.")
    is_open: bool = Field(description="Whether a contact is open.")
    is_waiting: bool = Field(
        description="Whether it waits: after a snooze, or for somebody to take a transfer."
    )
    close_reason: str | None = Field(
        description="How the last contact ended; `expired` after waiting too long."
    )
    answered_by_human: bool
    automation_level: Literal["not_automated", "partially_automated", "fully_automated"]
    operator_path: list[Id] = Field(description="The operators in order, one who returns again.")
    contact_count: int = Field(ge=1)
    missing_contact_count: int = Field(ge=0, description="Contacts that links name and no log has.")
    transfer_count: int = Field(ge=0, description="Accepted transfers.")
    transfer_request_count: int = Field(ge=0)
    contacts: list[Contact] = Field(description="In order.")
    transfers: list[Transfer] = Field(description="In the order in which they were asked for.")
    messages: list[Message] = Field(description="In order.")
    satisfaction: Satisfaction
    transaction_count: int = Field(ge=0, description="Of an amount above 0.")
    refund_count: int = Field(ge=0, description="Of an amount below 0.")
    transaction_amount: float | None = Field(
        description="Amounts less refunds; null where currencies differ."
    )
    currency: str | None
    transactions: list[Transaction]
    aliases: list[AliasOf] = Field(description="Every other id that leads here.")


class ConversationList(Model):
    """A page of conversations."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "meta": {"status": "success", "version": "5d41402abc4b2a76", "zone": "UTC"},
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

    meta: Told
    data: list[Item] | list[Conversation] = Field(description="Conversations with `full=1`.")
    pagination: Pagination


class ConversationAnswer(Model):
    """One conversation."""

    meta: Told
    data: Conversation


class ChangedConversation(Model):
    """A conversation that is new or has changed."""

    type: Literal["conversation"]
    id: str
    source: str
    changed_at: str = utc("When a load last changed it.")
    link: str = Field(alias="_link", description="Its address, relative to `/api/2`.")


class Merge(Model):
    """Two published conversations that turned out to be one."""

    type: Literal["merge"]
    old_id: str = Field(description="The id that became an alias.")
    new_id: str = Field(description="The id that stayed.")
    source: str
    merged_at: str = utc("When it was found.")
    evidence: str = Field(
        description="`transfer`, `conversation_ref`, `previous_contact` or `policy`."
    )
    transfer_id: Id | None = Field(description="The transfer that caused it, if one did.")
    link: str = Field(alias="_link", description="Where the conversation is now.")


class Place(Model):
    """Where a reader of the changes stands."""

    limit: int = Field(ge=1, le=100)
    next: str = Field(description="The cursor to go on with, as `since`. It never expires.")
    has_more: bool = Field(description="Whether there is more now.")


class ChangeList(Model):
    """What changed, the earliest first."""

    meta: Success
    data: list[ChangedConversation | Merge]
    pagination: Place
