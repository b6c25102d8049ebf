"""How a column is written in each format, as SQL expressions.

Belongs here: types, escaping, and what keeps a spreadsheet from running what a visitor wrote.
Does not belong here: files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from throughline.engine.sql import identifier

LIST_SEPARATOR = " > "
LONGEST_CELL = 32_767
# Excel's calendar is right from this day on (it has a 29 February 1900), and ends with 9999.
FIRST_DAY, DAY_AFTER_LAST = "date '1900-03-01'", "date '10000-01-01'"
# Excel keeps 15 digits of a number; more are kept as text.
LARGEST_NUMBER = 10**15

# A cell that starts with one of these is read as a formula, also after white space; the wide forms
# are those that some spreadsheets fold into the plain ones.
FORMULA = (
    r"^[\s\x{a0}\x{3000}\x{feff}\x00]*[=+\-@\t\r\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}\x{2212}]|^[\t\r]"
)

_INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
# Those that hold more than LARGEST_NUMBER.
_WIDE_INTEGERS = ("BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT")
# What is written as text.
_TEXTS = ("text", "list", "other")
ZONED = "TIMESTAMP WITH TIME ZONE"
_MOMENTS = (
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    ZONED,
)


@dataclass(frozen=True)
class Column:
    """A column of what is exported.

    Attributes:
        name: as in the header.
        type: DuckDB's name of the type.
    """

    name: str
    type: str

    @property
    def kind(self) -> str:
        """`text`, `list`, `integer`, `decimal`, `double`, `moment`, `day`, `boolean`, `other`."""
        if self.type == "VARCHAR":
            return "text"
        if self.type.endswith("[]"):
            return "list"
        if self.type in _INTEGERS:
            return "integer"
        if self.type.startswith("DECIMAL"):
            return "decimal"
        if self.type in ("DOUBLE", "FLOAT"):
            return "double"
        if self.type in _MOMENTS:
            return "moment"
        return {"DATE": "day", "BOOLEAN": "boolean"}.get(self.type, "other")

    @property
    def heading(self) -> str:
        """The name for a sheet, whose moments have no zone and are written in UTC."""
        return f"{self.name} (UTC)" if self.kind == "moment" else self.name

    @property
    def quoted(self) -> str:
        """The name as SQL reads it."""
        return identifier(self.name)


def raw(column: Column) -> str:
    """For Parquet: the value itself; a moment says that it is one of UTC."""
    if column.kind == "moment" and column.type != ZONED:
        return f"timezone('UTC', {column.quoted}) as {column.quoted}"
    return column.quoted


def json(column: Column) -> str:
    """For JSONL: the value itself, but for numbers that JSON does not have."""
    if column.kind == "double":
        return f"{_finite(column)} as {column.quoted}"
    return column.quoted


def csv(column: Column) -> str:
    """For CSV: text that a spreadsheet would read as a formula gets a leading apostrophe."""
    if column.kind == "double":
        return f"{_finite(column)} as {column.quoted}"
    if column.kind in _TEXTS:
        text = _text(column)
        # Most text starts with a letter or a digit: that is seen faster than by the expression.
        return (
            f"case when unicode({text}) between 65 and 127 or unicode({text}) between 48 and 60"
            f" then {text} when regexp_matches({text}, '{FORMULA}') then '''' || {text}"
            f" else {text} end as {column.quoted}"
        )
    return column.quoted


def xlsx_row(columns: Sequence[Column]) -> str:
    """For XLSX: the row as XML on one line. Text is never a formula.

    Nearly every row is plain: one look at all of its text and a comparison for each number that may
    be too large say so. Such a row is put together at once, which takes half the time that it
    takes to make every cell for itself, and gives the same.
    """
    plain = ", ".join(part for column in columns for part in _plain_cell(column))
    exact = ", ".join(f"coalesce({_exact_cell(column)}, '<c/>')" for column in columns)
    return (
        f"case when {_is_unusual(columns)} then concat('<row>', {exact}, '</row>')"
        f" else concat('<row>', {plain}, '</row>') end"
    )


def _is_unusual(columns: Sequence[Column]) -> str:
    texts = [_text(column) for column in columns if column.kind in _TEXTS]
    tests = [f"not ({test})" for column in columns if (test := _fits(column))]
    if texts:
        # With something between the cells that shows where one begins and ends.
        together = "concat('|', " + ", '|', ".join(texts) + ", '|')"
        tests.append(f"strlen({together}) > {LONGEST_CELL}")
        tests.append(rf"regexp_matches({together}, '{_NEEDS_ESCAPE}|\| | \|')")
    return f"coalesce({' or '.join(tests)}, false)" if tests else "false"


def _fits(column: Column) -> str:
    """Whether Excel holds a value as what it is; nothing when it always does."""
    name = column.quoted
    if column.type == "TIMESTAMP_NS":
        # It ends with 2262, before the days that it would be compared with.
        return f"{name} >= {FIRST_DAY}"
    if column.kind in ("moment", "day"):
        return f"{name} >= {FIRST_DAY} and {name} < {DAY_AFTER_LAST}"
    if column.kind == "double":
        return f"isfinite({name})"
    if column.kind == "decimal" or column.type in _WIDE_INTEGERS:
        return f"{name} > -{LARGEST_NUMBER} and {name} < {LARGEST_NUMBER}"
    return ""


def _frame(column: Column) -> tuple[str, str, str]:
    """What comes before a value that fits, the value, and what comes after it."""
    name = column.quoted
    if column.kind == "moment":
        # Days since 1899-12-30, as Excel counts them; 25 569 is 1970-01-01. As a number of 10^-10
        # days (8.64 microseconds) it is whole, which is written faster than a fraction. It is
        # rounded up: programs cut off what they do not show.
        days = f"(epoch_us({name}) * 25 + 215) // 216 + 255690000000000"
        return '<c s="1"><v>', days, "E-10</v></c>"
    if column.kind == "day":
        return '<c s="2"><v>', f"{name} - date '1899-12-30'", "</v></c>"
    if column.kind == "boolean":
        return '<c t="b"><v>', f"cast({name} as utinyint)", "</v></c>"
    if column.kind in ("integer", "decimal", "double"):
        return "<c><v>", name, "</v></c>"
    return '<c t="str"><v>', _text(column), "</v></c>"


def _plain_cell(column: Column) -> tuple[str, str, str]:
    """The three parts of a cell, as arguments of `concat`, which passes over what is null."""
    before, value, after = _frame(column)
    missing = f"{column.quoted} is null"
    return (
        f"case when {missing} then '<c/>' else '{before}' end",
        value,
        f"case when {missing} then '' else '{after}' end",
    )


def _exact_cell(column: Column) -> str:
    """A cell, whatever the value is."""
    before, value, after = _frame(column)
    cell = f"'{before}' || ({value}) || '{after}'"
    if column.kind in _TEXTS:
        text = _text(column)
        needs_care = (
            f"length({text}) > {LONGEST_CELL} or regexp_matches({text}, '{_NEEDS_ESCAPE}|^ | $')"
        )
        return f"case when {needs_care} then {_string(_escaped(text))} else {cell} end"
    if not (fits := _fits(column)):
        return cell
    # A number that is none, or none of Excel's, is nothing; what Excel would change is text.
    other = "null" if column.kind == "double" else _string(f"cast({column.quoted} as varchar)")
    return f"case when {fits} then {cell} else {other} end"


def _finite(column: Column) -> str:
    return f"case when isfinite({column.quoted}) then {column.quoted} end"


def _text(column: Column) -> str:
    if column.kind == "list":
        return f"array_to_string({column.quoted}, '{LIST_SEPARATOR}')"
    if column.kind == "other":
        return f"cast({column.quoted} as varchar)"
    return column.quoted


def _string(sql: str) -> str:
    return f"'<c t=\"inlineStr\"><is><t xml:space=\"preserve\">' || {sql} || '</t></is></c>'"


# What XML has no place for, what it reads as its own, line ends, and Excel's own `_x000D_`.
_NEEDS_ESCAPE = r"[^ -%''-;=-\x{d7ff}\x{e000}-\x{fffd}\x{10000}-\x{10ffff}]|\]\]>|_x[0-9A-Fa-f]{4}_"
_NOT_XML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"


def _escaped(sql: str) -> str:
    cut = f"left({sql}, {LONGEST_CELL})"
    escaped = f"regexp_replace({cut}, '{_NOT_XML}', '', 'g')"
    for found, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("chr(10)", "&#10;"),
        ("chr(13)", "&#13;"),
        ("chr(9)", "&#9;"),
    ):
        wanted = found if found.startswith("chr") else f"'{found}'"
        escaped = f"replace({escaped}, {wanted}, '{written}')"
    return f"regexp_replace({escaped}, '_(x[0-9A-Fa-f]{{4}}_)', '_x005F_\\1', 'g')"
