"""The answer of the statistic resource.

Belongs here: figures, one per indicator, resource and slot. Does not belong here: the sums
(`totals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.api.statistic.indicators import CONTACT, CONVERSATION, INDICATORS
from serving.api.statistic.question import Question
from serving.api.statistic.totals import of_nothing, totals
from serving.snapshot import Snapshot


def statistic(snapshot: Snapshot, question: Question) -> list[dict[str, Any]] | dict[str, Any]:
    """The figures: one object, or a list with one per resource, slot, or both.

    Raises:
        RefusedError: there would be too many.
    """
    grains = [
        grain
        for grain in (CONTACT, CONVERSATION)
        if any(INDICATORS[name].grain == grain for name in question.known)
    ]
    figures: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for grain in grains:
        for row in totals(snapshot, question, grain):
            key = tuple(row[name] for name in _key_names(question))
            figures.setdefault(key, {})[grain] = row
    # A slot in which conversations closed can be one in which no contact started.
    for grain in grains:
        if any(grain not in found for found in figures.values()):
            nothing = of_nothing(snapshot, grain)
            for found in figures.values():
                found.setdefault(grain, nothing)
    if not _key_names(question):
        return _figures(question, figures[()])
    return [
        {**dict(zip(_key_names(question), key, strict=True)), **_figures(question, figures[key])}
        for key in sorted(figures)
    ]


def _key_names(question: Question) -> list[str]:
    return [
        *(("id", "source") if question.resource else ()),
        *(("date",) if question.granularity else ()),
    ]


def _figures(question: Question, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: INDICATORS[name].value(found[INDICATORS[name].grain]) if name in INDICATORS else None
        for name in question.indicators
    }
