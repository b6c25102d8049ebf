"""The dbt process behind a test pipeline: started by harness.py, never imported.

Each line of the input is a dbt command as a JSON list; each line of the output is the JSON list of
what failed, empty when all is well. What dbt itself prints goes to the log file.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def _serve(log: str) -> None:
    """Parse once, then run what is asked until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(sink, 1)
    os.dup2(sink, 2)

    from dbt.cli.main import dbtRunner

    quiet = ["--log-level", "warn", "--log-level-file", "none"]
    runner: Any = None
    for line in sys.stdin:
        failures: list[str] = []
        if runner is None:
            parsed = dbtRunner().invoke([*quiet, "parse"])
            if parsed.success:
                runner = dbtRunner(manifest=parsed.result)
            else:
                failures = [f"parse: {parsed.exception}"]
        if runner is not None:
            outcome = runner.invoke([*quiet, *json.loads(line)])
            results = getattr(outcome.result, "results", None) or []
            failures = [
                f"{result.node.unique_id}: {result.status}: {result.message}"
                for result in results
                if str(result.status) in {"error", "fail", "runtime error"}
            ]
            if not outcome.success and not failures:
                failures = [f"dbt failed: {outcome.exception}"]
        answers.write(json.dumps(failures) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
