"""The models as Spark would get them: compiled for it and read by a parser, without a JVM.

Belongs here: what shows in the SQL alone. Does not belong here: what Spark makes of it
(tests/spark).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
import sqlglot
from no_spark import with_empty_spark
from project_files import DBT_PROJECT
from sqlglot import exp

from throughline.building import process
from throughline.settings import load_settings

# Each day of forty years, made by a macro of dbt: bounded, whatever the history.
BOUNDED = {"int_days__spanned"}

Queries = dict[str, exp.Expression]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Queries:
    """Every model and test by its name."""
    folder = tmp_path_factory.mktemp("for_spark")
    # A Java that is not there: nothing is to start it.
    given = {"WAREHOUSE_DIR": str(folder), "ENGINE": "spark"}
    settings = load_settings(given)
    command = [str(process.executable(settings)), "compile", "--no-introspect"]
    done = subprocess.run(
        [*command, "--no-populate-cache"],
        cwd=settings.dbt_project_dir,
        env={
            **os.environ,
            **settings.environment(),
            **with_empty_spark(folder),
            "JAVA_HOME": str(folder / "no_java"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        path.stem: sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="spark")
        for path in (settings.dbt_target_dir / "compiled").rglob("*.sql")
    }


def test_every_model_is_sql_of_spark(compiled: Queries) -> None:
    models = {path.stem for path in DBT_PROJECT.glob("models/**/*.sql")}
    assert models
    assert models - compiled.keys() == set()


def test_nothing_goes_to_one_partition(compiled: Queries) -> None:
    """A window over all rows, or an order of all: one task would get the whole history."""
    found = {
        name: text
        for name, query in compiled.items()
        for text in _of_all_rows(query)
        if name not in BOUNDED
    }
    assert found == {}


def _of_all_rows(query: exp.Expression) -> Iterator[str]:
    for window in query.find_all(exp.Window):
        if not window.args.get("partition_by"):
            yield window.sql("spark")
    for order in query.find_all(exp.Order):
        # `sort by`, which is a kind of it, orders the rows of each task.
        if type(order) is exp.Order and isinstance(order.parent, exp.Select):
            yield order.sql("spark")


def test_what_is_published_by_day_lies_by_day(compiled: Queries) -> None:
    text = compiled["messages"].sql("spark").lower()
    assert "distribute by cast(conversation_started_at as date)" in text
    assert "sort by cast(conversation_started_at as date) nulls last, conversation_place" in text
