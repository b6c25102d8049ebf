"""What of dagster-dbt's private parts is replaced, and by which version's shape that was judged.

Belongs here: one test for each. Does not belong here: what dbt builds.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

from dagster_dbt import DbtCliResource

from orchestration.defs.resources import PlainDbtCli

# Look at the method again before another version is named here. Without the replacement a run costs
# 1.4 s more, in which dagster-dbt reads every macro of dbt for a handle that nobody uses.
JUDGED = "0.29.27"


def test_dagster_opens_no_handle_to_the_warehouse() -> None:
    assert version("dagster-dbt") == JUDGED
    replaced = inspect.signature(DbtCliResource._initialize_dbt_core_adapter)
    assert list(inspect.signature(PlainDbtCli._initialize_dbt_core_adapter).parameters) == list(
        replaced.parameters
    )
    # It is called where dbt's command line is, and what it gives may be nothing.
    source = inspect.getsource(DbtCliResource.cli)
    assert "adapter: BaseAdapter | None = None" in source
    assert "self._initialize_dbt_core_adapter(args)" in source
