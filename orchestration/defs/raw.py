"""The raw logs: what the landing zone brought.

Belongs here: the six assets of schema `raw`. How files are read is throughline.landing's.
"""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.shared import POOL, PRIVATE, WAREHOUSE, fresh, sole_user, table_metadata
from orchestration.narrator import Narrator
from throughline import landing
from throughline.building import mending, tables
from throughline.building.tables import TableFacts
from throughline.publishing import space
from throughline.settings import Settings, load_settings

# Tables that steps keep beside their own assets; declared so that the graph can name them.
RECORDS = {
    "loads": "One row per file content, source and log: the load ledger. Kept by landing.",
    "delays": "One row per load and delay of the records that it brought first. Kept by landing.",
    "rejected_rows": "One row per rejected value's row, kept whole with its reason, by landing.",
    "publications": "One row per published version. Kept by publishing.",
    "published_ids": "One row per conversation id that was ever published. Kept by publishing.",
    "id_merges": "One row per published id that gave way to another. Kept by publishing.",
    "restatements": "One row per published cell that a publication changed. Kept by publishing.",
}


def key(log: str) -> dg.AssetKey:
    """The asset of a log."""
    return dg.AssetKey(["raw", log])


def _told(log: str, summary: landing.LogSummary) -> str:
    if not summary.files_seen:
        return f"{log}: no files"
    parts = [
        (summary.files_loaded, "new files"),
        (summary.rows_loaded, "rows"),
        (summary.rows_repeated, "of them repeats"),
        (summary.rows_rejected, "rows rejected"),
        (summary.rows_unlike_folder, "rows unlike their folder"),
        (summary.files_rejected, "files rejected"),
        (summary.files_deferred, "files left for the next run"),
    ]
    told = [f"{count:,} {what}" for count, what in parts if count]
    return f"{log}: " + (", ".join(told) or "nothing new")


def _about(log: landing.Log) -> dict[str, str]:
    return {column.name: column.about for column in log.columns}


def _declared(log: landing.Log) -> TableFacts:
    """The columns that a log may have, before it is loaded."""
    columns = tuple((column.name, column.kind.sql_type) for column in log.columns)
    return TableFacts(None, columns)


@dg.definitions
def raw() -> dg.Definitions:
    specs = [
        dg.AssetSpec(
            key(name),
            description=f"{log.about} All versions stay; nothing is updated or deleted.",
            group_name="raw",
            owners=WAREHOUSE,
            tags=PRIVATE,
            freshness_policy=fresh(load_settings()),
            metadata=table_metadata(_declared(log), _about(log)),
            kinds={"duckdb", "python"},
            skippable=True,
        )
        for name, log in landing.LOGS.items()
    ]

    @dg.multi_asset(name="raw", specs=specs, can_subset=True, pool=POOL)
    def load(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
    ) -> Iterator[dg.MaterializeResult[None]]:
        with sole_user(settings, context.run_id):
            for line in filter(None, [*mending.mend(settings), space.warning(settings)]):
                narrator.say(line)
        with sole_user(settings, context.run_id), landing.connect(settings) as connection:
            narrator.say(f"Loading {settings.landing_dir}")
            landing.prepare(connection)
            landing.reject_unrecognised(connection, settings, run_id=context.run_id)
            for log in landing.LOGS:
                if key(log) not in context.selected_asset_keys:
                    continue
                summary = landing.land_log(
                    connection, settings, log, run_id=context.run_id, progress=narrator.paced()
                )
                narrator.note(_told(log, summary))
                facts = tables.table_facts(connection, [("raw", log)])
                yield dg.MaterializeResult(
                    asset_key=key(log),
                    metadata={
                        "files": summary.files_loaded,
                        "files rejected": summary.files_rejected,
                        "files unchanged": summary.files_unchanged,
                        "files deferred": summary.files_deferred,
                        "rows": summary.rows_loaded,
                        "rejected": summary.rows_rejected,
                        "duplicates": summary.rows_repeated,
                        "rows in local time": summary.rows_local_time,
                        "rows unlike their folder": summary.rows_unlike_folder,
                        "bytes": summary.bytes,
                        "seconds": round(summary.seconds, 3),
                        **table_metadata(facts.get(("raw", log)), _about(landing.LOGS[log])),
                    },
                )

    records = [
        dg.AssetSpec(
            key(table),
            description=text,
            group_name="raw",
            owners=WAREHOUSE,
            tags=PRIVATE,
            kinds={"duckdb"},
        )
        for table, text in RECORDS.items()
    ]
    return dg.Definitions(assets=[*dg.with_source_code_references([load]), *records])
