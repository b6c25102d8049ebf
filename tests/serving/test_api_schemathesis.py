"""Schemathesis asks what the OpenAPI document allows, and what it does not: no 5xx, no surprise."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestration.settings import ServingSettings
from serving.app import create_app

PATHS = (
    "/api/2/conversation",
    "/api/2/conversation/{id}",
    "/api/2/changes",
    "/api/2/statistic",
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def api_schema(settings: ServingSettings) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(settings))


def test_every_path_is_asked(api_schema: Any) -> None:
    assert {found.ok().path for found in api_schema.get_all_operations()} == set(PATHS)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_what_the_document_says(
    api_schema: Any, path: str, mode: GenerationMode
) -> None:
    asked = 0

    @settings(
        max_examples=50,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api_schema[path]["GET"].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(checks=CHECKS)

    ask()
    assert asked >= 40
