"""The naming law: a short closed list, and every name obeys it.

Belongs here: names of models, columns, tests and files. Does not belong here: what models say.
An exception is a name that the contract fixes. The words for steps stand in docs/decisions/0015.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from harness import REPOSITORY
from project_files import DBT_PROJECT, Project

WORDS = r"[a-z]+(?:_[a-z]+)*"
STAGING = re.compile(rf"stg_[a-z]+__{WORDS}s")
STEP = re.compile(rf"int_{WORDS}s__({WORDS})")
PUBLIC = re.compile(WORDS)
# Public names that are no plural: the contract's, and a mass noun.
NO_PLURALS = {"graph_quality", "statistical_report", "contacts_report", "reconciliation"}
# In the order of the walk; facts and marts go hand in hand, from the finest grain to the coarsest.
WALK = (
    {"staging"},
    {"records"},
    {"links"},
    {"identity"},
    {"facts", "marts"},
    {"measures"},
    {"metrics"},
    {"reports"},
)
PUBLIC_SCHEMAS = {"marts", "metrics", "reports"}
DECISION = REPOSITORY / "docs" / "decisions" / "0015-graph.md"
VENDORS = re.compile(r"iadvize|zendesk|intercom|genesys|freshdesk|liveperson|servicenow|salesforce")

SUFFIX_TYPES = {
    "_id": {"string"},
    "_at": {"timestamp"},
    "_on": {"date"},
    "_seconds": {"double"},
    "_count": {"bigint"},
    "_rate": {"double"},
}
# Names of other endings that hold a time or a truth: the contract's (period_start; valid_from and
# since say from when on), its counterpart, the calendar of the semantic layer, a truth of before.
OTHER_NAMES = {
    "timestamp": {"valid_from", "valid_to", "since"},
    "date": {"period_start", "day"},
    "boolean": {"was_provisional"},
}
# What a number in a mart may be called besides.
NUMBER_ENDINGS = ("_no", "_score", "_amount", "_seconds_sum", "_hash")
NUMBERS = {"score", "amount", "value"}


def _layer(model: dict[str, Any]) -> str:
    return PurePosixPath(model["path"]).parts[0]


def _words() -> dict[str, str]:
    """The closed list: each step and its meaning, as the decision's table has them."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DECISION.read_text(encoding="utf-8"), re.M)
    assert len(rows) == len(dict(rows)), "a word stands in the table once"
    return dict(rows)


def test_every_model_is_named_after_its_layer(project: Project) -> None:
    for name, model in project.models.items():
        is_public = model["access"] == "public"
        pattern = PUBLIC if is_public else STAGING if _layer(model) == "staging" else STEP
        assert pattern.fullmatch(name), name
        assert model["alias"] == name, f"{name} is called {model['alias']} where it is read"


def test_a_model_reads_nothing_from_a_later_folder(project: Project) -> None:
    floor = {folder: number for number, folders in enumerate(WALK) for folder in folders}
    models = {model["unique_id"]: model for model in project.models.values()}
    assert {_layer(model) for model in models.values()} == set(floor)
    backward = [
        f"{model['name']} reads {models[parent]['name']}"
        for model in models.values()
        for parent in model["depends_on"]["nodes"]
        if parent in models and floor[_layer(models[parent])] > floor[_layer(model)]
    ]
    assert backward == []


def test_private_models_lie_in_private_schemas(project: Project) -> None:
    for name, model in project.models.items():
        assert (model["schema"] in PUBLIC_SCHEMAS) == (model["access"] == "public"), name


def test_a_staging_model_is_named_after_its_folder(project: Project) -> None:
    staging = [model for model in project.models.values() if _layer(model) == "staging"]
    assert staging
    for model in staging:
        assert model["name"].startswith(f"stg_{PurePosixPath(model['path']).parts[1]}__")


def test_the_step_of_a_private_model_is_a_word_of_the_closed_list(project: Project) -> None:
    steps = {name: found[1] for name in project.models if (found := STEP.fullmatch(name))}
    assert steps
    assert {name: step for name, step in steps.items() if step not in _words()} == {}


def test_every_step_word_is_used_and_has_one_meaning(project: Project) -> None:
    used = {found[1] for name in project.models if (found := STEP.fullmatch(name))}
    words = _words()
    assert set(words) - used == set()
    assert len(set(words.values())) == len(words), "two words for one meaning"


def test_private_models_have_a_prefix_and_public_ones_are_plain_plurals(project: Project) -> None:
    prefixed = {name for name in project.models if name.startswith(("stg_", "int_"))}
    assert prefixed == set(project.models) - set(project.public)
    assert [name for name in project.public if not name.endswith("s")] == sorted(
        NO_PLURALS & set(project.public), key=list(project.public).index
    )


def test_no_vendor_and_no_format_is_named_after_staging(project: Project) -> None:
    formats = {path.name for path in (DBT_PROJECT / "models/staging").iterdir() if path.is_dir()}
    for name, model in project.models.items():
        if _layer(model) == "staging":
            continue
        for word in [name, *model["columns"]]:
            assert not VENDORS.search(word), f"{name}: {word}"
            assert not formats & set(word.split("_")), f"{name}: {word}"


def test_a_column_and_its_type_say_the_same(project: Project) -> None:
    for model_name, model in project.public.items():
        for name, column in model["columns"].items():
            kind = column["data_type"]
            for suffix, kinds in SUFFIX_TYPES.items():
                if name.endswith(suffix):
                    assert kind in kinds, f"{model_name}.{name} is {kind}"
            if name.startswith(("is_", "has_")):
                assert kind == "boolean", f"{model_name}.{name} is {kind}"


def test_times_days_and_truths_are_called_so(project: Project) -> None:
    marks = {
        "timestamp": lambda name: name.endswith("_at"),
        "date": lambda name: name.endswith("_on"),
        "boolean": lambda name: name.startswith(("is_", "has_")),
    }
    wrong = [
        f"{model_name}.{name}"
        for model_name, model in project.public.items()
        for name, column in model["columns"].items()
        if (kind := column["data_type"]) in marks
        and not marks[kind](name)
        and name not in OTHER_NAMES[kind]
    ]
    assert wrong == []


def test_a_number_in_a_mart_says_its_unit(project: Project) -> None:
    endings = (*SUFFIX_TYPES, *NUMBER_ENDINGS)
    wrong = [
        f"{model_name}.{name}"
        for model_name, model in project.public.items()
        if _layer(model) == "marts"
        for name, column in model["columns"].items()
        if column["data_type"].startswith(("bigint", "double", "decimal"))
        and not name.endswith(endings)
        and name not in NUMBERS
    ]
    assert wrong == []


def test_a_singular_test_is_named_after_what_must_hold() -> None:
    names = [path.stem for path in (DBT_PROJECT / "tests").glob("*.sql")]
    assert names
    assert [name for name in names if not re.fullmatch(rf"assert_{WORDS}", name)] == []


def test_a_unit_test_is_named_by_a_sentence(project: Project) -> None:
    assert project.unit_tests
    assert [
        name
        for name in project.unit_tests
        if not re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+){3,}", name)
    ] == []


def test_a_model_and_its_yaml_are_neighbours_with_one_stem(project: Project) -> None:
    for model in project.models.values():
        path = DBT_PROJECT / "models" / model["path"]
        assert path.with_suffix(".yml").exists(), model["name"]
        assert model["patch_path"] == f"throughline://models/{model['path'][:-4]}.yml"
    for path in (DBT_PROJECT / "models").rglob("*.yml"):
        stem = path.stem.removesuffix("_unit_tests")
        of_no_model = {"_exposures.yml", "_saved_queries.yml", "_sources.yml", "groups.yml"}
        assert path.with_name(f"{stem}.sql").exists() or path.name in of_no_model


def test_a_unit_test_stands_beside_its_model(project: Project) -> None:
    for name, unit_test in project.unit_tests.items():
        stem = PurePosixPath(unit_test["original_file_path"]).stem.removesuffix("_unit_tests")
        assert unit_test["model"] == stem, name
