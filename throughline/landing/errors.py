"""What can go wrong while landing, split by who has to act.

Belongs here: the exceptions of this package, and which failure of the engine is whose. Does not
belong here: the handling of a bad row, which is data and not an exception.
"""

from __future__ import annotations

import duckdb

# How DuckDB's text readers say that a file is not what they were told.
TEXT_ERRORS = (
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.ConversionException,
)

# What no content of a file should cause: memory, disk, or a fault of the loader.
_FOREIGN_ERRORS = (
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.ConstraintException,
    duckdb.CatalogException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.InterruptException,
    duckdb.FatalException,
    duckdb.InternalException,
)
_FOREIGN_WORDS = ("No space left", "Could not write", "max_temp_directory_size")


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


class NeedsCare(Exception):  # noqa: N818 - a verdict on the file, not an error of the run
    """The quick way through the file cannot tell its records apart: take the careful one."""


class FileChanged(Exception):  # noqa: N818 - a verdict on the file, not an error of the run
    """The file changed or went away while it was read: nothing of this attempt may stay."""


class ConservationError(LandingError):
    """Rows read are not rows loaded plus rejected: a fault of this package, never of the data."""


def raise_foreign(error: duckdb.Error, path: str) -> None:
    """Let only such failures become a rejected file as the file's content can cause.

    Raises:
        LandingError: no content of a file can cause this one.
    """
    text = str(error).strip()
    if isinstance(error, _FOREIGN_ERRORS) or any(words in text for words in _FOREIGN_WORDS):
        raise LandingError(
            f"{path} could not be loaded, and nothing of it was kept ({text}): make room on "
            "the disk or raise MEMORY_LIMIT if that is the cause; otherwise move the file out of "
            "the landing directory, run again and report it"
        ) from error
