"""The names of respondents, groups and projects.

Belongs here: from an id to its name. Does not belong here: names of codes (`serving.labels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.snapshot import Row, Snapshot

# The newest name that an id had, as SQL: an expression, the mart, and the column of the id.
NAMES = {
    "agent": ("max_by(named.display_name, (named.is_current, named.valid_from))", "agents"),
    "group": (
        "max_by(named.group_name,"
        " (named.is_current, named.source, named.agent_id, named.valid_from))"
        " filter (named.group_name is not null)",
        "agents",
    ),
    "project": ("max(named.project_name)", "projects"),
}


def name_of(what: str, source: str, id: str) -> str:
    """The name of an id inside a query that has many; null where there is none.

    Args:
        what: in NAMES.
        source, id: as SQL.
    """
    newest, mart = NAMES[what]
    return (
        f"(select {newest} from marts.{mart} as named"
        f" where named.source = {source} and named.{what}_id = {id})"
    )


@dataclass(frozen=True)
class Directory:
    """The names of one snapshot; every id is within a source.

    Attributes:
        agents: rows of marts.agents that hold now, by (source, agent_id).
        groups: names by (source, group_id).
        projects: rows of marts.projects by (source, project_id).
    """

    agents: Mapping[tuple[str, str], Row] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], str] = field(default_factory=dict)
    projects: Mapping[tuple[str, str], Row] = field(default_factory=dict)

    def agent(self, source: str | None, agent_id: str | None) -> str:
        """The display name of a respondent; the id when it has none, empty without an id."""
        if not agent_id:
            return ""
        known = self.agents.get((source or "", agent_id))
        return (known and known["display_name"]) or agent_id

    def agent_kind(self, source: str | None, agent_id: str | None) -> str | None:
        """The kind of a respondent that the agents' log knows."""
        known = self.agents.get((source or "", agent_id or ""))
        return known["agent_kind"] if known else None

    def group(self, source: str | None, group_id: str | None) -> str:
        """The name of a group; the id when it has none, empty without an id."""
        return self.groups.get((source or "", group_id or "")) or group_id or ""

    def project(self, source: str | None, project_id: str | None) -> str:
        """The name of a project; the id when it has none, empty without an id."""
        known = self.projects.get((source or "", project_id or ""))
        return (known and known["project_name"]) or project_id or ""


def directory(snapshot: Snapshot) -> Directory:
    """The names of a snapshot, read once per version."""
    return snapshot.once(_directory)


def _directory(snapshot: Snapshot) -> Directory:
    agents: dict[tuple[str, str], Row] = {}
    groups: dict[tuple[str, str], str] = {}
    # What holds now comes last and stays; a group that nobody is in any more keeps its last name.
    for row in snapshot.rows(
        "select source, agent_id, agent_kind, display_name, group_id, group_name"
        " from marts.agents order by is_current, source, agent_id, valid_from nulls first"
    ):
        agents[row["source"], row["agent_id"]] = row
        if row["group_id"] and row["group_name"]:
            groups[row["source"], row["group_id"]] = row["group_name"]
    projects = {
        (row["source"], row["project_id"]): row
        for row in snapshot.rows("select * from marts.projects")
    }
    return Directory(agents, groups, projects)
