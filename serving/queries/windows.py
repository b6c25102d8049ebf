"""Windows over the openings: parts of the marts, read one after the other until it is enough.

Belongs here: where they begin and end. Does not belong here: what is read in them (`log`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from serving.queries.cursors import Cursor
from serving.snapshot import Snapshot

WINDOW_ROWS = 20_480
WINDOW_GROWTH = 4


def bounds(snapshot: Snapshot) -> list[datetime]:
    """Openings that cut the mart into windows of WINDOW_ROWS, in order; read once per version."""
    return snapshot.once(_bounds)


def _bounds(snapshot: Snapshot) -> list[datetime]:
    found = snapshot.rows(
        "select min(started_at) as bound from (select started_at, row_number() over"
        " (order by started_at) - 1 as number from marts.conversations)"
        " group by number // $rows order by bound",
        {"rows": WINDOW_ROWS},
    )
    return sorted({row["bound"] for row in found})


def windows(
    bounds: Sequence[datetime], ascending: bool, place: Cursor | None
) -> list[tuple[datetime, datetime]]:
    """Growing windows from the place on, which together hold all that lies beyond it."""
    edges = [datetime.min, *bounds[1:], datetime.max]
    count = len(edges) - 1
    found = []
    step = 1
    if ascending:
        low = max(bisect_right(edges, place.started_at) - 1, 0) if place else 0
        while low < count:
            high = min(low + step, count)
            found.append((edges[low], edges[high]))
            low, step = high, step * WINDOW_GROWTH
    else:
        high = min(bisect_right(edges, place.started_at), count) if place else count
        while high > 0:
            low = max(high - step, 0)
            found.append((edges[low], edges[high]))
            high, step = low, step * WINDOW_GROWTH
    return found
