"""dbt in the working set, beside what stands.

Belongs here: building it there, and what the variables of a build of everything are. Does not
belong here: what becomes of it (verifying, rehearsing).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

from throughline.building import process
from throughline.building.report import BuildError, Report
from throughline.refreshing import working
from throughline.settings import Settings

Tell = Callable[[str], None]


def environment_of_all(settings: Settings) -> dict[str, str]:
    """The variables by which dbt builds all raw rows in the working set."""
    found = {**working.environment(settings), "THROUGHLINE_WORKING_SET": "all"}
    del found["THROUGHLINE_LIVE_FILE"]
    return found


def build(settings: Settings, environment: Mapping[str, str], tell: Tell, *, checks: bool) -> None:
    """Have dbt build the working set.

    Args:
        settings: where it is.
        environment: dbt's variables over those of the settings.
        tell: gets a short line of text as the work goes on.
        checks: whether the data is checked as well.

    Raises:
        BuildError: a model or a blocking check failed.
    """
    target = settings.working_dir / "target"
    target.mkdir()
    # What dbt has parsed is as good here.
    for file in settings.dbt_target_dir.glob("partial_parse.msgpack"):
        shutil.copy(file, target)
    report = Report(progress=tell)
    arguments = ["build"]
    for kind in ("unit_test",) if checks else ("test", "unit_test"):
        arguments += ["--exclude-resource-type", kind]
    # Whatever built what stands: what is built beside it is small, or is to be compared with it.
    by_duckdb = {**environment, "ENGINE": "duckdb"}
    dbt = process.start(settings, arguments, target, more=by_duckdb)
    if (status := process.follow(dbt, report.take)) != 0:
        raise BuildError(report.failures(settings, target, status or 0))
