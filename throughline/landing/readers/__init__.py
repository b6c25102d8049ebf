"""One reader per format: each turns a file into a query that DuckDB runs.

Belongs here: the choice of the reader. Does not belong here: what a value means (`conversion`), or
what is done with the rows (`loading`).
"""

from throughline.landing.readers.delimited import read_delimited
from throughline.landing.readers.parquet import read_parquet
from throughline.landing.readers.records import read_records
from throughline.landing.readers.source import Reading, Source

__all__ = ["Reading", "Source", "read"]


def read(reading: Reading) -> Source:
    """Look into a file and make it a query.

    Raises:
        FileFault: the file cannot be read at all.
        duckdb.Error: likewise, as DuckDB says it.
    """
    match reading.format:
        case "parquet":
            return read_parquet(reading)
        case "csv":
            return read_delimited(reading)
        case _:
            return read_records(reading)
