"""Where a run says how far it is. Belongs here: the one-line notes for people, and nothing else."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Narrator:
    """Writes progress lines; to standard output unless given a stream.

    Under `dagster dev` standard output is the log of the step; `make run` gives the terminal, and
    sends everything else that Dagster and dbt print to a log file.
    """

    stream: TextIO | None = None

    def say(self, line: str) -> None:
        """A line of its own.

        A reader that went away (`make run | head`), or a terminal that was closed, does not stop a
        run, nor how it ends.
        """
        stream = self.stream or sys.stdout
        try:
            print(line, file=stream, flush=True)
        except OSError as error:
            if error.errno not in {errno.EPIPE, errno.EIO}:
                raise
            # What is still in the buffer has to go somewhere, or closing would raise again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def paced(self, seconds: float = 3.0) -> Callable[[str], None]:
        """A way to note much: at most one line in so many seconds is said, the others are not."""
        last = time.monotonic()

        def note(line: str) -> None:
            nonlocal last
            if time.monotonic() - last >= seconds:
                last = time.monotonic()
                self.note(line)

        return note

    def note(self, line: str) -> None:
        """A line that belongs to the one before."""
        self.say(f"  {line}")
