"""From what a file says to what a raw table holds: the SQL expressions, and the checks on rows.

Belongs here: conversion of values and every reason to reject a row for its values. Does not belong
here: how the values are read out of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from orchestration.landing.logs import Column, Kind, Log
from orchestration.landing.sql import Bindings, sql

# ASCII white space; DuckDB's trim without this argument removes spaces only.
_WHITE_SPACE = "e' \\t\\r\\n\\f\\v'"

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d+)?)?"
_OFFSET = r"Z|[+-]\d\d(:?\d\d)?"
_INSTANT = rf"{_DATE}([T ]{_TIME}({_OFFSET})?)?"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"

# What would otherwise be repeated for every column. Trimming walks through the whole text, so the
# first and the last character say whether there is anything to trim.
#
# The form of a timestamp: '?' is none, '' has no offset, otherwise it is the offset as written. A
# wall clock never has a sign behind its minutes, so a sign there begins an offset.
MACROS = f"""
create or replace temporary macro landing_is_blank(value) as
    value < '!' and trim(value, {_WHITE_SPACE}) = '';
create or replace temporary macro landing_text_or_null(value) as
    case when value < '!' and trim(value, {_WHITE_SPACE}) = '' then null else value end;
create or replace temporary macro landing_bare(value) as
    case
        when value < '!' or right(value, 1) < '!' then nullif(trim(value, {_WHITE_SPACE}), '')
        else value
    end;
create or replace temporary macro landing_bare_instant(value) as
    case
        when value < '!' or right(value, 1) < '!' or right(value, 1) = ']'
            then nullif(trim(replace(value, '[Etc/UTC]', ''), {_WHITE_SPACE}), '')
        else value
    end;
create or replace temporary macro landing_is_number(value) as
    regexp_full_match(value, '{_NUMBER}');
create or replace temporary macro landing_form(value) as
    case
        when value is null then null
        when not regexp_full_match(value, '{_INSTANT}') then '?'
        when right(value, 1) = 'Z' then 'Z'
        when contains(substr(value, 17), '+') or contains(substr(value, 17), '-')
            then regexp_extract(value, '[+-][0-9:]+$')
        else ''
    end;
create or replace temporary macro landing_offset_is_real(form) as
    cast(form[2:3] as integer) <= 18
    and (length(form) <= 3 or cast(form[-2:] as integer) <= 59);
create or replace temporary macro landing_offset_minutes(form) as
    case when form[1] = '-' then -1 else 1 end * (
        cast(form[2:3] as integer) * 60
        + case when length(form) > 3 then cast(form[-2:] as integer) else 0 end
    );
create or replace temporary macro landing_instant(value, form) as
    case
        when form = '' then try_cast(value as timestamp)
        when form = 'Z'
            then coalesce(try_cast(value as timestamp), try_cast(left(value, -1) as timestamp))
        when form = '?' then null
        when landing_offset_is_real(form)
            then try_cast(left(value, -length(form)) as timestamp)
                - to_minutes(landing_offset_minutes(form))
    end;
create or replace temporary macro landing_is_in_range(instant) as
    instant >= timestamp '0001-01-01' and instant <= timestamp '9999-12-31 23:59:59.999999';
"""


class Shape(Enum):
    """The type in which a reader gives a column."""

    TEXT = "text"  # varchar as the file has it
    UTC = "utc"  # timestamp that is UTC
    WALL = "wall"  # timestamp as some clock on a wall shows it
    NUMBER = "number"  # any numeric type


@dataclass(frozen=True)
class Check:
    """One reason to reject a row.

    Attributes:
        condition: SQL that is true for a bad row, over the columns of the prepared relation.
        column: the column to blame, or None for the whole record.
        value: SQL for the bad value as text.
        reason, remedy: for the reader of `raw.rejected_rows`.
    """

    condition: str
    column: str | None
    value: str
    reason: str
    remedy: str


# Set by readers on a record that cannot be taken apart; every row has `fault` null or one of these.
RECORD_FAULTS = {
    1: (
        "The record is not valid JSON",
        "Write one complete JSON object per line, with control characters escaped",
    ),
    2: ("The record is not a JSON object", 'Write each record as {"column": value, ...}'),
    3: ("The record has the same key twice", "Give each key once per record"),
}


def prepared(log: Log, relation: str, shapes: Mapping[str, Shape]) -> str:
    """The middle layer: blanks become null, instants and numbers are parsed.

    Args:
        log: the log.
        relation: SQL of the reader's query: `row_no`, `fault`, `extra`, optionally `row`, and
            `in_*` for each column that the file has.
        shapes: the shape of each column that the file has.

    Returns:
        A query with everything that `relation` has, and for the columns that the file has `bare_*`
        (trimmed text of instants and numbers that came as text), `form_*` (see `MACROS`) and
        `out_*` (converted values).
    """
    bare, form, out = [], [], []
    for column in log.columns:
        shape, name = shapes.get(column.name), column.name
        if shape is None:
            continue
        if shape is Shape.TEXT and column.kind is Kind.INSTANT:
            bare.append(f"landing_bare_instant(in_{name}) as bare_{name}")
            form.append(f"landing_form(bare_{name}) as form_{name}")
        elif shape is Shape.TEXT and column.kind in (Kind.SCORE, Kind.AMOUNT):
            bare.append(f"landing_bare(in_{name}) as bare_{name}")
        out.append(f"{_converted(column, shape)} as out_{name}")
    for layer in (bare, form, out):
        if layer:
            added = ", ".join(layer)
            relation = sql("select *, @{added} from (@{inner})", added=added, inner=relation)
    return relation


def _converted(column: Column, shape: Shape) -> str:
    given, bare, form = (f"{prefix}_{column.name}" for prefix in ("in", "bare", "form"))
    is_text = shape is Shape.TEXT
    number = f"case when landing_is_number({bare}) then {bare} end" if is_text else given
    match column.kind:
        case Kind.ID | Kind.CODE:
            return f"landing_text_or_null({given})"
        case Kind.TEXT:
            return f"nullif({given}, '')"
        case Kind.INSTANT:
            return f"landing_instant({bare}, {form})" if is_text else given
        case Kind.SCORE:
            return f"try_cast({number} as double)"
        case Kind.AMOUNT:
            return f"try_cast({number} as decimal(18, 4))"


def local_times(log: Log, shapes: Mapping[str, Shape]) -> str:
    """The expression of `local_times`: a bit for each instant that came without an offset."""
    terms = []
    for name, bit in log.timestamp_bits.items():
        match shapes.get(name):
            case Shape.TEXT:
                terms.append(f"case when form_{name} = '' then {bit} else 0 end")
            case Shape.WALL:
                terms.append(f"case when out_{name} is null then 0 else {bit} end")
            case _:
                pass
    return " + ".join(terms) or "0"


def checks(
    log: Log,
    shapes: Mapping[str, Shape],
    vocabulary: Mapping[str, Mapping[str, str]],
    bindings: Bindings,
) -> list[Check]:
    """All checks on a row of a file whose columns have these shapes, the most basic first."""
    found = [
        Check(f"fault = {fault}", None, "null", reason, remedy)
        for fault, (reason, remedy) in RECORD_FAULTS.items()
    ]
    for column in log.columns:
        shape = shapes.get(column.name)
        if shape is not None:
            found.extend(_column_checks(column, shape, vocabulary, bindings))
    if "score" in shapes and "question" in shapes:
        found.extend(_score_checks(log, vocabulary, bindings))
    return found


def _column_checks(
    column: Column,
    shape: Shape,
    vocabulary: Mapping[str, Mapping[str, str]],
    bindings: Bindings,
) -> list[Check]:
    name = column.name
    given, bare, form, out = (f"{prefix}_{name}" for prefix in ("in", "bare", "form", "out"))
    text = f"cast({given} as varchar)"
    is_text = shape is Shape.TEXT
    found: list[Check] = []

    def check(condition: str, reason: str, remedy: str) -> None:
        found.append(Check(condition, name, text, reason, remedy))

    if column.required:
        is_bare = is_text and column.kind in (Kind.INSTANT, Kind.SCORE, Kind.AMOUNT)
        missing = bare if is_bare else given if not is_text else out
        check(f"{missing} is null", f"{name} is missing", f"Give every record its {name}")
    match column.kind:
        case Kind.INSTANT:
            if is_text:
                check(
                    f"{form} = '?'",
                    f"{name} is not an ISO 8601 timestamp",
                    "Write it as 2026-03-29T14:05:00+02:00",
                )
                check(
                    f"{form} <> '?' and {out} is null",
                    f"{name} is a date, time or offset that does not exist",
                    "Correct it: the calendar has no such moment",
                )
            check(
                f"not landing_is_in_range({out})",
                f"{name} is outside of the years 1 to 9999",
                "Correct it, or leave it out when it is not known",
            )
        case Kind.SCORE | Kind.AMOUNT:
            present = f"{bare} is not null" if is_text else f"{given} is not null"
            finite = f"isfinite({out})" if column.kind is Kind.SCORE else "true"
            if is_text:
                check(
                    f"{bare} is not null and not landing_is_number({bare})",
                    f"{name} is not a number",
                    "Write digits with a decimal point, without currency or thousands signs",
                )
            check(
                f"{present} and not coalesce({finite} and {out} is not null, false)",
                f"{name} is too large or not finite",
                "Give a finite number"
                if column.kind is Kind.SCORE
                else "Give a finite number with at most 14 digits before the point",
            )
        case _:
            pass
    if column.vocabulary is not None:
        codes = sorted(vocabulary[column.vocabulary])
        known = _bound_list(codes, bindings)
        check(
            # Trimming and lower case cost time, and nearly every code is written as expected.
            f"{out} not in ({known}) and lower(landing_bare({out})) not in ({known})",
            f"{name} is not one of its known codes",
            f"Use one of {', '.join(codes)}, or add the code to seeds/vocabulary/codes.csv; then "
            "deliver the record again",
        )
    return found


def _score_checks(
    log: Log, vocabulary: Mapping[str, Mapping[str, str]], bindings: Bindings
) -> list[Check]:
    found = []
    for score_range in log.score_ranges:
        codes = sorted(
            code for code, value in vocabulary["question"].items() if value == score_range.question
        )
        asked = f"lower(landing_bare(out_question)) in ({_bound_list(codes, bindings)})"
        lowest, highest = score_range.lowest, score_range.highest
        found.append(
            Check(
                f"{asked} and not (out_score >= {lowest} and out_score <= {highest})",
                "score",
                "cast(in_score as varchar)",
                f"score is outside of {lowest} to {highest} for {score_range.question}",
                "Correct the score or the question",
            )
        )
    return found


def _bound_list(values: list[str], bindings: Bindings) -> str:
    return ", ".join(bindings.bind(value) for value in values)
