"""The dbt command line as this project runs it: dbt's own, with two traps closed.

`dbt --version` asks the package index for news and waits for it when there is no network; here it
answers from what is installed. And on Linux dbt ends with the process that started it, so that a
killed run does not leave a dbt behind that still writes the warehouse.
Does not belong here: choosing what to build.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib.metadata import version

PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the request.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run dbt with the arguments of this process."""
    if sys.argv[1:] == ["--version"]:
        print(f"installed: {version('dbt-core')}")
        return
    _end_with_parent()
    from dbt.cli.main import cli

    cli(prog_name="dbt")


if __name__ == "__main__":
    main()
