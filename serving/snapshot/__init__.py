"""The published snapshot, opened read-only and reopened when a new version is published.

Belongs here: the versions that are served, and running bound queries of one under a time limit.
Does not belong here: what is asked (`serving.queries` and the rooms above it ask), HTTP.

A request takes `Snapshots.current()` once and asks that one version for everything, so that what it
answers never mixes two. A version that nobody holds any more is closed.
"""

from serving.snapshot.current import MANIFEST_NAME, Health, NothingPublishedError, Snapshots
from serving.snapshot.kept import Kept, NotKeptError, Versions
from serving.snapshot.version import QueryTooLongError, Row, Snapshot

__all__ = [
    "MANIFEST_NAME",
    "Health",
    "Kept",
    "NotKeptError",
    "NothingPublishedError",
    "QueryTooLongError",
    "Row",
    "Snapshot",
    "Snapshots",
    "Versions",
]
