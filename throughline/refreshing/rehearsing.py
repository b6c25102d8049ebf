"""What a run would change in the published reports, found out without changing anything there.

Belongs here: building what a run would build, beside what stands, and comparing the reports. Does
not belong here: the comparison itself (publishing.comparing), how it is told.

New files are loaded, as by a run: the raw logs only ever grow, and the next run takes up from
there. What stands and what is published stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from throughline import engine, landing
from throughline.building.manifest import read_manifest
from throughline.engine.files import clone_or_copy
from throughline.landing import registry
from throughline.published.manifest import Publication, current_or_none
from throughline.publishing import comparing, restating
from throughline.publishing.explaining import Since
from throughline.refreshing import beside, merging, planning, selection, working
from throughline.settings import Settings

# Lines of a report that are told one by one.
MOST_CELLS = 40
_RUN = "dry run"


class NothingPublishedError(RuntimeError):
    """There is nothing to compare with."""


@dataclass(frozen=True)
class Cell:
    """A cell of a report that would change.

    Attributes:
        report, period_grain, period_start, dimension, dimension_value, source, measure: which one.
        before, after: its value.
        cause: of the closed list of published.restatements.
        conversations: how many are behind the change.
        cells: how many cells the row stands for; more than one where very many change.
    """

    report: str
    period_grain: str
    period_start: date | None
    dimension: str
    dimension_value: str | None
    source: str | None
    measure: str
    before: float | None
    after: float | None
    cause: str
    conversations: int
    cells: int | None


@dataclass(frozen=True)
class Rehearsal:
    """What a run would do.

    Attributes:
        told: what was built, in a line.
        count: how many published cells would change.
        cells: the first of them: the whole before its parts, the largest periods first.
    """

    told: str
    count: int
    cells: list[Cell]


def rehearse(settings: Settings, *, tell: beside.Tell) -> Rehearsal:
    """Load what is new, build beside what stands, compare. Call it under the warehouse lock.

    Args:
        settings: where things are. Nothing in this process has the warehouse open.
        tell: gets a short line of text as the work goes on.

    Raises:
        NothingPublishedError: there is no version to compare with.
        RegistryError, LandingError: as of a run.
        BuildError: a model or a blocking check failed, as it would in a run.
    """
    registry.validate(settings)
    last = current_or_none(settings)
    if last is None:
        raise NothingPublishedError("Nothing is published yet, so nothing would change: run first.")
    manifest = read_manifest(settings)
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        landing.reject_unrecognised(connection, settings, run_id=_RUN)
        for log in landing.LOGS:
            landing.land_log(connection, settings, log, run_id=_RUN, progress=tell)
    try:
        return _rehearsed(settings, manifest, last, tell)
    finally:
        working.remove(settings)


def _rehearsed(
    settings: Settings, manifest: dict[str, Any], last: Publication, tell: beside.Tell
) -> Rehearsal:
    plan = planning.plan(settings, manifest, selection.NOTHING)
    built = settings.working_dir / settings.outgoing_file.name
    if plan.working_set is None:
        with engine.connect(settings, settings.warehouse_file) as connection:
            working.extract(connection, settings, {})
        beside.build(settings, beside.environment_of_all(settings), tell, checks=True)
        after, told = built, f"Everything was built: {plan.reason}"
    else:
        beside.build(settings, working.environment(settings), tell, checks=True)
        after = settings.working_dir / "merged.duckdb"
        clone_or_copy(settings.outgoing_file, after)
        after.chmod(0o644)
        moved = merging.merge(settings, manifest, data_version=None, file=after)
        went, came = moved["conversations"]
        told = f"{went:,} conversations would give way to {came:,}; the others stay"
    tell("comparing the reports")
    with engine.connect(settings) as connection:
        engine.attach(connection, settings.published_dir / last.database, "published")
        engine.attach(connection, after, settings.outgoing_file.stem)
        since = Since(last.publication_no, last.last_load_no, restating.changed(settings, last))
        count = comparing.restated(
            connection, "published", settings.outgoing_file.stem, since=since
        )
        rows = connection.execute(_CELLS, {"most": MOST_CELLS}).fetchall()
    return Rehearsal(told, count, [Cell(*row) for row in rows])


_CELLS = """
    select
        report, period_grain, period_start, dimension, dimension_value, source, measure,
        from_value, to_value, cause, conversations, cells
    from restated
    order by
        dimension <> 'all',
        case period_grain when 'month' then 0 when 'week' then 1 else 2 end,
        report desc,
        period_start desc,
        dimension, dimension_value, source, measure
    limit $most
"""
