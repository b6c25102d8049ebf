"""What readers get.

Belongs here: the one asset that stands for the published files, and what it waits for.
"""

from collections.abc import Iterator

import dagster as dg
import duckdb

from orchestration import outcomes
from orchestration.defs.shared import POOL, PUBLIC, REPORTING, fresh, sole_user
from orchestration.narrator import Narrator
from throughline.building import quality
from throughline.building.manifest import public_models, read_manifest
from throughline.keeping import retention
from throughline.landing.errors import LandingError
from throughline.published.manifest import Publication
from throughline.publishing import gate
from throughline.publishing import publish as publishing
from throughline.settings import Settings, load_settings


def _facts(done: Publication) -> dict[str, str | int | bool]:
    return {
        "data version": done.data_version,
        "changed": done.changed,
        "models": len(done.models),
        "rows": sum(model.row_count for model in done.models),
        "bytes": done.database_bytes,
        "new ids": done.new_ids,
        "new merges": done.new_merges,
    }


def _removed(settings: Settings, done: Publication) -> Iterator[str]:
    """Remove landed files that may go; what hinders that is no fault of the publication."""
    try:
        if told := retention.remove_expired(settings, done.last_load_no):
            yield told
    except (duckdb.Error, OSError, LandingError) as error:
        yield f"Files of the landing zone could not be removed: {error}"


@dg.definitions
def publication() -> dg.Definitions:
    settings = load_settings()
    manifest = read_manifest(settings)

    @dg.asset(
        key=["published", "throughline"],
        description="The read-only snapshot of the public models, its manifest and Parquet files.",
        group_name="published",
        owners=REPORTING,
        tags=PUBLIC,
        freshness_policy=fresh(settings),
        kinds={"duckdb", "parquet"},
        deps=[dg.AssetKey([*model]) for model in public_models(manifest)],
        pool=POOL,
    )
    def publish(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
    ) -> dg.MaterializeResult[None]:
        with sole_user(settings, context.run_id):
            if lacking := gate.lacks(settings, quality.BLOCKING):
                raise dg.Failure(
                    "What stands in the warehouse is not proven as a whole, so nothing is published"
                    f" and the last good version stays: {'; '.join(lacking)}. Run `make run` and"
                    " mend what it names.",
                    allow_retries=False,
                )
            narrator.say("Publishing")
            done = publishing.publish(settings, run_id=context.run_id, progress=narrator.paced())
            narrator.note(
                f"{len(done.models)} models, version {done.data_version}"
                + ("" if done.changed else ", the same as before")
            )
            for problem in done.mended:
                narrator.note(f"Written again, because {problem}")
            gate.record_publication(settings)
            outcomes.record(settings)
            for line in _removed(settings, done):
                narrator.note(line)
        return dg.MaterializeResult(metadata=_facts(done))

    return dg.Definitions(assets=dg.with_source_code_references([publish]))
