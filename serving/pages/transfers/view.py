"""Names and links of the figures.

Belongs here: what an end, a way and a request are called, and the conversations behind a figure.
Does not belong here: the figures (`serving.queries.transfers`), what is drawn of them (`drawing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from serving import addresses, i18n, labels
from serving.filters import NONE, Filter
from serving.filters.transfers import ENDS
from serving.i18n import mark
from serving.queries.directory import Directory
from serving.queries.transfers import OTHER, OUTCOMES, Question
from serving.snapshot import Row


def _log(wanted: Filter) -> str:
    return addresses.log(wanted.query())


class View:
    """Names and links of the figures of a question."""

    def __init__(self, question: Question, names: Directory) -> None:
        self._question = question
        self._names = names
        # With one source asked for, its name beside every end says nothing.
        self._is_one_source = len(dict(question.columns).get("source", ())) == 1

    def name(self, source: str | None, end: str) -> str:
        """The name of an end of a transfer, with its source where that could be another's."""
        shown = self._short(source, end)
        return shown if self._is_one_source or not source else f"{shown} · {source}"

    def path(self, row: Row) -> str:
        """The names along a way."""
        shown = " → ".join(self._short(row["source"], step) for step in row["path"])
        return shown if self._is_one_source or not row["source"] else f"{shown} · {row['source']}"

    def _short(self, source: str | None, end: str) -> str:
        by = self._question.by
        if end == OTHER:
            return i18n.gettext("all others")
        if end == NONE:
            return i18n.gettext(ENDS[by].unnamed)
        if by == "kind":
            return labels.label(labels.AGENT_KINDS, end)
        return self._names.group(source, end) if by == "group" else self._names.agent(source, end)

    def _within(self, source: str | None) -> dict[str, Any]:
        return {"source": (source,)} if source else {}

    def pair_link(self, source: str | None, origin: str, target: str) -> str:
        """The conversations with such a transfer; empty for the rest of the ends."""
        if OTHER in (origin, target):
            return ""
        return _log(
            self._question.filter(transfer_from=origin, transfer_to=target, **self._within(source))
        )

    def path_link(self, row: Row, *, part: bool = False) -> str:
        """The conversations that went this way."""
        return _log(
            self._question.filter(
                path=tuple(row["path"]),
                path_part=part,
                transfer_outcome="accepted",
                **self._within(row["source"]),
            )
        )

    def link(self, **more: Any) -> str:
        """The conversations of the question's transfers, and more."""
        return _log(self._question.filter(**more))

    def closed_link(self, transferred: bool) -> str:
        """The conversations that closed in the period, transferred or not."""
        return _log(self._question.closed(transferred=transferred))

    def address(self, **changes: str) -> str:
        """This page, with another answer to a question of the form."""
        pairs = {
            "by": self._question.by,
            "from": str(self._question.first_day),
            "to": str(self._question.last_day),
        }
        columns = [(name, value) for name, values in self._question.columns for value in values]
        return "/transfers?" + urlencode([*{**pairs, **changes}.items(), *columns])

    def export_address(self, table: str, format_name: str) -> str:
        """A table of the page as a file."""
        path, _, query = self.address().partition("?")
        return f"{path}/export?{urlencode({'table': table, 'format': format_name})}&{query}"

    def requests(self, rows: Sequence[Row], level: str) -> list[dict[str, Any]]:
        """Requests with what became of them, one entry per target, kind, or for all.

        Each of `asked` and OUTCOMES is requests, conversations, and a link to these; the
        conversations of `asked` are known for all alone.
        """
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in rows:
            if row["level"] != level:
                continue
            key = (row["source"], row["target_kind"], row["target_id"], row["kind"])
            entry = found.setdefault(
                key,
                {
                    "name": self._request_name(row),
                    "asked": (0, None, self._request_link(row, "asked")),
                    **dict.fromkeys(OUTCOMES, (0, 0, "")),
                    "waits": 0,
                    "wait_median": None,
                    "wait_p90": None,
                },
            )
            outcome = row["outcome"]
            if outcome is None:
                entry["asked"] = (row["transfers"], row["conversations"], entry["asked"][2])
                continue
            if level != "all":
                entry["asked"] = (entry["asked"][0] + row["transfers"], *entry["asked"][1:])
            link = "" if outcome == "set_aside" else self._request_link(row, outcome)
            entry[outcome] = (row["transfers"], row["conversations"], link)
            if outcome == "accepted":
                entry |= {name: row[name] for name in ("waits", "wait_median", "wait_p90")}
        return sorted(found.values(), key=lambda entry: (-entry["asked"][0], entry["name"]))

    def _request_name(self, row: Row) -> str:
        if row["level"] == "all":
            return i18n.gettext("All requests")
        if row["level"] == "kind":
            return labels.label(labels.TRANSFER_KINDS, row["kind"])
        if not row["target_id"]:
            return i18n.gettext("Not stated")
        if row["target_kind"] == "group":
            name = i18n.gettext("the group %(name)s") % {
                "name": self._names.group(row["source"], row["target_id"])
            }
        else:
            name = self._names.agent(row["source"], row["target_id"])
        return name if self._is_one_source else f"{name} · {row['source']}"

    def _request_link(self, row: Row, outcome: str) -> str:
        more: dict[str, Any] = {"transfer_outcome": outcome}
        if row["level"] == "kind":
            more["transfer_kind"] = (row["kind"] or NONE,)
        elif row["level"] == "target":
            if not row["target_id"] or not row["target_kind"]:
                return ""
            more["transfer_target"] = f"{row['target_kind']}:{row['target_id']}"
            more |= self._within(row["source"])
        return self.link(**more)

    def costs(self, groups: Mapping[bool, Row]) -> list[dict[str, Any]]:
        """Transferred conversations against the others, one entry per figure."""
        found = []
        for name, column, counted, kind in (
            (mark("Human handle time, mean"), "human_handle_mean", "handled", "duration"),
            (mark("Resolution time, median"), "resolution_median", "resolutions", "duration"),
            (mark("First human reply, median"), "first_reply_median", "first_replies", "duration"),
            (mark("Satisfied (CSAT 4 or 5)"), "csat_share", "csat_responses", "share"),
            (mark("CSAT, mean"), "csat_mean", "csat_responses", "score"),
        ):
            values: list[float | None] = []
            counts: list[int] = []
            for transferred in (True, False):
                row = groups.get(transferred, {})
                responses = row.get("csat_responses")
                share = row["csat_positive"] / responses if responses else None
                values.append(share if column == "csat_share" else row.get(column))
                counts.append(row.get(counted, 0))
            ours, others = values
            difference = None if ours is None or others is None else ours - others
            found.append(
                {
                    "name": name,
                    "kind": kind,
                    "values": values,
                    "counts": counts,
                    "positive": [
                        groups.get(transferred, {}).get("csat_positive", 0)
                        for transferred in (True, False)
                    ]
                    if kind == "share"
                    else None,
                    "difference": difference,
                }
            )
        return found
