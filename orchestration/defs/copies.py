"""Copies for those without a server: the reports by mail, the log as files.

Belongs here: the one asset that stands for them. It waits for the publication and nothing waits
for it: when it fails, the published version stands.
"""

import dagster as dg

from orchestration import copies
from orchestration.defs.shared import PUBLIC, REPORTING
from orchestration.narrator import Narrator
from throughline.engine import locks
from throughline.settings import Settings


@dg.definitions
def scheduled_copies() -> dg.Definitions:
    # In no pool: it reads what is published, and the warehouse is free for others meanwhile.
    @dg.asset(
        key=["published", "copies"],
        description=(
            "Both reports of the last complete day, week and month as HTML files that stand alone,"
            " and the conversation log as CSV and Parquet: of the first version of each day."
        ),
        group_name="published",
        owners=REPORTING,
        tags=PUBLIC,
        kinds={"html", "csv", "parquet"},
        deps=[dg.AssetKey(["published", "throughline"])],
    )
    def copy(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
    ) -> dg.MaterializeResult[None]:
        locks.claim_life(settings, context.run_id)
        narrator.say("Copying the reports and the log")
        done = copies.write(settings, narrator.paced())
        files = len(done["files"])
        narrator.note(f"{files} files" if files else "those of today's first version stay")
        return dg.MaterializeResult(
            metadata={
                "data version": done["data_version"],
                "files": files,
                "bytes": done["bytes"],
            }
        )

    return dg.Definitions(assets=dg.with_source_code_references([copy]))
