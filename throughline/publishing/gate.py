"""The publish gate: the record of builds and checks, kept up as they happen, and what is lacking.

Belongs here: around each build and check, what they prove of *this* code over *these* loads. Does
not belong here: the rules of the proof (building.proof, building.state), the ids (id_ledger).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from throughline import engine
from throughline.building import fingerprints, proof, quality, state, tables
from throughline.building.manifest import read_manifest
from throughline.engine import locks
from throughline.landing import arrivals
from throughline.published import copies
from throughline.published import manifest as versions
from throughline.publishing import id_ledger, verification
from throughline.settings import Settings


def take_over(settings: Settings) -> str | None:
    """Before a build: what the published files know and the warehouse does not, in one line."""
    return id_ledger.take_over(settings)


def begin(settings: Settings, run_id: str, *, everything: bool) -> None:
    """Record that models are about to change, after what the published files know is taken over.

    Until `finish`, nothing may be published.

    Args:
        settings: where the record is.
        run_id: recorded as the builder.
        everything: every model is built. The public models then get a new file: one in which tables
            are replaced keeps the space of the old ones, and it is copied as it is.
    """
    built = state.begun(record(settings), basis(settings), run_id=run_id, everything=everything)
    state.write(settings, built)
    if everything:
        tables.drop_outgoing(settings)


def finish(
    settings: Settings,
    outcomes: Mapping[str, str],
    manifest: Mapping[str, Any] | None = None,
) -> None:
    """Record how a build ended.

    Args:
        settings: where the record is.
        outcomes: how each node ended that dbt touched.
        manifest: dbt's; the one on the disk when not given.
    """
    begun = state.read(settings)
    if begun is None:
        return
    fingerprint = fingerprints.fingerprint(settings)
    graph = None
    # Where dbt could not read the project it touched nothing, and there is no graph to look at.
    if outcomes and fingerprint == begun.basis.fingerprint:
        graph = proof.graph_of(read_manifest(settings) if manifest is None else manifest)
    state.write(
        settings,
        state.ended(begun, graph, outcomes, fingerprint=fingerprint, seal=_seal(settings)),
    )


def begin_merge(settings: Settings, run_id: str) -> None:
    """Record that a refresh is about to replace rows of the public models."""
    built = record(settings)
    assert built is not None, "a refresh needs what a full build left"
    state.write(settings, state.merging(built, run_id))


def finish_merge(
    settings: Settings, outcomes: Mapping[str, str], manifest: Mapping[str, Any], *, tail: int
) -> None:
    """Record that a refresh has replaced them.

    Args:
        settings: where the record is.
        outcomes: how each node of the working set's build ended.
        manifest: dbt's.
        tail: contacts that were merged.
    """
    built = state.read(settings)
    assert built is not None, "it was begun"
    graph = proof.graph_of(manifest)
    now = basis(settings)
    state.write(
        settings,
        state.merged(built, now, graph, outcomes, tail=tail, seal=_seal(settings)),
    )


def lacks_of_working_set(manifest: Mapping[str, Any], outcomes: Mapping[str, str]) -> list[str]:
    """What the build of a working set has not proven, by name; nothing when it may be merged."""
    graph = proof.graph_of(manifest)
    return proof.lacking(graph, proof.after(graph, {}, outcomes, 1))


def is_basis(settings: Settings, fingerprint: str) -> bool:
    """Whether code, registry and settings are what they were."""
    return fingerprints.fingerprint(settings) == fingerprint


def published_version(settings: Settings) -> str | None:
    """The version that readers get; None when there is none."""
    published = versions.current_or_none(settings)
    return None if published is None else published.data_version


def last_published_load(settings: Settings) -> int:
    """The newest load that a publication showed; 0 when none did."""
    with tables.connect_read_only(settings) as connection:
        return int(
            engine.one(connection, "select coalesce(max(last_load_no), 0) from raw.publications")
        )


def record_checks(settings: Settings, run_id: str, checks: Mapping[str, bool]) -> None:
    """Record whether blocking checks of the raw logs hold. Call it under the warehouse lock."""
    built = state.checked(record(settings), basis(settings), run_id=run_id, checks=checks)
    state.write(settings, built)


def record_publication(settings: Settings) -> None:
    """Record that what is proven was published. Call it under the warehouse lock."""
    if (built := state.read(settings)) is not None:
        now = replace(built.basis, ledger=basis(settings).ledger)
        state.write(settings, state.published(built, now, _seal(settings)))


def record_failure(settings: Settings) -> None:
    """Record that a run failed, so that the next one has something to do whatever is proven."""
    with locks.warehouse(settings):
        if (built := state.read(settings)) is not None:
            state.write(settings, replace(built, published=False))


def lacks(settings: Settings, checks: Mapping[str, str]) -> list[str]:
    """What the warehouse still needs before it may be published, in words; nothing if all is well.

    Call it under the warehouse lock.

    Args:
        settings: where things are.
        checks: the blocking checks of the raw logs, each with what it is called.
    """
    if not id_ledger.is_taken_over(settings):
        return ["the published files hold ids that are not taken over yet"]
    built = state.read(settings)
    if built != record(settings):
        return [f"{settings.outgoing_file.name} is not what the last build left"]
    return state.lacks(built, basis(settings), checks)


def is_up_to_date(
    settings: Settings, *, waits: bool, tell: Callable[[str], None] | None = None
) -> bool:
    """Whether a run would change nothing: all is proven, published, and as it was published.

    Call it under the warehouse lock.

    Args:
        settings: where things are.
        waits: whether a file waits to be loaded.
        tell: gets a line when all published files are read, once a day. Without it they are not:
            it is for those who have the time.
    """
    built = state.read(settings)
    published = versions.current_or_none(settings)
    return (
        not waits
        and built is not None
        and built.published
        and published is not None
        and not lacks(settings, quality.BLOCKING)
        and id_ledger.is_whole(settings)
        and (
            verification.look_right(settings, published)
            if tell is None
            else not verification.problems(settings, published, tell=tell)
        )
        and not copies.are_due(settings)
    )


def basis(settings: Settings) -> state.Basis:
    """What a build would depend on now. Call it under the warehouse lock."""
    load_no, ledger = 0, ""
    if settings.warehouse_file.exists():
        with tables.connect_read_only(settings) as connection:
            load_no, ledger = arrivals.newest_load(connection), id_ledger.mark(connection)
    return state.Basis(fingerprints.fingerprint(settings), load_no, ledger)


def record(settings: Settings) -> state.BuildState | None:
    """The record of what is proven, as far as it still holds."""
    return state.unless_changed(state.read(settings), _seal(settings))


def _seal(settings: Settings) -> str:
    """Changes whenever the file of the public models is written, and not when it is copied."""
    file = settings.outgoing_file
    try:
        with file.open("rb") as stream:
            # DuckDB's headers: each checkpoint writes another number into one of them.
            head = hashlib.sha256(stream.read(12_288)).hexdigest()
        log = file.with_name(f"{file.name}.wal")
        return f"{head}+{log.stat().st_size if log.exists() else 0}"
    except FileNotFoundError:
        return ""
