"""The registry of sources and projects: what may stand in it.

Belongs here: checks of `sources.csv` and `projects.csv` that stop a build before it starts, and
the time zones that landing needs. Does not belong here: what the registry means for a model (dbt).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from throughline.settings import Settings

Rule = Callable[[str], str | None]


@dataclass(frozen=True)
class Fault:
    """One value that cannot be used. `row` is the line of a table, the header being row 1."""

    file: str
    row: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, column {self.column}: {self.message}"


class RegistryError(ValueError):
    """The registry has values that cannot be used; each line names place and remedy."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"The registry cannot be used:\n{lines}")


def _slug(value: str) -> str | None:
    if re.fullmatch(r"[a-z0-9_]+", value):
        return None
    return f"{value!r} is no source name: use only a-z, 0-9 and _, as in the landing folder"


def _text(value: str) -> str | None:
    if value and value == value.strip():
        return None
    return f"{value!r} is empty or has blanks around it: write the id as the platform gives it"


def _time_zone(value: str) -> str | None:
    if not value or value in available_timezones():
        return None
    return f"{value!r} is no time zone: write an IANA name such as Europe/Paris, or leave it empty"


def _currency(value: str) -> str | None:
    if not value or re.fullmatch(r"[A-Z]{3}", value):
        return None
    return f"{value!r} is no currency: write three capital letters such as EUR, or leave it empty"


def _boolean(value: str) -> str | None:
    if value in {"", "true", "false"}:
        return None
    return f"{value!r} is neither true nor false: write one of them, or leave it empty for false"


def _whole_number(value: str) -> str | None:
    if not value or (value.isascii() and value.isdigit()):
        return None
    return f"{value!r} is no whole number: write days such as 30, or leave it empty for no limit"


def _waiting_days(value: str) -> str | None:
    if not value or re.fullmatch(r"[0-9]{1,4}", value):
        return None
    return f"{value!r} is no number of days: write 0 to 9999, or leave it empty for 7"


def _anything(_: str) -> str | None:
    return None


@dataclass(frozen=True)
class Table:
    """A file of the registry: its columns, and those of them that it may leave out."""

    file: str
    columns: dict[str, Rule]
    key: tuple[str, ...]
    optional: frozenset[str] = frozenset()


TABLES = (
    Table(
        file="sources.csv",
        columns={
            "source": _slug,
            "time_zone": _time_zone,
            "currency": _currency,
            "reject_visitor_mismatch": _boolean,
            "max_gap_days": _whole_number,
            "waiting_days": _waiting_days,
            "numeric_ids": _boolean,
        },
        key=("source",),
        # Came later than the others: a file that was written before is as good as ever.
        optional=frozenset({"waiting_days", "numeric_ids"}),
    ),
    Table(
        file="projects.csv",
        columns={
            "source": _slug,
            "project_id": _text,
            "project_name": _anything,
            "time_zone": _time_zone,
            "currency": _currency,
        },
        key=("source", "project_id"),
    ),
)


def _row_faults(table: Table, path: Path) -> Iterator[Fault]:
    def fault(row: int, column: str, message: str) -> Fault:
        return Fault(str(path), row, column, message)

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except FileNotFoundError:
        yield fault(1, "*", "the file is missing: create it with the header " + _header(table))
        return
    except (UnicodeDecodeError, csv.Error) as error:
        yield fault(1, "*", f"the file is no UTF-8 CSV ({error}): save it as CSV in UTF-8")
        return
    header = rows[0] if rows else []
    if len(set(header)) != len(header) or not (
        table.columns.keys() - table.optional <= set(header) <= table.columns.keys()
    ):
        yield fault(1, "*", f"the header is {','.join(header)!r}: make it {_header(table)!r}")
        return
    seen: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            yield fault(number, "*", f"{len(row)} values for {len(header)} columns: mend the row")
            continue
        values = dict(zip(header, row, strict=True))
        for column, rule in table.columns.items():
            if column in values and (message := rule(values[column])) is not None:
                yield fault(number, column, message)
        key = tuple(values[column] for column in table.key)
        if key in seen:
            yield fault(
                number,
                table.key[-1],
                f"{' / '.join(key)!r} stands in row {seen[key]} already: keep one of the two rows",
            )
        seen.setdefault(key, number)


def _header(table: Table) -> str:
    return ",".join(table.columns)


def validate(settings: Settings) -> None:
    """Check both registry files.

    Raises:
        RegistryError: at least one value cannot be used; it names every one of them.
    """
    faults = [
        fault
        for table in TABLES
        for fault in _row_faults(table, settings.registry_dir / table.file)
    ]
    if faults:
        raise RegistryError(faults)


def time_zones(settings: Settings) -> dict[str, str]:
    """The time zone of each source that has one other than UTC.

    A registry that cannot be used gives none: `validate` says so before anything is built.
    """
    try:
        with (settings.registry_dir / "sources.csv").open(encoding="utf-8-sig") as stream:
            rows = [(row.get("source"), row.get("time_zone")) for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return {source: zone for source, zone in rows if source and zone and _is_zone(zone)}


def _is_zone(name: str) -> bool:
    # To list all zones means to walk through their folders, which is too much for a few names.
    try:
        return ZoneInfo(name).key != "UTC"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
