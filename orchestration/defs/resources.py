"""The resources that assets and checks ask for.

Belongs here: their construction from the settings. Does not belong here: what they are used for.
"""

from __future__ import annotations

import os

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration import transform
from orchestration.instance import quicken_history
from orchestration.narrator import Narrator
from orchestration.settings import REPOSITORY, load_settings


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
            "dbt": DbtCliResource(
                project_dir=str(settings.dbt_project_dir),
                profiles_dir=str(REPOSITORY),
                dbt_executable=str(transform.executable(settings)),
            ),
        }
    )
