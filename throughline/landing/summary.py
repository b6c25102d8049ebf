"""What one call of landing did with a log, in numbers.

Belongs here: the counts that a run tells of. Does not belong here: counting the rows of a file
(inserting), the ledger's own counts (ledger).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from throughline.landing.ledger import Counts


@dataclass
class LogSummary:
    """What one call of `land_log` did; all counts are of this call.

    Attributes:
        log: the log's name.
        files_seen: files of the log in the landing directory.
        files_loaded, files_rejected: new in this call.
        files_unchanged: their content was loaded or rejected before.
        files_deferred: they kept changing, or went away; the next call tries again.
        rows_read, rows_loaded, rows_rejected: of the files loaded in this call.
        rows_repeated: rows loaded whose business key was there already.
        rows_local_time: rows loaded with a timestamp that has no offset.
        rows_unlike_folder: rows loaded with another value than a `key=value` folder above them.
        bytes: size of the files loaded, as they landed.
        seconds: wall time.
        unknown_columns: rows with a value, by name of a column that the log does not have.
    """

    log: str
    files_seen: int = 0
    files_loaded: int = 0
    files_rejected: int = 0
    files_unchanged: int = 0
    files_deferred: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_repeated: int = 0
    rows_local_time: int = 0
    rows_unlike_folder: int = 0
    bytes: int = 0
    seconds: float = 0.0
    unknown_columns: dict[str, int] = field(default_factory=dict)

    def add(self, size: int, counts: Counts) -> None:
        """Count one more file that was loaded."""
        self.files_loaded += 1
        self.bytes += size
        self.rows_read += counts.rows_read
        self.rows_loaded += counts.rows_loaded
        self.rows_rejected += counts.rows_rejected
        self.rows_local_time += counts.rows_local_time
        self.rows_unlike_folder += counts.rows_unlike_folder
        for name, rows in counts.unknown_columns.items():
            self.unknown_columns[name] = self.unknown_columns.get(name, 0) + rows
