"""Volume mode: what a small run must have in common with a run of any size."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import duckdb
import networkx as nx
import pytest

from seeds.generator.__main__ import main

CONTACTS = 30_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with messages."""
    folder = tmp_path_factory.mktemp("volume")
    assert (
        main(
            [
                *("--contacts", f"{CONTACTS:_}", "--messages-per-contact", "3", "--seed", "5"),
                *("--threads", "2", "--out", str(folder / "logs")),
            ]
        )
        == 0
    )
    return folder


@pytest.fixture(scope="module")
def logs(made: Path) -> duckdb.DuckDBPyConnection:
    """Each log of the run as a view, contacts and transfers in their newest version."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set TimeZone = 'UTC'")
    for log in ("contacts", "transfers", "messages", "ratings", "transactions", "agents"):
        files = made / "logs" / "volume" / log / "*.parquet"
        connection.read_parquet(str(files)).create_view(f"raw_{log}")
    connection.read_parquet(str(made / "logs_truth" / "contacts" / "*")).create_view("truth")
    connection.execute(
        """
        create table contacts as
        select distinct on (contact_id) * from raw_contacts order by contact_id, updated_at desc;
        create table transfers as
        select distinct on (transfer_id) * from raw_transfers order by transfer_id, updated_at desc;
        """
    )
    return connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The only value of a query."""
    return connection.execute(query).fetchall()[0][0]


def test_there_are_as_many_contacts_as_asked_for(logs: duckdb.DuckDBPyConnection) -> None:
    assert one(logs, "select count(*) from contacts") == CONTACTS
    assert one(logs, "select count(distinct contact_id) from truth") == CONTACTS
    assert one(logs, "select count(*) from raw_messages") == 3 * CONTACTS
    assert one(logs, "select count(distinct message_id) from raw_messages") == 3 * CONTACTS


def test_thirty_percent_of_contacts_end_by_an_accepted_transfer(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    accepted = one(logs, "select count(*) from transfers where outcome = 'accepted'")
    assert accepted == one(logs, "select count(*) from contacts where end_reason = 'transfer'")
    assert 0.29 < accepted / CONTACTS < 0.31
    snoozed = one(logs, "select count(*) from contacts where end_reason = 'snooze'")
    assert snoozed == one(logs, "select count(previous_contact_id) from contacts")
    assert 0.015 < snoozed / CONTACTS < 0.025


def test_the_true_conversations_are_the_components_of_the_delivered_evidence(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(
        row[0] for row in logs.execute("select contact_id from contacts").fetchall()
    )
    graph.add_edges_from(
        logs.execute(
            """
            select from_contact_id, to_contact_id from transfers where to_contact_id is not null
            union all
            select previous_contact_id, contact_id from contacts
            where previous_contact_id is not null
            union all
            select min(contact_id) over (partition by conversation_ref), contact_id from contacts
            where conversation_ref is not null
            """
        ).fetchall()
    )
    true = logs.execute(
        "select list(contact_id order by contact_id) from truth group by conversation_no"
    ).fetchall()
    assert sorted(map(sorted, nx.connected_components(graph))) == sorted(row[0] for row in true)


def test_the_counts_are_those_of_the_logs(made: Path, logs: duckdb.DuckDBPyConnection) -> None:
    counts = json.loads((made / "logs_truth" / "counts.json").read_text(encoding="utf-8"))
    assert counts == {
        "source": "volume",
        "seed": 5,
        "shape": None,
        "conversations": one(logs, "select count(distinct conversation_no) from truth"),
        "contacts": one(logs, "select count(*) from contacts"),
        "open_contacts": one(logs, "select count(*) from contacts where ended_at is null"),
        "transfer_requests": one(logs, "select count(*) from transfers"),
        "accepted_transfers": one(
            logs, "select count(*) from transfers where outcome = 'accepted'"
        ),
        "messages": one(logs, "select count(*) from raw_messages"),
    }


def test_chain_lengths_fall_like_a_geometric_series(logs: duckdb.DuckDBPyConnection) -> None:
    lengths = Counter(
        row[0]
        for row in logs.execute("select count(*) from truth group by conversation_no").fetchall()
    )
    for length in (1, 2, 3):
        assert 0.2 < lengths[length + 1] / lengths[length] < 0.45
    assert max(lengths) >= 6


def test_instants_are_in_order_inside_a_contact_and_over_a_transfer(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    assert (
        one(
            logs,
            """
        select count(*) from contacts
        where answered_at <= started_at or ended_at <= coalesce(answered_at, started_at)
        """,
        )
        == 0
    )
    assert (
        one(
            logs,
            """
        select count(*)
        from transfers
        join contacts as target on target.contact_id = transfers.to_contact_id
        join contacts as origin on origin.contact_id = transfers.from_contact_id
        where target.started_at <= transfers.requested_at
            or transfers.requested_at < origin.started_at
        """,
        )
        == 0
    )
    assert (
        one(
            logs,
            """
        select count(*)
        from raw_messages
        join contacts using (contact_id)
        where sent_at < started_at or sent_at > ended_at
        """,
        )
        == 0
    )


def test_the_first_reply_in_the_messages_is_the_answer_in_the_contact(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    assert (
        one(
            logs,
            """
        select count(*)
        from contacts
        left join (
            select contact_id, min(sent_at) as replied_at
            from raw_messages
            where author_kind <> 'visitor'
            group by contact_id
        ) using (contact_id)
        where answered_at is distinct from replied_at
        """,
        )
        == 0
    )


def test_a_few_records_are_repeated_as_versions_and_identically(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    repeated = one(logs, "select count(*) from raw_contacts") - CONTACTS
    assert 0.003 < repeated / CONTACTS < 0.007
    assert one(logs, "select count(*) from raw_transfers") > one(
        logs, "select count(*) from (select distinct * from raw_transfers)"
    )


def test_some_ids_do_not_follow_time_inside_a_chain(logs: duckdb.DuckDBPyConnection) -> None:
    backwards = one(
        logs,
        "select count(*) from transfers where to_contact_id::bigint < from_contact_id::bigint",
    )
    assert 0.005 < backwards / one(logs, "select count(to_contact_id) from transfers") < 0.08


def test_bodies_are_short_and_times_are_utc(logs: duckdb.DuckDBPyConnection) -> None:
    lengths = logs.execute("select min(length(body)), max(length(body)) from raw_messages")
    low, high = lengths.fetchall()[0]
    assert 20 <= low <= high <= 60
    types = dict(
        logs.execute("select column_name, column_type from (describe contacts)").fetchall()
    )
    for column in ("started_at", "answered_at", "ended_at", "updated_at"):
        assert types[column] == "TIMESTAMP WITH TIME ZONE"


def test_every_link_to_an_agent_or_contact_leads_somewhere(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    assert one(logs, "select count(*) from raw_messages anti join contacts using (contact_id)") == 0
    assert one(logs, "select count(*) from raw_ratings anti join contacts using (contact_id)") == 0
    assert one(logs, "select count(*) from contacts anti join raw_agents using (agent_id)") == 0
    assert one(logs, "select count(*) from raw_transactions") > 1_000
    assert one(logs, "select count(*) from raw_ratings") > 5_000


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    made: Path, tmp_path: Path
) -> None:
    main(
        [
            *("--contacts", str(CONTACTS), "--messages-per-contact", "3", "--seed", "5"),
            *("--threads", "1", "--out", str(tmp_path / "logs")),
        ]
    )
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    again = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert files == again
    assert all((made / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


@pytest.mark.parametrize(("shape", "links"), [("chain", 4_999), ("star", 4_999), ("cycle", 5_000)])
def test_an_extreme_shape_is_one_conversation_of_that_shape(
    shape: str, links: int, tmp_path: Path
) -> None:
    out = tmp_path / "logs"
    assert main(["--contacts", "5000", "--shape", shape, "--out", str(out)]) == 0
    edges = duckdb.execute(
        "select from_contact_id, to_contact_id from read_parquet(?)",
        [f"{out}/volume/transfers/*.parquet"],
    ).fetchall()
    graph = nx.Graph(edges)
    assert len(edges) == links
    assert len(graph) == 5_000
    assert nx.is_connected(graph)
    degrees = Counter(dict(graph.degree).values())
    assert (
        degrees
        == {
            "chain": {1: 2, 2: 4_998},
            "star": {1: 4_999, 4_999: 1},
            "cycle": {2: 5_000},
        }[shape]
    )
    delivered = duckdb.execute(
        "select distinct contact_id from read_parquet(?)", [f"{out}/volume/contacts/*.parquet"]
    ).fetchall()
    assert {row[0] for row in delivered} == set(graph)
    counts = json.loads((tmp_path / "logs_truth" / "counts.json").read_text(encoding="utf-8"))
    assert (counts["conversations"], counts["accepted_transfers"]) == (1, links)


def test_logs_that_are_there_already_are_not_mixed_with_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--contacts", "100", "--out", str(tmp_path / "logs")]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "is not empty: remove it" in capsys.readouterr().err
    assert main([*arguments, "--source", "second"]) == 0


def test_no_unfinished_file_is_left(made: Path) -> None:
    assert not list(made.rglob("*.tmp"))
