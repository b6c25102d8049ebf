"""What came of a dbt command: from its log, and from the results that it leaves.

Belongs here: reading both, and saying what failed. Does not belong here: what a build proves
(proof), dbt's processes (process).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from throughline import engine
from throughline.building import process
from throughline.settings import Settings

Progress = Callable[[str], None]

FAILURES_TOLD = 5
# What Java says of where it was: for whoever mends Spark, and in the log.
_STACK = re.compile(r"\s*(?:Driver stacktrace:|JVM stacktrace:|\n\s+at [\w.$/<>]+\()")


class BuildError(RuntimeError):
    """dbt failed. `failures` holds one readable line or block per model or check that failed."""

    def __init__(self, failures: Sequence[str]) -> None:
        self.failures = list(failures)
        told = self.failures[:FAILURES_TOLD]
        if len(self.failures) > len(told):
            told.append(f"and {len(self.failures) - len(told)} more")
        super().__init__("\n".join(told))

    @property
    def is_lock_conflict(self) -> bool:
        """Whether another process had the warehouse file open, so that waiting helps."""
        return any(map(engine.is_held, self.failures))


@dataclass
class Report:
    """Follows dbt's JSON log: says how far it is, and in the end what failed.

    Attributes:
        progress: gets a line for each model, seed and test that starts.
        on_built: gets the unique id of each node that ended well or not.
        errors: what dbt's log calls an error.
        begun: the nodes that dbt began with, by their unique ids.
        built, checked: models and seeds that stand; tests that ran.
    """

    progress: Progress | None = None
    on_built: Progress | None = None
    errors: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    built: int = 0
    checked: int = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """Read one event of dbt's log."""
        info, data = event.get("info", {}), event.get("data", {})
        if info.get("level") == "error":
            self.errors.append(str(info.get("msg", "")).strip())
        node = data.get("node_info", {})
        if info.get("name") == "LogStartLine":
            self.begun.append(str(node.get("unique_id")))
            if self.progress:
                self.progress(f"{data['index']} of {data['total']}: {node.get('node_name')}")
        if str(info.get("name")).startswith("Log") and str(info.get("name")).endswith("Result"):
            if self.on_built:
                self.on_built(str(node.get("unique_id")))
            self.built += node.get("resource_type") in {"model", "seed"}
            self.checked += node.get("resource_type") in {"test", "unit_test"}

    def failures(self, settings: Settings, target: Path, status: int) -> list[str]:
        """What failed, from dbt's run results, or from its log when it got no further.

        Args:
            settings: where the published file is, for whoever holds another one.
            target: where dbt wrote its results.
            status: dbt's exit status; what killed it is said beside all else.
        """
        failures = [
            _describe(result, target)
            for result in _results(target)
            if result["status"] in {"error", "fail", "runtime error"}
        ]
        failures = failures or [error for error in self.errors if error]
        killed = process.killed(status)
        if killed or not failures:
            failures.append(killed or f"dbt ended without a word, with status {status}")
        return [engine.explained(settings, failure) for failure in failures]

    def outcomes(self, target: Path) -> dict[str, str]:
        """How each node ended that dbt touched; one that began and has no end is `begun`."""
        return dict.fromkeys(self.begun, "begun") | outcomes(target)


def failure(settings: Settings, report: Report, status: int | None) -> BuildError:
    return BuildError(report.failures(settings, settings.dbt_target_dir, status or 0))


def outcomes(target: Path) -> dict[str, str]:
    """How each node of the last dbt build ended, in dbt's words."""
    return {str(result["unique_id"]): str(result["status"]) for result in _results(target)}


def _results(target: Path) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads((target / "run_results.json").read_bytes())[
            "results"
        ]
    except (FileNotFoundError, ValueError, KeyError):
        return []
    return found


def _describe(result: Mapping[str, Any], target: Path) -> str:
    kind, _, name = str(result["unique_id"]).partition(".throughline.")
    name = name.split(".")[0]
    told = _STACK.split(str(result.get("message") or "no message"), maxsplit=1)[0]
    message = " ".join(told.split())
    if kind == "test" and result["status"] == "fail":
        compiled = next(target.glob(f"compiled/**/{name}.sql"), None)
        where = f"\n    its query: {compiled}" if compiled else ""
        return f"check {name} found {result.get('failures')} rows: {message}{where}"
    return f"{kind} {name}: {message}"
