"""How long a query may take.

Belongs here: interrupting what takes longer. Does not belong here: how long that is, queries.
"""

from __future__ import annotations

import threading
import time

import duckdb


class Watch:
    """Interrupts cursors whose time is up. One thread for all, alive while one is watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self._next = 0
        self._running = False

    def start(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> int:
        """Watch a cursor from now on; the number to stop with."""
        with self._lock:
            self._next += 1
            self._deadlines[self._next] = (time.monotonic() + seconds, cursor)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="query-limits", daemon=True).start()
            return self._next

    def stop(self, number: int) -> None:
        """Watch it no longer; nothing when its time was up."""
        with self._lock:
            self._deadlines.pop(number, None)

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                due = [number for number, (end, _) in self._deadlines.items() if end <= now]
                for number in due:
                    # Under the lock: the cursor cannot be closed in between.
                    self._deadlines.pop(number)[1].interrupt()
                if self._deadlines:
                    idle_since = now
                elif now - idle_since > 5:
                    self._running = False
                    return
            time.sleep(0.05)
