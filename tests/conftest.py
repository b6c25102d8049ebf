"""What all tests share: the repository on the path, and Hypothesis' settings.

Does not belong here: fixtures that only one folder needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

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
