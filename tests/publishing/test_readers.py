"""Readers and publishes do not disturb each other: whoever reads sees one version, always whole.

The clients are those that BI users have. Each reads while a run is on: another process that holds
the warehouse's write lock and publishes one generation after the other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fake_warehouse
import pandas
import polars
import pytest
import sqlalchemy

from throughline.publishing import publish as publishing
from throughline.settings import Settings

NODE = Path(__file__).parent / "node"
PATIENCE_SECONDS = 240


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read the child's output up to the first line that starts with the text."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(text):
            return
    pytest.fail(f"the run ended early: {process.communicate()[1]}")


def stop(settings: Settings, *processes: subprocess.Popen[str]) -> list[str]:
    """End the children's loops and return what they printed."""
    (settings.warehouse_dir / "stop").touch()
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, errors
        outputs.append(output)
    return outputs


def test_an_open_reader_keeps_its_version_through_twenty_publishes(
    settings: Settings, child: fake_warehouse.Child
) -> None:
    publishing.publish(settings, run_id="first")
    query = "select count(*), min(generation), max(generation), max(note) from marts.conversations"
    held = duckdb.connect(str(settings.published_file), read_only=True)
    before = held.execute(query).fetchall()

    loop = child("read_loop", settings)
    run = child("run_loop", settings, 20, 1)
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, errors
    output = json.loads(stop(settings, loop)[0])

    assert held.execute(query).fetchall() == before
    assert held.execute("select sum(length(body)) from marts.messages").fetchone() is not None
    held.close()
    assert fake_warehouse.read_generations(settings.published_file) == {20}
    assert output["reads"] > 20
    assert output["seen"] == sorted(output["seen"]), "a reader never goes back in time"
    assert len(set(output["seen"])) > 5
    assert len(list((settings.published_dir / "versions").iterdir())) == settings.versions_kept


def with_duckdb(published: Path) -> set[int]:
    return fake_warehouse.read_generations(published / "throughline.duckdb")


def with_sqlalchemy(published: Path) -> set[int]:
    engine = sqlalchemy.create_engine(
        f"duckdb:///{published}/throughline.duckdb",
        connect_args={"read_only": True},
        # A pooled connection would stay on its version: right for a report, not for this test.
        poolclass=sqlalchemy.NullPool,
    )
    with engine.connect() as connection:
        rows = connection.execute(
            sqlalchemy.text(
                "select generation from marts.conversations where generation >= :least"
                " union select generation from marts.messages"
            ),
            {"least": 0},
        )
        return {int(row[0]) for row in rows}


def with_pandas(published: Path) -> set[int]:
    with duckdb.connect(str(published / "throughline.duckdb"), read_only=True) as connection:
        conversations = connection.execute("from marts.conversations").df()
        messages = connection.execute("from marts.messages").df()
    assert list(conversations["agent_path"].iloc[0]) == ["bot", "agent 0"]
    return set(conversations["generation"]) | set(messages["generation"])


def conversations_parquet(published: Path) -> Path:
    """The folder of the current Parquet files under its version's own path.

    Parquet readers may open the path more than once; a swap in between would give them the footer
    of one version and the pages of another. So resolve the symlink once.
    """
    return (published / "parquet" / "marts" / "conversations").resolve()


def with_pandas_parquet(published: Path) -> set[int]:
    frame = pandas.read_parquet(conversations_parquet(published))
    assert str(frame["started_at"].dtype).startswith("datetime64")
    return set(frame["generation"]) | {len(frame) - 100}


def with_polars(published: Path) -> set[int]:
    with duckdb.connect(str(published / "throughline.duckdb"), read_only=True) as connection:
        frame = connection.sql("from marts.conversations").pl()
    return set(frame["generation"]) | {frame.height - 100}


def with_polars_parquet(published: Path) -> set[int]:
    frame = polars.scan_parquet(conversations_parquet(published)).collect()
    assert frame.schema["agent_path"] == polars.List(polars.String)
    return set(frame["generation"]) | {frame.height - 100}


@pytest.mark.parametrize(
    "read",
    [
        with_duckdb,
        with_sqlalchemy,
        with_pandas,
        with_pandas_parquet,
        with_polars,
        with_polars_parquet,
    ],
)
def test_a_bi_client_reads_whole_versions_while_a_run_is_on(
    read: Callable[[Path], set[int]], settings: Settings, child: fake_warehouse.Child
) -> None:
    publishing.publish(settings, run_id="first")
    run = child("run_until_stopped", settings)
    wait_for(run, "writing")
    seen: list[int] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(set(seen)) < 3 and time.monotonic() < deadline:
        generations = read(settings.published_dir)
        assert len(generations) == 1, f"two generations at once: {generations}"
        seen.extend(generations)
    stop(settings, run)

    assert len(set(seen)) >= 3
    assert seen == sorted(seen)


def test_the_node_client_reads_whole_versions_while_a_run_is_on(
    settings: Settings, child: fake_warehouse.Child
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the Node client is not tested on this machine")
    if not (NODE / "node_modules").is_dir():
        pytest.skip("run `npm ci` in tests/publishing/node to test the Node client")
    publishing.publish(settings, run_id="first")
    run = child("run_until_stopped", settings)
    reader = subprocess.Popen(
        [
            node,
            str(NODE / "read.mjs"),
            str(settings.published_file),
            str(settings.warehouse_dir / "stop"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(4):
            wait_for(run, "published")
        _, output = stop(settings, run, reader)
    finally:
        reader.kill()
        reader.communicate()

    found: dict[str, Any] = json.loads(output)
    assert found["comment"].startswith("One row per thing in conversations.")
    generations = [generation for (generation,) in found["seen"]]
    assert generations == sorted(generations)
    assert len(set(generations)) >= 2


def test_the_node_client_is_pinned_by_checksum_and_names_no_host() -> None:
    lock = json.loads((NODE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_sqlalchemy_shows_schemas_tables_columns_and_refuses_to_write(settings: Settings) -> None:
    done = publishing.publish(settings, run_id="first")
    engine = sqlalchemy.create_engine(
        f"duckdb:///{settings.published_file}", connect_args={"read_only": True}
    )

    inspector = sqlalchemy.inspect(engine)
    shown = {name.split(".")[-1].strip('"') for name in inspector.get_schema_names()}
    assert shown >= {model.schema for model in done.models} >= {"marts", "reports"}
    assert "conversations" in inspector.get_table_names(schema="marts")
    columns = inspector.get_columns("messages", schema="marts")
    assert [column["name"] for column in columns] == [
        "conversation_id",
        "message_no",
        "generation",
        "body",
    ]
    frame = pandas.read_sql("select count(*) as conversations from marts.conversations", engine)
    assert frame["conversations"].tolist() == [100]
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match="read-on"):
        connection.execute(sqlalchemy.text("create table marts.mine (number integer)"))
    engine.dispose()


def test_an_engine_with_a_pool_sees_the_new_version_once_its_connections_are_returned(
    settings: Settings,
) -> None:
    publishing.publish(settings, run_id="first")
    engine = sqlalchemy.create_engine(
        f"duckdb:///{settings.published_file}", connect_args={"read_only": True}
    )
    query = sqlalchemy.text("select max(generation) from marts.conversations")
    with engine.connect() as connection:
        assert connection.execute(query).scalar_one() == 0
    fake_warehouse.build(settings, 1)
    publishing.publish(settings, run_id="second")

    engine.dispose()

    with engine.connect() as connection:
        assert connection.execute(query).scalar_one() == 1
    engine.dispose()
