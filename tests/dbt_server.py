"""The dbt process behind the test pipelines: started by harness.py, never imported.

Each line of the input is a request, `{"arguments": [...], "environment": {...}}`; each line of the
output is the list of what failed, empty when all is well. The project is parsed once. The folder
given as argument holds what dbt prints and writes on the side, and goes when the input ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any


def _serve(folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sink = os.open(folder / "dbt.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(sink, 1)
    os.dup2(sink, 2)

    # The profile's plugin is of this checkout, whatever else is installed.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    quiet = ["--log-level", "warn", "--log-level-file", "none"]
    runner: Any = None
    inherited = dict(os.environ)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(inherited | request["environment"])
        target = Path(os.environ["DBT_TARGET_PATH"])
        failures: list[str] = []
        if runner is None:
            parsed = dbtRunner().invoke([*quiet, "parse"])
            if parsed.success:
                runner = dbtRunner(manifest=parsed.result)
                shutil.copyfile(target / "manifest.json", folder / "manifest.json")
            else:
                failures = [f"parse: {parsed.exception}"]
        if runner is not None:
            # Publishing asks the manifest which models are public.
            shutil.copyfile(folder / "manifest.json", target / "manifest.json")
            outcome = runner.invoke([*quiet, *request["arguments"]])
            results = getattr(outcome.result, "results", None) or []
            failures = [
                f"{result.node.unique_id}: {result.status}: {result.message}"
                for result in results
                if str(result.status) in {"error", "fail", "runtime error"}
            ]
            if not outcome.success and not failures:
                failures = [f"dbt failed: {outcome.exception}"]
        # The adapter keeps the warehouse open, and a writer locks every other process out.
        DuckDBConnectionManager.close_all_connections()
        answers.write(json.dumps(failures) + "\n")
        answers.flush()


if __name__ == "__main__":
    side = Path(sys.argv[1])
    # A test run that is terminated takes its children along: the folder goes all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        _serve(side)
    finally:
        shutil.rmtree(side, ignore_errors=True)
