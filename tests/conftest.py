"""What all tests share: the repository on the path, Hypothesis' settings, a file per worker.

Does not belong here: fixtures that only one folder needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

# The same examples every time, so that a red run can be seen again. `HYPOTHESIS_SEARCH=1` looks for
# new ones; what it finds is printed as a seed to reproduce it.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "search",
    derandomize=False,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("search" if os.environ.get("HYPOTHESIS_SEARCH") else "steady")


# The files that take longest, the longest first: one that began last would go on alone at the end.
# Whoever makes a file of half a minute puts it here; the others follow in their own order.
LONGEST = (
    "tests/orchestration/test_terminal.py",
    "tests/orchestration/test_scheduled_copies.py",
    "tests/orchestration/test_kills.py",
    "tests/orchestration/test_whole_run.py",
    "tests/orchestration/test_publish_gate.py",
    "tests/serving/test_scopes.py",
    "tests/golden/test_golden_scenarios.py",
    "tests/serving/test_reports_browser.py",
    "tests/properties/test_any_input.py",
    "tests/serving/test_reports.py",
    "tests/building/test_waiting_dbt.py",
    "tests/metrics",
    "tests/project",
    "tests/serving/test_export.py",
    "tests/serving/test_odd_data.py",
    "tests/golden/test_run_command.py",
)
# Folders whose files share something costly, and what of them is apart.
TOGETHER = ("tests/metrics", "tests/project")
APART = ("tests/project/test_additions.py",)


def _scope(nodeid: str) -> str:
    """What runs on one worker: a file, or a folder whose files share what is costly."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in TOGETHER and file not in APART else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(_scope(item.nodeid), len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of one file on one worker: they share what is costly, a built warehouse.

    pytest-xdist's own groups have no effect: pytest-xdist 3.8 writes the group into a private name
    of the item that pytest 9.2 no longer reads, and every worker builds every warehouse.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _scope(nodeid)

    if config.getvalue("dist") not in {"loadgroup", "loadfile"}:
        return None
    # In the order above: by the number of tests, the longest tests would come last, alone.
    config.option.loadscopereorder = False
    return Scheduling(config, log)
