"""Claims about deliveries, the comparison and the client; the benchmark itself takes minutes."""

import json

import duckdb
import pytest

from bench.deliveries import World, write_delivery
from bench.reader import Reader
from bench.refreshes import differences
from seeds.generator.__main__ import SEED, committed_sample_period
from seeds.generator.volume import Volume, write_volume

CONTACTS, DELIVERED, DELIVERIES = 2_000, 500, 2


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """First logs and two deliveries, as views; `filename` says of which a row is."""
    folder = tmp_path_factory.mktemp("refreshes")
    volume = Volume(
        contacts=CONTACTS,
        messages_per_contact=2,
        period=committed_sample_period(),
        seed=SEED,
        shape=None,
        source="volume",
        threads=1,
    )
    write_volume(volume, folder / "landing", folder / "truth", lambda _: None)
    for number in range(DELIVERIES):
        write_delivery(World(volume, DELIVERED, DELIVERIES), number, folder / "landing")
    with duckdb.connect() as connection:
        for log in ("contacts", "transfers", "messages"):
            files = str(folder / "landing" / "volume" / log / "*.parquet")
            connection.read_parquet(files, filename=True, union_by_name=True).create_view(log)
        connection.execute("create macro is_later(filename) as filename like '%delivery_%'")
        yield connection


def test_a_delivery_continues_the_first_logs(logs):
    first, later, ids = logs.execute(
        "select count(distinct contact_id) filter (not is_later(filename)),"
        " count(distinct contact_id) filter (is_later(filename)), count(distinct contact_id)"
        " from contacts"
    ).fetchone()
    delivered = DELIVERED * DELIVERIES
    assert (first, later, ids) == (CONTACTS, delivered, CONTACTS + delivered)
    assert logs.execute(
        "select count(*), count(distinct message_id) from messages where is_later(filename)"
    ).fetchone() == (2 * delivered, 2 * delivered)
    # A share is late, by whole days; the rest begins when the first logs end.
    (late,) = logs.execute(
        "select count(*) from contacts where is_later(filename) and started_at"
        " < (select max(started_at) from contacts where not is_later(filename)) - interval 20 hours"
    ).fetchone()
    assert 0 < late < delivered / 20


def test_a_delivery_makes_two_old_conversations_one(logs):
    merging = logs.execute(
        "select transfers.transfer_id, handed_over.end_reason, taken_over.previous_contact_id"
        " from transfers"
        " left join contacts as handed_over on handed_over.contact_id = transfers.from_contact_id"
        " and handed_over.ended_at is not null and not is_later(handed_over.filename)"
        " left join contacts as taken_over on taken_over.contact_id = transfers.to_contact_id"
        " and taken_over.ended_at is not null and not is_later(taken_over.filename)"
        " where transfers.transfer_id like 'late-%'"
    ).fetchall()
    # One for each delivery, each from a conversation's last contact to another's first.
    assert len({transfer for transfer, *_ in merging}) == len(merging) == DELIVERIES
    for _, end_reason, previous in merging:
        assert end_reason in {"close", "timeout"}
        assert previous is None


def published(file, rows):
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema marts;"
            "create table marts.conversations as select 'c1' as conversation_id;"
            "create table marts.contacts (contact_id integer, conversation_id varchar)"
        )
        connection.executemany("insert into marts.contacts values (?, ?)", rows)
    return file


def test_the_comparison_is_of_rows_whatever_their_order_and_number(tmp_path):
    one = published(tmp_path / "one.duckdb", [(1, "c1"), (2, "c1"), (2, "c1")])
    turned = published(tmp_path / "turned.duckdb", [(2, "c1"), (2, "c1"), (1, "c1")])
    lost = published(tmp_path / "lost.duckdb", [(1, "c1"), (1, "c1"), (2, "c1")])
    assert differences(one, turned) == (2, 4, [])
    tables, rows, found = differences(one, lost)
    assert (tables, rows) == (2, 4)
    assert [(d.table, d.only_refreshed, d.only_rebuilt, d.columns) for d in found] == [
        ("marts.contacts", 1, 1, ("contact_id",))
    ]


def test_the_client_counts_what_is_not_as_its_manifest_says(tmp_path):
    file = published(tmp_path / "a.duckdb", [(1, "c1"), (2, "c2")])
    models = [{"schema": "marts", "name": "contacts", "row_count": 3}]
    manifest = {"data_version": "v", "database": {"path": file.name}, "models": models}
    reader = Reader(tmp_path)
    reader.look()
    assert reader.error_count == 1  # no manifest
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    reader.look()
    assert (reader.error_count, reader.answers, reader.mixed_count) == (1, 1, 1)
    assert reader.mixed == ["v: marts.contacts, contacts without their conversation"]
