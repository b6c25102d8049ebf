"""From what a file says to what a raw table holds: the SQL expressions, and the checks on rows.

Belongs here: conversion of values and every reason to reject a row for its values. Does not belong
here: how the values are read out of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from throughline.engine.sql import Bindings, sql
from throughline.landing.logs import Column, Kind, Log
from throughline.landing.macros import BEHIND_LAST_REAL, FIRST_REAL, FORMS_NOT_TAKEN


class Shape(Enum):
    """The type in which a reader gives a column."""

    TEXT = "text"  # varchar as the file has it
    UTC = "utc"  # timestamp that is UTC
    WALL = "wall"  # timestamp as some clock on a wall shows it
    NUMBER = "number"  # any numeric type
    BYTES = "bytes"  # blob that should be UTF-8; the reader gives it as `bytes_<column>`


_AS_TEXT = (Shape.TEXT, Shape.BYTES)


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


PLACEHOLDER_REMEDY = f"Give a time from {FIRST_REAL} on and before {BEHIND_LAST_REAL}"


def prepared(log: Log, relation: str, shapes: Mapping[str, Shape]) -> str:
    """The middle layer: blanks become null, instants and numbers are parsed.

    Args:
        log: the log.
        relation: SQL of the reader's query: `row_no`, `fault`, `extra`, optionally `row`, and
            `in_*`, or `bytes_*`, for each column that the file has.
        shapes: the shape of each column that the file has.

    Returns:
        A query with everything that `relation` has, and for the columns that the file has `bare_*`
        (trimmed text of what is neither text nor id but came as text), `iso_*` and `form_*` (see
        `MACROS`), `at_*` (instants, placeholders too) and `out_*` (converted values).
    """
    decoded, bare, iso, form, at, out = [], [], [], [], [], []
    for column in log.columns:
        shape, name = shapes.get(column.name), column.name
        if shape is None:
            continue
        if shape is Shape.BYTES:
            decoded.append(f"try(decode(bytes_{name})) as in_{name}")
        is_text = shape in _AS_TEXT
        if is_text and column.kind is Kind.INSTANT:
            bare.append(f"landing_bare_instant(in_{name}) as bare_{name}")
            iso.append(f"landing_iso(bare_{name}) as iso_{name}")
            form.append(f"landing_form(iso_{name}) as form_{name}")
            at.append(f"landing_instant(iso_{name}, form_{name}) as at_{name}")
        elif column.kind is Kind.INSTANT:
            at.append(f"in_{name} as at_{name}")
        elif is_text and column.kind in (Kind.SCORE, Kind.AMOUNT, Kind.BOOLEAN):
            bare.append(f"landing_bare(in_{name}) as bare_{name}")
        out.append(f"{_converted(column, shape)} as out_{name}")
    for layer in (decoded, bare, iso, form, at, out):
        if layer:
            added = ", ".join(layer)
            relation = sql("select *, @{added} from (@{inner})", added=added, inner=relation)
    return relation


def _converted(column: Column, shape: Shape) -> str:
    given, bare = f"in_{column.name}", f"bare_{column.name}"
    is_text = shape in _AS_TEXT
    number = f"case when landing_is_number({bare}) then {bare} end" if is_text else given
    match column.kind:
        case Kind.ID | Kind.CODE:
            return f"landing_text_or_null({given})"
        case Kind.TEXT:
            return f"nullif({given}, '')"
        case Kind.INSTANT:
            return f"case when landing_is_real(at_{column.name}) then at_{column.name} end"
        case Kind.SCORE:
            return f"try_cast({number} as double)"
        case Kind.AMOUNT:
            return f"try_cast({number} as decimal(18, 4))"
        case Kind.BOOLEAN:
            return f"landing_boolean({bare})"
        case Kind.LIST:
            return f"landing_list({given})"


def local_times(log: Log, shapes: Mapping[str, Shape]) -> str:
    """The expression of `local_times`: a bit for each instant that came without an offset."""
    terms = []
    for name, bit in log.timestamp_bits.items():
        match shapes.get(name):
            case Shape.TEXT | Shape.BYTES:
                is_local = f"form_{name} = '' and out_{name} is not null"
                terms.append(f"case when {is_local} then {bit} else 0 end")
            case Shape.WALL:
                terms.append(f"case when out_{name} is null then 0 else {bit} end")
            case _:
                pass
    return " + ".join(terms) or "0"


def placeholder_times(log: Log, shapes: Mapping[str, Shape]) -> str:
    """The expression of `placeholder_times`: a bit for each time that stands for "none"."""
    terms = [
        f"case when at_{name} is not null and out_{name} is null then {bit} else 0 end"
        for name, bit in log.timestamp_bits.items()
        if name in shapes
    ]
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
    given, bare, form, at, out = (
        f"{prefix}_{name}" for prefix in ("in", "bare", "form", "at", "out")
    )
    text = f"cast({given} as varchar)"
    is_text = shape in _AS_TEXT
    found: list[Check] = []

    def check(condition: str, reason: str, remedy: str) -> None:
        found.append(Check(condition, name, text, reason, remedy))

    if shape is Shape.BYTES:
        found.append(
            Check(
                f"bytes_{name} is not null and {given} is null",
                name,
                f"cast(bytes_{name} as varchar)",
                f"{name} is not UTF-8",
                "Write text as UTF-8, in a Parquet column of strings",
            )
        )
    if column.required:
        is_bare = is_text and column.kind in (Kind.INSTANT, Kind.SCORE, Kind.AMOUNT)
        missing = bare if is_bare else given if not is_text else out
        check(f"{missing} is null", f"{name} is missing", f"Give every record its {name}")
    match column.kind:
        case Kind.INSTANT:
            if is_text:
                for known, (_, what) in FORMS_NOT_TAKEN.items():
                    check(
                        f"{form} = '{known}'",
                        f"{name} is {what}, a form of ISO 8601 that is not taken",
                        "Write a calendar date and a time, as 2026-03-29T14:05:00+02:00",
                    )
                check(
                    f"{form} = '?unix'",
                    f"{name} is a number (Unix time?) and not an ISO 8601 timestamp",
                    "Write it as 2026-03-29T14:05:00Z",
                )
                check(
                    f"{form} = '?'",
                    f"{name} is not an ISO 8601 timestamp",
                    "Write it as 2026-03-29T14:05:00+02:00",
                )
                check(
                    f"{form} is not null and {at} is null",
                    f"{name} is a date, time or offset that does not exist",
                    "Correct it: the calendar has no such moment",
                )
            if column.required:
                check(f"not landing_is_real({at})", placeholder_reason(name), PLACEHOLDER_REMEDY)
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
        case Kind.BOOLEAN:
            check(
                f"{bare} is not null and {out} is null",
                f"{name} is neither true nor false",
                "Write true or false, yes or no, 1 or 0, or leave it out",
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
            f"Use one of {', '.join(codes)}, or add the code to dbt_project/seeds/codes.csv; then "
            "deliver the record again",
        )
    return found


def placeholder_reason(name: str) -> str:
    """Why a row is rejected whose required time stands for "none"."""
    return f"{name} is a placeholder for a time that is not known"


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
