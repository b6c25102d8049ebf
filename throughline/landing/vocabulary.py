"""The reference vocabularies that decide whether a required code is known.

Belongs here: reading `dbt_project/seeds/codes.csv`. Does not belong here: the mapping of optional
codes, which dbt does with the same file.
"""

from __future__ import annotations

import csv
from pathlib import Path

from throughline.landing.errors import LandingError
from throughline.settings import REPOSITORY

VOCABULARY_FILE = REPOSITORY / "dbt_project" / "seeds" / "codes.csv"


def load_vocabulary(path: Path = VOCABULARY_FILE) -> dict[str, dict[str, str]]:
    """Read the vocabularies.

    Returns:
        By vocabulary: each code that sources use, in lower case, with the value that it means.

    Raises:
        LandingError: the file is missing or is not a vocabulary.
    """
    vocabularies: dict[str, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            for record in csv.DictReader(lines):
                codes = vocabularies.setdefault(record["vocabulary"].strip(), {})
                codes[record["code"].strip().lower()] = record["value"].strip()
    except (OSError, KeyError) as error:
        raise LandingError(
            f"the vocabulary {path} cannot be read ({error}): restore it from the repository"
        ) from error
    return vocabularies
