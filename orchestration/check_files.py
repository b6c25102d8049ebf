"""`throughline check-files`: what is wrong with files, said before a run has loaded any of them.

Belongs here: the screen and the JSON that say it. Does not belong here: finding it out
(throughline.landing.checking).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from orchestration.wording import counted
from throughline.landing import LOGS, LandingError
from throughline.landing.checking import (
    CheckedFile,
    Findings,
    NotCheckable,
    Rejection,
    Verdict,
    check_files,
)
from throughline.settings import SettingError, load_settings

CLEAN, WOULD_REJECT, CANNOT_CHECK = 0, 1, 2

# What one screen has room for: the rest is counted, and `--json` has it.
SHOWN = 6
KINDS_SHOWN = 18
_VALUE = 40
_LEAST_WIDTH, _MOST_WIDTH = 60, 110


def as_json(findings: Findings) -> str:
    """Everything that was found, as one JSON object: `path`, `place`, `is_clean`, `files`."""
    told = {
        "path": str(findings.path),
        "place": findings.place,
        "is_clean": findings.is_clean,
        "files": [asdict(file) | {"verdict": file.verdict.value} for file in findings.files],
    }
    return json.dumps(told, ensure_ascii=False, indent=2)


def render(findings: Findings) -> str:
    """One screen: what is wrong, then what would load, and what of that may not be meant."""
    return "\n".join(_lines(findings, _width()))


def _width() -> int:
    return max(_LEAST_WIDTH, min(_MOST_WIDTH, shutil.get_terminal_size().columns))


def _lines(findings: Findings, width: int) -> Iterator[str]:
    files = findings.files
    place = f"read as {findings.place}" if findings.place else "read as a landing directory"
    rows = sum(file.rows_read for file in files)
    yield f"{findings.path}, {place}: {counted(len(files), 'file')}, {counted(rows, 'row')}"
    refused = [file for file in files if file.verdict is Verdict.REJECTED]
    if refused:
        yield f"\nA run would reject {counted(len(refused), 'whole file')}:"
        for file in refused[:SHOWN]:
            yield f"  {file.path}"
            yield from _wrapped(f"{file.reason}", width)
        yield from _more(len(refused), "files")
    faulty = [file for file in files if file.rejected]
    if faulty:
        rejected = sum(file.rows_rejected for file in faulty)
        yield f"\nA run would reject {counted(rejected, 'row')}, numbered from 1 in each file:"
        for file in faulty[:SHOWN]:
            yield f"  {file.path}: {file.rows_rejected:,} of {counted(file.rows_read, 'row')}"
            for one in file.rejected[:SHOWN]:
                yield from _wrapped(_rejection(one), width)
            yield from _more(len(file.rejected), "reasons", indent="    ")
        yield from _more(len(faulty), "files")
    kinds = _kinds(files)
    if kinds:
        yield "\nA run would load:"
        for (source, log, form), same in list(kinds.items())[:KINDS_SHOWN]:
            loaded = sum(file.rows_loaded for file in same)
            yield (
                f"  {source}/{log}  {form}, {counted(len(same), 'file')}, {counted(loaded, 'row')}"
            )
            yield from _wrapped("; ".join(_notes(same)), width)
        yield from _more(len(kinds), "kinds of files", shown=KINDS_SHOWN)
    yield "\n" + (
        "Nothing would be rejected."
        if findings.is_clean
        else "What is rejected stops nothing else: it is kept with these words, and shown."
    )


def _rejection(one: Rejection) -> str:
    where = ", ".join(
        f"row {row_no}" + ("" if value is None else f" {_short(value)!r}")
        for row_no, value in one.examples
    )
    more = one.rows - len(one.examples)
    return f"{one.reason}: {where}{f' and {more:,} more' if more else ''}. {one.remedy}"


def _kinds(files: Sequence[CheckedFile]) -> dict[tuple[str, str, str], list[CheckedFile]]:
    """The files that a run takes, by source, log and format."""
    found: dict[tuple[str, str, str], list[CheckedFile]] = {}
    for file in files:
        if file.format is not None and file.verdict is not Verdict.REJECTED:
            found.setdefault((file.source, file.log, file.format), []).append(file)
    return found


def _notes(files: Sequence[CheckedFile]) -> Iterator[str]:
    """What stops nothing and may not be meant."""
    unknown = list(dict.fromkeys(name for file in files for name in file.unknown_columns))
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        yield f"not of the log, kept in extra: {', '.join(unknown[:SHOWN])}{more}"
    for number, noun, what in (
        (
            sum(file.rows_unlike_folder for file in files),
            "row",
            "unlike the folder: the file counts",
        ),
        (sum(file.rows_local_time for file in files), "row", "in the source's local time"),
        (sum(file.placeholder_times for file in files), "time", 'too far off, taken for "none"'),
        (sum(file.rows_repeated for file in files), "row", "that repeat a key: the newest counts"),
        (_count(files, Verdict.REPEATS), "file", "with the content of another, loaded once"),
        (_count(files, Verdict.CHANGING), "file", "still being written"),
    ):
        if number:
            yield f"{counted(number, noun)} {what}"


def _count(files: Sequence[CheckedFile], verdict: Verdict) -> int:
    return sum(file.verdict is verdict for file in files)


def _more(number: int, what: str, *, indent: str = "  ", shown: int = SHOWN) -> Iterable[str]:
    return [f"{indent}and {number - shown:,} more {what}: --json has all"] if number > shown else []


def _wrapped(text: str, width: int) -> list[str]:
    indent = "    "
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


def _short(value: str) -> str:
    return value if len(value) <= _VALUE else value[: _VALUE - 1] + "…"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Gives the exit status: whether anything would be rejected."""
    parser = argparse.ArgumentParser(prog="throughline check-files")
    parser.add_argument("path", type=Path, help="a landing directory, a folder in one, or a file")
    parser.add_argument("--source", help="the source, where the path does not say it")
    parser.add_argument("--log", choices=list(LOGS), help="the log, where the path does not say it")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    options = parser.parse_args(arguments)
    try:
        found = check_files(load_settings(), options.path, source=options.source, log=options.log)
    except (NotCheckable, SettingError, LandingError) as error:
        print(f"\n{error}", file=sys.stderr)
        return CANNOT_CHECK
    print(as_json(found) if options.json else render(found))
    return CLEAN if found.is_clean else WOULD_REJECT
