"""Publishing: the public models become an immutable version that readers can always open.

Belongs here: what the copy of dbt's outgoing file keeps, the layout of `published/`, its manifest,
the swap to a new version, and the ledger rows that record what the outside has seen.
Does not belong here: whether to publish (the blocking checks decide), which models are public
(dbt's `access: public` decides), what a metric is (its YAML says it), and anything that reads the
published files for people.

The layout, all paths under `Settings.published_dir`:

    versions/<data_version>/throughline.duckdb            the snapshot
    versions/<data_version>/parquet/<schema>/<model>.parquet
    versions/<data_version>/manifest.json
    throughline.duckdb, manifest.json                     the current version's, replaced atomically
    parquet -> versions/<data_version>/parquet            replaced atomically

The three current names are replaced one after the other, the manifest last. A reader that needs one
consistent version over several files reads `manifest.json` once and opens what it names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import locks
from orchestration.metric_definitions import Metric, metrics
from orchestration.settings import (
    PUBLISHED_ROW_GROUP_ROWS,
    PUBLISHED_STORAGE_VERSION,
    Settings,
)

MANIFEST_VERSION = 1
PUBLIC_SCHEMAS = ("marts", "metrics", "reports")
DATABASE_NAME = "throughline.duckdb"
MANIFEST_NAME = "manifest.json"
ROW_GROUP_ROWS = 122_880
_WORK_PREFIX = ".publishing-"
_SNAPSHOT = "throughline_snapshot"
# A file does not say how large its row groups are to be: unless told each time, DuckDB merges them.
_FORM = f"storage_version '{PUBLISHED_STORAGE_VERSION}', row_group_size {PUBLISHED_ROW_GROUP_ROWS}"
# A view that names some columns of a table beside it and does nothing else, in DuckDB's own words.
_PLAIN_VIEW = re.compile(
    r"CREATE VIEW [^(]*? AS\s+WITH (?P<name>\w+) AS\s+\(\s*SELECT \* FROM"
    r" (?:(?P<database>\w+)\.)?(?P<schema>\w+)\.(?P<table>\w+)\s*\)\s*"
    r"SELECT (?P<columns>[\w\", ]+) FROM (?P=name);?\s*"
)
# Parquet has no 128-bit integer and DuckDB silently writes a double instead.
_INEXACT_IN_PARQUET = re.compile(r"\bU?HUGEINT\b")

Progress = Callable[[str], None]
# Schema and name.
_Name = tuple[str, str]


class PublishError(RuntimeError):
    """Nothing was published and the last good version stands; the message says what to do."""


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a published model: its name, DuckDB type and description."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class PublishedModel:
    """A public model as it was published.

    Attributes:
        schema: `marts`, `metrics` or `reports`.
        name: the table's name.
        description: dbt's description; its first sentence states the grain.
        row_count: rows, the same in the snapshot and in the Parquet file.
        columns: in the table's order.
        parquet: the Parquet file, relative to `published/`.
        parquet_bytes: its size.
        parquet_sha256: its checksum, in hexadecimal.
    """

    schema: str
    name: str
    description: str
    row_count: int
    columns: tuple[PublishedColumn, ...]
    parquet: str
    parquet_bytes: int
    parquet_sha256: str

    @property
    def grain(self) -> str:
        """The first sentence of the description."""
        return re.split(r"(?<=[.:;])\s", self.description.strip(), maxsplit=1)[0]


@dataclass(frozen=True)
class Publication:
    """A published version.

    Attributes:
        data_version: derived from the content: the same content has the same version.
        run_id: the run that published it.
        published_at: when, in UTC.
        publication_no: its number in `raw.publications`.
        last_load_no: the newest load in it; 0 when there is none.
        models: the public models, by schema and name.
        metrics: what the figures mean, in the order of the columns that show them.
        database: the snapshot, relative to `published/`, in the version's own folder.
        database_bytes: its size.
        database_sha256: its checksum, in hexadecimal.
        changed: whether this call published; false when the content was already current.
        new_ids: conversation ids that this call recorded as published.
        new_merges: merges of published ids that this call recorded.
    """

    data_version: str
    run_id: str
    published_at: datetime
    publication_no: int
    last_load_no: int
    models: tuple[PublishedModel, ...]
    metrics: tuple[Metric, ...]
    database: str
    database_bytes: int
    database_sha256: str
    changed: bool = False
    new_ids: int = 0
    new_merges: int = 0

    @property
    def version_path(self) -> str:
        """The version's own folder, relative to `published/`."""
        return f"versions/{self.data_version}"


@dataclass(frozen=True)
class _PublicModel:
    """A public model as dbt's manifest describes it."""

    schema: str
    name: str
    description: str
    column_descriptions: Mapping[str, str]


@dataclass(frozen=True)
class _Ledger:
    """The rows that the outside's view of the ids needs in the warehouse."""

    publication_no: int
    new_ids: int
    new_merges: int


def publish(settings: Settings, *, run_id: str, progress: Progress | None = None) -> Publication:
    """Publish the public models of the warehouse as the current version, or change nothing.

    Call it when every blocking check has passed and nothing in this process has the warehouse open.

    Args:
        settings: where things are.
        run_id: the run that publishes.
        progress: called with a short line of text as the work goes on.

    Returns:
        What is current now; `changed` is false when the content was already published.

    Raises:
        PublishError: the warehouse or dbt's manifest cannot be published as it is.
        locks.LockTimeout: another process is publishing.
        duckdb.Error, OSError: reading or writing failed, for example on a full disk. In every case
            the last good version stands and the temporary files are gone (or, after a kill, go
            with the next publish).
    """
    tell = progress or (lambda text: None)
    models, definitions = _public(settings.dbt_target_dir / "manifest.json")
    published = settings.published_dir
    published.mkdir(parents=True, exist_ok=True)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    with locks.held(settings, "publish", wait_seconds=0):
        _clean(published)
        work = published / f"{_WORK_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        work.mkdir()
        try:
            publication = _publish(
                settings, models, definitions, run_id=run_id, work=work, tell=tell
            )
        finally:
            shutil.rmtree(work, ignore_errors=True)
        try:
            _prune(settings, keep=publication.data_version)
        except OSError as error:
            # The new version stands; an old one too many is no reason to call the run failed.
            tell(f"an old version could not be removed, the next publish tries again: {error}")
    return publication


def current(settings: Settings) -> Publication | None:
    """The published version, read from `published/manifest.json`; None when there is none yet.

    Raises:
        PublishError: the manifest is there and cannot be read.
    """
    path = settings.published_dir / MANIFEST_NAME
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"{path} is not a manifest that this version understands ({error}): remove it, and the"
            " next publish writes it anew"
        ) from error


def _publish(
    settings: Settings,
    models: Sequence[_PublicModel],
    definitions: tuple[Metric, ...],
    *,
    run_id: str,
    work: Path,
    tell: Progress,
) -> Publication:
    last = _current_or_none(settings)
    draft = _Draft(settings, work, tell)
    with draft.writing():
        last_load_no = draft.last_load_no()
        written = draft.write(models)
    data_version = _data_version(written, definitions)
    is_current = (
        last is not None and last.data_version == data_version and _is_whole(settings, last)
    )
    version_path = f"versions/{data_version}"
    publication = Publication(
        data_version=data_version,
        run_id=run_id,
        published_at=datetime.now(UTC),
        publication_no=0,
        last_load_no=last_load_no,
        models=tuple(
            replace(model, parquet=f"{version_path}/{model.parquet}") for model in written
        ),
        metrics=definitions,
        database=f"{version_path}/{DATABASE_NAME}",
        database_bytes=0,
        database_sha256="",
    )
    if is_current and last is not None:
        snapshot = settings.published_dir / last.database
        ledger = _record(settings, publication, snapshot, seen=draft.seen, always=False)
        tell(f"nothing new: version {data_version} is already published")
        return replace(last, new_ids=ledger.new_ids, new_merges=ledger.new_merges)
    snapshot = work / DATABASE_NAME
    draft.verify(written)
    # The ledger comes before the swap. An id that is recorded and was never seen costs nothing: it
    # only resolves. An id that was seen and is not recorded could change silently after a crash
    # between the two, which is the one thing that the ledger exists to rule out.
    tell("recording the published ids")
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(_sha256, snapshot)
        ledger = _record(settings, publication, snapshot, seen=draft.seen, always=True)
    publication = replace(
        publication,
        publication_no=ledger.publication_no,
        database_bytes=snapshot.stat().st_size,
        database_sha256=digest.result(),
        changed=True,
        new_ids=ledger.new_ids,
        new_merges=ledger.new_merges,
    )
    tell("replacing the published files")
    _install(settings, publication, work)
    tell(f"published version {data_version}")
    return publication


def _current_or_none(settings: Settings) -> Publication | None:
    """The current version, or None when there is none or its manifest is damaged: then publish."""
    try:
        return current(settings)
    except PublishError:
        return None


# --- what is public -------------------------------------------------------------------------------


def _public(path: Path) -> tuple[tuple[_PublicModel, ...], tuple[Metric, ...]]:
    """The models that dbt marks public in the public schemas, by schema and name; the metrics."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        nodes = manifest["nodes"].values()
        definitions = tuple(metrics(manifest))
    except FileNotFoundError as error:
        raise PublishError(f"{path} is missing: build the models with dbt first") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise PublishError(f"{path} is not a dbt manifest: build the models again") from error
    models = [
        _PublicModel(
            schema=node["schema"],
            name=node.get("alias") or node["name"],
            description=(node.get("description") or "").strip(),
            column_descriptions={
                name.lower(): (column.get("description") or "").strip()
                for name, column in (node.get("columns") or {}).items()
            },
        )
        for node in nodes
        if node.get("resource_type") == "model"
        and (node.get("access") or (node.get("config") or {}).get("access")) == "public"
        and node.get("schema") in PUBLIC_SCHEMAS
        and (node.get("config") or {}).get("materialized") != "ephemeral"
    ]
    if not models:
        raise PublishError(
            f"{path} names no model with access: public in the schemas {', '.join(PUBLIC_SCHEMAS)}"
        )
    return tuple(sorted(models, key=lambda model: (model.schema, model.name))), definitions


def _data_version(models: Sequence[PublishedModel], definitions: Sequence[Metric]) -> str:
    """Sixteen hexadecimal digits over everything a reader can see, and nothing else."""
    content = [
        [
            model.schema,
            model.name,
            model.description,
            model.row_count,
            [[column.name, column.type, column.description] for column in model.columns],
            model.parquet_sha256,
        ]
        for model in models
    ]
    meaning = [asdict(metric) for metric in definitions]
    text = json.dumps(
        [MANIFEST_VERSION, PUBLISHED_STORAGE_VERSION, content, meaning], ensure_ascii=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- writing the new version ----------------------------------------------------------------------


class _Draft:
    """A version under construction in a folder that no reader looks at."""

    def __init__(self, settings: Settings, work: Path, tell: Progress) -> None:
        self._settings = settings
        self._work = work
        self._tell = tell
        # dbt's views name its files by their stems, so they have to be attached under them.
        self._warehouse = settings.warehouse_file.stem
        self._outgoing = settings.outgoing_file.stem
        self._snapshot = _SNAPSHOT
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._digests: dict[_Name, Future[str]] = {}
        self.seen = (0, 0, 0)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What dbt built, open for reading, and the snapshot once `write` has made it."""
        for file in (self._settings.warehouse_file, self._settings.outgoing_file):
            if not file.exists():
                raise PublishError(f"{file} is missing: run the pipeline first")
        self.seen = _fingerprint(self._settings.warehouse_file)
        with _engine(self._settings) as connection, ThreadPoolExecutor(1) as self._aside:
            self._connection = connection
            # What a killed program left in the log beside the file belongs into the file.
            _attach(connection, self._settings.outgoing_file, self._outgoing, _FORM)
            connection.execute(_sql("checkpoint {name}", name=self._outgoing))
            connection.execute(_sql("detach {name}", name=self._outgoing))
            _attach(connection, self._settings.warehouse_file, self._warehouse, "read_only")
            _attach(connection, self._settings.outgoing_file, self._outgoing, "read_only")
            yield
            for name in (self._snapshot, self._outgoing, self._warehouse):
                connection.execute(_sql("detach {name}", name=name))
            self._connection = None

    @property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None, "only inside writing()"
        return self._connection

    def last_load_no(self) -> int:
        """The newest load in the warehouse; 0 when there is none."""
        query = _sql(
            "select coalesce(max(load_no), 0) from {loads}", loads=(self._warehouse, "raw", "loads")
        )
        return int(_one(self._engine, query))

    def write(self, models: Sequence[_PublicModel]) -> tuple[PublishedModel, ...]:
        """Make the copy the snapshot, and write every model's Parquet file.

        The snapshot then holds every public model as a table with its comments, and nothing else.
        A Parquet file has the same bytes for the same rows in the same order.
        """
        public = {(model.schema, model.name): self._columns(model) for model in models}
        snapshot = self._work / DATABASE_NAME
        views = self._relations("view")
        behind = self._tables_behind(views, public)
        self._tell(f"copying {self._settings.outgoing_file.name}")
        copied = self._aside.submit(_copy, self._settings.outgoing_file, snapshot)
        # What dbt built as a table, or beside one, is read from where it is: the copy has the same.
        is_even = {
            name: self._write_parquet(name, self._outgoing)
            for name in public
            if behind.get(name, name) is not None
        }
        copied.result()
        _attach(self._engine, snapshot, self._snapshot, _FORM)
        self._trim(public, views, behind)
        for name in public:
            if not is_even.get(name):
                # The bytes depend on the rows, their order and where the row groups are cut, and
                # nothing else. Several threads cut evenly when they read a table that came out of
                # a sort; otherwise where depends on timing. What one thread writes is always even.
                self._write_table(name)
                self._write_parquet(name, self._snapshot)
        for model in models:
            self._comment(model, public[model.schema, model.name])
        self._engine.execute(_sql("checkpoint {name}", name=self._snapshot))
        return tuple(self._written(model, public[model.schema, model.name]) for model in models)

    def _relations(self, kind: str) -> dict[_Name, str]:
        """(schema, name) of the tables or views that dbt built, each with its definition."""
        query = _sql(
            "select schema_name, {name}, sql from {function}()"
            " where database_name = $database and not internal",
            name=f"{kind}_name",
            function=f"duckdb_{kind}s",
        )
        rows = self._engine.execute(query, {"database": self._outgoing}).fetchall()
        return {(schema, name): definition for schema, name, definition in rows}

    def _schemas(self) -> set[str]:
        rows = self._engine.execute(
            "select schema_name from duckdb_schemas()"
            " where database_name = $database and not internal",
            {"database": self._outgoing},
        ).fetchall()
        return {schema for (schema,) in rows}

    def _tables_behind(
        self, views: Mapping[_Name, str], public: Mapping[_Name, Sequence[PublishedColumn]]
    ) -> dict[_Name, _Name | None]:
        """For each public view the private table that can be published in its place, if any."""
        private = self._relations("table").keys() - public.keys()
        behind: dict[_Name, _Name | None] = {}
        for view in sorted(public.keys() & views.keys()):
            table = self._table_behind(views[view], public[view])
            behind[view] = table if table in private else None
            # One table can stand for one view.
            private -= {table}
        return behind

    def _trim(
        self,
        public: Mapping[_Name, Sequence[PublishedColumn]],
        views: Mapping[_Name, str],
        behind: Mapping[_Name, _Name | None],
    ) -> None:
        """Take out of the copy what is not published, and put tables in the place of views."""
        for view in views:
            self._engine.execute(_sql("drop view {view}", view=(self._snapshot, *view)))
        for view, table in behind.items():
            if table is not None:
                self._take(table, view, public[view])
        for table in self._relations("table").keys() - public.keys() - set(behind.values()):
            self._engine.execute(_sql("drop table {table}", table=(self._snapshot, *table)))
        for schema in self._schemas() - set(PUBLIC_SCHEMAS):
            self._engine.execute(_sql("drop schema {schema}", schema=(self._snapshot, schema)))

    def _table_behind(self, definition: str, columns: Sequence[PublishedColumn]) -> _Name | None:
        """The outgoing table of which a view shows just these columns, in their order, as is."""
        found = _PLAIN_VIEW.fullmatch(definition)
        if found is None or found["database"] not in (None, self._outgoing):
            return None
        table = (found["schema"], found["table"])
        shown = [name.strip().strip('"') for name in found["columns"].split(",")]
        kept = [name for name, *_ in self._describe(table) if name in set(shown)]
        return table if [column.name for column in columns] == shown == kept else None

    def _take(self, table: _Name, view: _Name, columns: Sequence[PublishedColumn]) -> None:
        """Let a table of the copy stand for the view that shows some of its columns."""
        # The columns' data stay where they are: neither a copy nor the rest is written again.
        for name, *_ in self._describe(table):
            if name not in {column.name for column in columns}:
                self._engine.execute(
                    _sql(
                        "alter table {table} drop column {column}",
                        table=(self._snapshot, *table),
                        column=name,
                    )
                )
        self._engine.execute(
            _sql(
                "alter table {table} rename to {name}", table=(self._snapshot, *table), name=view[1]
            )
        )

    def _write_parquet(self, model: _Name, database: str) -> bool:
        """Write a model's Parquet file; whether its row groups are all full, the last excepted."""
        self._tell(f"writing {'.'.join(model)} as Parquet")
        target = self._parquet(model)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Level 1 takes a quarter less time than the default, 3, and on messages no more space. A
        # dictionary of more than 1,000 values is made and mostly thrown away: without it messages
        # take a fifth less time and a sixth less space, conversations a tenth less time. A Bloom
        # filter is made of dictionaries alone, whose few values nearly every row group holds: it
        # would skip nothing.
        self._engine.execute(
            _sql(
                "copy {source} to $file (format parquet, compression zstd, compression_level 1,"
                " dictionary_size_limit 1000, write_bloom_filter false, row_group_size 122880,"
                " overwrite true)",
                source=(database, *model),
            ),
            {"file": str(target)},
        )
        groups = self._engine.execute(
            "select row_group_num_rows from parquet_metadata($file) where column_id = 0"
            " order by row_group_id",
            {"file": str(target)},
        ).fetchall()
        is_even = all(rows == ROW_GROUP_ROWS for (rows,) in groups[:-1])
        # Beside the writing of the next.
        self._digests[model] = self._aside.submit(_sha256, target)
        return is_even

    def _parquet(self, model: _Name) -> Path:
        schema, name = model
        return self._work / "parquet" / schema / f"{name}.parquet"

    def _written(self, model: _PublicModel, columns: tuple[PublishedColumn, ...]) -> PublishedModel:
        name = (model.schema, model.name)
        source = (self._outgoing, *name)
        target = self._parquet(name)
        return PublishedModel(
            schema=model.schema,
            name=model.name,
            description=model.description,
            row_count=int(_one(self._engine, _sql("select count(*) from {source}", source=source))),
            columns=columns,
            parquet=str(target.relative_to(self._work)),
            parquet_bytes=target.stat().st_size,
            parquet_sha256=self._digests[name].result(),
        )

    def _comment(self, model: _PublicModel, columns: Sequence[PublishedColumn]) -> None:
        table = (self._snapshot, model.schema, model.name)
        if model.description:
            self._engine.execute(
                _sql("comment on table {table} is ", table=table) + _literal(model.description)
            )
        for column in columns:
            if column.description:
                self._engine.execute(
                    _sql("comment on column {column} is ", column=(*table, column.name))
                    + _literal(column.description)
                )

    def verify(self, models: Sequence[PublishedModel]) -> None:
        """Make the files durable and read-only, and count their rows once more from the disk.

        Raises:
            PublishError: a file does not hold the rows that the warehouse holds.
        """
        database = self._work / DATABASE_NAME
        leftover = database.with_name(f"{DATABASE_NAME}.wal")
        if leftover.exists():
            raise PublishError(f"{leftover} was left behind: the snapshot is not complete")
        with _engine(self._settings) as connection:
            _attach(connection, database, self._snapshot, "read_only")
            for model in models:
                table = (self._snapshot, model.schema, model.name)
                rows = _one(connection, _sql("select count(*) from {table}", table=table))
                parquet_rows = _one(
                    connection,
                    "select num_rows from parquet_file_metadata($file)",
                    {"file": str(self._work / model.parquet)},
                )
                if not rows == parquet_rows == model.row_count:
                    raise PublishError(
                        f"{model.schema}.{model.name} has {model.row_count} rows in the warehouse,"
                        f" {rows} in the snapshot and {parquet_rows} in Parquet: not published"
                    )
        for path in sorted(self._work.rglob("*")):
            if path.is_file():
                path.chmod(0o444)
                sync(path)

    def _describe(self, table: _Name) -> list[tuple[str, str]]:
        """(column, type) of what dbt built."""
        query = _sql("describe {source}", source=(self._outgoing, *table))
        return [(name, kind) for name, kind, *_ in self._engine.execute(query).fetchall()]

    def _columns(self, model: _PublicModel) -> tuple[PublishedColumn, ...]:
        try:
            rows = self._describe((model.schema, model.name))
        except duckdb.CatalogException as error:
            raise PublishError(
                f"{model.schema}.{model.name} is public and not in"
                f" {self._settings.outgoing_file.name}: build it first"
            ) from error
        for name, type_name in rows:
            if _INEXACT_IN_PARQUET.search(type_name):
                raise PublishError(
                    f"{model.schema}.{model.name}.{name} is a {type_name}, which Parquet cannot"
                    " hold exactly: cast it to bigint or decimal in the model"
                )
        return tuple(
            PublishedColumn(name, type_name, model.column_descriptions.get(name.lower(), ""))
            for name, type_name in rows
        )

    def _write_table(self, model: _Name) -> None:
        """Write a model's rows into the snapshot, where the copy lacks them as they go out."""
        self._tell(f"writing {'.'.join(model)} anew")
        self._engine.execute("set threads = 1")
        self._engine.execute(
            _sql(
                "create or replace table {target} as from {source}",
                target=(self._snapshot, *model),
                source=(self._outgoing, *model),
            )
        )
        self._engine.execute(f"set threads = {int(self._settings.threads)}")


# --- the ledger in the warehouse ------------------------------------------------------------------


def _record(
    settings: Settings,
    publication: Publication,
    snapshot: Path,
    *,
    seen: tuple[int, int, int],
    always: bool,
) -> _Ledger:
    """Record in the warehouse what the outside sees once the version is current.

    The ids come from the snapshot itself, not from the warehouse: they are exactly what is shown.

    Args:
        settings: where the warehouse is.
        publication: what is published.
        snapshot: its DuckDB file.
        seen: the warehouse's fingerprint when it was read.
        always: record the publication even when there is no new id and no new merge.

    Raises:
        PublishError: the warehouse was written since it was read.
    """
    names = _ledger_names(settings)
    warehouse = settings.warehouse_file
    with _engine(settings) as connection:
        _attach(connection, snapshot, _SNAPSHOT, "read_only")
        if not always:
            _attach(connection, warehouse, warehouse.stem, "read_only")
            news = [_one(connection, _sql(query, **names)) for query in (_NEW_IDS, _NEW_MERGES)]
            connection.execute(_sql("detach {warehouse}", **names))
            if not any(news):
                return _Ledger(publication.publication_no, 0, 0)
        if _fingerprint(warehouse) != seen:
            raise PublishError("the warehouse was written while it was being published: run again")
        _attach(connection, warehouse, warehouse.stem, "read_write")
        connection.execute("begin")
        number = int(_one(connection, _sql(_NEXT_PUBLICATION_NO, **names)))
        connection.execute(
            _sql(_INSERT_PUBLICATION, **names),
            {
                "publication_no": number,
                "data_version": publication.data_version,
                "run_id": publication.run_id,
                "last_load_no": publication.last_load_no,
                "published_at": publication.published_at.replace(tzinfo=None),
            },
        )
        ids, merges = (
            int(_one(connection, _sql(statement, **names), {"publication_no": number}))
            for statement in (_INSERT_IDS, _INSERT_MERGES)
        )
        connection.execute("commit")
        connection.execute(_sql("detach {warehouse}", **names))
    return _Ledger(number, ids, merges)


def _ledger_names(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    warehouse = settings.warehouse_file.stem
    return {
        "warehouse": warehouse,
        "publications": (warehouse, "raw", "publications"),
        "published_ids": (warehouse, "raw", "published_ids"),
        "id_merges": (warehouse, "raw", "id_merges"),
        "merged": (warehouse, "intermediate", "int_conversation_ids__merged"),
        "conversations": (_SNAPSHOT, "marts", "conversations"),
    }


_NEXT_PUBLICATION_NO = "select coalesce(max(publication_no), 0) + 1 from {publications}"
_INSERT_PUBLICATION = """
    insert into {publications} (publication_no, data_version, run_id, last_load_no, published_at)
    values ($publication_no, $data_version, $run_id, $last_load_no, $published_at)
"""
_NEW_IDS = """
    select count(*)
    from {conversations} as conversations
    anti join {published_ids} as known on known.conversation_id = conversations.conversation_id
"""
_INSERT_IDS = """
    insert into {published_ids} (conversation_id, source, contact_id, publication_no)
    select
        conversations.conversation_id,
        conversations.source,
        conversations.anchor_contact_id,
        $publication_no
    from {conversations} as conversations
    anti join {published_ids} as known on known.conversation_id = conversations.conversation_id
"""
_NEW_MERGES = """
    select count(*)
    from {merged} as merged
    anti join {id_merges} as known
        on known.old_conversation_id = merged.old_conversation_id
        and known.new_conversation_id = merged.new_conversation_id
"""
_INSERT_MERGES = """
    insert into {id_merges} (
        old_conversation_id, new_conversation_id, source, merged_at, evidence, transfer_id,
        publication_no
    )
    select
        merged.old_conversation_id,
        merged.new_conversation_id,
        merged.source,
        merged.merged_at,
        merged.evidence,
        merged.transfer_id,
        $publication_no
    from {merged} as merged
    anti join {id_merges} as known
        on known.old_conversation_id = merged.old_conversation_id
        and known.new_conversation_id = merged.new_conversation_id
"""


# --- files ----------------------------------------------------------------------------------------


def _install(settings: Settings, publication: Publication, work: Path) -> None:
    """Put the version in its place and make it the current one, the manifest last."""
    published = settings.published_dir
    version = published / publication.version_path
    manifest = work / MANIFEST_NAME
    text = json.dumps(_to_json(publication), ensure_ascii=False, indent=2) + "\n"
    manifest.write_text(text, encoding="utf-8")
    manifest.chmod(0o444)
    sync(manifest)
    version.parent.mkdir(exist_ok=True)
    if version.exists():
        # The same content was published before, or a run was killed right after the move below.
        # File by file, because a reader may be about to open one of them by its path.
        for file in sorted(path for path in work.rglob("*") if path.is_file()):
            target = version / file.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    else:
        _sync_folders(work)
        work.replace(version)
    _sync_folders(version)
    sync(version.parent)
    _replace_with_link(version / DATABASE_NAME, published / DATABASE_NAME)
    replace_with_symlink(f"{publication.version_path}/parquet", published / "parquet")
    _replace_with_link(version / MANIFEST_NAME, published / MANIFEST_NAME)
    sync(published)


def _is_whole(settings: Settings, publication: Publication) -> bool:
    """Whether every file of the current version is where readers look for it."""
    published = settings.published_dir
    sizes = {
        publication.database: publication.database_bytes,
        **{model.parquet: model.parquet_bytes for model in publication.models},
    }
    link = published / "parquet"
    return (
        all(_size(published / name) == size for name, size in sizes.items())
        and (published / publication.version_path / MANIFEST_NAME).is_file()
        and link.is_symlink()
        and str(link.readlink()) == f"{publication.version_path}/parquet"
        and _is_same(published / DATABASE_NAME, published / publication.database)
    )


def _is_same(first: Path, second: Path) -> bool:
    """Whether two names are one file or, where links are not possible, equal files.

    Sizes say nothing here: DuckDB's files grow in steps, so those of two versions are often equal.
    """
    if _size(first) != _size(second):
        return False
    return first.samefile(second) or _sha256(first) == _sha256(second)


def _prune(settings: Settings, *, keep: str) -> None:
    """Delete all but the newest versions. A reader that has a deleted file open keeps it."""
    published = settings.published_dir

    def age(version: Path) -> tuple[bool, int]:
        try:
            manifest = json.loads((version / MANIFEST_NAME).read_text(encoding="utf-8"))
            return version.name == keep, int(manifest["publication_no"])
        except (OSError, ValueError, KeyError, TypeError):
            return version.name == keep, -1

    versions = sorted((published / "versions").iterdir(), key=age, reverse=True)
    for version in versions[settings.versions_kept :]:
        # Out of sight in one step, so that nobody finds half a version.
        aside = published / f"{_WORK_PREFIX}{secrets.token_hex(4)}"
        version.replace(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _clean(published: Path) -> None:
    """Remove what a killed publish left behind."""
    for path in published.glob(f"{_WORK_PREFIX}*"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _replace_with_link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, atomically; a copy where links are not possible."""
    draft = target.parent / f"{_WORK_PREFIX}{secrets.token_hex(4)}"
    try:
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
            draft.chmod(0o444)
            sync(draft)
        draft.replace(target)
    finally:
        # When both names already are one file, the system's rename does nothing: the draft stays.
        draft.unlink(missing_ok=True)


def replace_with_symlink(destination: str, link: Path) -> None:
    """Let a link lead to a destination, in one step; a folder of its name goes out of the way."""
    draft = link.parent / f"{_WORK_PREFIX}{secrets.token_hex(4)}"
    if link.is_dir() and not link.is_symlink():
        # A backup that follows links restores a folder here, over which no link can be renamed.
        link.replace(link.parent / f"{_WORK_PREFIX}{secrets.token_hex(4)}")
    try:
        # Relative, so that the folder can be moved or mounted elsewhere.
        draft.symlink_to(destination, target_is_directory=True)
        draft.replace(link)
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folders(root: Path) -> None:
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        sync(folder)
    sync(root)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _copy(source: Path, target: Path) -> None:
    """Copy a file and bring the copy onto the disk, which would take as long later."""
    shutil.copyfile(source, target)
    sync(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fingerprint(path: Path) -> tuple[int, int, int]:
    """Changes whenever the file is written or replaced."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


# --- the manifest ---------------------------------------------------------------------------------


def _to_json(publication: Publication) -> dict[str, Any]:
    """The manifest: every path in it is relative to `published/`."""
    return {
        "manifest_version": MANIFEST_VERSION,
        "data_version": publication.data_version,
        "run_id": publication.run_id,
        "published_at": publication.published_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "publication_no": publication.publication_no,
        "last_load_no": publication.last_load_no,
        "database": {
            "path": publication.database,
            "bytes": publication.database_bytes,
            "sha256": publication.database_sha256,
            "storage_version": PUBLISHED_STORAGE_VERSION,
        },
        "models": [
            {
                "schema": model.schema,
                "name": model.name,
                "grain": model.grain,
                "description": model.description,
                "row_count": model.row_count,
                "columns": [
                    {"name": column.name, "type": column.type, "description": column.description}
                    for column in model.columns
                ],
                "parquet": {
                    "path": model.parquet,
                    "bytes": model.parquet_bytes,
                    "sha256": model.parquet_sha256,
                },
            }
            for model in publication.models
        ],
        "metrics": [asdict(metric) for metric in publication.metrics],
    }


def _from_json(manifest: Mapping[str, Any]) -> Publication:
    if manifest["manifest_version"] != MANIFEST_VERSION:
        raise ValueError(f"manifest_version {manifest['manifest_version']}")
    return Publication(
        data_version=manifest["data_version"],
        run_id=manifest["run_id"],
        published_at=datetime.fromisoformat(manifest["published_at"]),
        publication_no=manifest["publication_no"],
        last_load_no=manifest["last_load_no"],
        models=tuple(
            PublishedModel(
                schema=model["schema"],
                name=model["name"],
                description=model["description"],
                row_count=model["row_count"],
                columns=tuple(PublishedColumn(**column) for column in model["columns"]),
                parquet=model["parquet"]["path"],
                parquet_bytes=model["parquet"]["bytes"],
                parquet_sha256=model["parquet"]["sha256"],
            )
            for model in manifest["models"]
        ),
        # A version published before there were any says nothing of them.
        metrics=tuple(Metric(**metric) for metric in manifest.get("metrics", [])),
        database=manifest["database"]["path"],
        database_bytes=manifest["database"]["bytes"],
        database_sha256=manifest["database"]["sha256"],
    )


# --- SQL ------------------------------------------------------------------------------------------


@contextmanager
def _engine(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own, in memory, under the run's limits; fetches nothing."""
    connection = duckdb.connect(
        config={
            **settings.engine_options,
            "temp_directory": str(settings.scratch_dir),
            "preserve_insertion_order": True,
        }
    )
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _sql(template: str, **identifiers: str | tuple[str, ...]) -> str:
    """Fill `{name}` with a quoted identifier, dotted for a tuple. Values are bound, not filled."""

    def fill(match: re.Match[str]) -> str:
        parts = identifiers[match[1]]
        return ".".join(_quoted(part) for part in ((parts,) if isinstance(parts, str) else parts))

    return re.sub(r"\{(\w+)\}", fill, template)


def _attach(connection: duckdb.DuckDBPyConnection, file: Path, name: str, options: str) -> None:
    connection.execute(f"attach {_literal(str(file))} as {_quoted(name)} ({options})")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A string literal, only for `comment on` and `attach`: DuckDB 1.5 binds no value there."""
    return "'" + text.replace("'", "''") + "'"


def _one(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    values: Sequence[object] | Mapping[str, object] | None = None,
) -> Any:
    """The single value of a query."""
    row = connection.execute(query, values).fetchone()
    assert row is not None, "an aggregate returns a row"
    return row[0]
