"""What the last build of the warehouse was worth: a small JSON file beside the warehouse.

Belongs here: the one record that decides whether the models may be published and whether a run has
anything to do. Does not belong here: the load ledger and publications (tables in `raw`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from orchestration.settings import Settings


@dataclass(frozen=True)
class BuildState:
    """The state of everything that dbt builds.

    Attributes:
        status: `building` while dbt runs (or after it was killed), `failed` after a blocking check
            or a model failed, `passed` when every model stands and every blocking check holds.
        run_id: the run that built.
        fingerprint: code, registry and settings of a *complete* build; empty after a partial one.
        last_load_no: the newest load that the build has seen.
        published: whether the build was published.
    """

    status: Literal["building", "failed", "passed"]
    run_id: str
    fingerprint: str
    last_load_no: int
    published: bool = False


def _path(settings: Settings) -> Path:
    return settings.warehouse_dir / "build.json"


def read(settings: Settings) -> BuildState | None:
    """The last build's state; None when there was none or the file cannot be read."""
    try:
        return BuildState(**json.loads(_path(settings).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(settings: Settings, state: BuildState) -> None:
    """Replace the record atomically."""
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def forget(settings: Settings) -> None:
    """Drop the record: the next run builds everything."""
    _path(settings).unlink(missing_ok=True)
