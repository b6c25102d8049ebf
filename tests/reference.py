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


@dataclass(frozen=True)
class Policy:
    """What the registry says of a source.

    Attributes:
        time_zone: for times without an offset.
        report_zone: the time zone of the source's project, for the days of both reports.
        reject_visitor_mismatch: a link between two different known visitors is none.
        max_gap_days: a link over more days than this is none.
    """

    time_zone: str = "UTC"
    report_zone: str = "UTC"
    reject_visitor_mismatch: bool = False
    max_gap_days: int | None = None


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
    messages = newest(typed(logs.messages), _message_key)
    ratings = newest(typed(logs.ratings), lambda row: row["rating_id"])
    transactions = newest(typed(logs.transactions), lambda row: row["transaction_id"])

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


def _replies(contact: Row, messages: list[Row]) -> list[datetime]:
    """When a respondent replied in a contact: from its messages or else from the log's field."""
    mine = [row for row in messages if row["contact_id"] == contact["contact_id"]]
    if mine:
        return sorted(row["sent_at"] for row in mine if row["author_kind"] in {"agent", "bot"})
    answered_at = contact.get("answered_at")
    return [] if answered_at is None else [answered_at]


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
    closed_at = None if is_open else max(row["ended_at"] for row in contacts)
    replies = {row["contact_id"]: _replies(row, one.messages) for row in contacts}
    human_replies = [
        moment
        for row in contacts
        if row["agent_kind"] in HUMANS
        for moment in replies[row["contact_id"]]
    ]
    asked = [row["sent_at"] for row in one.messages if row["author_kind"] == "visitor"]
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
    amounts = [float(row["amount"]) for row in one.transactions]
    is_bot_first: Any = contacts[0]["agent_kind"] == "bot" if one.order_is_fixed else OPEN
    return {
        "source": one.source,
        "project_id": contacts[0]["project_id"],
        "channel": contacts[0]["channel"],
        "_is_bot_first": is_bot_first,
        "started_at": min(row["started_at"] for row in contacts),
        "closed_at": closed_at,
        "is_closed": not is_open,
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
        # Which of several contacts says why the conversation closed is left open.
        "close_reason": contacts[0]["end_reason"] if closed_at and len(contacts) == 1 else OPEN,
        "is_answered": any(replies.values()),
        "is_answered_by_human": bool(human_replies),
        "first_visitor_message_at": min(asked) if asked else OPEN,
        "first_human_reply_at": min(human_replies) if human_replies else None,
        "first_reply_seconds": _seconds(min(human_replies), first_asked) if human_replies else None,
        "resolution_seconds": _seconds(closed_at, first_asked),
        "handle_seconds": sum(_seconds(row["ended_at"], row["started_at"]) or 0 for row in contacts)
        if not is_open and not kinds["bot"]
        else OPEN,
        "messages_sent_count": sum(row["author_kind"] in {"agent", "bot"} for row in one.messages)
        if one.messages
        else OPEN,
        "messages_received_count": len(asked) if one.messages else OPEN,
        "csat_score": _last_score(one.ratings, "csat"),
        "nps_score": _last_score(one.ratings, "nps"),
        "transaction_count": len(one.transactions),
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
    mine = [row for row in messages if row["contact_id"] == contact["contact_id"]]
    for row in sorted(mine, key=lambda row: row["sent_at"]):
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
    answered_by = {
        row["agent_id"]
        for row in one.contacts
        if replies[row["contact_id"]] and row["agent_id"] is not None
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
    amount = round(sum(float(row["amount"]) for row in one.transactions), 4)
    facts = {}
    for place, row in enumerate(one.contacts):
        name = row["contact_id"]
        inward = [item for item in accepted if item.get("to_contact_id") == name]
        mine = [item for item in one.messages if item["contact_id"] == name]
        asked = [item["sent_at"] for item in mine if item["author_kind"] == "visitor"]
        is_human = row["agent_kind"] in HUMANS
        turns = _turns(row, one.messages)
        first = min(replies[name]) if replies[name] else None
        credited: Any = csat if replies[name] else None
        if csat is not None and not replies[name] and row["agent_id"] in answered_by:
            # The respondent answered in another contact of the conversation.
            credited = OPEN
        is_credited = last_reply is not None and last_reply[1] == name
        # Whether no sale is null or 0 is left open.
        sale: Any = amount if one.transactions and is_credited and not tied else OPEN
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
            "end_reason": row["end_reason"],
            "is_answered": bool(replies[name]),
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
            "messages_received_count": len(asked) if mine else OPEN,
            "csat_score": credited,
            "transaction_amount": sale,
            "_transactions": OPEN if tied else len(one.transactions) if is_credited else 0,
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
    revenue = sum(row["transaction_amount"] for row in facts if row["transaction_count"])
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
        "first_reply_median_seconds": _median(_values(facts, "first_reply_seconds")),
        "first_reply_p90_seconds": _p90(_values(facts, "first_reply_seconds")),
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
        "converted": sum(row["transaction_count"] > 0 for row in facts),
        "conversion_rate": _over(transactions, number),
        "converted_share": _over(sum(row["transaction_count"] > 0 for row in facts), number),
        "revenue": revenue if transactions else OPEN,
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
    sales = any(row["_transactions"] is not OPEN and row["_transactions"] for row in facts)
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
) -> Iterator[tuple[ReportKey, Row]]:
    """Each closed conversation's facts under every row of the report that counts it."""
    for one in found:
        facts = conversation_facts(one)
        if not facts["is_closed"]:
            continue
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
        for grain, start in _periods(facts["closed_at"], policy.report_zone):
            yield from (((grain, start, *row), facts) for row in rows)


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
