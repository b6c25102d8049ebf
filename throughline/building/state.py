"""What the warehouse is worth: a small JSON file beside it.

Belongs here: the one record that decides whether the models may be published and whether a run has
anything to do, and how each step changes it. Does not belong here: what a build proves
(throughline.building.proof), the load ledger and publications (tables in `raw`).

A record speaks of one basis. A step on another basis begins a new one: what was proven of other
code, another registry or fewer loads is no proof of these. Whoever writes the record holds the
warehouse lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from throughline.building import proof
from throughline.engine import files as disk
from throughline.settings import Settings

_TOLD = 5


@dataclass(frozen=True)
class Basis:
    """What every row that dbt builds depends on.

    Attributes:
        fingerprint: of code, registry and settings.
        last_load_no: the newest load.
        ledger: what is on record of published ids.
    """

    fingerprint: str
    last_load_no: int
    ledger: str


@dataclass(frozen=True)
class BuildState:
    """What is known of the models and checks on one basis.

    Attributes:
        basis: what they were built from.
        run_id: the last run that built or checked.
        building: a build has begun and not ended: it is on, or it was killed.
        number: of the last build.
        proven: the nodes that are proven, each with the draws that it goes back to.
        lacking: what a publication still needs of dbt; None before a build has ended.
        seal: what the file of the public models looked like when the last build ended.
        checks: the blocking checks of the raw logs, and whether they hold.
        checks_on: the basis that they were made on: logs are checked before they are built.
        published: whether what is proven here was published.
        refreshes: how often rows were merged into the public models since all of them were built.
        tail: how many contacts that were.
    """

    basis: Basis
    run_id: str
    building: bool = False
    number: int = 0
    proven: proof.Proven = field(default_factory=dict)
    lacking: tuple[str, ...] | None = None
    seal: str = ""
    checks: Mapping[str, bool] = field(default_factory=dict)
    checks_on: Basis | None = None
    published: bool = False
    refreshes: int = 0
    tail: int = 0


def unless_changed(built: BuildState | None, seal: str) -> BuildState | None:
    """The record as far as it holds when the file of the public models looks like this now.

    Whoever wrote it without the pipeline, with whatever code: nothing that dbt built is proven.
    """
    if built is None or built.building or built.seal == seal:
        return built
    return replace(built, proven={}, lacking=None, published=False, seal="")


def _on(built: BuildState | None, basis: Basis, run_id: str) -> BuildState:
    """The record, brought to a basis."""
    if built is None:
        return BuildState(basis, run_id)
    if built.building:
        # A build was killed; nobody knows what it had replaced.
        return _anew(built, basis, run_id)
    return replace(built, run_id=run_id) if built.basis == basis else _anew(built, basis, run_id)


def _anew(built: BuildState, basis: Basis, run_id: str) -> BuildState:
    """A record that nothing is proven in, of the logs as they were checked."""
    return BuildState(
        basis, run_id, number=built.number, checks=built.checks, checks_on=built.checks_on
    )


def _are_same_logs(one: Basis | None, other: Basis) -> bool:
    """Whether two bases differ at most in what is on record of published ids."""
    return one is not None and replace(one, ledger=other.ledger) == other


def begun(built: BuildState | None, basis: Basis, *, run_id: str, everything: bool) -> BuildState:
    """The record while dbt builds. `everything` says that every model is built anew."""
    now = _on(built, basis, run_id)
    if everything:
        now = replace(now, proven={}, lacking=None, refreshes=0, tail=0)
    return replace(now, building=True, number=now.number + 1)


def ended(
    built: BuildState,
    graph: proof.Graph | None,
    outcomes: Mapping[str, str],
    *,
    fingerprint: str,
    seal: str = "",
) -> BuildState:
    """The record after dbt has ended, well or not.

    Args:
        built: the record as it was when dbt began.
        graph: what there is; None when dbt touched nothing.
        outcomes: how each node that dbt touched ended.
        fingerprint: of code, registry and settings as they are now.
        seal: what the file of the public models looks like now.
    """
    if fingerprint != built.basis.fingerprint:
        # What was changed meanwhile is in some models and not in others.
        return _anew(built, built.basis, built.run_id)
    if graph is None:
        return replace(built, building=False, seal=seal)
    if built.refreshes and _any_built(outcomes):
        # A refresh leaves the private models as the last full build made them: what is built of
        # them now holds what was right then.
        built = replace(built, proven={}, refreshes=0, tail=0)
    proven = proof.after(graph, built.proven, outcomes, built.number)
    return replace(
        built,
        building=False,
        proven=proven,
        lacking=tuple(proof.lacking(graph, proven)),
        seal=seal,
    )


def merging(built: BuildState, run_id: str) -> BuildState:
    """The record while what a refresh has built replaces rows of the public models."""
    return replace(built, run_id=run_id, building=True, number=built.number + 1)


def merged(
    built: BuildState,
    basis: Basis,
    graph: proof.Graph,
    outcomes: Mapping[str, str],
    *,
    tail: int,
    seal: str,
) -> BuildState:
    """The record after a refresh.

    Every model and check has passed over the working set, and what stays was proven before: what
    stands is proven on the basis of now.

    Args:
        built: the record while the rows were replaced.
        basis: as it is now.
        graph: what there is.
        outcomes: how each node ended that dbt touched.
        tail: contacts that were merged.
        seal: what the file of the public models looks like now.
    """
    proven = proof.after(graph, {}, outcomes, built.number)
    return replace(
        built,
        basis=basis,
        building=False,
        proven=proven,
        lacking=tuple(proof.lacking(graph, proven)),
        seal=seal,
        published=False,
        refreshes=built.refreshes + 1,
        tail=built.tail + tail,
    )


def _any_built(outcomes: Mapping[str, str]) -> bool:
    return any(
        not name.startswith("test.") and outcome != proof.SKIPPED
        for name, outcome in outcomes.items()
    )


def checked(
    built: BuildState | None, basis: Basis, *, run_id: str, checks: Mapping[str, bool]
) -> BuildState:
    """The record after blocking checks of the raw logs. What was built before them stays so."""
    now = built or BuildState(basis, run_id)
    kept = now.checks if _are_same_logs(now.checks_on, basis) else {}
    return replace(now, run_id=run_id, checks={**kept, **checks}, checks_on=basis)


def published(built: BuildState, basis: Basis, seal: str = "") -> BuildState:
    """The record after a publication.

    Args:
        built: the record that allowed it.
        basis: as it is now. The publication has added ids and merges of just these models to the
            ledger: they are what a build would make again, so what was proven stays so.
        seal: what the file of the public models looks like now.
    """
    return replace(built, basis=basis, published=True, seal=seal)


def lacks(built: BuildState | None, basis: Basis, checks: Mapping[str, str]) -> list[str]:
    """What a publication still needs, in words; nothing when all is proven.

    Args:
        built: the record.
        basis: as it is now.
        checks: the blocking checks of the raw logs, each with what it is called.
    """
    if built is None:
        return ["nothing has been built yet"]
    if built.building:
        return ["a build has begun and not ended"]
    if built.basis.fingerprint != basis.fingerprint:
        return ["the code, the registry or a setting has changed since the last build"]
    if built.basis.last_load_no != basis.last_load_no:
        return ["logs have been loaded since the last build"]
    if built.basis != basis:
        return ["ids have been published since the last build"]
    passed = built.checks if _are_same_logs(built.checks_on, basis) else {}
    found = [f"{name} has not passed" for key, name in checks.items() if not passed.get(key, False)]
    if built.lacking is None:
        return [*found, "no build has ended"]
    found += [f"{_named(name)} has not passed" for name in built.lacking]
    told = found[:_TOLD]
    return told + ([f"and {len(found) - len(told)} more"] if found[_TOLD:] else [])


def _named(node: str) -> str:
    kind, _, name = node.split(".", 2)
    return f"{'check' if kind == 'test' else kind} {name.split('.')[0]}"


def _path(settings: Settings) -> Path:
    return settings.warehouse_dir / "build.json"


def read(settings: Settings) -> BuildState | None:
    """The record; None when there is none or the file cannot be read."""
    try:
        content = json.loads(_path(settings).read_text(encoding="utf-8"))
        lacking = content.pop("lacking")
        checked = content.pop("checks_on")
        return BuildState(
            **{**content, "basis": Basis(**content["basis"])},
            checks_on=None if checked is None else Basis(**checked),
            lacking=None if lacking is None else tuple(lacking),
        )
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write(settings: Settings, built: BuildState) -> None:
    """Replace the record, atomically and for good.

    A proof that came back after a power cut would speak of models that have been replaced since.
    """
    disk.write(_path(settings), json.dumps(asdict(built), indent=1) + "\n")


def forget(settings: Settings) -> None:
    """Drop the record: the next run builds everything."""
    _path(settings).unlink(missing_ok=True)
