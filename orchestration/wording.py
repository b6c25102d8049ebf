"""Words and numbers for people, in the terminal.

Belongs here: how a figure, a time, a path is written. Does not belong here: which are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

WIDTH = 80

Row = Mapping[str, Any]


def beside(left: str, right: str, width: int) -> str:
    return f"{left:<{width}}  {right}".rstrip()


def pair(name: str, value: str, width: int) -> str:
    return f"{name}{value:>{width - len(name)}}"


def wrapped(parts: Sequence[str]) -> list[str]:
    """Terms of a sum on as few lines as fit."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 1 + len(part) <= WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(f"  {part}")
    return lines


def number(value: int) -> str:
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A count and its share: `320   32 %`; the share is absent over nothing."""
    return f"{number(part)}  {percent(part, whole):>5}"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def rate(part: int, whole: int) -> str:
    return f"{number(part)} of {number(whole)}  {percent(part, whole):>5}" if whole else "-"


def nps(row: Row) -> str:
    return f"{row['nps']:+.0f} of {number(row['nps_responses'])}" if row["nps_responses"] else "-"


def sales(row: Row) -> str:
    # Refunds alone have an amount too.
    if row["revenue"] is None or (not row["transactions"] and row["revenue"] >= 0):
        return number(row["transactions"])
    return f"{number(row['transactions'])}  {row['revenue']:,.0f} {row['currency'] or ''}".rstrip()


def duration(seconds: float | None) -> str:
    """Two units at most: `42 s`, `12 min 03 s`, `3 h 20 min`, `2 d 4 h`."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400:,} d {whole % 86_400 // 3600} h"


def size(number: int) -> str:
    """A number of bytes: `12 MB`, `1.4 GB`."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit != "GB" else f"{amount:,.1f} GB"
        amount /= 1000
    return f"{amount:,.1f} TB"


def span(start: datetime, end: datetime | None) -> str:
    if end is None:
        return f"{start:%d %b %H:%M}, open"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%d %b %H:%M}"
    return f"{start:%d %b %H:%M}-{until}"


def clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def shown(path: Path) -> Path:
    """The path as typed from here, when it is below here. Links stay as they are."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
