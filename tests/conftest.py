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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of one file on one worker: they share what is costly, a built warehouse.

    `--dist loadgroup` means the same to us. On its own it has no effect: pytest-xdist 3.8 writes
    the group into a private name of the item that pytest 9.2 no longer reads, and every worker
    builds every warehouse.
    """
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") not in {"loadgroup", "loadfile"}:
        return None
    # In the order of the files: by the number of tests, the longest tests would come last, alone.
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)
