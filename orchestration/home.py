"""DAGSTER_HOME: the folder in which Dagster finds its configuration and keeps its history.

Belongs here: preparing it, and leaving a user's own configuration alone. Does not belong here: the
instance in it (instance). Dagster is not imported: commands prepare the folder before they start.
"""

from __future__ import annotations

import json
from pathlib import Path

from throughline.engine import files
from throughline.settings import REPOSITORY, Settings

TEMPLATE = Path(__file__).with_name("dagster.yaml")
# How a file begins that this project wrote, and may write again.
MARK = "# Throughline wrote this file"
_OLDER_MARKS = (
    "# Dagster's instance. Copied into DAGSTER_HOME",
    "load_from:\n  - python_module:\n",
)
_HEAD = f"""\
{MARK} and renews it. To configure Dagster yourself (storage in Postgres, a
# run launcher), put a file of your own in its place: one that does not begin so stays as it is.

"""
WORKSPACE = f"""\
load_from:
  - python_module:
      module_name: orchestration.definitions
      location_name: throughline
      working_directory: {json.dumps(str(REPOSITORY))}
"""


def prepare(settings: Settings) -> Path:
    """Create DAGSTER_HOME with this project's configuration. Gives the folder. Idempotent.

    A file that somebody else wrote stays as it is.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("dagster.yaml", _HEAD + TEMPLATE.read_text(encoding="utf-8")),
        ("workspace.yaml", _HEAD + WORKSPACE),
    ):
        target = home / name
        there = target.read_text(encoding="utf-8") if target.exists() else None
        if there is None or (there != content and _is_ours(there)):
            files.write(target, content)
    return home


def is_own(settings: Settings) -> bool:
    """Whether Dagster's configuration is the user's, not this project's."""
    file = settings.dagster_home / "dagster.yaml"
    return file.exists() and not _is_ours(file.read_text(encoding="utf-8"))


def _is_ours(content: str) -> bool:
    return content.startswith((MARK, *_OLDER_MARKS))
