"""SIGTERM and SIGHUP end a run as Ctrl-C does.

Belongs here: what these signals mean to `make run`. Does not belong here: what an interrupted run
says, and what its steps do about it (Dagster hands the interruption to the step that is on).
"""

from __future__ import annotations

import signal
from types import FrameType


def heed() -> None:
    """Take both for an interruption, from now on. Whoever started the run with `nohup` keeps it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP:
        # A closed terminal tells each process of the run, and `make` tells its own once more.
        signal.signal(number, signal.SIG_IGN)
    # While steps run this is Dagster's handler, which ends the step first.
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
