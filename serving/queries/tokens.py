"""Places in an order as addresses carry them: short texts that mean nothing to who sends them back.

Belongs here: packing and unpacking. Does not belong here: what is in one, and whether it can be
(each order checks its own).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any


def packed(parts: Sequence[Any]) -> str:
    """Texts and numbers as one text of letters, digits, `-` and `_`."""
    written = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return base64.urlsafe_b64encode(written).decode("ascii").rstrip("=")


def unpacked(text: str) -> list[Any]:
    """The parts of a text, whoever made it.

    Raises:
        ValueError: it is none that `packed` made.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("other characters than a token has")
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(parts, list):
        raise ValueError("no list of parts")
    return parts
