"""`make bench ARGS="--refreshes"`: what a delivery costs, beside a rebuild of the same rows.

Belongs here: the order of the programs, and comparing what a refresh published with what a rebuild
did. Does not belong here: what a delivery holds (deliveries), measuring (processes), any words.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from bench import pipeline
from bench.cases import Case, Plan, empty_registry, workspace
from bench.deliveries import World, write_delivery
from bench.processes import Cost
from seeds.generator.__main__ import SEED, committed_sample_period
from seeds.generator.volume import Volume, write_volume
from throughline.engine.sql import identifier, literal, sql
from throughline.settings import REPOSITORY, Settings

# A delivery has by default one contact for so many of the first logs.
SHARE = 1_000
# What a run says that builds what is new, and not everything.
SAYS = "What is new touches"
# Versions that stay on disk where a client reads: as many as by default.
_KEPT_FOR_READERS = 3


@dataclass(frozen=True)
class Refresh:
    """One delivery, and the run after it.

    Attributes:
        cost: of the run.
        is_refresh: whether it built what is new alone; else it built everything.
        told: what it said of that.
        parts: seconds of its steps by name.
        warehouse_bytes: size of the warehouse's file afterwards.
        outgoing_bytes: of the file of the public models.
        published_bytes: of all published files, those with several names once.
    """

    cost: Cost
    is_refresh: bool
    told: str
    parts: dict[str, float]
    warehouse_bytes: int
    outgoing_bytes: int
    published_bytes: int


@dataclass(frozen=True)
class Difference:
    """A published table in which refreshed and rebuilt differ.

    Attributes:
        table: its schema and name.
        only_refreshed: rows, of those that the refresh published.
        only_rebuilt: rows, of those that the rebuild published.
        columns: those whose values are not the same.
    """

    table: str
    only_refreshed: int
    only_rebuilt: int
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.only_refreshed:,} rows only refreshed, {self.only_rebuilt:,} only"
            f" rebuilt, in {', '.join(self.columns) or 'their combination'}"
        )


@dataclass
class Result:
    """What a case gave.

    Attributes:
        case: what was there first.
        delivered: contacts of each delivery.
        merged: conversations that the deliveries' old transfers made one with another.
        wanted_merges: how many these should be.
        first: the first run.
        refreshes: each delivery's.
        models: the slowest dbt nodes of the last refresh, in seconds.
        sample_build: a bare `dbt build` of the committed sample.
        rebuild: of the same rows as the last refresh.
        tables: that were compared.
        rows: in them.
        differences: between refreshed and rebuilt.
        same_version: whether both were published under one name.
        reader: what a client saw that asked all the while; empty where none did.
    """

    case: Case
    delivered: int
    merged: int
    wanted_merges: int
    first: Cost
    refreshes: list[Refresh]
    models: dict[str, float]
    sample_build: Cost
    rebuild: Cost
    tables: int
    rows: int
    differences: list[Difference]
    same_version: bool
    reader: dict[str, Any] = field(default_factory=dict)

    @property
    def small(self) -> list[Refresh]:
        """The runs that built what was new alone."""
        return [one for one in self.refreshes if one.is_refresh]

    @property
    def is_right(self) -> bool:
        """Whether all that was built and read is as it must be."""
        return (
            bool(self.small)
            and not self.differences
            and self.merged == self.wanted_merges
            and not self.reader.get("error_count")
            and not self.reader.get("mixed_count")
        )


def measure(
    case: Case, plan: Plan, tell: Callable[[str], None], *, delivered: int, on_end: int
) -> Result:
    """Make the first logs and run; then deliver and run, as often as wanted; then rebuild.

    Args:
        case: what is there first.
        plan: where, and with how much.
        tell: called with a line now and then.
        delivered: contacts of each delivery.
        on_end: how many deliveries; a client reads all the while where there are several.

    Raises:
        ProgramError: a program failed.
        OSError: the disk.
    """
    folder = plan.folder / f"refreshes_{case.slug}"
    with workspace(folder, keep=plan.keep):
        log = folder / "output.log"
        world = World(
            Volume(
                contacts=case.contacts,
                messages_per_contact=case.messages_per_contact,
                period=committed_sample_period(),
                seed=SEED,
                shape=None,
                source="volume",
                threads=plan.threads,
            ),
            delivered,
            on_end,
        )
        landing = folder / "landing"
        tell("making the logs")
        write_volume(world.first, landing, folder / "truth", lambda _: None)
        settings = pipeline.settings_of(
            landing,
            folder / "warehouse",
            empty_registry(folder / "registry"),
            plan.memory_limit,
            plan.threads,
            1 if on_end == 1 else _KEPT_FOR_READERS,
        )
        tell("the first run")
        first = pipeline.refresh(settings, log)
        refreshes = []
        with _reader(settings, folder, is_wanted=on_end > 1) as seen:
            for number in range(on_end):
                tell(f"delivery {number + 1} of {on_end}")
                write_delivery(world, number, landing)
                refreshes.append(_refresh(settings, folder / f"refresh_{number:05d}.log"))
        models = _largest(pipeline.model_seconds(settings), 12)
        tell("dbt alone, of the sample")
        sample_build = build_sample(folder / "sample", plan, log)
        refreshed = folder / "refreshed.duckdb"
        shutil.copyfile(settings.published_file, refreshed)
        version = _version(settings)
        tell("a rebuild of the same rows")
        rebuild = pipeline.command(settings, log, "rebuild")
        tell("comparing")
        tables, rows, found = differences(refreshed, settings.published_file, plan.memory_limit)
        return Result(
            case=case,
            delivered=delivered,
            merged=_merged(settings.published_file),
            wanted_merges=world.merges * on_end,
            first=first,
            refreshes=refreshes,
            models=models,
            sample_build=sample_build,
            rebuild=rebuild,
            tables=tables,
            rows=rows,
            differences=found,
            same_version=version == _version(settings),
            reader=seen,
        )


def build_sample(folder: Path, plan: Plan, log: Path) -> Cost:
    """What a `dbt build` of the committed sample costs that somebody types.

    Raises:
        ProgramError: it failed, or the run did that loads the sample.
    """
    seeds = REPOSITORY / "seeds"
    settings = pipeline.settings_of(
        seeds / "sample_logs", folder, seeds / "registry", plan.memory_limit, plan.threads
    )
    pipeline.refresh(settings, log)
    # The first one reads the whole project; whoever works with dbt has that behind them.
    pipeline.command(settings, log, "dbt", "parse")
    return pipeline.command(settings, log, "dbt", "build", "--exclude-resource-type", "unit_test")


def differences(
    refreshed: Path, rebuilt: Path, memory_limit: str = "4GB"
) -> tuple[int, int, list[Difference]]:
    """Compare two published files: every table, every column, every row, whatever their order.

    Sums of hashes say which tables differ; of these the rows are compared.

    Returns:
        Tables that were compared, rows in them, and what differs.
    """
    with duckdb.connect(config={"memory_limit": memory_limit}) as connection:
        for name, file in (("refreshed", refreshed), ("rebuilt", rebuilt)):
            connection.execute(f"attach {literal(str(file))} as {name} (read_only)")
        tables = connection.execute(
            "select distinct schema_name, table_name from duckdb_tables()"
            " where database_name in ('refreshed', 'rebuilt') order by all"
        ).fetchall()
        found, total = [], 0
        for schema, table in tables:
            rows, difference = _difference(connection, schema, table)
            total += rows
            if difference is not None:
                found.append(difference)
    return len(tables), total, found


def _difference(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str
) -> tuple[int, Difference | None]:
    here, there = (identifier(side, schema, table) for side in ("refreshed", "rebuilt"))
    columns, others = (
        [row[0] for row in connection.execute(f"describe {side}").fetchall()]
        for side in (here, there)
    )
    if columns != others:
        return 0, Difference(f"{schema}.{table}", 0, 0, tuple({*columns} ^ {*others}))
    row = ", ".join(identifier(column) for column in columns)
    hashed = ", ".join(f"sum(hash({what})::hugeint)" for what in [row, *map(identifier, columns)])
    sums = [
        connection.execute(
            sql("select count(*), @{hashed} from @{side}", hashed=hashed, side=side)
        ).fetchone()
        for side in (here, there)
    ]
    assert sums[0] is not None
    assert sums[1] is not None
    if sums[0] == sums[1]:
        return int(sums[0][0]), None
    only = [
        connection.execute(
            sql("select count(*) from (from @{one} except all from @{other})", one=one, other=other)
        ).fetchone()
        for one, other in ((here, there), (there, here))
    ]
    assert only[0] is not None
    assert only[1] is not None
    differ = tuple(
        column
        for column, one, other in zip(columns, sums[0][2:], sums[1][2:], strict=True)
        if one != other
    )
    return int(sums[0][0]), Difference(f"{schema}.{table}", only[0][0], only[1][0], differ)


def _refresh(settings: Settings, log: Path) -> Refresh:
    cost = pipeline.refresh(settings, log)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = next((line for line in lines if line.startswith((SAYS, "Everything is built"))), "")
    published = {
        (status.st_dev, status.st_ino): status.st_size
        for path in settings.published_dir.rglob("*")
        if path.is_file() and (status := path.stat())
    }
    return Refresh(
        cost=cost,
        is_refresh=told.startswith(SAYS),
        told=told,
        parts=pipeline.step_seconds(settings),
        warehouse_bytes=settings.warehouse_file.stat().st_size,
        outgoing_bytes=settings.outgoing_file.stat().st_size,
        published_bytes=sum(published.values()),
    )


@contextmanager
def _reader(settings: Settings, folder: Path, *, is_wanted: bool) -> Iterator[dict[str, Any]]:
    """A client that reads; what it saw is in the value when it has ended."""
    seen: dict[str, Any] = {}
    if not is_wanted:
        yield seen
        return
    told = folder / "reader.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.reader", str(settings.published_dir), str(told)],
        cwd=REPOSITORY,
    )
    try:
        yield seen
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=300)
        seen.update(json.loads(told.read_bytes()))
    finally:
        process.kill()
        process.wait()


def _version(settings: Settings) -> str:
    manifest = json.loads((settings.published_dir / "manifest.json").read_bytes())
    return str(manifest["data_version"])


def _merged(published: Path) -> int:
    with duckdb.connect(str(published), read_only=True) as connection:
        row = connection.execute("select count(*) from marts.conversation_merges").fetchone()
    assert row is not None
    return int(row[0])


def _largest(seconds: dict[str, float], number: int) -> dict[str, float]:
    return {
        name.split(".")[2]: value
        for name, value in sorted(seconds.items(), key=lambda item: -item[1])[:number]
    }
