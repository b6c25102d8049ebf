"""A version under construction: the snapshot and the Parquet files, from what dbt built.

Belongs here: what the copy of dbt's outgoing file keeps, and looking at it once more from the disk.
Does not belong here: what is public (declaring), how a Parquet file is written (parquet), making a
version current (installing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine.files import clone_or_copy, sync_all
from throughline.engine.sql import identifier, literal, named, sql
from throughline.published.manifest import (
    DATABASE_NAME,
    Publication,
    PublishedColumn,
    PublishedFile,
    PublishedModel,
    PublishError,
)
from throughline.publishing.declaring import PublicModel
from throughline.publishing.parquet import ParquetFiles
from throughline.publishing.unchanged import Kept, Unchanged
from throughline.settings import Settings

SNAPSHOT = "throughline_snapshot"
_CONVERSATIONS = ("marts", "conversations")
# Each may hold a row group of wide rows, some 100 MB.
_FILES_AT_ONCE = 4
# Parquet has no 128-bit integer and DuckDB silently writes a double instead.
_INEXACT_IN_PARQUET = re.compile(r"\bU?HUGEINT\b")

Progress = Callable[[str], None]
# Schema and name.
_Name = tuple[str, str]


class Draft:
    """A version under construction in a folder that no reader looks at."""

    def __init__(self, settings: Settings, work: Path, tell: Progress) -> None:
        self._settings = settings
        self._work = work
        self._tell = tell
        # dbt's views name its files by their stems, so they have to be attached under them.
        self._warehouse = settings.warehouse_file.stem
        self._outgoing = settings.outgoing_file.stem
        self._snapshot = SNAPSHOT
        self._form = settings.outgoing_form
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._unchanged: Unchanged | None = None
        # What is too large for the snapshot: a view in it.
        self._large: set[_Name] = set()
        self.seen = (0, 0, 0)
        # On which conversations started that differ from those of the current version; any if None.
        self.days: frozenset[date | None] | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What dbt built, open for reading, and the snapshot once `write` has made it."""
        for file in (self._settings.warehouse_file, self._settings.outgoing_file):
            if not file.exists():
                raise PublishError(f"{file} is missing: run the pipeline first")
        self.seen = fingerprint(self._settings.warehouse_file)
        with engine.connect(self._settings) as connection, ThreadPoolExecutor(1) as self._aside:
            self._connection = connection
            # What a killed program left in the log beside the file belongs into the file.
            engine.attach(
                connection,
                self._settings.outgoing_file,
                self._outgoing,
                self._settings.outgoing_form,
            )
            connection.execute(named("checkpoint {name}", name=self._outgoing))
            connection.execute(named("detach {name}", name=self._outgoing))
            engine.attach(connection, self._settings.warehouse_file, self._warehouse)
            engine.attach(connection, self._settings.outgoing_file, self._outgoing)
            yield
            for name in (self._snapshot, self._outgoing, self._warehouse):
                connection.execute(named("detach {name}", name=name))
            self._connection = None

    @property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None, "only inside writing()"
        return self._connection

    def last_load_no(self) -> int:
        """The newest load in the warehouse; 0 when there is none."""
        query = named(
            "select coalesce(max(load_no), 0) from {loads}", loads=(self._warehouse, "raw", "loads")
        )
        return int(engine.one(self._engine, query))

    def write(
        self, models: Sequence[PublicModel], last: Publication | None
    ) -> tuple[PublishedModel, ...]:
        """Make the copy the snapshot, and write every Parquet file that is not there yet.

        The snapshot then holds every public model as a table with its comments, and nothing else;
        what Spark left for a view is not there yet (`show_large`).

        Args:
            models: what is public.
            last: the current version, some of whose files may serve again.
        """
        by_name = {(model.schema, model.name): model for model in models}
        columns = {name: self._columns(model) for name, model in by_name.items()}
        snapshot = self._work / DATABASE_NAME
        tables, views = self._relations("table"), self._relations("view")
        self._unchanged = Unchanged(self._settings, last, self._engine, self._outgoing)
        self._tell(f"copying {self._settings.outgoing_file.name}")
        copied = self._aside.submit(clone_or_copy, self._settings.outgoing_file, snapshot)
        hands = min(self._settings.threads, _FILES_AT_ONCE)
        with ParquetFiles(self._engine, self._work, hands) as parquet:
            # From dbt's file, while the other is its copy in the making.
            files = {
                name: self._parquet(parquet, model, columns[name])
                for name, model in by_name.items()
            }
            copied.result()
            engine.attach(self._engine, snapshot, self._snapshot, self._form)
            self._trim(tables, views, by_name)
            self._large = {name for name in views & by_name.keys() if self._is_large(name)}
            for name in (views & by_name.keys()) - self._large:
                self._write_table(by_name[name], columns[name])
            for name in by_name.keys() - self._large:
                self._comment("table", by_name[name], columns[name])
            self._engine.execute(named("checkpoint {name}", name=self._snapshot))
            return tuple(
                self._written(parquet, model, columns[name], *files[name])
                for name, model in by_name.items()
            )

    def show_large(self, models: Sequence[PublishedModel], public: Sequence[PublicModel]) -> None:
        """Make a view of each model that is too large for the snapshot, over its Parquet files.

        Call it inside `writing`, after `write`, when the folder of the version leads to them:
        DuckDB makes no view of a file that is not there.

        Args:
            models: as they are published, with their paths below `published/`.
            public: as they are declared.
        """
        declared = {(model.schema, model.name): model for model in public}
        for model in models:
            name = (model.schema, model.name)
            if name not in self._large:
                continue
            files = [str(self._settings.published_dir / file.path) for file in model.files]
            self._engine.execute(
                named("create schema if not exists {schema}", schema=(self._snapshot, name[0]))
            )
            self._engine.execute(
                sql(
                    "create view @{view} as select @{columns} from read_parquet([@{files}])",
                    view=identifier(self._snapshot, *name),
                    columns=", ".join(identifier(column.name) for column in model.columns),
                    files=", ".join(map(literal, files)),
                )
            )
            self._comment("view", declared[name], model.columns)
        self._engine.execute(named("checkpoint {name}", name=self._snapshot))

    @property
    def has_large(self) -> bool:
        """Whether anything is too large for the snapshot."""
        return bool(self._large)

    @property
    def shown_conversations(self) -> tuple[str, ...]:
        """The table of the conversations that the version shows, by its database and name."""
        database = self._outgoing if _CONVERSATIONS in self._large else self._snapshot
        return (database, *_CONVERSATIONS)

    def _is_large(self, name: _Name) -> bool:
        rows = engine.one(
            self._engine, named("select count(*) from {view}", view=(self._outgoing, *name))
        )
        return int(rows) > self._settings.snapshot_rows

    def _relations(self, kind: str) -> set[_Name]:
        """(schema, name) of the tables or views that dbt built."""
        query = named(
            "select schema_name, {name} from {function}()"
            " where database_name = $database and not internal",
            name=f"{kind}_name",
            function=f"duckdb_{kind}s",
        )
        rows = self._engine.execute(query, {"database": self._outgoing}).fetchall()
        return {(schema, name) for schema, name in rows}

    def _schemas(self) -> set[str]:
        rows = self._engine.execute(
            "select schema_name from duckdb_schemas()"
            " where database_name = $database and not internal",
            {"database": self._outgoing},
        ).fetchall()
        return {schema for (schema,) in rows}

    def _trim(
        self, tables: set[_Name], views: set[_Name], public: Mapping[_Name, PublicModel]
    ) -> None:
        """Take out of the copy what is not published."""
        for view in views:
            self._engine.execute(named("drop view {view}", view=(self._snapshot, *view)))
        for table in tables - public.keys():
            self._engine.execute(named("drop table {table}", table=(self._snapshot, *table)))
        for schema in self._schemas() - {schema for schema, _ in public}:
            self._engine.execute(named("drop schema {schema}", schema=(self._snapshot, schema)))
        for table in tables & public.keys():
            # The other columns' data stay where they are: nothing is written again.
            for column in sorted(public[table].withheld):
                self._engine.execute(
                    named(
                        "alter table {table} drop column {column}",
                        table=(self._snapshot, *table),
                        column=column,
                    )
                )

    def _parquet(
        self, parquet: ParquetFiles, model: PublicModel, columns: tuple[PublishedColumn, ...]
    ) -> tuple[Kept | None, list[Future[PublishedFile | None]]]:
        """What stays of a model's Parquet files, and what is being written."""
        assert self._unchanged is not None, "write has asked"
        kept = self._unchanged.of(model, columns)
        if (model.schema, model.name) == _CONVERSATIONS:
            self.days = kept.days if kept else None
        self._tell(f"writing {model.schema}.{model.name} as Parquet")
        days = kept.days if kept else None
        return kept, parquet.write(self._outgoing, model, columns, days)

    def _written(
        self,
        parquet: ParquetFiles,
        model: PublicModel,
        columns: tuple[PublishedColumn, ...],
        kept: Kept | None,
        writing: Sequence[Future[PublishedFile | None]],
    ) -> PublishedModel:
        source = (self._outgoing, model.schema, model.name)
        files = list(kept.files) if kept else []
        files += [file for file in (one.result() for one in writing) if file is not None]
        if not files:
            files = [parquet.write_empty(self._outgoing, model, columns)]
        path = f"parquet/{model.schema}/{model.name}"
        return PublishedModel(
            schema=model.schema,
            name=model.name,
            description=model.description,
            row_count=int(
                engine.one(self._engine, named("select count(*) from {source}", source=source))
            ),
            columns=columns,
            parquet=path if model.by_day_of else f"{path}.parquet",
            files=tuple(sorted(files, key=lambda file: file.path)),
        )

    def _comment(self, kind: str, model: PublicModel, columns: Sequence[PublishedColumn]) -> None:
        table = (self._snapshot, model.schema, model.name)
        if model.description:
            self._engine.execute(
                named(f"comment on {kind} {{table}} is ", table=table) + literal(model.description)
            )
        for column in columns:
            if column.description:
                self._engine.execute(
                    named("comment on column {column} is ", column=(*table, column.name))
                    + literal(column.description)
                )

    def verify(self, models: Sequence[PublishedModel]) -> None:
        """Make the files durable and read-only, and count their rows once more from the disk.

        Raises:
            PublishError: a file does not hold the rows that the warehouse holds.
        """
        assert self._unchanged is not None, "written before"
        database = self._work / DATABASE_NAME
        leftover = database.with_name(f"{DATABASE_NAME}.wal")
        if leftover.exists():
            raise PublishError(f"{leftover} was left behind: the snapshot is not complete")
        shared = self._unchanged.share(models, self._work)
        with engine.connect(self._settings) as connection:
            engine.attach(connection, database, self._snapshot)
            for model in models:
                table = (self._snapshot, model.schema, model.name)
                rows = model.row_count
                # A view leads to the place that these files are about to have.
                if (model.schema, model.name) not in self._large:
                    count = named("select count(*) from {table}", table=table)
                    rows = engine.one(connection, count)
                parquet_rows = engine.one(
                    connection,
                    "select sum(num_rows)::bigint from parquet_file_metadata($files)",
                    {"files": [str(self._work / file.path) for file in model.files]},
                )
                if not rows == parquet_rows == model.row_count:
                    raise PublishError(
                        f"{model.schema}.{model.name} has {model.row_count} rows in the warehouse,"
                        f" {rows} in the snapshot and {parquet_rows} in Parquet: not published"
                    )
        fresh = [path for path in self._work.rglob("*") if path.is_file() and path not in shared]
        for path in fresh:
            path.chmod(0o444)
        sync_all(fresh)

    @property
    def is_in_order(self) -> bool:
        """Whether the tables of the snapshot lie in the order that their models declare."""
        assert self._unchanged is not None, "written before"
        return not self._unchanged.was_refreshed

    @property
    def compared_at(self) -> datetime:
        """Since when every file is known to be what its checksum says."""
        assert self._unchanged is not None, "written before"
        return self._unchanged.compared_at

    def _describe(self, table: _Name) -> list[tuple[str, str]]:
        """(column, type) of what dbt built."""
        query = named("describe {source}", source=(self._outgoing, *table))
        return [(name, kind) for name, kind, *_ in self._engine.execute(query).fetchall()]

    def _columns(self, model: PublicModel) -> tuple[PublishedColumn, ...]:
        try:
            built = self._describe((model.schema, model.name))
        except duckdb.CatalogException as error:
            raise PublishError(
                f"{model.schema}.{model.name} is public and not in"
                f" {self._settings.outgoing_file.name}: build it first"
            ) from error
        if unknown := model.withheld - {name for name, _ in built}:
            raise PublishError(
                f"{model.schema}.{model.name} has no {', '.join(sorted(unknown))}, which its YAML"
                " excepts from publishing"
            )
        rows = [(name, type_name) for name, type_name in built if name not in model.withheld]
        if model.by_day_of is not None and model.by_day_of not in {name for name, _ in rows}:
            raise PublishError(
                f"{model.schema}.{model.name} has no published column {model.by_day_of}, by whose"
                " day its YAML has its files"
            )
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

    def _write_table(self, model: PublicModel, columns: Sequence[PublishedColumn]) -> None:
        """Write the rows of a view into the snapshot, in the order in which they go out."""
        self._tell(f"writing {model.schema}.{model.name} anew")
        self._engine.execute(
            named(
                "create table {target} as from {source} select ",
                target=(self._snapshot, model.schema, model.name),
                source=(self._outgoing, model.schema, model.name),
            )
            + ", ".join(identifier(column.name) for column in columns)
            + f" order by {', '.join(model.order_by)}"
        )


def fingerprint(path: Path) -> tuple[int, int, int]:
    """Changes whenever the file is written or replaced."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
