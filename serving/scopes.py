"""What a bound key reads: some sources and some projects, and nothing of any other.

Belongs here: what a scope is, and the views that hold a connection to it. Does not belong here:
whose scope it is (`keys`), queries.

A bound reader never sees the published tables. His catalog has views of the same schemas and names
that hold his rows alone, so a query needs to know nothing of scopes, and a new one cannot forget
them. A table whose rows do not say whose they are is empty there: what nobody thought of is closed,
not open (decision 0007).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from throughline.engine.sql import identifier, literal

SCHEMAS = ("marts", "metrics", "reports")


@dataclass(frozen=True)
class Scope:
    """What may be read; everything when both are empty.

    Attributes:
        sources: wholly.
        projects: each as `source/project_id`.
    """

    sources: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether there is anything that may not be read."""
        return bool(self.sources or self.projects)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The projects as (source, project_id)."""
        return tuple(split_project(each) for each in self.projects)

    @property
    def units(self) -> tuple[tuple[str, str], ...]:
        """The rows of the reports that are about what may be read: (source, project_id), the latter
        empty for a whole source.
        """
        return (*((source, "") for source in self.sources), *self.pairs)


#: No bound at all.
EVERYTHING = Scope()


def split_project(text: str) -> tuple[str, str]:
    """Source and id of a project as a scope writes it; a source has no slash, an id may."""
    source, _, project = text.partition("/")
    return source, project


def confine(
    connection: duckdb.DuckDBPyConnection, published: str, catalog: str, scope: Scope
) -> None:
    """Make a catalog that has of another one what a scope may read, under the same names.

    Args:
        connection: of an engine in memory.
        published: the catalog of the published file.
        catalog: the name of the new one.
        scope: a bound one.
    """
    tables: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns()"
        " where database_name = $name order by schema_name, table_name, column_index",
        {"name": published},
    ).fetchall():
        tables.setdefault((schema, table), []).append(column)
    connection.execute(f"attach ':memory:' as {identifier(catalog)}")
    for schema in dict.fromkeys(schema for schema, _ in tables):
        if schema in SCHEMAS:
            connection.execute(f"create schema {identifier(catalog, schema)}")
    for (schema, table), columns in tables.items():
        if schema in SCHEMAS:
            connection.execute(
                f"create view {identifier(catalog, schema, table)} as "
                + " union all ".join(_parts(published, schema, table, columns, scope))
            )


def _parts(
    published: str, schema: str, table: str, columns: Collection[str], scope: Scope
) -> Sequence[str]:
    """Queries for the rows of a table that may be read; each row is in one of them."""
    found = []
    if scope.sources and "source" in columns:
        found.append(
            f"select * from {identifier(published, schema, table)} where {_of_sources(scope)}"
        )
    if scope.projects:
        found += _of_projects(published, schema, table, columns, scope)
    if "dimension" in columns and len(scope.units) == 1:
        found.append(_as_all(published, schema, table, scope))
    return found or [f"select * from {identifier(published, schema, table)} where false"]


def _of_sources(scope: Scope) -> str:
    return f"source in ({', '.join(map(literal, scope.sources))})"


def _is_of_project(alias: str, scope: Scope, column: str = "project_id") -> str:
    tests = (
        f"({alias}.source = {literal(source)} and {alias}.{column} = {literal(project)})"
        for source, project in scope.pairs
    )
    return f"({' or '.join(tests)})"


def _of_projects(
    published: str, schema: str, table: str, columns: Collection[str], scope: Scope
) -> Iterator[str]:
    """The rows of some projects. Everything of a conversation is of the conversation's project."""
    rows = f"{identifier(published, schema, table)} as found"
    conversations = f"{identifier(published, 'marts', 'conversations')} as conversations"
    of_mine = _is_of_project("conversations", scope)
    if "source" not in columns:
        return
    if "dimension" in columns:
        # An agent, a group or a source has rows over all of its projects: none of them is his.
        mine = _is_of_project("found", scope, "dimension_value")
        yield f"select * from {rows} where dimension = 'project' and {mine}"
    elif (schema, table) in (("marts", "conversations"), ("marts", "projects")):
        yield f"select * from {rows} where {_is_of_project('found', scope)}"
    elif "conversation_id" in columns:
        # A join and not `in`: what is asked of a conversation is asked of both sides then, and
        # each reads one place.
        place = (
            " and found.conversation_started_at = conversations.started_at"
            if "conversation_started_at" in columns
            else ""
        )
        yield (
            f"select found.* from {rows} inner join {conversations}"
            f" on found.conversation_id = conversations.conversation_id{place} where {of_mine}"
        )
    elif (schema, table) == ("marts", "sources"):
        sources = ", ".join(literal(source) for source, _ in scope.pairs)
        yield f"select * from {rows} where found.source in ({sources})"
    elif (schema, table) == ("marts", "agents"):
        yield (
            f"select * from {rows} where (found.source, found.agent_id) in"
            " (select (contacts.source, contacts.agent_id)"
            f" from {identifier(published, 'marts', 'contacts')} as contacts"
            f" inner join {conversations}"
            " on contacts.conversation_started_at = conversations.started_at"
            " and contacts.conversation_id = conversations.conversation_id"
            f" where contacts.agent_id is not null and {of_mine})"
        )
    elif (schema, table) == ("marts", "conversation_merges"):
        # What it merged into may be part of another one by now.
        yield (
            f"select * from {rows} where found.new_conversation_id in (select ids.id"
            f" from {identifier(published, 'marts', 'conversation_ids')} as ids"
            f" inner join {conversations}"
            " on ids.conversation_started_at = conversations.started_at"
            " and ids.conversation_id = conversations.conversation_id"
            f" where ids.id_kind in ('conversation', 'former_conversation') and {of_mine})"
        )


def _as_all(published: str, schema: str, table: str, scope: Scope) -> str:
    """Over all that one source or one project may read, the figures are its own."""
    [(source, project)] = scope.units
    return (
        "select * replace (cast('all' as varchar) as dimension, cast(null as varchar) as source,"
        f" cast(null as varchar) as dimension_value) from {identifier(published, schema, table)}"
        f" where dimension = '{'project' if project else 'source'}' and source = {literal(source)}"
        f" and dimension_value = {literal(project or source)}"
    )
