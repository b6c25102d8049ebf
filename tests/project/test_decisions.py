"""A decision names the tests that hold it, and every name leads to one.

Belongs here: the links from docs/decisions to tests. Does not belong here: what is decided.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import REPOSITORY
from project_files import DBT_PROJECT, Project

pytestmark = pytest.mark.xdist_group("project")

DECISIONS = sorted((REPOSITORY / "docs/decisions").glob("*.md"))
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
