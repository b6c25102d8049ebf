"""What a file is, by its first bytes or its ending, when it is not what it is called.

Belongs here: telling kinds of files apart, and what to do with each. Does not belong here: reading
any of them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from throughline.landing.errors import FileFault

_UTF_8 = "Deliver the file in UTF-8"
_CSV = "Export it as plain CSV, in UTF-8"
_UNPACK = "Unpack it, and deliver the files in it"
_SUPPORTED = "Deliver it as CSV, JSON or Parquet"

# The first bytes, what begins so, and what to do. The longer come first.
_BEGINNINGS = (
    (b"\x1f\x8b", "gzip", "Name it with .gz at the end"),
    (b"\x28\xb5\x2f\xfd", "Zstandard", "Name it with .zst at the end"),
    (b"PAR1", "Parquet", "Name it with .parquet at the end"),
    (b"\xff\xfe\0\0", "UTF-32 text", _UTF_8),
    (b"\0\0\xfe\xff", "UTF-32 text", _UTF_8),
    (b"\xff\xfe", "UTF-16 text", _UTF_8),
    (b"\xfe\xff", "UTF-16 text", _UTF_8),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind (.xls)", _CSV),
    (b"%PDF-", "a PDF document", _SUPPORTED),
    (b"{\\rtf", "a text document (RTF)", _SUPPORTED),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ\0", "compressed by xz", "Compress it with gzip or Zstandard"),
    (b"\x04\x22\x4d\x18", "compressed by LZ4", "Compress it with gzip or Zstandard"),
    (b"SQLite format 3\0", "an SQLite database", _SUPPORTED),
    (b"Obj\x01", "Avro", _SUPPORTED),
    (b"ARROW1\0\0", "Arrow (Feather)", _SUPPORTED),
)
_WORKBOOKS = {
    "xl/workbook.xml": "an Excel workbook (.xlsx)",
    "xl/workbook.bin": "an Excel workbook (.xlsb)",
    "content.xml": "a spreadsheet (.ods)",
}
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<table")

# What to do with files of these endings.
_ENDINGS = {
    **dict.fromkeys(("xlsx", "xls", "xlsm", "xlsb", "ods", "numbers"), _CSV),
    **dict.fromkeys(("zip", "7z", "rar", "tar", "tgz"), _UNPACK),
    **dict.fromkeys(("tsv", "tab", "txt", "psv"), "Name it with .csv at the end"),
    **dict.fromkeys(("bz2", "xz", "lz4", "snappy", "br"), "Compress it with gzip or Zstandard"),
    **dict.fromkeys(("pq", "parq"), "Name it with .parquet at the end"),
    **dict.fromkeys(("pdf", "html", "htm", "xml", "avro", "orc", "feather", "db"), _SUPPORTED),
}

_SAMPLE_BYTES = 1024


def refuse_foreign(path: Path, name: str, head: bytes) -> None:
    """Insist on content that may be of the format that a file's name says.

    Args:
        path: the file.
        name: the format as people call it.
        head: how the content begins.

    Raises:
        FileFault: it is of another kind; the message says of which, and what to do.
    """
    if (kind := kind_of(path, head)) is not None:
        what, remedy = kind
        raise FileFault(f"The content is {what} and not {name}", remedy)


def kind_of(path: Path, head: bytes) -> tuple[str, str] | None:
    """What a file is, and what to do with it; None where nothing is known against it."""
    for beginning, what, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            return what, remedy
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(path)
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        return "compressed by bzip2", "Compress it with gzip or Zstandard"
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    start = head.lstrip().lower()
    if start.startswith(_HTML):
        return "an HTML page, perhaps an error message", "Deliver the file that it stands for"
    if start.startswith(b"<?xml"):
        return "XML", _SUPPORTED
    if _is_wide(head[:_SAMPLE_BYTES]):
        return "UTF-16 text", _UTF_8
    return None


def remedy_for_ending(ending: str) -> str:
    """What to do with a file whose ending (without the dot, in lower case) is not supported."""
    usual = "Use .csv, .jsonl, .ndjson, .json or .parquet, each also with .gz or .zst"
    return _ENDINGS.get(ending, usual)


def _archive(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a ZIP archive or a spreadsheet, and damaged", "Export it as plain CSV, or unpack it"
    for name, what in _WORKBOOKS.items():
        if name in names:
            return what, _CSV
    return "a ZIP archive", _UNPACK


def _is_wide(sample: bytes) -> bool:
    """Whether every other byte is zero, as in UTF-16 without a mark where the letters are Latin."""
    pairs = len(sample) // 2
    if pairs < 8:
        return False
    even, odd = sample[0 : 2 * pairs : 2].count(0), sample[1 : 2 * pairs : 2].count(0)
    few, many = sorted((even, odd))
    return many > 0.8 * pairs and few < 0.1 * pairs
