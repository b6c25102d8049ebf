"""Files of the landing zone that were loaded long ago and may go.

Belongs here: which these are, and removing them. Does not belong here: published versions
(publishing.installing), backups (backup), runs of Dagster (orchestration.instance).

Only what is safe twice goes: a file whose every row is in the raw tables, of a load that is in the
published version, as it was when it was read. A file that was rejected, or a row of it, stays for
whoever has to look at it.
"""

from __future__ import annotations

from datetime import timedelta

import duckdb

from throughline import engine
from throughline.landing import files, ledger
from throughline.settings import REPOSITORY, Settings

# Not landed, but a part of the checkout.
SAMPLES = REPOSITORY / "seeds"


def expired(
    connection: duckdb.DuckDBPyConnection, settings: Settings, published_load_no: int
) -> list[files.LandedFile]:
    """The files that may go, by `LANDING_RETENTION_DAYS`; none where it is not set.

    Args:
        connection: the warehouse.
        settings: where the landing zone is.
        published_load_no: the newest load in the published version.
    """
    if settings.landing_retention_days is None:
        return []
    known = ledger.StatCache(connection)
    loaded = {
        (source, log, sha256)
        for source, log, sha256 in connection.execute(
            "select source, log, content_sha256 from raw.loads where status = 'loaded'"
            " and rows_rejected = 0 and load_no <= $published and loaded_at < $before",
            {
                "published": published_load_no,
                "before": ledger.now() - timedelta(days=settings.landing_retention_days),
            },
        ).fetchall()
    }
    contents = dict(
        connection.execute(
            "select path, content_sha256 from raw.landing_files where content_sha256 is not null"
        ).fetchall()
    )
    return [
        file
        for file in files.discover(settings.landing_dir).files
        if known.is_settled(file)
        and (sha256 := contents.get(file.path))
        and (file.source, file.log, file.identity(sha256)) in loaded
    ]


def remove_expired(settings: Settings, published_load_no: int) -> str | None:
    """Remove the files that may go. Call it under the warehouse lock, with the warehouse closed.

    What is removed is no longer among the files that landing has seen, so that a landing zone that
    has become empty by it is not taken for a disk that is not mounted.

    Returns:
        What was removed, in one line; None when nothing was.
    """
    if settings.landing_retention_days is None:
        return None
    if settings.landing_dir.is_relative_to(SAMPLES):
        return None
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        found = expired(connection, settings, published_load_no)
    if not found:
        return None
    with engine.connect(settings, settings.warehouse_file) as connection:
        # First: a file that is there and unknown is found in the ledger again, and not loaded.
        connection.execute(
            "delete from raw.landing_files where path in (select unnest($paths))",
            {"paths": [file.path for file in found]},
        )
    kept = 0
    for file in found:
        try:
            if files.Stamp.of(file.absolute.stat()) == file.stamp:
                file.absolute.unlink()
        except FileNotFoundError:
            continue
        except OSError:
            kept += 1
    noun = "file" if len(found) == 1 else "files"
    return (
        f"Removed {len(found) - kept:,} {noun} of the landing zone, loaded more than"
        f" {settings.landing_retention_days} days ago (LANDING_RETENTION_DAYS)"
        + (f"; {kept:,} could not be removed" if kept else "")
    )
