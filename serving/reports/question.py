"""What a reader asks of a report: the state that its address carries.

Belongs here: reading the address, the defaults, writing the address again. Does not belong here:
the answer (`reading`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from urllib.parse import urlencode

from serving import parameters
from serving.filters import NONE
from serving.i18n import mark
from serving.parameters import DAY, LONGEST_VALUE, Parameter, Problem, choice, short, text
from serving.reports import periods
from serving.reports.links import RowKey
from serving.reports.measures import KINDS, PER_SOURCE, Kind
from serving.reports.periods import Extent
from serving.scopes import Scope

ALL = "all"


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        kind: the report.
        grain: `day`, `week` or `month`.
        first, last: starts of the first period of the trend and of the period that is shown.
        dimension: what the table is split by; `all` for its periods.
        source, project: what the report is narrowed to; a project always has its source.
        value: one value of the dimension, whose own figures are shown; `-` for none stated.
        columns: a column set of the report, or `all`.
        sort: the column that the rows of a dimension are in the order of, `-` in front for the
            largest first.
        version: the published version, or the day of one, that is asked; empty for the current one.
    """

    kind: Kind
    grain: str
    first: date
    last: date
    dimension: str = ALL
    source: str = ""
    project: str = ""
    value: str = ""
    columns: str = "overview"
    sort: str = ""
    version: str = ""

    @property
    def scope(self) -> RowKey:
        """The row that a source or project narrows the report to."""
        if self.project:
            value = None if self.project == NONE else self.project
            return RowKey("project", self.source, value)
        return RowKey("source", self.source, self.source) if self.source else RowKey()

    @property
    def subject(self) -> RowKey:
        """The row whose figures are the headline and the trend."""
        if not self.value:
            return self.scope
        source = self.source if self.dimension in PER_SOURCE else None
        return RowKey(self.dimension, source, None if self.value == NONE else self.value)

    @property
    def is_crossed(self) -> bool:
        """Whether it asks for a dimension within a project or source of which there is no row."""
        if self.dimension in (ALL, "source", "project"):
            return False
        if self.project:
            return True
        return bool(self.source) and self.dimension not in PER_SOURCE

    @property
    def is_split(self) -> bool:
        """Whether the table has the values of a dimension, and not periods."""
        return self.dimension != ALL and not self.value and not self.is_crossed

    def address(self, **changes: object) -> str:
        """The address of this question, or of one that differs from it."""
        asked = replace(self, **changes)  # type: ignore[arg-type]
        found = {
            "grain": asked.grain,
            "from": asked.first,
            "to": asked.last,
            "by": "" if asked.dimension == ALL else asked.dimension,
            "source": asked.source,
            "project": asked.project,
            "value": asked.value,
            "columns": "" if asked.columns == "overview" else asked.columns,
            "sort": asked.sort,
            "version": asked.version,
        }
        query = urlencode([(name, str(value)) for name, value in found.items() if value])
        return f"/reports/{asked.kind.name}?{query}"

    def export_address(self, format_name: str) -> str:
        """The address of the table as a file."""
        path, _, query = self.address().partition("?")
        return f"{path}/export?format={format_name}&{query}"

    def at_grain(self, grain: str, extent: Extent) -> str:
        """The address of the same at another grain, with its usual periods."""
        return usual(replace(self, grain=grain), extent).address()


def usual(question: Question, extent: Extent) -> Question:
    """The question over the usual periods of its grain: up to the last complete one."""
    grain = question.grain
    last = extent.last_complete(grain) or periods.start_of(grain, extent.newest)
    first = max(
        periods.moved(grain, last, 1 - periods.USUAL_SPAN[grain]),
        periods.start_of(grain, extent.first),
    )
    return replace(question, first=min(first, last), last=last)


@cache
def parameters_of(kind_name: str) -> tuple[Parameter, ...]:
    """What the address of a report takes."""
    kind = KINDS[kind_name]
    sorts = ["label", *kind.measures]
    return (
        Parameter("grain", choice(periods.GRAINS)),
        Parameter("from", DAY),
        Parameter("to", DAY),
        Parameter("by", choice(kind.dimensions)),
        Parameter("source"),
        Parameter("project"),
        # A form sends source and project as one, the project after a slash.
        Parameter("scope", text(2 * LONGEST_VALUE + 1)),
        Parameter("value"),
        Parameter("columns", choice([*(each.name for each in kind.sets), "all"])),
        Parameter("sort", choice(sorts, [f"-{name}" for name in sorts])),
        Parameter("version"),
    )


def read(
    kind_name: str, pairs: Sequence[tuple[str, str]], extent: Extent
) -> tuple[Question, list[Problem]]:
    """The question that an address asks.

    Args:
        kind_name: `statistics` or `contacts`.
        pairs: names and values of the query string; unknown names are not looked at.
        extent: of the data; the defaults are relative to it.

    Returns:
        The question made of the values that can be used, and the problems with the others.
    """
    kind = KINDS[kind_name]
    given, problems = parameters.read(parameters_of(kind_name), pairs, strict=False)
    grain = given.get("grain", "month")
    dimension = given.get("by", ALL)
    source, project = _scope(given)
    value = given.get("value", "")
    if value and dimension in (ALL, "source", "project"):
        # A source and a project have a parameter of their own.
        problems.append(Problem("value", short(value), mark("its dimension beside it, in by")))
        value = ""
    if not source:
        # An id means something only inside its source.
        for name, given_id in (("project", project), ("value", value)):
            if given_id and (name == "project" or dimension in PER_SOURCE):
                problems.append(Problem(name, short(given_id), mark("its source beside it")))
                project, value = "", ""
    question = usual(
        Question(
            kind,
            grain,
            extent.first,
            extent.newest,
            dimension,
            source,
            project,
            value,
            given.get("columns", "overview"),
            given.get("sort", ""),
            given.get("version", ""),
        ),
        extent,
    )
    first, last = (
        periods.start_of(grain, given[name]) if name in given else None for name in ("from", "to")
    )
    question = replace(question, last=last or question.last)
    if first is None:
        # The usual span, up to the period that is asked for.
        span = periods.USUAL_SPAN[grain]
        earliest = periods.start_of(grain, extent.first)
        first = max(periods.moved(grain, question.last, 1 - span), earliest)
        first = min(first, question.last)
    elif first > question.last:
        problems.append(Problem("from", str(first), mark("a period not after the last")))
        first = question.last
    # Longer than this is no trend; the export has everything.
    first = max(first, periods.moved(grain, question.last, 1 - periods.LONGEST_SPAN))
    question = replace(question, first=first)
    if question.value and question.is_crossed:
        question = replace(question, value="")
    return question, problems


def offered(kind: Kind, scope: Scope) -> tuple[str, ...]:
    """The dimensions of a report that there are rows of for who may read a scope.

    A report has its rows by channel over all sources, and those of an agent over all projects of
    its source; a median over a part of them cannot be made of them.
    """
    if not scope.is_bound:
        return kind.dimensions
    mine = PER_SOURCE if scope.sources else ("project",)
    return tuple(each for each in kind.dimensions if each == ALL or each in mine)


def held_to(scope: Scope, asked: Question) -> tuple[Question, list[Problem]]:
    """The question as who may read a scope can ask it, and the problems with the rest.

    Over several sources or projects together there are no rows: the first is shown until one is
    chosen.
    """
    if not scope.is_bound:
        return asked, []
    problems = []
    if asked.dimension not in offered(asked.kind, scope):
        problems.append(Problem("by", asked.dimension, mark("one of those offered")))
        asked = replace(asked, dimension=ALL, value="", sort="")
    if asked.project or asked.source in scope.sources:
        return asked, problems
    units = [unit for unit in scope.units if asked.source in ("", unit[0])]
    if not units or (not asked.source and (len(units) == 1 or asked.is_split)):
        return asked, problems
    return replace(asked, source=units[0][0], project=units[0][1]), problems


def _scope(given: Mapping[str, str]) -> tuple[str, str]:
    """Source and project, from wherever they stand."""
    if "scope" in given:
        source, _, project = given["scope"].partition("/")
        return source, project
    return given.get("source", ""), given.get("project", "")
