"""A dbt that somebody started by hand: it waits for its turn, and what it builds is on record.

Belongs here: the plugin that dbt-duckdb loads by the profile (profiles.yml), and with
it the one door to the warehouse for `dbt build` in a terminal, an editor's dbt and sqlfluff. Does
not belong here: the pipeline's own dbt, whose caller holds the lock and keeps the record.

dbt opens the warehouse when its first node needs it. Then this takes the warehouse lock, until the
process ends, and tells the publish gate that models are about to change. At the end the gate hears
how each node ended. A dbt that was killed says nothing more, and then nothing of it is proven.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from throughline.building.command import CALLER

WAIT_SECONDS = 1800
# dbt's commands that change tables or prove checks.
RECORDED = frozenset(
    {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot", "test"}
)
# With any of these a node may end well and yet hold other rows than a run would give it.
CHANGED_BY = ("defer", "empty", "event_time_end", "event_time_start", "sample", "state", "vars")

_held = ExitStack()


class Plugin(BasePlugin):
    """What dbt-duckdb calls before it opens the warehouse."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Take the turn of this process.

        Raises:
            RuntimeError: it cannot have one; dbt shows the message.
        """
        if not os.environ.get(CALLER):
            assert self.creds is not None, "dbt-duckdb gives the profile"
            take_turn(Path(self.creds.path))

    def configure_connection(self, conn: Any) -> None:
        """Give a refresh the rows that stay beside those that it builds."""
        if live := os.environ.get("THROUGHLINE_LIVE_FILE"):
            from throughline.refreshing import working

            working.show_what_stays(conn, live)


def take_turn(file: Path) -> None:
    """Hold the warehouse until this process ends, and record what it does to it.

    Args:
        file: the warehouse that dbt is about to open.

    Raises:
        RuntimeError: another process kept the warehouse, it is another one than the settings say,
            or there is nothing to build from.
    """
    from dbt.flags import get_flags

    from throughline.engine import locks
    from throughline.landing import registry
    from throughline.settings import SettingError, load_settings

    flags = get_flags()  # type: ignore[no-untyped-call]
    which = str(getattr(flags, "WHICH", ""))
    try:
        settings = load_settings()
        if file.resolve() != settings.warehouse_file:
            raise RuntimeError(
                f"dbt would open {file.resolve()}, and the warehouse is {settings.warehouse_file}:"
                " start dbt in this checkout, with its virtual environment"
            )
        _held.enter_context(
            locks.held(
                settings,
                "warehouse",
                wait_seconds=WAIT_SECONDS,
                on_wait=lambda: _say(
                    f"Another run has the warehouse {settings.warehouse_dir}: waiting for it to end"
                ),
            )
        )
        if which in RECORDED:
            registry.validate(settings)
            _Record(settings, flags).begin()
    except (SettingError, registry.RegistryError, locks.LockTimeout) as error:
        raise RuntimeError(str(error)) from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Record:
    """What the publish gate hears of this process."""

    def __init__(self, settings: Any, flags: Any) -> None:
        self._settings = settings
        self._is_plain = not any(getattr(flags, name.upper(), None) for name in CHANGED_BY)
        self._begun: list[str] = []
        self._invocation = ""

    def begin(self) -> None:
        from dbt_common.events.event_manager_client import add_callback_to_manager
        from dbt_common.invocation import get_invocation_id

        from throughline.landing import arrivals
        from throughline.publishing import gate

        if not arrivals.last_load_no(self._settings):
            raise RuntimeError(
                f"Nothing has been loaded into {self._settings.warehouse_dir} yet: run `make run`"
            )
        self._invocation = get_invocation_id()
        if taken_over := gate.take_over(self._settings):
            _say(taken_over)
        gate.begin(self._settings, f"dbt {self._invocation}", everything=False)
        add_callback_to_manager(self._take)
        atexit.register(self._end)

    def _take(self, message: Any) -> None:
        if message.info.name == "LogStartLine":
            self._begun.append(message.data.node_info.unique_id)

    def _end(self) -> None:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        from throughline.publishing import gate

        # The gate reads what is on the disk.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        outcomes = dict.fromkeys(self._begun, "begun")
        results = self._written("run_results.json")
        if results and self._is_plain:
            outcomes |= {one["unique_id"]: str(one["status"]) for one in results["results"]}
        os.environ[CALLER] = "the end of a dbt started by hand"
        gate.finish(self._settings, outcomes, self._written("manifest.json"))

    def _written(self, name: str) -> dict[str, Any] | None:
        """What this process wrote into dbt's target folder; None when it has not."""
        from dbt.flags import get_flags

        flags = get_flags()  # type: ignore[no-untyped-call]
        folder = Path(flags.PROJECT_DIR) / (flags.TARGET_PATH or "target")
        try:
            content: dict[str, Any] = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            return None
        return content if content["metadata"].get("invocation_id") == self._invocation else None
