"""The contract's counting rules a second time, in plain Python, to compare the marts with.

Belongs here: what the contract and the domain notes say, worked out row by row with no regard to
speed: newest versions, the partition (networkx), order, facts, both reports.
Does not belong here: anything taken from the SQL, and anything that the contract leaves open: such
a figure is `OPEN`, and the comparison passes over it.

Times are aware datetimes in UTC. Rows are dictionaries of the canonical logs, their ids text.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import networkx

Row = dict[str, Any]


class _Open:
    """A figure that the contract leaves open."""

    def __repr__(self) -> str:
        return "OPEN"


OPEN: Any = _Open()
HUMANS = {"human", "expert"}
KINDS = HUMANS | {"bot", "system"}
OUTCOMES = {"accepted", "failed", "abandoned", "pending"}
# For how long a visitor's message may wait for its contact.
QUEUE = timedelta(days=30)
# The columns that date an event. When a record was updated is none.
EVENTS = ("started_at", "answered_at", "ended_at", "requested_at", "sent_at", "occurred_at")


@dataclass(frozen=True)
class Policy:
    """What the registry says of a source.

    Attributes:
        time_zone: for times without an offset.
        report_zone: the time zone of the source's project, for the days of both reports.
        reject_visitor_mismatch: a link between two different known visitors is none.
        max_gap_days: a link over more days than this is none.
        waiting_days: for how long a conversation waits without news.
    """

    time_zone: str = "UTC"
    report_zone: str = "UTC"
    reject_visitor_mismatch: bool = False
    max_gap_days: int | None = None
    waiting_days: int = 7


@dataclass
class Logs:
    """All delivered rows of one source, log by log, in the order in which they were loaded."""

    contacts: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    ratings: list[Row] = field(default_factory=list)
    transactions: list[Row] = field(default_factory=list)


@dataclass
class Conversation:
    """One conversation: its contacts in order, and the rows that belong to it."""

    source: str
    contacts: list[Row]
    missing: set[str]
    order_is_fixed: bool
    has_self_link: bool
    has_rejected_link: bool
    has_cycle: Any
    rejected_transfers: list[tuple[str, str]]
    transfers: list[Row]
    messages: list[Row]
    ratings: list[Row]
    transactions: list[Row]
    last_contact: Row | None
    waiting: timedelta
    newest_event: datetime

    @property
    def contact_ids(self) -> set[str]:
        return {contact["contact_id"] for contact in self.contacts}


# --- versions -------------------------------------------------------------------------------------


def _instant(value: str | None, zone: str) -> datetime | None:
    """A time as the log spells it; one without an offset is read in the zone."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(ZoneInfo("UTC"))


def _typed(row: Mapping[str, Any], zone: str) -> Row:
    return {
        column: _instant(value, zone) if column.endswith("_at") else value
        for column, value in row.items()
    }


_LONG_AGO = datetime.min.replace(tzinfo=ZoneInfo("UTC"))


def newest(rows: Iterable[Row], key: Any) -> list[Row]:
    """One row per key: the newest `updated_at`, then the latest load."""
    winners: dict[Hashable, Row] = {}
    for row in rows:
        known = winners.get(key(row))
        if known is None or (row.get("updated_at") or _LONG_AGO) >= (
            known.get("updated_at") or _LONG_AGO
        ):
            winners[key(row)] = row
    return list(winners.values())


def _transfer_key(row: Row) -> Hashable:
    if row.get("transfer_id") is not None:
        return str(row["transfer_id"])
    return row["from_contact_id"], row["requested_at"], row.get("to_contact_id")


def _message_key(row: Row) -> Hashable:
    return row.get("message_id") or tuple(sorted((name, str(value)) for name, value in row.items()))


def _newest_messages(rows: Iterable[Row]) -> list[Row]:
    """The messages; a row without id and text takes the text of its moment away, for good."""

    def moment(row: Row) -> Hashable:
        return row["contact_id"], row["sent_at"], row["author_kind"]

    rows = list(rows)
    nameless = [row for row in rows if not row.get("message_id")]
    told = {moment(row) for row in nameless if row.get("body")}
    removed = {moment(row) for row in nameless if not row.get("body")}
    found = newest(
        (
            row
            for row in rows
            if row.get("message_id") or row.get("body") or moment(row) not in told
        ),
        _message_key,
    )
    for row in found:
        if not row.get("message_id") and moment(row) in removed:
            row["body"] = None
    return found


def _is_timed(message: Row, contact: Row | None) -> bool:
    """Whether a message lies in its contact, so that durations are taken from it."""
    if contact is None:
        return True
    if contact["ended_at"] is not None and message["sent_at"] > contact["ended_at"]:
        return False
    is_reply = message["author_kind"] in {"agent", "bot"}
    waited = contact["started_at"] - message["sent_at"]
    return bool(waited <= (timedelta(0) if is_reply else QUEUE))


# --- identity -------------------------------------------------------------------------------------


def _is_rejected(one: Row | None, other: Row | None, policy: Policy) -> bool:
    if one is None or other is None:
        return False
    visitors = {one.get("visitor_id"), other.get("visitor_id")} - {None}
    if policy.reject_visitor_mismatch and len(visitors) == 2:
        return True
    if policy.max_gap_days is None:
        return False
    gap = abs(one["started_at"] - other["started_at"])
    return bool(gap > timedelta(days=policy.max_gap_days))


def conversations(source: str, logs: Logs, policy: Policy) -> list[Conversation]:
    """Every conversation of a source, its contacts in order.

    With a policy, contacts must not carry a `conversation_ref`: the contract does not say which
    pairs of a group a policy looks at.
    """
    zone = policy.time_zone

    def typed(rows: list[Row]) -> list[Row]:
        return [_typed(row, zone) for row in rows]

    contacts = {
        row["contact_id"]: row
        for row in newest(typed(logs.contacts), lambda row: row["contact_id"])
    }
    transfers = newest(typed(logs.transfers), _transfer_key)
    messages = _newest_messages(typed(logs.messages))
    ratings = newest(typed(logs.ratings), lambda row: row["rating_id"])
    transactions = newest(typed(logs.transactions), lambda row: row["transaction_id"])

    for row in contacts.values():
        if row.get("agent_kind") not in KINDS:
            row["agent_kind"] = None
    for row in transfers:
        if row.get("outcome") is not None and row["outcome"] not in OUTCOMES:
            # What nobody can read says nothing; that both contacts are there does.
            ends = {row["from_contact_id"], row.get("to_contact_id")}
            row["outcome"] = "accepted" if ends <= set(contacts) else "unknown"
    for row in messages:
        row["is_timed"] = _is_timed(row, contacts.get(row["contact_id"]))

    events = [
        row[column]
        for rows in (contacts.values(), transfers, messages, ratings, transactions)
        for row in rows
        for column in EVENTS
        if row.get(column) is not None
    ]

    graph = networkx.Graph()
    graph.add_nodes_from(contacts)
    arrows: list[tuple[str, str]] = []
    looped: set[str] = set()
    rejected: set[str] = set()
    for one, other in [
        *(
            (row["from_contact_id"], row["to_contact_id"])
            for row in transfers
            if row.get("to_contact_id") is not None
        ),
        *(
            (row["previous_contact_id"], row["contact_id"])
            for row in contacts.values()
            if row.get("previous_contact_id") is not None
        ),
    ]:
        if one == other:
            looped.add(one)
            graph.add_node(one)
        elif _is_rejected(contacts.get(one), contacts.get(other), policy):
            rejected |= {one, other}
        else:
            graph.add_edge(one, other)
            arrows.append((one, other))
    for row in contacts.values():
        if row.get("conversation_ref") is not None:
            graph.add_edge(("ref", row["conversation_ref"]), row["contact_id"])

    found = []
    for component in networkx.connected_components(graph):
        ids = {node for node in component if not isinstance(node, tuple)}
        members = [contacts[name] for name in ids if name in contacts]
        if not members:
            continue
        ordered, is_fixed = _ordered(members, arrows)
        found.append(
            Conversation(
                source=source,
                contacts=ordered,
                missing=ids - set(contacts),
                order_is_fixed=is_fixed,
                has_self_link=bool(ids & looped),
                has_rejected_link=bool(ids & rejected),
                has_cycle=_has_cycle([arrow for arrow in arrows if arrow[0] in ids]),
                rejected_transfers=[
                    (row["from_contact_id"], row["to_contact_id"])
                    for row in transfers
                    if row["from_contact_id"] in ids
                    and row["from_contact_id"] != row.get("to_contact_id")
                    and _is_rejected(
                        contacts.get(row["from_contact_id"]),
                        contacts.get(row.get("to_contact_id")),
                        policy,
                    )
                ],
                transfers=[row for row in transfers if row["from_contact_id"] in ids],
                messages=[row for row in messages if row["contact_id"] in ids],
                ratings=[row for row in ratings if row["contact_id"] in ids],
                transactions=[row for row in transactions if row.get("contact_id") in ids],
                last_contact=_last(members, arrows),
                waiting=timedelta(days=policy.waiting_days),
                newest_event=max(events),
            )
        )
    return found


def _ordered(members: list[Row], arrows: list[tuple[str, str]]) -> tuple[list[Row], bool]:
    """Contacts by start, ties by the links between them, and whether that leaves one order only."""
    is_fixed = True
    ordered: list[Row] = []
    by_start: dict[datetime, list[Row]] = defaultdict(list)
    for row in members:
        by_start[row["started_at"]].append(row)
    for start in sorted(by_start):
        group = sorted(by_start[start], key=lambda row: row["contact_id"])
        if len(group) > 1:
            names = {row["contact_id"]: row for row in group}
            links = networkx.DiGraph()
            links.add_nodes_from(names)
            links.add_edges_from((a, b) for a, b in arrows if a in names and b in names)
            if networkx.is_directed_acyclic_graph(links):
                path = list(networkx.topological_sort(links))
                is_fixed &= all(links.has_edge(a, b) for a, b in pairwise(path))
                group = [names[name] for name in path]
            else:
                is_fixed = False
        ordered += group
    return ordered, is_fixed


def _last(members: list[Row], arrows: list[tuple[str, str]]) -> Row | None:
    """The last contact, None where links go round among several that start last.

    By start; then by the steps of links since that instant, then the end, an open contact last,
    then the id: decision 0002.
    """
    start = max(row["started_at"] for row in members)
    names = {row["contact_id"]: row for row in members if row["started_at"] == start}
    before: dict[str, str] = {}
    for one, other in arrows:
        if one in names and other in names:
            before[other] = min(one, before.get(other, one))
    depths = {}
    for name in names:
        path = [name]
        while path[-1] in before:
            path.append(before[path[-1]])
            if len(path) > len(names):
                return None
        depths[name] = len(path)
    return max(
        names.values(),
        key=lambda row: (
            depths[row["contact_id"]],
            row["ended_at"] is None,
            row["ended_at"] or start,
            row["contact_id"],
        ),
    )


def _has_cycle(arrows: list[tuple[str, str]]) -> Any:
    """Whether links go round; where only their directions keep them from it is left open."""
    if not networkx.is_directed_acyclic_graph(networkx.DiGraph(arrows)):
        return True
    return False if not arrows or networkx.is_forest(networkx.Graph(arrows)) else OPEN


def quality_codes(one: Conversation) -> dict[str, Any]:
    """The codes of the graph-quality table that the contract fixes, and whether they apply."""
    return {
        "self_link": one.has_self_link,
        "cycle": one.has_cycle,
        "missing_contact": bool(one.missing),
        # A rejected link may be reported at either end.
        "rejected_link": OPEN if one.has_rejected_link else False,
        "message_outside_contact": not all(row["is_timed"] for row in one.messages),
        "message_under_several_contacts": False,
        "negative_first_reply": any(
            row["answered_at"] is not None
            and row["answered_at"] < row["started_at"]
            and not any(message["contact_id"] == row["contact_id"] for message in one.messages)
            for row in one.contacts
        ),
        "reused_contact_id": False,
    }


# --- facts ----------------------------------------------------------------------------------------


def outcome(transfer: Row) -> str:
    """What became of a transfer."""
    stated = transfer.get("outcome")
    if stated is not None:
        return str(stated)
    return "accepted" if transfer.get("to_contact_id") is not None else "unknown"


def _seconds(later: datetime | None, earlier: datetime | None) -> float | None:
    if later is None or earlier is None:
        return None
    return (later - earlier).total_seconds()


def _last_score(ratings: list[Row], question: str) -> float | None:
    answers = [row for row in ratings if row["question"] == question]
    if not answers:
        return None
    return float(max(answers, key=lambda row: row["answered_at"])["score"])


def _replies(contact: Row, messages: list[Row], *, is_timed: bool = True) -> list[datetime]:
    """When a respondent replied in a contact: from its messages or else from the log's field.

    Of the messages those that lie in the contact, or all: they say whether it was answered.
    """
    mine = [row for row in messages if row["contact_id"] == contact["contact_id"]]
    if mine:
        return sorted(
            row["sent_at"]
            for row in mine
            if row["author_kind"] in {"agent", "bot"} and (row["is_timed"] or not is_timed)
        )
    answered_at = contact.get("answered_at")
    return [] if answered_at is None else [answered_at]


def _answered(one: Conversation) -> dict[str, bool]:
    """Whether a respondent replied, at whatever time, by contact."""
    return {
        row["contact_id"]: bool(_replies(row, one.messages, is_timed=False)) for row in one.contacts
    }


def _asked(messages: Iterable[Row]) -> list[datetime]:
    """When the visitor wrote, as far as durations start there."""
    return [
        row["sent_at"] for row in messages if row["author_kind"] == "visitor" and row["is_timed"]
    ]


def _news_while_waiting(one: Conversation) -> Any:
    """When there were last news of a conversation that its last contact leaves waiting, else None.

    News are an end, the request that nobody has taken, and a message.
    """
    if any(row["ended_at"] is None for row in one.contacts):
        return None
    if one.last_contact is None:
        return OPEN
    name = one.last_contact["contact_id"]
    pending = [
        row["requested_at"]
        for row in one.transfers
        if row["from_contact_id"] == name and outcome(row) == "pending"
    ]
    if one.last_contact["end_reason"] != "snooze" and not pending:
        return None
    said = [
        row["sent_at"]
        for row in one.messages
        if row["contact_id"] in one.contact_ids and row["author_kind"] != "system"
    ]
    return max([row["ended_at"] for row in one.contacts] + pending + said)


def _is_bounced(path: Sequence[str]) -> bool:
    last_seen: dict[str, int] = {}
    for place, agent in enumerate(path):
        if agent in last_seen and any(
            other != agent for other in path[last_seen[agent] + 1 : place]
        ):
            return True
        last_seen[agent] = place
    return False


def conversation_facts(one: Conversation) -> Row:
    """The columns of marts.conversations that the contract fixes."""
    contacts = one.contacts
    kinds = Counter(row["agent_kind"] for row in contacts)
    humans = sum(kinds[kind] for kind in HUMANS)
    path = [row["agent_id"] for row in contacts if row["agent_id"] is not None]
    accepted = [row for row in one.transfers if outcome(row) == "accepted"]
    is_open = any(row["ended_at"] is None for row in contacts)
    ended_at = None if is_open else max(row["ended_at"] for row in contacts)
    news_at = _news_while_waiting(one)
    is_expired = is_waiting = news_at
    if news_at is not OPEN:
        is_expired = news_at is not None and one.newest_event - news_at >= one.waiting
        is_waiting = news_at is not None and not is_expired
    closed_at = OPEN if is_waiting is OPEN else None if is_waiting else ended_at
    replies = {row["contact_id"]: _replies(row, one.messages) for row in contacts}
    human_replies = [
        moment
        for row in contacts
        if row["agent_kind"] in HUMANS
        for moment in replies[row["contact_id"]]
    ]
    answered = _answered(one)
    asked = _asked(one.messages)
    first_asked = min(asked) if asked else contacts[0]["started_at"]
    kind_of = {row["contact_id"]: row["agent_kind"] for row in contacts}
    counts_are_fixed = not (one.has_self_link or one.has_rejected_link)
    bot_to_human = any(
        kind_of.get(row["from_contact_id"]) == "bot" and kind_of.get(row["to_contact_id"]) in HUMANS
        for row in accepted
    )
    is_escalated: Any = OPEN
    if not (kinds["bot"] and humans):
        is_escalated = False
    elif bot_to_human and counts_are_fixed and one.order_is_fixed:
        # A bot that gets the exchange back from a human and never hands it on is left open.
        first_bot = next(i for i, row in enumerate(contacts) if row["agent_kind"] == "bot")
        last_human = max(i for i, row in enumerate(contacts) if row["agent_kind"] in HUMANS)
        is_escalated = True if first_bot < last_human else OPEN
    level = "not_automated"
    if kinds["bot"]:
        level = "partially_automated" if humans else "fully_automated"
    amounts = [float(row["amount"]) for row in one.transactions if float(row["amount"])]
    first_reply = min(human_replies) if human_replies else None
    close_reason: Any = OPEN
    if is_expired is True:
        close_reason = "expired"
    elif len(contacts) == 1 and closed_at is not OPEN:
        # Which of several contacts says why the conversation closed is left open.
        close_reason = contacts[0]["end_reason"] if closed_at else None
    is_bot_first: Any = contacts[0]["agent_kind"] == "bot" if one.order_is_fixed else OPEN
    return {
        "source": one.source,
        "project_id": contacts[0]["project_id"],
        "channel": contacts[0]["channel"],
        "_is_bot_first": is_bot_first,
        "started_at": min(row["started_at"] for row in contacts),
        "closed_at": closed_at,
        "is_closed": OPEN if closed_at is OPEN else closed_at is not None,
        "is_waiting": is_waiting,
        "contact_count": len(contacts),
        "missing_contact_count": len(one.missing),
        "human_contact_count": humans,
        "bot_contact_count": kinds["bot"],
        "agent_count": len(set(path)),
        "transfer_request_count": len(one.transfers) if counts_are_fixed else OPEN,
        "transfer_count": len(accepted) if counts_are_fixed else OPEN,
        "is_transferred": bool(accepted) if counts_are_fixed else OPEN,
        "is_escalated": is_escalated,
        "is_bounced": _is_bounced(path) if one.order_is_fixed else OPEN,
        "first_agent_id": contacts[0]["agent_id"]
        if one.order_is_fixed and contacts[0]["agent_id"] is not None
        else OPEN,
        "last_agent_id": contacts[-1]["agent_id"]
        if one.order_is_fixed and contacts[-1]["agent_id"] is not None
        else OPEN,
        # Whether a missing agent or the same agent twice in a row shows in the path is left open.
        "agent_path": path
        if one.order_is_fixed
        and len(path) == len(contacts)
        and all(a != b for a, b in pairwise(path))
        else OPEN,
        "automation_level": level,
        "close_reason": close_reason,
        "is_answered": any(answered.values()),
        "is_answered_by_human": any(
            answered[row["contact_id"]] for row in contacts if row["agent_kind"] in HUMANS
        ),
        "first_visitor_message_at": min(asked) if asked else OPEN,
        "first_human_reply_at": first_reply,
        "first_reply_seconds": _seconds(first_reply, first_asked) if asked else None,
        "pickup_seconds": None if asked else _seconds(first_reply, first_asked),
        "resolution_seconds": OPEN if closed_at is OPEN else _seconds(closed_at, first_asked),
        "handle_seconds": sum(_seconds(row["ended_at"], row["started_at"]) or 0 for row in contacts)
        if not is_open and not kinds["bot"]
        else OPEN,
        "messages_sent_count": sum(row["author_kind"] in {"agent", "bot"} for row in one.messages)
        if one.messages
        else OPEN,
        "messages_received_count": sum(row["author_kind"] == "visitor" for row in one.messages)
        if one.messages
        else OPEN,
        "csat_score": _last_score(one.ratings, "csat"),
        "nps_score": _last_score(one.ratings, "nps"),
        "transaction_count": sum(amount > 0 for amount in amounts),
        "refund_count": sum(amount < 0 for amount in amounts),
        "transaction_amount": round(sum(amounts), 4) if amounts else OPEN,
    }


def _wait(contact: Row, inward: Sequence[Row]) -> Any:
    """From the request to the start; a contact that starts before its request is left open."""
    if not inward:
        return None
    wait = _seconds(contact["started_at"], inward[0]["requested_at"])
    return OPEN if wait is not None and wait < 0 else wait


def _turns(contact: Row, messages: list[Row]) -> list[float]:
    """The seconds of each visitor message that an agent's reply follows."""
    turns = []
    asked: datetime | None = None
    mine = [
        row for row in messages if row["contact_id"] == contact["contact_id"] and row["is_timed"]
    ]
    # Of two messages in one second the visitor's is the first.
    for row in sorted(mine, key=lambda row: (row["sent_at"], row["author_kind"] != "visitor")):
        if row["author_kind"] == "visitor":
            asked = asked or row["sent_at"]
        elif row["author_kind"] in {"agent", "bot"} and asked is not None:
            turns.append((row["sent_at"] - asked).total_seconds())
            asked = None
    return turns


def contact_facts(one: Conversation) -> dict[str, Row]:
    """The columns of marts.contacts that the contract fixes, by contact id."""
    accepted = [row for row in one.transfers if outcome(row) == "accepted"]
    counts_are_fixed = not (one.has_self_link or one.has_rejected_link)
    csat = _last_score(one.ratings, "csat")
    replies = {row["contact_id"]: _replies(row, one.messages) for row in one.contacts}
    answered = _answered(one)
    answered_by = {
        row["agent_id"]
        for row in one.contacts
        if answered[row["contact_id"]] and row["agent_id"] is not None
    }
    last_reply = (
        max((max(times), name) for name, times in replies.items() if times)
        if any(replies.values())
        else None
    )
    tied = (
        last_reply is not None
        and sum(bool(times) and max(times) == last_reply[0] for times in replies.values()) > 1
    )
    if last_reply is None and any(answered.values()):
        # Who is credited when no reply has a time that counts is left open.
        tied = True
    amounts = [float(row["amount"]) for row in one.transactions]
    amount, bought = round(sum(amounts), 4), sum(amount > 0 for amount in amounts)
    facts = {}
    for place, row in enumerate(one.contacts):
        name = row["contact_id"]
        inward = [item for item in accepted if item.get("to_contact_id") == name]
        mine = [item for item in one.messages if item["contact_id"] == name]
        asked = _asked(mine)
        is_human = row["agent_kind"] in HUMANS
        turns = _turns(row, one.messages)
        first = min(replies[name]) if replies[name] else None
        credited: Any = csat if answered[name] else None
        if csat is not None and not answered[name] and row["agent_id"] in answered_by:
            # The respondent answered in another contact of the conversation.
            credited = OPEN
        is_credited = last_reply is not None and last_reply[1] == name
        # Whether no sale is null or 0 is left open.
        sale: Any = amount if any(amounts) and is_credited and not tied else OPEN
        fixed = one.order_is_fixed
        before = one.contacts[place - 1]["contact_id"] if place else None
        after = one.contacts[place + 1]["contact_id"] if place + 1 < len(one.contacts) else None
        is_chain = _is_chain(one)
        facts[name] = {
            "source": one.source,
            "visitor_id": row["visitor_id"],
            "project_id": row["project_id"],
            "channel": row["channel"],
            "contact_no": place + 1 if fixed else OPEN,
            "agent_id": row["agent_id"],
            "agent_kind": row["agent_kind"],
            "started_at": row["started_at"],
            "ended_at": row["ended_at"],
            "is_open": row["ended_at"] is None,
            "end_reason": row["end_reason"] if row["ended_at"] else None,
            "is_answered": answered[name],
            "is_transferred_in": bool(inward) if counts_are_fixed else OPEN,
            "is_transferred_out": any(item["from_contact_id"] == name for item in accepted)
            if counts_are_fixed
            else OPEN,
            "previous_contact_id": before if fixed and is_chain else OPEN,
            "next_contact_id": after if fixed and is_chain else OPEN,
            "transfer_wait_seconds": (
                _wait(row, inward) if len(inward) <= 1 and counts_are_fixed else OPEN
            ),
            "duration_seconds": _seconds(row["ended_at"], row["started_at"]),
            "first_reply_seconds": _seconds(first, min(asked) if asked else row["started_at"])
            if is_human
            else OPEN,
            "response_seconds_sum": sum(turns) if turns and is_human else OPEN,
            "response_count": len(turns) if turns and is_human else OPEN,
            "closing_delay_seconds": _seconds(row["ended_at"], max(asked))
            if asked and is_human
            else OPEN,
            "messages_sent_count": sum(item["author_kind"] in {"agent", "bot"} for item in mine)
            if mine
            else OPEN,
            "messages_received_count": sum(item["author_kind"] == "visitor" for item in mine)
            if mine
            else OPEN,
            "csat_score": credited,
            "transaction_amount": sale,
            "_transactions": OPEN if tied else bought if is_credited else 0,
            "_revenue": OPEN if tied else amount if is_credited else 0,
        }
    return facts


def _is_chain(one: Conversation) -> bool:
    """Whether each contact but the last is linked to the one after it and to no other."""
    if one.missing or one.has_self_link or one.has_rejected_link:
        return False
    names = [row["contact_id"] for row in one.contacts]
    steps = {
        (row["from_contact_id"], row["to_contact_id"])
        for row in one.transfers
        if row.get("to_contact_id") is not None
    }
    steps |= {
        (row["previous_contact_id"], row["contact_id"])
        for row in one.contacts
        if row.get("previous_contact_id") is not None
    }
    return steps == set(pairwise(names))


# --- reports --------------------------------------------------------------------------------------


def _periods(moment: datetime, zone: str) -> Iterator[tuple[str, date]]:
    day = moment.astimezone(ZoneInfo(zone)).date()
    yield "day", day
    yield "week", day - timedelta(days=day.weekday())
    yield "month", day.replace(day=1)


def _over(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def _values(rows: Iterable[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _p90(values: Sequence[float]) -> float | None:
    """Interpolated, as the median of an even number is."""
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def _unless_open(values: Sequence[Any], figure: Any) -> Any:
    return OPEN if any(value is OPEN for value in values) else figure(values)


def _column(rows: Sequence[Row], column: str, figure: Any) -> Any:
    """A figure over the known values of a column; open when one of them is."""
    return _unless_open(_values(rows, column), figure)


def statistical_measures(facts: Sequence[Row]) -> Row:
    """The measures of the statistical report that the contract fixes, over closed conversations."""
    number = len(facts)
    csat = _values(facts, "csat_score")
    nps = _values(facts, "nps_score")
    transactions = sum(row["transaction_count"] for row in facts)
    refunds = sum(row["refund_count"] for row in facts)
    amounts = _values(facts, "transaction_amount")
    revenue = sum(amount for amount in amounts if amount is not OPEN)
    transferred = _column(facts, "is_transferred", sum)
    fully = sum(row["automation_level"] == "fully_automated" for row in facts)
    contacts = sum(row["contact_count"] for row in facts)
    promoters, detractors = sum(score >= 9 for score in nps), sum(score <= 6 for score in nps)
    # How an escalation counts that no bot began is left open.
    escalated: Any = OPEN
    if all(
        row["_is_bot_first"] is True or row["_is_bot_first"] is row["is_escalated"] is False
        for row in facts
    ):
        escalated = _column(facts, "is_escalated", sum)
    return {
        "conversations": number,
        "answered": sum(row["is_answered"] for row in facts),
        "answered_by_human": sum(row["is_answered_by_human"] for row in facts),
        "contacts": contacts,
        "contacts_per_conversation": _over(contacts, number),
        "transferred": transferred,
        "transfer_rate": OPEN if transferred is OPEN else _over(transferred, number),
        "transfers": _column(facts, "transfer_count", sum),
        "bounced": _column(facts, "is_bounced", sum),
        "bot_first": _column(facts, "_is_bot_first", sum),
        "escalated": escalated,
        "escalation_rate": OPEN
        if escalated is OPEN
        else _over(escalated, sum(row["_is_bot_first"] for row in facts)),
        "fully_automated": fully,
        "automation_rate": _over(fully, number),
        "first_reply_count": len(_values(facts, "first_reply_seconds")),
        "first_reply_median_seconds": _median(_values(facts, "first_reply_seconds")),
        "first_reply_p90_seconds": _p90(_values(facts, "first_reply_seconds")),
        "pickup_count": len(_values(facts, "pickup_seconds")),
        "pickup_median_seconds": _median(_values(facts, "pickup_seconds")),
        "pickup_p90_seconds": _p90(_values(facts, "pickup_seconds")),
        "resolution_median_seconds": _median(_values(facts, "resolution_seconds")),
        "resolution_p90_seconds": _p90(_values(facts, "resolution_seconds")),
        "handle_mean_seconds": _column(facts, "handle_seconds", _mean),
        "csat_responses": len(csat),
        "csat_positive": sum(score >= 4 for score in csat),
        "csat_rate": _over(sum(score >= 4 for score in csat), len(csat)),
        "csat_mean": _mean(csat),
        "nps_responses": len(nps),
        "nps_promoters": promoters,
        "nps_detractors": detractors,
        "nps": _over(100 * (promoters - detractors), len(nps)),
        "transactions": transactions,
        "refunds": refunds,
        "converted": sum(row["transaction_count"] > 0 for row in facts),
        "conversion_rate": _over(transactions, number),
        "converted_share": _over(sum(row["transaction_count"] > 0 for row in facts), number),
        "revenue": revenue if transactions or refunds else OPEN,
        "average_order_value": _over(revenue, transactions),
    }


def contacts_measures(facts: Sequence[Row]) -> Row:
    """The measures of the contacts report that the contract fixes."""
    number = len(facts)
    humans = [row for row in facts if row["agent_kind"] in HUMANS]
    out = _column(facts, "is_transferred_out", sum)
    turns = [row for row in humans if row["response_count"] is not OPEN and row["response_count"]]
    durations = _values(facts, "duration_seconds")
    csat = _values(facts, "csat_score")
    is_csat_open = any(score is OPEN for score in csat)
    # Whether revenue without a sale is null or 0 is left open.
    sales = any(row["_revenue"] is not OPEN and row["_revenue"] for row in facts)
    return {
        "contacts": number,
        "answered": sum(row["is_answered"] for row in facts),
        "unanswered": sum(not row["is_answered"] for row in facts),
        "open": sum(row["is_open"] for row in facts),
        "transferred_in": _column(facts, "is_transferred_in", sum),
        "transferred_out": out,
        "transfer_out_rate": OPEN if out is OPEN else _over(out, number),
        "snoozed": sum(row["end_reason"] == "snooze" for row in facts),
        "closed": sum(row["end_reason"] == "close" for row in facts),
        # Whether the mean handling time of a group with bots in it includes them is left open.
        "duration_mean_seconds": _mean(durations) if len(humans) == number else OPEN,
        "first_reply_mean_seconds": _mean(_values(humans, "first_reply_seconds")),
        "response_mean_seconds": _over(
            sum(row["response_seconds_sum"] for row in turns),
            sum(row["response_count"] for row in turns),
        )
        if turns
        else OPEN,
        "csat_responses": OPEN if is_csat_open else len(csat),
        "csat_rate": OPEN if is_csat_open else _over(sum(score >= 4 for score in csat), len(csat)),
        "messages_sent": _column(facts, "messages_sent_count", sum),
        "messages_received": _column(facts, "messages_received_count", sum),
        "transactions": _column(facts, "_transactions", sum),
        "revenue": _column(facts, "_revenue", sum) if sales else OPEN,
        "closing_delay_mean_seconds": _column(humans, "closing_delay_seconds", _mean)
        if humans
        else OPEN,
    }


# (period_grain, period_start, dimension, source, dimension_value)
ReportKey = tuple[str, date, str, str | None, str | None]


def statistical_groups(
    source: str, found: Sequence[Conversation], policy: Policy
) -> Iterator[tuple[ReportKey, Row | None]]:
    """Each closed conversation's facts under every row of the report that counts it.

    Of one that may be waiting or closed, which is left open, no facts: those rows are left open.
    """
    for one in found:
        facts = conversation_facts(one)
        if not facts["is_closed"]:
            continue
        is_open_question = facts["is_closed"] is OPEN
        closed_at = facts["closed_at"]
        if is_open_question:
            closed_at = max(row["ended_at"] for row in one.contacts)
        some = one.contacts[0]
        agents = {row["agent_id"] for row in one.contacts} - {None}
        rows: list[tuple[str, str | None, str | None]] = [
            ("all", None, None),
            ("source", source, source),
            ("project", source, some["project_id"]),
            ("channel", None, some["channel"]),
            ("automation_level", None, facts["automation_level"]),
            *(("agent", source, agent) for agent in agents),
        ]
        for grain, start in _periods(closed_at, policy.report_zone):
            yield from (((grain, start, *row), None if is_open_question else facts) for row in rows)


def contacts_groups(
    source: str, found: Sequence[Conversation], policy: Policy
) -> Iterator[tuple[ReportKey, Row]]:
    """Each contact's facts under every row of the report that counts it."""
    for one in found:
        for facts in contact_facts(one).values():
            rows: list[tuple[str, str | None, str | None]] = [
                ("all", None, None),
                ("source", source, source),
                ("project", source, facts["project_id"]),
                ("channel", None, facts["channel"]),
                ("agent", source, facts["agent_id"]),
                ("agent_kind", None, facts["agent_kind"]),
            ]
            for grain, start in _periods(facts["started_at"], policy.report_zone):
                yield from (((grain, start, *row), facts) for row in rows)
