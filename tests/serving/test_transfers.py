"""`/transfers`: every figure computed once more from the marts' rows, and every link followed."""

from __future__ import annotations

import html
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, date
from itertools import groupby
from statistics import median
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from serving import filters, i18n
from serving.filters import NONE, Filter
from serving.filters.transfers import ENDS
from serving.pages.transfers.view import View
from serving.queries import transfers as queries
from serving.queries.directory import directory
from serving.queries.transfers import OTHER, OUTCOMES, Question, requests, ways
from serving.snapshot import Row, Snapshot

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
QUESTIONS = [
    Question(by, FIRST, LAST, columns)
    for by in ENDS
    for columns in ((), (("source", ("maison_lumiere",)), ("channel", ("chat",))))
]


class Marts:
    """The rows of the marts, read whole and counted in Python."""

    def __init__(self, snapshot: Snapshot, question: Question) -> None:
        self.question = question
        every = snapshot.rows("select * from marts.conversations")
        self.conversations = {
            row["conversation_id"]: row
            for row in every
            if all(row[name] in values for name, values in question.columns)
        }
        self.contacts: dict[str, list[Row]] = defaultdict(list)
        self._ends = {}
        for row in snapshot.rows("select * from marts.contacts order by contact_no"):
            self.contacts[row["conversation_id"]].append(row)
            self._ends[row["source"], row["contact_id"]] = row
        self.asked = [
            row
            for row in snapshot.rows("select * from marts.transfers")
            if row["conversation_id"] in self.conversations and FIRST <= self._day(row) <= LAST
        ]
        self.accepted = [
            row
            for row in self.asked
            if row["outcome"] == "accepted" and not row["is_rejected_link"]
        ]

    def _day(self, row: Row) -> date:
        zone = ZoneInfo(self.conversations[row["conversation_id"]]["time_zone"])
        moment = row["requested_at"].replace(tzinfo=UTC).astimezone(zone)
        return date(moment.year, moment.month, moment.day)

    def pair(self, row: Row) -> tuple[str | None, str, str]:
        by, source = self.question.by, row["source"]
        if by == "group":
            found = [
                self._ends.get((source, row[f"{side}_contact_id"]), {}).get("group_id")
                for side in ("from", "to")
            ]
        else:
            column = "agent_kind" if by == "kind" else "agent_id"
            found = [row[f"{side}_{column}"] for side in ("from", "to")]
        ends = [end or NONE for end in found]
        return (None if by == "kind" else source, ends[0], ends[1])

    def path(self, conversation_id: str) -> tuple[str, ...]:
        column = {"kind": "agent_kind", "group": "group_id", "agent": "agent_id"}[self.question.by]
        steps = [contact[column] or NONE for contact in self.contacts[conversation_id]]
        return tuple(step for step, _ in groupby(steps))


def _behind(snapshot: Snapshot, address: str) -> int:
    """How many conversations a link to the log leads to."""
    path, _, query = html.unescape(address).partition("?")
    assert path == "/conversations"
    wanted, problems = filters.read(parse_qsl(query))
    assert not problems, address
    return _count(snapshot, wanted)


def _count(snapshot: Snapshot, wanted: Filter) -> int:
    joined = filters.where(wanted.conditions())
    found = snapshot.value(
        f"select count(*) from marts.conversations as conversations where {joined.sql}",
        joined.values,
    )
    assert isinstance(found, int)
    return found


@pytest.fixture(params=QUESTIONS, ids=lambda each: f"{each.by}-{len(each.columns)}")
def question(request: pytest.FixtureRequest) -> Question:
    found = request.param
    assert isinstance(found, Question)
    return found


def test_pairs_are_the_accepted_transfers_of_the_marts(
    snapshot: Snapshot, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_NODES", 10_000)
    marts = Marts(snapshot, question)
    counted = Counter(marts.pair(row) for row in marts.accepted)
    within = defaultdict(set)
    for row in marts.accepted:
        within[marts.pair(row)].add(row["conversation_id"])
    rows = [row for row in queries.transfers(snapshot, question) if row["level"] == "pair"]
    assert counted
    assert {
        (row["source"], row["from_end"], row["to_end"]): row["transfers"] for row in rows
    } == counted
    view = View(question, directory(snapshot))
    for row in rows:
        pair = row["source"], row["from_end"], row["to_end"]
        assert row["conversations"] == len(within[pair])
        assert _behind(snapshot, view.pair_link(*pair)) == row["conversations"], pair


def test_the_busiest_ends_keep_their_names_and_the_rest_adds_up(snapshot: Snapshot) -> None:
    question = Question("agent", FIRST, LAST, ())
    marts = Marts(snapshot, question)
    rows = [row for row in queries.transfers(snapshot, question) if row["level"] == "pair"]
    named = {
        (row["source"], row[column])
        for row in rows
        for column in ("from_end", "to_end")
        if row[column] != OTHER
    }
    assert len(named) == requests.MOST_NODES
    assert sum(row["transfers"] for row in rows) == len(marts.accepted)
    assert all(
        (row["conversations"] is None) == (OTHER in (row["from_end"], row["to_end"]))
        for row in rows
    )


def test_steps_number_the_transfers_of_each_conversation(
    snapshot: Snapshot, question: Question
) -> None:
    marts = Marts(snapshot, question)
    steps: Counter[int] = Counter()
    per_conversation = Counter(row["conversation_id"] for row in marts.accepted)
    for count in per_conversation.values():
        for step in range(1, count + 1):
            steps[min(step, queries.STEPS + 1)] += 1
    found: Counter[int] = Counter()
    for row in queries.transfers(snapshot, question):
        if row["level"] == "step":
            found[row["step"]] += row["transfers"]
    assert found == steps


def test_requests_are_counted_by_outcome_with_their_waits(
    snapshot: Snapshot, question: Question
) -> None:
    marts = Marts(snapshot, question)
    rows = queries.transfers(snapshot, question)
    view = View(question, directory(snapshot))
    i18n.use("en")
    (total,) = view.requests(rows, "all")
    waits = [row["wait_seconds"] for row in marts.accepted if row["wait_seconds"] is not None]
    assert total["asked"][0] == len(marts.asked)
    assert total["accepted"][0] == len(marts.accepted)
    assert total["waits"] == len(waits)
    assert total["wait_median"] == pytest.approx(median(waits))
    for outcome in ("failed", "abandoned", "unknown"):
        assert total[outcome][0] == sum(row["outcome"] == outcome for row in marts.asked)
    by_kind = Counter(row["kind"] for row in marts.asked)
    kinds = view.requests(rows, "kind")
    assert sorted(entry["asked"][0] for entry in kinds) == sorted(by_kind.values())
    by_target = Counter(
        (row["source"], row["target_kind"], row["target_id"]) for row in marts.asked
    )
    targets = view.requests(rows, "target")
    assert [entry["asked"][0] for entry in targets] == [
        count for _, count in by_target.most_common(queries.MOST_ROWS)
    ]
    for entry in [total, *kinds, *targets]:
        assert sum(entry[outcome][0] for outcome in OUTCOMES) == entry["asked"][0]
        for outcome in ("asked", "accepted", "failed", "abandoned", "unknown"):
            count, conversations, link = entry[outcome]
            if count and link and conversations is not None:
                assert _behind(snapshot, link) == conversations, (entry["name"], outcome)


def test_paths_leave_repeats_out_and_lead_to_their_conversations(
    snapshot: Snapshot, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "MOST_ROWS", 10_000)
    marts = Marts(snapshot, question)
    reached = {row["conversation_id"] for row in marts.accepted}
    within = defaultdict(list)
    backs = defaultdict(set)
    for conversation_id in reached:
        row = marts.conversations[conversation_id]
        source = None if question.by == "kind" else row["source"]
        path = marts.path(conversation_id)
        within[source, path].append(row)
        for place in range(len(path) - 2):
            if path[place] == path[place + 2]:
                backs[source, path[place : place + 3]].add(conversation_id)
    found = queries.paths(snapshot, question)
    view = View(question, directory(snapshot))
    assert found[0]["level"] == "all"
    assert found[0]["conversations"] == len(reached)
    assert found[0]["bounced"] == sum(marts.conversations[id]["is_bounced"] for id in reached)
    came_back = view.link(bounced=True, transfer_outcome="accepted")
    assert _behind(snapshot, came_back) == found[0]["bounced"]
    paths = [row for row in found if row["level"] == "path"]
    assert {(row["source"], tuple(row["path"])) for row in paths} == set(within)
    for number, row in enumerate(paths):
        rows = within[row["source"], tuple(row["path"])]
        assert row["conversations"] == len(rows)
        assert row["csat_responses"] == sum(each["csat_score"] is not None for each in rows)
        assert row["csat_positive"] == sum((each["csat_score"] or 0) >= 4 for each in rows)
        times = [
            each["resolution_seconds"] for each in rows if each["resolution_seconds"] is not None
        ]
        assert row["resolutions"] == len(times)
        assert row["resolution_median"] == (pytest.approx(median(times)) if times else None)
        if number < 15:
            assert _behind(snapshot, view.path_link(row)) == row["conversations"]
    returned = [row for row in found if row["level"] == "back"]
    assert {(row["source"], tuple(row["path"])): row["conversations"] for row in returned} == {
        key: len(ids) for key, ids in backs.items()
    }
    for row in returned[:15]:
        assert _behind(snapshot, view.path_link(row, part=True)) == row["conversations"]


def test_costs_compare_the_conversations_that_closed_in_the_period(
    snapshot: Snapshot, question: Question
) -> None:
    marts = Marts(snapshot, question)
    closed = [
        row
        for row in marts.conversations.values()
        if row["closed_on"] and FIRST <= row["closed_on"] <= LAST
    ]
    found = queries.costs(snapshot, question)
    view = View(question, directory(snapshot))
    for transferred in (True, False):
        rows = [row for row in closed if row["is_transferred"] == transferred]
        ours: dict[str, Any] = found[transferred]

        def values(column: str, rows: list[Row] = rows) -> list[float]:
            return [row[column] for row in rows if row[column] is not None]

        assert ours["conversations"] == len(rows)
        assert _behind(snapshot, view.closed_link(transferred)) == len(rows)
        handled, scores = values("human_handle_seconds"), values("csat_score")
        assert ours["handled"] == len(handled)
        assert ours["human_handle_mean"] == pytest.approx(sum(handled) / len(handled))
        assert ours["resolution_median"] == pytest.approx(median(values("resolution_seconds")))
        assert ours["first_reply_median"] == pytest.approx(median(values("first_reply_seconds")))
        assert ours["csat_responses"] == len(scores)
        assert ours["csat_positive"] == sum(score >= 4 for score in scores)
    earlier = everything = 0.0
    for row in closed:
        if not row["is_transferred"]:
            continue
        for contact in marts.contacts[row["conversation_id"]]:
            if contact["agent_kind"] in ("human", "expert"):
                seconds = contact["duration_seconds"] or 0
                everything += seconds
                earlier += seconds if contact["contact_no"] < row["contact_count"] else 0
    legs = queries.earlier_legs(snapshot, question)
    assert legs["earlier_seconds"] == pytest.approx(earlier)
    assert legs["all_seconds"] == pytest.approx(everything)


def test_without_days_the_last_complete_month_of_the_data_is_shown(client: TestClient) -> None:
    text = client.get("/transfers").text
    assert 'name="from" value="2026-10-01"' in text
    assert 'name="to" value="2026-10-31"' in text


def test_the_matrix_shows_transfers_and_conversations_and_the_drawing_the_same(
    client: TestClient, snapshot: Snapshot
) -> None:
    text = client.get("/transfers", params={"by": "kind"}).text
    marts = Marts(snapshot, Question("kind", FIRST, LAST, ()))
    pairs = Counter(marts.pair(row) for row in marts.accepted)
    within = {
        row["conversation_id"] for row in marts.accepted if marts.pair(row)[1:] == ("bot", "human")
    }
    shown = re.search(r"transfer_from=bot&amp;transfer_to=human[^>]*>(\d+)</a>[^/]*/ (\d+)", text)
    assert shown
    assert [int(each) for each in shown.groups()] == [pairs[None, "bot", "human"], len(within)]
    drawn = json.loads(html.unescape(re.search(r'data-chart="([^"]+)"', text)[1]))  # type: ignore[index]
    links = drawn["series"][0]["links"]
    ranks: Counter[str] = Counter()
    first_three = 0
    for row in sorted(marts.accepted, key=lambda row: (row["requested_at"], row["transfer_id"])):
        ranks[row["conversation_id"]] += 1
        first_three += ranks[row["conversation_id"]] <= queries.STEPS
    assert sum(link["value"] for link in links) == first_three
    depths = {node["name"]: node["depth"] for node in drawn["series"][0]["data"]}
    assert all(depths[link["source"]] + 1 == depths[link["target"]] for link in links)


@pytest.mark.parametrize(
    "query",
    [
        "by=nobody",
        "from=yesterday",
        "from=2026-10-31&to=2026-10-01",
        "source=none&project=none&channel=none",
        "by=agent&from=0001-01-01&to=9999-12-31",
        "by=group&from=2026-11-01",
        "by=kind&to=2026-09-20",
        "project=%00%22%3E%3Cscript%3E",
    ],
)
def test_any_address_is_answered(client: TestClient, query: str) -> None:
    answer = client.get(f"/transfers?{query}")
    refused = query in ("by=nobody", "from=yesterday", "from=2026-10-31&to=2026-10-01")
    assert answer.status_code == (400 if refused else 200)
    assert "<script>" not in answer.text.replace("<script src", "")


def test_rates_over_nothing_are_a_dash(client: TestClient) -> None:
    text = client.get("/transfers?from=2020-01-01&to=2020-01-31").text
    assert "No transfers in this period" in text
    assert "0.0%" not in text


def test_a_version_is_asked_once_per_question(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question("kind", date(2026, 10, 2), date(2026, 10, 9), ())
    first = queries.answer(snapshot, question)
    monkeypatch.setattr(queries, "transfers", None)
    assert queries.answer(snapshot, question) is first


def test_the_page_is_french_for_the_french(client: TestClient) -> None:
    text = client.get("/transfers", headers={"Accept-Language": "fr"}).text
    for words in ("Qui transfère à qui", "Taux d’acceptation", "Matrice", "Allers-retours"):
        assert words in text
