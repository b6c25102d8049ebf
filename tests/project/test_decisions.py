"""A decision says since when it holds and names the tests that hold it; every name leads to one.

Belongs here: the form of docs/decisions, its index, the links to tests. Does not belong here: what
is decided.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from harness import REPOSITORY
from project_files import DBT_PROJECT, Project

FOLDER = REPOSITORY / "docs/decisions"
INDEX = FOLDER / "README.md"
DECISIONS = sorted(path for path in FOLDER.glob("*.md") if path != INDEX)
# How each page begins.
HEAD = re.compile(
    r"# (?P<number>\d{4}) (?P<title>\S.*)\n\n"
    r"Status: (?P<status>accepted|superseded by (?P<later>\d{4})), (?P<since>\d{4}-\d\d-\d\d)\n\n"
)
# The paragraphs that name tests, in the words of the decisions.
HELD_BY = re.compile(r"(?:\*\*Held by\*\*|^## Pinned by)(.*?)(?:\n\n(?!`)|\n## |\Z)", re.S | re.M)


def _named(text: str) -> list[str]:
    return [
        name
        for paragraph in HELD_BY.findall(text)
        for name in re.findall(r"`([^`\n]+)`", paragraph)
    ]


@pytest.fixture(scope="module")
def python_tests() -> set[str]:
    return {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_every_test_that_a_decision_names_exists(
    path: Path, project: Project, python_tests: set[str]
) -> None:
    names = _named(path.read_text(encoding="utf-8"))
    assert names, "a decision names at least one test that holds it"
    for name in names:
        if name.startswith("scenario "):
            scenario = name.removeprefix("scenario ")
            assert (REPOSITORY / f"tests/golden/scenarios/{scenario}.yaml").exists(), name
        elif "/" in name:
            assert (REPOSITORY / name).exists(), name
        elif name.startswith("assert_"):
            assert (DBT_PROJECT / f"tests/{name}.sql").exists(), name
        else:
            named = name.removeprefix("unit test ")
            assert named in python_tests | set(project.unit_tests), name


def test_each_decision_has_a_number_of_its_own() -> None:
    assert all(re.fullmatch(r"\d{4}-[a-z-]+\.md", path.name) for path in DECISIONS)
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers))


def test_each_decision_says_first_whether_it_holds_and_since_when() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    for path in DECISIONS:
        head = HEAD.match(path.read_text(encoding="utf-8"))
        assert head, f"{path.name}: begin it as docs/decisions/README.md says"
        assert head["number"] == path.name[:4]
        date.fromisoformat(head["since"])
        assert head["later"] is None or head["later"] in numbers - {head["number"]}


def test_the_index_has_each_decision_as_it_stands() -> None:
    lines = []
    for path in DECISIONS:
        head = HEAD.match(path.read_text(encoding="utf-8"))
        assert head, path.name
        number, title, status, since = head.group("number", "title", "status", "since")
        lines.append(f"| [{number}]({path.name}) | {title} | {status} | {since} |")
    index = [
        line for line in INDEX.read_text(encoding="utf-8").splitlines() if line.startswith("| [")
    ]
    assert index == lines, "the rows have to be:\n" + "\n".join(lines)
