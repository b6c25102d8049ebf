"""A `pyspark` that is empty: dbt-spark looks whether there is one before it reads a project.

Belongs here: what lets dbt parse and compile for Spark where Spark is not installed. Does not
belong here: anything that runs.
"""

from __future__ import annotations

import os
from pathlib import Path


def with_empty_spark(folder: Path) -> dict[str, str]:
    """Make it in a folder. Gives the variables by which a Python finds it before any other."""
    package = folder / "empty_spark" / "pyspark"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    path = os.pathsep.join(filter(None, [str(package.parent), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path}
