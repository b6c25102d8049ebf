"""The command that copies the reports and the log, run beside a step and followed.

Belongs here: its process, and what it says while it is on. Does not belong here: the copies
themselves (`serving.copies`, of which this side knows the command alone).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from throughline.building import process
from throughline.published import manifest as versions
from throughline.published.copies import are_due
from throughline.settings import REPOSITORY, Settings

COMMAND = (sys.executable, "-m", "serving.copies", "--while-asked")


class CopyError(RuntimeError):
    """The copies could not be written; the published version stands without them."""


def write(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    """Have the copies written that are due.

    Args:
        settings: where things are, and whether the log is exported.
        progress: called with a short line of text as the work goes on.

    Returns:
        `data_version`, the `files` that were written (relative to `published/`) and their `bytes`.

    Raises:
        CopyError: a copy could not be made. What was whole before stays as it was.
    """
    current = versions.current_or_none(settings)
    if current is not None and not are_due(settings):
        return {"data_version": current.data_version, "files": [], "bytes": 0}
    last: dict[str, Any] = {}
    # Whatever ends this process closes the pipe, and that ends the other.
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=process.environment(settings),
    ) as copying:
        try:
            assert copying.stdout is not None
            for line in copying.stdout:
                last = json.loads(line)
                if "now" in last:
                    progress(last["now"])
        except BaseException:
            copying.terminate()
            raise
    if copying.returncode != 0 or "data_version" not in last:
        status = f"the command that copies ended with status {copying.returncode}"
        raise CopyError(last.get("failed", status))
    return last
