"""The rooms of the house: what each is for, how large it is, and the picture of them.

Belongs here: sizes, docstrings of folders, docs/decisions/0014. Does not belong here: who may
import whom (the contracts in pyproject.toml, which `make check` holds).
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import grimp
import pytest
from harness import REPOSITORY

LINES = 400
ROOMS = ("orchestration", "serving", "throughline")
FOLDERS = (*ROOMS, "bench", "seeds")
PICTURE = REPOSITORY / "docs/decisions/0014-rooms.md"


def _modules() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _said(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _drawn() -> str:
    found = re.search(r"```mermaid\n(.*?)```", PICTURE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


def _floors() -> list[list[str]]:
    """The rooms of the product as the contracts have them, from the top down."""
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [
        one for one in content["tool"]["importlinter"]["contracts"] if one["id"] == "floors"
    ]
    floors = [[room.strip() for room in re.split("[|:]", layer)] for layer in contract["layers"]]
    return [
        [room.removeprefix("throughline.") for room in floor]
        for floor in floors
        if floor[0].split(".")[0] in ROOMS
    ]


def test_no_module_is_longer_than_it_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _modules()}
    folders: dict[str, int] = {}
    for path, size in sizes.items():
        folders[_name(path.parent)] = folders.get(_name(path.parent), 0) + size
    unexplained = {path: size for path, size in sizes.items() if "Long because" not in _said(path)}
    largest, folder = max(unexplained, key=unexplained.__getitem__), max(folders, key=folders.get)
    with capsys.disabled():
        print(
            f"\nThe largest module is {_name(largest)}, {sizes[largest]} lines (of {LINES}); the"
            f" largest folder {folder}, {folders[folder]:,} lines.",
        )
    assert {_name(path): size for path, size in unexplained.items() if size > LINES} == {}
    needless = [_name(path) for path, size in sizes.items() if size <= LINES]
    assert [name for name in needless if "Long because" in _said(REPOSITORY / name)] == []


@pytest.mark.parametrize("path", [p for p in _modules() if p.name == "__init__.py"], ids=_name)
def test_each_folder_says_what_belongs_in_it(path: Path) -> None:
    assert "Belongs here:" in _said(path)
    assert "Does not belong here:" in " ".join(_said(path).split())


def test_each_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in _modules()}
    assert [_name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_floors_are_those_of_the_contracts() -> None:
    """A room that has no floor would be held by no contract."""
    of_the_house = {
        path.stem for path in (REPOSITORY / "throughline").iterdir() if path.suffix in {"", ".py"}
    } - {"__init__", "__pycache__"}
    rooms = [room for floor in _floors() for room in floor]
    assert set(rooms) == of_the_house | {"orchestration", "serving"}
    assert re.findall(r'^    (\w+)\["', _drawn(), re.M) == rooms


def test_the_picture_of_the_rooms_is_what_the_code_imports() -> None:
    graph = grimp.build_graph(*ROOMS, cache_dir=None)

    def room(module: str) -> str:
        parts = [*module.split("."), ""]
        return parts[0] if parts[0] != "throughline" else parts[1]

    imported = {
        (room(module), room(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }
    imported = {(above, below) for above, below in imported if above != below and above and below}
    assert set(re.findall(r"(\w+) --> (\w+)", _drawn())) == imported
