"""The resources that assets and checks ask for.

Belongs here: their construction from the settings. Does not belong here: what they are used for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration import transform
from orchestration.instance import quicken_history
from orchestration.narrator import Narrator
from orchestration.settings import REPOSITORY, load_settings


class PlainDbtCli(DbtCliResource):
    """dbt's command line, without the handle to the warehouse that Dagster opens beside it.

    For that it reads every macro of dbt a second time, two seconds in each run, and has no use for
    it: rows and columns are looked up after dbt has closed the file (`defs/warehouse.py`).
    """

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


@dg.definitions
def resources() -> dg.Definitions:
    settings = load_settings()
    quicken_history()
    # dbt finds the warehouse through these. Where Dagster lives was decided before it started.
    home = os.environ.get("DAGSTER_HOME")
    os.environ.update(settings.environment())
    if home:
        os.environ["DAGSTER_HOME"] = home
    return dg.Definitions(
        resources={
            "settings": settings,
            "narrator": Narrator(),
            "dbt": PlainDbtCli(
                project_dir=str(settings.dbt_project_dir),
                profiles_dir=str(REPOSITORY),
                dbt_executable=str(transform.executable(settings)),
            ),
        }
    )
