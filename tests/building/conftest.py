"""What the tests of building share: settings in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import make_settings

from throughline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)
