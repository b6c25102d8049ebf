"""Volume mode: any number of contacts, streamed to Parquet block by block.

Belongs here: block sizes, files, progress. The world itself is `volume.sql`, computed by DuckDB, so
that users need nothing that the product does not need anyway.
Does not belong here: the shapes and messages of the sample (`stories.py`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from seeds.generator import world
from seeds.generator.stories import DAY, Period

SHAPES = ("chain", "star", "cycle")

_ROWS_PER_FILE = 1_000_000
# Contacts per row of each log, for files of about _ROWS_PER_FILE rows.
_CONTACTS_PER_ROW = {"contacts": 1, "transfers": 3, "ratings": 3, "transactions": 10}


class VolumeError(RuntimeError):
    """The logs cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Volume:
    """What to make.

    Attributes:
        contacts: how many, at least 2.
        messages_per_contact: 0 for no messages log.
        period: the days over which conversations start.
        seed: the same seed and DuckDB version give the same files.
        shape: None, or one of `SHAPES` for one conversation of all contacts.
        source: the source's folder.
        threads: DuckDB's threads.
        memory_limit: DuckDB's memory limit.
    """

    contacts: int
    messages_per_contact: int
    period: Period
    seed: int
    shape: str | None
    source: str
    threads: int
    memory_limit: str = "1500MB"


def stride(total: int) -> int:
    """A step that visits every number below `total` once, far from its neighbours."""
    step = max(1, total * 618_034 // 1_000_000)
    while math.gcd(step, total) != 1:
        step += 1
    return step


def connect(volume: Volume) -> duckdb.DuckDBPyConnection:
    """A database in memory that knows the world."""
    connection = duckdb.connect(
        config={"threads": volume.threads, "memory_limit": volume.memory_limit}
    )
    connection.execute("set TimeZone = 'UTC'")
    variables: dict[str, int | str] = {
        "seed": volume.seed,
        "total": volume.contacts,
        "first_second": volume.period.start,
        "span_seconds": volume.period.days * DAY,
        "agents": max(20, min(2000, volume.contacts // 20_000)),
        "messages_per_contact": volume.messages_per_contact,
        "shape": volume.shape or "",
        "stride": stride(volume.contacts),
        "transfer_per_mille": world.TRANSFER_PER_MILLE,
        "snooze_per_mille": world.SNOOZE_PER_MILLE,
        "unmet_per_mille": world.UNMET_TRANSFER_PER_MILLE,
        "bot_first_per_mille": world.BOT_FIRST_PER_MILLE,
        "unanswered_per_mille": world.UNANSWERED_PER_MILLE,
        "csat_per_mille": world.CSAT_PER_MILLE,
        "csat_changed_per_mille": world.CSAT_CHANGED_PER_MILLE,
        "nps_per_mille": world.NPS_PER_MILLE,
        "transaction_per_mille": world.TRANSACTION_PER_MILLE,
        "second_transaction_per_mille": world.SECOND_TRANSACTION_PER_MILLE,
        "repeat_per_mille": world.VOLUME_REPEAT_PER_MILLE,
    }
    for name, value in variables.items():
        kind = "varchar" if isinstance(value, str) else "bigint"
        connection.execute(f"set variable {name} = cast(? as {kind})", [value])
    connection.execute((Path(__file__).parent / "volume.sql").read_text(encoding="utf-8"))
    return connection


def _block_sizes(volume: Volume) -> dict[str, int]:
    """Contacts per file of each log that is made."""
    if volume.shape:
        return {"contacts": _ROWS_PER_FILE, "transfers": _ROWS_PER_FILE}
    sizes = {log: _ROWS_PER_FILE * per_row for log, per_row in _CONTACTS_PER_ROW.items()}
    if volume.messages_per_contact:
        sizes["messages"] = max(1, _ROWS_PER_FILE // volume.messages_per_contact)
    return sizes


def write_volume(
    volume: Volume, out: Path, truth: Path, progress: Callable[[str], None]
) -> dict[str, int]:
    """Write the logs below `out/<source>` and the truth into `truth`.

    Args:
        volume: what to make.
        out: the landing zone.
        truth: receives contacts.parquet (contact_id, conversation_no) and counts.json.
        progress: called with a line of text now and then.

    Returns:
        The counts that a pipeline has to find.

    Raises:
        VolumeError: the source's folder already holds files.
    """
    folder = out / volume.source
    if folder.exists() and any(folder.iterdir()):
        raise VolumeError(
            f"{folder} is not empty: remove it, or choose another folder with --out"
            " or another name with --source"
        )
    began = time.monotonic()
    prefix = "shape_" if volume.shape else ""
    with connect(volume) as connection:
        for log, size in _block_sizes(volume).items():
            target = folder / log
            target.mkdir(parents=True)
            for number, low in enumerate(range(0, volume.contacts, size)):
                high = min(low + size, volume.contacts)
                write(
                    connection,
                    f"from {prefix}{log}_between({low:d}, {high:d})",
                    target / f"{log}_{number:05d}.parquet",
                )
                progress(
                    f"{log}: {high:,} of {volume.contacts:,} contacts,"
                    f" {time.monotonic() - began:.0f} s"
                )
        if not volume.shape:
            (folder / "agents").mkdir()
            write(connection, "from all_agents()", folder / "agents" / "agents.parquet")
        counts = _write_truth(connection, volume, truth)
    return counts


def write(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """One Parquet file, under its own name only when it is whole: pipelines ignore `.tmp`."""
    unfinished = target.with_name(target.name + ".tmp")
    connection.sql(query).to_parquet(str(unfinished), compression="snappy")
    unfinished.rename(target)


def _write_truth(
    connection: duckdb.DuckDBPyConnection, volume: Volume, truth: Path
) -> dict[str, int]:
    """What a pipeline has to find, block by block as well."""
    truth.mkdir(parents=True, exist_ok=True)
    if volume.shape:
        accepted = volume.contacts - (volume.shape != "cycle")
        counts = {
            "conversations": 1,
            "contacts": volume.contacts,
            "open_contacts": 0,
            "transfer_requests": accepted,
            "accepted_transfers": accepted,
            "messages": 0,
        }
    else:
        counts = {}
        for low in range(0, volume.contacts, _ROWS_PER_FILE):
            high = min(low + _ROWS_PER_FILE, volume.contacts)
            block = connection.execute(f"from counts_between({low:d}, {high:d})")
            names = [column[0] for column in block.description or []]
            for name, value in zip(names, block.fetchall()[0], strict=True):
                counts[name] = counts.get(name, 0) + value
        target = truth / "contacts"
        target.mkdir(exist_ok=True)
        for number, low in enumerate(range(0, volume.contacts, 5 * _ROWS_PER_FILE)):
            high = min(low + 5 * _ROWS_PER_FILE, volume.contacts)
            write(
                connection,
                f"from truth_between({low:d}, {high:d})",
                target / f"contacts_{number:05d}.parquet",
            )
    content = {"source": volume.source, "seed": volume.seed, "shape": volume.shape, **counts}
    (truth / "counts.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return counts
