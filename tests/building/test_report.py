"""What is told of a failure of dbt's.

Belongs here: reading what dbt wrote. Does not belong here: dbt itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from throughline.building.report import Report
from throughline.settings import load_settings

ANALYSIS = "[PARSE_SYNTAX_ERROR] Syntax error at or near '{'. SQLSTATE: 42601"
JAVA = (
    "\n\tat org.apache.spark.sql.Dataset.<init>(Dataset.scala:276)\n\tat java.base/java.lang.Thread"
)


@pytest.mark.parametrize("stack", ["", JAVA, f"\n\nDriver stacktrace:{JAVA}", "\nJVM stacktrace:"])
def test_a_failure_of_spark_is_told_without_where_java_was(tmp_path: Path, stack: str) -> None:
    result = {
        "unique_id": "model.throughline.contacts",
        "status": "error",
        "message": f"Runtime Error\n  {ANALYSIS}{stack}",
    }
    (tmp_path / "run_results.json").write_text(json.dumps({"results": [result]}))
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    [told] = Report().failures(settings, tmp_path, 1)
    assert told == f"model contacts: Runtime Error {ANALYSIS}"
