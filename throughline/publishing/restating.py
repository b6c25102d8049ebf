"""What a publication changes of what was published: recorded before the version is made.

Belongs here: raw.restatements, and when its rows hold. Does not belong here: the comparison
(comparing), the table that readers see (the model `reports.restatements`, a view on it).

The rows carry the number that the publication is going to have, and stand before it does, because
the version shows them. Where it then fails, nobody has seen them: rows above the last publication
that readers have are taken back, and found again.
"""

from __future__ import annotations

import duckdb

from throughline import engine
from throughline.building import fingerprints
from throughline.engine.sql import named, sql
from throughline.published.manifest import Publication
from throughline.publishing.comparing import RESTATED, restated
from throughline.publishing.explaining import Since
from throughline.settings import Settings

# The public model that shows the rows.
MODEL = ("reports", "restatements")

_BEFORE = "published"
_SHOWN = (_BEFORE, *MODEL)
_COLUMNS = (
    "publication_no, restated_at, report, period_grain, period_start, dimension, dimension_value,"
    " source, measure, from_value, to_value, was_provisional, cause"
)


def record(settings: Settings, last: Publication | None) -> int:
    """Record which published cells the next publication changes.

    Call it with the warehouse closed, before the version is drafted.

    Args:
        settings: where things are.
        last: the published version; there is nothing to compare with when None.

    Returns:
        How many cells it changes.
    """
    if last is None or not (settings.published_dir / last.database).exists():
        return 0
    outgoing = settings.outgoing_file
    with engine.connect(settings) as connection:
        try:
            engine.attach(connection, settings.published_dir / last.database, _BEFORE)
        except duckdb.Error:
            # Damaged: it is written again, and nobody could read what it said.
            return 0
        engine.attach(connection, outgoing, outgoing.stem)
        since = Since(last.publication_no, last.last_load_no, changed(settings, last))
        count = restated(connection, _BEFORE, outgoing.stem, since=since)
        connection.execute(named("detach {outgoing}", outgoing=outgoing.stem))
        _write(connection, settings, last)
    return count


def changed(settings: Settings, last: Publication) -> frozenset[str]:
    """Of `definition` and `registry`, those that are not what they were in a version."""
    now = fingerprints.meaning(settings)
    return frozenset(name for name, was in last.meaning.items() if was != now[name])


def _write(connection: duckdb.DuckDBPyConnection, settings: Settings, last: Publication) -> None:
    warehouse = settings.warehouse_file
    names: dict[str, str | tuple[str, ...]] = {
        "warehouse": warehouse.stem,
        "kept": (warehouse.stem, "raw", "restatements"),
        "publications": (warehouse.stem, "raw", "publications"),
        "shown": _SHOWN,
    }
    is_shown = engine.has_table(connection, *_SHOWN)
    lacking = (
        "from {shown} as shown anti join {kept} as kept using (publication_no)"
        if is_shown
        else "from {shown} where false"
    )
    engine.attach(connection, warehouse, warehouse.stem)
    values = {"last": last.publication_no}
    unseen = "from {kept} where publication_no > $last"
    is_new = engine.one(connection, named("select count(*) from {new}", new=RESTATED))
    is_stale = engine.one(connection, named(f"select count(*) {unseen}", **names), values)
    is_lacking = is_shown and engine.one(connection, named(f"select count(*) {lacking}", **names))
    connection.execute(named("detach {warehouse}", **names))
    if not (is_new or is_stale or is_lacking):
        return
    engine.attach(connection, warehouse, warehouse.stem, "read_write")
    connection.execute("begin")
    connection.execute(named(f"delete {unseen}", **names), values)
    if is_shown:
        # A warehouse that was lost has none of them.
        connection.execute(
            named(
                sql(
                    "insert into {kept} (@{columns}, conversations, cells)"
                    " select @{columns}, conversation_count, cell_count @{lacking}",
                    columns=_COLUMNS,
                    lacking=lacking,
                ),
                **names,
            )
        )
    connection.execute(
        named(
            "insert into {kept} by name select (select coalesce(max(publication_no), 0) + 1"
            " from {publications}) as publication_no, * from {new}",
            new=RESTATED,
            **names,
        )
    )
    connection.execute("commit")
    connection.execute(named("detach {warehouse}", **names))
