"""A workbook written from front to back, so that it never is in memory or on disk as a whole.

Belongs here: the parts of the file around the rows. Does not belong here: cells (`cells` makes
them), SQL.

A sheet holds 1 048 576 rows; what is longer goes on in a further sheet with the same header. So
does what is larger than 2 GB of XML: Excel repairs, and other programs refuse, what a zip says of
more.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from serving.export import zipped
from serving.export.cells import Column

ROWS_PER_SHEET = 1_048_575
# The longest row there can be goes on top of it.
BYTES_PER_SHEET = 2_000_000_000
_WIDTHS = {"moment": 20, "day": 12, "boolean": 9, "text": 18, "list": 24, "other": 18}
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Cell formats by number: 0 plain, 1 day and time, 2 day, 3 header.
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def write(
    out: BinaryIO,
    name: str,
    columns: Sequence[Column],
    chunks: Iterable[bytes],
    rows_per_sheet: int = ROWS_PER_SHEET,
    bytes_per_sheet: int = BYTES_PER_SHEET,
) -> None:
    """Write a workbook.

    Args:
        out: where to; it need not be seekable.
        name: of the first sheet.
        columns: of the table.
        chunks: the rows' XML (`<row>…</row>`), one row per line, cut anywhere.
        rows_per_sheet: rows below the header after which the next sheet begins.
        bytes_per_sheet: bytes of rows after which it begins, at the end of a row.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        sheets = _sheets(archive, name, columns, chunks, rows_per_sheet, bytes_per_sheet)
        for path, text in _parts(sheets, columns):
            archive.writestr(path, _DECLARATION + text.encode("utf-8"))


def _sheets(
    archive: zipfile.ZipFile,
    name: str,
    columns: Sequence[Column],
    chunks: Iterable[bytes],
    rows_per_sheet: int,
    bytes_per_sheet: int,
) -> list[tuple[str, int]]:
    """Write the sheets; their names and numbers of rows below the header."""
    written: list[tuple[str, int]] = []
    coming = _Rows(chunks)
    while not written or coming.more():
        number = len(written) + 1
        with zipped.member(archive, f"xl/worksheets/sheet{number}.xml", large=False) as part:
            part.write(_DECLARATION + _head(columns, first=not written).encode("utf-8"))
            count = size = 0
            last = rows_per_sheet
            while count < last and coming.more():
                rows, text = coming.take(last - count)
                part.write(text)
                count, size = count + rows, size + len(text)
                if size >= bytes_per_sheet:
                    last = count if text.endswith(b"\n") else count + 1
            part.write(
                f'</sheetData><autoFilter ref="A1:{letters(len(columns))}{count + 1}"/>'
                "</worksheet>".encode()
            )
        written.append((name[:31] if number == 1 else f"{name[:27]} {number}", count))
    return written


class _Rows:
    """Hands on chunks that are cut anywhere, and cuts them where a sheet is full."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def more(self) -> bool:
        """Whether there is more text."""
        if not self._held:
            self._held = next(self._chunks, b"")
        return bool(self._held)

    def take(self, most: int) -> tuple[int, bytes]:
        """The number of rows that end in the text at hand, and the text up to the end of `most`."""
        text, self._held = self._held, b""
        rows = text.count(b"\n")
        if rows < most:
            return rows, text
        end = 0
        for _ in range(most):
            end = text.index(b"\n", end) + 1
        self._held = text[end:]
        return most, text[:end]


def letters(number: int) -> str:
    """The name of a column by its number: 1 is A, 27 is AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _head(columns: Sequence[Column], *, first: bool) -> str:
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, column in enumerate(columns, 1)
        if (width := max(_WIDTHS.get(column.kind, 12), min(len(column.heading) + 3, 30)))
    )
    header = "".join(
        f'<c s="3" t="inlineStr"><is><t xml:space="preserve">{escape(column.heading)}</t></is></c>'
        for column in columns
    )
    selected = ' tabSelected="1"' if first else ""
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView{selected} workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        f"</sheetView></sheetViews><cols>{widths}</cols><sheetData><row>{header}</row>\n"
    )


def _parts(
    sheets: Sequence[tuple[str, int]], columns: Sequence[Column]
) -> Iterable[tuple[str, str]]:
    last = letters(len(columns))
    numbered = list(enumerate(sheets, 1))
    names = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, (name, _) in numbered
    )
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{number - 1}" hidden="1">'
        + escape("'" + name.replace("'", "''") + f"'!$A$1:${last}${count + 1}")
        + "</definedName>"
        for number, (name, count) in numbered
    )
    yield (
        "xl/workbook.xml",
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets>'
        f"<definedNames>{filters}</definedNames></workbook>",
    )
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet"'
        f' Target="worksheets/sheet{number}.xml"/>'
        for number, _ in numbered
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        f'<Relationship Id="rId{len(sheets) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>",
    )
    yield "xl/styles.xml", _STYLES
    yield (
        "_rels/.rels",
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml"'
        f' ContentType="{_CONTENT}.worksheet+xml"/>'
        for number, _ in numbered
    )
    yield (
        "[Content_Types].xml",
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
        f"{overrides}"
        f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/></Types>',
    )
