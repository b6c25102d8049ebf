"""The ledger of published ids beside the published files: it outlives the warehouse.

Belongs here: what the warehouse knows of the files of the ledger and of the published versions,
takes over from them, and adds to them. Does not belong here: reading and writing these files
(id_files), which ids a publication adds (recording), what an id means for a conversation (dbt).

The layout, below `Settings.published_dir`:

    ids/<publication_no>-<token>.parquet    what one publication added, never changed again

A part appears under its name when it is whole, after the warehouse has committed the same rows and
before any reader sees an id of them. `raw.id_sources` says which parts and versions the warehouse
knows: a part that it knows and that is not there is written again, one that is there and unknown is
taken over. So the names alone say whether there is anything to do.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence, Set
from pathlib import Path

import duckdb

from throughline import engine, landing
from throughline.engine.sql import identifier, sql
from throughline.publishing import id_files
from throughline.settings import Settings

# Never a file: what stands for rows that no part holds yet.
_UNWRITTEN = f"{id_files.FOLDER}/unwritten"

_ROWS = """
    select
        'id' as kind, publication_no, conversation_id, source, contact_id,
        null as new_conversation_id, null as merged_at, null as evidence, null as transfer_id,
        null as data_version, null as run_id, null as published_at
    from raw.published_ids
    union all
    select
        'merge', publication_no, old_conversation_id, source, null,
        new_conversation_id, merged_at, evidence, transfer_id, null, null, null
    from raw.id_merges
    union all
    select
        'publication', publication_no, null, null, null, null, null, null, null,
        data_version, run_id, published_at
    from raw.publications
"""
_SAME_ROW = """
    written.kind = held.kind
    and written.conversation_id is not distinct from held.conversation_id
    and written.new_conversation_id is not distinct from held.new_conversation_id
    and (held.kind <> 'publication' or written.publication_no = held.publication_no)
"""
_TAKE_OVER = (
    """
    insert into raw.published_ids (conversation_id, source, contact_id, publication_no)
    select conversation_id, any_value(source), any_value(contact_id), min(publication_no)
    from @{taken} as taken
    anti join raw.published_ids as known on known.conversation_id = taken.conversation_id
    where kind = 'id'
    group by conversation_id
    order by min(publication_no), conversation_id
    """,
    """
    insert into raw.id_merges (
        old_conversation_id, new_conversation_id, source, merged_at, evidence, transfer_id,
        publication_no
    )
    select distinct on (conversation_id, new_conversation_id)
        conversation_id, new_conversation_id, source, merged_at, evidence, transfer_id,
        publication_no
    from @{taken} as taken
    anti join raw.id_merges as known
        on known.old_conversation_id = taken.conversation_id
        and known.new_conversation_id = taken.new_conversation_id
    where kind = 'merge'
    order by conversation_id, new_conversation_id, publication_no, merged_at
    """,
    # Its loads have the numbers of a warehouse that is gone: none of this one was in it.
    """
    insert into raw.publications (publication_no, data_version, run_id, last_load_no, published_at)
    select distinct on (publication_no) publication_no, data_version, run_id, null, published_at
    from @{taken} as taken
    anti join raw.publications as known on known.publication_no = taken.publication_no
    where kind = 'publication'
    order by publication_no, published_at, data_version
    """,
)
_RECORDS = {"published_ids": "ids", "id_merges": "merges", "publications": "publications"}


def mark(connection: duckdb.DuckDBPyConnection) -> str:
    """Changes whenever the warehouse's record of published ids does."""
    try:
        row = connection.execute(
            "select (select max(publication_no) from raw.publications),"
            " (select count(*) from raw.published_ids), (select count(*) from raw.id_merges)"
        ).fetchone()
    except duckdb.CatalogException:
        return ""
    return "/".join(str(value or 0) for value in row or ())


def is_taken_over(settings: Settings) -> bool:
    """Whether the warehouse knows every id that the published files hold."""
    return not (id_files.parts(settings) | id_files.versions(settings).keys()) - _known(settings)


def is_whole(settings: Settings) -> bool:
    """Whether the warehouse and the files beside the published versions know the same ids."""
    known, parts = _known(settings), id_files.parts(settings)
    return parts | id_files.versions(settings).keys() <= known and not _missing(known, parts)


def take_over(settings: Settings) -> str | None:
    """Bring what the published files hold and the warehouse does not into the warehouse.

    Call it under the warehouse lock, before anything is built.

    Returns:
        What was taken over, in one line; None when there was nothing.
    """
    known = _known(settings)
    parts = sorted(id_files.parts(settings) - known)
    found = id_files.versions(settings)
    versions = {name: folder for name, folder in found.items() if name not in known}
    if not parts and not versions:
        return None
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    with engine.connect(settings, settings.warehouse_file) as connection:
        landing.prepare(connection)
        # Before the transaction: an error in the middle of one would end it.
        damaged = id_files.read_parts(connection, settings, parts)
        damaged += id_files.read_versions(connection, versions)
        connection.execute("begin")
        before = _counts(connection)
        _insert(connection, "in_parts")
        with_parts = _counts(connection)
        _insert(connection, "in_versions")
        after = _counts(connection)
        connection.execute(_sources("raw"))
        names = [*parts, *versions]
        if after != with_parts or not id_files.parts(settings):
            # What the versions or the warehouse alone held is in no part yet.
            names.append(_UNWRITTEN)
        connection.executemany("insert into raw.id_sources values ($1)", [[name] for name in names])
        connection.execute("commit")
    id_files.set_aside(settings, [name for name in damaged if name in parts])
    return _told([new - old for new, old in zip(after, before, strict=True)], damaged)


def register(
    connection: duckdb.DuckDBPyConnection, database: str, *, publication_no: int, data_version: str
) -> str:
    """Note which part and which version come of a publication, in the transaction that records it.

    Args:
        connection: one that writes the warehouse.
        database: the name that the warehouse has there.
        publication_no: the publication's number.
        data_version: the version's.

    Returns:
        The part, to be written once the transaction stands.
    """
    schema = f"{identifier(database)}.raw"
    part = f"{id_files.FOLDER}/{publication_no:08}-{secrets.token_hex(4)}.parquet"
    connection.execute(_sources(schema))
    connection.executemany(
        sql("insert into @{schema}.id_sources values ($1)", schema=schema),
        [[part], [f"versions/{data_version}"]],
    )
    return part


def write(settings: Settings, new: str | None = None) -> None:
    """Write the parts that the warehouse knows of and that are not there.

    Usually that is the one of the publication that was just recorded, with its new ids alone. Where
    others are missing too, one part takes the place of all, with what those that are there do not
    hold. Call it with the warehouse closed and nobody else writing it.

    Args:
        settings: where things are.
        new: the part that `register` gave, when a publication was recorded.
    """
    parts = id_files.parts(settings)
    missing = _missing(_known(settings), parts)
    if not missing:
        return
    with engine.connect(settings, settings.warehouse_file) as connection:
        if new is not None and parts and missing == [new]:
            id_files.write_part(
                connection,
                settings,
                new,
                sql(
                    "select * from (@{rows}) where publication_no = @{number}",
                    rows=_ROWS,
                    number=str(int(Path(new).name.split("-")[0])),
                ),
            )
            return
        id_files.set_aside(settings, id_files.read_parts(connection, settings, sorted(parts)))
        rows = sql(
            "select held.* from (@{rows}) as held anti join in_parts as written on @{same}",
            rows=_ROWS,
            same=_SAME_ROW,
        )
        newest = "select coalesce(max(publication_no), 0) from raw.publications"
        number = int(engine.one(connection, newest))
        name = f"{id_files.FOLDER}/{number:08}-{secrets.token_hex(4)}.parquet"
        is_written = engine.one(connection, sql("select count(*) from (@{rows})", rows=rows)) > 0
        if is_written:
            id_files.write_part(connection, settings, name, rows)
        connection.execute("begin")
        connection.executemany(
            "delete from raw.id_sources where name = $1", [[name] for name in missing]
        )
        if is_written:
            connection.execute("insert into raw.id_sources values ($1)", [name])
        connection.execute("commit")


def _insert(connection: duckdb.DuckDBPyConnection, taken: str) -> None:
    for statement in _TAKE_OVER:
        connection.execute(sql(statement, taken=taken))


def _counts(connection: duckdb.DuckDBPyConnection) -> list[int]:
    return [
        int(engine.one(connection, sql("select count(*) from raw.@{table}", table=table)))
        for table in _RECORDS
    ]


def _told(new: Sequence[int], damaged: Sequence[str]) -> str | None:
    parts = []
    if any(new):
        counts = zip(new, _RECORDS.values(), strict=True)
        told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        parts.append(f"Taken over from what is published, as the warehouse lacks it: {told}")
    parts += [f"{name} is damaged, so no id is taken over from it" for name in damaged]
    return "; ".join(parts) or None


def _known(settings: Settings) -> set[str]:
    """The parts and versions that the warehouse knows."""
    if not settings.warehouse_file.exists():
        return set()
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        try:
            rows = connection.execute("select name from raw.id_sources").fetchall()
        except duckdb.CatalogException:
            return set()
    return {name for (name,) in rows}


def _missing(known: Set[str], parts: Set[str]) -> list[str]:
    """The parts that the warehouse knows and that are not there."""
    return sorted(name for name in known - parts if name.startswith(f"{id_files.FOLDER}/"))


def _sources(schema: str) -> str:
    return sql(
        "create table if not exists @{schema}.id_sources (name varchar not null)", schema=schema
    )
