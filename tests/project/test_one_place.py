"""What is done in one place of the product is done nowhere else.

Belongs here: opening DuckDB, quoting, renaming files, walking the landing zone. Does not belong
here: who imports whom (import-linter, `make check`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from throughline.settings import REPOSITORY

ENGINE = REPOSITORY / "throughline/engine"
# The rooms of the product; bench, seeds and tests are none: they look at it from outside.
ROOMS = ("throughline", "orchestration", "serving")

# What is quoted there is no SQL: a command for a shell, a sheet's name, a phrase, a checksum.
OTHER_QUOTES = {
    "orchestration/headline/__init__.py",
    "serving/api/envelope.py",
    "serving/export/xlsx.py",
    "serving/pages/conversation/page.py",
}

Finder = Callable[[Path], Iterator[tuple[int, str]]]


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def opens_duckdb(path: Path) -> Iterator[tuple[int, str]]:
    """Calls of duckdb.connect; text that is shown to be copied is none."""
    for call in _calls(path):
        if ast.unparse(call.func) == "duckdb.connect":
            yield call.lineno, "open DuckDB by throughline.engine.connect"


def attaches(path: Path) -> Iterator[tuple[int, str]]:
    """Statements that attach a file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.search(r"""["']attach (?!':memory:')""", line):
            yield number, "attach by throughline.engine.attach"


def quotes(path: Path) -> Iterator[tuple[int, str]]:
    """Quotation marks doubled or put round a value by hand."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.search(r"""replace\(("'"|'"'), ("''"|'""')\)|f'"\{|'\\?"\{\w+\}\\?"'""", line):
            yield number, "quote by throughline.engine.sql"


def renames(path: Path) -> Iterator[tuple[int, str]]:
    """Files renamed; `str.replace` has two arguments, `dataclasses.replace` is no method."""
    for call in _calls(path):
        name = ast.unparse(call.func)
        if name in {"os.replace", "os.rename", "os.link", "os.symlink", "shutil.move"} or (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in {"replace", "rename", "symlink_to", "hardlink_to"}
            and len(call.args) == 1
            and name != "dataclasses.replace"
            and not any(keyword.arg != "target_is_directory" for keyword in call.keywords)
        ):
            yield call.lineno, "rename and replace files by throughline.engine.files"


def walks(path: Path) -> Iterator[tuple[int, str]]:
    """Folders walked whose files come from outside."""
    for call in _calls(path):
        name = ast.unparse(call.func)
        looks = name in {"os.walk", "os.scandir", "os.listdir"} or (
            isinstance(call.func, ast.Attribute) and call.func.attr in {"glob", "rglob", "iterdir"}
        )
        if looks and "landing" in ast.unparse(call):
            yield call.lineno, "walk the landing zone by throughline.landing.walk"


def reads_folders(path: Path) -> Iterator[tuple[int, str]]:
    """Any look into a folder, for the rooms that read the landing zone."""
    for call in _calls(path):
        if ast.unparse(call.func) in {"os.walk", "os.scandir", "os.listdir"} or (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in {"glob", "rglob", "iterdir", "walk"}
            and ast.unparse(call.func.value) != "watching"
        ):
            yield call.lineno, "walk the landing zone by throughline.landing.walk"


@pytest.mark.parametrize(
    ("find", "rooms", "places"),
    [
        (opens_duckdb, ROOMS, {"throughline/engine/connecting.py"}),
        (attaches, ROOMS, {"throughline/engine/connecting.py"}),
        (quotes, ROOMS, {"throughline/engine/sql.py", *OTHER_QUOTES}),
        # A lock is taken before its file has a name, so its draft stays open.
        (renames, ROOMS, {"throughline/engine/files.py", "throughline/engine/locks.py"}),
        (walks, ROOMS, set()),
        (reads_folders, ("throughline/landing",), {"throughline/landing/files.py"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_is_done_in_one_place(find: Finder, rooms: tuple[str, ...], places: set[str]) -> None:
    found = {
        f"{name}:{number}: {remedy}"
        for room in rooms
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        if (name := path.relative_to(REPOSITORY).as_posix()) not in places
        for number, remedy in find(path)
    }
    assert found == set()
    # Or the rule has lost its sight.
    assert all(list(find(REPOSITORY / place)) for place in places)
