"""Copies for those without a server: the reports by mail, the log as files.

Belongs here: the one asset that stands for them. It waits for the publication and nothing waits
for it: when it fails, the published version stands.
"""

import dagster as dg

from orchestration import copies, locks
from orchestration.defs.shared import OWNERS
from orchestration.narrator import Narrator
from orchestration.settings import Settings


@dg.definitions
def scheduled_copies() -> dg.Definitions:
    # In no pool: it reads what is published, and the warehouse is free for others meanwhile.
    @dg.asset(
        key=["published", "copies"],
        description=(
            "Both reports of the last complete day, week and month as HTML files that stand alone,"
            " and the conversation log as CSV and Parquet."
        ),
        group_name="published",
        owners=OWNERS,
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
        done = copies.write(settings, progress=narrator.paced())
        narrator.note(f"{len(done.files)} files" if done.files else "nothing new")
        return dg.MaterializeResult(
            metadata={
                "data version": done.data_version,
                "files": len(done.files),
                "bytes": done.bytes,
            }
        )

    return dg.Definitions(assets=[copy])
