"""A figure is defined once: in the marts and the metrics, and nowhere that only shows it.

Belongs here: words that say what counts, and the one file that may hold each. Does not belong here:
whether a figure is right (tests/metrics, tests/golden).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from harness import REPOSITORY
from project_files import DBT_PROJECT

# What a predicate of a figure looks like in SQL, wherever it stands, and what says it instead.
PREDICATES = {
    "is_human": r"\bagent_kind\s*(?:=|<>|!=|in\b|not\s+in\b)[^;]{0,40}?\'(?:human|expert)\'",
    "is_csat_positive": r"\bcsat_score\s*(?:[<>]=?|=|between)\s*\d",
    "nps_class": r"\bnps_score\s*(?:[<>]=?|=|between)\s*\d",
    "is_converted": r"\btransaction_count\s*(?:[<>]=?|<>|=)\s*\d",
    "is_escalated_from_bot": (
        r"\bis_bot_first\s+and\s+(?:\w+\.)?is_escalated\b"
        r"|\bis_escalated\s+and\s+(?:\w+\.)?is_bot_first\b"
    ),
    "is_completed": (
        r"\boutcome\s*=\s*'accepted'\s+and\s+not\s+(?:\w+\.)?is_rejected_link"
        r"|not\s+(?:\w+\.)?is_rejected_link\s+and\s+(?:\w+\.)?outcome\s*=\s*'accepted'"
    ),
    "smallest_currency": r"coalesce\((?:\w+\.)?currency,\s*''\)",
    "has_sum": r"smallest_currency\)?\s*(?:=|<>|!=)\s*",
}
# The file of the dbt project that defines each; the tests of the data and of models repeat none.
DEFINED_IN = {
    "is_human": {"macros/figures.sql"},
    "is_csat_positive": {"int_conversations__rated"},
    "nps_class": {"int_conversations__rated"},
    "is_converted": set(),
    "is_escalated_from_bot": set(),
    "is_completed": {"transfers"},
    "smallest_currency": {"macros/figures.sql"},
    # In the semantic layer, which knows no macros, a figure is made of the two currencies again.
    "has_sum": {"macros/figures.sql", "contacts", "conversations"},
}
# The same in Python: a list of the kinds that are people, or an answer compared with a bound.
PEOPLE = {"human", "expert"}
SCORES = re.compile(r"csat|nps|score")
BOUNDS = {4, 6, 7, 9}


def _found_in(text: str) -> set[str]:
    return {
        name
        for name, pattern in PREDICATES.items()
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL)
    }


def _is_list_of_people(node: ast.AST) -> bool:
    if not isinstance(node, ast.Tuple | ast.List | ast.Set):
        return False
    return {each.value for each in node.elts if isinstance(each, ast.Constant)} == PEOPLE


def _compares_an_answer(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    bounds = [each for each in node.comparators if isinstance(each, ast.Constant)]
    return any(bound.value in BOUNDS for bound in bounds) and bool(
        SCORES.search(ast.unparse(node.left))
    )


def _restated(source: str) -> list[str]:
    """The predicates that a Python module states: in SQL that it holds, or in its own words."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [f"{name} in line {node.lineno}" for name in _found_in(node.value)]
        elif isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
            )
            found += [f"{name} in line {node.lineno}" for name in _found_in(text)]
        elif _is_list_of_people(node):
            found.append(f"is_human in line {node.lineno}")  # type: ignore[attr-defined]
        elif _compares_an_answer(node):
            found.append(f"an answer compared in line {node.lineno}")  # type: ignore[attr-defined]
    return sorted(set(found))


@pytest.mark.parametrize(
    "path",
    [
        path
        for room in ("serving", "orchestration", "throughline")
        for path in sorted((REPOSITORY / room).rglob("*.py"))
    ],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_what_shows_a_figure_does_not_define_it(path: Path) -> None:
    assert _restated(path.read_text(encoding="utf-8")) == [], "take the column of the mart"


@pytest.mark.parametrize(
    "path",
    sorted((REPOSITORY / "serving" / "templates").rglob("*.html")),
    ids=lambda path: path.name,
)
def test_a_template_does_not_define_a_figure(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _found_in(text) == set()
    assert re.findall(r"(?:csat|nps)_score\s*[<>]=?\s*\d", text) == []


@pytest.mark.parametrize(
    "restated",
    [
        """X = "contacts.agent_kind in ('human', 'expert')" """,
        """X = f"where {table}.agent_kind = 'expert' and {more}" """,
        """X = {"kinds": ("expert", "human")}""",
        """X = "count(*) filter (csat_score >= 4)" """,
        """X = row["csat_score"] >= 4""",
        """X = "conversations.nps_score <= 6" """,
        """X = "conversations.is_bot_first and conversations.is_escalated" """,
        """X = "transfers.outcome = 'accepted' and not transfers.is_rejected_link" """,
        """X = "contacts.transaction_count > 0" """,
        """X = "coalesce(currency, '')" """,
        """X = "min(smallest_currency) <> max(largest_currency)" """,
    ],
)
def test_a_restated_predicate_is_seen(restated: str) -> None:
    assert _restated(restated)


def test_a_predicate_stands_in_one_place_of_the_dbt_project() -> None:
    found: dict[str, set[str]] = {name: set() for name in PREDICATES}
    for path in sorted(DBT_PROJECT.rglob("*")):
        folder = path.relative_to(DBT_PROJECT).parts[0]
        if path.suffix not in {".sql", ".yml"} or folder not in {"models", "macros"}:
            continue
        if path.stem.endswith("_unit_tests"):
            continue
        text = re.sub(r"--.*|#.*|[{}]", " ", path.read_text(encoding="utf-8"))
        place = f"macros/{path.name}" if folder == "macros" else path.stem
        for name in _found_in(text):
            found[name].add(place)
    assert found == DEFINED_IN
