"""What the tests of the orchestration share: settings in a temporary folder, the definitions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from folders import make_settings

from throughline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The definitions as Dagster loads them, with a warehouse that does not exist yet."""
    before = dict(os.environ)
    os.environ.update(make_settings(tmp_path_factory.mktemp("definitions")).environment())
    try:
        from orchestration.definitions import defs

        yield defs()
    finally:
        os.environ.clear()
        os.environ.update(before)
