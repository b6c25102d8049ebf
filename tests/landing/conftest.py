"""Fixtures of the landing tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from landing_zone import LandingZone


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    """An empty landing directory and no warehouse yet."""
    return LandingZone(tmp_path)
