"""A second warehouse, built anew from the raw tables of the first, and what differs between them.

Belongs here: making it, and comparing. Does not belong here: what is loaded, or how the first
warehouse came to what it holds.

Compared are all tables of the file that publishing copies, by all their columns, also those that
are not published: the next refresh starts from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
from harness import Pipeline, dbt

from throughline.building import tables

SHOWN = 4
FOUND_MERGES = ("int_conversation_ids__merged",)
# A build without checks.
MODELS = ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]


class Rebuilt:
    """The second warehouse: below a folder of its own, with the registry of the first."""

    def __init__(self, home: Path) -> None:
        self._pipeline = Pipeline(home)

    @property
    def pipeline(self) -> Pipeline:
        """For publishing from it."""
        return self._pipeline

    def build(self, first: Pipeline) -> None:
        """Build every model anew from the raw tables as they are in the first."""
        settings = self._pipeline.settings
        for path in first.settings.registry_dir.iterdir():
            shutil.copyfile(path, settings.registry_dir / path.name)
        shutil.copyfile(first.settings.warehouse_file, settings.warehouse_file)
        tables.drop_built(settings)
        failures = dbt(MODELS, settings, {})
        assert not failures, failures

    def differences(self, first: Pipeline, *, is_published: bool = False) -> list[str]:
        """What differs from the first, as lines to read; nothing when they are equal.

        Args:
            first: the other.
            is_published: what the first built was published before the second was built: the merges
                of ids that it found are on record since, and found no more.
        """
        return differences(
            first.settings.outgoing_file,
            self._pipeline.settings.outgoing_file,
            but=FOUND_MERGES if is_published else (),
        )


def differences(live: Path, rebuilt: Path, *, but: Sequence[str] = ()) -> list[str]:
    """What differs between two files of public models, both closed, but for some tables."""
    found = []
    with duckdb.connect() as connection:
        for name, file in (("live", live), ("rebuilt", rebuilt)):
            connection.execute(f"attach '{file}' as {name} (read_only)")
        kept = {name: _tables(connection, name) for name in ("live", "rebuilt")}
        if kept["live"] != kept["rebuilt"]:
            found.append(f"other tables: {sorted(kept['live'] ^ kept['rebuilt'])}")
        for schema, table in sorted(kept["live"] & kept["rebuilt"]):
            if table in but:
                continue
            sides = {side: f'from {side}."{schema}"."{table}"' for side in ("live", "rebuilt")}
            for one, other in (("live", "rebuilt"), ("rebuilt", "live")):
                rows = connection.execute(f"({sides[one]}) except all ({sides[other]})")
                columns = [column[0] for column in rows.description or ()]
                only = rows.fetchall()
                found += [f"{schema}.{table}: {len(only)} rows only in {one}"] if only else []
                found += ["  " + str(dict(zip(columns, row, strict=True))) for row in only[:SHOWN]]
    return found


def _tables(connection: duckdb.DuckDBPyConnection, name: str) -> set[tuple[str, str]]:
    return set(
        connection.execute(
            "select schema_name, table_name from duckdb_tables()"
            " where database_name = ? and schema_name <> 'refresh'",
            [name],
        ).fetchall()
    )
