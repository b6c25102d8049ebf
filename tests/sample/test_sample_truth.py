"""The truth beside the sample agrees with the delivered logs under the contract's rules."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import networkx as nx
import pytest

from seeds.generator.world import SOURCES
from tests.sample.conftest import Committed
from tests.sample.landing_reader import newest

NAMES = [source.name for source in SOURCES]


def is_rejected(committed: Committed, source: str, one: str, other: str) -> bool:
    """Whether the source's policy rejects a link between two contacts."""
    policy = committed.sources[source]
    ends = [committed.contacts[source].get(contact) for contact in (one, other)]
    if ends[0] is None or ends[1] is None:
        return False
    visitors = {end["visitor_id"] for end in ends if end.get("visitor_id")}
    if policy["reject_visitor_mismatch"] == "true" and len(visitors) > 1:
        return True
    if not policy["max_gap_days"]:
        return False
    first, second = sorted(ends, key=lambda end: end["started_at"])
    gap = second["started_at"] - (first["ended_at"] or second["started_at"])
    return gap.total_seconds() > int(policy["max_gap_days"]) * 86_400


def evidence(committed: Committed, source: str) -> list[tuple[str, str]]:
    """Every delivered link between two ids of a source, policy not yet applied."""
    links = [
        (row["from_contact_id"], row["to_contact_id"])
        for row in committed.transfers[source]
        if row["to_contact_id"]
    ]
    holders: dict[str, str] = {}
    for contact_id, row in committed.contacts[source].items():
        if row.get("previous_contact_id"):
            links.append((row["previous_contact_id"], contact_id))
        if row.get("conversation_ref"):
            links.append((holders.setdefault(row["conversation_ref"], contact_id), contact_id))
    return links


def components(committed: Committed, source: str) -> list[set[str]]:
    """The connected components over the accepted evidence."""
    graph = nx.Graph()
    graph.add_nodes_from(committed.contacts[source])
    graph.add_edges_from(
        (one, other)
        for one, other in evidence(committed, source)
        if not is_rejected(committed, source, one, other)
    )
    return list(nx.connected_components(graph))


@pytest.mark.parametrize("source", NAMES)
def test_the_true_conversations_are_the_components_of_the_delivered_evidence(
    committed: Committed, source: str
) -> None:
    true = defaultdict(set)
    for contact_id, number in committed.truth[source].items():
        true[number].add(contact_id)
    assert sorted(map(sorted, components(committed, source))) == sorted(map(sorted, true.values()))


@pytest.mark.parametrize("source", NAMES)
def test_the_counts_are_those_of_the_delivered_logs(committed: Committed, source: str) -> None:
    logs, counts = committed.records[source], committed.counts["sources"][source]
    contacts, transfers = committed.contacts[source], committed.transfers[source]
    outcomes = [row["outcome"] for row in transfers]
    message_key = ["message_id"] if "message_id" in logs["messages"][0] else None
    rating_key = ["rating_id"] if "rating_id" in logs["ratings"][0] else None
    found: dict[str, Any] = {
        "conversations": len(components(committed, source)),
        "contacts": len(contacts),
        "missing_contacts": len(
            set().union(*map(set, evidence(committed, source))) - set(contacts)
        ),
        "open_contacts": sum(row.get("ended_at") is None for row in contacts.values()),
        "transfer_requests": len(transfers),
        "accepted_transfers": outcomes.count("accepted"),
        "failed_transfers": outcomes.count("failed") + outcomes.count("refused"),
        "abandoned_transfers": outcomes.count("abandoned"),
        "undecided_transfers": outcomes.count(None),
        "rejected_links": sum(
            is_rejected(committed, source, *link) for link in evidence(committed, source)
        ),
        "messages": len(
            newest(
                logs["messages"],
                *(message_key or ["contact_id", "sent_at", "author_kind", "author_id", "body"]),
            )
        ),
        "ratings": len(
            newest(logs["ratings"], *(rating_key or ["contact_id", "question", "answered_at"]))
        ),
        "transactions": len(newest(logs["transactions"], "transaction_id")),
        "agents": len(newest(logs["agents"], "agent_id")),
        "rows": {log: len(rows) for log, rows in logs.items()},
    }
    assert found == {key: counts[key] for key in found}
    assert counts["conversations"] == len(set(committed.truth[source].values()))


def test_the_counts_of_all_sources_are_the_sum_of_each(committed: Committed) -> None:
    for key, value in committed.counts["all"].items():
        if isinstance(value, int):
            parts = [part[key] for part in committed.counts["sources"].values()]
            assert value == sum(parts), key


@pytest.mark.parametrize("source", NAMES)
def test_what_the_truth_calls_lost_was_not_delivered_and_all_else_was(
    committed: Committed, source: str
) -> None:
    delivered = set(committed.contacts[source])
    assert committed.lost[source].isdisjoint(delivered)
    assert delivered | committed.lost[source] == set(committed.truth[source])


@pytest.mark.parametrize("source", NAMES)
def test_nothing_but_transfers_hangs_on_a_contact_that_was_not_delivered(
    committed: Committed, source: str
) -> None:
    for log in ("messages", "ratings", "transactions"):
        for row in committed.records[source][log]:
            assert not row.get("contact_id") or row["contact_id"] in committed.contacts[source]


@pytest.mark.parametrize("source", NAMES)
def test_the_instants_of_a_contact_and_its_messages_are_in_order(
    committed: Committed, source: str
) -> None:
    for row in committed.contacts[source].values():
        moments = [row["started_at"], row.get("answered_at"), row.get("ended_at")]
        known = [moment for moment in moments if moment]
        assert known == sorted(known), row
        assert row["updated_at"] == known[-1]
        assert bool(row.get("ended_at")) == bool(row.get("end_reason"))
    for message in committed.records[source]["messages"]:
        contact = committed.contacts[source][message["contact_id"]]
        assert message["sent_at"] >= contact["started_at"]
        assert not contact.get("ended_at") or message["sent_at"] <= contact["ended_at"]


@pytest.mark.parametrize("source", NAMES)
def test_the_first_reply_in_the_messages_is_the_answer_in_the_contact(
    committed: Committed, source: str
) -> None:
    first: dict[str, Any] = {}
    for row in committed.records[source]["messages"]:
        if row["author_kind"] not in ("visitor", "customer", "system"):
            known = first.get(row["contact_id"], row["sent_at"])
            first[row["contact_id"]] = min(known, row["sent_at"])
    for contact_id, row in committed.contacts[source].items():
        if row["channel"] not in ("call", "video"):
            assert first.get(contact_id) == row.get("answered_at"), row


@pytest.mark.parametrize("source", NAMES)
def test_every_agent_and_project_that_a_contact_names_is_known(
    committed: Committed, source: str
) -> None:
    agents = {row["agent_id"] for row in committed.records[source]["agents"]}
    projects = {row["project_id"] for row in committed.projects if row["source"] == source}
    for row in committed.contacts[source].values():
        assert row["agent_id"] in agents
        assert row["project_id"] in projects
