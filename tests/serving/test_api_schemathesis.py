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

from serving.api import resources
from serving.app import create_app
from throughline.settings import ServingSettings

PATHS = (
    "/api/2/conversation",
    "/api/2/conversation/{id}",
    "/api/2/changes",
    "/api/2/statistic",
    *(f"/api/2/{resource.name}" for resource in resources.RESOURCES),
    *(f"/api/2/{resource.name}/{{id}}" for resource in resources.RESOURCES),
)
# They take nothing, so there is nothing to vary; `test_api_resources` asks each.
UNKNOWABLE = tuple(f"/api/2{path.replace(':text', '')}" for path in resources.UNKNOWABLE)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


# Without a key this machine alone is answered, and no client is of any machine here.
KEY = {"X-API-Key": "for-schemathesis"}


@pytest.fixture(scope="module")
def api_schema(settings: ServingSettings) -> Any:
    app = create_app(settings.replaced(api_key=KEY["X-API-Key"], requests_per_minute=1_000_000))
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=KEY)


def test_every_path_is_asked(api_schema: Any) -> None:
    assert {found.ok().path for found in api_schema.get_all_operations()} == {
        *PATHS,
        *UNKNOWABLE,
    }


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
        case.call_and_validate(checks=CHECKS, headers=KEY)

    ask()
    assert asked >= 40
