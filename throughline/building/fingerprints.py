"""What a build was made from, as one word.

Belongs here: hashes of code, registry and settings. Does not belong here: what follows from a
change of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from throughline.settings import REPOSITORY, Settings


def _files(root: Path, *suffixes: str) -> Iterator[Path]:
    if root.is_file():
        yield root
    elif root.is_dir():
        for path in sorted(root.rglob("*")):
            parts = path.relative_to(root).parts
            if path.is_file() and path.suffix in suffixes and not {"target", "logs"} & set(parts):
                yield path


def digest(paths: Iterator[Path], *words: str) -> str:
    """A hash of the names and contents of files, and of words."""
    total = hashlib.sha256("\0".join(words).encode())
    for path in paths:
        content = path.read_bytes()
        total.update(f"\0{path.name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _version(package: str) -> str:
    # What is asked of Spark's project alone, as its assets, needs no Spark.
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def dbt_fingerprint(settings: Settings) -> str:
    """What `dbt parse` depends on: project, seeds, profile, variables and versions.

    Not what the registry says, nor where it is: whoever adds a source does not wait for dbt to read
    the project once more.
    """

    def paths() -> Iterator[Path]:
        yield from _files(settings.dbt_project_dir, ".sql", ".yml", ".yaml", ".md", ".csv", ".py")

    packages = ["dbt-core", "dbt-duckdb", "dagster-dbt", "duckdb"]
    if settings.engine == "spark":
        packages += ["dbt-spark", "pyspark"]
    return digest(
        paths(),
        *(f"{name}=={_version(name)}" for name in packages),
        str(settings.oversized_contacts),
        str(settings.late_percent),
        str(settings.unit_tests),
        settings.engine,
    )


def meaning(settings: Settings) -> dict[str, str]:
    """What the figures of the same logs depend on: definitions, and what the registry says."""
    return {
        "definition": dbt_fingerprint(settings),
        "registry": digest(_files(settings.registry_dir, ".csv")),
    }


def fingerprint(settings: Settings) -> str:
    """Everything but the raw tables that the published models depend on."""

    def paths() -> Iterator[Path]:
        for room in ("throughline", "orchestration"):
            yield from _files(REPOSITORY / room, ".py")
        yield from _files(settings.registry_dir, ".csv")

    return digest(paths(), dbt_fingerprint(settings), str(settings.registry_dir))
