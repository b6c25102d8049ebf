"""Every setting of a run, read from the environment in this one module.

Belongs here: names, defaults and meanings of settings, and the paths derived from them.
Does not belong here: anything that opens a file or a database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

# DuckDB 2 writes files that no 1.x client opens unless told so; BI drivers are still at 1.x.
PUBLISHED_STORAGE_VERSION = "v1.0.0"
# A sixth of DuckDB's default: a look-up reads one block of rows whole. Measured with 16,384: a
# third less per look-up, a twelfth more for a scan of everything.
PUBLISHED_ROW_GROUP_ROWS = 20_480

# Beside DuckDB, a run's processes hold this many bytes: Python, Dagster and dbt.
_BESIDE_DUCKDB = 500_000_000
# DuckDB keeps its limit for what it manages itself; with eighty million messages it came to hold a
# fifth more than it was told.
_DUCKDB_OVERSHOOT = 1.2
# However little a run may take: to read records of many megabytes DuckDB needs some 0.5 GB. So a
# run whose limit is below 1.8 GB can exceed it.
_LEAST_DUCKDB_SHARE = 0.6
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B")


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names the variable and the remedy."""


@dataclass(frozen=True)
class Settings:
    """The settings of one run. All paths are absolute.

    Attributes:
        landing_dir: where raw logs arrive, laid out as `<source>/<log>/**/<file>`.
        warehouse_dir: everything that a run writes.
        registry_dir: the two registry seeds, `sources.csv` and `projects.csv`.
        memory_limit: what a run may take in all, for example `4GB`.
        threads: DuckDB's threads.
        versions_kept: published versions that stay on disk, the current one included.
        oversized_contacts: a conversation with more contacts than this is reported as oversized.
        scheduled_exports: whether each published version comes with the log as CSV and Parquet.
        freshness_hours: a log whose newest file was loaded longer ago than this is reported stale.
        unit_tests: whether dbt's unit tests are part of the project that dbt reads.
    """

    landing_dir: Path
    warehouse_dir: Path
    registry_dir: Path
    memory_limit: str
    threads: int
    versions_kept: int
    scheduled_exports: bool
    oversized_contacts: int
    freshness_hours: int
    unit_tests: bool

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file that only the pipeline opens."""
        return self.warehouse_dir / "warehouse.duckdb"

    @property
    def outgoing_file(self) -> Path:
        """The DuckDB file in which dbt builds the public models; publishing copies it."""
        return self.warehouse_dir / "outgoing.duckdb"

    @property
    def duckdb_memory_limit(self) -> str:
        """The part of the memory limit that DuckDB is told, in its own words."""
        found = _SIZE.fullmatch(self.memory_limit)
        assert found is not None, "load_settings has checked it"
        number, unit, binary = found.groups()
        size = float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit) + 1)
        told = max((size - _BESIDE_DUCKDB) / _DUCKDB_OVERSHOOT, size * _LEAST_DUCKDB_SHARE)
        return f"{int(told / 1000)}KB"

    @property
    def engine_options(self) -> dict[str, str | bool | int | float | list[str]]:
        """The options of each DuckDB that a run opens; dbt's, in profiles.yml, say the same."""
        return {
            "memory_limit": self.duckdb_memory_limit,
            # Blocks are used again, not handed back to the system after each query.
            "block_allocator_memory": self.duckdb_memory_limit,
            # A checkpoint leaves row groups as they are: merging those that a log's own cut left
            # small compresses whole tables once more. Both: docs/decisions/0012.
            "max_vacuum_tasks": 0,
            "threads": self.threads,
            # Behind a firewall that drops packets a missing extension hangs for minutes.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }

    @property
    def published_dir(self) -> Path:
        """What readers use."""
        return self.warehouse_dir / "published"

    @property
    def published_file(self) -> Path:
        """The immutable snapshot that BI tools open."""
        return self.published_dir / "throughline.duckdb"

    @property
    def scratch_dir(self) -> Path:
        """Decompressed copies and DuckDB's spill files; emptied when a run starts."""
        return self.warehouse_dir / "scratch"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance: run history, event log, schedules."""
        return self.warehouse_dir / "dagster"

    @property
    def dbt_project_dir(self) -> Path:
        """The dbt project, in the repository."""
        return REPOSITORY / "dbt_project"

    @property
    def manifests_dir(self) -> Path:
        """What dbt has read of the project, in the repository: one folder for each fingerprint."""
        return self.dbt_project_dir / "target" / "manifests"

    @property
    def dbt_target_dir(self) -> Path:
        """What dbt writes: manifest, run results, compiled SQL."""
        return self.warehouse_dir / "dbt" / "target"

    @property
    def dbt_log_dir(self) -> Path:
        """dbt's log files."""
        return self.warehouse_dir / "dbt" / "logs"

    def environment(self) -> dict[str, str]:
        """The variables that dbt, Dagster and their children need, telemetry off.

        Returns:
            Only what this project adds: merge it over `os.environ`.
        """
        return {
            "LANDING_DIR": str(self.landing_dir),
            "WAREHOUSE_DIR": str(self.warehouse_dir),
            "REGISTRY_DIR": str(self.registry_dir),
            "MEMORY_LIMIT": self.memory_limit,
            "THROUGHLINE_DUCKDB_MEMORY": self.duckdb_memory_limit,
            "DUCKDB_THREADS": str(self.threads),
            "OVERSIZED_CONTACTS": str(self.oversized_contacts),
            "UNIT_TESTS": "on" if self.unit_tests else "off",
            "THROUGHLINE_WAREHOUSE_FILE": str(self.warehouse_file),
            "THROUGHLINE_OUTGOING_FILE": str(self.outgoing_file),
            "THROUGHLINE_STORAGE_VERSION": PUBLISHED_STORAGE_VERSION,
            "THROUGHLINE_ROW_GROUP_ROWS": str(PUBLISHED_ROW_GROUP_ROWS),
            "THROUGHLINE_SCRATCH_DIR": str(self.scratch_dir),
            "DBT_PROFILES_DIR": str(REPOSITORY),
            "DBT_PROJECT_DIR": str(self.dbt_project_dir),
            "DBT_TARGET_PATH": str(self.dbt_target_dir),
            "DBT_LOG_PATH": str(self.dbt_log_dir),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }


@dataclass(frozen=True)
class ServingSettings:
    """The settings of the server of the REST resource and the pages. All paths are absolute.

    Attributes:
        published_dir: what is served.
        host: the address to listen on.
        port: the port to listen on.
        api_key: a key given in the environment; empty when there is none.
        keys_file: the hashed keys that `python -m serving.keys` manages.
        spill_dir: where a query that needs more memory than it may have writes for a while.
        memory_limit: DuckDB's memory limit, for example `2GB`: of the engine for questions and of
            the one for look-ups, each.
        threads: DuckDB's threads, for questions; a look-up has one.
        query_seconds: a query that takes longer is stopped.
        export_seconds: an export that takes longer is stopped.
        requests_per_minute: what one key may ask for, evenly spread with a burst of a sixth of it.
    """

    published_dir: Path
    host: str
    port: int
    api_key: str
    keys_file: Path
    spill_dir: Path
    memory_limit: str
    threads: int
    query_seconds: int
    export_seconds: int
    requests_per_minute: int


class _Reader:
    """Reads one setting at a time out of the variables."""

    def __init__(self, environ: Mapping[str, str] | None) -> None:
        self._variables = os.environ if environ is None else environ

    def text(self, name: str, default: str) -> str:
        return self._variables.get(name) or default

    def path(self, name: str, default: Path) -> Path:
        return Path(self._variables.get(name) or default).expanduser().resolve()

    def whole_number(self, name: str, default: int) -> int:
        text = self._variables.get(name) or str(default)
        if not text.isdigit() or int(text) < 1:
            raise SettingError(f"{name}={text!r} is not a whole number of at least 1: correct it")
        return int(text)

    def switch(self, name: str, default: str) -> bool:
        text = self._variables.get(name) or default
        if text not in ("on", "off"):
            raise SettingError(f"{name}={text!r} is neither on nor off: write one of them")
        return text == "on"

    def size(self, name: str, default: str) -> str:
        text = self._variables.get(name) or default
        if not _SIZE.fullmatch(text):
            raise SettingError(
                f"{name}={text!r} is not a size: write a number and a unit, such as 4GB"
            )
        return text


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        environ: the variables to read; the process's own when not given.

    Raises:
        SettingError: a value cannot be used.
    """
    read = _Reader(environ)
    return Settings(
        landing_dir=read.path("LANDING_DIR", REPOSITORY / "seeds" / "sample_logs"),
        warehouse_dir=read.path("WAREHOUSE_DIR", REPOSITORY / ".warehouse"),
        registry_dir=read.path("REGISTRY_DIR", REPOSITORY / "seeds" / "registry"),
        memory_limit=read.size("MEMORY_LIMIT", "4GB"),
        threads=read.whole_number("DUCKDB_THREADS", os.cpu_count() or 1),
        versions_kept=read.whole_number("PUBLISHED_VERSIONS", 3),
        scheduled_exports=read.switch("SCHEDULED_EXPORTS", "on"),
        oversized_contacts=read.whole_number("OVERSIZED_CONTACTS", 1000),
        freshness_hours=read.whole_number("FRESHNESS_HOURS", 30),
        unit_tests=read.switch("UNIT_TESTS", "off"),
    )


def load_serving_settings(environ: Mapping[str, str] | None = None) -> ServingSettings:
    """Read the settings of the server.

    Args:
        environ: the variables to read; the process's own when not given.

    Raises:
        SettingError: a value cannot be used.
    """
    read = _Reader(environ)
    warehouse_dir = read.path("WAREHOUSE_DIR", REPOSITORY / ".warehouse")
    return ServingSettings(
        published_dir=warehouse_dir / "published",
        host=read.text("SERVE_HOST", "127.0.0.1"),
        port=read.whole_number("SERVE_PORT", 8000),
        api_key=read.text("API_KEY", ""),
        keys_file=read.path("API_KEYS_FILE", warehouse_dir / "serving" / "keys.json"),
        spill_dir=warehouse_dir / "serving" / "spill",
        memory_limit=read.size("SERVE_MEMORY_LIMIT", "2GB"),
        threads=read.whole_number("SERVE_THREADS", os.cpu_count() or 1),
        query_seconds=read.whole_number("QUERY_SECONDS", 20),
        export_seconds=read.whole_number("EXPORT_SECONDS", 3600),
        requests_per_minute=read.whole_number("REQUESTS_PER_MINUTE", 600),
    )
