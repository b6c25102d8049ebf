"""Fixtures of the landing tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import make_settings
from landing_zone import LandingZone

from throughline.settings import Settings


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    """An empty landing directory and no warehouse yet."""
    return LandingZone(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty landing directory, an empty registry, and no warehouse yet."""
    return make_settings(tmp_path)
