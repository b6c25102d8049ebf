"""Publishing: the public models become an immutable version that readers can always open.

Belongs here: the order of the steps, and what makes a version a new one. Does not belong here: the
steps themselves (draft, recording, id_ledger, installing, verification), whether to publish (gate).

The layout, all paths under `Settings.published_dir`:

    versions/<data_version>/throughline.duckdb            the snapshot
    versions/<data_version>/parquet/<schema>/<model>.parquet        of a small model
    versions/<data_version>/parquet/<schema>/<model>/<day>.parquet  of a large one, by UTC day;
                                                          versions share what did not change
    versions/<data_version>/manifest.json
    throughline.duckdb, manifest.json                     the current version's, replaced atomically
    parquet -> versions/<data_version>/parquet            replaced atomically
    ids/                                                  the ledger (id_ledger)

The three current names are replaced one after the other, the manifest last. A reader that needs one
consistent version over several files reads `manifest.json` once and opens what it names.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from throughline.building import fingerprints
from throughline.engine import locks
from throughline.engine.files import draft_beside, sha256
from throughline.published.manifest import (
    DATABASE_NAME,
    Publication,
    current_or_none,
    data_version_of,
)
from throughline.published.metrics import Metric
from throughline.publishing import id_ledger, restating, verification
from throughline.publishing.declaring import PublicModel, public
from throughline.publishing.draft import Draft, Progress
from throughline.publishing.installing import clean, install, leading_to, prune
from throughline.publishing.recording import record
from throughline.settings import Settings


def publish(settings: Settings, *, run_id: str, progress: Progress | None = None) -> Publication:
    """Publish the public models of the warehouse as the current version, or change nothing.

    Call it when every blocking check has passed and nothing in this process has the warehouse open.

    Args:
        settings: where things are.
        run_id: the run that publishes.
        progress: called with a short line of text as the work goes on.

    Returns:
        What is current now; `changed` is false when the content was already published.

    Raises:
        PublishError: the warehouse or dbt's manifest cannot be published as it is.
        locks.LockTimeout: another process is publishing.
        duckdb.Error, OSError: reading or writing failed, for example on a full disk. In every case
            the last good version stands and the temporary files are gone (or, after a kill, go
            with the next publish).
    """
    tell = progress or (lambda text: None)
    models, definitions = public(settings.dbt_target_dir / "manifest.json")
    published = settings.published_dir
    published.mkdir(parents=True, exist_ok=True)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    with locks.held(settings, "publish", wait_seconds=0):
        clean(published)
        work = draft_beside(published / "versions")
        work.mkdir()
        try:
            publication, compared_at = _publish(
                settings, models, definitions, run_id=run_id, work=work, tell=tell
            )
        finally:
            shutil.rmtree(work, ignore_errors=True)
        try:
            prune(settings, keep=publication.data_version)
        except OSError as error:
            # The new version stands; an old one too many is no reason to call the run failed.
            tell(f"an old version could not be removed, the next publish tries again: {error}")
        if publication.changed:
            # Last: a link made or removed moves the change time of a file that versions share.
            verification.record(settings, publication, compared_at)
    return publication


def _publish(
    settings: Settings,
    models: Sequence[PublicModel],
    definitions: tuple[Metric, ...],
    *,
    run_id: str,
    work: Path,
    tell: Progress,
) -> tuple[Publication, datetime]:
    """What is current then, and since when its files are known to be right."""
    last = current_or_none(settings)
    if any((model.schema, model.name) == restating.MODEL for model in models):
        tell("comparing the reports with those that are published")
        restating.record(settings, last)
    draft = Draft(settings, work, tell)
    with draft.writing():
        last_load_no = draft.last_load_no()
        written = draft.write(models, last)
        data_version = data_version_of(written, definitions)
        version_path = f"versions/{data_version}"
        if draft.has_large:
            with leading_to(work, settings.published_dir / version_path):
                draft.show_large([model.within(version_path) for model in written], models)
    is_same = last is not None and last.data_version == data_version
    problems = verification.problems(settings, last, tell=tell) if is_same and last else []
    publication = Publication(
        data_version=data_version,
        run_id=run_id,
        published_at=datetime.now(UTC),
        publication_no=0,
        last_load_no=last_load_no,
        models=tuple(model.within(version_path) for model in written),
        metrics=definitions,
        database=f"{version_path}/{DATABASE_NAME}",
        database_bytes=0,
        database_sha256="",
        meaning=fingerprints.meaning(settings),
        is_in_order=draft.is_in_order,
    )
    note = partial(
        record,
        settings,
        publication,
        conversations=draft.shown_conversations,
        seen=draft.seen,
        days=draft.days,
    )
    if is_same and last is not None and not problems:
        ledger = note(settings.published_dir / last.database, always=False)
        id_ledger.write(settings, ledger.part)
        tell(f"nothing new: version {data_version} is already published")
        same = replace(last, new_ids=ledger.new_ids, new_merges=ledger.new_merges)
        return same, draft.compared_at
    snapshot = work / DATABASE_NAME
    draft.verify(written)
    # The ledger comes before the swap. An id that is recorded and was never seen costs nothing: it
    # only resolves. An id that was seen and is not recorded could change silently after a crash
    # between the two, which is the one thing that the ledger exists to rule out.
    tell("recording the published ids")
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(sha256, snapshot)
        ledger = note(snapshot, always=True)
        id_ledger.write(settings, ledger.part)
    publication = replace(
        publication,
        publication_no=ledger.publication_no,
        database_bytes=snapshot.stat().st_size,
        database_sha256=digest.result(),
        changed=True,
        new_ids=ledger.new_ids,
        new_merges=ledger.new_merges,
        mended=tuple(problems),
    )
    tell("replacing the published files")
    install(settings, publication, work)
    tell(f"published version {data_version}")
    return publication, draft.compared_at
