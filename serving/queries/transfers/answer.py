"""All figures of a question, kept for as long as their version is served.

Belongs here: asking everything once. Does not belong here: the figures.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from serving.queries.transfers.costs import costs, earlier_legs
from serving.queries.transfers.question import Question
from serving.queries.transfers.requests import transfers
from serving.queries.transfers.ways import paths
from serving.snapshot import Row, Snapshot


@dataclass(frozen=True)
class Answer:
    """All figures of a question; see the functions of the same names."""

    transfers: list[Row]
    paths: list[Row]
    costs: dict[bool, Row]
    earlier_legs: Row


MOST_ANSWERS = 50
_lock = threading.Lock()


def _answers(snapshot: Snapshot) -> OrderedDict[Question, Answer]:
    return OrderedDict()


def answer(snapshot: Snapshot, question: Question) -> Answer:
    """The figures of a question; a version's answers stay true, so the latest ones are kept."""
    with _lock:
        known = snapshot.once(_answers)
        if question in known:
            known.move_to_end(question)
            return known[question]
    made = Answer(
        transfers(snapshot, question),
        paths(snapshot, question),
        costs(snapshot, question),
        earlier_legs(snapshot, question),
    )
    with _lock:
        known[question] = made
        while len(known) > MOST_ANSWERS:
            known.popitem(last=False)
    return made
