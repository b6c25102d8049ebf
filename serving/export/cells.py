"""How a column is written in each format, as SQL expressions.

Belongs here: types, escaping, and what keeps a spreadsheet from running what a visitor wrote.
Does not belong here: files.
"""

from __future__ import annotations

from dataclasses import dataclass

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
_MOMENTS = (
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
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
    def quoted(self) -> str:
        """The name as SQL reads it."""
        return '"' + self.name.replace('"', '""') + '"'


def raw(column: Column) -> str:
    """For Parquet: the value itself."""
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
    if column.kind in ("text", "list", "other"):
        text = _text(column)
        # Most text starts with a letter or a digit: that is seen faster than by the expression.
        return (
            f"case when unicode({text}) between 65 and 127 or unicode({text}) between 48 and 60"
            f" then {text} when regexp_matches({text}, '{FORMULA}') then '''' || {text}"
            f" else {text} end as {column.quoted}"
        )
    return column.quoted


def xlsx(column: Column) -> str:
    """For XLSX: the cell as XML on one line. Text is an inline string and never a formula."""
    name = column.quoted
    kind = column.kind
    if kind == "boolean":
        cell = f"'<c t=\"b\"><v>' || cast({name} as integer) || '</v></c>'"
    elif kind == "double":
        cell = f"'<c><v>' || {_finite(column)} || '</v></c>'"
    elif kind in ("integer", "decimal"):
        cell = (
            f"case when abs({name}) < {LARGEST_NUMBER} then '<c><v>' || {name} || '</v></c>'"
            f" else {_string(f'cast({name} as varchar)')} end"
        )
    elif kind in ("moment", "day"):
        # Days since 1899-12-30, as Excel counts them; 25 569 is 1970-01-01.
        days = (
            f"epoch_us({name}) / 86400000000.0 + 25569"
            if kind == "moment"
            else f"({name} - date '1970-01-01') + 25569"
        )
        cell = (
            f"case when {name} >= {FIRST_DAY} and {name} < {DAY_AFTER_LAST}"
            f" then '<c s=\"{1 if kind == 'moment' else 2}\"><v>' || ({days}) || '</v></c>'"
            f" else {_string(f'cast({name} as varchar)')} end"
        )
    else:
        cell = _string(_escaped(_text(column)))
    return f"coalesce({cell}, '<c/>')"


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
_NEEDS_ESCAPE = r"[^ -%''-;=?-\x{d7ff}\x{e000}-\x{fffd}\x{10000}-\x{10ffff}]|_x[0-9A-Fa-f]{4}_"
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
    escaped = f"regexp_replace({escaped}, '_(x[0-9A-Fa-f]{{4}}_)', '_x005F_\\1', 'g')"
    return (
        f"case when length({sql}) > {LONGEST_CELL} or regexp_matches({sql}, '{_NEEDS_ESCAPE}')"
        f" then {escaped} else {sql} end"
    )
