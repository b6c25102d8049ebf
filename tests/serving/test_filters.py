"""The filters that the log, the exports, the reports' links and REST share."""

from __future__ import annotations

import re
from datetime import date, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import filters
from serving.filters import Filter
from serving.filters.declaring import ANSWERS
from serving.snapshot import Snapshot


def _count(snapshot: Snapshot, wanted: Filter) -> int:
    conditions = wanted.conditions()
    search = wanted.search()
    joined = filters.where([*conditions, *([search] if search else [])])
    found = snapshot.value(
        f"select count(*) from marts.conversations as conversations where {joined.sql}",
        joined.values,
    )
    assert isinstance(found, int)
    return found


def _read(query: str) -> Filter:
    wanted, problems = filters.read(parse_qsl(query))
    assert not problems
    return wanted


FLAGS = [field.name for field in filters.FIELDS if field.texts is ANSWERS]
EVERY = [
    "on=closed&from=2026-10-01&to=2026-10-31",
    "from=2026-10-05&to=2026-10-06",
    "source=bluewing_travel&project=3&project=-",
    "channel=chat&language=fr&automation=fully_automated&visitor=-",
    *(f"{flag}={answer}" for flag in FLAGS for answer in ("yes", "no")),
    "agent=1&group=sales&tag=invoice",
    "agent=-",
    "score_min=2&score_max=4.5",
    *(f"nps={name}" for name in filters.NPS_CLASSES),
    "id=311354",
    "q=facture+client",
    'q="bonjour je"',
    "contact_from=2026-10-01&contact_to=2026-10-02&contact_kind=bot&contact_kind=-",
    "contact_from=2026-10-01&contact_project=3&contact_project=-&contact_channel=chat",
    *(f"contact={state}&agent=1&group=sales" for state in filters.CONTACT_STATES),
    "transfer_from=1&transfer_to=-",
    "transfer_by=group&transfer_from=sales&transfer_to=care",
    "transfer_by=kind&transfer_from=bot&transfer_to=human",
    "transfer_first_day=2026-10-01&transfer_last_day=2026-10-31&transfer_outcome=failed",
    "transfer_kind=manual&transfer_kind=-&transfer_target=group:sales&transfer_outcome=asked",
    "transfer_by=group&path=-&path=g1&path=-",
    "transfer_by=kind&path=human&path=bot&path=human&path_part=yes",
    "path=1&path=2",
]


@pytest.mark.parametrize("query", EVERY)
def test_every_filter_asks_a_question_that_the_snapshot_answers(
    snapshot: Snapshot, query: str
) -> None:
    assert _count(snapshot, _read(query)) >= 0


@pytest.mark.parametrize("query", EVERY)
def test_an_address_comes_back_as_it_was(query: str) -> None:
    wanted = _read(query)
    assert _read(wanted.query()) == wanted


def test_a_flag_and_its_opposite_make_the_whole(snapshot: Snapshot) -> None:
    everything = _count(snapshot, Filter())
    for flag in FLAGS:
        parts = [_count(snapshot, _read(f"{flag}={answer}")) for answer in ("yes", "no")]
        assert sum(parts) == everything, flag


def test_a_closing_period_holds_what_the_statistical_report_counts(snapshot: Snapshot) -> None:
    for row in snapshot.rows(
        "select * from reports.statistical_report"
        " where period_grain = 'month' and dimension = 'all'"
    ):
        start = row["period_start"]
        last = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        month = f"on=closed&from={start}&to={last}"
        assert _count(snapshot, _read(month)) == row["conversations"]
        assert _count(snapshot, _read(f"{month}&transferred=yes")) == row["transferred"]
        assert _count(snapshot, _read(f"{month}&answered=yes")) == row["answered"]
        assert _count(snapshot, _read(f"{month}&escalated=yes")) == row["escalated"]
        assert _count(snapshot, _read(f"{month}&rated=yes")) == row["csat_responses"]


def test_a_filter_takes_the_project_and_the_channel_of_a_contact_itself(
    snapshot: Snapshot,
) -> None:
    for column, name in (("project_id", "contact_project"), ("channel", "contact_channel")):
        for row in snapshot.rows(
            f"select {column} as value, count(distinct conversation_id) as conversations"
            " from marts.contacts where source = 'bluewing_travel' group by 1"
        ):
            wanted = _read(f"source=bluewing_travel&{name}={row['value'] or '-'}")
            assert _count(snapshot, wanted) == row["conversations"], row


def test_the_classes_of_recommendation_are_the_reports(snapshot: Snapshot) -> None:
    row = snapshot.row(
        "select * from reports.statistical_report where dimension = 'all'"
        " and period_grain = 'month' and period_start = date '2026-10-01'"
    )
    assert row is not None
    month = "on=closed&from=2026-10-01&to=2026-10-31"
    counts = {name: _count(snapshot, _read(f"{month}&nps={name}")) for name in filters.NPS_CLASSES}
    assert counts["promoter"] == row["nps_promoters"]
    assert counts["detractor"] == row["nps_detractors"]
    assert counts["any"] == row["nps_responses"]
    assert sum(counts.values()) == 2 * counts["any"]


def test_any_id_leads_to_its_conversation(snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select id_kind, min(id) as id from marts.conversation_ids"
        " where conversation_id is not null group by all"
    )
    assert {row["id_kind"] for row in rows} >= {"contact", "conversation", "former_conversation"}
    for row in rows:
        assert _count(snapshot, Filter(id=row["id"])) >= 1


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("from=2026-02-30", "from"),
        ("from=yesterday", "from"),
        ("from=2026-10-02&to=2026-10-01", "to"),
        ("transferred=perhaps", "transferred"),
        ("score_min=lots", "score_min"),
        ("score_max=-1", "score_max"),
        ("q=" + "x" * 201, "q"),
        ("&".join(f"agent={number}" for number in range(101)), "agent"),
        ("contact=lost", "contact"),
        ("on=never", "on"),
        ("transfer_first_day=2026-10-02&transfer_last_day=2026-10-01", "transfer_last_day"),
        ("transfer_outcome=perhaps", "transfer_outcome"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_the_remedy(query: str, name: str) -> None:
    wanted, problems = filters.read(parse_qsl(query))
    assert [problem.name for problem in problems] == [name]
    assert problems[0].remedy
    assert wanted is not None


def test_words_find_accents_case_and_ligatures(snapshot: Snapshot) -> None:
    for pattern, text in (
        ("reclamation", "RÉCLAMATION"),
        ("réclamation", "reclamation"),
        ("coeur", "cœur"),
        ("œuvre", "oeuvre"),
        ("c++ (1.0)", "C++ (1.0)"),
        ("été", "e\u0301te\u0301"),
    ):
        quoted = f'"{pattern}"' if " " in pattern else pattern
        (made,) = filters.word_patterns(quoted)
        assert snapshot.value("select regexp_matches($t, $p)", {"t": text, "p": made}), made
    assert filters.word_patterns('  " "  ') == []
    assert len(filters.word_patterns(" ".join("abcdefghijk"))) == filters.MOST_WORDS


def test_every_word_has_to_be_there_and_a_phrase_as_it_stands(snapshot: Snapshot) -> None:
    body = snapshot.value(
        "select body from marts.messages where length(body) - length(replace(body, ' ', '')) > 4"
        " and conversation_id is not null order by message_id limit 1"
    )
    words = re.findall(r"\w{4,}", str(body))[:2]
    both = _count(snapshot, Filter(words=" ".join(words)))
    assert 0 < both <= min(_count(snapshot, Filter(words=word)) for word in words)
    assert _count(snapshot, Filter(words=f"{words[0]} zzzzzzzz")) == 0


@given(st.text(max_size=60))
def test_no_text_breaks_a_search(snapshot: Snapshot, text: str) -> None:
    wanted, _ = filters.read([("q", text), ("id", text), ("agent", text), ("tag", text)])
    assert _count(snapshot, wanted) >= 0


def test_days_at_the_ends_of_the_calendar_are_days(snapshot: Snapshot) -> None:
    wanted = Filter(first_day=date.min, last_day=date.max)
    assert _count(snapshot, wanted) == _count(snapshot, Filter())
