"""What Spark needs on a machine: looked at before anything else is begun.

Belongs here: a sentence for each thing that may be missing. Does not belong here: starting Spark,
which dbt does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from throughline.settings import SettingError, Settings

PACKAGES = ("dbt-spark", "pyspark")
# By the first number of Spark's version: 3.5 runs on Java 8, 11 and 17, later ones from 17 on.
_OLDEST_JAVA = {3: 8}
_JAVA = 17
# Hadoop reads these in a path as a pattern, or ends it there.
_UNREADABLE = re.compile(r"[\[\]{}*?,;:#%\\]")


class SparkMissingError(SettingError):
    """ENGINE is spark, and something that Spark needs is not there; the message says what to do."""


def require(settings: Settings) -> None:
    """See that Spark can be started, where it is what builds the models.

    Raises:
        SparkMissingError: it cannot.
    """
    if settings.engine != "spark":
        return
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            raise SparkMissingError(
                f"ENGINE=spark needs {package}, which is not installed: run `make spark-setup`"
            ) from None
    if found := _UNREADABLE.search(str(settings.warehouse_dir)):
        raise SparkMissingError(
            f"WAREHOUSE_DIR={settings.warehouse_dir} has {found[0]!r} in it, which Spark takes for"
            " a part of an address or a pattern: choose a path without it"
        )
    _require_java(_OLDEST_JAVA.get(int(versions["pyspark"].split(".")[0]), _JAVA))


def _require_java(oldest: int) -> None:
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else Path(shutil.which("java") or "java")
    where = f"JAVA_HOME={home}" if home else "PATH"
    try:
        # A Java may be a script that waits for something.
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        raise SparkMissingError(
            f"ENGINE=spark needs Java {oldest} or newer, and {where} has none that runs: install it"
            " (Debian: openjdk-17-jre-headless), or set JAVA_HOME"
        ) from None
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    if found is None or int(found[1]) < oldest:
        known = f"Java {found[1]}" if found else "one of no known version"
        raise SparkMissingError(
            f"ENGINE=spark needs Java {oldest} or newer, and {where} has {known}: install a newer"
            " one (Debian: openjdk-17-jre-headless), or set JAVA_HOME"
        )
