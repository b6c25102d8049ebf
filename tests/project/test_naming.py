"""The naming law: a short closed list, and every name obeys it.

Belongs here: names of models, columns, tests and files. Does not belong here: what models say.
An exception is a name that the contract fixes, or one listed here with its reason.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import pytest
from project_files import DBT_PROJECT, Project

pytestmark = pytest.mark.xdist_group("project")

WORDS = r"[a-z]+(?:_[a-z]+)*"
LAYERS = {
    "staging": re.compile(rf"stg_[a-z]+__{WORDS}s"),
    "intermediate": re.compile(rf"int_{WORDS}s__{WORDS}"),
    "marts": re.compile(WORDS),
    "metrics": re.compile(WORDS),
    "reports": re.compile(WORDS),
}
# Public names that are no plural: the contract's, and a mass noun.
NO_PLURALS = {"graph_quality", "statistical_report", "contacts_report", "reconciliation"}
# The calendar of the semantic layer is one.
ONE_OF_A_KIND = {"int_time_spine__spanned"}
# A step is a past participle. These are participles without -ed; a step that collects something for
# the subject of the model is named after what it collects.
PARTICIPLES = {"spanned", "known", "split", "made"}
COLLECTED = {
    "int_contacts__facts",
    "int_contacts__message_facts",
    "int_contacts__transfers",
    "int_conversations__answers",
    "int_conversations__contacts",
    "int_conversations__links",
    "int_conversations__participations",
    "int_conversations__paths",
    "int_conversations__ratings",
    "int_conversations__transactions",
    "int_conversations__transfers",
    "int_links__loops",
    "int_agents__current",
    "int_contacts__current",
    "int_transfers__current",
    "int_contacts__missing",
    "int_components__before_merge",
}
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
# since say from when on), its counterpart, and the calendar of the semantic layer.
OTHER_NAMES = {
    "timestamp": {"valid_from", "valid_to", "since"},
    "date": {"period_start", "day"},
    "boolean": set(),
}
# What a number in a mart may be called besides.
NUMBER_ENDINGS = ("_no", "_score", "_amount", "_seconds_sum", "_hash")
NUMBERS = {"score", "amount", "value"}


def _layer(model: dict[str, Any]) -> str:
    return PurePosixPath(model["path"]).parts[0]


def test_every_model_is_named_after_its_layer(project: Project) -> None:
    wrong = [
        name
        for name, model in project.models.items()
        if not LAYERS["intermediate" if name.startswith("int_") else _layer(model)].fullmatch(name)
    ]
    assert set(wrong) == ONE_OF_A_KIND


def test_a_staging_model_is_named_after_its_folder(project: Project) -> None:
    staging = [model for model in project.models.values() if _layer(model) == "staging"]
    assert staging
    for model in staging:
        assert model["name"].startswith(f"stg_{PurePosixPath(model['path']).parts[1]}__")


def test_the_step_of_an_intermediate_model_is_a_past_participle_or_what_it_collects(
    project: Project,
) -> None:
    steps = {name: name.split("__")[1] for name in project.models if name.startswith("int_")}
    others = {
        name for name, step in steps.items() if not step.endswith("ed") and step not in PARTICIPLES
    }
    assert others == COLLECTED


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
        assert path.with_name(f"{stem}.sql").exists() or path.name in {"_sources.yml", "groups.yml"}


def test_a_unit_test_stands_beside_its_model(project: Project) -> None:
    for name, unit_test in project.unit_tests.items():
        stem = PurePosixPath(unit_test["original_file_path"]).stem.removesuffix("_unit_tests")
        assert unit_test["model"] == stem, name
