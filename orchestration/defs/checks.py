"""Checks beside dbt's tests: on the raw logs, and on the graph of contacts.

Belongs here: which checks there are and what they block. Only `nothing_lost` blocks; bad input is
shown as a warning and never stops good input.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
import duckdb

from orchestration import landing, quality, transform
from orchestration.defs import raw
from orchestration.defs.shared import POOL, markdown_table, sole_user
from orchestration.settings import Settings

GRAPH = dg.AssetKey(["marts", "graph_quality"])

RAW_CHECKS = {
    "nothing_lost": "Rows read = rows loaded + rows rejected, for every file; and all are there.",
    "rejected_rows": "Rows and files that could not be loaded, with the reason.",
    "freshness": "Each source brought a file within FRESHNESS_HOURS.",
}
UNRECOGNISED = "unrecognised_files"


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
    if check == "rejected_rows":
        return quality.rejected_rows(connection, log)
    return quality.stale_sources(connection, log, settings.freshness_hours, datetime.now(UTC))


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
        with (
            sole_user(settings, context.run.run_id),
            transform.connect_read_only(settings) as connection,
        ):
            for key in sorted(context.selected_asset_check_keys, key=str):
                yield result(key, ask(connection, settings, key), blocks=key in blocking)

    return step


@dg.definitions
def checks() -> dg.Definitions:
    raw_specs = [
        dg.AssetCheckSpec(
            check, asset=raw.key(log), description=text, blocking=check == "nothing_lost"
        )
        for log in landing.LOGS
        for check, text in RAW_CHECKS.items()
    ]
    # It concerns all logs; one of them has to carry it.
    raw_specs.append(
        dg.AssetCheckSpec(
            UNRECOGNISED,
            asset=raw.key("contacts"),
            description="Files that belong to no log: wrong folder, or a format that is not read.",
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
