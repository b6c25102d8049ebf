"""How SQL is put together: values are bound, names are quoted here and nowhere else.

Belongs here: placeholders, identifiers, literals, parameters. Does not belong here: any statement.
"""

from __future__ import annotations

import re
from string import Template
from typing import Any


class _Statement(Template):
    # DuckDB writes its own parameters with a dollar sign.
    delimiter = "@"


def sql(template: str, **fragments: str) -> str:
    """Fill the `@{name}` places of a statement with SQL fragments.

    Args:
        template: the statement.
        fragments: SQL text made by this package. A value out of a file, a header or a path never
            goes here: `Bindings.bind` is for those.
    """
    return _Statement(template).substitute(fragments)


def identifier(*names: str) -> str:
    """A name, dotted where there are several, as a quoted identifier, whatever is in it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A string literal, only where DuckDB binds no value: `attach`, `comment on`, `set`."""
    return "'" + text.replace("'", "''") + "'"


def named(template: str, **identifiers: str | tuple[str, ...]) -> str:
    """Fill the `{name}` places of a statement with quoted identifiers, dotted for a tuple."""

    def fill(match: re.Match[str]) -> str:
        parts = identifiers[match[1]]
        return identifier(*((parts,) if isinstance(parts, str) else parts))

    return re.sub(r"\{(\w+)\}", fill, template)


class Bindings:
    """The bound values of one statement; DuckDB refuses values that a statement does not name."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Keep a value and give the placeholder that stands for it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"
