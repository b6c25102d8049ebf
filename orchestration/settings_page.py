"""The settings as people read them: in the terminal, and as the README's table.

Belongs here: turning the declarations of throughline/settings.py into text.
Does not belong here: any setting, its meaning or its default (throughline/settings.py).

`throughline settings` prints what each is now; `python -m orchestration.settings_page` writes the
table into the README between its two marks.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence

from orchestration import generated
from throughline.settings import (
    ENV_FILE,
    REPOSITORY,
    Declaration,
    declarations,
    no_settings_in_env_file,
)

PAGE = REPOSITORY / "README.md"
WIDTH = 80


def table(found: Sequence[Declaration]) -> str:
    """The README's table, as Markdown."""
    rows = ["| variable | default | takes | meaning |", "|---|---|---|---|"]
    for setting in found:
        default = setting.default or "none"
        plain = default == "none" or " " in default or "`" in default
        shown = default if plain else f"`{default}`"
        rows.append(f"| `{setting.name}` | {shown} | {setting.takes} | {setting.meaning} |")
    return "\n".join(rows)


def updated(page: str) -> str:
    """The page with its table as the settings are declared.

    Raises:
        ValueError: the page lacks one of its two marks.
    """
    return generated.replaced(page, "settings_page", table(declarations({})))


def lines(found: Sequence[Declaration]) -> Iterator[str]:
    """What each setting is now, where that comes from, and what it means: 80 columns wide."""
    there = "" if ENV_FILE.exists() else " (not there)"
    yield f"A variable counts before {ENV_FILE}{there}, and that before the default."
    for setting in found:
        yield ""
        value = setting.value or "none"
        yield f"{setting.name} = {value}  ({setting.origin})"
        meaning = f"{setting.meaning.replace('`', '')}. Takes {setting.takes}"
        if setting.origin != "default":
            meaning += f"; default: {setting.default.replace('`', '') or 'none'}"
        yield from textwrap.wrap(f"{meaning}.", WIDTH, initial_indent="  ", subsequent_indent="  ")
    if strange := no_settings_in_env_file():
        yield ""
        yield f"No settings of Throughline, though {ENV_FILE.name} names them: {', '.join(strange)}"


if __name__ == "__main__":
    sys.exit(generated.main("settings_page", PAGE, updated))
