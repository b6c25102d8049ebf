"""What the filters of one version can be chosen from.

Belongs here: the values that a form offers. Does not belong here: their names (`directory`).
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.snapshot import Snapshot

MOST_TAGS = 200


@dataclass(frozen=True)
class Choices:
    """What the filters of one version can be chosen from.

    Attributes:
        sources: slugs.
        agents, groups, projects: (source, id) of those of the contacts, in order.
        channels, languages: codes.
        tags: the most frequent ones, in the order of the alphabet.
    """

    sources: list[str]
    agents: list[tuple[str, str]]
    groups: list[tuple[str, str]]
    projects: list[tuple[str, str]]
    channels: list[str]
    languages: list[str]
    tags: list[str]


def choices(snapshot: Snapshot) -> Choices:
    """The choices of a version, read once."""
    return snapshot.once(_choices)


def _choices(snapshot: Snapshot) -> Choices:
    listed = (
        "select distinct {0} as value from marts.conversations where {0} is not null order by 1"
    )
    columns = {
        name: [row["value"] for row in snapshot.rows(listed.format(name))]
        for name in ("source", "channel", "language")
    }
    ids = {
        name: [
            (row["source"], row["id"])
            for row in snapshot.rows(
                f"select distinct source, {name} as id from marts.contacts"
                f" where {name} is not null order by source, id"
            )
        ]
        for name in ("agent_id", "group_id", "project_id")
    }
    tags = snapshot.rows(
        "select tag from (select unnest(tags) as tag from marts.contacts)"
        " group by tag order by count(*) desc, tag limit $most",
        {"most": MOST_TAGS},
    )
    return Choices(
        sources=columns["source"],
        agents=ids["agent_id"],
        groups=ids["group_id"],
        projects=ids["project_id"],
        channels=columns["channel"],
        languages=columns["language"],
        tags=sorted(row["tag"] for row in tags),
    )
