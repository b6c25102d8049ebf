"""What readers get.

Belongs here: the one asset that stands for the published files, and what it waits for.
"""

from dataclasses import replace

import dagster as dg

from orchestration import publishing, state, transform
from orchestration.defs.shared import OWNERS, POOL, sole_user
from orchestration.narrator import Narrator
from orchestration.settings import Settings, load_settings


def _facts(done: publishing.Publication) -> dict[str, str | int | bool]:
    return {
        "data version": done.data_version,
        "changed": done.changed,
        "models": len(done.models),
        "rows": sum(model.row_count for model in done.models),
        "bytes": done.database_bytes,
        "new ids": done.new_ids,
        "new merges": done.new_merges,
    }


@dg.definitions
def publication() -> dg.Definitions:
    manifest = transform.read_manifest(load_settings())

    @dg.asset(
        key=["published", "throughline"],
        description="The read-only snapshot of the public models, its manifest and Parquet files.",
        group_name="published",
        owners=OWNERS,
        kinds={"duckdb", "parquet"},
        deps=[dg.AssetKey([*model]) for model in transform.public_models(manifest)],
        pool=POOL,
    )
    def publish(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
    ) -> dg.MaterializeResult[None]:
        with sole_user(settings, context.run_id):
            built = state.read(settings)
            if built is None or built.status != "passed":
                raise dg.Failure(
                    "The models did not pass their checks, so nothing is published and the last"
                    " good version stays: run `make run` and mend what it names.",
                    allow_retries=False,
                )
            narrator.say("Publishing")
            done = publishing.publish(settings, run_id=context.run_id, progress=narrator.paced())
            narrator.note(
                f"{len(done.models)} models, version {done.data_version}"
                + ("" if done.changed else ", the same as before")
            )
            state.write(settings, replace(built, published=True))
        return dg.MaterializeResult(metadata=_facts(done))

    return dg.Definitions(assets=[publish])
