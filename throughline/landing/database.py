"""The warehouse file and its raw tables.

Belongs here: opening the warehouse, creating the schema `raw`. Does not belong here: any other
schema (dbt's), what goes into the raw tables, or what older versions put there (`upgrading`).
"""

from __future__ import annotations

import time

import duckdb

from throughline import engine
from throughline.engine.sql import identifier, sql
from throughline.landing import days
from throughline.landing.errors import LandingError
from throughline.landing.logs import LOGS, Log
from throughline.landing.upgrading import upgrade
from throughline.settings import Settings

# Another process of ours may look at the file for an instant (the sensor does).
LOCK_PATIENCE_SECONDS = 15.0

_LEDGERS = """
create table if not exists raw.loads (
    load_no bigint not null,
    source varchar not null,
    log varchar not null,
    path varchar not null,
    content_sha256 varchar,
    format varchar,
    bytes bigint not null,
    status varchar not null check (status in ('loaded', 'rejected')),
    reason varchar,
    rows_read bigint not null,
    rows_loaded bigint not null,
    rows_rejected bigint not null,
    rows_repeated bigint,
    rows_local_time bigint not null,
    placeholder_times bigint not null default 0,
    unknown_columns varchar,
    loaded_at timestamp not null,
    seconds double not null,
    run_id varchar not null,
    rows_unlike_folder bigint not null default 0,
    unique (source, log, content_sha256),
    check (rows_read = rows_loaded + rows_rejected),
);
create table if not exists raw.delays (
    load_no bigint not null,
    hours integer not null,
    records bigint not null,
);
create table if not exists raw.landing_files (
    path varchar not null,
    bytes bigint not null,
    mtime_ns bigint not null,
    ctime_ns bigint not null,
    inode bigint not null,
    content_sha256 varchar,
    hashed_at_ns bigint not null,
);
create table if not exists raw.rejected_rows (
    load_no bigint not null,
    source varchar not null,
    log varchar not null,
    path varchar not null,
    row_no bigint not null,
    column_name varchar,
    value varchar,
    reason varchar not null,
    remedy varchar not null,
    "row" varchar,
    rejected_at timestamp not null,
);
create table if not exists raw.publications (
    publication_no bigint,
    data_version varchar,
    run_id varchar,
    last_load_no bigint,
    published_at timestamp,
);
create table if not exists raw.published_ids (
    conversation_id varchar,
    source varchar,
    contact_id varchar,
    publication_no bigint,
);
create table if not exists raw.id_merges (
    old_conversation_id varchar,
    new_conversation_id varchar,
    source varchar,
    merged_at timestamp,
    evidence varchar,
    transfer_id varchar,
    publication_no bigint,
);
create table if not exists raw.restatements (
    publication_no bigint not null,
    restated_at timestamp,
    report varchar not null,
    period_grain varchar,
    period_start date,
    dimension varchar,
    dimension_value varchar,
    source varchar,
    measure varchar not null,
    from_value double,
    to_value double,
    was_provisional boolean not null,
    cause varchar not null,
    conversations bigint,
    cells bigint not null,
);
"""


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the warehouse for writing, and create its directories when they are missing.

    A process holds at most one such connection with one set of settings at a time: DuckDB refuses a
    second one to the same file with another configuration.

    Raises:
        LandingError: the directory cannot be written, another process keeps the warehouse open, or
            the file is no warehouse.
    """
    try:
        settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandingError(
            f"WAREHOUSE_DIR={settings.warehouse_dir} cannot be written ({error.strerror}): point "
            "it at a directory that the pipeline's user may write"
        ) from error
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            return engine.connect(settings, settings.warehouse_file)
        except duckdb.IOException as error:
            if not engine.is_held(error):
                raise LandingError(
                    f"the warehouse {settings.warehouse_file} cannot be opened ({error}): "
                    "point WAREHOUSE_DIR at another directory, or restore the file"
                ) from error
            if time.monotonic() > deadline:
                raise LandingError(
                    f"another process has the warehouse {settings.warehouse_file} open: wait for "
                    "its run to end, or close the program that reads it (readers use "
                    f"{settings.published_file})"
                ) from error
            time.sleep(0.2)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schema `raw` and its tables where they are missing; nothing is ever dropped.

    Tables that an older version made are brought up to this one.
    """
    connection.execute("begin transaction")
    try:
        connection.execute("create schema if not exists raw")
        for log in LOGS.values():
            connection.execute(_raw_table(log))
        connection.execute(_LEDGERS)
        connection.execute(days.TABLE)
        upgrade(connection)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _raw_table(log: Log) -> str:
    columns = [f"{identifier(column.name)} {column.kind.sql_type}" for column in log.columns]
    return sql(
        """
        create table if not exists raw.@{log} (
            @{columns},
            source varchar not null,
            row_id bigint not null,
            load_no bigint not null,
            local_times integer not null,
            placeholder_times integer not null default 0,
            extra varchar,
        )
        """,
        log=log.name,
        columns=", ".join(columns),
    )
