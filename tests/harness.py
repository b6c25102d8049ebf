"""A whole pipeline in a temporary folder, without Dagster, for tests that look at what comes out.

Belongs here: writing landing files, one run (land, `dbt build`, publish), reading tables.
Does not belong here: expectations of any kind.

dbt lives in one child process for all pipelines of a test process: it parses once, which costs more
than a build, and leaves neither its global state nor an open warehouse in the process of the tests.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

REPOSITORY = Path(__file__).resolve().parent.parent
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from throughline import landing
from throughline.building import tables
from throughline.building.command import CALLER
from throughline.building.manifest import public_models
from throughline.building.report import outcomes
from throughline.landing import registry
from throughline.publishing import gate
from throughline.publishing import publish as publishing
from throughline.refreshing import builds, planning
from throughline.refreshing.selection import NOTHING, Selection
from throughline.settings import Settings, load_settings

Row = dict[str, Any]

SOURCES_HEADER = ("source", "time_zone", "currency", "reject_visitor_mismatch", "max_gap_days")
PROJECTS_HEADER = ("source", "project_id", "project_name", "time_zone", "currency")


# However small the warehouse of a test is: what can be refreshed is refreshed.
planning.LARGEST_SHARE = planning.LARGEST_TAIL = float("inf")


class PipelineError(AssertionError):
    """A step of the pipeline failed; the message holds what it said."""


class Pipeline:
    """One landing zone and one warehouse below `home`.

    Args:
        home: an empty folder that the pipeline may fill.
        sources: rows of the registry's `sources.csv`; columns left out are empty.
        projects: rows of the registry's `projects.csv`; columns left out are empty.
        threads: DuckDB's threads. Two workers share two cores, so one each.
    """

    def __init__(
        self,
        home: Path,
        *,
        sources: Sequence[Mapping[str, str]] = (),
        projects: Sequence[Mapping[str, str]] = (),
        threads: int = 1,
        landing_dir: Path | None = None,
    ) -> None:
        self.home = home
        registry_dir = home / "registry"
        registry_dir.mkdir(parents=True)
        _write_csv(registry_dir / "sources.csv", SOURCES_HEADER, sources)
        _write_csv(registry_dir / "projects.csv", PROJECTS_HEADER, projects)
        self.settings: Settings = load_settings(
            {
                "LANDING_DIR": str(landing_dir or home / "landing"),
                "WAREHOUSE_DIR": str(home / "warehouse"),
                "REGISTRY_DIR": str(registry_dir),
                "DUCKDB_THREADS": str(threads),
                "MEMORY_LIMIT": "4GB",
            }
        )
        self.settings.landing_dir.mkdir(parents=True, exist_ok=True)
        self.settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
        self.runs = 0
        self.told: list[str] = []
        self.taken_over = ""
        self.is_refresh, self.planned = False, ""
        self._files = 0

    # --- writing

    def write(
        self,
        source: str,
        log: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        name: str | None = None,
        fmt: str = "csv",
    ) -> Path:
        """Write one landing file.

        Args:
            source: the source's slug.
            log: the log's name, for example `contacts`.
            rows: the records; `None` is an empty CSV field and a null in JSON. The columns of a
                CSV are those of all rows together.
            name: the file's stem; numbered in the order of writing when not given.
            fmt: `csv`, `jsonl`, `json` or `parquet`, the first three also with `.gz`.

        Returns:
            Where the file is.
        """
        self._files += 1
        folder = self.settings.landing_dir / source / log
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name or f'{self._files:06d}'}.{fmt}"
        columns = list(dict.fromkeys(column for row in rows for column in row))
        kind = fmt.removesuffix(".gz")
        if kind == "parquet":
            _write_parquet(path, columns, rows)
            return path
        if kind == "csv":
            stream = io.StringIO()
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow(
                    ["" if row.get(column) is None else row[column] for column in columns]
                )
            text = stream.getvalue()
        elif kind == "jsonl":
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        elif kind == "json":
            text = json.dumps(list(rows), ensure_ascii=False)
        else:
            raise ValueError(f"no such format: {fmt}")
        content = text.encode("utf-8")
        path.write_bytes(gzip.compress(content, mtime=0) if fmt.endswith(".gz") else content)
        return path

    # --- running

    def run(self) -> None:
        """Land everything new, build and check all models, publish.

        Raises:
            PipelineError: a step failed.
        """
        self.runs += 1
        self.land()
        self.build()
        self.publish()

    def land(self) -> None:
        """Load every new file of the landing zone."""
        with landing.connect(self.settings) as connection:
            landing.prepare(connection)
            for log in landing.LOGS:
                landing.land_log(connection, self.settings, log, run_id=self._run_id)

    def build(
        self,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        chosen: Selection = NOTHING,
    ) -> None:
        """`dbt build`, without the unit tests: they do not depend on what was loaded."""
        registry.validate(self.settings)
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        arguments += ["--select", *select] if select else []
        arguments += ["--exclude", *exclude] if exclude else []
        everything = not select and not exclude
        known = self.settings.dbt_target_dir / "manifest.json"
        build = builds.begin(
            self.settings,
            self._run_id,
            everything=everything,
            manifest=json.loads(known.read_bytes()) if known.exists() else None,
            chosen=chosen,
        )
        self.taken_over, self.planned = build.taken_over, build.told
        self.is_refresh = not build.sees_all
        try:
            failures = dbt(arguments, self.settings, build.environment)
            target = self.settings.dbt_target_dir
            ended = outcomes(target)
            manifest = json.loads((target / "manifest.json").read_bytes()) if ended else None
            build.end(ended, manifest, passed=not failures)
        finally:
            build.close()
        if failures:
            raise PipelineError("dbt build failed:\n" + "\n".join(failures))

    def publish(self) -> None:
        """Publish what was built; `told` then holds what it said."""
        self.told = []
        publishing.publish(self.settings, run_id=self._run_id, progress=self.told.append)
        gate.record_publication(self.settings)

    def rebuild(self) -> None:
        """Drop everything but the raw tables, build and publish: what `make rebuild` does."""
        self.runs += 1
        tables.drop_built(self.settings)
        self.build()
        self.publish()

    def replay(self, chosen: Selection) -> None:
        """Build what is chosen again, and publish: what `throughline replay` does."""
        self.runs += 1
        self.build(chosen=chosen)
        self.publish()

    @property
    def _run_id(self) -> str:
        return f"run-{self.runs}"

    # --- reading

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, for reading. Close it before the next run."""
        connection = tables.connect_read_only(self.settings)
        try:
            yield connection
        finally:
            connection.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of a query on the warehouse."""
        with self.connect() as connection:
            return _rows(connection.execute(sql, list(parameters)))

    def table(self, name: str) -> list[Row]:
        """Every row of a table such as `marts.conversations`, in an order of their values."""
        with self.connect() as connection:
            return sorted_rows(_rows(connection.execute(f"from {name}")))

    def columns(self, name: str) -> list[str]:
        """The columns of a table."""
        return [str(row["column_name"]) for row in self.query(f"describe {name}")]

    def public_models(self) -> list[str]:
        """Every model that readers may use, such as `marts.conversations`, by name."""
        manifest = json.loads((self.settings.dbt_target_dir / "manifest.json").read_bytes())
        return [f"{schema}.{table}" for schema, table in public_models(manifest)]

    def declared(self, name: str) -> dict[str, Any]:
        """What the YAML of a public model says of its publication."""
        manifest = json.loads((self.settings.dbt_target_dir / "manifest.json").read_bytes())
        node = manifest["nodes"][f"model.throughline.{name.partition('.')[2]}"]
        told: dict[str, Any] = node["config"]["meta"]["publish"]
        return told

    def snapshot(self, tables: Iterable[str] | None = None) -> dict[str, list[Row]]:
        """The rows of public models, of every one when not said which, less what is withheld."""
        names = list(tables) if tables is not None else self.public_models()
        with self.connect() as connection:
            return {
                name: sorted_rows(_without(_rows(connection.execute(f"from {name}")), withheld))
                for name in names
                for withheld in [self.declared(name).get("except", [])]
            }

    def manifest(self) -> Row:
        """The published manifest."""
        content: Row = json.loads((self.settings.published_dir / "manifest.json").read_bytes())
        return content

    def stored(self, name: str, order: str = "") -> list[Row]:
        """Every row of a published table as it is stored, or in the order of an SQL expression."""
        query = f"from {name}" + (f" order by {order}" if order else "")
        with duckdb.connect(str(self.settings.published_file), read_only=True) as connection:
            return _rows(connection.execute(query))

    def published(self, name: str) -> list[Row]:
        """Every row of a table of the published snapshot."""
        with duckdb.connect(str(self.settings.published_file), read_only=True) as connection:
            return sorted_rows(_rows(connection.execute(f"from {name}")))


def dbt(arguments: Sequence[str], settings: Settings, more: Mapping[str, str]) -> list[str]:
    """Run a dbt command in the process that all pipelines share; a line for all that failed."""
    return _Dbt.of_this_process().invoke(arguments, settings, more)


def contact(contact_id: str, minute: int, **more: Any) -> Row:
    """A contact of half a minute, of one morning."""
    return {
        "contact_id": contact_id,
        "started_at": f"2026-03-02T09:{minute:02}:00Z",
        "ended_at": f"2026-03-02T09:{minute:02}:30Z",
        **more,
    }


def transfer(from_contact_id: str, to_contact_id: str, minute: int, **more: Any) -> Row:
    """A transfer of the same morning."""
    return {
        "from_contact_id": from_contact_id,
        "to_contact_id": to_contact_id,
        "requested_at": f"2026-03-02T09:{minute:02}:00Z",
        **more,
    }


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in an order that only their values decide."""
    return sorted(rows, key=lambda row: [repr(value) for value in row.values()])


def _without(rows: Iterable[Row], names: Sequence[str]) -> list[Row]:
    return [{name: row[name] for name in row if name not in names} for row in rows]


def _rows(relation: Any) -> list[Row]:
    columns = [column[0] for column in relation.description]
    return [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        # A column that a registry may leave out stands there only where a row has it.
        columns = list(dict.fromkeys([*header, *(name for row in rows for name in row)]))
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({column: [row.get(column) for row in rows] for column in columns})
    pyarrow.parquet.write_table(table, path)


class _Dbt:
    """dbt in a child process that stays: each request is one line, each answer is one line.

    The manifest names the folder of the registry, so all pipelines share one: a pipeline's own
    registry is copied there before it builds.
    """

    _instance: _Dbt | None = None

    @classmethod
    def of_this_process(cls) -> _Dbt:
        """The one of this test process; it ends, and removes its folder, with this process."""
        if cls._instance is None:
            cls._instance = cls(Path(tempfile.mkdtemp(prefix="throughline-dbt-")))
        return cls._instance

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = folder / "registry"
        self._registry.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("dbt_server.py")), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            text=True,
        )

    def invoke(
        self, arguments: Sequence[str], settings: Settings, more: Mapping[str, str]
    ) -> list[str]:
        """Run a dbt command; one line for everything that failed, none when all is well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for path in settings.registry_dir.iterdir():
            shutil.copyfile(path, self._registry / path.name)
        settings.scratch_dir.mkdir(parents=True, exist_ok=True)
        settings.dbt_target_dir.mkdir(parents=True, exist_ok=True)
        environment = {
            **settings.environment(),
            "REGISTRY_DIR": str(self._registry),
            # The record of a pipeline's builds is this module's.
            CALLER: "the tests",
            **more,
        }
        request = {"arguments": list(arguments), "environment": environment}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            return [f"dbt ended with {self._process.returncode}: run this test alone with -s"]
        failures: list[str] = json.loads(answer)
        return failures
