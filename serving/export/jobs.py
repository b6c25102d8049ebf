"""What is exported: tables, formats, and how a job travels to the worker.

Belongs here: the description of a job. Does not belong here: running it, HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from serving.queries.table import Table
from serving.scopes import EVERYTHING, Scope


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: as in an address.
        label: as a person reads it.
        media_type: as HTTP names it.
        threads: DuckDB's. Several hold back row groups of text until their turn comes: that pays
            for JSON and XLSX, which take longest to make, and takes more memory.
    """

    name: str
    label: str
    media_type: str
    threads: int = 1

    @property
    def extension(self) -> str:
        """The end of a file's name, without the dot."""
        return self.name


FORMATS = {
    made.name: made
    for made in (
        Format("csv", "CSV", "text/csv; charset=utf-8"),
        Format(
            "xlsx",
            "Excel (XLSX)",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            threads=2,
        ),
        Format("jsonl", "JSONL", "application/jsonl; charset=utf-8", threads=2),
        Format("parquet", "Parquet", "application/vnd.apache.parquet"),
    )
}
ZIP = Format("zip", "ZIP", "application/zip")


@dataclass(frozen=True)
class Job:
    """One export. Several tables come as one zip, with one file each.

    Attributes:
        database: the DuckDB file of a published version.
        format: a name in FORMATS.
        tables: at least one.
        spill_dir: an existing folder for what does not fit into memory.
        memory_limit: DuckDB's.
        scope: what may be read.
    """

    database: Path
    format: str
    tables: Sequence[Table]
    spill_dir: Path
    memory_limit: str = "1GB"
    scope: Scope = EVERYTHING

    @property
    def file_format(self) -> Format:
        """What comes out: a zip when there are several tables."""
        return FORMATS[self.format] if len(self.tables) == 1 else ZIP

    def to_json(self) -> str:
        """The job as the worker reads it."""
        return json.dumps(
            {
                "database": str(self.database),
                "format": self.format,
                "spill_dir": str(self.spill_dir),
                "memory_limit": self.memory_limit,
                "sources": list(self.scope.sources),
                "projects": list(self.scope.projects),
                "tables": [
                    {
                        "name": table.name,
                        "sql": table.sql,
                        "order": list(table.order),
                        "is_ordered": table.is_ordered,
                        "values": {name: _packed(each) for name, each in table.values.items()},
                    }
                    for table in self.tables
                ],
            }
        )

    @staticmethod
    def from_json(text: str) -> Job:
        """The job that `to_json` wrote."""
        read = json.loads(text)
        return Job(
            database=Path(read["database"]),
            format=read["format"],
            tables=[
                Table(
                    name=table["name"],
                    sql=table["sql"],
                    order=table["order"],
                    is_ordered=table["is_ordered"],
                    values={name: _unpacked(each) for name, each in table["values"].items()},
                )
                for table in read["tables"]
            ],
            spill_dir=Path(read["spill_dir"]),
            memory_limit=read["memory_limit"],
            scope=Scope(tuple(read["sources"]), tuple(read["projects"])),
        )


# JSON has no days and moments; a bound value has to arrive as what it was.
def _packed(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, tuple | list):
        return [_packed(each) for each in value]
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        readers: dict[str, Callable[[str], Any]] = {
            "moment": datetime.fromisoformat,
            "day": date.fromisoformat,
            "decimal": Decimal,
        }
        return readers[kind](text)
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    return value
