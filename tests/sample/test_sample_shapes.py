"""Every situation that the sample promises is in the delivered logs, found by reading them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from seeds.generator.world import SHAPES, SOURCES
from tests.sample.conftest import Committed
from tests.sample.landing_reader import Record, newest

NAMES = [source.name for source in SOURCES]
UNDELIVERED = ("lost_first", "lost_middle", "lost_last")


def kinds(committed: Committed, source: str) -> dict[str, str]:
    """Agent id -> human, expert or bot, in the contract's words."""
    words = {"employee": "human", "professional": "human", "copilot": "bot"}
    return {
        row["agent_id"]: words.get(row["agent_kind"], row["agent_kind"])
        for row in committed.records[source]["agents"]
    }


def conversations(committed: Committed) -> dict[int, list[Record]]:
    """Delivered contacts of each true conversation, in order of their start."""
    found = defaultdict(list)
    for source, contacts in committed.contacts.items():
        for contact_id, row in contacts.items():
            found[committed.truth[source][contact_id]].append({**row, "_source": source})
    for rows in found.values():
        rows.sort(key=lambda row: (row["started_at"], row["contact_id"]))
    return found


def accepted(committed: Committed) -> dict[tuple[str, str], tuple[Record, Record]]:
    """(source, contact) -> the accepted transfer that left it, and the contact that it opened."""
    return {
        (source, row["from_contact_id"]): (row, committed.contacts[source][row["to_contact_id"]])
        for source, rows in committed.transfers.items()
        for row in rows
        if row["outcome"] == "accepted" and row["to_contact_id"] in committed.contacts[source]
    }


def every_transfer(committed: Committed) -> list[tuple[str, Record]]:
    """All transfers with their source."""
    return [(source, row) for source, rows in committed.transfers.items() for row in rows]


def path(committed: Committed, rows: list[Record]) -> list[str]:
    """The kinds of a conversation's agents in order."""
    return [kinds(committed, row["_source"])[row["agent_id"]] for row in rows]


def count(committed: Committed, test: Callable[[list[Record]], bool]) -> int:
    """Conversations that pass."""
    return sum(test(rows) for rows in conversations(committed).values())


def test_every_shape_was_told_and_its_contacts_were_delivered(committed: Committed) -> None:
    told = Counter(shape for _, shape, _ in committed.shapes.values())
    assert set(told) == set(SHAPES)
    assert told == committed.counts["shapes"]
    length = conversations(committed)
    for shape, (_, legs) in SHAPES.items():
        lengths = {
            len(length[number]) for number, story in committed.shapes.items() if story[1] == shape
        }
        # Some are cut short by the end of the period, none is longer than told.
        assert max(lengths) == sum(not leg.is_lost for leg in legs), shape


def test_there_are_two_thousand_conversations_of_three_sources_and_ten_projects(
    committed: Committed,
) -> None:
    assert len(conversations(committed)) == 2_000
    for source in NAMES:
        used = {row["project_id"] for row in committed.contacts[source].values()}
        assert len(used) >= 3
    assert len({row["time_zone"] for row in committed.projects}) >= 6


def test_bots_escalate_to_people(committed: Committed) -> None:
    assert count(committed, lambda rows: path(committed, rows)[:2] == ["bot", "human"]) > 250
    assert count(committed, lambda rows: path(committed, rows) == ["bot", "human", "human"]) > 50


def test_conversations_stay_with_a_bot(committed: Committed) -> None:
    assert count(committed, lambda rows: path(committed, rows) == ["bot"]) > 150


def test_agents_hand_over_to_agents_groups_and_bots(committed: Committed) -> None:
    found = Counter()
    for (source, _), (row, target) in accepted(committed).items():
        if row["kind"] == "manual":
            found[row["target_kind"], kinds(committed, source)[target["agent_id"]]] += 1
    assert found["agent", "human"] > 100
    assert found["group", "human"] > 50
    assert found["bot", "bot"] > 10


def test_bots_hand_over_to_bots(committed: Committed) -> None:
    assert count(committed, lambda rows: path(committed, rows)[:2] == ["bot", "bot"]) > 10


def test_transfers_are_refused_and_abandoned(committed: Committed) -> None:
    outcomes = Counter(row["outcome"] for _, row in every_transfer(committed))
    assert outcomes["failed"] + outcomes["refused"] > 80
    assert outcomes["refused"] > 10
    assert outcomes["abandoned"] > 20
    assert all(
        not row["to_contact_id"]
        for _, row in every_transfer(committed)
        if row["outcome"] in ("failed", "refused", "abandoned")
    )


def test_bot_transfers_fail_and_the_conversation_stays_one_contact(committed: Committed) -> None:
    found = [
        (source, row)
        for source, row in every_transfer(committed)
        if row["outcome"] in ("failed", "refused") and row["kind"] == "bot_escalation"
    ]
    assert len(found) > 30
    by_number = conversations(committed)
    for source, row in found:
        assert len(by_number[committed.truth[source][row["from_contact_id"]]]) == 1


def test_conversations_go_to_and_fro(committed: Committed) -> None:
    def is_ping_pong(rows: list[Record]) -> bool:
        agents = [row["agent_id"] for row in rows]
        return len(agents) == 3 and agents[0] == agents[2] != agents[1]

    assert count(committed, is_ping_pong) > 20


def test_a_chain_is_six_contacts_long(committed: Committed) -> None:
    assert count(committed, lambda rows: len(rows) == 6) > 5


def test_contacts_come_back_from_a_snooze_without_a_transfer(committed: Committed) -> None:
    left = {(source, row["from_contact_id"]) for source, row in every_transfer(committed)}
    evidence: Counter[str] = Counter()
    for rows in conversations(committed).values():
        for before, after in itertools.pairwise(rows):
            if before["end_reason"] == "snooze":
                assert (before["_source"], before["contact_id"]) not in left
                evidence["ref"] += bool(after.get("conversation_ref"))
                evidence["previous"] += after.get("previous_contact_id") == before["contact_id"]
                evidence["same agent"] += before["agent_id"] == after["agent_id"]
    assert evidence["ref"] > 15
    assert evidence["previous"] > 50
    assert evidence["same agent"] > 50


def test_contacts_are_pushed_again_without_a_transfer(committed: Committed) -> None:
    def is_pushed_again(rows: list[Record]) -> bool:
        return any(
            before["end_reason"] == "timeout" and not before.get("answered_at")
            for before in rows[:-1]
        )

    assert count(committed, is_pushed_again) > 10


def test_contacts_stay_unanswered(committed: Committed) -> None:
    assert count(committed, lambda rows: not any(row.get("answered_at") for row in rows)) > 60


def test_contacts_are_still_open_at_the_end_and_some_were_forgotten(committed: Committed) -> None:
    def is_open_since(days: int) -> Callable[[list[Record]], bool]:
        end = dt.datetime(2026, 11, 14, tzinfo=dt.UTC)
        return lambda rows: any(
            not row.get("ended_at") and (end - row["started_at"]).days >= days for row in rows
        )

    assert count(committed, is_open_since(0)) > 15
    assert count(committed, is_open_since(7)) > 3


def test_experts_take_part(committed: Committed) -> None:
    assert count(committed, lambda rows: path(committed, rows) == ["expert"]) > 40
    assert count(committed, lambda rows: path(committed, rows) == ["bot", "expert", "human"]) > 10


def test_there_are_many_channels_and_two_languages(committed: Committed) -> None:
    channels: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    for contacts in committed.contacts.values():
        channels.update(row["channel"] for row in contacts.values())
        languages.update(row["language"] for row in contacts.values())
    assert {"chat", "call", "video", "whatsapp", "facebook", "instagram", "sms"} <= set(channels)
    assert min(languages["fr"], languages["en"]) > 700


def test_conversations_cross_midnight_in_their_projects_zone(committed: Committed) -> None:
    zones = {
        (row["source"], row["project_id"]): ZoneInfo(row["time_zone"]) for row in committed.projects
    }

    def crosses(rows: list[Record]) -> bool:
        zone = zones[rows[0]["_source"], rows[0]["project_id"]]
        last = rows[0].get("ended_at")
        return bool(last) and (
            rows[0]["started_at"].astimezone(zone).date() != last.astimezone(zone).date()
        )

    assert count(committed, crosses) > 30


def test_conversations_reach_over_both_clock_changes(committed: Committed) -> None:
    for name, change in (
        ("maison_lumiere", dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)),
        ("harbor_telecom", dt.datetime(2026, 11, 1, 6, tzinfo=dt.UTC)),
    ):
        reaching = count(
            committed,
            lambda rows, name=name, change=change: (  # type: ignore[misc]
                rows[0]["_source"] == name
                and rows[0]["started_at"] < change < rows[-1]["started_at"]
            ),
        )
        assert reaching >= 1, name


def test_no_local_time_falls_into_the_hour_that_the_clock_shows_twice(
    committed: Committed,
) -> None:
    low = dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC)
    high = dt.datetime(2026, 10, 25, 2, tzinfo=dt.UTC)
    logs = committed.records["maison_lumiere"]
    for log in ("contacts", "transfers", "ratings"):
        for row in logs[log]:
            for value in row.values():
                assert not isinstance(value, dt.datetime) or not low <= value < high


def test_ratings_are_clicked_twice_with_another_score(committed: Committed) -> None:
    twice = 0
    for source in NAMES:
        scores = defaultdict(list)
        for row in newest(
            committed.records[source]["ratings"], "contact_id", "question", "answered_at"
        ):
            scores[row["contact_id"], row["question"]].append(str(row.get("score")))
        assert all(len(set(found)) == len(found) for found in scores.values())
        twice += sum(len(found) == 2 for found in scores.values())
    assert twice > 30


def test_every_question_is_answered_and_scores_are_in_range(committed: Committed) -> None:
    for source in NAMES:
        questions: Counter[str] = Counter()
        for row in committed.records[source]["ratings"]:
            questions[row["question"]] += 1
            if row["question"] == "comment":
                assert row["comment"]
            else:
                low, high = (1, 5) if row["question"] == "csat" else (0, 10)
                assert low <= int(row["score"]) <= high
        assert set(questions) == {"csat", "nps", "comment"}


def test_purchases_follow_conversations_and_some_follow_twice(committed: Committed) -> None:
    each: Counter[tuple[str, int]] = Counter()
    without_contact = 0
    for source in NAMES:
        for row in newest(committed.records[source]["transactions"], "transaction_id"):
            if row.get("contact_id"):
                contact = committed.contacts[source][row["contact_id"]]
                assert row["occurred_at"] > contact["ended_at"]
                each[source, committed.truth[source][row["contact_id"]]] += 1
            else:
                assert row["visitor_id"]
                without_contact += 1
    assert sum(each.values()) > 120
    assert sum(number == 2 for number in each.values()) > 8
    assert without_contact > 10


@pytest.mark.parametrize("source", NAMES)
def test_records_come_late(committed: Committed, source: str) -> None:
    late = 0
    for log, column in (("contacts", "started_at"), ("messages", "sent_at")):
        newest_in: dict[str, dt.datetime] = {}
        for row in committed.records[source][log]:
            newest_in[row["_path"]] = max(newest_in.get(row["_path"], row[column]), row[column])
        order = sorted(newest_in)
        for row in committed.records[source][log]:
            place = order.index(row["_path"])
            late += any(row[column] < newest_in[order[before]] for before in range(place))
    assert late > 30


@pytest.mark.parametrize("source", NAMES)
def test_records_are_repeated_identically_and_as_newer_versions(
    committed: Committed, source: str
) -> None:
    identical = versions = overtaken = 0
    seen: dict[str, Record] = {}
    for row in committed.records[source]["contacts"]:
        before = seen.get(row["contact_id"])
        if before is not None:
            same = {**before, "_path": ""} == {**row, "_path": ""}
            identical += same
            versions += not same and row["updated_at"] > before["updated_at"]
            overtaken += not same and row["updated_at"] < before["updated_at"]
        if before is None or row["updated_at"] >= before["updated_at"]:
            seen[row["contact_id"]] = row
    assert identical >= 3
    assert versions >= 3
    assert versions + overtaken >= 5


def test_an_old_version_sometimes_comes_after_the_new_one(committed: Committed) -> None:
    overtaken = 0
    for logs in committed.records.values():
        seen: dict[str, dt.datetime] = {}
        for row in logs["contacts"]:
            known = seen.get(row["contact_id"], row["updated_at"])
            overtaken += row["updated_at"] < known
            seen[row["contact_id"]] = max(known, row["updated_at"])
    assert overtaken >= 1


def test_a_few_contacts_are_missing_in_the_middle_at_the_start_and_at_the_end(
    committed: Committed,
) -> None:
    for source in NAMES:
        starts = {row["from_contact_id"] for row in committed.transfers[source]}
        ends = {row["to_contact_id"] for row in committed.transfers[source]}
        lost = committed.lost[source]
        assert lost & starts & ends, "middle"
        assert (lost & starts) - ends, "first"
        assert (lost & ends) - starts, "last"
    assert 8 <= sum(map(len, committed.lost.values())) <= 30
    # The two ends of a missing middle are one conversation, held together by nothing else.
    for number, (source, shape, _) in committed.shapes.items():
        if shape == "lost_middle":
            ids = [key for key, value in committed.truth[source].items() if value == number]
            assert len(ids) in (2, 3)


def test_two_sources_use_the_same_contact_ids(committed: Committed) -> None:
    shared = set(committed.contacts["maison_lumiere"]) & set(committed.contacts["bluewing_travel"])
    assert len(shared) > 200


def test_ids_keep_their_leading_zeros(committed: Committed) -> None:
    assert all(contact.startswith("00") for contact in committed.contacts["harbor_telecom"])


def test_some_instants_have_an_offset_and_some_have_none() -> None:
    from seeds.generator.__main__ import SAMPLE_DIR
    from tests.sample.landing_reader import records_of

    maison = SAMPLE_DIR / "maison_lumiere"
    contacts = records_of(next(maison.glob("contacts/*.csv")))
    messages = records_of(next(maison.glob("messages/*.csv.gz")))
    assert all(dt.datetime.fromisoformat(row["started_at"]).tzinfo is None for row in contacts)
    assert all(dt.datetime.fromisoformat(row["sent_at"]).tzinfo for row in messages)


def test_there_are_columns_that_the_contract_does_not_know(committed: Committed) -> None:
    assert "device" in committed.records["maison_lumiere"]["contacts"][0]
    assert "routing_rule" in committed.records["bluewing_travel"]["contacts"][0]
    # One that the source invented in the middle of the period.
    rows = committed.records["harbor_telecom"]["contacts"]
    assert 100 < sum("queue_priority" in row for row in rows) < len(rows) - 100


def test_policies_reject_a_few_links(committed: Committed) -> None:
    assert committed.counts["marks"]["link_to_other_visitor"] == 2
    assert committed.counts["marks"]["link_over_long_gap"] == 2


def test_one_visitor_has_several_conversations(committed: Committed) -> None:
    found = defaultdict(set)
    for source, contacts in committed.contacts.items():
        for contact_id, row in contacts.items():
            if row.get("visitor_id"):
                found[source, row["visitor_id"]].add(committed.truth[source][contact_id])
    assert sum(len(numbers) > 1 for numbers in found.values()) > 100


def test_messages_look_real(committed: Committed) -> None:
    bodies = [row["body"] for logs in committed.records.values() for row in logs["messages"]]
    assert len(set(bodies)) > 3_000
    assert any("\n" in body for body in bodies)
    assert any('"' in body for body in bodies)
    assert any("é" in body for body in bodies)
    assert any("👋" in body for body in bodies)
    assert not any("{" in body or "}" in body for body in bodies)
    assert Counter(bodies)["OPERATOR_TRANSFER"] > 700


def test_an_agent_changes_group(committed: Committed) -> None:
    for source in NAMES:
        groups = defaultdict(set)
        for row in committed.records[source]["agents"]:
            groups[row["agent_id"]].add(row["group_id"])
        assert sum(len(found) > 1 for found in groups.values()) == 2
