"""Checks beside dbt's tests: on the raw logs, and on the graph of contacts.

Belongs here: which checks there are and what they block. Only `nothing_lost` blocks; bad input is
shown as a warning and never stops good input.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import duckdb

from orchestration.defs import raw
from orchestration.defs.shared import POOL, keep_warnings, markdown_table, sole_user
from throughline import landing
from throughline.building import quality, tables, usual
from throughline.landing import arrivals, days
from throughline.publishing import gate
from throughline.settings import Settings

GRAPH = dg.AssetKey(["marts", "graph_quality"])

RAW_CHECKS = {
    "nothing_lost": "Rows read = rows loaded + rows rejected, for every file; and all are there.",
    "rejected_rows": "Rows and files that could not be loaded, with the reason.",
    "placeholder_times": "Times so far off that they stand for none, as 0001-01-01 and 9999-12-31.",
    "freshness": "Each source brought a file within FRESHNESS_HOURS.",
}
# Of the logs whose records happen at some time.
DAY_CHECKS = {
    "usual_volume": "The last complete day had as many rows as its weekday usually has.",
    "usual_silence": "No source is silent for more days than it was in the last weeks.",
}
UNRECOGNISED = "unrecognised_files"
EMPTIED = "landing_zone"


def result(key: dg.AssetCheckKey, finding: quality.Finding, *, blocks: bool) -> dg.AssetCheckResult:
    """What Dagster shows of a finding."""
    metadata: dict[str, dg.MetadataValue] = {"found": dg.MetadataValue.int(finding.count)}
    if finding.total is not None:
        metadata["out of"] = dg.MetadataValue.int(finding.total)
    if finding.rows:
        metadata["sample"] = markdown_table(finding.header, finding.rows)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=finding.count == 0,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=finding.message,
        metadata=metadata,
    )


def _raw_finding(
    connection: duckdb.DuckDBPyConnection, settings: Settings, log: str, check: str
) -> quality.Finding:
    if check == "nothing_lost":
        return quality.nothing_lost(connection, log)
    if check == UNRECOGNISED:
        return quality.unrecognised_files(connection, list(landing.LOGS))
    if check == EMPTIED:
        emptied = arrivals.emptied(settings, connection)
        return quality.Finding(int(emptied is not None), emptied or "the landing zone holds files")
    if check == "rejected_rows":
        return quality.rejected_rows(connection, log)
    if check == "placeholder_times":
        return quality.placeholder_times(connection, log)
    if check == "usual_volume":
        return usual.unusual_volume(connection, log)
    if check == "usual_silence":
        return usual.unusual_silence(connection, log)
    return quality.stale_sources(connection, log, settings.freshness_hours, datetime.now(UTC))


def _name(key: dg.AssetCheckKey) -> str:
    """What a check is called in the proof that a publication needs."""
    return ".".join([*key.asset_key.path, key.name])


def _check_step(
    name: str,
    specs: list[dg.AssetCheckSpec],
    ask: Callable[[duckdb.DuckDBPyConnection, Settings, dg.AssetCheckKey], quality.Finding],
) -> dg.AssetChecksDefinition:
    blocking = {spec.key for spec in specs if spec.blocking}

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True, pool=POOL)
    def step(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.AssetCheckResult]:
        with sole_user(settings, context.run.run_id):
            with tables.connect_read_only(settings) as connection:
                found = {
                    key: ask(connection, settings, key)
                    for key in sorted(context.selected_asset_check_keys, key=str)
                }
            holds = {_name(key): found[key].count == 0 for key in found.keys() & blocking}
            if holds:
                gate.record_checks(settings, context.run.run_id, holds)
            results = [result(key, one, blocks=key in blocking) for key, one in found.items()]
            complete = len(results) == len(specs)
            keep_warnings(settings, name, results, specs=specs, complete=complete)
        yield from results

    return step


@dg.definitions
def checks() -> dg.Definitions:
    raw_specs = [
        dg.AssetCheckSpec(
            check,
            asset=raw.key(log),
            description=text,
            blocking=_name(dg.AssetCheckKey(raw.key(log), check)) in quality.BLOCKING,
        )
        for log in landing.LOGS
        for check, text in RAW_CHECKS.items()
    ]
    raw_specs += [
        dg.AssetCheckSpec(check, asset=raw.key(name), description=text)
        for name, log in landing.LOGS.items()
        if days.instant(log)
        for check, text in DAY_CHECKS.items()
    ]
    # These two concern all logs; one of them has to carry them.
    raw_specs.append(
        dg.AssetCheckSpec(
            UNRECOGNISED,
            asset=raw.key("contacts"),
            description="Files that belong to no log: wrong folder, or a format that is not read.",
        )
    )
    raw_specs.append(
        dg.AssetCheckSpec(
            EMPTIED,
            asset=raw.key("contacts"),
            description="The landing zone holds files, if it ever did: its disk is mounted.",
        )
    )
    graph_specs = [
        dg.AssetCheckSpec(code, asset=GRAPH, description=text)
        for code, text in quality.GRAPH_CODES.items()
    ]
    return dg.Definitions(
        asset_checks=[
            _check_step(
                "raw_checks",
                raw_specs,
                lambda connection, settings, key: _raw_finding(
                    connection, settings, key.asset_key.path[-1], key.name
                ),
            ),
            _check_step(
                "graph_checks",
                graph_specs,
                lambda connection, settings, key: quality.graph_findings(connection, key.name),
            ),
        ]
    )
