"""The warnings that the checks of the last run raised: a small JSON file beside the warehouse.

Belongs here: keeping them, so that a run with nothing new says them still, whoever ran the checks.
Does not belong here: the checks (quality, dbt's tests), checks that block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from throughline.engine import files
from throughline.settings import Settings


@dataclass(frozen=True)
class Concern:
    """What one check warns of.

    Attributes:
        asset: what it is a check of, for example `raw.contacts`.
        check: its name.
        count: how much it found, where it says so.
        message: what that is, for people.
    """

    asset: str
    check: str
    count: int | None
    message: str


def _path(settings: Settings) -> Path:
    return settings.warehouse_dir / "warnings.json"


def read(settings: Settings) -> list[Concern]:
    """What is still to be said, in order; nothing when the file is not there or is damaged."""
    return [concern for found in _read(settings).values() for concern in found.values()]


def record(
    settings: Settings,
    step: str,
    results: Mapping[tuple[str, str], Concern | None],
    *,
    complete: bool,
) -> None:
    """Keep what the checks of a step found.

    Args:
        settings: where the file is.
        step: whose checks they are.
        results: for each check that ran, by asset and name, what it warns of; None for nothing.
        complete: all checks of the step ran; what others found before is out of date.
    """
    kept = _read(settings)
    found = {} if complete else kept.get(step, {})
    for key, concern in results.items():
        found.pop(key, None)
        if concern is not None:
            found[key] = concern
    kept[step] = dict(sorted(found.items()))
    content = {
        name: [asdict(concern) for concern in concerns.values()]
        for name, concerns in sorted(kept.items())
    }
    files.write(_path(settings), json.dumps(content, indent=2) + "\n")


def _read(settings: Settings) -> dict[str, dict[tuple[str, str], Concern]]:
    try:
        content = json.loads(_path(settings).read_text(encoding="utf-8"))
        return {
            step: {(one["asset"], one["check"]): Concern(**one) for one in concerns}
            for step, concerns in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
