"""Whether what stands is what a rebuild would make: built a second time beside it, and compared.

Belongs here: which conversations, building them, and naming what differs. Does not belong here: the
published files and their checksums (publishing.verification).

Some conversations are built as a refresh builds them, with all that hangs together with them; the
days and periods that they touch are built whole, from what stands of the others. All of it is built
as `make rebuild` builds it. Nothing that stands is written: the raw tables are read, what is built
lies in `Settings.working_dir` until it is compared, and readers have the published files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import duckdb

from throughline import engine
from throughline.building import state
from throughline.building.manifest import is_public, read_manifest
from throughline.engine.sql import identifier, literal, sql
from throughline.landing import registry
from throughline.publishing import gate
from throughline.refreshing import beside, merging, ties, touching, working
from throughline.refreshing.declared import Merged, declared
from throughline.settings import Settings

# Of each model, this many rows that differ are named; all are counted.
MOST_NAMED = 3
# What is read to tell a row that differs from one that is not there.
_READ = 1000


class NotComparableError(RuntimeError):
    """There is nothing to compare; the message says why, and what to do."""


@dataclass(frozen=True)
class Difference:
    """One value of one row, or a row that one side lacks: then the column is `*`."""

    model: str
    key: Mapping[str, Any]
    column: str
    live: Any
    rebuilt: Any

    def __str__(self) -> str:
        key = ", ".join(f"{name} {value}" for name, value in self.key.items())
        return f"{self.model}, {key}: {self.column} is {self.live}, and {self.rebuilt} when rebuilt"


@dataclass
class Comparison:
    """What came of it.

    Attributes:
        conversations: how many were rebuilt, of those that stand.
        rows: compared, on both sides together.
        differing: by model, how many rows only one side has.
        differences: the first of each model.
    """

    conversations: int = 0
    rows: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def verify(settings: Settings, *, sample: int | None, seed: int, tell: beside.Tell) -> Comparison:
    """Build conversations a second time and compare. Call it under the warehouse lock.

    Args:
        settings: where things are. Nothing in this process has the warehouse open.
        sample: how many conversations; None for all.
        seed: of the choice among them: the same one chooses the same conversations.
        tell: gets a short line of text as the work goes on.

    Raises:
        NotComparableError: what stands is not what the last build of this code left.
        ties.TooFarError: what hangs together with a conversation is too long a chain.
        BuildError: dbt failed.
    """
    registry.validate(settings)
    _require_whole(settings)
    manifest = read_manifest(settings)
    try:
        environment = _make(settings, manifest, sample, seed)
        beside.build(settings, environment, tell, checks=False)
        tell("comparing")
        return _compare(settings, manifest, is_part=sample is not None)
    finally:
        working.remove(settings)


def _require_whole(settings: Settings) -> None:
    # As it was written: what has changed the file since is what is looked for.
    built, basis = state.read(settings), gate.basis(settings)
    if built is None or built.lacking is None or not settings.outgoing_file.exists():
        raise NotComparableError("No build has ended well: run `throughline run` first.")
    if built.building or built.lacking:
        raise NotComparableError(
            "The last build was killed or failed: run `throughline run` first, which builds again."
        )
    if built.basis.fingerprint != basis.fingerprint:
        raise NotComparableError(
            "The code, the registry or a setting has changed since the last build, and a rebuild"
            " would differ for that: run `throughline run` first."
        )
    if built.basis.last_load_no != basis.last_load_no:
        raise NotComparableError(
            "Logs have been loaded since the last build: run `throughline run` first."
        )


def _make(
    settings: Settings, manifest: Mapping[str, Any], sample: int | None, seed: int
) -> dict[str, str]:
    """Make the working set. Gives dbt's variables for it."""
    environment = working.environment(settings)
    models = {model.name: model for model in declared(manifest)}
    with closing(_reading(settings, with_ties=sample is not None)) as connection:
        if sample is None:
            working.extract(connection, settings, {})
            return beside.environment_of_all(settings)
        connection.execute(
            sql(
                """
                create temp table touched as
                with chosen as (
                    select conversation_id from live.marts.conversations
                    order by hash(conversation_id || $seed), conversation_id limit $sample
                )
                select distinct @{here} as thing
                from live.marts.contacts
                where conversation_id in (select conversation_id from chosen)
                """,
                here=ties.contact("source", "contact_id"),
            ),
            {"seed": f" {seed}", "sample": sample},
        )
        touching.find_around(connection, models)
        working.extract(connection, settings, models)
    return environment


def _reading(settings: Settings, *, with_ties: bool) -> duckdb.DuckDBPyConnection:
    """An engine in memory that has the warehouse and the public models for reading.

    Where the ties of the warehouse are not those of its newest load, they are made in memory.
    """
    connection = engine.connect(settings)
    name = settings.warehouse_file.stem
    engine.attach(connection, settings.warehouse_file, name)
    engine.attach(connection, settings.outgoing_file, "live")
    schemas = [
        identifier(name, schema)
        for (schema,) in connection.execute(
            "select schema_name from duckdb_schemas() where database_name = ? and not internal"
            " order by schema_name",
            [name],
        ).fetchall()
    ]
    ties_kept = identifier(name, "refresh")

    def look_in(schemas: list[str]) -> None:
        connection.execute(f"set search_path = {literal(','.join(['memory.main', *schemas]))}")

    look_in(schemas)
    if with_ties and not ties.are_up_to_date(connection):
        look_in([schema for schema in schemas if schema != ties_kept])
        ties.bring_up_to_date(connection)
    return connection


def _compare(settings: Settings, manifest: Mapping[str, Any], *, is_part: bool) -> Comparison:
    found = Comparison()
    nodes = {node["name"]: node for node in manifest["nodes"].values() if is_public(node)}
    with closing(engine.connect(settings)) as connection:
        engine.attach(connection, settings.outgoing_file, "live")
        folder = settings.working_dir
        engine.attach(connection, folder / settings.outgoing_file.name, "built")
        engine.attach(connection, folder / settings.warehouse_file.name, "working")
        if is_part:
            connection.execute(merging.PERIODS)
        for model in declared(manifest):
            if model.name in nodes:
                where = merging.replaced(model) if is_part else "true"
                _compare_model(connection, model, _key(nodes[model.name]), where, found)
        found.conversations = engine.one(
            connection, "select count(*) from built.marts.conversations"
        )
    return found


def _key(node: Mapping[str, Any]) -> list[str]:
    """The columns that name a row; none where only all of them do."""
    constraints = {one["type"]: one["columns"] for one in node["constraints"] if one.get("columns")}
    return list(constraints.get("primary_key") or constraints.get("unique") or [])


def _compare_model(
    connection: duckdb.DuckDBPyConnection,
    model: Merged,
    key: list[str],
    where: str,
    found: Comparison,
) -> None:
    name = f"{model.schema}.{model.name}"
    for side, rows in (("live", where), ("built", "true")):
        connection.execute(
            sql(
                "create or replace temp view @{side}_rows as from @{side}.@{table} where @{rows}",
                side=side,
                table=model.table,
                rows=rows,
            )
        )
        found.rows += int(
            engine.one(connection, sql("select count(*) from @{side}_rows", side=side))
        )
    only = {}
    for side, other in (("live", "built"), ("built", "live")):
        connection.execute(
            sql(
                "create or replace temp table only_@{side} as"
                " (select * from @{side}_rows) except all (select * from @{other}_rows)",
                side=side,
                other=other,
            )
        )
        only[side] = int(
            engine.one(connection, sql("select count(*) from only_@{side}", side=side))
        )
    if any(only.values()):
        found.differing[name] = max(only.values())
        named = _named(connection, name, key)
        found.differences += [one for one, _ in zip(named, range(MOST_NAMED), strict=False)]


def _named(
    connection: duckdb.DuckDBPyConnection, model: str, key: list[str]
) -> Iterator[Difference]:
    """What differs between `only_live` and `only_built`, row by row."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for side in ("live", "built"):
        read = connection.execute(
            sql(
                "from only_@{side} order by @{order} limit @{most}",
                side=side,
                order=", ".join(map(identifier, key)) or "all",
                most=str(_READ),
            )
        )
        columns = [column[0] for column in read.description or ()]
        rows[side] = {}
        for values in read.fetchall():
            row = dict(zip(columns, values, strict=True))
            rows[side][repr([row[name] for name in key or columns])] = row
    for place in dict.fromkeys([*rows["live"], *rows["built"]]):
        live, built = rows["live"].get(place), rows["built"].get(place)
        row = live or built or {}
        named = {name: row[name] for name in key or row}
        if live is None or built is None:
            there, lacking = "there", "not there"
            yield Difference(
                model, named, "*", there if live else lacking, there if built else lacking
            )
            continue
        for name, value in live.items():
            if value != built[name]:
                yield Difference(model, named, name, value, built[name])
