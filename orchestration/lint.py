"""The SQL part of `make check`: sqlfluff over the models and the tests of the data.

Belongs here: a throw-away warehouse for the templater, which connects when it compiles. Does not
belong here: rules (pyproject.toml).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from throughline.building import process
from throughline.settings import REPOSITORY, load_settings

FOLDERS = ("dbt_project/models", "dbt_project/tests")


def main() -> int:
    """Lint. Gives sqlfluff's exit status."""
    with tempfile.TemporaryDirectory(prefix="throughline-lint-") as folder:
        settings = load_settings({**os.environ, "WAREHOUSE_DIR": folder})
        settings.scratch_dir.mkdir(parents=True)
        command = ["lint", "--processes", "0", "--disable-progress-bar"]
        return subprocess.call(
            [sys.executable, "-m", "sqlfluff", *command, *sys.argv[1:], *FOLDERS],
            cwd=REPOSITORY,
            env=process.environment(settings),
        )


if __name__ == "__main__":
    sys.exit(main())
