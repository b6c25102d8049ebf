"""MetricFlow in a process of its own: started by the tests here, never imported.

Reads one JSON list of queries, `{"metrics": [...], "group_by": [...]}`, and writes one JSON list of
answers, each a list of rows by column. What dbt prints goes to the log file.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from decimal import Decimal
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    return value


def _answer(log: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(sink, 1)
    os.dup2(sink, 2)

    from dbt_metricflow.cli.cli_configuration import CLIConfiguration
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    configuration = CLIConfiguration()
    configuration.setup(configure_file_logging=False)
    results = []
    for query in json.load(sys.stdin):
        request = MetricFlowQueryRequest.create(
            metric_names=query["metrics"], group_by_names=query["group_by"]
        )
        table = configuration.mf.query(request).result_df
        assert table is not None
        results.append(
            [
                {
                    column: _plain(value)
                    for column, value in zip(table.column_names, row, strict=True)
                }
                for row in table.rows
            ]
        )
    json.dump(results, answers)
    answers.flush()


if __name__ == "__main__":
    _answer(sys.argv[1])
