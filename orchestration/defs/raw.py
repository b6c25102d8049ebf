"""The raw logs: what the landing zone brought.

Belongs here: the six assets of schema `raw`. How files are read is orchestration.landing's.
"""

from collections.abc import Iterator

import dagster as dg

from orchestration import landing, transform
from orchestration.defs.shared import OWNERS, POOL, sole_user, table_metadata
from orchestration.narrator import Narrator
from orchestration.settings import Settings

DESCRIPTIONS = {
    "contacts": "One row per version of a contact, as its source gave it.",
    "transfers": "One row per version of a requested transfer, as its source gave it.",
    "messages": "One row per message, as its source gave it.",
    "ratings": "One row per version of a rating, as its source gave it.",
    "transactions": "One row per version of a transaction, as its source gave it.",
    "agents": "One row per version of an agent, as its source gave it.",
}

# Tables that steps keep beside their own assets; declared so that the graph can name them.
RECORDS = {
    "loads": "One row per file content, source and log: the load ledger. Kept by landing.",
    "rejected_rows": "One row per rejected value's row, kept whole with its reason, by landing.",
    "publications": "One row per published version. Kept by publishing.",
    "published_ids": "One row per conversation id that was ever published. Kept by publishing.",
    "id_merges": "One row per published id that gave way to another. Kept by publishing.",
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
        (summary.files_rejected, "files rejected"),
        (summary.files_deferred, "files left for the next run"),
    ]
    told = [f"{count:,} {what}" for count, what in parts if count]
    return f"{log}: " + (", ".join(told) or "nothing new")


@dg.definitions
def raw() -> dg.Definitions:
    specs = [
        dg.AssetSpec(
            key(log),
            description=DESCRIPTIONS[log] + " All versions stay; nothing is updated or deleted.",
            group_name="raw",
            owners=OWNERS,
            kinds={"duckdb", "python"},
            skippable=True,
        )
        for log in landing.LOGS
    ]

    @dg.multi_asset(name="raw", specs=specs, can_subset=True, pool=POOL)
    def load(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
    ) -> Iterator[dg.MaterializeResult[None]]:
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
                facts = transform.table_facts(connection, [("raw", log)])
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
                        "bytes": summary.bytes,
                        "seconds": round(summary.seconds, 3),
                        **table_metadata(facts.get(("raw", log))),
                    },
                )

    records = [
        dg.AssetSpec(
            key(table), description=text, group_name="raw", owners=OWNERS, kinds={"duckdb"}
        )
        for table, text in RECORDS.items()
    ]
    return dg.Definitions(assets=[load, *records])
