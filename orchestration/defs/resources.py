"""The resources that assets and checks ask for.

Belongs here: their construction from the settings. Does not belong here: what they are used for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration.instance import quicken_history
from orchestration.narrator import Narrator
from throughline.building import process
from throughline.engine import locks
from throughline.settings import Settings, load_settings


class PlainDbtCli(DbtCliResource):
    """dbt's command line, without the handle to the warehouse that Dagster opens beside it.

    For that it reads every macro of dbt a second time, two seconds in each run, and has no use for
    it: rows and columns are looked up after dbt has closed the file (`defs/warehouse.py`).
    """

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


def carried(settings: Settings) -> dg.ResourceDefinition:
    """The settings as a resource; a run that gets it shows that this process carries it.

    Dagster makes resources in the moment in which a run starts, before any of its steps waits for a
    place in the pool: a run that is killed while it waits is told from one that waits.
    """

    def claim(context: dg.InitResourceContext) -> Settings:
        if context.run_id:
            locks.claim_life(settings, context.run_id)
        return settings

    return dg.ResourceDefinition(claim)


@dg.definitions
def resources() -> dg.Definitions:
    settings = load_settings()
    quicken_history()
    # dbt finds the warehouse through these.
    os.environ.update(settings.environment())
    return dg.Definitions(
        resources={
            "settings": carried(settings),
            "narrator": Narrator(),
            "dbt": PlainDbtCli(
                project_dir=str(settings.dbt_project_dir),
                profiles_dir=str(settings.dbt_project_dir),
                dbt_executable=str(process.executable(settings)),
            ),
        }
    )
