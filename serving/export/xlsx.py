"""A workbook written from front to back, so that it never is in memory or on disk as a whole.

Belongs here: the parts of the file around the rows. Does not belong here: cells (`cells` makes
them), SQL.

A sheet holds 1 048 576 rows; what is longer goes on in a further sheet with the same header.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from serving.export.cells import Column

ROWS_PER_SHEET = 1_048_575
# Level 1 writes three times as fast as the default and the file is an eighth larger.
COMPRESSION_LEVEL = 1
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
) -> None:
    """Write a workbook.

    Args:
        out: where to; it need not be seekable.
        name: of the first sheet.
        columns: of the table.
        chunks: the rows' XML (`<row>…</row>`), one row per line, cut anywhere.
        rows_per_sheet: rows below the header after which the next sheet begins.
    """
    with zipfile.ZipFile(
        out, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL, allowZip64=True
    ) as archive:
        sheets = _sheets(archive, name, columns, chunks, rows_per_sheet)
        for path, text in _parts(sheets, columns):
            archive.writestr(path, _DECLARATION + text.encode("utf-8"))


def _sheets(
    archive: zipfile.ZipFile,
    name: str,
    columns: Sequence[Column],
    chunks: Iterable[bytes],
    rows_per_sheet: int,
) -> list[tuple[str, int]]:
    """Write the sheets; their names and numbers of rows below the header."""
    written: list[tuple[str, int]] = []
    left = _Lines(chunks)
    while not written or left.more():
        number = len(written) + 1
        # The size is not known beforehand, and a sheet can be larger than 4 GB.
        with archive.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True) as part:
            part.write(_DECLARATION + _head(columns, first=not written).encode("utf-8"))
            count = 0
            while count < rows_per_sheet and (block := left.take(rows_per_sheet - count)):
                part.write(block)
                count += block.count(b"\n")
            part.write(
                f'</sheetData><autoFilter ref="A1:{letters(len(columns))}{count + 1}"/>'
                "</worksheet>".encode()
            )
        written.append((name[:31] if number == 1 else f"{name[:27]} {number}", count))
    return written


class _Lines:
    """Takes whole lines out of chunks that are cut anywhere."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def more(self) -> bool:
        """Whether there is another line."""
        while b"\n" not in self._held:
            chunk = next(self._chunks, b"")
            if not chunk:
                return False
            self._held += chunk
        return True

    def take(self, most: int) -> bytes:
        """The lines at hand, at most so many; nothing when there are no more."""
        if not self.more():
            return b""
        end = self._held.rindex(b"\n") + 1
        if self._held.count(b"\n") > most:
            end = 0
            for _ in range(most):
                end = self._held.index(b"\n", end) + 1
        lines, self._held = self._held[:end], self._held[end:]
        return lines


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
        if (width := max(_WIDTHS.get(column.kind, 12), min(len(column.name) + 3, 30)))
    )
    header = "".join(
        f'<c s="3" t="inlineStr"><is><t xml:space="preserve">{escape(column.name)}</t></is></c>'
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
