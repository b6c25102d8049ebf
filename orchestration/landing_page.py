"""`python -m orchestration.landing_page`: writes docs/landing.md from the code that reads the logs.

Belongs here: turning the declared logs, the vocabularies, the examples and what landing makes of
some spellings into Markdown between the page's two marks. Does not belong here: any rule of landing
(throughline.landing), the page's prose (the page itself).
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestration import generated
from throughline.engine.sql import identifier, sql
from throughline.landing.checking import landed_aside
from throughline.landing.files import COMPRESSIONS, FORMATS
from throughline.landing.logs import LOGS, Column, Kind, Log
from throughline.landing.macros import BEHIND_LAST_REAL, FIRST_REAL
from throughline.landing.readers.delimited import DELIMITERS
from throughline.landing.vocabulary import VOCABULARY_FILE, load_vocabulary
from throughline.settings import REPOSITORY, Settings, load_settings

PAGE = REPOSITORY / "docs" / "landing.md"
EXAMPLES = REPOSITORY / "docs" / "examples"

_PLACEHOLDERS = VOCABULARY_FILE.with_name("placeholders.csv")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_FORMATS = {
    "csv": "CSV in UTF-8 with a header; values are separated by "
    + ", ".join(_NAMES[delimiter] for delimiter in DELIMITERS),
    "jsonl": "JSON, one object a line",
    "json": "JSON, an array of objects or one object after the other",
    "parquet": "Parquet, with columns of any type that can be what the log asks for",
}

_KINDS = {
    Kind.ID: "id",
    Kind.CODE: "code",
    Kind.TEXT: "text",
    Kind.INSTANT: "time",
    Kind.SCORE: "number",
    Kind.AMOUNT: "amount",
    Kind.BOOLEAN: "yes or no",
    Kind.LIST: "list",
}

# What each kind of value may be written as: shown are the answers of landing itself. The column is
# one that may be empty where there is one, so that a time for "none" shows as such.
_SPELLINGS: Mapping[Kind, tuple[str, str, tuple[object, ...]]] = {
    Kind.ID: ("contacts", "agent_id", ("0044123", 44123, 44123.0, " a1 ", "")),
    Kind.INSTANT: (
        "contacts",
        "ended_at",
        (
            "2026-03-29T14:05:00+02:00",
            "2026-03-29 12:05:00.25Z",
            "20260329T120500Z",
            "2026-03-29T14:05",
            "2026-03-29",
            "2016-12-31T23:59:60Z",
            "9999-12-31",
            "1774785900",
            "29/03/2026 14:05",
            "2026-W13-7",
            "2026-02-30",
        ),
    ),
    Kind.SCORE: ("ratings", "score", (4, "4", "4.0", "4,5", "five")),
    Kind.AMOUNT: ("transactions", "amount", (39.9, "-39.90", "1e3", "39,90", "1,299.00", "€ 5")),
    Kind.BOOLEAN: ("messages", "is_private", (True, "yes", "T", 1, "0", "no", "maybe")),
    Kind.LIST: (
        "contacts",
        "tags",
        (["late", "delivery"], '["late", "delivery"]', "late, vip", ""),
    ),
}

# A record with all that is required, to which one spelling is added.
_RECORDS: Mapping[str, Mapping[str, object]] = {
    "contacts": {"contact_id": "c", "started_at": "2026-03-01"},
    "ratings": {"contact_id": "c", "question": "comment", "answered_at": "2026-03-01"},
    "transactions": {"transaction_id": "t", "occurred_at": "2026-03-01", "amount": 1},
    "messages": {"contact_id": "c", "sent_at": "2026-03-01", "author_kind": "bot"},
}


def render(settings: Settings) -> str:
    """The generated part of the page, as Markdown."""
    return "\n".join(
        [
            *_layout(),
            *(line for log in LOGS.values() for line in _log(log)),
            *_values(settings),
            *_words(),
        ]
    )


def updated(page: str, settings: Settings) -> str:
    """The page with its generated part as the code has it.

    Raises:
        ValueError: the page lacks one of its two marks.
    """
    return generated.replaced(page, "landing_page", render(settings))


def examples(log: Log) -> list[Path]:
    """The example files of a log."""
    return sorted(path for path in EXAMPLES.glob(f"*/{log.name}/**/*") if path.is_file())


def _layout() -> Iterator[str]:
    yield "## Files"
    yield ""
    yield "```"
    for log in LOGS.values():
        for path in examples(log):
            yield f"{path.relative_to(EXAMPLES)}"
    yield "```"
    yield ""
    yield "| format | ending |"
    yield "|---|---|"
    for name in dict.fromkeys(FORMATS.values()):
        endings = [f"`.{ending}`" for ending, format_ in FORMATS.items() if format_ == name]
        packed = [f"`.{compression}`" for compression in COMPRESSIONS]
        each = "each " if len(endings) > 1 else ""
        more = "" if name == "parquet" else f", {each}also with {' or '.join(packed)}"
        yield f"| {_FORMATS[name]} | {', '.join(endings)}{more} |"
    yield ""


def _log(log: Log) -> Iterator[str]:
    yield f"## {log.name}"
    yield ""
    yield log.about
    yield ""
    key = ", ".join(f"`{name}`" for name in (log.key, *log.key_with))
    told = f"A record is known by its source and {key}"
    if log.fallback_key:
        told += f"; without it, by {', '.join(f'`{name}`' for name in log.fallback_key)}"
    yield told + "."
    yield ""
    yield "| column | holds | what it is |"
    yield "|---|---|---|"
    for column in log.columns:
        yield generated.row(f"{_name(column)}", _holds(log, column), column.about)
    yield ""
    for path in examples(log):
        yield f"`{path.relative_to(REPOSITORY)}`:"
        yield ""
        yield f"```{'csv' if path.suffix == '.csv' else 'json'}"
        yield path.read_text(encoding="utf-8").rstrip("\n")
        yield "```"
        yield ""


def _name(column: Column) -> str:
    names = " or ".join(f"`{name}`" for name in (column.name, *column.aliases))
    return f"**{names}**, required" if column.required else names


def _holds(log: Log, column: Column) -> str:
    told = _KINDS[column.kind]
    values = dict.fromkeys(load_vocabulary().get(column.name, {}).values())
    if column.kind is Kind.CODE and values:
        told += ": " + ", ".join(f"`{value}`" for value in values)
    if column.kind is Kind.SCORE:
        told += "".join(
            f"; {one.lowest} to {one.highest} for `{one.question}`" for one in log.score_ranges
        )
    return told


def _values(settings: Settings) -> Iterator[str]:
    yield "## How values may be written"
    yield ""
    yield "What landing answers to each, as JSON where that says more than text:"
    yield ""
    yield "| holds | written | read as |"
    yield "|---|---|---|"
    for kind, (log, column, written) in _SPELLINGS.items():
        answers = _answers(settings, LOGS[log].column(column), log, written)
        for text, answer in zip(written, answers, strict=True):
            yield generated.row(_KINDS[kind], f"`{json.dumps(text, ensure_ascii=False)}`", answer)
    yield ""
    yield (
        f"A time before {FIRST_REAL} or from {BEHIND_LAST_REAL} on stands for none: the value is"
        " left out, and the row is rejected where the column is required. Ids, codes and texts are"
        " kept as they are; blank ones are none."
    )
    yield ""


def _answers(settings: Settings, column: Column, log: str, written: Sequence[object]) -> list[str]:
    """What landing makes of values: each is landed in a record of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "written.jsonl"
        records = [{**_RECORDS[log], column.name: text} for text in written]
        file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        with landed_aside(settings, file, ("source", log, file.name)) as (connection, _):
            loaded = {
                row_no: (value, local_times)
                for row_no, value, local_times in connection.execute(
                    sql(
                        "select row_id & 4294967295, cast(@{column} as varchar), local_times"
                        " from raw.@{log}",
                        column=identifier(column.name),
                        log=log,
                    )
                ).fetchall()
            }
            rejected = {
                row_no: f"rejected: {reason}. {remedy}"
                for row_no, reason, remedy in connection.execute(
                    "select row_no, reason, remedy from raw.rejected_rows"
                ).fetchall()
            }
    bit = LOGS[log].timestamp_bits.get(column.name, 0)
    answers = []
    for row_no in range(1, len(written) + 1):
        if row_no in rejected:
            answers.append(rejected[row_no])
            continue
        value, local_times = loaded[row_no]
        if value is None:
            answers.append("none")
        elif column.kind is Kind.INSTANT:
            clock = "on the clock of the source" if local_times & bit else "UTC"
            answers.append(f"`{value}` {clock}")
        else:
            answers.append(f"`{value}`")
    return answers


def _words() -> Iterator[str]:
    yield "## Words for codes"
    yield ""
    yield (
        "In any case, from `dbt_project/seeds/codes.csv`, where a source's own words can be added."
        " In a required column any other word is a rejected row; elsewhere it is kept, counts as"
        " unknown, and a check after the load names it."
    )
    yield ""
    yield "| column | word | means |"
    yield "|---|---|---|"
    required = {
        column.vocabulary for log in LOGS.values() for column in log.columns if column.required
    }
    for name, codes in load_vocabulary().items():
        label = f"**`{name}`**, required" if name in required else f"`{name}`"
        for value in dict.fromkeys(codes.values()):
            words = ", ".join(f"`{code}`" for code, meant in codes.items() if meant == value)
            yield generated.row(label, words, f"`{value}`")
    yield ""
    with _PLACEHOLDERS.open(encoding="utf-8", newline="") as lines:
        words = ", ".join(f"`{row['word']}`" for row in csv.DictReader(lines))
    yield f"Words that mean no id, from `dbt_project/seeds/placeholders.csv`: {words}."


if __name__ == "__main__":
    sys.exit(generated.main("landing_page", PAGE, lambda page: updated(page, load_settings())))
