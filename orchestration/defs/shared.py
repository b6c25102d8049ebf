"""What every step shares: its place in the queue of writers, its owners, its way to say facts.

Belongs here: small helpers that speak Dagster. Does not belong here: definitions of assets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
import duckdb

from throughline import engine
from throughline.building import concerns
from throughline.building.tables import TableFacts
from throughline.engine import locks
from throughline.landing.errors import LandingError
from throughline.settings import Settings

POOL = "duckdb"
# Who answers for an asset: dbt's groups (models/groups.yml), and for what is not dbt's the nearer.
WAREHOUSE, REPORTING = ["team:warehouse"], ["team:reporting"]
# Whether readers may use it: `tag:access=public` selects what is published.
PUBLIC, PRIVATE = {"access": "public"}, {"access": "private"}

RETRIES = 3
RETRY_SECONDS = 20


@contextmanager
def sole_user(settings: Settings, run_id: str) -> Iterator[None]:
    """Around the body of a step: no other process of the pipeline has the warehouse open.

    A retry helps against one thing only: another program that has the file open and closes it.
    Anything else fails at once, with its own message.
    """
    locks.claim_life(settings, run_id)
    with locks.warehouse(settings):
        try:
            yield
        except (duckdb.IOException, LandingError) as error:
            # Landing has a message of its own for it.
            if not engine.is_held(error) and not engine.is_held(error.__cause__ or ""):
                raise
            # From here on in our words: after the last try this is what is shown.
            raise try_again() from engine.HeldError(engine.explained(settings, error))


def try_again() -> dg.RetryRequested:
    """What a step raises when another program has the warehouse open."""
    return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS)


def keep_warnings(
    settings: Settings,
    step: str,
    results: Iterable[dg.AssetCheckResult],
    *,
    specs: Iterable[dg.AssetCheckSpec],
    complete: bool,
) -> None:
    """Keep what the checks of a step warn of, for the end of `make run`."""
    described = {spec.key: spec.description for spec in specs}
    found: dict[tuple[str, str], concerns.Concern | None] = {}
    for result in results:
        assert result.asset_key is not None
        assert result.check_name is not None
        key = (".".join(result.asset_key.path), result.check_name)
        warns = not result.passed and result.severity == dg.AssetCheckSeverity.WARN
        what = described.get(dg.AssetCheckKey(result.asset_key, result.check_name))
        found[key] = _concern(key, result, what) if warns else None
    concerns.record(settings, step, found, complete=complete)


def _concern(
    key: tuple[str, str], result: dg.AssetCheckResult, described: str | None
) -> concerns.Concern:
    # Ours say how much in a number of their own, dbt's tests in one of Dagster's.
    names = ("found", "dagster_dbt/failed_row_count")
    values = [(result.metadata or {}).get(name) for name in names]
    counts = [getattr(value, "value", value) for value in values]
    count = next((value for value in counts if isinstance(value, int)), None)
    return concerns.Concern(*key, count, result.description or described or "it does not hold")


def fresh(settings: Settings) -> dg.FreshnessPolicy:
    """An asset that every run brings: overdue once as long has passed as a source may be silent."""
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=settings.freshness_hours))


def table_metadata(
    facts: TableFacts | None,
    about: Mapping[str, str],
    origins: Mapping[str, Iterable[tuple[str, str, str]]] | None = None,
) -> dict[str, Any]:
    """What Dagster's user interface knows of a table, under the names that it knows.

    Args:
        facts: rows and columns of the table.
        about: what each column means, where that is said.
        origins: the (schema, table, column) triples that each column comes from.
    """
    if facts is None:
        return {}
    columns = [dg.TableColumn(name, kind, about.get(name)) for name, kind in facts.columns]
    found: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    if origins:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                name: [
                    dg.TableColumnDep(dg.AssetKey([schema, table]), column)
                    for schema, table, column in triples
                ]
                for name, triples in origins.items()
            }
        )
    if facts.rows is not None:
        found["dagster/row_count"] = facts.rows
    return found


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[object]]
) -> dg.MetadataValue[Any]:
    """Rows as a table for people."""

    def cell(value: object) -> str:
        text = "" if value is None else " ".join(str(value).split())
        return (text if len(text) <= 120 else text[:119] + "…").replace("|", "\\|")

    lines = [header, ["---"] * len(header), *rows]
    return dg.MetadataValue.md(
        "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)
    )
