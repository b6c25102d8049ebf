"""The drawing of a conversation: where on it each thing stands.

Belongs here: turning moments into places, and contacts, transfers, messages, ratings and
transactions into shapes. Does not belong here: reading the snapshot, markup, words.

Places along the time are shares of the width in percent, so that the drawing fits any width without
distortion; places across are pixels. A silence that would push all the rest together is cut short,
and the drawing says where.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from serving.snapshot import Row

TOP = 26  # Pixels above the first lane, for the times.
LANE = 46  # Pixels of a lane.
MIDDLE = 28  # Pixels from a lane's upper edge to the middle of its bars.
BAR = 16
MARGIN = 1.5  # Percent left free at both ends.
LONGEST_SHARE = 0.14  # Of the width, for one silence; more is cut.
SHORTEST_BAR = 0.5  # Percent: a contact of a second is still seen.
MARKS = 5  # Times named along the top.
SAME_PLACE = 0.15  # Percent: message marks nearer than this are one.


class Scale:
    """Maps moments to percent of the width, long silences cut short."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self._moments = sorted(set(moments))
        gaps = [
            (late - early).total_seconds()
            for early, late in zip(self._moments, self._moments[1:], strict=False)
        ]
        self._cap = _cap(gaps)
        places, at = [0.0], 0.0
        for gap in gaps:
            at += min(gap, self._cap)
            places.append(at)
        self._places, self._length = places, at or 1.0
        self.cuts = [
            (self.at(early), self.at(late), gap)
            for early, late, gap in zip(self._moments, self._moments[1:], gaps, strict=False)
            if gap > self._cap
        ]

    def at(self, moment: datetime) -> float:
        """The place of a moment in percent; one outside stands at the nearer end."""
        before = bisect_right(self._moments, moment) - 1
        if before < 0:
            share = 0.0
        elif before == len(self._moments) - 1:
            share = self._places[-1] / self._length
        else:
            gap = (self._moments[before + 1] - self._moments[before]).total_seconds()
            passed = (moment - self._moments[before]).total_seconds() / gap
            step = self._places[before + 1] - self._places[before]
            share = (self._places[before] + passed * step) / self._length
        return round(MARGIN + share * (100 - 2 * MARGIN), 3)

    def marks(self) -> list[tuple[float, datetime]]:
        """Places evenly spread, each with its moment."""
        if len(self._moments) == 1:
            return [(self.at(self._moments[0]), self._moments[0])]
        found = []
        for number in range(MARKS):
            place = number / (MARKS - 1) * self._length
            before = min(bisect_right(self._places, place), len(self._places) - 1) - 1
            start, end = self._places[before], self._places[before + 1]
            share = (place - start) / (end - start) if end > start else 0.0
            gap = self._moments[before + 1] - self._moments[before]
            moment = self._moments[before] + timedelta(seconds=gap.total_seconds() * share)
            found.append((round(MARGIN + number / (MARKS - 1) * (100 - 2 * MARGIN), 3), moment))
        return found


def _cap(gaps: Sequence[float]) -> float:
    """The longest silence that is drawn to scale, in seconds."""
    ordered = sorted(gaps, reverse=True)
    share = max(LONGEST_SHARE, 1.5 / max(len(ordered), 1))
    total = sum(ordered)
    for number, gap in enumerate(ordered):
        # With this gap as the cap, the longer ones before it are as long as it.
        if gap <= share * (total + gap * number):
            return gap
        total -= gap
    return ordered[0] if ordered else 0.0


@dataclass(frozen=True)
class Bar:
    """A contact: from `x` over `width` percent, in the lane whose upper edge is at `top`."""

    contact: Row
    x: float
    width: float
    top: int


@dataclass(frozen=True)
class Arrow:
    """A transfer: from a place in one lane to a place in another.

    Attributes:
        transfer: the row.
        x1, y1, x2, y2: its ends, in percent and pixels; without a second contact both are one.
        is_labelled: whether the wait can be written without covering another.
    """

    transfer: Row
    x1: float
    y1: int
    x2: float
    y2: int
    is_labelled: bool


@dataclass(frozen=True)
class Tick:
    """Messages at one place: of which author, and how many."""

    kind: str
    x: float
    top: int
    count: int


@dataclass(frozen=True)
class Point:
    """A rating or a transaction, in the visitor's lane."""

    kind: str
    row: Row
    x: float
    y: int


@dataclass
class Timeline:
    """The whole drawing.

    Attributes:
        lanes: (agent_id, agent_kind) of each respondent in order of appearance; the first lane, the
            visitor's, is not among them.
        height: in pixels.
        marks: places and moments along the top.
        cuts: silences cut short: from, to, and seconds.
    """

    lanes: list[tuple[str | None, str | None]]
    height: int
    marks: list[tuple[float, datetime]]
    cuts: list[tuple[float, float, float]]
    bars: list[Bar] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


def draw(
    contacts: Sequence[Row],
    transfers: Sequence[Row],
    messages: Sequence[Row],
    ratings: Sequence[Row],
    transactions: Sequence[Row],
    until: datetime,
) -> Timeline:
    """The drawing of a conversation.

    Args:
        contacts, transfers, messages, ratings, transactions: rows of the marts, in order; of
            messages contact_id, sent_at and author_kind are enough.
        until: where a contact that is still open ends on the drawing, in UTC.
    """
    lanes: dict[tuple[str | None, str | None], int] = {}
    ends, lane_of, start_of = {}, {}, {}
    for contact in contacts:
        respondent = (contact["agent_id"], contact["agent_kind"])
        lanes.setdefault(respondent, len(lanes) + 1)
        lane_of[contact["contact_id"]] = lanes[respondent]
        start_of[contact["contact_id"]] = contact["started_at"]
        latest = max(until, contact["started_at"])
        ends[contact["contact_id"]] = contact["ended_at"] or latest
    scale = Scale(
        [
            *start_of.values(),
            *ends.values(),
            *(row["sent_at"] for row in messages),
            *(row["requested_at"] for row in transfers),
            *(row["answered_at"] for row in ratings),
            *(row["occurred_at"] for row in transactions),
        ]
    )
    drawing = Timeline(
        lanes=list(lanes),
        height=TOP + LANE * (len(lanes) + 1),
        marks=scale.marks(),
        cuts=scale.cuts,
    )
    for contact in contacts:
        began, ended = contact["started_at"], ends[contact["contact_id"]]
        left, right = sorted((scale.at(began), scale.at(ended)))
        lane = lane_of[contact["contact_id"]]
        drawing.bars.append(
            Bar(contact, left, round(max(right - left, SHORTEST_BAR), 3), _top(lane))
        )
    drawing.arrows = _arrows(transfers, lane_of, start_of, scale)
    drawing.ticks = _ticks(messages, lane_of, scale)
    drawing.points = [
        Point(kind, row, scale.at(row[column]), _top(0) + MIDDLE)
        for kind, rows, column in (
            ("rating", [row for row in ratings if row["score"] is not None], "answered_at"),
            ("transaction", transactions, "occurred_at"),
        )
        for row in rows
    ]
    return drawing


def _top(lane: int) -> int:
    return TOP + LANE * lane


def _arrows(
    transfers: Sequence[Row],
    lane_of: Mapping[str, int],
    start_of: Mapping[str, datetime],
    scale: Scale,
) -> list[Arrow]:
    found = []
    labelled: dict[int, float] = {}
    for transfer in transfers:
        origin, target = transfer["from_contact_id"], transfer["to_contact_id"]
        lane = lane_of.get(origin, lane_of.get(target))
        if lane is None:
            continue
        x1 = x2 = scale.at(transfer["requested_at"])
        y1 = y2 = _top(lane) + MIDDLE
        is_labelled = False
        # A target in another conversation is no place on this drawing.
        if transfer["outcome"] == "accepted" and target in lane_of and origin in lane_of:
            x2, y2 = scale.at(start_of[target]), _top(lane_of[target]) + MIDDLE
            is_labelled = x2 - labelled.get(lane_of[target], -100.0) > 11
            if is_labelled:
                labelled[lane_of[target]] = x2
        found.append(Arrow(transfer, x1, y1, x2, y2, is_labelled))
    return found


def _ticks(messages: Sequence[Row], lane_of: Mapping[str, int], scale: Scale) -> list[Tick]:
    counts: dict[tuple[str, int, int], int] = {}
    for message in messages:
        kind: Any = message["author_kind"]
        if kind == "system":
            continue
        lane = 0 if kind == "visitor" else lane_of.get(message["contact_id"], 0)
        place = round(scale.at(message["sent_at"]) / SAME_PLACE)
        counts[kind, lane, place] = counts.get((kind, lane, place), 0) + 1
    return [
        Tick(kind, round(place * SAME_PLACE, 2), _top(lane), count)
        for (kind, lane, place), count in counts.items()
    ]
