"""Whether a run builds everything, or what new rows touch.

Belongs here: the rules for a full build, each with what is said of it. Does not belong here: making
the working set (working).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from throughline.building import state
from throughline.publishing import gate
from throughline.refreshing import declared, selection, ties, working
from throughline.settings import Settings

# Of the contacts: beyond this a full build costs less than to replace so much.
LARGEST_SHARE = 0.2
# Rows that refreshes have brought lie behind the sorted rows of the last full build, where no
# reader finds them by their place. When they are so many, a full build puts all in order again.
LARGEST_TAIL = 0.1


@dataclass(frozen=True)
class Plan:
    """What to build.

    Attributes:
        working_set: what is touched, made and ready to be built; None for a full build.
        reason: of a full build, why, in a few words.
        data_version: what the public models were published as; None when they are not published.
    """

    working_set: working.WorkingSet | None
    reason: str = ""
    data_version: str | None = None


def plan(settings: Settings, manifest: Mapping[str, Any], chosen: selection.Selection) -> Plan:
    """Decide, and make the working set of a refresh. Call it under the warehouse lock.

    The ids that the published files hold are taken over before.

    Args:
        settings: where things are.
        manifest: dbt's.
        chosen: what is built again though nothing new touches it.

    Raises:
        selection.SelectionError: something was chosen, and no contact is of it.
    """
    working.remove(settings)
    built = gate.record(settings)
    basis = gate.basis(settings)
    if unsaid := declared.undeclared(manifest):
        return Plan(None, f"the YAML of {unsaid[0]} does not say by what its rows are merged")
    if reason := _unfit(settings, built, basis):
        return Plan(None, reason)
    assert built is not None
    shown = built.basis.last_load_no if built.published else gate.last_published_load(settings)
    if shown >= basis.last_load_no and chosen.is_empty:
        return Plan(None, "no load is new")
    try:
        found = working.make(
            settings, manifest, shown=shown, basis=basis.fingerprint, chosen=chosen
        )
    except ties.TooFarError as error:
        working.remove(settings)
        return Plan(None, str(error))
    if found.contacts > LARGEST_SHARE * found.all_contacts:
        reason = f"{found.contacts:,} of {found.all_contacts:,} contacts are touched"
    elif built.tail + found.rows["contacts"] > LARGEST_TAIL * found.all_contacts:
        reason = f"{built.tail:,} contacts lie out of order after {built.refreshes:,} refreshes"
    if reason:
        working.remove(settings)
        return Plan(None, reason)
    version = gate.published_version(settings) if built.published else None
    return Plan(found, data_version=version)


def _unfit(settings: Settings, built: state.BuildState | None, basis: state.Basis) -> str:
    """Why what stands cannot be refreshed; empty when it can."""
    if not settings.refreshes:
        return "REFRESHES is off"
    if built is None or not settings.outgoing_file.exists():
        return "it is the first time"
    if built.building:
        return "a build was killed"
    if built.basis.fingerprint != basis.fingerprint:
        return "the code, the registry or a setting has changed"
    if built.basis.ledger != basis.ledger:
        return "ids have been taken over"
    if built.lacking is None or built.lacking:
        return "the last build did not pass every check"
    return ""
