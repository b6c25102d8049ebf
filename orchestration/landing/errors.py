"""What can go wrong while landing, split by who has to act.

Belongs here: the exceptions of this package. Does not belong here: the handling of a bad row, which
is data and not an exception.
"""

from __future__ import annotations


class LandingError(Exception):
    """Landing cannot go on: the message says what happened and what to do about it."""


class FileFault(Exception):  # noqa: N818 - a verdict on the file, not an error of the run
    """The file cannot be read at all: it becomes a rejected file and the others still load.

    Attributes:
        reason: what is wrong with the file, and how to put it right.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.reason = f"{problem}. {remedy}"


class FileChanged(Exception):  # noqa: N818 - a verdict on the file, not an error of the run
    """The file changed or went away while it was read: nothing of this attempt may stay."""


class ConservationError(LandingError):
    """Rows read are not rows loaded plus rejected: a fault of this package, never of the data."""
